// A reader: the cursors of a consumer, where each of them stands, and how the consumer waits.
//
// Everything about a consumer that does not depend on its types.
#pragma once

#include <leat/options.hpp>
#include <leat/os/clock.hpp>
#include <leat/os/fork.hpp>
#include <leat/os/futex.hpp>
#include <leat/os/processor.hpp>
#include <leat/storage/cursor.hpp>
#include <leat/storage/topic_log.hpp>
#include <leat/sync/doorbell.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace leat::storage {

/// The records that one poll took from one partition.
struct batch_part {
  run records;
  std::uint32_t partition = 0;
  const topic_log* log = nullptr;
};

/// Who is to be asked while a reader waits: membership in a group, for instance.
class attendant {
 public:
  using clock = std::chrono::steady_clock;

  virtual ~attendant() = default;
  /// Does what is to be done; may change what the reader has. `due`: the time that it gave has come, as far as that is known:
  /// who waits looks at the clock, and a poll that follows on a vigil; one that follows on another poll does not.
  virtual errc attend(bool due) = 0;
  /// When it wants to be asked again at the latest.
  virtual clock::time_point due() const noexcept = 0;
  /// Wants to be asked now. A look at shared words.
  virtual bool stirred() const noexcept = 0;
};

class reader {
 public:
  using clock = std::chrono::steady_clock;

  /// A partition that it reads.
  struct assigned {
    assigned(std::shared_ptr<topic_log> l, std::uint32_t partition)
        : log(std::move(l)), cursor(log->partition(partition)) {}
    bool is(const topic_log& l, std::uint32_t partition) const noexcept {
      return log.get() == &l && cursor.of().id() == partition;
    }

    std::shared_ptr<topic_log> log;
    storage::cursor cursor;
    bool paused = false;
    bool positioned = false;  // false: no position is known and the policy is to have none
  };

  reader(std::shared_ptr<store_files> store, const consumer_options& options)
      : store_(std::move(store)),
        options_(options),
        words_(std::clamp<std::uint32_t>(options.max_poll_records, 1, most_records)) {}

  /// Reads all partitions of a topic, also those that are added to it: these from their beginning.
  void follow(const std::shared_ptr<topic_log>& log) {
    const std::uint64_t seen = log->revision().observe();  // before the count: what is added meanwhile is found later
    std::vector<std::uint32_t> all(log->refresh());
    for (std::uint32_t id = 0; id < all.size(); ++id) all[id] = id;
    assign(log, all, [](std::uint32_t) { return std::nullopt; });
    following_ = log;
    following_revision_ = seen;
  }

  /// These partitions of a topic, and nothing else. New ones begin at `position(id)`; where that is empty, where the reset
  /// policy says, from now.
  template <class Position>
  void assign(const std::shared_ptr<topic_log>& log, const std::vector<std::uint32_t>& partitions, Position position) {
    log->refresh();  // the topic may have got partitions since it was opened
    for (const std::uint32_t id : partitions) require(*log, id);
    std::vector<std::unique_ptr<assigned>> added;  // complete before anything is changed
    for (const std::uint32_t id : partitions) {
      const bool twice = std::any_of(added.begin(), added.end(), [&](const auto& a) { return a->is(*log, id); });
      if (twice || find(*log, id) != nullptr) continue;
      added.push_back(std::make_unique<assigned>(log, id));
      begin(*added.back(), position(id));
    }
    assigned_.reserve(assigned_.size() + added.size());
    parts_.clear();
    parts_.reserve(partitions.size());
    following_ = nullptr;
    std::erase_if(assigned_, [&](const auto& a) {
      return a->log != log || std::find(partitions.begin(), partitions.end(), a->cursor.of().id()) == partitions.end();
    });
    std::move(added.begin(), added.end(), std::back_inserter(assigned_));
    reassigned();
  }

  /// One more, which begins at `position`, or where the reset policy says. Ends the life of what polls took.
  assigned& add(const std::shared_ptr<topic_log>& log, std::uint32_t partition, std::optional<std::uint64_t> position) {
    require(*log, partition);
    auto added = std::make_unique<assigned>(log, partition);
    begin(*added, position);
    assigned_.push_back(std::move(added));
    forget_polls();
    note(*assigned_.back());
    return *assigned_.back();
  }
  void drop(const topic_log& log, std::uint32_t partition) {
    std::erase_if(assigned_, [&](const auto& a) { return a->is(log, partition); });
    forget_polls();
    mask_ = 0;
    bool has_others = false;
    for (const auto& a : assigned_) {
      mask_ |= a->cursor.of().wake_mask();
      has_others = has_others || a->log.get() == &log;
    }
    if (!has_others) std::erase_if(logs_, [&](const auto& l) { return l.get() == &log; });
  }
  void drop_all() {
    assigned_.clear();
    following_ = nullptr;
    reassigned();
  }

