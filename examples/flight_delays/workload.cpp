#include "workload.hpp"

#include <leat/partitioner.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace demo {
namespace {

std::uint32_t partition_of(const std::string& origin, std::uint32_t partitions) {
  return leat::partition_of_key(std::as_bytes(std::span(origin)), partitions);
}

void insert_once(std::vector<std::uint32_t>& into, std::uint32_t value) {
  if (std::ranges::find(into, value) == into.end()) into.push_back(value);
}

}  // namespace

workload::workload(const settings& s)
    : options(s), departures(read_departures(s.data)), rounds(0), shares(s.producers), departures_in(s.partitions) {
  if (departures.empty()) throw std::runtime_error("flights.csv has no flights");
  rounds = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::llround(s.seconds * s.rate / static_cast<double>(departures.size()))));
  split_among_producers();
}

/// The airports, the busiest first, each to the producer that has the least to do.
void workload::split_among_producers() {
  std::map<std::string, std::vector<std::uint32_t>> by_origin;
  for (std::uint32_t i = 0; i < departures.size(); ++i) by_origin[departures[i].origin].push_back(i);
  if (by_origin.size() < shares.size()) throw std::runtime_error("more producers than airports");

  std::vector<std::pair<std::string, std::vector<std::uint32_t>>> airports(by_origin.begin(), by_origin.end());
  std::ranges::sort(airports, std::ranges::greater{},
                    [](const auto& a) { return std::pair(a.second.size(), a.first); });
  for (const auto& [origin, flights] : airports) {
    share& least = *std::ranges::min_element(shares, {}, [](const share& sh) { return sh.departures.size(); });
    least.departures.insert(least.departures.end(), flights.begin(), flights.end());
    const std::uint32_t partition = partition_of(origin, options.partitions);
    insert_once(least.partitions, partition);
    departures_in[partition] += flights.size();
  }
  for (share& sh : shares) std::ranges::sort(sh.departures);
}

std::vector<std::uint32_t> workload::partitions_of_consumer(std::uint32_t consumer) const {
  std::vector<std::uint32_t> mine;
  for (std::uint32_t p = consumer; p < options.partitions; p += options.consumers) mine.push_back(p);
  return mine;
}

}  // namespace demo
