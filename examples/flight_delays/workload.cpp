#include "workload.hpp"

#include <leat/partitioner.hpp>

#include <algorithm>
#include <map>
#include <span>
#include <stdexcept>
#include <utility>

namespace demo {
namespace {

std::uint32_t partition_of(const std::string& origin, std::uint32_t partitions) {
  return leat::partition_of_key(std::as_bytes(std::span(origin)), partitions);
}

}  // namespace

std::vector<std::uint32_t> share::partitions() const {
  std::vector<std::uint32_t> all;
  for (const auto& [partition, count] : departures_in) all.push_back(partition);
  return all;
}

workload::workload(const settings& s) : options(s), departures(read_departures(s.data)), shares(s.producers) {
  if (departures.empty()) throw std::runtime_error("flights.csv has no flights");
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
    const auto least = std::ranges::min_element(shares, {}, &share::round);
    least->departures.insert(least->departures.end(), flights.begin(), flights.end());
    least->departures_in[partition_of(origin, options.partitions)] += flights.size();
    sender_of[origin] = static_cast<std::uint32_t>(least - shares.begin());
  }
  for (share& sh : shares) std::ranges::sort(sh.departures);
}

}  // namespace demo