  std::vector<std::uint32_t> assignment() const {
    std::vector<std::uint32_t> ids;
    for (const auto& a : assigned_) ids.push_back(a->cursor.of().id());
    return ids;
  }

  /// What it reads of the topic with this name, or, with an empty name, of its only topic. Throws invalid_argument.
  assigned& at(std::string_view topic, std::uint32_t partition) {
    assigned* found = nullptr;
    for (const auto& a : assigned_) {
      if (a->cursor.of().id() != partition || (!topic.empty() && a->log->name() != topic)) continue;
      if (found != nullptr) {
        throw error(errc::invalid_argument, store_->path(),
                    "partition " + std::to_string(partition) + " of several topics is read: name the topic");
      }
      found = a.get();
    }
    if (found != nullptr) return *found;
    throw error(errc::invalid_argument, store_->path(),
                "partition " + std::to_string(partition) + (topic.empty() ? "" : " of topic " + std::string(topic)) +
                    " is not assigned to this consumer");
  }
  std::span<const std::unique_ptr<assigned>> all() const noexcept { return assigned_; }

  static void seek_to(assigned& a, std::uint64_t offset) noexcept {
    a.cursor.seek(offset);
    a.positioned = true;
  }
  void seek_to_beginning() {
    for (const auto& a : assigned_) seek_to(*a, a->cursor.of().start_offset().observe());
  }
  void seek_to_end() {
    for (const auto& a : assigned_) seek_to(*a, end_offset(a->cursor.of()));
  }
  static std::uint64_t lag(const assigned& a) {
    const std::uint64_t end = end_offset(a.cursor.of());
    return end - std::min(a.cursor.position(), end);
  }

  /// Takes what is there, or waits for it; ends the life of what earlier polls took. Afterwards parts() are the records.
  errc poll(std::chrono::nanoseconds timeout, attendant* attending = nullptr) {
    if (os::fork_generation() != generation_) [[unlikely]]
      return errc::forked;
    release();
    if (attending != nullptr) {
      const bool due = std::exchange(kept_vigil_, false) && clock::now() >= attending->due();
      if (const errc failure = attend(*attending, due); failure != errc::ok) return failure;
    }
    if (following_ != nullptr && following_->revision().observe() != following_revision_) [[unlikely]]
      follow_further();
    attending_ = attending;  // then it sees to deleted topics
    for (const auto& log : logs_) {
      if (log->closed() && attending_ == nullptr) [[unlikely]]
        return fail(errc::closed, log->path(), "the topic was deleted");
    }
    if (at_heels_of_ != nullptr) let_get_ahead();
    const errc outcome = collect();
    if (outcome != errc::ok || !parts_.empty() || timeout <= timeout.zero()) [[likely]]
      return outcome;
    return wait(timeout, attending);
  }

  /// Ends the life of what polls took.
  void release() noexcept {
    parts_.clear();
    for (const auto& a : assigned_) a->cursor.release();
  }

  /// For those who wait elsewhere than in poll(), when a poll has found nothing.
  struct vigil {
    bool over = true;    // a poll would find something now
    bool rings = false;  // the bell will tell: wait(noted, mask, until), in any thread. Else there is only `until`
    std::uint32_t noted = 0;
    std::uint32_t mask = 0;
    clock::time_point until{};  // poll again then, whatever happens
  };

  /// W1 to W3; W4 is the caller's.
  vigil begin_vigil(const attendant* attending) {
    if (os::fork_generation() != generation_) return {};  // which a poll will tell
    kept_vigil_ = true;
    const clock::time_point now = clock::now();
    vigil v;
    v.noted = store_->bell().note();
    v.mask = mask_ != 0 ? mask_ : ~std::uint32_t{0};
    const bool nothing_to_hear = mask_ == 0 && attending == nullptr;
    v.rings = !nothing_to_hear && store_->writable() && arm();
    v.until = now + (v.rings || nothing_to_hear ? clock::duration(longest_sleep) : clock::duration(longest_doze));
    if (attending != nullptr) v.until = std::min(v.until, attending->due());
    v.over = has_something(attending);
    return v;
  }

