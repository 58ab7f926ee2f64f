// What a mirror asks a Kafka cluster beside producing and consuming: its id, topics and their limits, where partitions end, a
// single record, the offsets of groups.
//
// Each question waits for a bounded time, and throws errc::unreachable where nobody has answered.
//
// Threads    one at a time.
#pragma once

#include <leat/error.hpp>
#include <leat/kafka/client.hpp>
#include <leat/kafka/error.hpp>
#include <leat/kafka/message.hpp>
#include <leat/kafka/partition_list.hpp>
#include <leat/types.hpp>

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace leat::kafka {

class mirror_cluster {
 public:
  /// The offsets from the first record that is there to the one behind the last.
  struct range {
    std::int64_t begin = 0;
    std::int64_t end = 0;
  };

  /// `context`: for what librdkafka logs; must outlive this.
  mirror_cluster(const std::string& servers, const property_map& properties, client_context* context)
      : servers_(servers), client_(make(servers, properties, context)) {}

  /// What the cluster calls itself. Never the same for two.
  std::string id() const {
    char* const id = rd_kafka_clusterid(client_->get(), patience);
    if (id == nullptr) throw error(errc::unreachable, servers_, "no broker has told the id of its cluster");
    std::string copy = id;
    rd_kafka_mem_free(client_->get(), id);
    return copy;
  }

  /// Names of all topics, with the number of their partitions; not Kafka's own ones.
  std::map<std::string, std::uint32_t> topics() const {
    std::map<std::string, std::uint32_t> found;
    for_topics(nullptr, [&](const rd_kafka_metadata_topic_t& t) {
      if (t.err == RD_KAFKA_RESP_ERR_NO_ERROR && std::string_view(t.topic).substr(0, 2) != "__") {
        found[t.topic] = static_cast<std::uint32_t>(t.partition_cnt);
      }
    });
    return found;
  }

  /// Empty: there is no such topic.
  std::optional<std::uint32_t> partitions(const std::string& topic) const {
    const std::unique_ptr<rd_kafka_topic_t, void (*)(rd_kafka_topic_t*)> handle(
        rd_kafka_topic_new(client_->get(), topic.c_str(), nullptr), rd_kafka_topic_destroy);
    if (handle == nullptr) throw_error(rd_kafka_last_error(), topic, "its partitions cannot be asked for");
    std::optional<std::uint32_t> found;
    for_topics(handle.get(), [&](const rd_kafka_metadata_topic_t& t) {
      if (t.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return;
      require(t.err, topic, "its partitions cannot be asked for");
      found = static_cast<std::uint32_t>(t.partition_cnt);
    });
    return found;
  }

  /// False: it was there already.
  bool create_topic(const std::string& topic, std::uint32_t partitions, std::int32_t replication,
                    const std::map<std::string, std::string>& config) const {
    char reason[512] = "";
    const std::unique_ptr<rd_kafka_NewTopic_t, void (*)(rd_kafka_NewTopic_t*)> wanted(
        rd_kafka_NewTopic_new(topic.c_str(), static_cast<int>(partitions), replication, reason, sizeof reason),
        rd_kafka_NewTopic_destroy);
    if (wanted == nullptr) throw error(errc::invalid_argument, topic, reason);
    for (const auto& [name, value] : config) {
      require(rd_kafka_NewTopic_set_config(wanted.get(), name.c_str(), value.c_str()), topic, name);
    }
    rd_kafka_NewTopic_t* list[] = {wanted.get()};
    const event answer = ask(topic, "it cannot be made", [&](rd_kafka_AdminOptions_t* o, rd_kafka_queue_t* q) {
      rd_kafka_CreateTopics(client_->get(), list, 1, o, q);
    });
    std::size_t count = 0;
    const auto* const result = rd_kafka_event_CreateTopics_result(answer.get());
    const auto* const* const topics = rd_kafka_CreateTopics_result_topics(result, &count);
    if (count != 1) throw error(errc::system, topic, "the broker has not said whether it was made");
    const auto failure = rd_kafka_topic_result_error(topics[0]);
    if (failure == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return false;
    const char* const text = rd_kafka_topic_result_error_string(topics[0]);
    require(failure, topic, text == nullptr ? "" : text);
    return true;
  }

  /// A setting of a topic as it is in force. Empty: the broker does not tell.
  std::optional<std::string> setting(const std::string& topic, const std::string& name) const {
    const std::unique_ptr<rd_kafka_ConfigResource_t, void (*)(rd_kafka_ConfigResource_t*)> resource(
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()), rd_kafka_ConfigResource_destroy);
    rd_kafka_ConfigResource_t* list[] = {resource.get()};
    try {
      const event answer =
          ask(topic, "its settings cannot be asked for", [&](rd_kafka_AdminOptions_t* o, rd_kafka_queue_t* q) {
            rd_kafka_DescribeConfigs(client_->get(), list, 1, o, q);
          });
      std::size_t count = 0;
      const auto* const result = rd_kafka_event_DescribeConfigs_result(answer.get());
      const auto* const* const resources = rd_kafka_DescribeConfigs_result_resources(result, &count);
      if (count != 1) return std::nullopt;
      std::size_t entries = 0;
      const auto* const* const configs = rd_kafka_ConfigResource_configs(resources[0], &entries);
      for (std::size_t i = 0; i < entries; ++i) {
        const char* const value = rd_kafka_ConfigEntry_value(configs[i]);
        if (rd_kafka_ConfigEntry_name(configs[i]) == name && value != nullptr) return value;
      }
    } catch (const error& e) {
      if (e.code() != errc::unsupported && e.code() != errc::permission_denied) throw;
    }
    return std::nullopt;
  }

  range offsets(const std::string& topic, std::uint32_t partition) const {
    range found;
    require(rd_kafka_query_watermark_offsets(client_->get(), topic.c_str(), static_cast<std::int32_t>(partition),
                                             &found.begin, &found.end, patience),
            topic + '[' + std::to_string(partition) + ']', "its offsets cannot be asked for");
    return found;
  }

  // --- groups ---

  std::vector<std::string> groups() const {
    const rd_kafka_group_list* list = nullptr;
    const auto failure = rd_kafka_list_groups(client_->get(), nullptr, &list, patience);
    if (list == nullptr) throw_error(failure, servers_, "groups cannot be listed");
    std::vector<std::string> names;
    for (int i = 0; i < list->group_cnt; ++i) names.emplace_back(list->groups[i].group);
    rd_kafka_group_list_destroy(list);
    require(failure, servers_, "groups cannot be listed");
    return names;
  }

  /// What a group has committed of these partitions, with its metadata; what it has not is left out.
  std::map<topic_partition, std::pair<std::int64_t, std::string>> committed(
      const std::string& group, const std::vector<topic_partition>& partitions) const {
    partition_list wanted(partitions.size());
    for (const topic_partition& p : partitions) wanted.add(p);
    rd_kafka_ListConsumerGroupOffsets_t* query[] = {rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), wanted.get())};
    const std::unique_ptr<rd_kafka_ListConsumerGroupOffsets_t, void (*)(rd_kafka_ListConsumerGroupOffsets_t*)> owned(
        query[0], rd_kafka_ListConsumerGroupOffsets_destroy);
    const event answer =
        ask(group, "its offsets cannot be asked for", [&](rd_kafka_AdminOptions_t* o, rd_kafka_queue_t* q) {
          rd_kafka_ListConsumerGroupOffsets(client_->get(), query, 1, o, q);
        });
    std::map<topic_partition, std::pair<std::int64_t, std::string>> found;
    for (const auto& entry : result_of(rd_kafka_ListConsumerGroupOffsets_result_groups,
                                       rd_kafka_event_ListConsumerGroupOffsets_result, answer, group)) {
      if (entry.err != RD_KAFKA_RESP_ERR_NO_ERROR || entry.offset < 0) continue;
      found[partition_list::name_of(entry)] = {entry.offset, text_of_metadata(entry)};
    }
    return found;
  }

  /// Throws group_not_empty while it has members.
  void commit(const std::string& group,
              const std::map<topic_partition, std::pair<std::int64_t, std::string>>& offsets) const {
    partition_list wanted(offsets.size());
    for (const auto& [at, what] : offsets) wanted.add(at, what.first, what.second);
    rd_kafka_AlterConsumerGroupOffsets_t* query[] = {
        rd_kafka_AlterConsumerGroupOffsets_new(group.c_str(), wanted.get())};
    const std::unique_ptr<rd_kafka_AlterConsumerGroupOffsets_t, void (*)(rd_kafka_AlterConsumerGroupOffsets_t*)> owned(
        query[0], rd_kafka_AlterConsumerGroupOffsets_destroy);
    const event answer = ask(group, "its offsets cannot be set", [&](rd_kafka_AdminOptions_t* o, rd_kafka_queue_t* q) {
      rd_kafka_AlterConsumerGroupOffsets(client_->get(), query, 1, o, q);
    });
    for (const auto& entry : result_of(rd_kafka_AlterConsumerGroupOffsets_result_groups,
                                       rd_kafka_event_AlterConsumerGroupOffsets_result, answer, group)) {
      // A group with members refuses commits of those who are none.
      if (entry.err == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID || entry.err == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
          entry.err == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS) {
        throw error(errc::group_not_empty, group, "the group has members in Kafka");
      }
      require(entry.err, group, "its offsets cannot be set");
    }
  }

  const std::string& servers() const noexcept { return servers_; }

 private:
  static constexpr int patience = 5000;  // milliseconds

  struct event_deleter {
    void operator()(rd_kafka_event_t* e) const noexcept { rd_kafka_event_destroy(e); }
  };
  using event = std::unique_ptr<rd_kafka_event_t, event_deleter>;

  /// A consumer: unlike a producer, it makes no topics by asking for them.
  static std::unique_ptr<client> make(const std::string& servers, const property_map& properties,
                                      client_context* context) {
    configuration conf;
    conf.set(properties);
    conf.set("allow.auto.create.topics", "false");
    return std::make_unique<client>(RD_KAFKA_CONSUMER, std::move(conf), servers, context);
  }

  template <class Look>
  void for_topics(rd_kafka_topic_t* only, const Look& look) const {
    const rd_kafka_metadata_t* metadata = nullptr;
    require(rd_kafka_metadata(client_->get(), only == nullptr ? 1 : 0, only, &metadata, patience), servers_,
            "topics cannot be listed");
    const std::unique_ptr<const rd_kafka_metadata_t, void (*)(const rd_kafka_metadata_t*)> owned(
        metadata, rd_kafka_metadata_destroy);
    for (int i = 0; i < metadata->topic_cnt; ++i) look(metadata->topics[i]);
  }

  /// Sends a request of the administration, and waits for its answer.
  template <class Send>
  event ask(const std::string& where, const std::string& what, const Send& send) const {
    const std::unique_ptr<rd_kafka_queue_t, void (*)(rd_kafka_queue_t*)> queue(rd_kafka_queue_new(client_->get()),
                                                                               rd_kafka_queue_destroy);
    const std::unique_ptr<rd_kafka_AdminOptions_t, void (*)(rd_kafka_AdminOptions_t*)> options(
        rd_kafka_AdminOptions_new(client_->get(), RD_KAFKA_ADMIN_OP_ANY), rd_kafka_AdminOptions_destroy);
    char reason[512];
    require(rd_kafka_AdminOptions_set_request_timeout(options.get(), patience, reason, sizeof reason), where, what);
    send(options.get(), queue.get());
    event answer(rd_kafka_queue_poll(queue.get(), 2 * patience));
    if (answer == nullptr) throw error(errc::unreachable, where, what + ": no broker has answered");
    if (const auto failure = rd_kafka_event_error(answer.get()); failure != RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw error(errc_of(failure), where, what + ": " + rd_kafka_event_error_string(answer.get()));
    }
    return answer;
  }

  /// The partitions of the only group that was asked for.
  template <class Groups, class Result>
  static std::span<rd_kafka_topic_partition_t> result_of(const Groups& groups, const Result& result,
                                                         const event& answer, const std::string& group) {
    std::size_t count = 0;
    const rd_kafka_group_result_t** const list = groups(result(answer.get()), &count);
    if (count != 1) throw error(errc::system, group, "the broker has said nothing of the group");
    if (const rd_kafka_error_t* const failure = rd_kafka_group_result_error(list[0])) {
      const auto code = rd_kafka_error_code(failure);
      const bool has_members = code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID || code == RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP;
      throw error(has_members ? errc::group_not_empty : errc_of(code), group, rd_kafka_error_string(failure));
    }
    return partition_list::entries_of(rd_kafka_group_result_partitions(list[0]));
  }

  static std::string text_of_metadata(const rd_kafka_topic_partition_t& entry) {
    return entry.metadata == nullptr ? std::string()
                                     : std::string(static_cast<const char*>(entry.metadata), entry.metadata_size);
  }

  std::string servers_;
  std::unique_ptr<client> client_;
};

