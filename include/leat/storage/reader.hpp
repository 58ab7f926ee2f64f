// A reader: the cursors of a consumer, where each of them stands, and how the consumer waits.
//
// Everything about a consumer that does not depend on its types.
#pragma once

#include <leat/options.hpp>
#include <leat/os/clock.hpp>
#include <leat/os/fork.hpp>
#include <leat/os/futex.hpp>
#include <leat/storage/cursor.hpp>
#include <leat/storage/topic_log.hpp>
#include <leat/sync/doorbell.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace leat::storage {

/// The records that one poll took from one partition.
struct batch_part {
  run records;
  std::uint32_t partition = 0;
};

class reader {
 public:
  using clock = std::chrono::steady_clock;

  reader(std::shared_ptr<topic_log> log, const consumer_options& options)
      : log_(std::move(log)),
        options_(options),
        words_(std::clamp<std::uint32_t>(options.max_poll_records, 1, most_records)) {
    if (options.partitions) {
      assign(*options.partitions);
    } else {
      std::vector<std::uint32_t> all(log_->partitions());
      for (std::uint32_t id = 0; id < log_->partitions(); ++id) all[id] = id;
      assign(all);
    }
  }

  /// Each new partition begins where the reset policy says, from now.
  void assign(const std::vector<std::uint32_t>& partitions) {
    for (const std::uint32_t id : partitions) require(id);
    std::vector<std::unique_ptr<assigned>> added;  // complete before anything is changed
    for (const std::uint32_t id : partitions) {
      const bool twice = std::ranges::any_of(added, [&](const auto& a) { return a->cursor.of().id() == id; });
      if (twice || find(id) != nullptr) continue;
      added.push_back(std::make_unique<assigned>(log_->partition(id)));
      reset(*added.back());
    }
    assigned_.reserve(assigned_.size() + added.size());
    parts_.clear();
    parts_.reserve(partitions.size());
    std::erase_if(assigned_, [&](const auto& a) {
      return std::ranges::find(partitions, a->cursor.of().id()) == partitions.end();
    });
    std::ranges::move(added, std::back_inserter(assigned_));
    first_ = 0;
    mask_ = 0;
    for (const auto& a : assigned_) mask_ |= a->cursor.of().wake_mask();
  }

  std::vector<std::uint32_t> assignment() const {
    std::vector<std::uint32_t> ids;
    for (const auto& a : assigned_) ids.push_back(a->cursor.of().id());
    return ids;
  }

  void seek(std::uint32_t partition, std::uint64_t offset) {
    assigned& a = at(partition);
    a.cursor.seek(offset);
    a.positioned = true;
  }
  void seek_to_beginning() {
    for (const auto& a : assigned_) seek_to(*a, a->cursor.of().start_offset().observe());
  }
  void seek_to_end() {
    for (const auto& a : assigned_) seek_to(*a, end_offset(a->cursor.of()));
  }
  std::uint64_t position(std::uint32_t partition) { return at(partition).cursor.position(); }
  std::uint64_t lag(std::uint32_t partition) {
    cursor& c = at(partition).cursor;
    const std::uint64_t end = end_offset(c.of());
    return end - std::min(c.position(), end);
  }
  void set_paused(std::uint32_t partition, bool paused) { at(partition).paused = paused; }
  bool paused(std::uint32_t partition) { return at(partition).paused; }

  /// Takes what is there, or waits for it; ends the life of what earlier polls took. Afterwards parts() are the records.
  errc poll(std::chrono::nanoseconds timeout) {
    if (os::fork_generation() != generation_) [[unlikely]]
      return errc::forked;
    parts_.clear();
    for (const auto& a : assigned_) a->cursor.release();
    if (log_->closed()) [[unlikely]]
      return fail(errc::closed, log_->path(), "the topic was deleted");
    for (int i = 0; i < pauses_; ++i) os::pause();
    const errc outcome = collect();
    if (outcome != errc::ok || !parts_.empty() || timeout <= timeout.zero()) [[likely]]
      return outcome;
    return wait(timeout);
  }

  std::span<const batch_part> parts() const noexcept { return parts_; }

