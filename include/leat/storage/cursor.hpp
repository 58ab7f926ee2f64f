// A cursor: a reader's place in one partition.
//
// It pins the segment that it reads, so what it has returned stays as it is until release(), however far retention has
// moved on; and it reads a pinned segment to its end even when that was retired meanwhile.
//
// Threads    one at a time.
// Processes  any number of cursors; needs no write permission.
// Cost       fetch: a load, a check and a store for each record. System calls only where a segment ends, and for a seek.
#pragma once

#include <leat/format/record.hpp>
#include <leat/os/processor.hpp>
#include <leat/result.hpp>
#include <leat/storage/partition.hpp>

#include <cstdint>
#include <exception>
#include <span>
#include <utility>
#include <vector>

namespace leat::storage {

/// Records that lie one behind the other in one segment.
struct run {
  const std::byte* bytes = nullptr;  // of the segment's file
  std::uint64_t first_offset = 0;
  std::span<const format::slot_word> slots;  // checked: each record lies within the segment's data area
};

/// Offset of the next record of `p`: one more than the last. Cost: a pin, and a search in the last segment's slots.
inline std::uint64_t end_offset(partition& p) {
  for (;;) {
    const std::uint64_t begun = p.segments().begun;
    if (begun == 0) return 0;
    pinned_segment last;
    if (p.open(begun - 1, os::access::read_only, last) != partition::opened::pinned) {
      if (p.start_sequence().observe() <= begun - 1) {
        p.topic().throw_damaged(p.name(begun - 1), "the last segment is missing");
      }
      continue;  // rolled and retired meanwhile
    }
    return p.base_of(last) + last->slots().first_without_record(0);
  }
}

class cursor {
 public:
  explicit cursor(partition& p) : partition_(p) {}

  /// The next offset to read.
  std::uint64_t position() const noexcept { return position_; }

  /// Takes effect with the next fetch. What was returned before stays as it is.
  void seek(std::uint64_t offset) noexcept {
    position_ = offset;
    located_ = false;
  }

  /// Up to `into.size()` records from position() on, all from one segment, whose slots are copied to `into`: `found`, without
  /// records when there are none yet. out_of_range: position() lies below the log start or beyond the end. corrupt: defect()
  /// says what. (A result would be copied on its way out, which costs more than the look.)
  [[gnu::always_inline]] errc fetch(std::span<format::slot_word> into, run& found) {
    found.slots = {};
    if (!located_) [[unlikely]] {
      if (const errc failure = locate(); failure != errc::ok) return failure;
      if (!segment_) return errc::ok;
    }
    if (position_ < partition_.deleted().observe()) [[unlikely]] {
      keep_lent();
      return errc::out_of_range;
    }
    for (;;) {
      const std::size_t count = copy_slots(into);
      if (count != 0) [[likely]] {
        found.bytes = segment_->bytes();
        found.first_offset = position_;
        found.slots = into.first(count);
        index_ += count;
        position_ += count;
        lent_ = true;
        const format::slot_word last = into[count - 1];
        expected_ = found.bytes + format::slot_position(last) + format::record_bytes(last);
        return errc::ok;
      }
      if (is_damaged()) return errc::corrupt;
      if (!slots_.ends_at(index_)) return ends_too_early() ? errc::corrupt : errc::ok;
      const result<step> taken = next_segment();
      if (!taken) return taken.error();
      if (*taken == step::stayed) return errc::ok;
    }
  }

  /// There may be something to fetch: looks without taking. For W3, after the doorbell was armed.
  bool ready() const noexcept {
    if (!located_ || !segment_) return partition_.begun().observe_in_order() != 0;
    if (index_ < slots_.size()) {
      const format::slot_word next = slots_.observe_in_order(index_);
      if (next != format::slot_sealed) return next != format::slot_free;
    }
    return partition_.begun().observe_in_order() > segment_.sequence() + 1;
  }

  /// Whether so many records are there, or the segment ends before: looks at one slot, which is not the next.
  bool has_at_hand(std::uint64_t records) const noexcept {
    const std::uint64_t last = index_ + records - 1;
    return !located_ || last >= slots_.size() || slots_.observe(last) != format::slot_free;
  }

