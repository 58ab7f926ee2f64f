// What only a real Kafka can judge: its administration. `./run kafka` starts one.
#include <leat/kafka/admin.hpp>

#include "broker/place.hpp"
#include "support/catch.hpp"
#include "support/failure.hpp"

#include <leat/kafka/consumer.hpp>
#include <leat/kafka/producer.hpp>
#include <leat/properties.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace broker_admin {

using broker_tests::place;
using leat::errc;
using namespace std::chrono_literals;

TEST_CASE("a topic is created as its options have it and described") {
  place p;
  const std::string name = p.name("t");
  leat::kafka::admin admin{p.store};
  admin.create_topic(name, {.partitions = 3,
                            .segment_bytes = 65536,
                            .retention = {.bytes = 1 << 20, .time = 2h},
                            .max_record_bytes = 5000,
                            .timestamps = leat::timestamp_type::log_append_time,
                            .durability = leat::durability::every});
  const auto d = admin.describe_topic(name);
  CHECK(d.name == name);
  CHECK(d.partitions.size() == 3);
  CHECK(d.segment_bytes == 65536);
  CHECK(d.retention_bytes == 1 << 20);
  CHECK(d.retention_time == std::chrono::nanoseconds(2h));
  CHECK(d.max_record_bytes == 5000);
  CHECK(d.timestamps == leat::timestamp_type::log_append_time);
  CHECK(d.configuration.at("flush.messages") == "1");
  CHECK(leat_tests::code_of([&] { admin.create_topic(name); }) == errc::already_exists);
  const auto names = admin.topics();
  CHECK(std::ranges::find(names, name) != names.end());
  CHECK(std::ranges::none_of(names, [](const std::string& n) { return n.starts_with("__"); }));
}

TEST_CASE("an existing topic is opened where its options do not contradict") {
  place p;
  const std::string name = p.name("t");
  CHECK(leat_tests::code_of([&] { (void)p.store.topic<int>(name, {.mode = leat::open_mode::open}); }) ==
        errc::not_found);
  CHECK(leat_tests::code_of([&] { (void)p.store.raw_topic(name); }) == errc::not_found);  // nor was it made by that
  (void)p.store.topic<int>(name, {.partitions = 2, .retention = {.time = leat::forever}});
  (void)p.store.topic<int>(name, {.partitions = 2, .retention = {.time = leat::forever}});
  (void)p.store.topic<int>(name);
  CHECK(leat_tests::code_of([&] { (void)p.store.topic<int>(name, {.partitions = 3}); }) == errc::conflicting_options);
  CHECK(leat_tests::message_of([&] {
          (void)p.store.topic<int>(name, {.retention = {.time = 1h}});
        }).find("retention.ms of the existing topic is -1") != std::string::npos);
  CHECK(leat_tests::code_of([&] { (void)p.store.topic<int>("no such/name"); }) == errc::name_invalid);
  CHECK(leat_tests::code_of([&] { (void)p.store.topic<int>(p.name("u"), {.single_writer = true}); }) ==
        errc::unsupported);
  const auto of_strings = p.store.topic<int>(p.name("v"), leat::properties{{"num.partitions", "2"},
                                                                           {"retention.ms", "1000"},
                                                                           {"cleanup.policy", "delete"},
                                                                           {"delete.retention.ms", "77"}});
  CHECK(of_strings.partitions() == 2);
  CHECK(of_strings.describe().configuration.at("delete.retention.ms") == "77");
}

TEST_CASE("a topic changes and what was not mentioned stays") {
  place p;
  const std::string name = p.name("t");
  leat::kafka::admin admin{p.store};
  admin.create_topic(name, {.retention = {.bytes = 1 << 20, .time = 2h}});
  admin.alter_topic(name, {.retention = {.time = 3h}});
  p.until([&] { return admin.describe_topic(name).retention_time == std::chrono::nanoseconds(3h); });
  CHECK(admin.describe_topic(name).retention_bytes == 1 << 20);
  admin.add_partitions(name, 4);
  CHECK(admin.describe_topic(name).partitions.size() == 4);
  CHECK(leat_tests::code_of([&] { admin.add_partitions(name, 3); }) == errc::invalid_argument);
  CHECK(leat_tests::code_of([&] { admin.alter_topic(p.name("none"), {.retention = {.time = 3h}}); }) ==
        errc::not_found);
  CHECK(admin.delete_topic(name));
  CHECK_FALSE(admin.delete_topic(name));
  CHECK(leat_tests::code_of([&] { (void)admin.describe_topic(name); }) == errc::not_found);
}

