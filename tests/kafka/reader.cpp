#include <leat/kafka/reader.hpp>

#include "kafka/place.hpp"
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/in_child.hpp"

#include <leat/kafka/admin_calls.hpp>
#include <leat/kafka/consumer.hpp>
#include <leat/kafka/consumer_configuration.hpp>
#include <leat/kafka/producer.hpp>

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace kafka_reader {

using kafka_tests::place;
using kafka_tests::read;
using leat::errc;
using namespace std::chrono_literals;

constexpr std::int16_t fetch = 1;  // Kafka's numbers of requests
constexpr std::int16_t sync_group = 14;

leat::kafka::reader reader_of(const place& p, const leat::consumer_options& options) {
  const auto& of = p.store.cluster();
  return {of, options, leat::kafka::configuration_of(options, *of, {})};
}

/// Until librdkafka has so many records and errors for it.
void wait_for_fetched(const leat::kafka::reader& in, std::size_t count) {
  const leat::kafka::queue_ptr fetched(rd_kafka_queue_get_consumer(in.handle()));
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (rd_kafka_queue_length(fetched.get()) < count) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("librdkafka has fetched less");
    std::this_thread::yield();
  }
}

/// It has read the first of three records in the topic "t"; librdkafka has fetched the others, and what the broker said then.
/// (Where the partition ends, that it does takes the place of an error, once.)
void fetch_two_records_and_an_error(place& p, leat::kafka::reader& in, rd_kafka_resp_err_t error) {
  leat::kafka::producer out{p.topic<std::string>("t")};
  (void)out.send("0").value();
  in.assign({{"t", 0}});
  in.seek({"t", 0}, 0);
  while (in.records().empty()) REQUIRE(in.poll(60s) == errc::ok);
  (void)out.send_batch(std::vector<std::string>{"1", "2"});
  wait_for_fetched(in, 2);
  rd_kafka_mock_push_request_errors(p.cluster.get(), fetch, 3, error, error, error);
  wait_for_fetched(in, 3);
}

TEST_CASE("an error that comes together with records is told by the next poll") {
  place p;
  auto in = reader_of(p, {.auto_offset_reset = leat::offset_reset::earliest});
  fetch_two_records_and_an_error(p, in, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  CHECK(in.poll(0ns) == errc::ok);
  CHECK(in.records().size() == 2);
  CHECK(in.poll(0ns) == errc::permission_denied);
  CHECK_FALSE(in.last_failure().empty());
  CHECK(in.records().empty());
  CHECK(in.poll(0ns) == errc::ok);
  CHECK(in.position({"t", 0}) == 3);
}

TEST_CASE("the position is behind what was handed out also where the offset is out of range then") {
  place p;
  auto in = reader_of(p, {.auto_offset_reset = leat::offset_reset::none});
  fetch_two_records_and_an_error(p, in, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
  CHECK(in.poll(0ns) == errc::ok);
  CHECK(in.records().size() == 2);
  CHECK(in.position({"t", 0}) == 3);
  CHECK(in.poll(0ns) == errc::out_of_range);
  CHECK(in.position({"t", 0}) == 3);
}

TEST_CASE("what librdkafka says of a partition that had no place yet does not undo a seek") {
  place p;
  leat::kafka::producer out{p.topic<std::string>("t")};
  (void)out.send("v").value();
  auto in = reader_of(p, {.auto_offset_reset = leat::offset_reset::none});
  in.assign({{"t", 0}});
  while (in.poll(0ns) != errc::out_of_range) {
  }
  wait_for_fetched(in, 1);  // that there is no offset
  in.seek({"t", 0}, 0);
  while (in.records().empty()) REQUIRE(in.poll(60s) == errc::ok);
  CHECK(in.position({"t", 0}) == 1);
}

TEST_CASE("a partition that was given up while it was paused is read when it comes back") {
  place p;
  const auto topic = p.topic<std::string>("t", 2);
  leat::kafka::producer out{topic};
  (void)out.send("k", "in 0", {.partition = 0}).value();
  (void)out.send("k", "in 1", {.partition = 1}).value();
  leat::kafka::consumer in{topic, {.partitions = {{0, 1}}, .auto_offset_reset = leat::offset_reset::earliest}};
  in.pause(0);
  CHECK(read(in, 1) == std::vector<std::string>{"in 1"});
  in.pause(1);
  in.assign({1});
  CHECK(in.poll(0ns).empty());
  in.assign({0, 1});
  CHECK_FALSE(in.paused(0));
  CHECK(in.paused(1));
  CHECK(read(in, 1) == std::vector<std::string>{"in 0"});
}

TEST_CASE("a partition that is resumed before a new assignment has come to pass is read") {
  place p;
  const auto topic = p.topic<std::string>("t", 2);
  leat::kafka::producer out{topic};
  (void)out.send("k", "in 0", {.partition = 0}).value();
  leat::kafka::consumer in{topic, {.partitions = {{0}}, .auto_offset_reset = leat::offset_reset::earliest}};
  CHECK(read(in, 1) == std::vector<std::string>{"in 0"});
  in.pause(0);
  in.assign({0, 1});
  in.resume(0);
  (void)out.send("k", "again in 0", {.partition = 0}).value();
  CHECK(read(in, 1) == std::vector<std::string>{"again in 0"});
}

TEST_CASE("pausing in a child is an error and does not wait for threads that only the parent has") {
  place p;
  leat::kafka::consumer in{p.topic<std::string>("t")};
  CHECK(in.poll(0ns).empty());
  for (const bool pausing : {true, false}) {
    CHECK(leat_tests::in_child([&] {
            return leat_tests::code_of([&] { pausing ? in.pause(0) : in.resume(0); }) == errc::forked
                       ? "forked"
                       : "something else";
          }) == "forked");
  }
  CHECK_FALSE(in.paused(0));
}

TEST_CASE("an offset beyond all that Kafka has meets the reset policy and cannot be committed") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::producer out{topic};
  (void)out.send("v").value();
  leat::kafka::consumer in{topic,
                           {.partitions = {{0}},
                            .auto_offset_reset = leat::offset_reset::earliest,
                            .group = "g",
                            .enable_auto_commit = false}};
  constexpr std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t offset :
       {last, last - 1, last - 1000, std::uint64_t{1} << 63, (std::uint64_t{1} << 63) - 1}) {
    INFO(offset);
    in.seek({0, offset});
    CHECK(read(in, 1) == std::vector<std::string>{"v"});
  }
  CHECK(in.commit({{"", 0}, last}).error() == errc::invalid_argument);
  CHECK(in.commit({{"", 0}, std::uint64_t{1} << 63}).error() == errc::invalid_argument);
  CHECK_FALSE(in.committed(0));
  CHECK(in.commit());
  CHECK(in.committed(0) == leat::committed_offset{1, ""});
}

