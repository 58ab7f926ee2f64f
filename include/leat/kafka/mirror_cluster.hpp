// What a mirror asks a Kafka cluster beside producing and consuming: its id, topics and their limits, where partitions end, a
// single record, the offsets of groups.
//
// Each question waits for a bounded time, and throws errc::unreachable where nobody has answered. Nothing is asked when it is made:
// a mirror waits for brokers that are away.
//
// Threads    one at a time.
#pragma once

#include <leat/error.hpp>
#include <leat/kafka/admin_calls.hpp>
#include <leat/kafka/client.hpp>
#include <leat/kafka/cluster.hpp>
#include <leat/kafka/error.hpp>
#include <leat/kafka/message.hpp>
#include <leat/kafka/partition_list.hpp>
#include <leat/types.hpp>

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
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

  mirror_cluster(const std::string& servers, const property_map& properties)
      : kafka_(servers, {.properties = properties, .timeout = std::chrono::seconds(5)}) {}

  /// What the cluster calls itself. Never the same for two.
  std::string id() const {
    char* const id = rd_kafka_clusterid(kafka_.handle(), kafka_.timeout());
    if (id == nullptr) throw error(errc::unreachable, kafka_.servers(), "no broker has told the id of its cluster");
    std::string copy = id;
    rd_kafka_mem_free(kafka_.handle(), id);
    return copy;
  }

  std::map<std::string, std::uint32_t> topics() const { return kafka_.topics(); }
  std::optional<std::uint32_t> partitions(const std::string& topic) const { return kafka_.partitions(topic); }

  /// Unless it is there already.
  void create_topic(const std::string& topic, std::uint32_t partitions, std::int32_t replication,
                    const property_map& config) const {
    try {
      kafka::create_topic(kafka_, topic, partitions, replication, config);
    } catch (const error& e) {
      if (e.code() != errc::already_exists) throw;
    }
  }

  /// A setting of a topic as it is in force. Empty: the broker does not tell.
  std::optional<std::string> setting(const std::string& topic, const std::string& name) const {
    try {
      const auto all = describe_configuration(kafka_, topic);
      if (const auto found = all.find(name); found != all.end() && !found->second.value.empty()) {
        return found->second.value;
      }
    } catch (const error& e) {
      if (e.code() != errc::unsupported && e.code() != errc::permission_denied && e.code() != errc::not_found) throw;
    }
    return std::nullopt;
  }

  range offsets(const std::string& topic, std::uint32_t partition) const {
    const watermarks w = kafka_.offsets({topic, partition});
    return {static_cast<std::int64_t>(w.start), static_cast<std::int64_t>(w.end)};
  }

  // --- groups ---

  std::vector<std::string> groups() const { return list_groups(kafka_); }

  /// What a group has committed, with its metadata.
  std::map<topic_partition, std::pair<std::int64_t, std::string>> committed(const std::string& group) const {
    std::map<topic_partition, std::pair<std::int64_t, std::string>> found;
    for (group_commit& c : committed_offsets(kafka_, group)) {
      found[c.at] = {static_cast<std::int64_t>(c.offset), std::move(c.metadata)};
    }
    return found;
  }

  /// Throws group_not_empty while it has members.
  void commit(const std::string& group,
              const std::map<topic_partition, std::pair<std::int64_t, std::string>>& offsets) const {
    partition_list wanted(offsets.size());
    for (const auto& [at, what] : offsets) wanted.add(at, what.first, what.second);
    alter_committed_offsets(kafka_, group, wanted);
  }

 private:
  kafka::cluster kafka_;
};

/// Reads single records, each on its own: for a look at what is there already.
class record_peek {
 public:
  record_peek(const std::string& servers, const property_map& properties) {
    configuration conf;
    conf.set(properties);
    conf.set("group.id", "leat-mirror-peek");
    conf.set("enable.auto.commit", "false");
    conf.set("enable.partition.eof", "true");
    conf.set("auto.offset.reset", "error");
    conf.set("isolation.level", "read_uncommitted");
    client_ = std::make_unique<client>(RD_KAFKA_CONSUMER, std::move(conf), servers, nullptr);
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
