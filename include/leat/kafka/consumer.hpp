// A consumer of topics of Kafka's, alone or as a member of a group: as leat::consumer.
//
//     leat::kafka::consumer in{trades, {.group = "risk"}};
//     for (const auto& record : in.poll(100ms)) ...
//     in.commit().value();
//
// Threads    one at a time; make one consumer for each thread.
// Crash      the group gives its partitions to others when its session is over (session_timeout), who go on from what it
//            committed.
// Fork       a child must not use its parent's consumer: errc::forked.
// Cost       a poll: some 100 ns a record that librdkafka has fetched already. A commit, and a position that is not known yet:
//            a round trip to a broker. Without a group, a poll asks every 10 s whether the topic is still there, and waits for
//            that for a second at most.
#pragma once

#include <leat/codec.hpp>
#include <leat/kafka/cluster.hpp>
#include <leat/kafka/consumer_configuration.hpp>
#include <leat/kafka/reader.hpp>
#include <leat/kafka/record.hpp>
#include <leat/kafka/store.hpp>
#include <leat/kafka/topic.hpp>
#include <leat/kafka/values.hpp>
#include <leat/options.hpp>
#include <leat/result.hpp>
#include <leat/types.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace leat::kafka {

template <class Value, class Key = std::string>
class consumer {
 public:
  using batch_type = batch<Value, Key>;

  /// Without a group: reads all partitions unless the options name some; each from where auto_offset_reset says: `latest` is
  /// what is sent after this call. Partitions that are added later are found within some seconds. With a group: subscribed to this
  /// topic. `properties` are librdkafka's, beside and above the options. Throws leat::error for a partition that the topic does
  /// not have, and unsupported for assignors that librdkafka does not have.
  explicit consumer(const kafka::topic<Value, Key>& topic, const consumer_options& options = {},
                    const property_map& properties = {})
      : consumer(topic.cluster(), options, properties) {
    topic_ = topic.name();
    if (options.partitions) {
      assign(*options.partitions);
    } else if (options.group.empty()) {
      follow(reader_->of().existing_partitions(topic_));
    } else {
      subscribe({topic_});
    }
  }

  /// A member of options.group, which subscribes next. Throws invalid_argument without a group.
  explicit consumer(const kafka::store& store, const consumer_options& options, const property_map& properties = {})
      : consumer(store.cluster(), options, properties) {
    if (!options.group.empty() && !options.partitions) return;
    throw error(errc::invalid_argument, store.path(), "a consumer of a store needs a group, and no partitions");
  }

  /// All of it as strings, with Kafka's names; those that leat does not know are librdkafka's.
  template <std::same_as<properties> Properties>
  consumer(const kafka::topic<Value, Key>& topic, const Properties& p)
      : consumer(topic, split_properties<consumer_options>(p)) {}
  template <std::same_as<properties> Properties>
  consumer(const kafka::store& store, const Properties& p) : consumer(store, split_properties<consumer_options>(p)) {}

  consumer(consumer&&) noexcept = default;
  consumer& operator=(consumer&&) noexcept = default;
  /// As close(), but nothing is thrown. The listener must still be there.
  ~consumer() = default;

  /// Up to max_poll_records records, which are there or come within `timeout`; empty when none came. The records of one
  /// partition are in order. Ends the life of the batch before. In a group: also hands over and takes over, tells the listener
  /// and commits where that is automatic.
  batch_type poll(std::chrono::nanoseconds timeout = std::chrono::nanoseconds::zero()) {
    if (!topic_.empty() && !reader_->is_member() && clock::now() >= next_look_) look();
    const errc outcome = reader_->poll(timeout);
    return batch_type(reader_->records(), outcome, reader_->of().servers(), reader_->last_failure());
  }

  // --- groups ---

  /// Reads these topics with the group, from the next poll on; replaces what it was subscribed to. A topic that does not
  /// exist is read once librdkafka has found it (topic.metadata.refresh.interval.ms). Throws invalid_argument: no group, partitions
  /// in the options, or within a listener, which can neither subscribe, leave nor poll.
  void subscribe(const std::vector<std::string>& topics, rebalance_listener listener = {}) {
    require_membership();
    reader_->subscribe(topics, std::move(listener));
  }
  /// The same for topics whose whole name matches a regular expression (POSIX extended), also those that are created later.
  void subscribe_pattern(const std::string& expression, rebalance_listener listener = {}) {
    subscribe({"^(" + expression + ")$"}, std::move(listener));
  }
  void unsubscribe() {
    require_membership();
    reader_->unsubscribe();
  }

