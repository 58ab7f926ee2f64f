// librdkafka's admin requests: each is put on a queue, and its answer taken from there.
#pragma once

#include <leat/error.hpp>
#include <leat/kafka/cluster.hpp>
#include <leat/kafka/error.hpp>
#include <leat/kafka/partition_list.hpp>
#include <leat/types.hpp>

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace leat::kafka {

/// An object of librdkafka's with its destructor.
template <auto Destroy>
struct destroy_with {
  template <class T>
  void operator()(T* object) const noexcept {
    Destroy(object);
  }
};

using event_ptr = std::unique_ptr<rd_kafka_event_t, destroy_with<rd_kafka_event_destroy>>;
using queue_ptr = std::unique_ptr<rd_kafka_queue_t, destroy_with<rd_kafka_queue_destroy>>;

/// Sends a request with `submit(handle, options, queue)` and waits for its answer. Throws what went wrong with the whole of it;
/// its parts have errors of their own.
template <class Submit>
event_ptr ask(const cluster& of, rd_kafka_admin_op_t kind, const std::string& about, Submit&& submit) {
  rd_kafka_t* const handle = of.handle();
  const queue_ptr queue(rd_kafka_queue_new(handle));
  const std::unique_ptr<rd_kafka_AdminOptions_t, destroy_with<rd_kafka_AdminOptions_destroy>> options(
      rd_kafka_AdminOptions_new(handle, kind));
  constexpr int longest = 3'600'000;  // that librdkafka takes
  const int timeout = std::min(of.timeout(), longest);
  char reason[256];
  require(rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout, reason, sizeof reason), about);
  submit(handle, options.get(), queue.get());
  event_ptr answer(rd_kafka_queue_poll(queue.get(), of.timeout()));
  if (answer == nullptr) throw error(errc::unreachable, about, "no broker has answered in time");
  if (const auto failure = rd_kafka_event_error(answer.get()); failure != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw error(errc_of(failure), about, rd_kafka_event_error_string(answer.get()));
  }
  return answer;
}

/// Throws what a broker says of one topic.
inline void require_topics(const rd_kafka_topic_result_t* const* results, std::size_t count, const std::string& about) {
  for (const auto* r : std::span(results, count)) {
    const auto code = rd_kafka_topic_result_error(r);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const char* const text = rd_kafka_topic_result_error_string(r);
    throw error(errc_of(code), about, text != nullptr ? text : text_of(code));
  }
}

/// `replication`: -1 is the brokers' default.
inline void create_topic(const cluster& of, const std::string& name, std::uint32_t partitions, int replication,
                         const property_map& configuration) {
  const std::string about = of.where(name);
  char reason[512];
  std::unique_ptr<rd_kafka_NewTopic_t, destroy_with<rd_kafka_NewTopic_destroy>> topic(
      rd_kafka_NewTopic_new(name.c_str(), static_cast<int>(partitions), replication, reason, sizeof reason));
  if (topic == nullptr) throw error(errc::invalid_argument, about, reason);
  for (const auto& [key, value] : configuration) {
    require(rd_kafka_NewTopic_set_config(topic.get(), key.c_str(), value.c_str()), about, key);
  }
  std::array list{topic.get()};
  const event_ptr answer = ask(of, RD_KAFKA_ADMIN_OP_CREATETOPICS, about, [&](auto* rk, auto* how, auto* queue) {
    rd_kafka_CreateTopics(rk, list.data(), list.size(), how, queue);
  });
  std::size_t count = 0;
  const auto* result = rd_kafka_event_CreateTopics_result(answer.get());
  const auto* const* const topics = rd_kafka_CreateTopics_result_topics(result, &count);
  require_topics(topics, count, about);
}

inline void delete_topic(const cluster& of, const std::string& name) {
  const std::unique_ptr<rd_kafka_DeleteTopic_t, destroy_with<rd_kafka_DeleteTopic_destroy>> topic(
      rd_kafka_DeleteTopic_new(name.c_str()));
  std::array list{topic.get()};
  const event_ptr answer =
      ask(of, RD_KAFKA_ADMIN_OP_DELETETOPICS, of.where(name),
          [&](auto* rk, auto* how, auto* queue) { rd_kafka_DeleteTopics(rk, list.data(), list.size(), how, queue); });
  std::size_t count = 0;
  const auto* result = rd_kafka_event_DeleteTopics_result(answer.get());
  const auto* const* const topics = rd_kafka_DeleteTopics_result_topics(result, &count);
  require_topics(topics, count, of.where(name));
}

inline void create_partitions(const cluster& of, const std::string& name, std::uint32_t total) {
  char reason[512];
  const std::unique_ptr<rd_kafka_NewPartitions_t, destroy_with<rd_kafka_NewPartitions_destroy>> more(
      rd_kafka_NewPartitions_new(name.c_str(), total, reason, sizeof reason));
  if (more == nullptr) throw error(errc::invalid_argument, of.where(name), reason);
  std::array list{more.get()};
  const event_ptr answer = ask(
      of, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, of.where(name),
      [&](auto* rk, auto* how, auto* queue) { rd_kafka_CreatePartitions(rk, list.data(), list.size(), how, queue); });
  std::size_t count = 0;
  const auto* result = rd_kafka_event_CreatePartitions_result(answer.get());
  const auto* const* const topics = rd_kafka_CreatePartitions_result_topics(result, &count);
  require_topics(topics, count, of.where(name));
}

