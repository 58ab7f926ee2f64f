// Making the next segment of a partition, ahead of time where there is any: retire, recycle, clear, rename.
//
// Steps R1 to R3 and N1 to N6 of docs/protocol.md. The work is cut into slices, which the producer that was elected for it
// does along with its chunks, so that no single append pays for it. Whoever needs the segment before it is there does all
// the steps at once, without waiting for the elected.
//
// Crash      a death leaves a spare under a retired name, which the next preparation takes, or a temporary file or a late
//            name, which remove_leftovers() takes.
// Cost       begin: some system calls; a slice: 8 bytes of clearing a slot; finish: a rename and two locks.
#pragma once

#include <leat/os/random.hpp>
#include <leat/storage/durability.hpp>
#include <leat/storage/retention.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace leat::storage {

class preparation {
 public:
  /// Prepares segment `target` of `p`. Throws errc::full when there is no room for its file.
  preparation(partition& p, std::uint64_t target) : preparation(&p, target) {
    if (const auto cause = retire_expired(p); cause && target == p.begun().observe()) {
      throw error(errc::back_pressure, p.topic().directory->path(""), *cause);
    }
    if (p.topic().is_durable() && p.start_sequence().observe() > p.reclaimed().observe()) {
      // Before a file loses what it held, the device knows that it was retired, and has what is kept in its place.
      flush(p);
      p.topic().flush_words();
    }
    if (!take_spare()) make_file();
    to_clear_ = spare_ ? used_slots(*spare_) : 0;
  }
  ~preparation() {
    if (temporary_.empty() || os::fork_generation() != generation_) return;
    if (spare_ != nullptr) spare_->abandoned().set();
    try {
      partition_.topic().directory->remove(temporary_);
    } catch (const error&) {
      // It stays a leftover, which remove_leftovers() takes.
    }
  }
  preparation(const preparation&) = delete;
  preparation& operator=(const preparation&) = delete;

  std::uint64_t target() const noexcept { return target_; }

  /// Clears up to `slots` slots. (N2.) True when finish() has nothing left to clear.
  bool advance(std::uint64_t slots) noexcept {
    const std::uint64_t rest = to_clear_ - std::min(to_clear_, slots);
    spare_->slots().clear(rest, to_clear_);
    to_clear_ = rest;
    return rest == 0;
  }

  enum class outcome { in_place, late, source_gone };

  /// The rest of N2, and N3 to N6. in_place: segment `target` has its file now, this one or another's.
  /// late: it was retired meanwhile. source_gone: begin again.
  outcome finish() {
    advance(to_clear_);
    bear();
    if (!partition_.topic().pins.try_pin(partition_.lock(target_))) return outcome::late;  // N4
    const pinned_segment pin(partition_.topic().pins, partition_.lock(target_), target_);
    if (partition_.start_sequence().observe() > target_) return outcome::late;
    return rename();
  }

 private:
  static constexpr std::uint64_t fresh = ~std::uint64_t{0};

  /// Delegated to, so that the destructor tidies up also when there is no room.
  preparation(partition* p, std::uint64_t target) : partition_(*p), target_(target) {}

  /// R2 and R3.
  bool take_spare() {
    topic_context& topic = partition_.topic();
    for (const std::uint64_t r : partition_.retired_names()) {
      const pins::refusal refusal = topic.pins.try_own(partition_.lock(r));
      if (refusal == pins::refusal::exclusive) continue;  // its recycler is at work, or was stopped; either may be
      pins::ownership right;
      pinned_segment pin;
      if (refusal == pins::refusal::none) {
        right = pins::ownership(topic.pins, partition_.lock(r));
      } else {
        // Others use it. Pinned here as well, it can't become a live segment between the look at its name and what follows.
        if (!topic.pins.try_pin(partition_.lock(r))) continue;  // they have left it, and a recycler has come
        pin = pinned_segment(topic.pins, partition_.lock(r), r);
      }

      const std::string name = partition_.name(r);
      std::shared_ptr<const segment> file = partition_.map_if_segment(name);
      if (right && file != nullptr && spare_ == nullptr) {
        spare_ = std::move(file);
        source_ = r;
        right_ = std::move(right);
        continue;  // one is enough: others, left by idle or dead producers, would only take room
      }
      if (file != nullptr) file->abandoned().set();
      topic.directory->remove(name);
      partition_.name_is_gone(r);
    }
    return spare_ != nullptr;
  }

