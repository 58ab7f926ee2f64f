// An appender: one producer's way into one partition.
//
// Steps A1 to A4 and S1 to S6 of docs/protocol.md: take room, let the caller fill it, publish it; seal and roll when the
// segment is full.
//
// Threads    one at a time.
// Processes  any number of appenders for a partition; one where it has a single writer.
// Crash      room that was taken and not published is lost until its segment is recycled; nothing else is left.
// Cost       take: a few additions, a locked addition for each chunk. publish: one compare-exchange, or one store where
//            there is a single writer. System calls while the next segment is prepared, opened and pinned ahead; none at a roll
//            unless it comes before that.
#pragma once

#include <leat/format/record.hpp>
#include <leat/options.hpp>
#include <leat/os/clock.hpp>
#include <leat/os/fork.hpp>
#include <leat/os/processor.hpp>
#include <leat/result.hpp>
#include <leat/storage/durability.hpp>
#include <leat/storage/partition.hpp>
#include <leat/storage/preparation.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace leat::storage {

/// Room for a record that nobody else can see, to be published later.
struct room {
  std::byte* bytes = nullptr;
  std::uint64_t position = 0;  // in the segment's file
  std::uint64_t size = 0;
  std::uint64_t sequence = 0;  // of the segment
};

class appender {
 public:
  /// `waits_for_device`: acknowledge() does, where the topic's durability is that of every record.
  explicit appender(partition& p, std::chrono::nanoseconds max_block = std::chrono::nanoseconds::zero(),
                    bool waits_for_device = true)
      : doorbell_(p.doorbell()),
        partition_(p),
        max_block_(max_block),
        bell_(p.topic().bell),
        wake_mask_(p.wake_mask()),
        closed_(p.topic().closed),
        takes_append_time_(p.topic().header.timestamps == static_cast<std::uint32_t>(timestamp_type::log_append_time)),
        is_durable_(p.topic().is_durable()),
        waits_for_device_(waits_for_device && p.topic().durability() == durability::every),
        geometry_(p.topic().geometry),
        max_chunk_(std::clamp<std::uint64_t>(geometry_.data_bytes() / 16, 64, max_chunk_bytes)) {
    // Without the kernel's global barrier, a compare-exchange is the barrier that a plain store is not. (doorbell.hpp)
    alone_ = is_single_writer() && os::join_global_barrier();
  }

  ~appender() {
    if (os::fork_generation() != generation_) return;
    count();
    try {
      (void)flush();
    } catch (const error&) {
      // Who must know has called flush().
    }
  }
  appender(const appender&) = delete;
  appender& operator=(const appender&) = delete;

  /// A1. Room for `size` bytes (a multiple of 8), whose byte at `prefix` lies at a multiple of `alignment` in the file.
  /// Null: failure() says why (full, closed, not_the_writer); throws leat::error for what is rarer.
  [[gnu::always_inline]] std::byte* take(std::uint64_t size, std::uint64_t prefix, std::uint64_t alignment) {
    const std::uint64_t begin = place(prefix, alignment);
    if (begin + size > chunk_end_) [[unlikely]]
      return take_from_new_chunk(size, prefix, alignment);
    chunk_begin_ = begin + size;
    slots_.prefetch_for_write(next_slot_);  // a reader that spins on it has its line
    os::prefetch_for_write(bytes_ + begin + size + prefetched_bytes);
    return bytes_ + begin;
  }

  /// Whether take() would find room in the chunk at hand: then it stays in the segment, and rooms taken before stay good.
  bool has_room(std::uint64_t size, std::uint64_t prefix, std::uint64_t alignment) const noexcept {
    return place(prefix, alignment) + size <= chunk_end_;
  }
  errc failure() const noexcept { return failure_; }

  /// The slot word of a record in this segment's room `at`.
  [[gnu::always_inline]] format::slot_word slot_of(const std::byte* at, format::record_kind kind,
                                                   std::uint64_t extent) const noexcept {
    return format::make_slot(kind, static_cast<std::uint64_t>(at - bytes_), extent);
  }

  /// What stood in the way at the last back_pressure.
  const std::string& cause() const noexcept { return cause_; }

  bool takes_append_time() const noexcept { return takes_append_time_; }

  /// forked or closed: nothing can be published.
  [[gnu::always_inline]] errc barred() const noexcept {
    if (os::fork_generation() != generation_) [[unlikely]]
      return errc::forked;
    return closed_.is_set() ? errc::closed : errc::ok;
  }

