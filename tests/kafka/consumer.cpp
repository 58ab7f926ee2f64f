#include <leat/kafka/consumer.hpp>

#include "kafka/place.hpp"
#include "support/catch.hpp"
#include "support/failure.hpp"

#include <leat/kafka/producer.hpp>
#include <leat/properties.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace kafka_consumer {

using kafka_tests::place;
using kafka_tests::read;
using leat::errc;
using namespace std::chrono_literals;

TEST_CASE("latest is what is sent after the consumer was made") {
  place p;
  const auto topic = p.topic<std::string>("t", 2);
  leat::kafka::producer out{topic};
  (void)out.send("k", "before", {.partition = 0}).value();
  leat::kafka::consumer in{topic};
  (void)out.send("k", "after", {.partition = 0}).value();
  CHECK(read(in, 1) == std::vector<std::string>{"after"});
  CHECK(in.position(0) == 2);
  CHECK(in.lag(0) == 0);
  CHECK(in.assignment() == std::vector<std::uint32_t>{0, 1});
}

TEST_CASE("a seek is where the next poll begins also back and within what was fetched") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::producer out{topic};
  (void)out.send_batch(std::vector<std::string>{"0", "1", "2", "3"});
  leat::kafka::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest, .max_poll_records = 1}};
  CHECK(read(in, 2) == std::vector<std::string>{"0", "1"});
  in.seek({0, 3});
  CHECK(in.position(0) == 3);
  CHECK(read(in, 1) == std::vector<std::string>{"3"});
  in.seek_to_beginning();
  CHECK(read(in, 2) == std::vector<std::string>{"0", "1"});
  in.seek_to_end();
  CHECK(in.position(0) == 4);
  (void)out.send("4").value();
  CHECK(read(in, 1) == std::vector<std::string>{"4"});
}

TEST_CASE("a partition out of range is told and does not keep the others from being read") {
  place p;
  const auto topic = p.topic<std::string>("t", 2);
  leat::kafka::producer out{topic};
  (void)out.send("k", "there", {.partition = 1}).value();
  leat::kafka::consumer in{topic, {.auto_offset_reset = leat::offset_reset::none}};
  CHECK(in.poll(100ms).error() == errc::out_of_range);
  CHECK(leat_tests::code_of([&] {
          for (int polls = 0; polls < 3; ++polls) (void)in.poll(100ms).begin();
        }) == errc::out_of_range);
  in.seek({1, 0});
  std::vector<std::string> values;
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (values.empty() && std::chrono::steady_clock::now() < deadline) {
    const auto batch = in.poll(100ms);
    if (batch.error() != errc::ok) continue;
    for (const auto& r : batch) values.emplace_back(r.value());
  }
  CHECK(values == std::vector<std::string>{"there"});
  in.seek({0, 0});
  CHECK(in.poll(10ms).error() == errc::ok);
}

TEST_CASE("a group is needed to commit and a partition must be the consumer's") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::consumer alone{topic};
  CHECK(leat_tests::code_of([&] { (void)alone.commit(); }) == errc::invalid_argument);
  CHECK(leat_tests::code_of([&] { alone.pause(1); }) == errc::invalid_argument);
  CHECK(leat_tests::code_of([&] { alone.assign({1}); }) == errc::invalid_argument);
  CHECK(leat_tests::code_of([&] { leat::kafka::consumer<std::string>(p.store, {}); }) == errc::invalid_argument);
  leat::kafka::consumer in{topic, {.partitions = {{0}}, .group = "g", .enable_auto_commit = false}};
  CHECK_FALSE(in.committed(0));
  in.commit({{"", 0}, 0, "note"}).value();
  CHECK(in.committed(0) == leat::committed_offset{0, "note"});
  CHECK(in.commit({{"", 1}, 0}).error() == errc::fenced);
  CHECK(in.commit({{"", 0}, 0, std::string(4097, 'm')}).error() == errc::too_large);
}

TEST_CASE("assignors that librdkafka does not have are refused by name") {
  place p;
  const auto topic = p.topic<std::string>("t");
  const auto failure = leat_tests::failure_of(
      [&] { leat::kafka::consumer<std::string>{topic, {.group = "g", .assignor = leat::sticky_assignor()}}; });
  REQUIRE(failure);
  CHECK(failure->code() == errc::unsupported);
  CHECK_THAT(failure->what(), Catch::Matchers::ContainsSubstring("cooperative-sticky"));
}