  /// What the last failing poll found, and where.
  [[noreturn]] void raise(errc code) const {
    throw error(code, failed_path_.empty() ? log_->path() : failed_path_,
                failed_reason_.empty() ? std::string(detail::describe(code)) : failed_reason_);
  }

  topic_log& log() const noexcept { return *log_; }

 private:
  struct assigned {
    explicit assigned(partition& p) : cursor(p) {}
    storage::cursor cursor;
    bool paused = false;
    bool positioned = false;  // false: no position is known and the policy is to have none
  };

  // A reader at the heels of a busy producer takes the slots' line from it at every look, which costs both more than the
  // record. So after a poll that took several records and left none, the next lets the producer get ahead first, the longer
  // the more often that happens. A reader that gets records one at a time is not delayed.
  static constexpr int most_pauses = 16;
  static constexpr std::uint32_t most_records = 1 << 20;  // of one poll
  static constexpr std::uint64_t looks_without_pause = 32;
  static constexpr int looks_before_sleep = 100;
  static constexpr int looks_per_clock = 16;
  // A waker that died between its publish and its ring costs a sleeper this at most.
  static constexpr std::chrono::milliseconds longest_sleep{100};
  // A reader that cannot arm a doorbell looks by itself, this often at least.
  static constexpr std::chrono::microseconds longest_doze{1000};

  errc collect() {
    std::span<format::slot_word> room(words_);
    const std::size_t count = assigned_.size();
    std::size_t i = first_;
    for (std::size_t seen = 0; seen < count && !room.empty(); ++seen, i = after(i)) {
      assigned& a = *assigned_[i];
      if (a.paused) continue;
      const result<run> found = fetch(a, i, room);
      if (!found) [[unlikely]] {
        // What was taken from others comes first; this one has its turn at the next poll.
        first_ = parts_.empty() ? after(i) : i;
        return parts_.empty() ? found.error() : errc::ok;
      }
      if (found->slots.empty()) continue;
      parts_.push_back({*found, a.cursor.of().id()});
      room = room.subspan(found->slots.size());
    }
    first_ = i;
    const std::size_t taken = words_.size() - room.size();
    const bool at_its_heels = taken > 1 && !room.empty();
    pauses_ = at_its_heels ? std::min(pauses_ * 2 + 1, most_pauses) : 0;
    return errc::ok;
  }

  std::size_t after(std::size_t i) const noexcept { return i + 1 < assigned_.size() ? i + 1 : 0; }

  /// What is there of one partition. Exceptions go on only where nothing was taken from others, which would be lost.
  [[gnu::always_inline]] result<run> fetch(assigned& a, std::size_t i, std::span<format::slot_word> room) {
    try {
      if (!a.positioned) [[unlikely]]
        return fail_unpositioned(a);
      const result<run> found = a.cursor.fetch(room);
      if (found) [[likely]]
        return found;
      const errc failure = recover(a, found.error());
      return failure == errc::ok ? result<run>(run{}) : result<run>(failure);
    } catch (const error&) {
      if (log_->closed()) return fail(errc::closed, log_->path(), "the topic was deleted");
      if (!parts_.empty()) return errc::system;
      first_ = after(i);
      throw;
    }
  }

  /// Out of range: the reset policy says where to go on. Anything else is the caller's.
  [[gnu::cold]] errc recover(assigned& a, errc failure) {
    const std::uint64_t lost = a.cursor.position();
    if (failure == errc::corrupt) return fail(failure, a.cursor.file_path(), a.cursor.defect());
    if (failure == errc::closed) return fail(failure, log_->path(), "the topic was deleted");
    if (failure != errc::out_of_range) return fail(failure, log_->path(), detail::describe(failure));
    reset(a);
    if (a.positioned) return errc::ok;
    a.positioned = true;
    a.cursor.seek(lost);
    return fail(failure, log_->path(),
                "offset " + std::to_string(lost) + " of partition " + std::to_string(a.cursor.of().id()) +
                    " is out of range, and auto_offset_reset is none");
  }

  errc fail_unpositioned(const assigned& a) {
    return fail(
        errc::out_of_range, log_->path(),
        "no position is known for partition " + std::to_string(a.cursor.of().id()) + ", and auto_offset_reset is none");
  }

