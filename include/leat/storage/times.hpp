// Records by time: a segment's largest timestamp, and the first record at or after a time.
//
// Timestamps need not grow, so the largest of a segment takes a look at all of its records: once, when the segment is
// sealed and somebody asks (retention by time, a search). The answer is kept in the segment's header.
#pragma once

#include <leat/format/record.hpp>
#include <leat/storage/cursor.hpp>
#include <leat/storage/partition.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

namespace leat::storage {

inline constexpr std::int64_t no_timestamp = std::numeric_limits<std::int64_t>::min();

/// The timestamp of the record in slot `index`; empty for damage.
inline std::optional<std::int64_t> timestamp_in(const segment& s, std::uint64_t index) noexcept {
  const format::slot_word word = s.slots().observe(index);
  if (!format::is_sound(word, s.geometry().data_begin(), s.geometry().segment_bytes)) return std::nullopt;
  return sync::read_once(*reinterpret_cast<const std::int64_t*>(s.bytes() + format::slot_position(word)));
}

/// The largest timestamp of a pinned segment's records; no_timestamp when it has none.
inline std::int64_t largest_timestamp(const segment& s) noexcept {
  const sync::settled_word kept(s.header().largest_timestamp);
  const std::uint64_t count = s.slots().first_without_record(0);
  const bool sealed = s.slots().ends_at(count);
  if (sealed && kept.observe() != sync::settled_word::unset) return static_cast<std::int64_t>(kept.observe());
  std::int64_t largest = no_timestamp;
  for (std::uint64_t i = 0; i < count; ++i) largest = std::max(largest, timestamp_in(s, i).value_or(no_timestamp));
  if (sealed && s.mode() == os::access::read_write) kept.settle(static_cast<std::uint64_t>(largest));
  return largest;
}

/// The first offset whose record has a timestamp of `time` or later; empty when there is none. (Kafka's offsetsForTimes.)
/// Cost: a look at the header of each segment, and at the records of one or two.
inline std::optional<std::uint64_t> offset_for_time(partition& p, std::int64_t time) {
  const std::uint64_t log_start = p.start_offset().observe();
  const auto [first, begun] = p.segments();
  for (std::uint64_t sequence = first; sequence < begun; ++sequence) {
    pinned_segment s;
    switch (p.open(sequence, p.mode(), s)) {
      case partition::opened::pinned: break;
      case partition::opened::retired: continue;
      case partition::opened::absent:
        if (p.start_sequence().observe() > sequence) continue;
        p.topic().throw_damaged(p.name(sequence), "a segment of the log is missing");
    }
    if (largest_timestamp(*s) < time) continue;
    const std::uint64_t base = p.base_of(s);
    const std::uint64_t count = s->slots().first_without_record(0);
    for (std::uint64_t i = log_start > base ? log_start - base : 0; i < count; ++i) {
      if (timestamp_in(*s, i).value_or(no_timestamp) >= time) return base + i;
    }
  }
  return std::nullopt;
}

}  // namespace leat::storage
