#include "report.hpp"

#include "progress.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace demo {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

double as_ms(nanoseconds time) { return std::chrono::duration<double, std::milli>(time).count(); }
double as_us(std::uint64_t ns) { return static_cast<double>(ns) / 1000; }

std::string name_of(std::uint32_t partition) { return "partition " + std::to_string(partition); }

std::string describe(const delays& d) {
  return std::to_string(d.flights) + " flights, " + std::to_string(d.total_minutes) + " minutes, " +
         std::to_string(d.over_an_hour) + " over an hour";
}

// --- latency and throughput -------------------------------------------------------------------------------------------

void print_throughput(const workload& work, const scoreboard& board) {
  std::uint64_t counted = 0;
  for (const partition_score& p : board.partitions) counted += p.counted.load(std::memory_order_relaxed);
  latency_histogram latency;
  for (std::uint32_t id = 0; id < work.options.consumers; ++id) latency.add(board.consumers[id].latency);
  const double seconds = std::chrono::duration<double>(steady_clock::now() - board.steady_start).count();
  std::printf("records     %s in %.1f s: %s a second\n", grouped(counted).c_str(), seconds,
              grouped(static_cast<std::uint64_t>(static_cast<double>(counted) / seconds)).c_str());
  std::printf(
      "latency     from before send to after counting, in microseconds%s:\n"
      "            p50 %.1f   p90 %.1f   p99 %.1f   p99.9 %.1f   max %.1f\n",
      work.options.rate > 0 ? "" : " (mostly the way through a full queue; try --rate N)", as_us(latency.quantile(.5)),
      as_us(latency.quantile(.9)), as_us(latency.quantile(.99)), as_us(latency.quantile(.999)),
      as_us(latency.quantile(1)));
}

// --- who was killed, and whom that held up ----------------------------------------------------------------------------

void print_producer_death(const death& d, const worker_score& score) {
  const double ready = as_ms(nanoseconds(score.resumed_when.load(std::memory_order_relaxed)) - d.when);
  std::printf(
      "killed      %s at %.2f s; its successor was ready after %.1f ms\n"
      "            it had counted %s records sent; the log had %s of them, and was continued there\n",
      name_of(d.who, d.id).c_str(), std::chrono::duration<double>(d.when).count(), ready, grouped(d.records).c_str(),
      grouped(score.resumed_at.load(std::memory_order_relaxed)).c_str());
}

void print_consumer_death(const death& d, const scoreboard& board) {
  std::vector<nanoseconds> first_records;  // of each of its partitions
  for (const partition_score& p : board.partitions) {
    if (const auto when = p.taken_over.load(std::memory_order_relaxed))
      first_records.push_back(nanoseconds(when) - d.when);
  }
  std::uint64_t again = 0;
  for (const worker_score& s : board.consumers) again += s.read_again;
  std::printf("killed      %s at %.2f s; ", name_of(d.who, d.id).c_str(),
              std::chrono::duration<double>(d.when).count());
  if (first_records.empty()) {
    std::printf("nobody had to read its partitions any more\n");
    return;
  }
  const auto [soonest, latest] = std::ranges::minmax(first_records);
  std::printf(
      "from SIGKILL to the first record read by a new owner %.1f ms,\n"
      "            to the first record of the last of its %zu partitions %.1f ms\n"
      "            %s records that it had counted, but not committed, were read again\n",
      as_ms(soonest), first_records.size(), as_ms(latest), grouped(again).c_str());
}

/// The longest gap at any worker that was not killed.
nanoseconds longest_gap(std::span<const worker_score> workers, std::optional<std::uint32_t> victim, nanoseconds from,
                        nanoseconds to) {
  nanoseconds longest{0};
  for (std::uint32_t id = 0; id < workers.size(); ++id) {
    if (id != victim) longest = std::max(longest, workers[id].gaps.longest(from, to));
  }
  return longest;
}

constexpr nanoseconds half_stretch = 50ms;

/// Stretches of 100 ms, away from the deaths and from both ends of the run.
std::vector<nanoseconds> quiet_stretches(double seconds, const std::vector<death>& deaths) {
  std::vector<nanoseconds> middles;
  const nanoseconds end(static_cast<std::int64_t>(seconds * .9e9));
  for (nanoseconds middle(static_cast<std::int64_t>(seconds * .1e9)); middle < end; middle += 2 * half_stretch) {
    const bool quiet = std::ranges::all_of(
        deaths, [&](const death& r) { return std::chrono::abs(middle - r.when) > 4 * half_stretch; });
    if (quiet) middles.push_back(middle);
  }
  return middles;
}

void print_gaps(const char* what, std::span<const worker_score> workers, role who, const workload& work,
                const std::vector<death>& deaths) {
  std::optional<std::uint32_t> victim;
  for (const death& r : deaths) {
    if (r.who == who) victim = r.id;
  }
  if (workers.size() < 2) return;
  const auto around = [&](nanoseconds middle) {
    return longest_gap(workers, victim, middle - half_stretch, middle + half_stretch);
  };
  std::printf("            %-22s", what);
  for (const death& r : deaths) std::printf("%18.2f", as_ms(around(r.when)));

  std::vector<nanoseconds> quiet;
  for (const nanoseconds middle : quiet_stretches(work.options.seconds, deaths)) quiet.push_back(around(middle));
  std::ranges::sort(quiet);
  if (!quiet.empty()) std::printf("%12.2f%9.2f", as_ms(quiet[quiet.size() / 2]), as_ms(quiet.back()));
  std::printf("\n");
}

