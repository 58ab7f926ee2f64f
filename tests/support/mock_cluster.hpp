// librdkafka's mock cluster: a broker on a loopback port, in a thread of this process.
//
// What the one of librdkafka 2.0.2 cannot do, and what therefore only a real broker can judge, is said in docs/kafka.md.
// Fork no process while it lives: its threads stay behind.
#pragma once

#include <leat/kafka/client.hpp>
#include <leat/kafka/error.hpp>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace leat_tests {

class mock_cluster {
 public:
  explicit mock_cluster(int brokers = 1) {
    leat::kafka::configuration conf;
    conf.set("test.mock.num.brokers", std::to_string(brokers));
    keeper_ = std::make_unique<leat::kafka::client>(RD_KAFKA_PRODUCER, std::move(conf), "", nullptr);
    cluster_ = rd_kafka_handle_mock_cluster(keeper_->get());
  }

  /// What a client is given as bootstrap.servers.
  std::string servers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }

  void create_topic(const std::string& name, std::uint32_t partitions = 1) {
    leat::kafka::require(rd_kafka_mock_topic_create(cluster_, name.c_str(), static_cast<int>(partitions), 1), name,
                         "the mock cluster does not create it");
  }

  /// For what else it can: errors, delays.
  rd_kafka_mock_cluster_t* get() const noexcept { return cluster_; }

 private:
  std::unique_ptr<leat::kafka::client> keeper_;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace leat_tests
