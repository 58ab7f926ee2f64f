// The topic of flights, and the figures that its group keeps. Every process opens the topic by itself.
#pragma once

#include "settings.hpp"
#include "timetable.hpp"

#include <leat/leat.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace demo {

/// A flight. The key is its airport of origin.
struct flight {
  std::uint64_t sequence;  // 0, 1, 2, ... by producer: a replacement finds out how far the dead one came
  std::uint32_t producer;
  std::int32_t delay_minutes;
  std::int64_t departure_ms;
  std::uint32_t distance_miles;
  std::array<char, 4> destination;
};

/// What is known of a partition up to some offset. Committed as that offset's metadata: a consumer that is killed leaves
/// both or neither.
struct partition_figures {
  std::vector<std::uint64_t> next_sequence;  // by producer: the lowest that may come next
  std::vector<std::pair<std::string, delays>> airports;

  void count(std::string_view origin, const flight& f) {
    if (next_sequence.size() <= f.producer) next_sequence.resize(f.producer + 1);
    std::uint64_t& expected = next_sequence[f.producer];
    if (f.sequence < expected) {
      throw std::runtime_error("record " + std::to_string(f.sequence) + " of producer " + std::to_string(f.producer) +
                               " came twice, or out of order");
    }
    expected = f.sequence + 1;
    of(origin).add(f.delay_minutes);
  }

  std::uint64_t next_of(std::uint32_t producer) const {
    return producer < next_sequence.size() ? next_sequence[producer] : 0;
  }

  /// "2 1234 5678 ATL 100 2000 3 DFW ...": some 30 bytes for each airport, so with four partitions or more it is below the
  /// 4096 bytes that metadata may have.
  std::string text() const {
    std::ostringstream out;
    out << next_sequence.size();
    for (const std::uint64_t next : next_sequence) out << ' ' << next;
    for (const auto& [airport, d] : airports) {
      out << ' ' << airport << ' ' << d.flights << ' ' << d.total_minutes << ' ' << d.over_an_hour;
    }
    return out.str();
  }
  static partition_figures from(const std::string& text) {
    partition_figures f;
    std::istringstream in(text);
    std::size_t producers = 0;
    in >> producers;
    f.next_sequence.resize(std::min<std::size_t>(producers, most_producers));
    for (std::uint64_t& next : f.next_sequence) in >> next;
    std::string airport;
    delays d;
    while (in >> airport >> d.flights >> d.total_minutes >> d.over_an_hour) f.airports.emplace_back(airport, d);
    return f;
  }

 private:
  /// Some thirty airports, the busy ones first: looking through them is as fast as anything.
  delays& of(std::string_view origin) {
    const auto found = std::ranges::find(airports, origin, [](const auto& a) -> std::string_view { return a.first; });
    return found != airports.end() ? found->second : airports.emplace_back(origin, delays{}).second;
  }
};

/// The consumers' group, which shares the flights.
inline const std::string group_name = "delays";

/// Small segments, so that each is recycled many times in ten seconds. What the group has not counted stays: where that is
/// more than `memory`, the producers wait.
inline leat::topic<flight> open_flights(const leat::store& store, const settings& s) {
  return store.topic<flight>("flights", {.partitions = s.partitions,
                                         .segment_bytes = 512 << 10,
                                         .retention = {.bytes = s.memory / s.partitions, .wait_for_groups = true},
                                         .expected_record_bytes = 64});
}

}  // namespace demo
