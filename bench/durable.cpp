// What it costs to have records on the device: one at a time, beside the device's own time for as much, and by several threads,
// who share its work. Where LEAT_BENCH_DIR is, or in the current directory.
#include "support/suite.hpp"
#include "support/temporary_store.hpp"

#include <leat/async_producer.hpp>

#include <array>
#include <atomic>
#include <deque>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace bench {

namespace {

constexpr std::size_t value_bytes = 256;
using value = std::array<std::byte, value_bytes>;

leat::topic_options options_of(leat::durability how) {
  return {.segment_bytes = 16 << 20, .retention = {.bytes = 64 << 20}, .durability = how};
}

/// How long each call takes.
template <class Call>
histogram latencies_of(const effort& effort, Call call) {
  histogram latencies;
  (void)call();
  for (const auto until = now() + effort.measured.count(); now() < until;) {
    const std::int64_t begin = now();
    call();
    latencies.record(static_cast<std::uint64_t>(now() - begin));
  }
  return latencies;
}

/// What a log without memory in common would do: append to a file, and fdatasync.
histogram written_and_synced(const effort& effort) {
  const std::string path = (disk_directory() / ("leat.bench-file-" + std::to_string(::getpid()))).string();
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || ::posix_fallocate(file, 0, 16 << 20) != 0) throw std::runtime_error("no file " + path);
  ::unlink(path.c_str());
  const value bytes{};
  off_t at = 0;
  const histogram latencies = latencies_of(effort, [&] {
    if (::pwrite(file, bytes.data(), bytes.size(), at) != static_cast<ssize_t>(bytes.size()) ||
        ::fdatasync(file) != 0) {
      throw std::runtime_error("cannot write to " + path);
    }
    at = (at + static_cast<off_t>(bytes.size())) % (16 << 20);
    return 0;
  });
  ::close(file);
  return latencies;
}

histogram sent(leat::durability how, const effort& effort) {
  const temporary_store guard(true);
  const auto topic = guard.store.topic<value>("t", options_of(how));
  leat::producer out{topic};
  const value bytes{};
  return latencies_of(effort, [&] { return out.send(bytes).value().offset; });
}

/// Records a second of several threads, thousands.
double sent_together(leat::durability how, unsigned threads, const effort& effort) {
  const temporary_store guard(true);
  const auto topic = guard.store.topic<value>("t", options_of(how));
  std::atomic<std::uint64_t> count{0};
  std::atomic<bool> stop{false};
  std::deque<std::jthread> senders;
  const std::int64_t begin = now();
  for (unsigned i = 0; i < threads; ++i) {
    senders.emplace_back([&] {
      leat::producer out{topic};
      const value bytes{};
      std::uint64_t mine = 0;
      for (; !stop; ++mine) out.send(bytes).value();
      count += mine;
    });
  }
  while (now() < begin + effort.measured.count()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  stop = true;
  senders.clear();
  return static_cast<double>(count) / static_cast<double>(now() - begin) * 1e6;
}

double sent_by_async_producer(leat::durability how, const effort& effort) {
  const temporary_store guard(true);
  const auto topic = guard.store.topic<value>("t", options_of(how));
  std::atomic<std::uint64_t> acknowledged{0};
  const std::int64_t begin = now();
  {
    leat::async_producer out{topic};
    while (now() < begin + effort.measured.count()) {
      out.send_then(leat::null, value{}, [&](const leat::send_outcome& o) { acknowledged += o ? 1 : 0; }).value();
    }
  }
  return static_cast<double>(acknowledged) / static_cast<double>(now() - begin) * 1e6;
}

}  // namespace

}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  using leat::durability;
  suite all("durable", argc, argv);
  all.add_latencies({.kind = "durable_latency", .name = "pwrite and fdatasync", .unit = "ns", .bytes = value_bytes},
                    written_and_synced);
  const std::array ways{std::pair{durability::every, "every"}, std::pair{durability::interval, "interval of 1 s"},
                        std::pair{durability::none, "none"}};
  for (const auto& [how, name] : ways) {
    all.add_latencies({.kind = "durable_latency", .name = "leat", .variant = name, .unit = "ns", .bytes = value_bytes},
                      [how = how](const effort& e) { return sent(how, e); });
  }
  for (const auto& [how, name] : ways) {
    for (const unsigned threads : {1U, 8U, 32U}) {
      if (threads > 1 && how != durability::every) continue;
      all.add({.kind = "durable_throughput",
               .name = "leat",
               .variant = name,
               .unit = "k/s",
               .bytes = value_bytes,
               .producers = threads},
              [how = how, threads](const effort& e) { return sent_together(how, threads, e); });
    }
    all.add({.kind = "durable_throughput",
             .name = "leat::async_producer",
             .variant = name,
             .unit = "k/s",
             .bytes = value_bytes,
             .producers = 1},
            [how = how](const effort& e) { return sent_by_async_producer(how, e); });
  }
  return all.run();
}