/// Reads single records, each on its own: for a look at what is there already.
class record_peek {
 public:
  record_peek(const std::string& servers, const property_map& properties, client_context* context) {
    configuration conf;
    conf.set(properties);
    conf.set("group.id", "leat-mirror-peek");
    conf.set("enable.auto.commit", "false");
    conf.set("enable.partition.eof", "true");
    conf.set("auto.offset.reset", "error");
    conf.set("isolation.level", "read_uncommitted");
    client_ = std::make_unique<client>(RD_KAFKA_CONSUMER, std::move(conf), servers, context);
    require(rd_kafka_poll_set_consumer(client_->get()), servers);
  }
  ~record_peek() { rd_kafka_consumer_close(client_->get()); }
  record_peek(const record_peek&) = delete;
  record_peek& operator=(const record_peek&) = delete;

  /// Empty: there is no record at that offset any more (or never was). Throws unreachable.
  message_ptr at(const topic_partition& p, std::int64_t offset) {
    partition_list list;
    list.add(p, offset);
    require(rd_kafka_assign(client_->get(), list.get()), p.topic, "a record cannot be read");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    message_ptr found;
    for (;;) {
      message_ptr m(rd_kafka_consumer_poll(client_->get(), 100));
      if (m != nullptr && m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (m->offset < offset) continue;
        if (m->offset == offset) found = std::move(m);
        break;
      }
      const bool is_past = m != nullptr && (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
                                            m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                                            m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
      if (is_past) break;
      if (std::chrono::steady_clock::now() > deadline) {
        throw error(errc::unreachable, p.topic, "the record at offset " + std::to_string(offset) + " cannot be read");
      }
    }
    rd_kafka_assign(client_->get(), nullptr);
    return found;
  }

 private:
  std::unique_ptr<client> client_;
};

}  // namespace leat::kafka
