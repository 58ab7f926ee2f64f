// What a consumer group costs: commits and polls in one process, then how soon the partitions of a killed member are read
// again, and what members cost that wait.

#include "support/clock.hpp"
#include "support/figures.hpp"
#include "support/processes.hpp"

#include <benchmark/benchmark.h>
#include <leat/leat.hpp>

#include <algorithm>
#include <array>
#include <ctime>
#include <deque>
#include <thread>

namespace {

using namespace std::chrono_literals;
using bench::child;
using clock_type = std::chrono::steady_clock;

struct message {
  std::array<std::uint64_t, 4> words;
};

const char* const group = "group";

struct store_guard {
  std::string name = "bench-groups-" + std::to_string(::getpid());
  leat::store store = leat::store::open(name, {.mode = leat::open_mode::create});
  ~store_guard() { leat::store::remove(name); }
};

leat::topic<message> make_topic(const leat::store& store, std::uint32_t partitions, std::uint64_t records) {
  auto topic = store.topic<message>("topic", {.partitions = partitions, .segment_bytes = 1 << 20});
  leat::producer out{topic};
  for (std::uint64_t i = 0; i < records; ++i) {
    for (std::uint32_t p = 0; p < partitions; ++p) out.send(message{}, {.partition = p}).value();
  }
  return topic;
}

leat::consumer_options reading(bool in_group, leat::wait_strategy wait = leat::wait_strategy::block) {
  return {.auto_offset_reset = leat::offset_reset::earliest,
          .wait = wait,
          .group = in_group ? group : "",
          .enable_auto_commit = false};
}

/// Polls all of them until each has its part.
void settle(std::deque<leat::consumer<message>>& members, std::size_t partitions) {
  for (;;) {
    std::size_t owned = 0;
    bool idle = false;
    for (auto& m : members) {
      (void)m.poll();
      owned += m.owned().size();
      idle = idle || m.owned().empty();
    }
    if (owned == partitions && !idle) return;
  }
}

// ----------------------------------------------------------------------------------------------------- commits

/// A member that has all partitions, and has read them to the end.
struct sole_member {
  store_guard guard;
  std::uint32_t partitions;
  leat::topic<message> topic;
  leat::consumer<message> in;

