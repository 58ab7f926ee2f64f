// Retention: which segments may go. Step R1 of docs/protocol.md.
//
// Whole segments go, from the front, never the one that is written: by bytes (Kafka's retention.bytes: the oldest goes
// while the others hold at least that much) and by time (retention.ms: its largest timestamp is older), and where the topic
// says so not before every group has committed what is in them. Nobody is needed for it: producers do it when they prepare
// a segment, or whoever calls it.
//
// Crash      each step raises a word that only grows.
#pragma once

#include <leat/os/clock.hpp>
#include <leat/storage/times.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace leat::storage {

namespace retention_detail {

inline bool expired(partition& p, const segment& s) {
  const std::uint64_t limit = p.topic().retention_nanoseconds();
  if (limit == unlimited) return false;
  const std::int64_t largest = largest_timestamp(s);
  const std::int64_t now = os::realtime();
  if (largest >= now) return false;
  return static_cast<std::uint64_t>(now) - static_cast<std::uint64_t>(largest) > limit;
}

inline std::string cause(partition& p, const group_registry::hold& holder, std::uint64_t segment_end) {
  return "partition " + std::to_string(p.id()) + " holds what retention allows, and group \"" + holder.group +
         "\" is at offset " + std::to_string(holder.offset) + ", not yet behind the oldest segment, which ends at " +
         std::to_string(segment_end);
}

}  // namespace retention_detail

/// Retires what may go. Where there is more than retention.bytes and a group stands in the way: says so.
inline std::optional<std::string> retire_expired(partition& p) {
  for (;;) {
    const auto [start, begun] = p.segments();
    if (begun == 0 || begun - 1 <= start) return std::nullopt;
    const bool by_bytes = begun - 1 - start >= p.topic().segments_to_keep();
    if (!by_bytes && p.topic().retention_nanoseconds() == unlimited) return std::nullopt;

    pinned_segment next;
    if (p.open(start + 1, os::access::read_write, next) != partition::opened::pinned) {
      if (p.start_sequence().observe() != start) continue;  // another retired further
      return std::nullopt;                                  // damaged: keep what there is
    }
    if (!next->has_base()) return std::nullopt;  // damaged likewise: it has begun
    const std::uint64_t next_base = next->base_offset().observe();
    if (!by_bytes) {
      pinned_segment oldest;
      if (p.open(start, os::access::read_write, oldest) != partition::opened::pinned) {
        if (p.start_sequence().observe() != start) continue;
        return std::nullopt;
      }
      if (!retention_detail::expired(p, *oldest)) return std::nullopt;
    }
    if (p.topic().waits_for_groups()) {
      const auto holder = p.topic().groups.slowest(p.id(), p.topic().revision().observe());
      if (holder && holder->offset < next_base) {
        return by_bytes ? std::optional(retention_detail::cause(p, *holder, next_base)) : std::nullopt;
      }
    }
    p.start_offset().raise(next_base);
    p.start_sequence().raise(start + 1);
  }
}

/// Whether all records of the segment that is written are older than retention.time, and there are any.
inline bool all_expired(partition& p) {
  const std::uint64_t begun = p.segments().begun;
  if (begun == 0 || p.topic().retention_nanoseconds() == unlimited) return false;
  pinned_segment last;
  if (p.open(begun - 1, os::access::read_write, last) != partition::opened::pinned) return false;
  return last->slots().first_without_record(0) != 0 && retention_detail::expired(p, *last);
}

/// Removes the files of retired segments that nobody has in use and no producer has taken as a spare yet: what a topic
/// without producers would keep. How many.
inline std::size_t reclaim(partition& p) {
  std::size_t removed = 0;
  const std::vector<std::uint64_t> names = p.retired_names();
  if (!names.empty() && p.topic().is_durable()) p.topic().flush_words();  // that they are retired, before they are gone
  for (const std::uint64_t r : names) {
    if (p.topic().pins.try_own(p.lock(r)) != pins::refusal::none) continue;
    const pins::ownership right(p.topic().pins, p.lock(r));
    const std::string name = p.name(r);
    if (const auto file = p.map_if_segment(name)) file->abandoned().set();
    removed += p.topic().directory->remove(name) ? 1 : 0;
    p.name_is_gone(r);
  }
  return removed;
}

/// Raises the log start to `before`, at most to the end, and retires the segments that lie below it. The new log start.
/// (Kafka's DeleteRecords.)
inline std::uint64_t delete_records(partition& p, std::uint64_t before) {
  before = std::min(before, end_offset(p));
  p.start_offset().raise(before);
  p.deleted().raise(before);
  for (;;) {
    const auto [start, begun] = p.segments();
    if (begun == 0 || begun - 1 <= start) break;
    pinned_segment next;
    if (p.open(start + 1, os::access::read_write, next) != partition::opened::pinned) {
      if (p.start_sequence().observe() != start) continue;
      break;
    }
    if (p.base_of(next) > before) break;
    p.start_sequence().raise(start + 1);
  }
  if (p.topic().is_durable()) p.topic().flush_words();
  p.topic().bell.ring(p.wake_mask());  // sleepers below it have lost their place
  return p.start_offset().observe();
}

}  // namespace leat::storage
