// The two ends of a measurement: processes or threads, each on a core of its own, and memory that they share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

/// Cores that this program may use: it pins by their order, so that `taskset` chooses them.
inline const cpu_set_t& allowed_cores() {
  static const cpu_set_t allowed = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) != 0) CPU_SET(0, &set);
    return set;
  }();
  return allowed;
}
inline unsigned cores() { return static_cast<unsigned>(CPU_COUNT(&allowed_cores())); }

/// To the n-th of the allowed cores; they are gone through again where there are fewer.
inline void pin_to_core(unsigned n) {
  n %= cores();
  for (std::size_t core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed_cores()) || n-- != 0) continue;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0) std::perror("sched_setaffinity (not pinned)");
    return;
  }
}

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits for something that another end does. `shared_core`: more ends than cores, so the other may need this one.
inline void wait_a_little(bool shared_core) {
  if (shared_core) {
    ::sched_yield();
  } else {
    pause();
  }
}

/// A T that parent and children share.
template <class T>
class shared {
 public:
  shared() : at_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (at_ == MAP_FAILED) throw std::bad_alloc();
    value_ = ::new (at_) T{};
  }
  ~shared() { ::munmap(at_, sizeof(T)); }
  shared(const shared&) = delete;
  shared& operator=(const shared&) = delete;
  T* operator->() const noexcept { return value_; }
  T& operator*() const noexcept { return *value_; }

 private:
  void* at_;
  T* value_;
};

/// Calls `work`, which says whether all was well. If not, the program ends at once: the others would wait for ever.
template <class Work>
bool succeeded(Work& work) {
  try {
    if (work()) return true;
    std::fprintf(stderr, "an end of the measurement saw wrong records\n");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "an end of the measurement failed: %s\n", e.what());
  }
  return false;
}

/// Runs `work` in a child process on core `core`. The child ends with the parent, and the parent where the child fails.
class child {
 public:
  template <class Work>
  explicit child(Work work, unsigned core = 1, unsigned own_core = 0) {
    pin_to_core(core);  // before the fork: the child must not need this core to get to its own
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ != 0) {
      pin_to_core(own_core);
      return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) std::_Exit(1);
    const bool well = succeeded(work);
    if (!well) ::kill(parent, SIGTERM);
    std::_Exit(well ? 0 : 1);
  }
  ~child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  child(child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  child& operator=(child&&) = delete;

  void join() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    if (status != 0) throw std::runtime_error("the other process failed");
  }

 private:
  pid_t pid_ = -1;
};

/// The same as a thread.
class thread_end {
 public:
  template <class Work>
  explicit thread_end(Work work, unsigned core = 1, unsigned own_core = 0) {
    pin_to_core(core);
    thread_ = std::thread([work = std::move(work)]() mutable {
      if (!succeeded(work)) ::kill(::getpid(), SIGTERM);
    });
    pin_to_core(own_core);
  }
  thread_end(thread_end&&) = default;
  thread_end& operator=(thread_end&&) = delete;
  ~thread_end() {
    if (thread_.joinable()) thread_.join();
  }
  void join() { thread_.join(); }

 private:
  std::thread thread_;
};

}  // namespace bench
