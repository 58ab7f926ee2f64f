// The flights, and what is known about them beforehand.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace demo {

struct departure {
  std::string origin;
  std::array<char, 4> destination;
  std::int64_t departure_ms;  // since 1970, UTC
  std::uint32_t distance_miles;
  std::int32_t delay_minutes;
};

/// What is counted for each airport.
struct delays {
  std::uint64_t flights = 0;
  std::int64_t total_minutes = 0;
  std::uint64_t over_an_hour = 0;

  void add(std::int32_t minutes) noexcept {
    ++flights;
    total_minutes += minutes;
    if (minutes > 60) ++over_an_hour;
  }
  delays times(std::uint64_t rounds) const noexcept {
    return {flights * rounds, total_minutes * static_cast<std::int64_t>(rounds), over_an_hour * rounds};
  }
  bool operator==(const delays&) const = default;
};

using delays_by_airport = std::map<std::string, delays>;

/// flights.csv, in its order. Throws std::runtime_error.
std::vector<departure> read_departures(const std::string& directory);

/// flights_by_origin.expected.csv.
delays_by_airport read_expected(const std::string& directory);

}  // namespace demo