  /// Whether there is something to fetch, for a reader that spins. The lines in which the next record will lie, if it is its
  /// producer's next, are fetched at once: so they come together with the record's slot, not behind it.
  bool glimpse() const noexcept {
    if (!located_ || !segment_) return partition_.begun().observe() != 0;
    const format::slot_word next = index_ < slots_.size() ? slots_.observe(index_) : format::slot_sealed;
    if (next == format::slot_sealed) return partition_.begun().observe() > segment_.sequence() + 1;
    os::prefetch(expected_);
    os::prefetch(expected_ + os::cache_line);
    if (next == format::slot_free) return false;
    const std::byte* const record = segment_->bytes() + format::slot_position(next);
    os::prefetch(record);
    os::prefetch(record + os::cache_line);
    return true;
  }

  /// Ends the life of all runs returned before.
  void release() noexcept {
    lent_ = false;
    if (!kept_.empty()) [[unlikely]]
      kept_.clear();
  }

  /// Where and what the damage is, after errc::corrupt.
  std::string defect() const {
    return "slot " + std::to_string(index_) + " (offset " + std::to_string(position_) + ") " + defect_;
  }
  std::string file_path() const {
    return partition_.topic().directory->path(partition_.name(segment_ ? segment_.sequence() : 0));
  }

  storage::partition& of() const noexcept { return partition_; }

