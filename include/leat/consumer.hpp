// A consumer: reads topics from where it stands, alone or as a member of a group.
//
//     leat::consumer in{trades, {.group = "risk"}};           // shares the topic with the group's other members
//     for (const auto& record : in.poll(100ms)) ...
//     in.commit().value();
//
// Members of a group need no coordinator: see group/participant.hpp. Everything they do for each other happens in poll(),
// commit() and close().
//
// Threads    one at a time; make one consumer for each thread.
// Processes  any number. Without a group it needs no more than permission to read; then it cannot be woken, and looks every
//            millisecond at least while it waits. With a group it writes to the group's files.
// Crash      nothing is left; what it was reading is given free by the kernel, what it had of a group passes to the others,
//            who go on from what it committed.
// Fork       a child must not use its parent's consumer: errc::forked.
// Cost       a poll with records at hand: some 10 ns, and one or two for each record. System calls only where a segment ends,
//            to sleep, and in a group every few milliseconds to look after the other members. A commit: one
//            compare-exchange for each partition that moved.
#pragma once

#include <leat/batch.hpp>
#include <leat/group/participant.hpp>
#include <leat/group/standalone.hpp>
#include <leat/options.hpp>
#include <leat/result.hpp>
#include <leat/storage/reader.hpp>
#include <leat/store.hpp>
#include <leat/topic.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace leat {

/// An offset to commit: the next one to read, and up to 4096 bytes of the committer's own.
struct partition_offset {
  topic_partition at;
  std::uint64_t offset = 0;
  std::string metadata = {};
};

template <class Value, class Key = std::string>
class consumer {
 public:
  using batch_type = batch<Value, Key>;

  /// Without a group: reads all partitions, also those added later, unless the options name some; each from where
  /// auto_offset_reset says: `latest` is what is sent after this call. With a group: subscribed to this topic.
  /// Throws leat::error for a partition that the topic does not have.
  explicit consumer(const leat::topic<Value, Key>& topic, const consumer_options& options = {})
      : consumer(topic.log()->store(), options) {
    log_ = topic.log();
    if (options.partitions) {
      assign(*options.partitions);
    } else if (options.group.empty()) {
      state_->reader.follow(log_);
    } else {
      subscribe({log_->name()});
    }
  }

  /// A member of options.group, which subscribes next. Throws invalid_argument without a group.
  explicit consumer(const leat::store& store, const consumer_options& options) : consumer(store.files(), options) {
    if (!options.group.empty() && !options.partitions) return;
    throw error(errc::invalid_argument, store.path(), "a consumer of a store needs a group, and no partitions");
  }

  /// As close(), but nothing is thrown. The listener may still use the consumer.
  ~consumer() { leave_quietly(); }
  consumer(consumer&&) noexcept = default;
  consumer& operator=(consumer&& other) noexcept {
    if (this != &other) {
      leave_quietly();
      std::swap(options_, other.options_);
      std::swap(log_, other.log_);
      std::swap(opened_, other.opened_);
      std::swap(state_, other.state_);
      std::swap(generation_, other.generation_);
    }
    return *this;
  }

  /// Up to max_poll_records records, which are there or come within `timeout`; empty when none came. The records of one
  /// partition are in order. Ends the life of the batch before. In a group: also joins, hands over and takes over, tells the
  /// listener and commits where that is automatic.
  batch_type poll(std::chrono::nanoseconds timeout = std::chrono::nanoseconds::zero()) {
    const errc outcome = state_->reader.poll(timeout, state_->member.get());
    return batch_type(state_->reader, outcome);
  }

  /// For those who do not wait in poll(), when a poll has returned nothing; see event_notifier.hpp. `waits_at` is where.
  storage::reader::vigil begin_vigil() { return state_->reader.begin_vigil(state_->member.get()); }
  const std::shared_ptr<storage::store_files>& waits_at() const noexcept { return state_->store; }

  // --- groups ---

  /// Reads these topics with the group, from the next poll on; replaces what it was subscribed to. A topic that does not
  /// exist is read once it does. Throws wrong_type, name_invalid, invalid_argument (no group).
  void subscribe(std::vector<std::string> topics, rebalance_listener listener = {}) {
    member().subscribe(std::move(topics), false, std::move(listener));
  }
  /// The same for topics whose whole name matches a regular expression (POSIX extended), also those that are created
  /// later. Topics of other types than the consumer's are left out.
  void subscribe_pattern(const std::string& expression, rebalance_listener listener = {}) {
    member().subscribe({expression}, true, std::move(listener));
  }
  void unsubscribe() { member().unsubscribe(); }