  std::span<const batch_part> parts() const noexcept { return parts_; }

  /// What the last failing poll found, and where.
  [[noreturn]] void raise(errc code) const {
    throw error(code, failed_path_.empty() ? store_->path() : failed_path_,
                failed_reason_.empty() ? std::string(detail::describe(code)) : failed_reason_);
  }

  [[gnu::cold]] errc fail(errc code, std::string path, std::string reason) {
    failed_path_ = std::move(path);
    failed_reason_ = std::move(reason);
    return code;
  }

  /// Where to begin with a partition by the reset policy; empty: it is to have none.
  std::optional<std::uint64_t> by_policy(partition& p) const {
    switch (options_.auto_offset_reset) {
      case offset_reset::latest: return end_offset(p);
      case offset_reset::earliest: return p.start_offset().observe();
      case offset_reset::none: break;
    }
    return std::nullopt;
  }

 private:
  // A reader at the heels of a busy producer takes the slots' line from it at every look, which costs both more than the
  // record. So after a poll that took several records and left none, the next waits until the producer is some lines of
  // slots ahead, and looks for that at a slot that the producer has not come to. Where that was in vain it asks for less;
  // where even a line was too much, the producer is not that busy, and it is not tried for some time, the longer the more
  // often it was. A reader that gets records one at a time is not delayed.
  static constexpr std::uint64_t least_lead = 8;  // records: a line of slots
  static constexpr std::uint64_t most_lead = 64;
  static constexpr int most_pauses = 64;                  // some microseconds
  static constexpr int longest_cool_down = 1024;          // polls
  static constexpr std::uint32_t most_records = 1 << 20;  // of one poll
  static constexpr std::size_t glimpses = 32;             // of one look: a microsecond or two
  static constexpr int looks_before_sleep = 4;
  // A waker that died between its publish and its ring costs a sleeper this at most. Nothing else does (tests/model/doorbell.pml).
  static constexpr std::chrono::milliseconds longest_sleep{100};
  // A reader that cannot arm a doorbell looks by itself, this often at least.
  static constexpr std::chrono::microseconds longest_doze{1000};

  errc collect() {
    const std::size_t most = words_.size();
    std::span<format::slot_word> room(words_.data(), most);
    const std::size_t count = assigned_.size();
    std::size_t i = first_;
    assigned* last = nullptr;
    for (std::size_t seen = 0; seen < count && !room.empty(); ++seen, i = i + 1 < count ? i + 1 : 0) {
      assigned& a = *assigned_[i];
      if (a.paused) continue;
      run found;
      if (const errc failure = fetch(a, i, room, found); failure != errc::ok) [[unlikely]] {
        if (attending_ != nullptr && a.log->closed()) continue;
        // What was taken from others comes first; this one has its turn at the next poll.
        first_ = parts_.empty() ? after(i) : i;
        return parts_.empty() ? failure : errc::ok;
      }
      if (found.slots.empty()) continue;
      parts_.push_back({found, a.cursor.of().id(), a.log.get()});
      room = room.subspan(found.slots.size());
      last = &a;
    }
    first_ = i;
    at_heels_of_ = most - room.size() > 1 && !room.empty() ? last : nullptr;
    return errc::ok;
  }

  void let_get_ahead() noexcept {
    if (cool_down_ != 0) {
      --cool_down_;
      return;
    }
    for (int i = 0; i < most_pauses; ++i) {
      if (at_heels_of_->cursor.has_at_hand(lead_)) {
        lead_ = std::min(lead_ * 2, most_lead);
        in_vain_ = 0;
        return;
      }
      os::pause();
    }
    if (lead_ > least_lead) {
      lead_ /= 2;
    } else {
      in_vain_ = std::min(in_vain_ * 2 + 1, longest_cool_down);
      cool_down_ = in_vain_;
    }
  }

  std::size_t after(std::size_t i) const noexcept { return i + 1 < assigned_.size() ? i + 1 : 0; }

