// What the machine does by itself, and what a large log makes of it: copies into mapped memory, reading it in sequence and reading
// a log of the same size back; gaps in a thread that only spins; a topic of many segments; memory in steady state; idle consumers.
#include "support/log_channel.hpp"
#include "support/suite.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include <sys/statvfs.h>

namespace bench {

namespace {

/// Memory in /dev/shm, as a store has it.
class mapped {
 public:
  explicit mapped(std::size_t bytes) : bytes_(bytes) {
    const std::string name = "/leat.bench-" + std::to_string(::getpid()) + "-floor";
    const int fd = ::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || ::shm_unlink(name.c_str()) != 0 || ::posix_fallocate(fd, 0, static_cast<off_t>(bytes)) != 0) {
      throw std::runtime_error("no room in /dev/shm");
    }
    at_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    ::close(fd);
    if (at_ == MAP_FAILED) throw std::runtime_error("mmap failed");
  }
  ~mapped() { ::munmap(at_, bytes_); }
  mapped(const mapped&) = delete;
  mapped& operator=(const mapped&) = delete;
  std::byte* begin() const { return static_cast<std::byte*>(at_); }
  std::size_t size() const { return bytes_; }

 private:
  std::size_t bytes_;
  void* at_;
};

/// Copies of messages, one behind the other, into mapped memory: millions a second.
template <std::size_t Bytes>
double copies(const mapped& into, const effort& effort) {
  message_source<Bytes> source(0);
  std::size_t at = 0;
  const auto begin = now();
  std::int64_t end = begin;
  do {
    for (int i = 0; i < 256; ++i) {
      std::memcpy(into.begin() + at, &source.one(), Bytes);
      at = at + Bytes + Bytes <= into.size() ? at + Bytes : 0;
    }
    asm volatile("" ::: "memory");  // the copies are made
  } while ((end = now()) < begin + effort.measured.count());
  return static_cast<double>(source.sent()) / static_cast<double>(end - begin) * 1e3;
}

constexpr std::size_t large_record = 1024;

/// What a reader of records of 1 KiB must do at least: add up every word, in sequence. GB a second.
double sequential_read(const mapped& from) {
  const auto begin = now();
  std::array<std::uint64_t, 4> lanes{};
  const auto* const words = reinterpret_cast<const std::uint64_t*>(from.begin());
  for (std::size_t i = 0; i + 4 <= from.size() / 8; i += 4) {
    for (std::size_t lane = 0; lane < 4; ++lane) lanes[lane] += words[i + lane];
  }
  asm volatile("" ::"r"(lanes[0] + lanes[1] + lanes[2] + lanes[3]));
  return static_cast<double>(from.size()) / static_cast<double>(now() - begin);
}

/// A log that was written once, and is read from its beginning, again and again.
class large_log {
 public:
  explicit large_log(std::size_t bytes)
      : topic_(guard_.store.topic<message<large_record>>("large", {.segment_bytes = default_segment_bytes,
                                                                   .retention = {.bytes = leat::unlimited},
                                                                   .expected_record_bytes = static_cast<std::uint32_t>(
                                                                       large_record + leat::format::compact_prefix)})) {
    leat::producer out{topic_};
    message_source<large_record> source(0);
    while (source.sent() < bytes / large_record) (void)out.send_batch(source.many(), at_epoch);
    records_ = source.sent();
  }
  /// GB of values a second; all of it is checked.
  double read() const {
    leat::consumer in{topic_, {.auto_offset_reset = leat::offset_reset::earliest}};
    message_check check;
    const auto begin = now();
    std::uint64_t records = 0;
    while (records < records_) {
      for (const auto& record : in.poll(std::chrono::seconds(1))) {
        if (!check.accept(record.value())) throw std::runtime_error("the log is not what was written");
        ++records;
      }
    }
    return static_cast<double>(records * large_record) / static_cast<double>(now() - begin);
  }

 private:
  temporary_store guard_;
  leat::topic<message<large_record>> topic_;
  std::uint64_t records_ = 0;
};

/// The longest gaps in a thread that does nothing but read the clock: what nobody on this machine can avoid.
histogram hiccups(const effort& effort) {
  histogram gaps;
  (void)ticks::nanoseconds(1);
  std::uint64_t last = ticks::read();
  for (const auto until = now() + effort.measured.count(); now() < until;) {
    last = ticks::read();
    for (int i = 0; i < 4096; ++i) {
      const std::uint64_t next = ticks::read();
      gaps.record(ticks::nanoseconds(next - last));
      last = next;
    }
  }
  return gaps;
}

/// A topic of 1,000 segments of 16 KiB.
class many_segments {
 public:
  many_segments() {
    const auto topic =
        guard_.store.topic<message<1024>>("many", {.segment_bytes = 16 << 10, .retention = {.bytes = leat::unlimited}});
    leat::producer out{topic};
    message_source<1024> source(0);
    while (topic.describe().partitions[0].segments < 1000) out.send(source.one(), at_epoch).value();
  }
  /// Microseconds until the topic is open; with `read`, until a consumer has its first record.
  double open(bool read) const {
    const auto store = leat::store::open(guard_.name);
    const auto begin = now();
    const auto topic = store.topic<message<1024>>("many");
    if (read) {
      leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
      if (in.poll(std::chrono::seconds(1)).empty()) throw std::runtime_error("nothing to read");
    }
    return static_cast<double>(now() - begin) / 1e3;
  }