TEST_CASE("a commit that no broker answers ends with the store's time-out") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::producer out{topic};
  (void)out.send("v").value();
  const auto hasty = leat::kafka::store::open(p.cluster.servers(), {.timeout = 3s});
  const bool member = GENERATE(false, true);
  CAPTURE(member);
  const leat::consumer_options options{
      .auto_offset_reset = leat::offset_reset::earliest, .group = "g", .enable_auto_commit = false};
  auto in = std::make_unique<leat::kafka::consumer<std::string>>(hasty, options);
  if (member) {
    in->subscribe({"t"});
  } else {
    auto alone = options;
    alone.partitions = {{0}};
    *in = leat::kafka::consumer<std::string>(hasty.topic<std::string>("t", {.mode = leat::open_mode::open}), alone);
  }
  REQUIRE(read(*in, 1) == std::vector<std::string>{"v"});
  REQUIRE(in->commit());
  rd_kafka_mock_broker_set_down(p.cluster.get(), -1);
  in->seek({"t", 0}, 0);
  const auto start = std::chrono::steady_clock::now();
  CHECK(in->commit().error() == errc::unreachable);
  CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 12);
  rd_kafka_mock_broker_set_up(p.cluster.get(), -1);
}

/// Until the group has let it in. What it is assigned comes later, in the answer to SyncGroup.
void wait_until_joined(leat::kafka::reader& in) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (std::string(rd_kafka_rebalance_protocol(in.handle())) == "NONE") {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("the group has not let it in");
    std::this_thread::yield();
  }
}

TEST_CASE("a consumer that the group has let in and not assigned anything can be closed") {
  place p;
  p.cluster.create_topic("t");
  const bool unsubscribes = GENERATE(false, true);
  CAPTURE(unsubscribes);
  const std::vector<rd_kafka_resp_err_t> refusals(10'000, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
  rd_kafka_mock_push_request_errors_array(p.cluster.get(), sync_group, refusals.size(), refusals.data());
  auto in = reader_of(p, {.group = "g"});
  in.subscribe({"t"}, {});
  wait_until_joined(in);
  if (unsubscribes) in.unsubscribe();
  CHECK(in.poll(0ns) == errc::ok);
  CHECK(leat_tests::code_of([&] { in.close(); }) == errc::ok);
}

TEST_CASE("a consumer that is closed before it is assigned what it is about to be is gone afterwards") {
  place p;
  p.cluster.create_topic("t");
  REQUIRE(rd_kafka_mock_broker_push_request_error_rtts(p.cluster.get(), 1, sync_group, 1, RD_KAFKA_RESP_ERR_NO_ERROR,
                                                       300) == RD_KAFKA_RESP_ERR_NO_ERROR);
  const int threads = rd_kafka_thread_cnt();
  {
    auto in = reader_of(p, {.group = "g"});
    in.subscribe({"t"}, {});
    wait_until_joined(in);
  }
  CHECK(rd_kafka_thread_cnt() == threads);
}

}  // namespace kafka_reader