 private:
  /// Copies the words of the records at hand; each is checked on its way, so that nobody needs to believe it later.
  [[gnu::always_inline]] std::size_t copy_slots(std::span<format::slot_word> into) noexcept {
    // Locals: for all that the compiler knows, `into` might overlap this cursor.
    const sync::slot_array slots = slots_;
    const std::uint64_t begin = data_begin_, end = data_end_, index = index_;
    const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), slots.size() - index));
    for (std::size_t count = 0; count < most; ++count) {
      const format::slot_word word = slots.observe(index + count);
      if (!format::is_sound(word, begin, end)) return count;
      into[count] = word;
    }
    return most;
  }

  /// Nothing is at hand: because of what the next slot holds?
  bool is_damaged() noexcept {
    if (index_ >= slots_.size()) return false;
    const format::slot_word next = slots_.observe(index_);
    if (next == format::slot_free || next == format::slot_sealed) return false;
    if (format::is_sound(next, data_begin_, data_end_)) return false;  // it came just now
    defect_ = "does not describe a record within the segment";
    return true;
  }

  /// Nothing is at hand. Where another segment has begun behind this one, it was ended first: a slot that is free still is damage.
  bool ends_too_early() noexcept {
    if (partition_.begun().observe() <= segment_.sequence() + 1) [[likely]]
      return false;
    if (slots_.observe(index_) != format::slot_free) return false;
    defect_ = "is free, but another segment follows this one";
    return true;
  }

  /// Finds and pins the segment that holds position(), by bisection over the segments' base offsets. No segment at all, or
  /// position() at the end of the last: segment_ is that, or none.
  [[gnu::noinline]] errc locate() {
    keep_lent();
    for (;;) {
      const std::uint64_t begun = partition_.segments().begun;
      if (position_ < partition_.start_offset().observe()) return errc::out_of_range;
      if (begun == 0) return position_ == 0 ? errc::ok : errc::out_of_range;
      pinned_segment found;
      const lookup outcome = look_up(begun, found);
      if (outcome == lookup::moved) continue;
      if (outcome == lookup::below) return not_in_the_log(partition_.start_sequence().observe());
      const std::uint64_t index = position_ - found->base_offset().observe();
      if (index > found->slots().first_without_record(0)) {
        return found.sequence() + 1 == begun ? errc::out_of_range : not_in_the_log(found.sequence());
      }
      adopt(std::move(found), index);
      return errc::ok;
    }
  }

  /// No segment holds position(): retention has passed it meanwhile, or the base offset of segment `sequence` is damaged, or
  /// that of the one behind it.
  errc not_in_the_log(std::uint64_t sequence) const {
    const std::uint64_t start = partition_.start_offset().observe();
    if (position_ < start) return errc::out_of_range;
    partition_.topic().throw_damaged(partition_.name(sequence),
                                     "offset " + std::to_string(position_) +
                                         " is in no segment, expected it in this one: the log starts at " +
                                         std::to_string(start));
  }

  enum class lookup { found, below, moved };

  lookup look_up(std::uint64_t begun, pinned_segment& found) {
    try {
      return bisect(begun, found);
    } catch (const error&) {
      if (partition_.topic().closed.is_set()) throw;
      return walk(begun, found);
    }
  }

  /// One segment after the other, where bisection has met a damaged one. Throws if position() lies in such a one.
  lookup walk(std::uint64_t begun, pinned_segment& found) {
    found = pinned_segment();
    std::exception_ptr damage;  // behind `found`
    std::uint64_t next = partition_.start_sequence().observe();
    std::vector<std::uint64_t> sequences = partition_.named_segments(next, begun);
    sequences.push_back(begun);  // which shows whether the last is missing
    for (const std::uint64_t sequence : sequences) {
      if (sequence != next) {
        if (partition_.start_sequence().observe() > next) return lookup::moved;
        damage = std::make_exception_ptr(error(errc::corrupt, partition_.topic().directory->path(partition_.name(next)),
                                               "a segment in the middle of the log is missing"));
      }
      next = sequence + 1;
      if (sequence == begun) break;
      pinned_segment candidate;
      try {
        switch (partition_.open(sequence, os::access::read_only, candidate)) {
          case partition::opened::pinned: break;
          case partition::opened::retired: return lookup::moved;
          case partition::opened::absent: next = sequence; continue;
        }
        if (partition_.base_of(candidate) > position_) break;
      } catch (const error&) {
        damage = std::current_exception();
        continue;
      }
      found = std::move(candidate);
      damage = nullptr;
    }
    const bool within = found && position_ - found->base_offset().observe() < found->slots().first_without_record(0);
    if (damage && !within) std::rethrow_exception(damage);
    return found ? lookup::found : lookup::below;
  }

  lookup bisect(std::uint64_t begun, pinned_segment& found) {
    std::uint64_t low = partition_.start_sequence().observe();
    std::uint64_t high = begun;  // the base of `high` is beyond position_, or there is no such segment
    if (low >= high) return lookup::moved;
    // Most look near the end, so the last segment comes first.
    for (std::uint64_t middle = high - 1; low < high; middle = low + (high - low) / 2) {
      pinned_segment candidate;
      switch (partition_.open(middle, os::access::read_only, candidate)) {
        case partition::opened::pinned: break;
        case partition::opened::retired: return lookup::moved;
        case partition::opened::absent:
          if (partition_.start_sequence().observe() > middle) return lookup::moved;
          partition_.topic().throw_damaged(partition_.name(middle), "a segment in the middle of the log is missing");
      }
      if (partition_.base_of(candidate) <= position_) {
        // An empty segment has the base of its successor: of several candidates, the last is the one.
        low = middle + 1;
        found = std::move(candidate);
      } else {
        high = middle;
      }
    }
    return found ? lookup::found : lookup::below;
  }

  enum class step { moved, stayed };

  /// Goes on to the next segment, if that has begun.
  [[gnu::noinline]] result<step> next_segment() {
    const std::uint64_t next = segment_.sequence() + 1;
    if (partition_.begun().observe() <= next) return step::stayed;
    pinned_segment found;
    switch (partition_.open(next, os::access::read_only, found)) {
      case partition::opened::pinned: break;
      case partition::opened::retired: located_ = false; return errc::out_of_range;
      case partition::opened::absent:
        if (partition_.start_sequence().observe() > next) {
          located_ = false;
          return errc::out_of_range;
        }
        partition_.topic().throw_damaged(partition_.name(next), "the next segment is missing");
    }
    if (const std::uint64_t base = partition_.base_of(found); base != position_) {
      partition_.topic().throw_damaged(partition_.name(next), "begins at offset " + std::to_string(base) +
                                                                  ", expected " + std::to_string(position_) +
                                                                  ", where the segment before it ends");
    }
    keep_lent();
    adopt(std::move(found), 0);
    return step::moved;
  }

  void adopt(pinned_segment s, std::uint64_t index) noexcept {
    segment_ = std::move(s);
    slots_ = segment_->slots();
    data_begin_ = segment_->geometry().data_begin();
    data_end_ = segment_->geometry().segment_bytes;
    expected_ = segment_->bytes() + data_begin_;
    index_ = index;
    located_ = true;
  }

  /// The segment is left, but runs of it are still in use.
  void keep_lent() {
    if (lent_ && segment_) kept_.push_back(std::move(segment_));
    segment_ = pinned_segment();
    located_ = false;
  }

  sync::slot_array slots_;
  std::uint64_t index_ = 0;  // of position_ in slots_
  std::uint64_t position_ = 0;
  std::uint64_t data_begin_ = 0;
  std::uint64_t data_end_ = 0;
  const std::byte* expected_ = nullptr;  // where the next record may lie
  bool located_ = false;
  bool lent_ = false;
  const char* defect_ = nullptr;  // of the next slot
  storage::partition& partition_;
  pinned_segment segment_;
  std::vector<pinned_segment> kept_;
};

}  // namespace leat::storage