  /// What it has of the group's partitions.
  std::vector<topic_partition> owned() const {
    return state_->member ? state_->member->owned() : std::vector<topic_partition>{};
  }

  /// Commits the position of everything it has, behind what polls have returned: a restart goes on there. fenced: the group
  /// has given partitions to others; the rest is committed. Synchronous by nature, and not to be lost by the death of the
  /// process; nor by that of the machine, as the topics' durability has it. Throws what the device says; closed, where the
  /// topic was deleted.
  result<void> commit() {
    if (os::fork_generation() != generation_) return errc::forked;
    if (state_->member) {
      const errc outcome = state_->member->commit();
      state_->member->acknowledge();
      return outcome;
    }
    errc outcome = errc::ok;
    for (const auto& a : state_->reader.all()) {
      if (!a->positioned) continue;
      const errc failure = standalone().commit(*a->log, a->cursor.of().id(), a->cursor.position());
      if (failure != errc::ok) outcome = failure;
    }
    standalone().acknowledge();
    return outcome;
  }

  /// Commits these, which it must own; each on its own, in order. too_large: the metadata. Throws invalid_argument for an empty
  /// topic where there are several.
  result<void> commit(std::span<const partition_offset> offsets) {
    if (os::fork_generation() != generation_) return errc::forked;
    errc outcome = errc::ok;
    for (const partition_offset& o : offsets) {
      const errc failure = state_->member ? state_->member->commit(o.at.topic, o.at.partition, o.offset, o.metadata)
                                          : standalone().commit(*state_->reader.at(o.at.topic, o.at.partition).log,
                                                                o.at.partition, o.offset, o.metadata);
      if (failure != errc::ok) outcome = failure;
    }
    state_->member ? state_->member->acknowledge() : standalone().acknowledge();
    return outcome;
  }
  result<void> commit(const partition_offset& offset) { return commit(std::span(&offset, 1)); }

  /// What the group has committed; empty when nothing, or when that went with its topic; it may throw closed then.
  std::optional<committed_offset> committed(const topic_partition& p) {
    const auto log = log_of(p);
    const auto offsets = log->find_group(group());
    return offsets == nullptr ? std::nullopt : offsets->committed(p.partition);
  }
  std::optional<committed_offset> committed(std::uint32_t partition) { return committed({{}, partition}); }

  /// Its id in the group.
  std::string member_id() const { return state_->member ? state_->member->member_id() : std::string(); }

  /// Leaves the group, committing first where that is automatic; its partitions pass to others at once. (A static member
  /// keeps them until its session time-out.) Without a group: reads nothing any more.
  void close() {
    if (state_->member) return state_->member->unsubscribe();  // which ends what it reads, too
    state_->reader.release();
    state_->reader.drop_all();
  }

  // --- positions ---

  /// Reads these partitions from now on. Those that it read before keep their position, others begin with what the group has
  /// committed, if there is a group, or as the reset policy says. Ends the life of the last batch. Not for members of a group.
  void assign(const std::vector<std::uint32_t>& partitions) {
    if (state_->member || log_ == nullptr) {
      throw error(errc::invalid_argument, state_->store->path(), "a member of a group reads what the group assigns");
    }
    const auto offsets = options_.group.empty() ? nullptr : log_->find_group(options_.group);
    state_->reader.assign(log_, partitions, [&](std::uint32_t id) {
      return offsets == nullptr ? std::nullopt : offsets->committed_position(id);
    });
  }
  std::vector<std::uint32_t> assignment() const { return state_->reader.assignment(); }

  /// The next poll begins there. An offset outside the log meets the reset policy then.
  void seek(record_position to) { seek({{}, to.partition}, to.offset); }
  void seek(const topic_partition& p, std::uint64_t offset) { storage::reader::seek_to(at(p), offset); }
  void seek_to_beginning() { state_->reader.seek_to_beginning(); }
  void seek_to_end() { state_->reader.seek_to_end(); }

  /// Each partition that it reads: to the first record with this timestamp or a later one, or to the end.
  void seek_to_time(timestamp time) {
    for (const auto& a : state_->reader.all()) {
      const auto offset = storage::offset_for_time(a->cursor.of(), time.time_since_epoch().count());
      storage::reader::seek_to(*a, offset ? *offset : storage::end_offset(a->cursor.of()));
    }
  }
  /// The first offset with this timestamp or a later one; empty when there is none.
  std::optional<std::uint64_t> offset_for_time(const topic_partition& p, timestamp time) {
    return storage::offset_for_time(partition_of(p), time.time_since_epoch().count());
  }
  std::optional<std::uint64_t> offset_for_time(std::uint32_t partition, timestamp time) {
    return offset_for_time({{}, partition}, time);
  }

