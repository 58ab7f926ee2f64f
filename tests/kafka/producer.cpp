#include <leat/kafka/producer.hpp>

#include "kafka/place.hpp"
#include "support/catch.hpp"
#include "support/failure.hpp"

#include <leat/kafka/consumer.hpp>
#include <leat/properties.hpp>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace kafka_producer {

using kafka_tests::place;
using leat::errc;
using leat::record_position;
using namespace std::chrono_literals;

/// Whole lines of what is in a partition, by its only reader.
template <class Value, class Key>
std::vector<std::string> lines_of(const leat::kafka::topic<Value, Key>& topic, std::uint32_t partition = 0) {
  leat::kafka::consumer in{topic, {.partitions = {{partition}}, .auto_offset_reset = leat::offset_reset::earliest}};
  std::vector<std::string> lines;
  const std::uint64_t end = topic.end_offset(partition);
  for (int polls = 0; lines.size() < end && polls < 60; ++polls) {
    for (const auto& r : in.poll(1s)) {
      lines.push_back((r.has_key() ? std::string(r.key()) : "null") + "=" +
                      (r.has_value() ? std::string(r.value()) : "null"));
    }
  }
  return lines;
}

TEST_CASE("a send returns where the record is once it is acknowledged") {
  place p;
  const auto topic = p.topic<std::string>("t", 3);
  leat::kafka::producer out{topic};
  CHECK(out.send("21", "a").value() == record_position{0, 0});  // murmur2, as Kafka's own tests have it
  CHECK(out.send("21", "b").value() == record_position{0, 1});
  CHECK(out.send("foobar", "c", {.partition = 2}).value() == record_position{2, 0});
  CHECK(topic.end_offset(0) == 2);
  CHECK(lines_of(topic, 0) == std::vector<std::string>{"21=a", "21=b"});
  out.flush();
  CHECK(out.partitions() == 3);
}

