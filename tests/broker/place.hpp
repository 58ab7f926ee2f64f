// A store on the real Kafka that LEAT_KAFKA_BROKERS names, and names that nobody else has there. Without one, nothing is run.
#pragma once

#include "support/catch.hpp"

#include <leat/kafka/store.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>

namespace broker_tests {

inline const char* servers() { return std::getenv("LEAT_KAFKA_BROKERS"); }

inline const bool asked_first = (leat_tests::why_nothing_runs = []() -> std::string {
  return servers() != nullptr ? "" : "LEAT_KAFKA_BROKERS has no broker's address: ./run kafka starts one";
}, true);

struct place {
  place() {
    std::random_device random;
    char text[40];
    std::snprintf(text, sizeof text, "b%08x%08x.", random(), random());
    prefix = text;
  }

  std::string name(const std::string& what) const { return prefix + what; }

  template <class Condition>
  void until(Condition&& holds) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("waited in vain");
    }
  }

  std::string prefix;
  leat::kafka::store store = leat::kafka::store::open(servers());
};

}  // namespace broker_tests