  /// The next offset to read: one more than the last that was returned.
  std::uint64_t position(const topic_partition& p) { return at(p).cursor.position(); }
  std::uint64_t position(std::uint32_t partition) { return position({{}, partition}); }

  /// Records between position() and the end.
  std::uint64_t lag(const topic_partition& p) { return storage::reader::lag(at(p)); }
  std::uint64_t lag(std::uint32_t partition) { return lag({{}, partition}); }

  std::uint64_t start_offset(const topic_partition& p) { return partition_of(p).start_offset().observe(); }
  std::uint64_t start_offset(std::uint32_t partition) { return start_offset({{}, partition}); }
  std::uint64_t end_offset(const topic_partition& p) { return storage::end_offset(partition_of(p)); }
  std::uint64_t end_offset(std::uint32_t partition) { return end_offset({{}, partition}); }

  /// A paused partition is not read, and keeps its position, until it is resumed or passes to another member.
  void pause(const topic_partition& p) { at(p).paused = true; }
  void pause(std::uint32_t partition) { pause({{}, partition}); }
  void resume(const topic_partition& p) { at(p).paused = false; }
  void resume(std::uint32_t partition) { resume({{}, partition}); }
  bool paused(const topic_partition& p) { return at(p).paused; }
  bool paused(std::uint32_t partition) { return paused({{}, partition}); }

 private:
  /// Stays where it is when the consumer moves.
  struct state {
    state(std::shared_ptr<storage::store_files> s, const consumer_options& options)
        : store(std::move(s)), reader(store, options) {}

    std::shared_ptr<storage::store_files> store;
    storage::reader reader;
    std::unique_ptr<group::participant> member;
    std::unique_ptr<group::standalone> standalone;
  };

  consumer(const std::shared_ptr<storage::store_files>& store, const consumer_options& options)
      : options_(options), state_(std::make_unique<state>(store, options)) {
    if (options.group.empty() || options.partitions) return;
    state_->member = std::make_unique<group::participant>(
        store, state_->reader, options, detail::subscribed_identity<Value>(), detail::subscribed_identity<Key>(),
        [store](const std::string& name) { return open<Value, Key>(store, name); });
  }

  /// Null when there is no such topic.
  template <class V, class K>
  static std::shared_ptr<storage::topic_log> open(const std::shared_ptr<storage::store_files>& store,
                                                  const std::string& name) {
    try {
      return storage::topic_log::open(store, name, {.mode = open_mode::open}, detail::subscribed_identity<V>(),
                                      detail::subscribed_identity<K>());
    } catch (const error& e) {
      if (e.code() == errc::not_found) return nullptr;  // should it be there by now, its coming is announced
      throw;
    }
  }

  void leave_quietly() noexcept {
    if (state_ != nullptr && state_->member) state_->member->leave_quietly();
  }

  group::participant& member() {
    if (state_->member) return *state_->member;
    throw error(errc::invalid_argument, state_->store->path(), "to subscribe, a consumer needs a group");
  }
  group::standalone& standalone() {
    if (!state_->standalone) state_->standalone = std::make_unique<group::standalone>(state_->store, group());
    return *state_->standalone;
  }
  const std::string& group() const {
    if (!options_.group.empty()) return options_.group;
    throw error(errc::invalid_argument, state_->store->path(), "to commit, a consumer needs a group");
  }

  storage::reader::assigned& at(const topic_partition& p) { return state_->reader.at(p.topic, p.partition); }

  /// Also of partitions that it does not read.
  std::shared_ptr<storage::topic_log> log_of(const topic_partition& p) {
    if (log_ != nullptr && (p.topic.empty() || p.topic == log_->name())) return log_;
    if (p.topic.empty()) return at(p).log;
    if (auto log = open<Value, Key>(state_->store, p.topic)) return log;
    throw error(errc::not_found, state_->store->topics().path(p.topic), "no such topic");
  }
  storage::partition& partition_of(const topic_partition& p) {
    opened_ = log_of(p);
    return detail::partition_of(*opened_, p.partition);
  }

  consumer_options options_;
  std::uint32_t generation_ = os::fork_generation();
  std::shared_ptr<storage::topic_log> log_;     // the topic that it was made with
  std::shared_ptr<storage::topic_log> opened_;  // the one that was asked about last
  std::unique_ptr<state> state_;
};

template <class Value, class Key>
consumer(const topic<Value, Key>&, const consumer_options&) -> consumer<Value, Key>;
template <class Value, class Key>
consumer(const topic<Value, Key>&) -> consumer<Value, Key>;

}  // namespace leat
