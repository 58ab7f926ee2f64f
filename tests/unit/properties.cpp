#include <leat/properties.hpp>

#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include "support/catch.hpp"
#include "support/failure.hpp"

#include <chrono>
#include <string>

namespace unit_properties {

using leat::errc;
using leat::properties;
using namespace std::chrono_literals;

TEST_CASE("a consumer's properties become its options") {
  const leat::consumer_options o =
      properties{{"group.id", "risk"},
                 {"group.instance.id", "a"},
                 {"client.id", "c"},
                 {"auto.offset.reset", "earliest"},
                 {"enable.auto.commit", "false"},
                 {"auto.commit.interval.ms", "100"},
                 {"max.poll.records", "7"},
                 {"max.poll.interval.ms", "60000"},
                 {"session.timeout.ms", "10000"},
                 {"partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor, ..."},
                 {"isolation.level", "read_committed"},
                 {"bootstrap.servers", "localhost:9092"},
                 {"fetch.min.bytes", "1"}};
  CHECK(o.group == "risk");
  CHECK(o.group_instance_id == "a");
  CHECK(o.client_id == "c");
  CHECK(o.auto_offset_reset == leat::offset_reset::earliest);
  CHECK_FALSE(o.enable_auto_commit);
  CHECK(o.auto_commit_interval == 100ms);
  CHECK(o.max_poll_records == 7);
  CHECK(o.max_poll_interval == 60s);
  CHECK(o.session_timeout == 10s);
  CHECK(o.assignor->name == "range");
}

TEST_CASE("what is unset keeps its default") {
  const leat::consumer_options o = properties{};
  CHECK(o.auto_offset_reset == leat::offset_reset::latest);
  CHECK(o.max_poll_records == 500);
  CHECK(o.session_timeout == 45s);
  CHECK(o.max_poll_interval == 300s);
  CHECK(o.auto_commit_interval == 5s);
  CHECK(o.enable_auto_commit);
}

TEST_CASE("a topic's properties become its options") {
  const leat::topic_options o =
      properties{{"num.partitions", "3"},    {"retention.ms", "-1"},        {"retention.bytes", "65536"},
                 {"segment.bytes", "16384"}, {"max.message.bytes", "1000"}, {"message.timestamp.type", "LogAppendTime"},
                 {"flush.messages", "1"},    {"cleanup.policy", "delete"}};
  CHECK(o.partitions == 3u);
  CHECK(o.retention.time == leat::forever);
  CHECK(o.retention.bytes == 65536u);
  CHECK(o.segment_bytes == 16384u);
  CHECK(o.max_record_bytes == 1000u);
  CHECK(o.timestamps == leat::timestamp_type::log_append_time);
  CHECK(o.durability == leat::durability::every);
  const leat::topic_options by_time =
      properties{{"flush.ms", "50"}, {"retention.ms", "1500"}, {"retention.bytes", "-1"}};
  CHECK(by_time.durability == leat::durability::interval);
  CHECK(by_time.flush.interval == std::chrono::nanoseconds(50ms));
  CHECK(by_time.retention.time == std::chrono::nanoseconds(1500ms));
  CHECK(by_time.retention.bytes == leat::unlimited);
}

TEST_CASE("producers have properties too") {
  const properties p{{"max.block.ms", "5"}, {"acks", "all"}, {"linger.ms", "5"}, {"delivery.timeout.ms", "1000"}};
  CHECK(leat::producer_options(p).max_block == 5ms);
  properties with_memory = p;
  with_memory["buffer.memory"] = "1000";
  const leat::async_producer_options o = with_memory;
  CHECK(o.max_block == 5ms);
  CHECK(o.delivery_timeout == 1s);
  CHECK(o.max_queued_bytes == 1000);
}

TEST_CASE("what is wrong is named with what was expected") {
  const auto message = [](const properties& p) {
    return leat_tests::message_of([&] { (void)leat::consumer_options(p); });
  };
  const auto names = [&](const std::string& name, const std::string& value, const std::string& expected) {
    CAPTURE(name, value);
    const std::string said = message({{name, value}});
    CHECK_THAT(said, Catch::Matchers::ContainsSubstring(name) && Catch::Matchers::ContainsSubstring(expected));
  };
  names("auto.offset.reset", "smallest", "latest, earliest or none");
  names("enable.auto.commit", "yes", "true or false");
  names("max.poll.records", "0", "a whole number from 1");
  names("max.poll.records", "7 ", "a whole number from 1");
  names("session.timeout.ms", "", "a whole number from 1");
  names("partition.assignment.strategy", "mine", "cooperative-sticky");
  names("isolation.level", "serializable", "read_committed");
  names("group_id", "risk", "group.id");
  CHECK(leat_tests::code_of([] { (void)leat::topic_options(properties{{"cleanup.policy", "compact"}}); }) ==
        errc::unsupported);
  CHECK(leat_tests::code_of([] { (void)leat::topic_options(properties{{"group.id", "x"}}); }) ==
        errc::invalid_argument);
  CHECK(leat_tests::code_of([] { (void)leat::producer_options(properties{{"transactional.id", "x"}}); }) ==
        errc::invalid_argument);
  CHECK(leat_tests::code_of([] { (void)leat::producer_options(properties{{"acks", "many"}}); }) ==
        errc::invalid_argument);
}

TEST_CASE("what says nothing about the options is left to who asks for it") {
  leat::consumer_options o;
  properties rest;
  leat::apply(properties{{"group.id", "g"}, {"debug", "cgrp"}, {"isolation.level", "read_committed"}}, o, &rest);
  CHECK(o.group == "g");
  CHECK(rest == properties{{"debug", "cgrp"}, {"isolation.level", "read_committed"}});
}

TEST_CASE("properties are taken wherever options are") {
  const auto store = leat::store::in_process();
  const auto topic = store.topic<int>("numbers", properties{{"num.partitions", "2"}});
  CHECK(topic.partitions() == 2);
  leat::producer out{topic, properties{{"acks", "1"}}};
  (void)out.send(1).value();
  leat::consumer in{topic, properties{{"auto.offset.reset", "earliest"}}};
  CHECK(in.poll(10s).size() == 1);
}

}  // namespace unit_properties
