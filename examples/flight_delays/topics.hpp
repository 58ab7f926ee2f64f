// The two topics: flights, and the figures that consumers keep. Every process opens them by itself; the first makes them.
#pragma once

#include "settings.hpp"
#include "timetable.hpp"

#include <leat/leat.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include <string.h>

namespace demo {

/// A flight. The key is its airport of origin.
struct flight {
  std::uint64_t sequence;  // 0, 1, 2, ... by producer: a replacement finds in the log how far the dead one came
  std::uint32_t producer;
  std::int32_t delay_minutes;
  std::int64_t departure_ms;
  std::uint32_t distance_miles;
  std::array<char, 4> destination;
};

/// The figures of one partition's airports together with the position up to which they count: one record, so that a
/// consumer that is killed leaves either both or neither.
struct partition_figures {
  static constexpr std::size_t most_airports = 256;

  struct entry {
    std::array<char, 8> airport;
    delays counted;

    std::string_view name() const noexcept { return {airport.data(), ::strnlen(airport.data(), airport.size())}; }
  };

  std::uint64_t next_offset = 0;
  std::array<std::uint64_t, most_producers> next_sequence{};  // by producer: the lowest that may come next
  std::uint64_t airports = 0;
  std::array<entry, most_airports> entries{};

  void count(std::string_view origin, const flight& f) {
    std::uint64_t& expected = next_sequence.at(f.producer);
    if (f.sequence < expected) {
      throw std::runtime_error("record " + std::to_string(f.sequence) + " of producer " + std::to_string(f.producer) +
                               " came twice, or out of order");
    }
    expected = f.sequence + 1;
    of(origin).add(f.delay_minutes);
  }

  std::span<const entry> all() const { return std::span(entries).first(airports); }

 private:
  /// Some thirty airports, the busy ones first: looking through them is as fast as anything.
  delays& of(std::string_view origin) {
    const auto end = entries.begin() + static_cast<std::ptrdiff_t>(airports);
    auto found = std::find_if(entries.begin(), end, [&](const entry& e) { return e.name() == origin; });
    if (found == end) {
      if (airports == most_airports || origin.size() > found->airport.size()) {
        throw std::runtime_error("no place for airport " + std::string(origin));
      }
      ++airports;
      origin.copy(found->airport.data(), found->airport.size());
    }
    return found->counted;
  }
};

/// Small segments, so that each is recycled many times in ten seconds.
inline leat::topic<flight> open_flights(const leat::store& store, const settings& s) {
  return store.topic<flight>("flights", {.partitions = s.partitions,
                                         .segment_bytes = 512 << 10,
                                         .retention = {.bytes = s.memory / s.partitions},
                                         .expected_record_bytes = 64});
}

/// A partition for each partition of the flights; only the last record matters.
inline leat::topic<partition_figures> open_figures(const leat::store& store, const settings& s) {
  return store.topic<partition_figures>(
      "figures", {.partitions = s.partitions, .segment_bytes = 128 << 10, .retention = {.bytes = 256 << 10}});
}

/// What was saved last for a partition; nothing counted when nothing was.
inline partition_figures last_figures(const leat::topic<partition_figures>& figures, std::uint32_t partition) {
  const std::uint64_t end = figures.end_offset(partition);
  if (end == 0) return {};
  leat::consumer last{figures, {.partitions = {{partition}}, .auto_offset_reset = leat::offset_reset::none}};
  last.seek({partition, end - 1});
  for (const auto& record : last.poll()) return record.value();
  throw std::runtime_error("the last figures of partition " + std::to_string(partition) + " are gone");
}

}  // namespace demo
