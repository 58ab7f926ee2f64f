// What crosses two processes: round trips and throughput, each beside a floor measured in the same run.
//
// Repetitions are interleaved (A B C A B C ...) so that what disturbs the machine disturbs all; medians, ranges and ratios
// are printed. The receiver checks count, order and contents.

#include "support/two_processes.hpp"

#include <leat/leat.hpp>

#include <array>
#include <cstring>
#include <functional>

namespace {

using bench::child;
using bench::figures;

struct alignas(64) line {
  std::atomic<std::uint64_t> word;
  std::uint64_t payload[7];
};

template <std::size_t Bytes>
struct message {
  std::array<std::uint64_t, Bytes / 8> words;
};

const leat::send_options at_epoch{.timestamp = leat::timestamp{}};  // the clock is not what is measured

std::string fresh_store() { return "bench-" + std::to_string(::getpid()); }

struct store_guard {
  std::string name = fresh_store();
  leat::store store = leat::store::open(name, {.mode = leat::open_mode::create});
  ~store_guard() { leat::store::remove(name); }
};

// ------------------------------------------------------------------------------------------------ round trips

/// Two lines, one for each direction: nothing can be faster between these two cores.
std::vector<std::uint32_t> raw_round_trips(std::uint32_t rounds) {
  struct lines {
    line ping, pong;
  };
  bench::shared<lines> shared;
  child echo([&] {
    for (std::uint64_t i = 1; i <= rounds; ++i) {
      while (shared->ping.word.load(std::memory_order_acquire) != i) {
      }
      shared->pong.word.store(i, std::memory_order_release);
    }
    return true;
  });
  std::vector<std::uint32_t> latencies(rounds);
  for (std::uint64_t i = 1; i <= rounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    shared->ping.word.store(i, std::memory_order_release);
    while (shared->pong.word.load(std::memory_order_acquire) != i) {
    }
    latencies[i - 1] = static_cast<std::uint32_t>(bench::nanoseconds_since(begin));
  }
  echo.join();
  return latencies;
}

std::vector<std::uint32_t> log_round_trips(std::uint32_t rounds, bool single_writer, leat::wait_strategy wait) {
  using payload = message<64>;
  const store_guard guard;
  const leat::topic_options options{
      .segment_bytes = 1 << 20, .retention = {.bytes = 4 << 20}, .single_writer = single_writer};
  const auto ping = guard.store.topic<payload>("ping", options);
  const auto pong = guard.store.topic<payload>("pong", options);
  constexpr std::uint32_t warm_up = 100'000;  // until every page of the recycled segments was touched
  const leat::consumer_options reading{.auto_offset_reset = leat::offset_reset::earliest, .wait = wait};
  child echo([&] {
    const auto store = leat::store::open(guard.name);
    leat::consumer in{store.topic<payload>("ping"), reading};
    leat::producer out{store.topic<payload>("pong")};
    for (std::uint64_t i = 1; i <= rounds + warm_up;) {
      for (const auto& record : in.poll(std::chrono::seconds(10))) {
        if (record.value().words[0] != i++) return false;
        if (!out.send(record.value(), at_epoch)) return false;
      }
    }
    return true;
  });
  leat::producer out{ping};
  leat::consumer in{pong, reading};
  std::vector<std::uint32_t> latencies(rounds);
  payload sent{};
  rounds += warm_up;
  for (std::uint64_t i = 1; i <= rounds; ++i) {
    sent.words[0] = i;
    const auto begin = std::chrono::steady_clock::now();
    out.send(sent, at_epoch).value();
    for (bool back = false; !back;) {
      for (const auto& record : in.poll(std::chrono::seconds(10))) back = record.value().words[0] == i;
    }
    if (i > warm_up) latencies[i - 1 - warm_up] = static_cast<std::uint32_t>(bench::nanoseconds_since(begin));
  }
  echo.join();
  return latencies;
}

// ------------------------------------------------------------------------------------------------- throughput

/// A hand-written ring of 64-byte lines for one producer and one consumer: no log, no framing, nothing is kept.
double ring_throughput(std::uint64_t count) {
  constexpr std::uint64_t lines = 16384;
  struct ring {
    std::array<line, lines> slots;
    alignas(64) std::atomic<std::uint64_t> read;
  };
  bench::shared<ring> shared;
  child reader([&] {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 1; i <= count; ++i) {
      line& slot = shared->slots[i % lines];
      while (slot.word.load(std::memory_order_acquire) != i) __builtin_ia32_pause();
      sum += slot.payload[0];
      if (i % 1024 == 0) shared->read.store(i, std::memory_order_release);
    }
    shared->read.store(count, std::memory_order_release);
    return sum == count * (count + 1) / 2;
  });
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t room = lines;
  for (std::uint64_t i = 1; i <= count; ++i) {
    while (i > room) room = shared->read.load(std::memory_order_acquire) + lines - 1024;
    line& slot = shared->slots[i % lines];
    slot.payload[0] = slot.payload[1] = slot.payload[2] = slot.payload[3] = i;
    slot.word.store(i, std::memory_order_release);
  }
  while (shared->read.load(std::memory_order_acquire) != count) {
  }
  const double elapsed = bench::nanoseconds_since(begin);
  reader.join();
  return static_cast<double>(count) / elapsed * 1e3;
}