TEST_CASE("records below an offset are deleted and one beyond the end means the end") {
  place p;
  const auto topic = p.store.topic<std::string>(p.name("t"));
  leat::kafka::admin admin{p.store};
  leat::kafka::producer out{topic};
  (void)out.send_batch(std::vector<std::string>{"0", "1", "2", "3"});
  CHECK(admin.delete_records({topic.name(), 0}, 2) == 2);
  CHECK(admin.delete_records({topic.name(), 0}, 1) == 2);
  CHECK(topic.start_offset(0) == 2);
  CHECK(admin.delete_records({topic.name(), 0}, 100) == 4);
  CHECK(leat_tests::code_of([&] { admin.delete_records({topic.name(), 9}, 1); }) == errc::invalid_argument);
}

TEST_CASE("a record that is larger than the topic allows is too large and one below it is not") {
  place p;
  leat::kafka::producer small{p.store.topic<std::string>(p.name("small"), {.max_record_bytes = 2000})};
  CHECK(small.send(std::string(3000, 'x')).error() == errc::too_large);
  CHECK(small.send(std::string(1000, 'x')));
  leat::kafka::producer large{p.store.topic<std::string>(p.name("large"), {.max_record_bytes = 4 << 20})};
  CHECK(large.send(std::string(3 << 20, 'x')));
}

TEST_CASE("a group is described and put elsewhere while it has no members") {
  place p;
  const auto topic = p.store.topic<std::string>(p.name("t"), {.partitions = 2, .retention = {.time = leat::forever}});
  const std::string group = p.name("g");
  leat::kafka::admin admin{p.store};
  leat::kafka::producer out{topic};
  for (int i = 0; i < 6; ++i) {
    (void)out.send("k", "v", {.partition = 0, .timestamp = leat::timestamp(std::chrono::milliseconds(1000 + i))})
        .value();
  }
  leat::kafka::consumer in{topic,
                           {.auto_offset_reset = leat::offset_reset::earliest,
                            .group = group,
                            .client_id = "reader",
                            .enable_auto_commit = false}};
  std::size_t read = 0;
  p.until([&] { return (read += in.poll(100ms).size()) == 6; });
  in.commit({{topic.name(), 0}, 4, "note"}).value();

  const auto busy = admin.describe_group(group);
  CHECK(busy.assignor == "cooperative-sticky");
  REQUIRE(busy.members.size() == 1);
  CHECK(busy.members[0].client_id == "reader");
  CHECK(busy.members[0].id == in.member_id());
  CHECK(busy.members[0].partitions.size() == 2);
  REQUIRE(busy.offsets.size() == 2);
  CHECK(busy.offsets[0].committed == 4u);
  CHECK(busy.offsets[0].metadata == "note");
  CHECK(busy.offsets[0].lag == 2);
  CHECK(busy.offsets[0].owner == in.member_id());
  CHECK_FALSE(busy.offsets[1].committed);
  CHECK(leat_tests::code_of([&] { admin.reset_offsets(group, topic.name(), leat::to_earliest{}); }) ==
        errc::group_not_empty);
  CHECK(leat_tests::code_of([&] { admin.delete_group(group); }) == errc::group_not_empty);
  in.close();

  const auto at = [&](const leat::reset_target& target) {
    p.until([&] { return admin.describe_group(group).members.empty(); });
    (void)admin.reset_offsets(group, topic.name(), target, {0});
    return *admin.describe_group(group).offsets.at(0).committed;
  };
  CHECK(at(leat::shift_by{-1}) == 3);
  CHECK(at(leat::shift_by{100}) == 6);
  CHECK(at(leat::to_earliest{}) == 0);
  CHECK(at(leat::to_latest{}) == 6);
  CHECK(at(leat::to_offset{5}) == 5);
  CHECK(at(leat::to_time{leat::timestamp(1002ms)}) == 2);
  const auto groups = admin.groups();
  CHECK(std::ranges::find(groups, group) != groups.end());
  CHECK(admin.delete_group(group));
  CHECK_FALSE(admin.delete_group(group));
  CHECK(leat_tests::code_of([&] { (void)admin.describe_group(group); }) == errc::not_found);
}

TEST_CASE("whoever uses a topic that is deleted is told that it is closed") {
  place p;
  const auto topic = p.store.topic<std::string>(p.name("t"));
  leat::kafka::producer out{
      topic, {}, {{"topic.metadata.refresh.interval.ms", "200"}, {"delivery.timeout.ms", "20000"}}};
  leat::kafka::consumer in{topic, {}, {{"topic.metadata.refresh.interval.ms", "200"}}};
  (void)out.send("v").value();
  CHECK(p.store.remove_topic(topic.name()));
  p.until([&] { return in.poll(100ms).error() == errc::closed; });
  p.until([&] { return out.send("v").error() == errc::closed; });
}

}  // namespace broker_admin
