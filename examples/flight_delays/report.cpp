#include "report.hpp"

#include "progress.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

namespace demo {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

double as_ms(nanoseconds time) { return std::chrono::duration<double, std::milli>(time).count(); }
double as_us(std::uint64_t ns) { return static_cast<double>(ns) / 1000; }

std::string describe(const delays& d) {
  return std::to_string(d.flights) + " flights, " + std::to_string(d.total_minutes) + " minutes, " +
         std::to_string(d.over_an_hour) + " over an hour";
}

// --- latency and throughput -------------------------------------------------------------------------------------------

void print_throughput(const workload& work, const scoreboard& board) {
  std::uint64_t counted = 0;
  latency_histogram latency;
  for (std::uint32_t id = 0; id < work.options.consumers; ++id) {
    latency.add(board.consumers[id].latency);
    counted += board.consumers[id].records.load(std::memory_order_relaxed);
  }
  const double seconds = std::chrono::duration<double>(steady_clock::now() - board.steady_start).count();
  std::printf("records     %s in %.1f s: %s a second\n", grouped(counted).c_str(), seconds,
              grouped(static_cast<std::uint64_t>(static_cast<double>(counted) / seconds)).c_str());
  std::printf(
      "latency     from before send to after counting, in microseconds:\n"
      "            p50 %.1f   p90 %.1f   p99 %.1f   p99.9 %.1f   max %.1f\n",
      as_us(latency.quantile(.5)), as_us(latency.quantile(.9)), as_us(latency.quantile(.99)),
      as_us(latency.quantile(.999)), as_us(latency.quantile(1)));
}

// --- who was killed, and whom that held up ----------------------------------------------------------------------------

void print_replacement(const replacement& r, const worker_score& score) {
  const std::uint64_t resumed = score.resumed_at.load(std::memory_order_relaxed);
  const double ready = as_ms(nanoseconds(score.resumed_when.load(std::memory_order_relaxed)) - r.when);
  std::printf("killed      %s at %.2f s; its successor was ready after %.1f ms\n", name_of(r.who, r.id).c_str(),
              std::chrono::duration<double>(r.when).count(), ready);
  if (r.who == role::producer) {
    std::printf("            it had counted %s records sent; the log had %s of them, and was continued there\n",
                grouped(r.records).c_str(), grouped(resumed).c_str());
  } else {
    std::printf("            it had counted %s records; its saved figures had %s, so %s were read again\n",
                grouped(r.records).c_str(), grouped(resumed).c_str(), grouped(r.records - resumed).c_str());
  }
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
std::vector<nanoseconds> quiet_stretches(double seconds, const std::vector<replacement>& replacements) {
  std::vector<nanoseconds> middles;
  const nanoseconds end(static_cast<std::int64_t>(seconds * .9e9));
  for (nanoseconds middle(static_cast<std::int64_t>(seconds * .1e9)); middle < end; middle += 2 * half_stretch) {
    const bool quiet = std::ranges::all_of(
        replacements, [&](const replacement& r) { return std::chrono::abs(middle - r.when) > 4 * half_stretch; });
    if (quiet) middles.push_back(middle);
  }
  return middles;
}

void print_gaps(const char* what, std::span<const worker_score> workers, role who, const workload& work,
                const std::vector<replacement>& replacements) {
  std::optional<std::uint32_t> victim;
  for (const replacement& r : replacements) {
    if (r.who == who) victim = r.id;
  }
  if (workers.size() < 2) return;
  const auto around = [&](nanoseconds middle) {
    return longest_gap(workers, victim, middle - half_stretch, middle + half_stretch);
  };
  std::printf("            %-22s", what);
  for (const replacement& r : replacements) std::printf("%18.2f", as_ms(around(r.when)));

  std::vector<nanoseconds> quiet;
  for (const nanoseconds middle : quiet_stretches(work.seconds(), replacements)) quiet.push_back(around(middle));
  std::ranges::sort(quiet);
  if (!quiet.empty()) std::printf("%12.2f%9.2f", as_ms(quiet[quiet.size() / 2]), as_ms(quiet.back()));
  std::printf("\n");
}

void print_survivors(const workload& work, const scoreboard& board, const std::vector<replacement>& replacements) {
  std::printf("the others  longest gap within 100 ms, in milliseconds:\n            %-22s", "");
  for (const replacement& r : replacements) std::printf("%18s", (name_of(r.who, r.id) + " dies").c_str());
  std::printf("%12s%9s\n", "quiet: p50", "max");
  const std::span<const worker_score> producers(board.producers.data(), work.options.producers);
  const std::span<const worker_score> consumers(board.consumers.data(), work.options.consumers);
  print_gaps("between two sends", producers, role::producer, work, replacements);
  print_gaps("between two records", consumers, role::consumer, work, replacements);
}

// --- what retention did -----------------------------------------------------------------------------------------------

/// topics/flights/0003-0000000000000042 is segment 42 of partition 3.
void print_retention(const leat::store& store) {
  std::uint64_t files = 0;
  std::map<std::string, std::uint64_t> segments;  // begun or prepared, by partition
  for (const auto& file : std::filesystem::directory_iterator(store.path() + "/topics/flights")) {
    const std::string name = file.path().filename();
    const std::size_t dash = name.find('-');
    if (dash == name.npos) continue;
    ++files;
    std::uint64_t& most = segments[name.substr(0, dash)];
    most = std::max<std::uint64_t>(most, std::stoull(name.substr(dash + 1)) + 1);
  }
  std::uint64_t begun = 0;
  for (const auto& [partition, count] : segments) begun += count;

  std::uint64_t retired = 0;
  const leat::topic_description d = store.describe_topic("flights");
  for (const leat::partition_description& p : d.partitions) retired += p.start_offset;
  std::printf("memory      %s segments of %s KiB went through %s files; %s records were retired meanwhile\n",
              grouped(begun).c_str(), grouped(d.segment_bytes >> 10).c_str(), grouped(files).c_str(),
              grouped(retired).c_str());
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

delays_by_airport collect_figures(const leat::store& store, const workload& work) {
  delays_by_airport counted;
  const auto figures = open_figures(store, work.options);
  for (std::uint32_t partition = 0; partition < figures.partitions(); ++partition) {
    const partition_figures last = last_figures(figures, partition);
    for (const partition_figures::entry& e : last.all()) counted[std::string(e.name())] = e.counted;
  }
  return counted;
}

std::vector<std::string> check(const leat::store& store, const workload& work, const delays_by_airport& counted) {
  std::vector<std::string> wrong;
  const auto flights = open_flights(store, work.options);
  for (std::uint32_t p = 0; p < flights.partitions(); ++p) {
    if (const std::uint64_t end = flights.end_offset(p); end != work.records_in(p)) {
      wrong.push_back("partition " + std::to_string(p) + " has " + std::to_string(end) + " records, expected " +
                      std::to_string(work.records_in(p)));
    }
  }
  delays_by_airport expected = read_expected(work.options.data);
  for (auto& [airport, d] : expected) d = d.times(work.rounds);
  for (const auto& [airport, d] : counted) expected.try_emplace(airport);
  for (const auto& [airport, d] : expected) {
    const auto found = counted.find(airport);
    const delays is = found == counted.end() ? delays{} : found->second;
    if (is != d) wrong.push_back(airport + ": " + describe(is) + "; expected " + describe(d));
  }
  return wrong;
}

void print_summary(const leat::store& store, const workload& work, const scoreboard& board,
                   const std::vector<replacement>& replacements, const delays_by_airport& counted) {
  std::printf("\n");
  print_throughput(work, board);
  for (const replacement& r : replacements) {
    print_replacement(r, r.who == role::producer ? board.producers[r.id] : board.consumers[r.id]);
  }
  print_survivors(work, board, replacements);
  print_retention(store);
  print_busiest(counted);
  std::printf(
      "result      right: the delays of all %zu airports are %s times those of one round, none lost, none double\n",
      counted.size(), grouped(work.rounds).c_str());
}

}  // namespace demo
