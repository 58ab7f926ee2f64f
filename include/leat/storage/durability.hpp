// Durability: records on the device, and who waits for it.
//
// Who wants its records to be durable flushes the partition up to its end, and with that everybody else's records up to
// there: so of those who wait at the same time one calls the device, and the others wait for the mark `durable`. The right to
// do it is a byte lock, which dies with its holder; from a holder that is stopped, the others turn away after a while and
// call the device themselves, which is of no harm.
//
// Crash      a death leaves the mark where it was: what lies above it is checked when the topic is recovered.
// Errors     what the device refuses is an exception, for each of those who wait. The kernel takes refused pages for written;
//            so the next flush makes them dirty again, and what was refused once is not taken for durable.
// Cost       the device's.
#pragma once

#include <leat/storage/cursor.hpp>
#include <leat/storage/partition.hpp>
#include <leat/sync/doorbell.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace leat::storage {

/// Whether a record of a durable topic, full and sound, is what its sender made.
inline bool has_its_checksum(const partition& p, const segment& s, format::slot_word word) {
  const std::uint64_t position = format::slot_position(word);
  const std::span record(s.bytes() + position, format::record_bytes(word));
  const auto& stored = *reinterpret_cast<const format::full_prefix*>(record.data());
  return sync::read_once(stored.checksum) ==
         format::record_checksum(p.place(s.header().identity.sequence, position), record);
}

namespace durability_detail {

struct unflushed {
  std::vector<pinned_segment> segments;  // the newest first
  bool retired = false;                  // the oldest went meanwhile
};

/// The segments that hold records from `from` on; and the one before, whose seal may be new.
inline unflushed segments_from(partition& p, std::uint64_t from) {
  unflushed found;
  const auto [start, begun] = p.segments();
  for (std::uint64_t sequence = begun; sequence > start; --sequence) {
    pinned_segment s;
    const partition::opened outcome = p.open(sequence - 1, os::access::read_write, s);
    if (outcome == partition::opened::absent) {
      p.topic().throw_damaged(p.name(sequence - 1), "a segment to be flushed is missing");
    }
    if (outcome == partition::opened::retired) {
      found.retired = true;
      break;
    }
    const std::uint64_t base = p.base_of(s);
    found.segments.push_back(std::move(s));
    if (base < from) break;
  }
  return found;
}

}  // namespace durability_detail

/// Everything that is in the partition now is on the device when this returns. Throws what the device said.
inline void flush(partition& p) {
  const os::directory& directory = *p.topic().directory;
  const std::uint64_t from = p.durable().observe();
  durability_detail::unflushed found;
  do found = durability_detail::segments_from(p, from);
  while (found.segments.empty() && found.retired);  // others have rolled, and retention has followed them
  const auto& [segments, retired] = found;
  if (segments.empty()) return;
  const std::uint64_t end =
      segments.front()->base_offset().observe() + segments.front()->slots().first_without_record(0);
  // What the device refused is told to the first who looks, of all threads that share the segments' mappings: the others
  // would take theirs for written. (Of other processes each is told.)
  const std::lock_guard one_at_a_time(p.device());
  // Before the device is asked: whoever dies with its refusal leaves the alarm to the next.
  const sync::alarm::raised alarm = p.flush_alarm().raise();
  try {
    bool has_new_names = false;
    for (auto s = segments.rbegin(); s != segments.rend(); ++s) {
      if (alarm.again) (*s)->dirty_again();
      (*s)->flush(directory.path(p.name(s->sequence())));
      has_new_names = has_new_names || (*s)->base_offset().observe() >= from;
    }
    if (has_new_names) directory.sync();
    if (retired) p.topic().flush_words();  // so that nobody looks for what was not flushed
  } catch (const error&) {
    (void)p.flush_alarm().raise();  // another's flush may have lowered it meanwhile
    throw;
  }
  p.flush_alarm().lower(alarm.value);
  sync::counter(p.counters().flushes).add(1);
  p.durable().raise(end);
}

/// All records below `offset` are on the device when this returns ok, by this or another's flush. closed: the topic was
/// deleted. Throws what the device said.
[[nodiscard]] inline errc make_durable(partition& p, std::uint64_t offset) {
  constexpr std::chrono::milliseconds nap{2};         // a holder that died rings for nobody
  constexpr std::chrono::milliseconds patience{100};  // with one that is stopped
  const auto start = std::chrono::steady_clock::now();
  while (p.durable().observe() < offset) {
    const std::uint32_t noted = p.flush_bell().note();
    if (p.topic().closed.is_set()) return errc::closed;
    const auto now = std::chrono::steady_clock::now();
    const bool is_mine = p.topic().pins.try_own(flush_byte(p.id())) == pins::refusal::none;
    if (is_mine || now - start >= patience) {
      {
        pins::ownership right;
        if (is_mine) right = pins::ownership(p.topic().pins, flush_byte(p.id()));
        try {
          if (p.durable().observe() < offset) flush(p);
        } catch (const error&) {
          if (p.topic().closed.is_set()) return errc::closed;  // so its files are gone
          throw;
        }
      }
      p.flush_bell().ring(~std::uint32_t{0});  // with the right given back
      if (p.durable().observe() < offset) {
        if (p.topic().closed.is_set()) return errc::closed;
        throw error(errc::corrupt, p.topic().directory->path("topic"),
                    "partition " + std::to_string(p.id()) + " ends at offset " + std::to_string(end_offset(p)) +
                        ", expected " + std::to_string(offset) + " at least, since the record before it was appended");
      }
    } else {
      p.flush_bell().wait(noted, ~std::uint32_t{0}, now + nap);
    }
  }
  return errc::ok;
}

}  // namespace leat::storage