/// The new log start.
inline std::uint64_t delete_records(const cluster& of, const topic_partition& p, std::uint64_t before) {
  partition_list offsets;
  offsets.add(p, static_cast<std::int64_t>(before));
  const std::unique_ptr<rd_kafka_DeleteRecords_t, destroy_with<rd_kafka_DeleteRecords_destroy>> request(
      rd_kafka_DeleteRecords_new(offsets.get()));
  std::array list{request.get()};
  const std::string about = of.where(p.topic);
  const event_ptr answer = ask(of, RD_KAFKA_ADMIN_OP_DELETERECORDS, about, [&](auto* rk, auto* how, auto* queue) {
    rd_kafka_DeleteRecords(rk, list.data(), list.size(), how, queue);
  });
  const auto results = partition_list::entries_of(
      rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(answer.get())));
  if (results.empty()) throw error(errc::unreachable, about, "the broker says nothing of the partition");
  require(results[0].err, about, "deleting records of partition " + std::to_string(p.partition));
  return static_cast<std::uint64_t>(results[0].offset);
}

// --- configuration ----------------------------------------------------------------------------------------------------

struct topic_setting {
  std::string value;
  bool is_own = false;  // of the topic, and not a default of the brokers'
};

inline std::map<std::string, topic_setting> describe_configuration(const cluster& of, const std::string& name) {
  const std::unique_ptr<rd_kafka_ConfigResource_t, destroy_with<rd_kafka_ConfigResource_destroy>> topic(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
  if (topic == nullptr) throw error(errc::name_invalid, of.where(name), "a topic's name is not empty");
  std::array list{topic.get()};
  const event_ptr answer = ask(
      of, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, of.where(name),
      [&](auto* rk, auto* how, auto* queue) { rd_kafka_DescribeConfigs(rk, list.data(), list.size(), how, queue); });
  std::size_t count = 0;
  const auto* const* resources =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer.get()), &count);
  std::map<std::string, topic_setting> found;
  for (const auto* r : std::span(resources, count)) {
    require(rd_kafka_ConfigResource_error(r), of.where(name), "asking for its configuration");
    std::size_t entries = 0;
    const auto* const* list_of_entries = rd_kafka_ConfigResource_configs(r, &entries);
    for (const auto* e : std::span(list_of_entries, entries)) {
      const char* const value = rd_kafka_ConfigEntry_value(e);
      found[rd_kafka_ConfigEntry_name(e)] = {
          value != nullptr ? value : "", rd_kafka_ConfigEntry_source(e) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG};
    }
  }
  return found;
}

/// Those that the topic has of its own stay: librdkafka 2.0 can only replace all of them, so somebody else's change at the same
/// moment may be lost.
inline void alter_configuration(const cluster& of, const std::string& name, const property_map& changes) {
  const std::unique_ptr<rd_kafka_ConfigResource_t, destroy_with<rd_kafka_ConfigResource_destroy>> topic(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
  property_map all = changes;
  for (const auto& [key, setting] : describe_configuration(of, name)) {
    if (setting.is_own) all.try_emplace(key, setting.value);
  }
  for (const auto& [key, value] : all) {
    require(rd_kafka_ConfigResource_set_config(topic.get(), key.c_str(), value.c_str()), of.where(name), key);
  }
  std::array list{topic.get()};
  const event_ptr answer =
      ask(of, RD_KAFKA_ADMIN_OP_ALTERCONFIGS, of.where(name),
          [&](auto* rk, auto* how, auto* queue) { rd_kafka_AlterConfigs(rk, list.data(), list.size(), how, queue); });
  std::size_t count = 0;
  const auto* const* resources =
      rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(answer.get()), &count);
  for (const auto* r : std::span(resources, count)) {
    const auto code = rd_kafka_ConfigResource_error(r);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const char* const text = rd_kafka_ConfigResource_error_string(r);
    throw error(errc_of(code), of.where(name), text != nullptr ? text : text_of(code));
  }
}

// --- groups -----------------------------------------------------------------------------------------------------------

/// Names, in no order.
inline std::vector<std::string> list_groups(const cluster& of) {
  const event_ptr answer = ask(of, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, of.servers(),
                               [&](auto* rk, auto* how, auto* queue) { rd_kafka_ListConsumerGroups(rk, how, queue); });
  const auto* result = rd_kafka_event_ListConsumerGroups_result(answer.get());
  std::size_t count = 0;
  const auto* failures = rd_kafka_ListConsumerGroups_result_errors(result, &count);
  if (count != 0) {
    throw error(errc_of(rd_kafka_error_code(failures[0])), of.servers(), rd_kafka_error_string(failures[0]));
  }
  const auto* groups = rd_kafka_ListConsumerGroups_result_valid(result, &count);
  std::vector<std::string> names;
  for (const auto* g : std::span(groups, count)) names.emplace_back(rd_kafka_ConsumerGroupListing_group_id(g));
  return names;
}

