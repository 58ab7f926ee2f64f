// A mock cluster and a store on it.
#pragma once

#include "support/mock_cluster.hpp"

#include <leat/kafka/store.hpp>

#include <cstdint>
#include <string>

namespace kafka_tests {

struct place {
  leat_tests::mock_cluster cluster;
  leat::kafka::store store = leat::kafka::store::open(cluster.servers());

  /// The mock cluster does not create topics that are asked for.
  template <class Value, class Key = std::string>
  leat::kafka::topic<Value, Key> topic(const std::string& name, std::uint32_t partitions = 1) {
    cluster.create_topic(name, partitions);
    return store.topic<Value, Key>(name, {.mode = leat::open_mode::open});
  }
};

}  // namespace kafka_tests