  void make_file() {
    topic_context& topic = partition_.topic();
    const std::string name = partition_.name(target_) + "~" + os::random_name();
    os::file made = topic.directory->create(name, topic.header.file_mode);
    temporary_ = name;
    made.try_own();  // tells remove_leftovers() that its maker is alive
    made.reserve(topic.geometry.segment_bytes);
    spare_ = partition_.map(made);
    maker_.emplace(std::move(made));
  }

  /// Slots from 0 that a former life of the file may have left taken: its records and its seal, which is cleared first. So
  /// where the seal is missing, another began to clear and died: then any slot may be left.
  static std::uint64_t used_slots(const segment& s) noexcept {
    const sync::slot_array slots = s.slots();
    const std::uint64_t end = slots.first_without_record(0);
    const bool untouched =
        slots.ends_at(end) && (end + 1 >= slots.size() || slots.observe(end + 1) == format::slot_free);
    return untouched ? std::min(end + 1, slots.size()) : slots.size();
  }

  /// N3: what the file is from now on. Nobody looks at it yet.
  void bear() noexcept {
    const topic_context& topic = partition_.topic();
    format::segment_header& header = spare_->header();
    // In this order, since after a power failure the page may be found as it was at any moment of it.
    sync::settled_word(header.base_offset).settle(format::unset);
    header.largest_timestamp = format::unset;
    header.data_tail = topic.geometry.data_begin();
    std::atomic_thread_fence(std::memory_order_release);
    format::segment_identity identity{};
    identity.magic = format::segment_magic;
    identity.version = format::version;
    identity.partition = partition_.id();
    identity.topic = topic.header.id;
    identity.sequence = target_;
    identity.segment_bytes = topic.geometry.segment_bytes;
    identity.slot_count = topic.geometry.slot_count;
    identity.checksum = format::header_checksum(identity);
    header.identity = identity;
    spare_->abandoned().reset();
  }

  /// N5 and N6.
  outcome rename() {
    os::directory& directory = *partition_.topic().directory;
    const std::string source = temporary_.empty() ? partition_.name(source_) : temporary_;
    switch (directory.rename(source, partition_.name(target_))) {
      case os::rename_result::exists: return outcome::in_place;
      case os::rename_result::absent:
        // Taken by one who found the spare pinned before it was owned, or the new file before its maker said that it lives.
        // Its life began here, so it is said here that it is over: else all who have it mapped would keep it.
        spare_->abandoned().set();
        temporary_.clear();
        return outcome::source_gone;
      case os::rename_result::done: break;
    }
    temporary_.clear();
    const format::partition_counters& counters = partition_.counters();
    sync::counter(right_ ? counters.recycled_segments : counters.fresh_segments).add(1);
    if (right_) {
      partition_.name_is_gone(source_);
      right_ = {};
    }
    if (partition_.start_sequence().observe() <= target_) return outcome::in_place;
    spare_->abandoned().set();
    directory.remove(partition_.name(target_));
    return outcome::late;
  }

  partition& partition_;
  const std::uint64_t target_;
  const std::uint32_t generation_ = os::fork_generation();  // the child of a fork does not finish its parent's work
  std::shared_ptr<const segment> spare_;
  std::uint64_t to_clear_ = 0;
  pins::ownership right_;  // to the retired name `source_`, where the file is a spare
  std::uint64_t source_ = fresh;
  std::string temporary_;          // the name of a new file until it has its own
  std::optional<os::file> maker_;  // and its descriptor
};

/// Makes segment `target` at once, unless it is there or retired.
inline void make_segment(partition& p, std::uint64_t target) {
  while (preparation(p, target).finish() == preparation::outcome::source_gone) {
  }
}

/// Removes what dead producers left of this partition: temporary files without a maker, and late names. How many. Once for
/// each producer and partition; lists the directory.
inline std::size_t remove_leftovers(partition& p) {
  std::size_t removed = 0;
  topic_context& topic = p.topic();
  for (const std::string& text : topic.directory->list()) {
    const auto name = segment_name::parse(text);
    if (!name || name->partition != p.id()) continue;
    try {
      if (segment_name::is_temporary(text)) {
        const auto file = topic.directory->open(text, os::access::read_only);
        if (file && file->try_own()) removed += topic.directory->remove(text) ? 1 : 0;
      } else if (name->sequence < p.reclaimed().observe()) {
        if (topic.pins.try_own(p.lock(name->sequence)) != pins::refusal::none) continue;
        const pins::ownership right(topic.pins, p.lock(name->sequence));
        if (const auto file = p.map_if_segment(text)) file->abandoned().set();
        removed += topic.directory->remove(text) ? 1 : 0;
      }
    } catch (const error&) {
      continue;  // it is left to somebody who can
    }
  }
  return removed;
}

}  // namespace leat::storage
