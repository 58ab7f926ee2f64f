// Administration of a Kafka cluster by leat's names: as leat::admin, without what there is for files (segments, verify, clean),
// and without apply_retention and flush, which brokers do by themselves.
//
// Threads    any number at once.
#pragma once

#include <leat/admin.hpp>
#include <leat/error.hpp>
#include <leat/kafka/admin_calls.hpp>
#include <leat/kafka/cluster.hpp>
#include <leat/kafka/partition_list.hpp>
#include <leat/kafka/store.hpp>
#include <leat/kafka/topic.hpp>
#include <leat/kafka/topic_configuration.hpp>
#include <leat/options.hpp>
#include <leat/types.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace leat::kafka {

struct member_description {
  std::string id;
  std::string instance_id;  // of a static member
  std::string client_id;
  std::string host;
  bool alive;  // a broker knows of no other members
  std::vector<topic_partition> partitions;
};

struct group_description {
  std::string name;
  std::string assignor;  // of its members; empty: it has none
  std::vector<member_description> members;
  std::vector<group_offset> offsets;  // where it has committed or owns something
};

class admin {
 public:
  explicit admin(kafka::store store) : store_(std::move(store)) {}

  const kafka::store& store() const noexcept { return store_; }

  // --- topics ---

  /// Throws already_exists, and as store::topic() for options that cannot be.
  void create_topic(const std::string& name, topic_options options = {}) const {
    options.mode = open_mode::create;
    (void)store_.topic<bytes_view, bytes_view>(name, options);
  }

  std::vector<std::string> topics() const { return store_.topics(); }
  topic_description describe_topic(const std::string& name) const { return store_.describe_topic(name); }

  /// Throws not_found, invalid_argument, unsupported.
  void alter_topic(const std::string& name, const topic_changes& changes) const {
    (void)of().existing_partitions(name);
    const property_map wanted = configuration_of(changes, of().where(name));
    if (!wanted.empty()) alter_configuration(of(), name, wanted);
  }

  /// Makes it `total` partitions. Keys may go to other partitions from then on. Throws invalid_argument for fewer than there
  /// are.
  void add_partitions(const std::string& name, std::uint32_t total) const {
    const std::uint32_t have = of().existing_partitions(name);
    if (total < have) {
      throw error(errc::invalid_argument, of().where(name),
                  "partitions is " + std::to_string(total) + ", expected at least the " + std::to_string(have) +
                      " that there are: partitions cannot be taken away");
    }
    if (total == have) return;  // which Kafka takes for an error
    create_partitions(of(), name, total);
    of().wait_until([&] { return of().partitions(name) == total; }, name, "the partitions are added, but not seen yet");
  }

  /// False when there is none.
  bool delete_topic(const std::string& name) const { return store_.remove_topic(name); }

  /// Records below `before` (at most the end) are gone for readers. The new log start.
  std::uint64_t delete_records(const topic_partition& p, std::uint64_t before) const {
    const watermarks w = of().offsets(p);
    if (before <= w.start) return w.start;
    return kafka::delete_records(of(), p, std::min(before, w.end));
  }

  std::optional<std::uint64_t> offset_for_time(const topic_partition& p, timestamp time) const {
    return of().offset_for_time(p, time);
  }

  // --- groups ---

  /// Names of the groups, sorted: those with members, and those that have committed.
  std::vector<std::string> groups() const {
    std::vector<std::string> names = list_groups(of());
    std::sort(names.begin(), names.end());
    return names;
  }

