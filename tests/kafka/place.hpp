// A mock cluster and a store on it; and what a consumer reads there.
#pragma once

#include "support/mock_cluster.hpp"

#include <leat/kafka/store.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

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

/// Polls until so many values have come, for a minute at most.
template <class Consumer>
std::vector<std::string> read(Consumer& in, std::size_t count) {
  std::vector<std::string> values;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (values.size() < count && std::chrono::steady_clock::now() < deadline) {
    for (const auto& r : in.poll(std::chrono::milliseconds(100))) values.emplace_back(r.value());
  }
  return values;
}

}  // namespace kafka_tests