  explicit sole_member(std::uint32_t n)
      : partitions(n), topic(make_topic(guard.store, n, 2)), in(topic, reading(true)) {
    for (std::uint64_t records = 0; records < 2 * n;) records += in.poll(1s).size();
    in.commit().value();
  }
  std::vector<leat::partition_offset> all_at(std::uint64_t offset, const std::string& metadata) const {
    std::vector<leat::partition_offset> all;
    for (std::uint32_t p = 0; p < partitions; ++p) all.push_back({{topic.name(), p}, offset, metadata});
    return all;
  }
};

void commit_offsets(benchmark::State& state) {
  sole_member member(static_cast<std::uint32_t>(state.range(0)));
  const std::string metadata(static_cast<std::size_t>(state.range(1)), 'm');
  const std::array offsets{member.all_at(1, metadata), member.all_at(2, metadata)};
  std::size_t turn = 0;
  for (auto _ : state) {
    if (!member.in.commit(offsets[turn ^= 1])) state.SkipWithError("commit failed");
  }
}
BENCHMARK(commit_offsets)
    ->ArgNames({"partitions", "metadata_bytes"})
    ->Args({1, 0})
    ->Args({64, 0})
    ->Args({1, 100})
    ->Args({1, 4096});

/// commit() of what was read: all partitions have moved. To move them takes longer than to commit, and is not measured.
void commit_moved(benchmark::State& state) {
  sole_member member(static_cast<std::uint32_t>(state.range(0)));
  bool to_beginning = true;
  for (auto _ : state) {
    if (to_beginning) {
      member.in.seek_to_beginning();
    } else {
      member.in.seek_to_end();
    }
    to_beginning = !to_beginning;
    const auto begin = clock_type::now();
    if (!member.in.commit()) state.SkipWithError("commit failed");
    state.SetIterationTime(bench::nanoseconds_since(begin) / 1e9);
  }
}
BENCHMARK(commit_moved)->ArgName("partitions")->Arg(64)->UseManualTime();

void commit_nothing_moved(benchmark::State& state) {
  sole_member member(static_cast<std::uint32_t>(state.range(0)));
  for (auto _ : state) {
    if (!member.in.commit()) state.SkipWithError("commit failed");
  }
}
BENCHMARK(commit_nothing_moved)->ArgName("partitions")->Arg(1)->Arg(64);

// ------------------------------------------------------------------------------------------------------- polls

/// Reads what lies ready, again and again.
void poll_records(benchmark::State& state) {
  const store_guard guard;
  const auto topic = make_topic(guard.store, 1, 16'384);
  leat::consumer<message> in{topic, reading(state.range(0) != 0)};
  std::int64_t records = 0;
  std::uint64_t sum = 0;
  for (auto _ : state) {
    const auto batch = in.poll();
    if (batch.empty()) {
      in.seek_to_beginning();
      continue;
    }
    for (const auto& record : batch) {
      sum += record.value().words[0];
      ++records;
    }
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(records);
}
BENCHMARK(poll_records)->ArgName("in_group")->Arg(0)->Arg(1);

/// With peers that are alive and do not poll meanwhile: they are looked after, every few milliseconds.
void poll_nothing(benchmark::State& state) {
  const auto members_in_group = static_cast<std::uint32_t>(state.range(0));
  const store_guard guard;
  const std::uint32_t partitions = std::max(1U, members_in_group);
  const auto topic = make_topic(guard.store, partitions, 1);
  std::deque<leat::consumer<message>> members;
  for (std::uint32_t i = 0; i < partitions; ++i) members.emplace_back(topic, reading(members_in_group != 0));
  if (members_in_group != 0) settle(members, partitions);
  leat::consumer<message>& in = members.front();
  while (!in.poll().empty()) {
  }
  for (auto _ : state) benchmark::DoNotOptimize(in.poll().empty());
}
BENCHMARK(poll_nothing)->ArgName("members_in_group")->Arg(0)->Arg(1)->Arg(2)->Arg(16);

// -------------------------------------------------------------------------------------------- behind a SIGKILL

/// Milliseconds from a member's SIGKILL to the poll of the other one that returns the records of its partition. The victim
/// ends itself at a random moment, so that the survivor is met at any point of its waiting.
bench::figures take_overs(int kills, leat::wait_strategy wait) {
  const store_guard guard;
  const auto topic = make_topic(guard.store, 2, 1);
  bench::shared<std::atomic<std::int64_t>> killed_at;
  leat::consumer<message> survivor{topic, reading(true, wait)};
  for (std::uint64_t records = 0; records < 2;) records += survivor.poll(1s).size();

  bench::figures milliseconds;
  for (int i = 0; i < kills; ++i) {
    killed_at->store(0);
    child victim([&] {
      const auto store = leat::store::open(guard.name);
      leat::consumer<message> in{store.topic<message>("topic"), reading(true)};
      while (in.poll(1s).empty()) {
      }
      const auto until = clock_type::now() + 5ms + std::chrono::microseconds(7919 * i % 20'000);
      while (clock_type::now() < until) {
      }
      killed_at->store(clock_type::now().time_since_epoch().count());
      ::raise(SIGKILL);
      return false;
    });
    // Nothing is ever committed: who takes a partition over reads it from its beginning.
    while (survivor.poll(10s).empty()) {
    }
    const auto now = clock_type::now().time_since_epoch();
    const std::int64_t killed = killed_at->load();
    if (killed == 0) throw std::runtime_error("records came though nobody was killed");
    milliseconds.add(std::chrono::duration<double, std::milli>(now - clock_type::duration(killed)).count());
  }
  return milliseconds;
}

/// Percent of a core that a member takes while it waits for records with its peers, each a process; the mean of all.
double idle_percent(std::uint32_t members, std::chrono::milliseconds time) {
  const store_guard guard;
  const auto topic = make_topic(guard.store, members, 1);
  struct counts {
    std::atomic<std::uint32_t> ready, done;
    std::atomic<std::int64_t> cpu_nanoseconds;
  };
  bench::shared<counts> shared;
  const auto cpu_time = [] {
    timespec t{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
  };
  std::deque<child> processes;
  for (std::uint32_t i = 0; i < members; ++i) {
    processes.emplace_back([&] {
      const auto store = leat::store::open(guard.name);
      leat::consumer<message> in{store.topic<message>("topic"), reading(true)};
      for (bool told = false; shared->ready != members;) {
        (void)in.poll(1ms);
        if (!told && in.owned().size() == 1) {
          told = true;
          ++shared->ready;
        }
      }
      while (!in.poll(100ms).empty()) {
      }
      const std::int64_t before = cpu_time();
      (void)in.poll(time);
      shared->cpu_nanoseconds += cpu_time() - before;
      for (++shared->done; shared->done != members;) std::this_thread::sleep_for(1ms);  // leaving would wake the others
      return true;
    });
  }
  for (child& c : processes) c.join();
  return static_cast<double>(shared->cpu_nanoseconds) / static_cast<double>(members) /
         static_cast<double>(std::chrono::nanoseconds(time).count()) * 100;
}

void report_processes(bool quick) {
  const int kills = quick ? 20 : 200;
  std::printf(
      "\nFrom SIGKILL of a member to the first poll that returns its partition's records, %d kills each; "
      "milliseconds\n\n",
      kills);
  std::printf("%-64s %10s %10s %10s\n", "", "median", "p99", "most");
  const auto print = [&](const char* what, leat::wait_strategy wait) {
    const bench::figures ms = take_overs(kills, wait);
    std::printf("%-64s %10.2f %10.2f %10.2f\n", what, ms.median(), ms.at(0.99), ms.most());
  };
  print("survivor blocks", leat::wait_strategy::block);
  print("survivor spins", leat::wait_strategy::spin);
  std::printf("%-64s %10s\n", "Kafka's session.timeout.ms, configured default, not measured", "45000");

  const std::chrono::milliseconds time = quick ? 300ms : 3s;
  std::printf("\nA member that blocks while there is nothing to read; percent of a core\n\n");
  for (const std::uint32_t members : {1U, 2U, 8U}) {
    std::printf("%u %-62s %10.2f\n", members, members == 1 ? "member" : "members, each a process",
                idle_percent(members, time));
  }
}

}  // namespace

int main(int argc, char** argv) {
  static char quick_time[] = "--benchmark_min_time=0.05";
  bool quick = false;
  for (char** argument = argv; *argument != nullptr; ++argument) {
    if (std::string(*argument) != "--quick") continue;
    *argument = quick_time;
    quick = true;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  report_processes(quick);
}