  /// Throws not_found.
  group_description describe_group(const std::string& name) const {
    const group_answer found = kafka::describe_group(of(), name);
    const auto state = rd_kafka_ConsumerGroupDescription_state(found.group);
    if (state == RD_KAFKA_CONSUMER_GROUP_STATE_DEAD) throw error(errc::not_found, of().where(name), "no such group");
    group_description d{name, rd_kafka_ConsumerGroupDescription_partition_assignor(found.group), {}, {}};
    std::map<topic_partition, std::string> owners;
    for (std::size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(found.group); ++i) {
      const auto* const m = rd_kafka_ConsumerGroupDescription_member(found.group, i);
      const char* const instance = rd_kafka_MemberDescription_group_instance_id(m);
      const auto* const assigned = rd_kafka_MemberDescription_assignment(m);
      member_description member{rd_kafka_MemberDescription_consumer_id(m),
                                instance != nullptr ? instance : "",
                                rd_kafka_MemberDescription_client_id(m),
                                rd_kafka_MemberDescription_host(m),
                                true,
                                {}};
      if (assigned != nullptr)
        member.partitions = partition_list::names_of(rd_kafka_MemberAssignment_partitions(assigned));
      for (const auto& p : member.partitions) owners[p] = member.id;
      d.members.push_back(std::move(member));
    }
    for (group_commit& c : committed_offsets(of(), name)) {
      const watermarks w = of().offsets(c.at);
      const auto owner = owners.extract(c.at);
      d.offsets.push_back({c.at, c.offset, std::move(c.metadata), w.start, w.end,
                           w.end - std::min(w.end, std::max(c.offset, w.start)),
                           owner.empty() ? std::string() : owner.mapped()});
    }
    for (const auto& [p, owner] : owners) {  // where nothing is committed yet
      const watermarks w = of().offsets(p);
      d.offsets.push_back({p, std::nullopt, {}, w.start, w.end, w.end - w.start, owner});
    }
    std::sort(d.offsets.begin(), d.offsets.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    return d;
  }

  /// Puts the group somewhere else in these partitions of a topic, or in all of them; the new offsets. Throws
  /// group_not_empty while it has members, and invalid_argument.
  std::vector<group_offset> reset_offsets(const std::string& name, const std::string& topic, const reset_target& target,
                                          std::vector<std::uint32_t> partitions = {}) const {
    require_empty(name);
    if (partitions.empty()) {
      const std::uint32_t count = of().existing_partitions(topic);
      for (std::uint32_t id = 0; id < count; ++id) partitions.push_back(id);
    }
    std::map<topic_partition, std::uint64_t> committed;
    if (std::holds_alternative<shift_by>(target)) {
      for (const group_commit& c : committed_offsets(of(), name)) committed[c.at] = c.offset;
    }
    std::vector<group_offset> result;
    partition_list offsets(partitions.size());
    for (const std::uint32_t id : partitions) {
      const topic_partition p{topic, id};
      const watermarks w = of().offsets(p);
      const auto found = committed.find(p);
      const std::uint64_t to =
          resolve(target, p, w, found == committed.end() ? std::nullopt : std::optional(found->second));
      offsets.add(p, static_cast<std::int64_t>(to));
      result.push_back({p, to, {}, w.start, w.end, w.end - std::min(w.end, to), {}});
    }
    alter_committed_offsets(of(), name, offsets);
    return result;
  }

  /// Deletes a group with all that it has committed; false when there is none. Throws group_not_empty.
  bool delete_group(const std::string& name) const {
    try {
      kafka::delete_group(of(), name);
      return true;
    } catch (const error& e) {
      if (e.code() == errc::not_found) return false;
      throw;
    }
  }

 private:
  const cluster& of() const noexcept { return *store_.cluster(); }

  /// A broker would refuse, too, but with one of several names for it.
  void require_empty(const std::string& name) const {
    const group_answer found = kafka::describe_group(of(), name);
    if (rd_kafka_ConsumerGroupDescription_member_count(found.group) == 0) return;
    throw error(errc::group_not_empty, of().where(name), "a group with members cannot be put elsewhere");
  }

  std::uint64_t resolve(const reset_target& target, const topic_partition& p, const watermarks& w,
                        const std::optional<std::uint64_t>& committed) const {
    return std::visit(
        [&](const auto& to) -> std::uint64_t {
          using T = std::decay_t<decltype(to)>;
          if constexpr (std::is_same_v<T, to_earliest>) {
            return w.start;
          } else if constexpr (std::is_same_v<T, to_latest>) {
            return w.end;
          } else if constexpr (std::is_same_v<T, to_time>) {
            return offset_for_time(p, to.time).value_or(w.end);
          } else if constexpr (std::is_same_v<T, to_offset>) {
            return std::clamp(to.offset, w.start, w.end);
          } else {
            return shifted(w, committed, to.records);
          }
        },
        target);
  }

  static std::uint64_t shifted(const watermarks& w, const std::optional<std::uint64_t>& committed, std::int64_t by) {
    const std::uint64_t from = committed.value_or(w.start);
    if (by >= 0) return std::clamp(from + std::min(static_cast<std::uint64_t>(by), w.end), w.start, w.end);
    const auto back = static_cast<std::uint64_t>(-(by + 1)) + 1;
    return std::clamp(from - std::min(from, back), w.start, w.end);
  }

  kafka::store store_;
};

}  // namespace leat::kafka