void print_survivors(const workload& work, const scoreboard& board, const std::vector<death>& deaths) {
  std::printf("the others  longest gap within 100 ms, in milliseconds:\n            %-22s", "");
  for (const death& r : deaths) std::printf("%18s", (name_of(r.who, r.id) + " dies").c_str());
  std::printf("%12s%9s\n", "quiet: p50", "max");
  const std::span<const worker_score> producers(board.producers.data(), work.options.producers);
  const std::span<const worker_score> consumers(board.consumers.data(), work.options.consumers);
  print_gaps("between two sends", producers, role::producer, work, deaths);
  print_gaps("between two records", consumers, role::consumer, work, deaths);
}

// --- what retention did -----------------------------------------------------------------------------------------------

void print_retention(const leat::store& store) {
  std::uint64_t segments = 0;
  std::uint64_t files = 0;
  std::uint64_t retired = 0;
  std::uint64_t waits = 0;
  const leat::topic_description d = store.describe_topic("flights");
  for (const leat::partition_description& p : d.partitions) {
    segments += p.rolls + 1;
    files += p.fresh_segments;
    retired += p.start_offset;
    waits += p.back_pressure;
  }
  std::printf(
      "memory      %s segments of %s KiB went through %s files; %s records were retired meanwhile;\n"
      "            producers had to wait for the group %s times\n",
      grouped(segments).c_str(), grouped(d.segment_bytes >> 10).c_str(), grouped(files).c_str(),
      grouped(retired).c_str(), grouped(waits).c_str());
}

// --- and the figures themselves ---------------------------------------------------------------------------------------

void print_busiest(const delays_by_airport& counted) {
  std::vector<std::pair<std::string, delays>> airports(counted.begin(), counted.end());
  std::ranges::sort(airports, std::ranges::greater{}, [](const auto& a) { return a.second.flights; });
  const char* what = "busiest";
  for (std::size_t i = 0; i < std::min<std::size_t>(airports.size(), 3); ++i) {
    const auto& [airport, d] = airports[i];
    const auto flights = static_cast<double>(d.flights);
    std::printf("%-12s%s: %.1f minutes late on average, %.1f %% over an hour\n", std::exchange(what, ""),
                airport.c_str(), static_cast<double>(d.total_minutes) / flights,
                100 * static_cast<double>(d.over_an_hour) / flights);
  }
}

}  // namespace

result read_result(const leat::store& store, const workload& work, const scoreboard& board) {
  result r;
  const leat::group_description group = leat::admin(store).describe_group(group_name);
  for (const leat::group_offset& o : group.offsets) {
    for (const auto& [airport, d] : partition_figures::from(o.metadata).airports) r.counted[airport] = d;
    if (o.lag != 0) r.wrong.push_back(name_of(o.at.partition) + ": " + grouped(o.lag) + " records are not counted");
  }

  // Each producer has sent whole rounds, and each airport is one producer's.
  std::vector<std::uint64_t> rounds;
  for (std::uint32_t id = 0; id < work.shares.size(); ++id) {
    const std::uint64_t sent = board.producers[id].records.load(std::memory_order_relaxed);
    if (sent % work.shares[id].round() != 0)
      r.wrong.push_back(name_of(role::producer, id) + " has not sent whole rounds");
    rounds.push_back(sent / work.shares[id].round());
  }
  const auto flights = open_flights(store, work.options);
  for (std::uint32_t p = 0; p < flights.partitions(); ++p) {
    std::uint64_t expected = 0;
    for (std::uint32_t id = 0; id < rounds.size(); ++id) {
      const auto in_partition = work.shares[id].departures_in.find(p);
      if (in_partition != work.shares[id].departures_in.end()) expected += in_partition->second * rounds[id];
    }
    if (const std::uint64_t end = flights.end_offset(p); end != expected) {
      r.wrong.push_back(name_of(p) + " has " + std::to_string(end) + " records, expected " + std::to_string(expected));
    }
  }
  delays_by_airport expected = read_expected(work.options.data);
  for (auto& [airport, d] : expected) d = d.times(rounds.at(work.sender_of.at(airport)));
  for (const auto& [airport, d] : r.counted) expected.try_emplace(airport);
  for (const auto& [airport, d] : expected) {
    const auto found = r.counted.find(airport);
    const delays is = found == r.counted.end() ? delays{} : found->second;
    if (is != d) r.wrong.push_back(airport + ": " + describe(is) + "; expected " + describe(d));
  }
  return r;
}

void print_summary(const leat::store& store, const workload& work, const scoreboard& board,
                   const std::vector<death>& deaths, const delays_by_airport& counted) {
  std::printf("\n");
  print_throughput(work, board);
  for (const death& d : deaths) {
    if (d.who == role::producer) {
      print_producer_death(d, board.producers[d.id]);
    } else {
      print_consumer_death(d, board);
    }
  }
  print_survivors(work, board, deaths);
  print_retention(store);
  print_busiest(counted);
  std::printf(
      "result      right: the delays of all %zu airports are those of the flights sent, none lost, none double\n",
      counted.size());
}

}  // namespace demo
