// From thread to thread: what a topic in this process costs beside a bare queue, with the same payloads.
//
// The topic keeps what was sent, gives it offsets, and any number of consumers read all of it; the queue (moodycamel's, with
// producer tokens and bulk dequeue) hands each element to one consumer and forgets it. Producers run freely up to a window
// before the consumer, the same for both, so that neither loses records nor grows. What a thread receives is counted, and
// checked to be in order for each producer. An item is a record received.

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wstringop-overflow"  // GCC 12 sees one in enqueue_bulk at -O3 that is not there
#endif

#include <leat/leat.hpp>

#include <benchmark/benchmark.h>
#include <concurrentqueue.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::uint64_t window = 1 << 15;  // records a producer may be ahead
constexpr std::uint64_t segment_bytes = 4 << 20;
constexpr std::size_t bulk = 32;

template <std::size_t Bytes>
struct message {
  std::uint64_t producer;
  std::uint64_t number;
  std::array<std::uint64_t, Bytes / 8 - 2> words;
};

/// How far the consumer is with each producer's records, and whether it goes on.
struct flow {
  static constexpr std::size_t most_producers = 2;
  struct alignas(64) lane {
    std::atomic<std::uint64_t> received{0};
  };
  std::array<lane, most_producers> lanes;
  std::atomic<bool> over{false};

  /// Until `sent` may be exceeded by a bulk. False: nobody receives any more.
  bool may_send(std::uint64_t producer, std::uint64_t sent) const {
    while (sent + bulk > lanes[producer].received.load(std::memory_order_acquire) + window) {
      if (over.load(std::memory_order_relaxed)) return false;
      leat::os::pause();
    }
    return !over.load(std::memory_order_relaxed);
  }
};

/// The consumer's account: counts, and checks the order.
class receipt {
 public:
  explicit receipt(flow& f) : flow_(f) {}

  template <class Message>
  void take(const Message& m) {
    in_order_ = in_order_ && m.producer < next_.size() && m.number == next_[m.producer];
    ++next_[m.producer % next_.size()];
    sum_ += m.words[0] + m.words[m.words.size() - 1];
  }
  /// Behind each batch.
  void publish() {
    for (std::size_t p = 0; p < next_.size(); ++p) flow_.lanes[p].received.store(next_[p], std::memory_order_release);
  }
  bool in_order() const { return in_order_; }
  std::int64_t total() const { return static_cast<std::int64_t>(next_[0] + next_[1]); }
  std::uint64_t sum() const { return sum_; }

 private:
  flow& flow_;
  std::array<std::uint64_t, flow::most_producers> next_{};
  std::uint64_t sum_ = 0;
  bool in_order_ = true;
};

/// Runs `produce(id, flow)` in threads, and `receive(receipt)` in this one for as long as the benchmark wants.
template <class Produce, class Receive>
void from_thread_to_thread(benchmark::State& state, std::size_t bytes, Produce produce, Receive receive) {
  flow f;
  std::vector<std::thread> producers;
  for (std::int64_t id = 0; id < state.range(0); ++id) {
    producers.emplace_back([&, id] { produce(static_cast<std::uint64_t>(id), f); });
  }
  receipt r(f);
  while (r.total() < static_cast<std::int64_t>(4 * window)) {  // warm-up: segments and blocks are there, and are reused
    receive(r);
    r.publish();
  }
  const std::int64_t before = r.total();
  for (auto _ : state) {
    receive(r);
    r.publish();
  }
  state.SetItemsProcessed(r.total() - before);
  state.SetBytesProcessed((r.total() - before) * static_cast<std::int64_t>(bytes));
  f.over = true;
  for (std::thread& t : producers) t.join();
  benchmark::DoNotOptimize(r.sum());
  if (!r.in_order()) state.SkipWithError("records were lost, or came out of order");
}

template <std::size_t Bytes>
leat::topic<message<Bytes>> fresh_topic(bool single_writer = false) {
  // Twice what the producers' windows hold at most, so that retention never overtakes the consumer.
  return leat::store::in_process().topic<message<Bytes>>(
      "bench", {.segment_bytes = segment_bytes,
                .retention = {.bytes = 2 * flow::most_producers * window * (Bytes + 16) + segment_bytes},
                .single_writer = single_writer});
}

template <std::size_t Bytes, class Send>
void topic_with(benchmark::State& state, bool single_writer, Send send) {
  const auto topic = fresh_topic<Bytes>(single_writer);
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  from_thread_to_thread(
      state, Bytes,
      [&](std::uint64_t id, const flow& f) {
        leat::producer out{topic};
        for (std::uint64_t sent = 0; f.may_send(id, sent); sent += bulk) send(out, id, sent);
      },
      [&](receipt& r) {
        for (const auto& record : in.poll()) r.take(record.value());
      });
}