enum class sending { one_by_one, batches, claims };

/// One producer, one consumer; the consumer's progress holds the producer within the retention.
template <std::size_t Bytes>
double log_throughput(std::uint64_t count, bool single_writer, sending how) {
  using payload = message<Bytes>;
  constexpr std::uint64_t segment_bytes = 4 << 20;
  constexpr std::uint64_t window = 2 * segment_bytes / (Bytes + 24);
  const store_guard guard;
  const auto topic = guard.store.topic<payload>(
      "stream",
      {.segment_bytes = segment_bytes, .retention = {.bytes = 4 * segment_bytes}, .single_writer = single_writer});
  struct alignas(64) progress {
    std::atomic<std::uint64_t> read;
  };
  bench::shared<progress> shared;
  const std::uint64_t warm_up = 4 * window;
  child reader([&] {
    const auto store = leat::store::open(guard.name);
    leat::consumer in{store.topic<payload>("stream"),
                      {.auto_offset_reset = leat::offset_reset::earliest, .wait = leat::wait_strategy::spin}};
    std::uint64_t next = 0;
    while (next < warm_up + count) {
      for (const auto& record : in.poll(std::chrono::seconds(10))) {
        const payload& value = record.value();
        std::uint64_t all = 0;
        for (const std::uint64_t word : value.words) all ^= word ^ next;  // every word is read, and none is wrong
        if (all != 0 || record.offset() != next) return false;
        ++next;
      }
      shared->read.store(next, std::memory_order_release);
    }
    return true;
  });
  leat::producer out{topic};
  std::uint64_t room = 0;
  const auto wait_for_room = [&](std::uint64_t upto) {
    while (upto > room) room = shared->read.load(std::memory_order_acquire) + window;
  };
  const auto fill = [](payload& value, std::uint64_t i) { value.words.fill(i); };
  const auto send_all = [&](std::uint64_t from, std::uint64_t to) {
    std::array<payload, 32> batch;
    for (std::uint64_t i = from; i < to;) {
      if (how == sending::batches) {
        const std::uint64_t n = std::min<std::uint64_t>(batch.size(), to - i);
        wait_for_room(i + n);
        for (std::uint64_t k = 0; k < n; ++k) fill(batch[k], i + k);
        if (out.send_batch(std::span(batch).first(n), at_epoch).count != n) std::abort();
        i += n;
      } else if (how == sending::claims) {
        wait_for_room(i + 1);
        leat::loan<payload> loan = out.claim(leat::null, sizeof(payload), at_epoch);
        fill(*loan, i);
        loan.publish().value();
        ++i;
      } else {
        wait_for_room(i + 1);
        fill(batch[0], i);
        out.send(batch[0], at_epoch).value();
        ++i;
      }
    }
    while (shared->read.load(std::memory_order_acquire) != to) {
    }
  };
  send_all(0, warm_up);
  const auto begin = std::chrono::steady_clock::now();
  send_all(warm_up, warm_up + count);
  const double elapsed = bench::nanoseconds_since(begin);
  reader.join();
  return static_cast<double>(count) / elapsed * 1e3;
}

