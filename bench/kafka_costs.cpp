// What a record costs on shared memory, and on Apache Kafka: the same code for both, over both engines' public faces.
//
// For bench/kafka.py, which runs it beside a broker: kafka_costs memory|kafka SERVERS NAME. Prints one figure a line, "name value",
// in nanoseconds and in records a second. NAME is that of a topic that is not there yet, and of the store.
#include "support/clock.hpp"
#include "support/histogram.hpp"
#include "support/processes.hpp"

#include <leat/async_producer.hpp>
#include <leat/kafka/kafka.hpp>
#include <leat/leat.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace {

using namespace std::chrono_literals;

struct message {
  std::int64_t number;
  std::int64_t due;  // of bench::now(); 0 where nobody looks
  std::array<std::int64_t, 11> rest;
};
static_assert(sizeof(message) == 104);

struct memory {
  using store = leat::store;
  template <class T>
  using producer = leat::producer<T>;
  template <class T>
  using async_producer = leat::async_producer<T>;
  template <class T>
  using consumer = leat::consumer<T>;
  template <class T>
  using timely_producer = producer<T>;  // of records that are to be there soon
  static constexpr std::uint64_t sends = 1'000'000;
  static constexpr std::uint64_t records = 3'000'000;
};
struct kafka {
  using store = leat::kafka::store;
  template <class T>
  using producer = leat::kafka::producer<T>;
  template <class T>
  using async_producer = leat::kafka::async_producer<T>;
  template <class T>
  using consumer = leat::kafka::consumer<T>;
  template <class T>
  using timely_producer = async_producer<T>;
  static constexpr std::uint64_t sends = 3'000;
  static constexpr std::uint64_t records = 1'000'000;
};

constexpr double rate = 1000;  // records a second, of which the latency is measured
constexpr std::int64_t timed = 10'000;
constexpr std::int64_t warm_up = 1'000;

void print(const char* name, double value) { std::printf("%s %.1f\n", name, value); }

template <class Store>
auto topic_of(const Store& store, const std::string& name) {
  return store.template topic<message>(name, {.partitions = 1, .retention = {.bytes = leat::unlimited}});
}

/// send() returns when the record is in the log, which for Kafka is when it is acknowledged.
template <class Engine>
void acknowledged_sends(const typename Engine::store& store, const std::string& name) {
  typename Engine::template producer<message> out{topic_of(store, name)};
  bench::histogram latencies;
  const std::uint64_t warm = Engine::sends / 10;
  const std::int64_t begin = bench::now();
  for (std::uint64_t i = 0; i < Engine::sends + warm; ++i) {
    const std::uint64_t before = bench::ticks::read();
    (void)out.send(message{static_cast<std::int64_t>(i), 0, {}}).value();
    const std::uint64_t after = bench::ticks::read();
    if (i >= warm) latencies.record(bench::ticks::nanoseconds(after - before));
  }
  const double seconds = static_cast<double>(bench::now() - begin) / 1e9;
  print("send_p50", static_cast<double>(latencies.at(0.5)));
  print("send_p99", static_cast<double>(latencies.at(0.99)));
  print("send_rate", static_cast<double>(Engine::sends + warm) / seconds);
}

void hand_over(leat::producer<message>& out, const message& m) { (void)out.send(m).value(); }
void hand_over(leat::kafka::async_producer<message>& out, const message& m) {
  out.send_then(leat::null, m, {}).value();
}

/// From the moment at which a record was due to that at which another process, which waits for it, has it.
template <class Engine>
void latency(const std::string& place, const std::string& name) {
  struct state {
    std::atomic<bool> ready{false};
    std::atomic<std::uint64_t> p50{0}, p99{0}, p999{0};
  };
  const bench::shared<state> shared;
  bench::child reader([&] {
    const auto store = Engine::store::open(place);
    typename Engine::template consumer<message> in{topic_of(store, name)};  // reads what comes from now on
    (void)in.poll(1s);
    shared->ready = true;
    bench::histogram latencies;
    std::int64_t expected = 0;
    while (expected < warm_up + timed) {
      for (const auto& record : in.poll(100ms)) {
        const message& m = record.value();
        if (m.number != expected++) return false;
        if (m.number >= warm_up) latencies.record(static_cast<std::uint64_t>(bench::now() - m.due));
      }
    }
    shared->p50 = latencies.at(0.5);
    shared->p99 = latencies.at(0.99);
    shared->p999 = latencies.at(0.999);
    return true;
  });
  const auto store = Engine::store::open(place);
  typename Engine::template timely_producer<message> out{topic_of(store, name)};
  while (!shared->ready) std::this_thread::sleep_for(10ms);
  const std::int64_t begin = bench::now() + 1'000'000;
  for (std::int64_t i = 0; i < warm_up + timed; ++i) {
    const std::int64_t due = begin + static_cast<std::int64_t>(static_cast<double>(i) * 1e9 / rate);
    if (const std::int64_t early = due - bench::now(); early > 0)
      std::this_thread::sleep_for(std::chrono::nanoseconds(early));
    hand_over(out, {i, due, {}});
  }
  reader.join();
  print("latency_p50", static_cast<double>(shared->p50));
  print("latency_p99", static_cast<double>(shared->p99));
  print("latency_p999", static_cast<double>(shared->p999));
}

/// Handed over as fast as it is taken, until all is in the log; then read back.
template <class Engine>
void throughput(const typename Engine::store& store, const std::string& name) {
  const auto topic = topic_of(store, name);
  {
    typename Engine::template async_producer<message> out{
        topic, {.max_queued_records = 100'000, .max_queued_bytes = 64 << 20}};
    const std::int64_t begin = bench::now();
    for (std::uint64_t i = 0; i < Engine::records; ++i) {
      out.send_then(leat::null, message{static_cast<std::int64_t>(i), 0, {}}, {}).value();
    }
    out.flush().value();
    print("produce_rate", static_cast<double>(Engine::records) * 1e9 / static_cast<double>(bench::now() - begin));
  }
  typename Engine::template consumer<message> in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  std::uint64_t seen = 0;
  std::int64_t begin = 0;
  while (seen < Engine::records) {
    for (const auto& record : in.poll(1s)) {
      if (begin == 0) begin = bench::now();
      if (record.value().number != static_cast<std::int64_t>(seen++)) throw std::runtime_error("wrong records came");
    }
  }
  print("consume_rate", static_cast<double>(Engine::records) * 1e9 / static_cast<double>(bench::now() - begin));
}

template <class Engine>
void measure(const std::string& place, const std::string& name) {
  latency<Engine>(place, name + "-latency");  // forks: before there are threads
  const auto store = Engine::store::open(place);
  acknowledged_sends<Engine>(store, name + "-sends");
  throughput<Engine>(store, name + "-records");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view engine = argc == 4 ? argv[1] : "";
  try {
    if (engine == "memory") {
      const std::string name = argv[3];
      leat::store::open(name, {.mode = leat::open_mode::create});
      try {
        measure<memory>(name, name);
      } catch (...) {
        leat::store::remove(name);
        throw;
      }
      leat::store::remove(name);
    } else if (engine == "kafka") {
      measure<kafka>(argv[2], argv[3]);
    } else {
      std::cerr << "kafka_costs memory|kafka SERVERS NAME\n";
      return 2;
    }
  } catch (const std::exception& e) {
    std::cerr << "kafka_costs: " << e.what() << '\n';
    return 1;
  }
}