template <std::size_t Bytes>
void topic_single(benchmark::State& state) {
  const leat::send_options at_no_time{.timestamp = leat::timestamp{}};  // the queue stamps nothing either
  topic_with<Bytes>(state, false, [&](auto& out, std::uint64_t id, std::uint64_t sent) {
    message<Bytes> m{id, 0, {}};
    for (std::uint64_t i = 0; i < bulk; ++i) {
      m.number = sent + i;
      (void)out.send(m, at_no_time).value();
    }
  });
}

template <std::size_t Bytes>
void topic_bulk(benchmark::State& state) {
  std::array<std::array<message<Bytes>, bulk>, flow::most_producers> made{};
  topic_with<Bytes>(state, false, [&](auto& out, std::uint64_t id, std::uint64_t sent) {
    for (std::uint64_t i = 0; i < bulk; ++i) {
      made[id][i].producer = id;
      made[id][i].number = sent + i;
    }
    if (out.send_batch(made[id]).count != bulk) std::abort();
  });
}

/// Where one thread alone writes, and says so.
template <std::size_t Bytes>
void topic_single_writer(benchmark::State& state) {
  const leat::send_options at_no_time{.timestamp = leat::timestamp{}};
  topic_with<Bytes>(state, true, [&](auto& out, std::uint64_t id, std::uint64_t sent) {
    message<Bytes> m{id, 0, {}};
    for (std::uint64_t i = 0; i < bulk; ++i) {
      m.number = sent + i;
      (void)out.send(m, at_no_time).value();
    }
  });
}

template <std::size_t Bytes, class Send>
void queue_with(benchmark::State& state, Send send) {
  using queue_type = moodycamel::ConcurrentQueue<message<Bytes>>;
  queue_type queue(2 * flow::most_producers * window);
  moodycamel::ConsumerToken mine(queue);
  std::vector<message<Bytes>> taken(500);  // max_poll_records
  from_thread_to_thread(
      state, Bytes,
      [&](std::uint64_t id, const flow& f) {
        moodycamel::ProducerToken token(queue);
        for (std::uint64_t sent = 0; f.may_send(id, sent); sent += bulk) send(queue, token, id, sent);
      },
      [&](receipt& r) {
        const std::size_t count = queue.try_dequeue_bulk(mine, taken.begin(), taken.size());
        for (std::size_t i = 0; i < count; ++i) r.take(taken[i]);
      });
}

template <std::size_t Bytes>
void queue_single(benchmark::State& state) {
  queue_with<Bytes>(state, [](auto& queue, auto& token, std::uint64_t id, std::uint64_t sent) {
    message<Bytes> m{id, 0, {}};
    for (std::uint64_t i = 0; i < bulk; ++i) {
      m.number = sent + i;
      queue.enqueue(token, m);
    }
  });
}

template <std::size_t Bytes>
void queue_bulk(benchmark::State& state) {
  std::array<std::array<message<Bytes>, bulk>, flow::most_producers> made{};
  queue_with<Bytes>(state, [&](auto& queue, auto& token, std::uint64_t id, std::uint64_t sent) {
    for (std::uint64_t i = 0; i < bulk; ++i) {
      made[id][i].producer = id;
      made[id][i].number = sent + i;
    }
    queue.enqueue_bulk(token, made[id].begin(), bulk);
  });
}

#define LEAT_BENCH(name)                                                     \
  BENCHMARK(name<32>)->ArgName("producers")->Arg(1)->Arg(2)->UseRealTime();  \
  BENCHMARK(name<256>)->ArgName("producers")->Arg(1)->Arg(2)->UseRealTime(); \
  BENCHMARK(name<1024>)->ArgName("producers")->Arg(1)->Arg(2)->UseRealTime()

LEAT_BENCH(topic_single);
LEAT_BENCH(queue_single);
LEAT_BENCH(topic_bulk);
LEAT_BENCH(queue_bulk);
BENCHMARK(topic_single_writer<32>)->ArgName("producers")->Arg(1)->UseRealTime();
BENCHMARK(topic_single_writer<1024>)->ArgName("producers")->Arg(1)->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
  static char quick[] = "--benchmark_min_time=0.05";
  for (char** argument = argv; *argument != nullptr; ++argument) {
    if (std::string(*argument) == "--quick") *argument = quick;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