TEST_CASE("what a listener throws comes out of the poll and the partitions are there") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::producer out{topic};
  (void)out.send("v").value();
  leat::kafka::consumer<std::string> in{
      p.store, {.auto_offset_reset = leat::offset_reset::earliest, .group = "g", .session_timeout = 10s}};
  bool thrown = false;
  in.subscribe({"t"}, {.assigned = [](std::span<const leat::topic_partition>) { throw std::runtime_error("no"); },
                       .revoked = nullptr,
                       .lost = nullptr});
  for (int polls = 0; polls < 600 && !thrown; ++polls) {
    try {
      (void)in.poll(100ms);
    } catch (const std::runtime_error&) {
      thrown = true;
    }
  }
  CHECK(thrown);
  CHECK(in.owned() == std::vector<leat::topic_partition>{{"t", 0}});
  CHECK(read(in, 1) == std::vector<std::string>{"v"});
  CHECK_FALSE(in.member_id().empty());
  in.close();
  CHECK(in.poll().empty());
  CHECK(leat_tests::code_of([&] { in.subscribe({"t"}); }) == errc::closed);
}

TEST_CASE("a subscription that is refused leaves the one before and its listener") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::consumer<std::string> in{p.store, {.group = "g", .session_timeout = 10s}};
  std::string told;
  const auto tells = [&](const std::string& who) {
    return leat::rebalance_listener{
        .assigned = [&told, who](std::span<const leat::topic_partition>) { told += who; },
        .revoked = nullptr,
        .lost = nullptr,
    };
  };
  CHECK(leat_tests::code_of([&] { in.subscribe_pattern("(", tells("refused")); }) == errc::invalid_argument);
  CHECK(in.member_id().empty());
  in.subscribe({"t"}, tells("first"));
  CHECK(leat_tests::code_of([&] { in.subscribe_pattern("(", tells("refused")); }) == errc::invalid_argument);
  for (int polls = 0; polls < 600 && told.empty(); ++polls) (void)in.poll(100ms);
  CHECK(told == "first");
}

TEST_CASE("a consumer with partitions of its own cannot subscribe and goes on") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::producer out{topic};
  (void)out.send("v").value();
  leat::kafka::consumer in{topic,
                           {.partitions = {{0}},
                            .auto_offset_reset = leat::offset_reset::earliest,
                            .group = "g",
                            .enable_auto_commit = false}};
  CHECK(leat_tests::code_of([&] { in.subscribe({"t"}); }) == errc::invalid_argument);
  CHECK(leat_tests::code_of([&] { in.subscribe_pattern("t"); }) == errc::invalid_argument);
  CHECK(leat_tests::code_of([&] { in.unsubscribe(); }) == errc::invalid_argument);
  CHECK(in.owned().empty());
  CHECK(read(in, 1) == std::vector<std::string>{"v"});
  CHECK(in.commit());
  CHECK(in.committed(0) == leat::committed_offset{1, ""});

  leat::kafka::consumer alone{topic};
  CHECK(leat_tests::code_of([&] { alone.unsubscribe(); }) == errc::invalid_argument);
}

TEST_CASE("a listener cannot subscribe, leave or poll and its consumer goes on") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::producer out{topic};
  (void)out.send("v").value();
  leat::kafka::consumer<std::string> in{p.store,
                                        {.auto_offset_reset = leat::offset_reset::earliest,
                                         .group = "g",
                                         .session_timeout = 10s,
                                         .enable_auto_commit = false}};
  std::vector<errc> codes;
  const auto tries = [&](std::span<const leat::topic_partition>) {
    codes.push_back(leat_tests::code_of([&] { in.subscribe({"u"}); }));
    codes.push_back(leat_tests::code_of([&] { in.subscribe_pattern("u"); }));
    codes.push_back(leat_tests::code_of([&] { in.unsubscribe(); }));
    codes.push_back(leat_tests::code_of([&] { (void)in.poll(0ns); }));
    codes.push_back(leat_tests::code_of([&] { in.close(); }));
    codes.push_back(in.commit().error());
  };
  std::vector<errc> expected(5, errc::invalid_argument);
  expected.push_back(errc::ok);

  in.subscribe({"t"}, {.assigned = tries, .revoked = tries, .lost = nullptr});
  CHECK(read(in, 1) == std::vector<std::string>{"v"});
  CHECK(codes == expected);
  CHECK(in.owned() == std::vector<leat::topic_partition>{{"t", 0}});

  codes.clear();
  in.close();
  CHECK(codes == expected);
  CHECK(leat_tests::code_of([&] { in.subscribe({"t"}); }) == errc::closed);
}