  /// What is there of one partition. Exceptions go on only where nothing was taken from others, which would be lost.
  [[gnu::always_inline]] errc fetch(assigned& a, std::size_t i, std::span<format::slot_word> room, run& found) {
    try {
      if (!a.positioned) [[unlikely]]
        return fail_unpositioned(a);
      const errc failure = a.cursor.fetch(room, found);
      return failure == errc::ok ? errc::ok : recover(a, failure);
    } catch (const error&) {
      if (a.log->closed()) return fail(errc::closed, a.log->path(), "the topic was deleted");
      if (!parts_.empty()) return errc::system;
      first_ = after(i);
      throw;
    }
  }

  /// Out of range: the reset policy says where to go on. Anything else is the caller's.
  [[gnu::cold]] errc recover(assigned& a, errc failure) {
    const std::uint64_t lost = a.cursor.position();
    if (a.log->closed()) return fail(errc::closed, a.log->path(), "the topic was deleted");
    if (failure == errc::corrupt) return fail(failure, a.cursor.file_path(), a.cursor.defect());
    if (failure != errc::out_of_range) return fail(failure, a.log->path(), detail::describe(failure));
    // A member that stood still may have lost the partition to one who has committed further, behind whom retention has
    // followed. Then the policy has no say: this look comes behind that of the fetch, so a loss before it is seen.
    if (attending_ != nullptr && attending_->stirred()) return errc::ok;
    reset(a);
    if (a.positioned) return a.cursor.position() == lost ? look_at_start(a, lost) : errc::ok;
    a.positioned = true;
    a.cursor.seek(lost);
    return fail(failure, a.log->path(),
                "offset " + std::to_string(lost) + " of partition " + std::to_string(a.cursor.of().id()) +
                    " is out of range, and auto_offset_reset is none");
  }

  /// The log start itself was out of range: it has moved, or it cannot be one.
  errc look_at_start(const assigned& a, std::uint64_t start) {
    const std::uint64_t end = end_offset(a.cursor.of());
    if (start <= end) return errc::ok;
    return fail(errc::corrupt, a.log->directory().path(topic_log::file_name),
                "partition " + std::to_string(a.cursor.of().id()) + " starts at offset " + std::to_string(start) +
                    ", expected one up to its end, " + std::to_string(end));
  }

  errc fail_unpositioned(const assigned& a) {
    return fail(
        errc::out_of_range, a.log->path(),
        "no position is known for partition " + std::to_string(a.cursor.of().id()) + ", and auto_offset_reset is none");
  }

  void begin(assigned& a, std::optional<std::uint64_t> position) { position ? seek_to(a, *position) : reset(a); }

  void reset(assigned& a) {
    if (const auto offset = by_policy(a.cursor.of())) {
      seek_to(a, *offset);
    } else {
      a.positioned = false;
    }
  }

  /// The topic has more partitions, perhaps.
  [[gnu::cold]] void follow_further() {
    const std::uint64_t seen = following_->revision().observe();
    const std::uint32_t count = following_->refresh();
    for (std::uint32_t id = 0; id < count; ++id) {
      if (find(*following_, id) == nullptr) add(following_, id, following_->partition(id).start_offset().observe());
    }
    following_revision_ = seen;
  }

  errc attend(attendant& attending, bool due) {
    const errc failure = attending.attend(due);
    release();  // a callback may have polled: that is its own
    return failure;
  }

  [[gnu::noinline]] errc wait(std::chrono::nanoseconds timeout, attendant* attending) {
    spin();  // before the clock, whose reading takes a fifth of the time in which an answer may come
    if (const errc outcome = collect(); outcome != errc::ok || !parts_.empty()) return outcome;
    const clock::time_point deadline = os::later(clock::now(), timeout);
    for (int looks = 1;;) {
      if (options_.wait == wait_strategy::spin || looks < looks_before_sleep) {
        ++looks;
        spin();
      } else if (options_.wait == wait_strategy::yield) {
        std::this_thread::yield();
      } else {
        const clock::time_point longest = clock::now() + longest_sleep;
        sleep(std::min({deadline, longest, attending != nullptr ? attending->due() : longest}), attending);
      }
      const errc outcome = collect();
      if (outcome != errc::ok || !parts_.empty()) return outcome;
      for (const auto& log : logs_) {
        if (log->closed()) [[unlikely]]
          return attending == nullptr ? fail(errc::closed, log->path(), "the topic was deleted")
                                      : attend(*attending, false);
      }
      if (following_ != nullptr && following_->revision().observe() != following_revision_) [[unlikely]]
        follow_further();
      const clock::time_point now = clock::now();
      if (attending != nullptr) {
        const bool due = now >= attending->due();
        if (due || attending->stirred()) {
          if (const errc failure = attend(*attending, due); failure != errc::ok) return failure;
        }
      }
      if (now >= deadline) return errc::ok;
    }
  }

