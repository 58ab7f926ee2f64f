#include "support/faulty_device.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace {

struct call {
  std::atomic<int> error{0};
  std::atomic<std::uint64_t> successes{0};  // before the error
  /// The error that this call is to have, or 0.
  int next() {
    if (error == 0) return 0;
    std::uint64_t left = successes;
    while (left != 0 && !successes.compare_exchange_weak(left, left - 1)) {
    }
    return left != 0 ? 0 : error.load();
  }
};

std::atomic<bool> in_use{false};
call msyncs;
call fsyncs;
std::atomic<long> milliseconds{0};
std::atomic<std::uint64_t> count{0};
std::atomic<std::uint64_t> dirty{0};
std::atomic<unsigned> at_once{0};
std::atomic<unsigned> most_at_once{0};

/// Dirty bytes of the mapping that begins at `address`, as /proc/self/smaps has them.
std::uint64_t dirty_in(const void* address) {
  std::FILE* const file = std::fopen("/proc/self/smaps", "r");
  if (file == nullptr) return 0;
  char line[512];
  bool inside = false;
  std::uint64_t sum = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    unsigned long begin = 0;
    unsigned long end = 0;
    unsigned long kilobytes = 0;
    if (std::sscanf(line, "%lx-%lx ", &begin, &end) == 2) {
      inside = begin <= reinterpret_cast<std::uintptr_t>(address) && reinterpret_cast<std::uintptr_t>(address) < end;
    } else if (inside && (std::sscanf(line, "Shared_Dirty: %lu", &kilobytes) == 1 ||
                          std::sscanf(line, "Private_Dirty: %lu", &kilobytes) == 1)) {
      sum += kilobytes * 1024;
    }
  }
  std::fclose(file);
  return sum;
}

void wait_as_long_as_it_takes() {
  const long time = milliseconds;
  if (time == 0) return;
  const timespec t{time / 1000, time % 1000 * 1'000'000};
  ::nanosleep(&t, nullptr);
}

int outcome(long done, int error) {
  if (error == 0) return static_cast<int>(done);
  errno = error;
  return -1;
}

}  // namespace

// In the place of the C library's.
extern "C" int msync(void* address, size_t bytes, int flags) {
  if (in_use) {
    ++count;
    const unsigned now = ++at_once;
    for (unsigned most = most_at_once; now > most && !most_at_once.compare_exchange_weak(most, now);) {
    }
    dirty = dirty_in(address);
    wait_as_long_as_it_takes();
    --at_once;
  }
  const long done = ::syscall(SYS_msync, address, bytes, flags);
  return outcome(done, in_use ? msyncs.next() : 0);
}

extern "C" int fsync(int descriptor) {
  if (in_use) wait_as_long_as_it_takes();
  const long done = ::syscall(SYS_fsync, descriptor);
  return outcome(done, in_use ? fsyncs.next() : 0);
}

namespace leat_tests {

faulty_device::faulty_device() {
  count = 0;
  ::most_at_once = 0;
  in_use = true;
}
faulty_device::~faulty_device() {
  in_use = false;
  fail_msync(0);
  fail_fsync(0);
  milliseconds = 0;
}
void faulty_device::fail_msync(int error, std::uint64_t after) {
  msyncs.successes = after;
  msyncs.error = error;
}
void faulty_device::fail_fsync(int error, std::uint64_t after) {
  fsyncs.successes = after;
  fsyncs.error = error;
}
void faulty_device::delay(std::chrono::milliseconds time) { milliseconds = time.count(); }
std::uint64_t faulty_device::calls() const { return count; }
unsigned faulty_device::most_at_once() const { return ::most_at_once; }
std::uint64_t faulty_device::dirty_bytes() const { return dirty; }

}  // namespace leat_tests