 private:
  temporary_store guard_;
};

double median_of_opens(const many_segments& topic, bool read) {
  std::vector<double> all;
  for (int i = 0; i < 21; ++i) all.push_back(topic.open(read));
  return median(all);
}

/// MiB that the files of a topic take in steady state, per MiB of retention; with a consumer that keeps up.
double steady_memory(const effort&) {
  log_channel<1024> topic({}, log_choice{});
  auto out = topic.sender(0);
  auto in = topic.receiver(0);
  message_source<1024> source(0);
  message_check check;
  while (source.sent() < 16 * topic.window()) {
    out.send_next(source);
    in.receive([&](const message<1024>& m) {
      if (!check.accept(m)) throw std::runtime_error("wrong records came");
    });
  }
  std::uintmax_t blocks = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(topic.path())) {
    struct stat s;
    if (::lstat(entry.path().c_str(), &s) == 0) blocks += static_cast<std::uintmax_t>(s.st_blocks) * 512;
  }
  return static_cast<double>(blocks) / (1 << 20);
}

double cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

/// Percent of a core that a consumer takes while it blocks and nothing comes.
double idle_percent(const std::string& group, const effort& effort) {
  const temporary_store guard;
  const auto topic = guard.store.topic<message<32>>("idle");
  leat::consumer in{topic, {.wait = leat::wait_strategy::block, .group = group}};
  (void)in.poll();
  const double before = cpu_seconds();
  const auto begin = now();
  if (!in.poll(effort.measured).empty()) throw std::runtime_error("a record came from nowhere");
  return (cpu_seconds() - before) / (static_cast<double>(now() - begin) / 1e9) * 100;
}

std::size_t bytes_of_large_log(bool quick) {
  struct statvfs s{};
  if (::statvfs("/dev/shm", &s) != 0) return 0;
  const std::uint64_t free = std::uint64_t{s.f_bavail} * s.f_frsize;
  std::uint64_t memory = 0;
  std::ifstream info("/proc/meminfo");
  for (std::string word; info >> word;) {
    if (word == "MemAvailable:") {
      info >> memory;
      memory *= 1024;
    }
  }
  // The floor is read in as much memory as the log, at the same time.
  const std::uint64_t possible = std::min(free, memory) * 2 / 5;
  const std::uint64_t wanted = quick ? std::uint64_t{256} << 20 : std::uint64_t{10} << 30;
  return std::min(possible, wanted) >> 20 << 20;
}

}  // namespace

}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  suite all("machine", argc, argv);

  all.add_latencies({.kind = "hiccup", .name = "spinning thread", .unit = "ns"}, hiccups, 10);

  const auto cached = std::make_shared<std::optional<mapped>>();
  const auto beyond = std::make_shared<std::optional<mapped>>();
  const auto add_copies = [&]<std::size_t Bytes>(std::integral_constant<std::size_t, Bytes>) {
    const auto add = [&](const char* where, std::shared_ptr<std::optional<mapped>> into, std::size_t bytes) {
      all.add({.kind = "copy", .name = "memcpy", .variant = where, .unit = "M/s", .bytes = Bytes},
              [=](const effort& e) {
                if (!*into) into->emplace(bytes);
                return copies<Bytes>(**into, e);
              });
    };
    add("into what a cached topic takes", cached, cached_retention_bytes + cached_segment_bytes);
    add("into what a topic of default size takes", beyond, default_retention_bytes);
  };
  add_copies(std::integral_constant<std::size_t, 32>{});
  add_copies(std::integral_constant<std::size_t, 64>{});
  add_copies(std::integral_constant<std::size_t, 256>{});
  add_copies(std::integral_constant<std::size_t, 1024>{});
  add_copies(std::integral_constant<std::size_t, 16384>{});

  const std::size_t large = bytes_of_large_log(all.quick());
  const std::string size = std::to_string(large >> 20) + " MiB of records of 1 KiB" +
                           (large < std::size_t{10} << 30 ? " (10 GiB would not fit, or --quick)" : "");
  const auto log = std::make_shared<std::optional<large_log>>();
  const auto floor = std::make_shared<std::optional<mapped>>();
  all.add({.kind = "read_back", .name = "sequential read", .unit = "GB/s", .note = size}, [=](const effort&) {
    if (!*floor) {
      floor->emplace(large);
      std::memset((*floor)->begin(), 1, large);
    }
    return sequential_read(**floor);
  });
  all.add({.kind = "read_back", .name = "leat", .unit = "GB/s", .note = size}, [=](const effort&) {
    if (!*log) log->emplace(large);
    return (*log)->read();
  });

  const auto many = std::make_shared<std::optional<many_segments>>();
  for (const bool read : {false, true}) {
    all.add({.kind = "open",
             .name = "leat",
             .variant = read ? "and read the first record" : "",
             .unit = "us",
             .note = "a topic of 1,000 segments"},
            [=](const effort&) {
              if (!*many) many->emplace();
              return median_of_opens(**many, read);
            });
  }
  all.add_once({.kind = "memory", .name = "leat", .unit = "MiB", .note = "retention of 4 MiB in segments of 1 MiB"},
               steady_memory);
  all.add(
      {.kind = "idle", .name = "leat", .variant = "no group", .unit = "%"},
      [](const effort& e) { return idle_percent("", e); }, 20);
  all.add(
      {.kind = "idle", .name = "leat", .variant = "alone in a group", .unit = "%"},
      [](const effort& e) { return idle_percent("group", e); }, 20);
  return all.run();
}