// ----------------------------------------------------------------------------------------------------- report

struct round_trip_subject {
  const char* name;
  std::function<std::vector<std::uint32_t>(std::uint32_t)> run;
  figures p50, p99, p999;
};

struct throughput_subject {
  const char* name;
  std::size_t bytes;
  std::function<double(std::uint64_t)> run;
  std::uint64_t count;
  figures millions_per_second;
};

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::string(argv[1]) == "--quick";
  const int repetitions = quick ? 3 : 9;
  bench::pin_to_core(0);

  using leat::wait_strategy;
  round_trip_subject trips[] = {
      {"raw cache lines", raw_round_trips, {}, {}, {}},
      {"leat, any writers", [](std::uint32_t n) { return log_round_trips(n, false, wait_strategy::spin); }, {}, {}, {}},
      {"leat, single writer",
       [](std::uint32_t n) { return log_round_trips(n, true, wait_strategy::spin); },
       {},
       {},
       {}},
  };
  for (int i = 0; i < repetitions; ++i) {
    for (auto& subject : trips) {
      auto latencies = subject.run(quick ? 100'000 : 300'000);
      const bench::percentiles p(latencies);
      subject.p50.add(p.p50);
      subject.p99.add(p.p99);
      subject.p999.add(p.p999);
    }
  }
  std::printf(
      "Round trip of 64 bytes between two processes, spinning; nanoseconds, medians of %d repetitions (range)\n\n",
      repetitions);
  std::printf("%-24s %22s %10s %10s %12s\n", "", "p50", "p99", "p99.9", "p50 / raw");
  for (const auto& t : trips) {
    std::printf("%-24s %8.0f (%4.0f to %4.0f) %10.0f %10.0f %12.2f\n", t.name, t.p50.median(), t.p50.least(),
                t.p50.most(), t.p99.median(), t.p999.median(), t.p50.median() / trips[0].p50.median());
  }

  const std::uint64_t many = quick ? 5'000'000 : 20'000'000;
  throughput_subject streams[] = {
      {"ring of lines, no log", 32, ring_throughput, many, {}},
      {"leat, any writers", 32, [](auto n) { return log_throughput<32>(n, false, sending::one_by_one); }, many, {}},
      {"  in batches of 32", 32, [](auto n) { return log_throughput<32>(n, false, sending::batches); }, many, {}},
      {"  claimed in place", 32, [](auto n) { return log_throughput<32>(n, false, sending::claims); }, many, {}},
      {"leat, single writer", 32, [](auto n) { return log_throughput<32>(n, true, sending::one_by_one); }, many, {}},
      {"leat, any writers",
       256,
       [](auto n) { return log_throughput<256>(n, false, sending::one_by_one); },
       many / 4,
       {}},
      {"leat, any writers",
       1024,
       [](auto n) { return log_throughput<1024>(n, false, sending::one_by_one); },
       many / 10,
       {}},
      {"leat, single writer",
       1024,
       [](auto n) { return log_throughput<1024>(n, true, sending::one_by_one); },
       many / 10,
       {}},
  };
  for (int i = 0; i < repetitions; ++i) {
    for (auto& subject : streams) subject.millions_per_second.add(subject.run(subject.count));
  }
  std::printf(
      "\nOne producer process, one consumer process; millions of records a second, medians of %d repetitions "
      "(range)\n\n",
      repetitions);
  std::printf("%-24s %6s %26s %8s %12s\n", "", "bytes", "M/s", "GB/s", "of the ring");
  for (const auto& s : streams) {
    const double median = s.millions_per_second.median();
    std::printf("%-24s %6zu %8.1f (%6.1f to %6.1f) %8.2f %12.2f\n", s.name, s.bytes, median,
                s.millions_per_second.least(), s.millions_per_second.most(),
                median * static_cast<double>(s.bytes) / 1e3, median / streams[0].millions_per_second.median());
  }
}