  void spin() const noexcept {
    for (std::size_t i = 0; i < glimpses; i += std::max<std::size_t>(1, assigned_.size())) {
      for (const auto& a : assigned_) {
        if (!a->paused && a->cursor.glimpse()) return;
      }
      os::pause();
    }
  }

  /// W1 to W4.
  void sleep(clock::time_point until, const attendant* attending) {
    const std::uint32_t noted = store_->bell().note();
    if (mask_ == 0 && attending == nullptr) return std::this_thread::sleep_until(until);  // nothing is assigned
    if (!arm()) return doze(until);
    if (has_something(attending)) return;
    store_->bell().wait(noted, mask_ != 0 ? mask_ : ~std::uint32_t{0}, until);
    dozed_ = {};
  }

  /// W3.
  bool has_something(const attendant* attending) const {
    for (const auto& a : assigned_) {
      if (!a->paused && a->cursor.ready()) return true;
    }
    for (const auto& log : logs_) {
      if (log->closed()) return true;
    }
    if (following_ != nullptr && following_->revision().observe() != following_revision_) return true;
    return attending != nullptr && attending->stirred();
  }

  /// W2. False where producers would not see it: a topic is read-only for this process, or has a single writer and the
  /// kernel no global barrier.
  bool arm() const noexcept {
    static const bool has_barrier = os::global_barrier();
    bool alone = false;
    for (const auto& log : logs_) {
      const bool single = log->header().single_writer != 0;
      if (!log->can_arm() || (single && !has_barrier)) return false;
      alone = alone || single;
    }
    for (const auto& a : assigned_) {
      if (!a->paused) a->cursor.of().doorbell().arm();
    }
    return !alone || os::global_barrier();
  }

  void doze(clock::time_point until) {
    dozed_ = std::min<clock::duration>(dozed_ * 2 + std::chrono::microseconds(10), longest_doze);
    std::this_thread::sleep_until(std::min(until, clock::now() + dozed_));
  }

  static void require(const topic_log& log, std::uint32_t partition) {
    if (partition < log.partitions()) return;
    throw error(
        errc::invalid_argument, log.path(),
        "partition is " + std::to_string(partition) + ", expected 0 to " + std::to_string(log.partitions() - 1));
  }
  assigned* find(const topic_log& log, std::uint32_t partition) noexcept {
    const auto found =
        std::find_if(assigned_.begin(), assigned_.end(), [&](const auto& a) { return a->is(log, partition); });
    return found == assigned_.end() ? nullptr : found->get();
  }

  void reassigned() {
    forget_polls();
    mask_ = 0;
    logs_.clear();
    for (const auto& a : assigned_) note(*a);
  }
  void forget_polls() {
    at_heels_of_ = nullptr;
    parts_.clear();
    parts_.reserve(assigned_.size());
    first_ = 0;
  }
  /// Of a partition that is read: a member of a group may have thousands of topics, so adding one looks at each once.
  void note(const assigned& a) {
    mask_ |= a.cursor.of().wake_mask();
    if (!logs_.empty() && logs_.back() == a.log) return;
    if (std::find(logs_.begin(), logs_.end(), a.log) == logs_.end()) logs_.push_back(a.log);
  }

  std::shared_ptr<store_files> store_;
  std::vector<std::shared_ptr<topic_log>> logs_;  // of what is assigned, each once
  std::shared_ptr<topic_log> following_;
  std::uint64_t following_revision_ = 0;
  consumer_options options_;
  const std::uint32_t generation_ = os::fork_generation();
  std::vector<format::slot_word> words_;
  std::vector<std::unique_ptr<assigned>> assigned_;
  std::vector<batch_part> parts_;
  std::size_t first_ = 0;                 // where the next poll begins
  const attendant* attending_ = nullptr;  // of the present poll
  assigned* at_heels_of_ = nullptr;       // its producer
  bool kept_vigil_ = false;               // since the last poll
  std::uint64_t lead_ = most_lead;
  int in_vain_ = 0;
  int cool_down_ = 0;
  std::uint32_t mask_ = 0;
  clock::duration dozed_{};
  std::string failed_path_;
  std::string failed_reason_;
};

}  // namespace leat::storage
