// Single operations in one process: append by size, clock and number of writers; poll; each through the public typed API.
//
// Steady state: small retention, so that segments are recycled and every page was touched before.

#include <leat/leat.hpp>

#include <benchmark/benchmark.h>
#include <concurrentqueue.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace {

constexpr std::uint64_t segment_bytes = 4 << 20;
constexpr std::uint64_t retention_bytes = 4 * segment_bytes;

template <std::size_t Bytes>
struct message {
  std::array<std::uint64_t, Bytes / 8> words;
};

template <std::size_t Bytes>
leat::topic<message<Bytes>> fresh_topic(bool single_writer) {
  return leat::store::in_process().topic<message<Bytes>>(
      "bench",
      {.segment_bytes = segment_bytes, .retention = {.bytes = retention_bytes}, .single_writer = single_writer});
}

/// Goes once around all segments.
template <class Producer, class Message>
void warm_up(Producer& out, const Message& value) {
  for (std::uint64_t bytes = 0; bytes < 2 * retention_bytes; bytes += sizeof value) out.send(value).value();
}

enum clock_argument { given = 0, coarse = 1, precise = 2 };

template <std::size_t Bytes>
void append(benchmark::State& state) {
  const bool single_writer = state.range(0) != 0;
  const auto topic = fresh_topic<Bytes>(single_writer);
  leat::producer out{
      topic, {.clock = state.range(1) == coarse ? leat::timestamp_source::coarse : leat::timestamp_source::precise}};
  static const std::array<message<Bytes>, 64> values{};
  leat::send_options options;
  if (state.range(1) == given) options.timestamp = leat::timestamp{};
  warm_up(out, values[0]);
  std::size_t i = 0;
  for (auto _ : state) {
    if (!out.send(values[i++ % values.size()], options)) state.SkipWithError("send failed");
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(Bytes));
}
BENCHMARK(append<32>)->ArgNames({"single_writer", "clock"})->ArgsProduct({{0, 1}, {given, coarse, precise}});
BENCHMARK(append<64>)->ArgNames({"single_writer", "clock"})->ArgsProduct({{0, 1}, {given}});
BENCHMARK(append<256>)->ArgNames({"single_writer", "clock"})->ArgsProduct({{0, 1}, {given}});
BENCHMARK(append<1024>)->ArgNames({"single_writer", "clock"})->ArgsProduct({{0, 1}, {given}});
BENCHMARK(append<16384>)->ArgNames({"single_writer", "clock"})->ArgsProduct({{0, 1}, {given}});

void append_with_key(benchmark::State& state) {
  const auto topic = leat::store::in_process().topic<message<32>>(
      "bench", {.partitions = 8, .segment_bytes = segment_bytes, .retention = {.bytes = retention_bytes}});
  leat::producer out{topic};
  const message<32> value{};
  const leat::send_options options{.timestamp = leat::timestamp{}};
  const std::array<std::string, 8> keys{"account-0", "account-1", "account-2", "account-3",
                                        "account-4", "account-5", "account-6", "account-7"};
  // As warm_up(), in the partition of each. A record takes more than twice its value here.
  for (const std::string& key : keys) {
    for (std::uint64_t bytes = 0; bytes < 2 * retention_bytes; bytes += 2 * sizeof value) {
      out.send(key, value, options).value();
    }
  }
  std::size_t i = 0;
  for (auto _ : state) {
    if (!out.send(keys[i++ % keys.size()], value, options)) state.SkipWithError("send failed");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(append_with_key);

void append_in_batches(benchmark::State& state) {
  const auto topic = fresh_topic<32>(state.range(0) != 0);
  leat::producer out{topic};
  const std::array<message<32>, 32> values{};
  warm_up(out, values[0]);
  for (auto _ : state) {
    if (out.send_batch(values).count != values.size()) state.SkipWithError("send failed");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(values.size()));
}
BENCHMARK(append_in_batches)->ArgName("single_writer")->Arg(0)->Arg(1);

void append_in_place(benchmark::State& state) {
  const auto topic = fresh_topic<32>(false);
  leat::producer out{topic};
  const leat::send_options options{.timestamp = leat::timestamp{}};
  warm_up(out, message<32>{});
  for (auto _ : state) {
    leat::loan<message<32>> loan = out.claim(leat::null, sizeof(message<32>), options);
    loan->words.fill(1);
    if (!loan.publish()) state.SkipWithError("publish failed");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(append_in_place);

/// Writers in threads of their own, into one partition. What they share is the file, as processes do.
void append_together(benchmark::State& state) {
  static std::optional<leat::topic<message<32>>> topic;
  if (state.thread_index() == 0) topic = fresh_topic<32>(false);
  const message<32> value{};
  const leat::send_options options{.timestamp = leat::timestamp{}};
  std::unique_ptr<leat::producer<message<32>>> out;
  for (auto _ : state) {
    if (out == nullptr) out = std::make_unique<leat::producer<message<32>>>(*topic);  // behind the start barrier
    if (!out->send(value, options)) state.SkipWithError("send failed");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(append_together)->Threads(1)->Threads(2)->UseRealTime();

/// The same with a queue that keeps nothing and crosses no process: what an in-process topic is compared with.
void enqueue_together(benchmark::State& state) {
  static std::optional<moodycamel::ConcurrentQueue<message<32>>> queue;
  if (state.thread_index() == 0) queue.emplace(1 << 16);
  const message<32> value{};
  std::unique_ptr<moodycamel::ProducerToken> token;
  message<32> taken[64];
  int since = 0;
  for (auto _ : state) {
    if (token == nullptr) token = std::make_unique<moodycamel::ProducerToken>(*queue);
    queue->enqueue(*token, value);
    if (++since == 64) {
      benchmark::DoNotOptimize(queue->try_dequeue_bulk_from_producer(*token, taken, 64));
      since = 0;
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(enqueue_together)->Threads(1)->Threads(2)->UseRealTime();

/// Reads what lies ready, again and again.
template <std::size_t Bytes>
void poll(benchmark::State& state) {
  constexpr std::uint64_t count = segment_bytes / (Bytes + 24);
  const auto topic = fresh_topic<Bytes>(false);
  leat::producer out{topic};
  for (std::uint64_t i = 0; i < count; ++i) out.send(message<Bytes>{}).value();
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  std::int64_t records = 0;
  std::uint64_t sum = 0;
  for (auto _ : state) {
    const auto batch = in.poll();
    if (batch.empty()) {
      in.seek_to_beginning();
      continue;
    }
    for (const auto& record : batch) {
      for (const std::uint64_t word : record.value().words) sum += word;
      ++records;
    }
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(records);
  state.SetBytesProcessed(records * static_cast<std::int64_t>(Bytes));
}
BENCHMARK(poll<32>);
BENCHMARK(poll<1024>);

void poll_nothing(benchmark::State& state) {
  const auto topic = fresh_topic<32>(false);
  leat::producer out{topic};
  out.send(message<32>{}).value();
  leat::consumer in{topic};
  for (auto _ : state) benchmark::DoNotOptimize(in.poll().empty());
}
BENCHMARK(poll_nothing);

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
