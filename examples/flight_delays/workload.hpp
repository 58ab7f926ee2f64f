// Who sends what, in which order. Settled before anybody starts, so that a replacement knows it too.
#pragma once

#include "settings.hpp"
#include "timetable.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace demo {

/// One producer's part: all flights of its airports, in order of departure, again and again.
struct share {
  std::vector<std::uint32_t> departures;                 // places in workload::departures
  std::map<std::uint32_t, std::uint64_t> departures_in;  // by partition where they go

  std::uint64_t round() const noexcept { return departures.size(); }
  std::vector<std::uint32_t> partitions() const;
};

class workload {
 public:
  explicit workload(const settings& s);

  const departure& departure_of(std::uint32_t producer, std::uint64_t sequence) const noexcept {
    const auto& mine = shares[producer].departures;
    return departures[mine[sequence % mine.size()]];
  }

  /// Records a second; 0: as fast as it can.
  double rate_of(std::uint32_t producer) const noexcept {
    return options.rate * static_cast<double>(shares[producer].round()) / static_cast<double>(departures.size());
  }
  std::chrono::nanoseconds duration() const noexcept {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(options.seconds * 1e9));
  }

  settings options;
  std::vector<departure> departures;
  std::vector<share> shares;                       // by producer
  std::map<std::string, std::uint32_t> sender_of;  // by airport

 private:
  void split_among_producers();
};

}  // namespace demo