  /// What it has of the group's partitions.
  std::vector<topic_partition> owned() const {
    return reader_->is_member() ? reader_->partitions() : std::vector<topic_partition>{};
  }

  /// Commits the position of everything it has, behind what polls have returned. fenced: the group has given partitions to
  /// others, and nothing is committed. unreachable, permission_denied.
  result<void> commit() {
    require_group();
    return reader_->commit();
  }
  /// Commits these, which it must own; each on its own, in order. too_large: the metadata.
  result<void> commit(std::span<const partition_offset> offsets) {
    require_group();
    errc outcome = errc::ok;
    for (const partition_offset& o : offsets) {
      const errc failure = reader_->commit(named(o.at), o.offset, o.metadata);
      if (failure != errc::ok) outcome = failure;
    }
    return outcome;
  }
  result<void> commit(const partition_offset& offset) { return commit(std::span(&offset, 1)); }

  /// What the group has committed; empty when nothing.
  std::optional<committed_offset> committed(const topic_partition& p) {
    require_group();
    const auto found = reader_->committed(named(p));
    return found ? std::optional(committed_offset{found->offset, found->metadata}) : std::nullopt;
  }
  std::optional<committed_offset> committed(std::uint32_t partition) { return committed({{}, partition}); }

  /// Its id in the group.
  std::string member_id() const { return reader_->is_member() ? reader_->member_id() : std::string(); }

  /// Leaves the group, committing first where that is automatic; its partitions pass to others at once. (A static member
  /// keeps them until its session time-out.) It reads nothing any more, and cannot subscribe again.
  void close() { reader_->close(); }

  // --- positions ---

  /// Reads these partitions from now on. Those that it read before keep their position, others begin with what the group has
  /// committed, if there is a group, or as the reset policy says. Not for members of a group.
  void assign(const std::vector<std::uint32_t>& partitions) {
    if (reader_->is_member() || topic_.empty()) {
      throw error(errc::invalid_argument, reader_->of().servers(), "a member of a group reads what the group assigns");
    }
    std::vector<topic_partition> names;
    const std::uint32_t count = reader_->of().existing_partitions(topic_);
    for (const std::uint32_t id : partitions) {
      if (id >= count) {
        throw error(errc::invalid_argument, reader_->of().where(topic_),
                    "partition is " + std::to_string(id) + ", expected 0 to " + std::to_string(count - 1));
      }
      names.push_back({topic_, id});
    }
    reader_->assign(names);
    follows_ = false;
  }
  std::vector<std::uint32_t> assignment() const {
    std::vector<std::uint32_t> ids;
    for (const auto& p : reader_->partitions()) ids.push_back(p.partition);
    return ids;
  }

  /// The next poll begins there. An offset outside the log meets the reset policy then.
  void seek(record_position to) { seek({{}, to.partition}, to.offset); }
  void seek(const topic_partition& p, std::uint64_t offset) { reader_->seek(named(p), offset); }
  void seek_to_beginning() {
    for (const auto& p : reader_->partitions()) seek(p, start_offset(p));
  }
  void seek_to_end() {
    for (const auto& p : reader_->partitions()) seek(p, end_offset(p));
  }
  /// Each partition that it reads: to the first record with this timestamp or a later one, or to the end.
  void seek_to_time(timestamp time) {
    for (const auto& p : reader_->partitions()) {
      const auto offset = offset_for_time(p, time);
      seek(p, offset ? *offset : end_offset(p));
    }
  }
  /// The first offset with this timestamp or a later one; empty when there is none.
  std::optional<std::uint64_t> offset_for_time(const topic_partition& p, timestamp time) {
    return reader_->of().offset_for_time(named(p), time);
  }
  std::optional<std::uint64_t> offset_for_time(std::uint32_t partition, timestamp time) {
    return offset_for_time({{}, partition}, time);
  }

  /// The next offset to read: one more than the last that was returned.
  std::uint64_t position(const topic_partition& p) { return reader_->position(named(p)); }
  std::uint64_t position(std::uint32_t partition) { return position({{}, partition}); }

  /// Offsets between position() and the end; not all of them need have records.
  std::uint64_t lag(const topic_partition& p) {
    const std::uint64_t end = end_offset(p);
    return end - std::min(end, position(p));
  }
  std::uint64_t lag(std::uint32_t partition) { return lag({{}, partition}); }