/// Valid as long as the answer.
struct group_answer {
  event_ptr answer;
  const rd_kafka_ConsumerGroupDescription_t* group = nullptr;
};

/// Of a group that does not exist, Kafka gives an empty one that is dead.
inline group_answer describe_group(const cluster& of, const std::string& name) {
  const char* names[] = {name.c_str()};
  event_ptr answer =
      ask(of, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, of.where(name),
          [&](auto* rk, auto* how, auto* queue) { rd_kafka_DescribeConsumerGroups(rk, names, 1, how, queue); });
  std::size_t count = 0;
  const auto* groups =
      rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(answer.get()), &count);
  if (count == 0) throw error(errc::unreachable, of.where(name), "the broker says nothing of the group");
  if (const auto* failure = rd_kafka_ConsumerGroupDescription_error(groups[0])) {
    throw error(errc_of(rd_kafka_error_code(failure)), of.where(name), rd_kafka_error_string(failure));
  }
  return {std::move(answer), groups[0]};
}

struct group_commit {
  topic_partition at;
  std::uint64_t offset = 0;
  std::string metadata;
};

inline std::vector<group_commit> committed_offsets(const cluster& of, const std::string& group) {
  const std::unique_ptr<rd_kafka_ListConsumerGroupOffsets_t, destroy_with<rd_kafka_ListConsumerGroupOffsets_destroy>>
      request(rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), nullptr));
  std::array list{request.get()};
  const event_ptr answer =
      ask(of, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, of.where(group), [&](auto* rk, auto* how, auto* queue) {
        rd_kafka_ListConsumerGroupOffsets(rk, list.data(), list.size(), how, queue);
      });
  std::size_t count = 0;
  const auto* const* groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
      rd_kafka_event_ListConsumerGroupOffsets_result(answer.get()), &count);
  std::vector<group_commit> commits;
  for (const auto* g : std::span(groups, count)) {
    if (const auto* failure = rd_kafka_group_result_error(g)) {
      throw error(errc_of(rd_kafka_error_code(failure)), of.where(group), rd_kafka_error_string(failure));
    }
    for (const auto& entry : partition_list::entries_of(rd_kafka_group_result_partitions(g))) {
      if (entry.offset < 0) continue;
      commits.push_back({partition_list::name_of(entry),
                         static_cast<std::uint64_t>(entry.offset),
                         {static_cast<const char*>(entry.metadata), entry.metadata_size}});
    }
  }
  return commits;
}

/// Throws group_not_empty while the group has members: a broker takes nothing from those who are none then.
inline void alter_committed_offsets(const cluster& of, const std::string& group, const partition_list& offsets) {
  const std::unique_ptr<rd_kafka_AlterConsumerGroupOffsets_t, destroy_with<rd_kafka_AlterConsumerGroupOffsets_destroy>>
      request(rd_kafka_AlterConsumerGroupOffsets_new(group.c_str(), offsets.get()));
  std::array list{request.get()};
  const event_ptr answer =
      ask(of, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, of.where(group), [&](auto* rk, auto* how, auto* queue) {
        rd_kafka_AlterConsumerGroupOffsets(rk, list.data(), list.size(), how, queue);
      });
  // It says that the caller is no member, in one of several ways.
  const auto not_empty_for = [](errc code) { return code == errc::fenced ? errc::group_not_empty : code; };
  std::size_t count = 0;
  const auto* const* groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
      rd_kafka_event_AlterConsumerGroupOffsets_result(answer.get()), &count);
  for (const auto* g : std::span(groups, count)) {
    if (const auto* failure = rd_kafka_group_result_error(g)) {
      throw error(not_empty_for(errc_of(rd_kafka_error_code(failure))), of.where(group),
                  rd_kafka_error_string(failure));
    }
    for (const auto& entry : partition_list::entries_of(rd_kafka_group_result_partitions(g))) {
      if (entry.err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      throw error(not_empty_for(errc_of(entry.err)), of.where(group), text_of(entry.err));
    }
  }
}

/// Throws not_found, group_not_empty.
inline void delete_group(const cluster& of, const std::string& group) {
  const std::unique_ptr<rd_kafka_DeleteGroup_t, destroy_with<rd_kafka_DeleteGroup_destroy>> request(
      rd_kafka_DeleteGroup_new(group.c_str()));
  std::array list{request.get()};
  const event_ptr answer =
      ask(of, RD_KAFKA_ADMIN_OP_DELETEGROUPS, of.where(group),
          [&](auto* rk, auto* how, auto* queue) { rd_kafka_DeleteGroups(rk, list.data(), list.size(), how, queue); });
  std::size_t count = 0;
  const auto* const* groups =
      rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(answer.get()), &count);
  for (const auto* g : std::span(groups, count)) {
    if (const auto* failure = rd_kafka_group_result_error(g)) {
      throw error(errc_of(rd_kafka_error_code(failure)), of.where(group), rd_kafka_error_string(failure));
    }
  }
}

}  // namespace leat::kafka
