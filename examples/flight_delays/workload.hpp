// Who sends what, in which order, and who counts what. Settled before anybody starts, so that a replacement knows it too.
#pragma once

#include "settings.hpp"
#include "timetable.hpp"

#include <cstdint>
#include <vector>

namespace demo {

/// One producer's part: all flights of its airports, in order of departure, again and again.
struct share {
  std::vector<std::uint32_t> departures;  // places in workload::departures
  std::vector<std::uint32_t> partitions;  // where they go
};

class workload {
 public:
  explicit workload(const settings& s);

  const departure& departure_of(std::uint32_t producer, std::uint64_t sequence) const noexcept {
    const auto& mine = shares[producer].departures;
    return departures[mine[sequence % mine.size()]];
  }

  std::uint64_t records() const noexcept { return departures.size() * rounds; }
  std::uint64_t records_of(std::uint32_t producer) const noexcept {
    return shares[producer].departures.size() * rounds;
  }
  std::uint64_t records_in(std::uint32_t partition) const noexcept { return departures_in[partition] * rounds; }

  /// Records a second.
  double rate_of(std::uint32_t producer) const noexcept {
    return options.rate * static_cast<double>(records_of(producer)) / static_cast<double>(records());
  }
  double seconds() const noexcept { return static_cast<double>(records()) / options.rate; }

  std::vector<std::uint32_t> partitions_of_consumer(std::uint32_t consumer) const;

  settings options;
  std::vector<departure> departures;
  std::uint64_t rounds;                      // how often each flight is sent
  std::vector<share> shares;                 // by producer
  std::vector<std::uint64_t> departures_in;  // by partition

 private:
  void split_among_producers();
};

}  // namespace demo