TEST_CASE("what cannot be sent is an error as a value") {
  place p;
  leat::kafka::producer out{p.topic<std::string>("t", 2)};
  CHECK(out.send("k", "v", {.partition = 2}).error() == errc::invalid_argument);
  CHECK_FALSE(out.last_failure().empty());
  CHECK(out.send("k", "v", {.partition = 0xffffffff}).error() == errc::invalid_argument);
  CHECK(out.send("k", "v", {.timestamp = leat::timestamp(999'999ns)}).error() == errc::invalid_argument);
  CHECK(out.send("k", "v", {.timestamp = leat::timestamp(-5ms)}).error() == errc::invalid_argument);
  CHECK(out.send("k", "v", {.timestamp = leat::timestamp(1ms)}));
}

TEST_CASE("a broker's refusal comes back and a passing one is tried again") {
  place p;
  leat::kafka::producer out{p.topic<std::string>("t")};
  rd_kafka_mock_push_request_errors(p.cluster.get(), 0, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  CHECK(out.send("k", "v").error() == errc::too_large);
  rd_kafka_mock_push_request_errors(p.cluster.get(), 0, 2, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
  CHECK(out.send("k", "v"));
}

TEST_CASE("a partitioner of the program's own is asked also without a key") {
  place p;
  std::vector<std::pair<bool, std::uint32_t>> asked;
  leat::kafka::producer out{p.topic<std::string>("t", 4), {.partitioner = [&](auto key, std::uint32_t partitions) {
                              asked.emplace_back(key.has_value(), partitions);
                              if (key && key->size() == 3) throw std::runtime_error("no such key");
                              return key ? 3u : 1u;
                            }}};
  CHECK(out.send("k", "v").value().partition == 3);
  CHECK(out.send("v").value().partition == 1);
  CHECK(out.send("bad", "v").error() == errc::invalid_argument);
  REQUIRE(asked.size() >= 2);
  CHECK(asked[0] == std::pair(true, 4u));
  CHECK(asked[1] == std::pair(false, 4u));
}

TEST_CASE("a partitioner of the program's own is asked without a key also where batches are waited for") {
  place p;
  int asked = 0;
  leat::kafka::producer out{p.topic<std::string>("t", 4),
                            {.partitioner =
                                 [&](auto, std::uint32_t) {
                                   ++asked;
                                   return 2u;
                                 }},
                            {{"linger.ms", "20"}, {"sticky.partitioning.linger.ms", "40"}}};
  for (int i = 0; i < 4; ++i) CHECK(out.send("v").value().partition == 2);
  CHECK(asked >= 4);
}

TEST_CASE("records without a key stay in one partition for a while") {
  place p;
  leat::kafka::producer out{p.topic<std::string>("t", 8)};
  // librdkafka stays in no partition that it has not handed to its leader's thread yet.
  for (std::uint32_t partition = 0; partition < 8; ++partition) {
    (void)out.send("first", {.partition = partition}).value();
  }
  constexpr std::size_t count = 2000;
  std::vector<record_position> at(count);
  REQUIRE(out.send_batch(std::vector<std::string>(count, "v"), {}, at).count == count);
  int changes = 0;
  for (std::size_t i = 1; i < count; ++i) changes += at[i].partition != at[i - 1].partition ? 1 : 0;
  CHECK(changes < 200);  // were each sent anywhere, it were some 1750
}

TEST_CASE("a batch is appended in its order and says where") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::producer out{topic};
  std::vector<record_position> positions(3);
  const std::vector<std::pair<std::string, std::string>> pairs{{"a", "1"}, {"b", "2"}, {"c", "3"}};
  const auto sent = out.send_batch(pairs, {}, positions);
  CHECK(sent.count == 3);
  CHECK(sent.error == errc::ok);
  CHECK(positions == std::vector<record_position>{{0, 0}, {0, 1}, {0, 2}});
  CHECK(out.send_batch(std::vector<std::string>{"4", "5"}).count == 2);
  CHECK(lines_of(topic) == std::vector<std::string>{"a=1", "b=2", "c=3", "null=4", "null=5"});
  const auto refused = out.send_batch(std::vector<std::string>{"6"}, {.partition = 7});
  CHECK(refused.count == 0);
  CHECK(refused.error == errc::invalid_argument);
}

struct trade {
  std::uint64_t account;
  double amount;
};

TEST_CASE("values that lie in memory come back aligned whatever lies before them") {
  place p;
  const auto topic = p.topic<trade>("t");
  leat::kafka::producer out{topic};
  for (std::uint64_t i = 0; i < 20; ++i) (void)out.send(std::string(i, 'k'), trade{i, 0.5}).value();
  leat::kafka::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  std::uint64_t next = 0;
  for (int polls = 0; next < 20 && polls < 60; ++polls) {
    for (const auto& r : in.poll(1s)) {
      const trade& t = r.value();
      CHECK(reinterpret_cast<std::uintptr_t>(&t) % alignof(trade) == 0);
      CHECK(t.account == next++);
      CHECK(t.amount == 0.5);
    }
  }
  CHECK(next == 20);
}

TEST_CASE("a loan is sent when it is published and not before") {
  place p;
  const auto topic = p.topic<trade>("t");
  leat::kafka::producer out{topic};
  {
    auto given_up = out.claim("k").value();
    given_up->account = 1;
  }
  auto loan = out.claim("k").value();
  loan->account = 7;
  loan->amount = 2;
  CHECK(topic.end_offset(0) == 0);
  CHECK(loan.publish().value() == record_position{0, 0});
  CHECK(loan.publish().error() == errc::invalid_argument);
  CHECK(out.claim("k", 3).error() == errc::invalid_argument);

  leat::kafka::producer texts{p.topic<std::string>("texts")};
  const std::vector<leat::header> headers{{"a", std::string_view("b")}};
  auto text = texts.claim(leat::null, 5, {.headers = headers}).value();
  std::memcpy(text.bytes().data(), "hello", 5);
  CHECK(text.publish(6).error() == errc::invalid_argument);
  CHECK(text.publish(4));
  leat::kafka::consumer in{p.store.topic<std::string>("texts", {.mode = leat::open_mode::open}),
                           {.auto_offset_reset = leat::offset_reset::earliest}};
  const auto batch = in.poll(30s);
  REQUIRE(batch.size() == 1);
  CHECK((*batch.begin()).value() == "hell");
  CHECK((*batch.begin()).headers().last("a")->text() == "b");
}

TEST_CASE("a loan is of its producer also when that has moved") {
  place p;
  const auto topic = p.topic<trade>("t");
  auto first = std::make_unique<leat::kafka::producer<trade>>(topic);
  auto loan = first->claim("k").value();
  loan->account = 7;
  leat::kafka::producer<trade> moved = std::move(*first);
  first.reset();
  CHECK(loan.publish().value() == record_position{0, 0});
  auto wrong = moved.claim("k", sizeof(trade), {.partition = 1}).value();
  leat::kafka::producer<trade> again = std::move(moved);
  CHECK(wrong.publish().error() == errc::invalid_argument);
  CHECK_FALSE(again.last_failure().empty());
  CHECK(again.send("k", trade{}).value() == record_position{0, 1});
}

TEST_CASE("properties that leat does not know are librdkafka's") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::producer out{topic, leat::properties{{"compression.type", "gzip"}, {"key.serializer", "x.Y"}}};
  CHECK(out.send("k", std::string(1000, 'v')));
  const auto wrong = leat_tests::failure_of(
      [&] { leat::kafka::producer<std::string>{topic, leat::properties{{"compression.type", "zip"}}}; });
  REQUIRE(wrong);
  CHECK(wrong->path() == "compression.type");
  const auto contradiction =
      leat_tests::failure_of([&] { leat::kafka::producer<std::string>{topic, leat::properties{{"acks", "1"}}}; });
  REQUIRE(contradiction);
  CHECK(contradiction->code() == errc::invalid_argument);
}

TEST_CASE("servers that are not there are unreachable") {
  const auto failure =
      leat_tests::failure_of([] { (void)leat::kafka::store::open("127.0.0.1:1", {.timeout = 300ms}); });
  REQUIRE(failure);
  CHECK(failure->code() == errc::unreachable);
  CHECK_THAT(failure->what(), Catch::Matchers::ContainsSubstring("127.0.0.1:1"));
}

TEST_CASE("an existing topic with other partitions than those asked for is a contradiction") {
  place p;
  p.cluster.create_topic("t", 2);
  CHECK(p.store.topics() == std::vector<std::string>{"t"});
  CHECK(leat_tests::code_of([&] { (void)p.store.topic<int>("t", {.mode = leat::open_mode::open, .partitions = 3}); }) ==
        errc::conflicting_options);
}

}  // namespace kafka_producer