  /// Gives back the room taken last, which will not be published.
  void give_back(std::byte* at, std::uint64_t size) noexcept { give_back(room_at(at, size)); }

  /// A3: makes a filled room of this segment a record, and gives its offset. `extent` is that of the slot word.
  /// A4 is left to the caller, who rings once behind the last record of a batch.
  [[gnu::always_inline]] result<std::uint64_t> publish(std::byte* at, std::uint64_t size, format::record_kind kind,
                                                       std::uint64_t extent) {
    if (kind == format::record_kind::full && is_durable_) [[unlikely]]
      sign(at, extent);
    const std::uint64_t slot = claim_slot(slot_of(at, kind, extent));
    if (slot == none) [[unlikely]]
      return publish_further_on(room_at(at, size), kind, extent);
    return base_offset_ + slot;
  }

  /// The same for several rooms of one segment, whose slot words are given, one after the other; calls `published(offset)`
  /// for each. Stops at the first that fails. `kept`: room of that segment that is lent still, so that it is there whatever
  /// the appender did since.
  template <class Published>
  [[gnu::always_inline]] errc publish(const room& kept, std::span<const format::slot_word> words,
                                      const Published& published) {
    if (!is_here(kept)) [[unlikely]]
      return publish_further_on(kept, words, published);
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::uint64_t slot = claim_slot(words[i]);
      if (slot == none) [[unlikely]]
        return publish_further_on(kept, words.subspan(i), published);
      published(base_offset_ + slot);
    }
    return errc::ok;
  }

  /// Whether the room lies in the segment that is written now.
  bool is_here(const room& r) const noexcept { return r.sequence == sequence_; }

  /// The same for room that was lent.
  [[gnu::always_inline]] result<std::uint64_t> publish(const room& r, format::record_kind kind, std::uint64_t extent) {
    return r.sequence == sequence_ ? publish(r.bytes, r.size, kind, extent) : publish_further_on(r, kind, extent);
  }

  /// As publish(), but only at `expected`: mismatched when the partition ends elsewhere.
  result<std::uint64_t> publish_at(std::uint64_t expected, std::byte* at, std::uint64_t size, format::record_kind kind,
                                   std::uint64_t extent) {
    room r = room_at(at, size);
    for (;;) {
      if (expected < base_offset_) break;
      const std::uint64_t slot = expected - base_offset_;
      next_slot_ = slots_.first_without_record(next_slot_);
      if (slot < next_slot_) break;
      if (!slots_.ends_at(next_slot_)) {
        if (slot > next_slot_) break;
        if (is_durable_) sign(r.bytes, extent);  // only now: room that bears a signature is not used again
        const format::slot_word word = format::make_slot(kind, r.position, extent);
        if (alone_) {  // so the free slot that was seen is free still
          slots_.publish_alone(next_slot_++, word);
          return expected;
        }
        const format::slot_word seen = slots_.try_publish(slot, word);
        if (seen == format::slot_free) {
          ++next_slot_;
          return expected;
        }
        if (seen != format::slot_sealed) break;
      }
      if (const errc failure = carry_on(r); failure != errc::ok) {
        give_back(r);
        return failure;
      }
    }
    give_back(r);
    return errc::mismatched;
  }

  /// Behind the ring, for the record at `offset`: when this returns ok, the topic's durability holds for it. closed: the topic
  /// was deleted meanwhile. Throws what the device said; the record is in the log then, but perhaps not on the device.
  [[gnu::always_inline]] errc acknowledge(std::uint64_t offset) {
    if (is_durable_) [[unlikely]]
      return acknowledge_durable(offset);
    return errc::ok;
  }

  /// The record at `offset` was appended, and is acknowledged with a later one, or by acknowledge_last().
  [[gnu::always_inline]] void appended(std::uint64_t offset) noexcept {
    if (is_durable_) [[unlikely]]
      unflushed_end_ = offset + 1;
  }
  errc acknowledge_last() {
    return is_durable_ && unflushed_end_ != 0 ? acknowledge_durable(unflushed_end_ - 1) : errc::ok;
  }

  /// What was appended here is on the device when this returns ok, in a durable topic. closed; throws likewise.
  errc flush() { return is_durable_ && unflushed_end_ != 0 ? make_durable(partition_, unflushed_end_) : errc::ok; }

  /// A4.
  [[gnu::always_inline]] void ring() noexcept {
    if (const std::uint32_t seen = doorbell_.look(); sync::doorbell::is_armed(seen)) [[unlikely]]
      wake(seen);
  }

  /// Seals the segment that is written, whoever writes it, and begins the next. Values: as take().
  errc end_segment() {
    try {
      if (sequence_ == no_segment) {
        if (const errc failure = join(); failure != errc::ok) return failure;
      }
      count();
      chunk_begin_ = chunk_end_ = counted_ = 0;
      seal();
      pinned_segment left;
      return roll(left);
    } catch (const error& e) {
      return value_of(e);
    }
  }

  /// Lends the room taken last: its segment stays mapped and pinned until it is given back, published or not.
  [[gnu::always_inline]] room lend(std::byte* at, std::uint64_t size) {
    if (lent_out_.capacity() == lent_out_.size()) [[unlikely]]
      lent_out_.reserve(lent_out_.size() + 1);  // so that leaving the segment cannot fail
    ++lent_;
    return room_at(at, size);
  }
  [[gnu::always_inline]] void lent_back(const room& r) noexcept {
    if (r.sequence == sequence_) [[likely]] {
      --lent_;
    } else {
      lent_back_later(r.sequence);
    }
  }

  /// Room that will not be published can be used again if nothing was taken since; otherwise it leaks until its segment
  /// is recycled.
  void give_back(const room& r) noexcept {
    if (r.sequence != sequence_ || r.position + r.size != chunk_begin_) return;
    // What was signed might be found by a recovery in place of the record that came behind it.
    if (is_durable_ && r.position < signed_to_) return;
    chunk_begin_ = r.position;
  }

 private:
  static constexpr std::uint64_t none = ~std::uint64_t{0};
  static constexpr std::uint64_t no_segment = ~std::uint64_t{0};
  static constexpr std::uint64_t first_chunk = 256;
  static constexpr std::uint64_t max_chunk_bytes = 65'536;
  static constexpr int tries_before_search = 8;
  // A line that a reader or another producer had is on its way here while the records before it are appended.
  static constexpr std::uint64_t prefetched_bytes = 512;
  static constexpr std::uint64_t prefetched_slots = 32;
  static constexpr std::uint64_t slots_at_once = 4096;  // cleared in some microseconds
  // While a group is waited for, this process looks itself: a commit rings for nobody.
  static constexpr std::chrono::nanoseconds shortest_nap{20'000};
  static constexpr std::chrono::nanoseconds longest_nap{1'000'000};
  static constexpr std::chrono::nanoseconds longest_block = std::chrono::hours(24 * 365);
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::min();

  struct lent_segment {
    pinned_segment segment;
    std::uint64_t count;
  };

  /// Where a room begins whose byte at `prefix` is aligned.
  [[gnu::always_inline]] std::uint64_t place(std::uint64_t prefix, std::uint64_t alignment) const noexcept {
    // Rooms are multiples of 8 bytes, so that nothing is to be done for most types.
    if (alignment <= format::record_alignment && prefix % format::record_alignment == 0) return chunk_begin_;
    return format::align_up(chunk_begin_ + prefix, alignment) - prefix;
  }

  /// A3: the slot that took `word`, or none: the segment has ended.
  [[gnu::always_inline]] std::uint64_t claim_slot(format::slot_word word) noexcept {
    const std::uint64_t slot = next_slot_;
    slots_.prefetch_for_write(slot + prefetched_slots);
    if (slot < slots_end_) [[likely]] {
      if (alone_) {
        next_slot_ = slot + 1;
        slots_.publish_alone(slot, word);
        return slot;
      }
      if (slots_.try_publish(slot, word) == format::slot_free) [[likely]] {
        next_slot_ = slot + 1;
        return slot;
      }
    }
    return claim_later_slot(word);
  }

  [[gnu::noinline]] std::uint64_t claim_later_slot(format::slot_word word) noexcept {
    for (int tries = 1; next_slot_ < slots_end_; ++tries) {
      const format::slot_word seen = slots_.try_publish(next_slot_, word);
      if (seen == format::slot_free) return next_slot_++;
      if (seen == format::slot_sealed) return none;
      ++contended_;
      // The next slot is in the same line, which the failed exchange has left here; so it is tried before any search.
      next_slot_ = tries % tries_before_search != 0 ? next_slot_ + 1 : slots_.first_without_record(next_slot_);
    }
    return none;
  }

  /// The checksum of a full record, which depends on where it lies.
  [[gnu::noinline]] void sign(std::byte* at, std::uint64_t extent) noexcept {
    auto& prefix = *reinterpret_cast<format::full_prefix*>(at);
    const auto position = static_cast<std::uint64_t>(at - bytes_);
    prefix.checksum = format::record_checksum(partition_.place(sequence_, position),
                                              std::span(at, extent * format::record_alignment));
    signed_to_ = std::max(signed_to_, position + extent * format::record_alignment);
  }

  [[gnu::noinline]] errc acknowledge_durable(std::uint64_t offset) {
    unflushed_end_ = offset + 1;
    if (partition_.topic().durability() == durability::every) {
      return waits_for_device_ ? make_durable(partition_, unflushed_end_) : errc::ok;
    }
    const std::int64_t now = os::monotonic_coarse();
    if (last_flush_ == never) last_flush_ = now;
    const bool is_due = unflushed_bytes_ + uncounted() >= partition_.topic().flush_bytes() ||
                        static_cast<std::uint64_t>(now - last_flush_) >= partition_.topic().flush_nanoseconds();
    if (!is_due) return errc::ok;
    const errc outcome = make_durable(partition_, unflushed_end_);
    last_flush_ = now;
    unflushed_bytes_ = 0;
    return outcome;
  }

  bool is_single_writer() const noexcept { return partition_.topic().header.single_writer != 0; }

  [[gnu::noinline, gnu::cold]] void lent_back_later(std::uint64_t sequence) noexcept {
    const auto old = std::find_if(lent_out_.begin(), lent_out_.end(),
                                  [&](const auto& l) { return l.segment.sequence() == sequence; });
    if (old != lent_out_.end() && --old->count == 0) lent_out_.erase(old);
  }

  [[gnu::noinline, gnu::cold]] void wake(std::uint32_t seen) noexcept { doorbell_.ring(seen, bell_, wake_mask_); }

  room room_at(std::byte* at, std::uint64_t size) const noexcept {
    return {at, static_cast<std::uint64_t>(at - bytes_), size, sequence_};
  }

  [[gnu::noinline]] std::byte* take_from_new_chunk(std::uint64_t size, std::uint64_t prefix, std::uint64_t alignment) {
    failure_ = refill(size + (alignment - format::record_alignment));
    return failure_ == errc::ok ? take(size, prefix, alignment) : nullptr;
  }

  [[gnu::noinline, gnu::cold]] result<std::uint64_t> publish_further_on(room r, format::record_kind kind,
                                                                        std::uint64_t extent) {
    for (;;) {
      if (const errc failure = carry_on(r); failure != errc::ok) return failure;
      if (is_durable_) sign(r.bytes, extent);
      const std::uint64_t slot = claim_slot(format::make_slot(kind, r.position, extent));
      if (slot != none) return base_offset_ + slot;
    }
  }

  template <class Published>
  [[gnu::noinline, gnu::cold]] errc publish_further_on(const room& kept, std::span<const format::slot_word> words,
                                                       const Published& published) {
    std::byte* const segment = kept.bytes - kept.position;
    for (const format::slot_word word : words) {
      const std::uint64_t position = format::slot_position(word);
      const room r{segment + position, position, format::record_bytes(word), kept.sequence};
      const auto offset =
          publish_further_on(r, static_cast<format::record_kind>(format::slot_kind(word)), format::slot_extent(word));
      if (!offset) return offset.error();
      published(*offset);
    }
    return errc::ok;
  }

  /// The segment of `r` has ended: goes on to the next, and copies the filled record there. (S2 to S6.)
  [[gnu::noinline, gnu::cold]] errc carry_on(room& r) {
    const std::byte* const filled = r.bytes;
    pinned_segment left;  // stays until the copy is made
    if (r.sequence == sequence_) {
      try {
        if (const errc failure = roll(left); failure != errc::ok) return failure;
      } catch (const error& e) {
        return value_of(e);
      }
    }
    // Any residue modulo the largest alignment is kept, so that the value stays aligned wherever it lies in the record.
    const std::uint64_t residue = r.position % format::page_bytes;
    const std::uint64_t alignment =
        std::max<std::uint64_t>(partition_.topic().header.value_alignment, format::record_alignment);
    const std::uint64_t prefix = (alignment - residue % alignment) % alignment;
    std::byte* const next = take(r.size, prefix, alignment);
    if (next == nullptr) return failure_;
    std::memcpy(next, filled, r.size);
    left_ = std::move(left);
    r = room_at(next, r.size);
    return errc::ok;
  }

  /// A1: a new chunk, which has `need` bytes at least.
  errc refill(std::uint64_t need) {
    if (need > geometry_.data_bytes()) return errc::too_large;
    left_ = pinned_segment();
    try {
      for (;;) {
        if (sequence_ == no_segment) {
          if (const errc failure = join(); failure != errc::ok) return failure;
        }
        // Chunks are whole multiples of a record's alignment, so that each begins at one.
        const std::uint64_t wanted = format::align_up(std::max(chunk_size_, need), format::record_alignment);
        const std::uint64_t begin = segment_->data_tail().take(wanted);
        if (begin < geometry_.data_begin() || begin % format::record_alignment != 0) {
          throw error(errc::corrupt, file_path(),
                      "the data tail is " + std::to_string(begin) + ", expected a multiple of 8 from " +
                          std::to_string(geometry_.data_begin()));
        }
        if (begin <= geometry_.segment_bytes && need <= geometry_.segment_bytes - begin) {
          count();
          chunk_begin_ = counted_ = begin;
          chunk_end_ = std::min(begin + wanted, geometry_.segment_bytes);
          taken_here_ += wanted;
          chunk_size_ = std::min(chunk_size_ * 2, max_chunk_);
          prepare_ahead(begin, begin + wanted);
          open_ahead(begin);
          return errc::ok;
        }
        count();
        chunk_begin_ = chunk_end_ = counted_ = 0;
        seal();
        pinned_segment left;
        if (const errc failure = roll(left); failure != errc::ok) return failure;
        left_ = std::move(left);
      }
    } catch (const error& e) {
      return value_of(e);
    }
  }

  /// What a running program expects is a value; the rest goes on as an exception. In a catch block.
  errc value_of(const error& e) const {
    if (partition_.topic().closed.is_set()) return errc::closed;
    if (e.code() == errc::full) return errc::full;
    if (e.code() == errc::back_pressure) return errc::back_pressure;
    throw;
  }

  /// S1.
  void seal() noexcept {
    slots_end_ = 0;  // should the roll fail, the next append tries it again
    for (;;) {
      next_slot_ = slots_.first_without_record(next_slot_);
      if (next_slot_ >= slots_.size()) return;
      const format::slot_word seen = slots_.try_seal(next_slot_);
      if (seen == format::slot_free || seen == format::slot_sealed) return;
    }
  }

  /// S2 to S6, with the segment sealed or its slots used up. The segment that is left goes to `left`.
  errc roll(pinned_segment& left) {
    const std::uint64_t end = slots_.first_without_record(next_slot_);
    const std::uint64_t next_base = base_offset_ + end;
    const std::uint64_t next_sequence = sequence_ + 1;
    for (;;) {
      pinned_segment next = std::exchange(next_, pinned_segment());
      switch (next ? partition::opened::pinned : partition_.open(next_sequence, os::access::read_write, next)) {
        case partition::opened::pinned:
          next->begin_at(next_base);                    // S4
          partition_.begun().raise(next_sequence + 1);  // S5
          leave(left);
          adopt(std::move(next), next_base);
          return errc::ok;
        case partition::opened::absent:
          if (const errc failure = make(next_sequence); failure != errc::ok) return failure;
          break;
        case partition::opened::retired:  // the others are far ahead
          leave(left);
          return join();
      }
    }
  }

  /// Begins with the partition's last segment, or its first where there is none.
  errc join() {
    if (is_single_writer() && !writer_right_) {
      pins& locks = partition_.topic().pins;
      const std::uint64_t byte = writer_byte(partition_.id());
      if (locks.try_own(byte) != pins::refusal::none) return errc::not_the_writer;
      writer_right_ = pins::ownership(locks, byte);
    }
    if (!std::exchange(tidied_, true)) remove_leftovers(partition_);
    for (;;) {
      const std::uint64_t durable = is_durable_ ? partition_.durable().observe() : 0;  // before the end is looked for
      const std::uint64_t begun = partition_.segments().begun;
      const std::uint64_t last = begun == 0 ? 0 : begun - 1;
      pinned_segment found;
      switch (partition_.open(last, os::access::read_write, found)) {
        case partition::opened::pinned: {
          if (begun == 0) {
            found->begin_at(0);
            partition_.begun().raise(1);
          }
          const std::uint64_t base = partition_.base_of(found);
          adopt(std::move(found), base);
          next_slot_ = slots_.first_without_record(0);
          if (const std::uint64_t end = base + next_slot_;
              end < durable) {  // nobody would flush what is appended there
            leave(left_);
            throw error(errc::corrupt, partition_.topic().directory->path(partition_.name(last)),
                        "the log ends in it at offset " + std::to_string(end) + ", but is said to be durable up to " +
                            std::to_string(durable));
          }
          if (slots_.ends_at(next_slot_)) slots_end_ = 0;  // the writer before this one had come to a roll
          return errc::ok;
        }
        case partition::opened::absent:
          if (begun != 0 && partition_.start_sequence().observe() <= last) {
            partition_.topic().throw_damaged(
                partition_.name(last),
                "the last segment of partition " + std::to_string(partition_.id()) + " is missing");
          }
          if (begun == 0) {
            if (const errc failure = make(0); failure != errc::ok) return failure;
          }
          break;
        case partition::opened::retired: break;  // the others rolled meanwhile
      }
    }
  }

  /// N1 to N6, for a segment that is needed now. An elected preparation of this appender is finished, another's is not
  /// waited for.
  errc make(std::uint64_t sequence) {
    errc failure = try_to_make(sequence);
    if (failure != errc::back_pressure) [[likely]]
      return failure;
    sync::counter(partition_.counters().back_pressure).add(1);
    const std::string name = partition_.name(sequence);
    const auto deadline =
        std::chrono::steady_clock::now() + std::min<std::chrono::nanoseconds>(max_block_, longest_block);
    for (auto nap = shortest_nap; std::chrono::steady_clock::now() < deadline; nap = std::min(nap * 2, longest_nap)) {
      std::this_thread::sleep_for(nap);
      if (partition_.topic().closed.is_set()) return errc::closed;
      if (partition_.topic().directory->status(name)) return errc::ok;  // another has made it
      if (retire_expired(partition_)) continue;
      failure = try_to_make(sequence);
      if (failure != errc::back_pressure) return failure;
    }
    return failure;
  }

  errc try_to_make(std::uint64_t sequence) {
    try {
      if (preparation_ && preparation_->target() == sequence) {
        const preparation::outcome result = preparation_->finish();
        preparation_.reset();
        if (result != preparation::outcome::source_gone) return errc::ok;
      }
      preparation_.reset();
      make_segment(partition_, sequence);
      return errc::ok;
    } catch (const error& e) {
      preparation_.reset();
      if (e.code() == errc::back_pressure) cause_ = e.reason();
      return value_of(e);
    }
  }

  /// Bytes of the chunk that were taken since count().
  std::uint64_t uncounted() const noexcept { return chunk_begin_ - std::min(counted_, chunk_begin_); }

  /// Adds to the partition's counters what this appender has done since it last did.
  void count() noexcept {
    const std::uint64_t bytes = uncounted();
    sync::counter(partition_.counters().bytes_appended).add(bytes);
    unflushed_bytes_ += bytes;
    sync::counter(partition_.counters().contended_publishes).add(std::exchange(contended_, 0));
    counted_ = chunk_begin_;
  }

  /// The election, and a slice of the work. The chunk that crosses the middle of the data area is one producer's, so there
  /// is one elected; where the slots run out before the data, whoever notices is.
  void prepare_ahead(std::uint64_t begin, std::uint64_t end) {
    try {
      if (preparation_) {
        // Four times as fast as the data area fills, since other producers may be filling it too.
        if (preparation_->advance(4 * (end - begin) * slots_.size() / geometry_.data_bytes() + 64)) {
          preparation_->finish();  // whatever comes of it: the roll will see
          preparation_.reset();
        }
        return;
      }
      const std::uint64_t middle = geometry_.data_begin() + geometry_.data_bytes() / 2;
      const bool elected = begin < middle && end >= middle;
      const bool short_of_slots = next_slot_ >= slots_.size() / 2 && begin < middle && !volunteered_;
      if (!elected && !short_of_slots) return;
      volunteered_ = true;
      if (!partition_.topic().directory->status(partition_.name(sequence_ + 1))) {
        preparation_.emplace(partition_, sequence_ + 1);
        if (preparation_->advance(slots_at_once)) {
          preparation_->finish();
          preparation_.reset();
        }
      }
    } catch (const error&) {
      preparation_.reset();  // it was too early to fail; the roll will tell if the cause is still there
    }
  }

  /// Has the next segment open and pinned before it is needed, so that the roll makes no system call. Tried with each chunk
  /// of the last quarter, of which there are few.
  void open_ahead(std::uint64_t begin) {
    const std::uint64_t last_quarter = geometry_.segment_bytes - geometry_.data_bytes() / 4;
    if (next_ || preparation_ || (begin < last_quarter && next_slot_ < slots_.size() - slots_.size() / 4)) return;
    try {
      partition_.open(sequence_ + 1, os::access::read_write, next_);
    } catch (const error&) {
      // The roll will tell.
    }
  }

  void adopt(pinned_segment next, std::uint64_t base) noexcept {
    if (preparation_ && preparation_->target() <= next.sequence()) preparation_.reset();  // another was faster
    segment_ = std::move(next);
    bytes_ = segment_->bytes();
    slots_ = segment_->slots();
    slots_end_ = slots_.size();
    sequence_ = segment_.sequence();
    base_offset_ = base;
  }

  void leave(pinned_segment& left) noexcept {
    if (sequence_ == no_segment) return;
    count();
    if (lent_ != 0) {
      lent_out_.push_back({std::move(segment_), std::exchange(lent_, 0)});
    } else {
      left = std::move(segment_);
    }
    segment_ = pinned_segment();
    next_ = pinned_segment();
    sequence_ = no_segment;
    chunk_begin_ = chunk_end_ = counted_ = 0;
    next_slot_ = slots_end_ = 0;
    signed_to_ = 0;
    volunteered_ = false;
    // An occasional producer takes small chunks, a busy one large ones: what it took of the last segment tells.
    chunk_size_ = std::clamp(taken_here_ / 16, std::min(first_chunk, max_chunk_), max_chunk_);
    taken_here_ = 0;
  }

  std::string file_path() const { return partition_.topic().directory->path(partition_.name(sequence_)); }

  // What every append uses.
  std::byte* bytes_ = nullptr;
  std::uint64_t chunk_begin_ = 0;
  std::uint64_t chunk_end_ = 0;
  sync::slot_array slots_;
  std::uint64_t next_slot_ = 0;  // all below hold records
  std::uint64_t slots_end_ = 0;  // one more than the last that may be tried
  std::uint64_t base_offset_ = 0;
  bool alone_ = false;  // nobody else publishes
  const sync::doorbell doorbell_;
  // What only a chunk, a roll or a ring uses.
  storage::partition& partition_;
  const std::chrono::nanoseconds max_block_;
  const sync::bell bell_;
  const std::uint32_t wake_mask_;
  std::uint64_t sequence_ = no_segment;
  std::uint64_t lent_ = 0;
  const sync::flag closed_;
  const std::uint32_t generation_ = os::fork_generation();
  const bool takes_append_time_;
  const bool is_durable_;
  const bool waits_for_device_;
  const format::segment_geometry geometry_;
  const std::uint64_t max_chunk_;
  std::uint64_t chunk_size_ = std::min(first_chunk, max_chunk_);
  std::uint64_t taken_here_ = 0;
  bool volunteered_ = false;
  bool tidied_ = false;
  errc failure_ = errc::ok;
  std::string cause_;
  std::uint64_t counted_ = 0;  // of the chunk, bytes below are in the counter
  std::uint64_t contended_ = 0;
  std::uint64_t signed_to_ = 0;        // of this segment: room below may hold a record that was never published
  std::uint64_t unflushed_end_ = 0;    // of what was appended here, in a durable topic
  std::uint64_t unflushed_bytes_ = 0;  // about
  std::int64_t last_flush_ = never;    // os::monotonic_coarse
  pinned_segment segment_;
  pinned_segment next_;  // where it is pinned already
  pinned_segment left_;  // the one before: the pin is given back with the next chunk, not at the roll
  std::vector<lent_segment> lent_out_;
  std::optional<preparation> preparation_;
  pins::ownership writer_right_;
};

}  // namespace leat::storage