TEST_CASE("properties make a consumer and those that leat does not know are librdkafka's") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::producer out{topic};
  (void)out.send("v").value();
  leat::kafka::consumer in{topic, leat::properties{{"auto.offset.reset", "earliest"},
                                                   {"isolation.level", "read_committed"},
                                                   {"fetch.max.wait.ms", "10"},
                                                   {"value.deserializer", "x.Y"}}};
  CHECK(read(in, 1) == std::vector<std::string>{"v"});
  CHECK(leat_tests::code_of([&] { leat::kafka::consumer<std::string>{topic, leat::properties{{"no.such", "1"}}}; }) ==
        errc::invalid_argument);
}

TEST_CASE("partitions whose beginning cannot be found are not taken") {
  place p;
  const auto topic = p.topic<std::string>("t", 2);
  leat::kafka::producer out{topic};
  (void)out.send("k", "v", {.partition = 0}).value();
  leat::kafka::consumer in{topic, {.partitions = {{0}}, .auto_offset_reset = leat::offset_reset::earliest}};
  constexpr std::int16_t list_offsets = 2;
  rd_kafka_mock_push_request_errors(p.cluster.get(), list_offsets, 2, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                                    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  CHECK(leat_tests::code_of([&] { in.assign({0, 1}); }) == errc::permission_denied);
  rd_kafka_mock_clear_request_errors(p.cluster.get(), list_offsets);
  CHECK(in.assignment() == std::vector<std::uint32_t>{0});
  CHECK(read(in, 1) == std::vector<std::string>{"v"});
  in.assign({0, 1});
  CHECK(in.position(0) == 1);
}

TEST_CASE("a topic that a broker does not know for a moment is not deleted") {
  place p;
  const auto topic = p.topic<std::string>("t");
  std::atomic<int> looks = 0;
  const auto store = leat::kafka::store::open(
      p.cluster.servers(), {.properties = {{"debug", "metadata"}}, .log = [&](int, const char*, const char* text) {
                              if (std::string_view(text).find("application requested") != std::string_view::npos)
                                ++looks;
                            }});
  leat::kafka::consumer in{store.topic<std::string>("t", {.mode = leat::open_mode::open}),
                           {.auto_offset_reset = leat::offset_reset::earliest}};
  CHECK(in.poll(0ns).empty());
  rd_kafka_mock_topic_set_error(p.cluster.get(), "t", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  const int before = looks;
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (looks == before && std::chrono::steady_clock::now() < deadline) CHECK(in.poll(100ms).error() == errc::ok);
  REQUIRE(looks != before);
  rd_kafka_mock_topic_set_error(p.cluster.get(), "t", RD_KAFKA_RESP_ERR_NO_ERROR);
  leat::kafka::producer out{topic};
  (void)out.send("v").value();
  CHECK(read(in, 1) == std::vector<std::string>{"v"});

  rd_kafka_mock_topic_set_error(p.cluster.get(), "t", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  errc told = errc::ok;
  while (told == errc::ok && std::chrono::steady_clock::now() < deadline) told = in.poll(100ms).error();
  CHECK(told == errc::closed);
}

TEST_CASE("a partition is read once its beginning can be found however often that has failed") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::producer out{topic};
  (void)out.send("v").value();
  leat::kafka::consumer<std::string> in{
      p.store, {.auto_offset_reset = leat::offset_reset::earliest, .group = "g", .session_timeout = 10s}};
  in.subscribe({"t"});
  constexpr std::int16_t list_offsets = 2;
  for (int i = 0; i < 4; ++i) {
    rd_kafka_mock_push_request_errors(p.cluster.get(), list_offsets, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  }
  std::vector<std::string> values;
  int failures = 0;
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (values.empty() && std::chrono::steady_clock::now() < deadline) {
    try {
      for (const auto& r : in.poll(100ms)) values.emplace_back(r.value());
    } catch (const leat::error& e) {
      REQUIRE(e.code() == errc::permission_denied);
      ++failures;
    }
  }
  CHECK(failures >= 2);
  CHECK(values == std::vector<std::string>{"v"});
}

}  // namespace kafka_consumer