  std::uint64_t start_offset(const topic_partition& p) { return reader_->of().offsets(named(p)).start; }
  std::uint64_t start_offset(std::uint32_t partition) { return start_offset({{}, partition}); }
  std::uint64_t end_offset(const topic_partition& p) { return reader_->of().offsets(named(p)).end; }
  std::uint64_t end_offset(std::uint32_t partition) { return end_offset({{}, partition}); }

  /// A paused partition is not read, and keeps its position, until it is resumed or passes to another member.
  void pause(const topic_partition& p) { reader_->pause(named(p), true); }
  void pause(std::uint32_t partition) { pause({{}, partition}); }
  void resume(const topic_partition& p) { reader_->pause(named(p), false); }
  void resume(std::uint32_t partition) { resume({{}, partition}); }
  bool paused(const topic_partition& p) { return reader_->at(named(p)).paused; }
  bool paused(std::uint32_t partition) { return paused({{}, partition}); }

 private:
  using clock = std::chrono::steady_clock;

  template <class From>
  consumer(const From& from, const split_properties<consumer_options>& p) : consumer(from, p.options, p.rest) {}

  consumer(const std::shared_ptr<cluster>& of, const consumer_options& options, const property_map& properties)
      : group_(options.group),
        may_subscribe_(!options.group.empty() && !options.partitions),
        reader_(std::make_unique<reader>(of, options, configuration_of(options, *of, properties))) {
    reader_->align(leat::detail::alignment_of<Value>(), leat::detail::alignment_of<Key>());
  }

  void require_group() const {
    if (!group_.empty()) return;
    throw error(errc::invalid_argument, reader_->of().servers(), "to commit, a consumer needs a group");
  }
  void require_membership() const {
    if (may_subscribe_) return;
    throw error(errc::invalid_argument, reader_->of().servers(),
                "to subscribe, a consumer needs a group, and no partitions");
  }
  topic_partition named(const topic_partition& p) const { return {p.topic.empty() ? topic_ : p.topic, p.partition}; }

  /// Now and then, without a group's help: whether the topic is still there, and, where all of it is read, whether it has got
  /// more partitions. Those are read from their beginning. What cannot be found out soon is left to another time.
  void look() {
    next_look_ = clock::now() + between_looks;
    const auto until = cluster::within(longest_look);
    try {
      const std::optional<std::uint32_t> count = reader_->of().partitions(topic_, until);
      if (!count) return miss();
      missed_ = 0;
      const auto had = static_cast<std::uint32_t>(reader_->partitions().size());
      if (!follows_ || *count <= had) return;
      std::map<topic_partition, std::uint64_t> beginnings;
      for (std::uint32_t id = had; id < *count; ++id) {
        const topic_partition p{topic_, id};
        beginnings[p] = reader_->of().offsets(p, until).start;
      }
      reader_->assign(all_of(*count), beginnings);
    } catch (const error&) {
    }
  }
  /// A broker that has just started, or has not heard of it yet, does not know a topic that is there.
  void miss() {
    next_look_ = clock::now() + between_doubts;
    if (++missed_ == most_doubts) reader_->end(errc::closed, "the topic was deleted");
  }
  void follow(std::uint32_t count) {
    reader_->assign(all_of(count));
    follows_ = true;
  }
  std::vector<topic_partition> all_of(std::uint32_t count) const {
    std::vector<topic_partition> all;
    for (std::uint32_t id = 0; id < count; ++id) all.push_back({topic_, id});
    return all;
  }

  static constexpr std::chrono::seconds between_looks{10};
  static constexpr std::chrono::seconds longest_look{1};
  static constexpr std::chrono::seconds between_doubts{1};
  static constexpr int most_doubts = 5;

  std::string group_;
  bool may_subscribe_;
  std::string topic_;  // that it was made with
  bool follows_ = false;
  int missed_ = 0;  // looks in a row that have not found the topic
  clock::time_point next_look_ = clock::now() + between_looks;
  std::unique_ptr<reader> reader_;
};

template <class Value, class Key>
consumer(const topic<Value, Key>&, const consumer_options&, const property_map&) -> consumer<Value, Key>;
template <class Value, class Key, std::same_as<properties> Properties>
consumer(const topic<Value, Key>&, const Properties&) -> consumer<Value, Key>;
template <class Value, class Key>
consumer(const topic<Value, Key>&, const consumer_options&) -> consumer<Value, Key>;
template <class Value, class Key>
consumer(const topic<Value, Key>&) -> consumer<Value, Key>;

}  // namespace leat::kafka