  void reset(assigned& a) {
    switch (options_.auto_offset_reset) {
      case offset_reset::latest: seek_to(a, end_offset(a.cursor.of())); break;
      case offset_reset::earliest: seek_to(a, a.cursor.of().start_offset().observe()); break;
      case offset_reset::none: a.positioned = false; break;
    }
  }

  static void seek_to(assigned& a, std::uint64_t offset) noexcept {
    a.cursor.seek(offset);
    a.positioned = true;
  }

  [[gnu::noinline]] errc wait(std::chrono::nanoseconds timeout) {
    const clock::time_point begin = clock::now();
    const clock::time_point deadline = timeout > clock::time_point::max() - begin
                                           ? clock::time_point::max()
                                           : begin + std::chrono::duration_cast<clock::duration>(timeout);
    for (std::uint64_t look = 1;; ++look) {
      if (options_.wait == wait_strategy::block && look > looks_before_sleep) {
        sleep(std::min(deadline, clock::now() + longest_sleep));
      } else if (options_.wait == wait_strategy::yield && look > looks_before_sleep) {
        std::this_thread::yield();
      } else {
        if (look > looks_without_pause) os::pause();
      }
      const errc outcome = collect();
      if (outcome != errc::ok || !parts_.empty()) return outcome;
      if (log_->closed()) [[unlikely]]
        return fail(errc::closed, log_->path(), "the topic was deleted");
      if (look % looks_per_clock == 0 || (options_.wait == wait_strategy::block && look > looks_before_sleep)) {
        if (clock::now() >= deadline) return errc::ok;
      }
    }
  }

  /// W1 to W4.
  void sleep(clock::time_point until) {
    const std::uint32_t noted = log_->bell().note();
    if (mask_ == 0) return std::this_thread::sleep_until(until);  // nothing is assigned
    if (!arm()) return doze(until);
    for (const auto& a : assigned_) {
      if (!a->paused && a->cursor.ready()) return;
    }
    if (log_->closed()) return;
    log_->bell().wait(noted, mask_, until);
    dozed_ = {};
  }

  /// W2. False where producers would not see it: the topic is read-only for this process, or has a single writer and the
  /// kernel no global barrier.
  bool arm() const noexcept {
    static const bool has_barrier = os::global_barrier();
    const bool alone = log_->header().single_writer != 0;
    if (!log_->can_arm() || (alone && !has_barrier)) return false;
    for (const auto& a : assigned_) {
      if (!a->paused) a->cursor.of().doorbell().arm();
    }
    return !alone || os::global_barrier();
  }

  void doze(clock::time_point until) {
    dozed_ = std::min<clock::duration>(dozed_ * 2 + std::chrono::microseconds(10), longest_doze);
    std::this_thread::sleep_until(std::min(until, clock::now() + dozed_));
  }

  [[gnu::cold]] errc fail(errc code, std::string path, std::string reason) {
    failed_path_ = std::move(path);
    failed_reason_ = std::move(reason);
    return code;
  }

  void require(std::uint32_t partition) const {
    if (partition < log_->partitions()) return;
    throw error(
        errc::invalid_argument, log_->path(),
        "partition is " + std::to_string(partition) + ", expected 0 to " + std::to_string(log_->partitions() - 1));
  }
  assigned* find(std::uint32_t partition) noexcept {
    const auto found = std::ranges::find_if(assigned_, [&](const auto& a) { return a->cursor.of().id() == partition; });
    return found == assigned_.end() ? nullptr : found->get();
  }
  assigned& at(std::uint32_t partition) {
    if (assigned* a = find(partition)) return *a;
    throw error(errc::invalid_argument, log_->path(),
                "partition " + std::to_string(partition) + " is not assigned to this consumer");
  }

  std::shared_ptr<topic_log> log_;
  consumer_options options_;
  const std::uint32_t generation_ = os::fork_generation();
  std::vector<format::slot_word> words_;
  std::vector<std::unique_ptr<assigned>> assigned_;
  std::vector<batch_part> parts_;
  std::size_t first_ = 0;  // where the next poll begins
  int pauses_ = 0;         // before the next poll looks
  std::uint32_t mask_ = 0;
  clock::duration dozed_{};
  std::string failed_path_;
  std::string failed_reason_;
};

}  // namespace leat::storage
