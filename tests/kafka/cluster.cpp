#include <leat/kafka/cluster.hpp>

#include "kafka/place.hpp"
#include "kafka/small_broker.hpp"
#include "support/catch.hpp"
#include "support/failure.hpp"

#include <leat/kafka/producer.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace kafka_cluster {

using kafka_tests::place;
using leat::errc;
using namespace std::chrono_literals;

constexpr std::int16_t list_offsets = 2;  // Kafka's number of the request

TEST_CASE("a time-out may be as long as one likes") {
  place p;
  leat::kafka::producer out{p.topic<std::string>("t")};
  (void)out.send("v").value();
  const std::chrono::nanoseconds timeout = GENERATE(std::chrono::nanoseconds(2h), std::chrono::nanoseconds::max());
  const auto patient = leat::kafka::store::open(p.cluster.servers(), {.timeout = timeout, .replication_factor = 1});
  const auto topic = patient.topic<std::string>("t", {.mode = leat::open_mode::open});
  rd_kafka_mock_push_request_errors(p.cluster.get(), list_offsets, 1, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
  CHECK(topic.end_offset(0) == 1);
  bool seen = false;
  patient.cluster()->wait_until([&] { return std::exchange(seen, true); }, "t", "never");

  const kafka_tests::small_broker broker(
      {.topic = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, .creation = RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS});
  const auto admin = leat::kafka::store::open(broker.servers(), {.timeout = timeout, .replication_factor = 1});
  CHECK(leat_tests::code_of([&] { (void)admin.topic<std::string>("t", {.mode = leat::open_mode::create}); }) ==
        errc::already_exists);
}

TEST_CASE("a topic whose partitions no broker names is waited for no longer than the time-out") {
  const kafka_tests::small_broker broker({.topic = RD_KAFKA_RESP_ERR_NO_ERROR, .creation = RD_KAFKA_RESP_ERR_NO_ERROR});
  const auto store = leat::kafka::store::open(broker.servers(), {.timeout = 1s, .replication_factor = 1});
  CHECK(leat_tests::code_of([&] { (void)store.raw_topic("t"); }) == errc::unreachable);
}

TEST_CASE("a topic that exists and is not seen is asked for with pauses and no longer than the time-out") {
  const kafka_tests::small_broker broker(
      {.topic = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, .creation = RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS});
  const auto store = leat::kafka::store::open(broker.servers(), {.timeout = 1s, .replication_factor = 1});
  CHECK(leat_tests::code_of([&] { (void)store.topic<std::string>("t", {.mode = leat::open_mode::create}); }) ==
        errc::already_exists);
  CHECK(leat_tests::code_of([&] { (void)store.topic<std::string>("t"); }) == errc::unreachable);
}

}  // namespace kafka_cluster
