// The low layer over librdkafka: clients, messages, headers, lists, errors.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/mock_cluster.hpp"

#include <leat/kafka/client.hpp>
#include <leat/kafka/message.hpp>
#include <leat/kafka/partition_list.hpp>

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kafka_low_layer {

using leat::errc;
using leat::header;
using leat::kafka::client;
using leat::kafka::configuration;
using leat::kafka::message_ptr;
using leat::kafka::partition_list;
using leat::kafka::raw_bytes;
using namespace std::chrono_literals;

std::optional<leat::bytes_view> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
std::string text(const std::optional<leat::bytes_view>& b) {
  return b ? "\"" + std::string(reinterpret_cast<const char*>(b->data()), b->size()) + "\"" : "null";
}

// As leat's: see tests/unit/headers.cpp.
static_assert(std::forward_iterator<leat::kafka::headers_view::iterator>);
static_assert(std::same_as<std::iter_reference_t<leat::kafka::headers_view::iterator>, header>);

void produce(const client& out, const raw_bytes& key, const raw_bytes& value, const leat::header_list& headers,
             std::int64_t timestamp) {
  const auto list = leat::kafka::headers_to_send(headers);
  auto* const copy = list ? rd_kafka_headers_copy(list.get()) : rd_kafka_headers_new(1);
  const auto code = rd_kafka_producev(out.get(), RD_KAFKA_V_TOPIC("t"), RD_KAFKA_V_PARTITION(0),
                                      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.data, key.size),
                                      RD_KAFKA_V_VALUE(const_cast<void*>(value.data), value.size),
                                      RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_HEADERS(copy), RD_KAFKA_V_END);
  leat::kafka::require(code, "t");
}

TEST_CASE("a record goes through a mock cluster and null stays apart from empty") {
  leat_tests::mock_cluster cluster;
  cluster.create_topic("t");
  const client out(RD_KAFKA_PRODUCER, configuration(), cluster.servers(), nullptr);
  const std::vector<header> headers{{"a", std::string_view("1")}, {"a", leat::null}, {"b", std::string_view()}};
  produce(out, raw_bytes(bytes("k")), raw_bytes(bytes("v")), headers, 1000);
  produce(out, raw_bytes(bytes("")), raw_bytes(std::nullopt), {}, 1001);
  produce(out, raw_bytes(std::nullopt), raw_bytes(leat::bytes_view()), {}, 1002);
  REQUIRE(rd_kafka_flush(out.get(), 30'000) == RD_KAFKA_RESP_ERR_NO_ERROR);

  configuration conf;
  conf.set("group.id", "g");
  const client in(RD_KAFKA_CONSUMER, std::move(conf), cluster.servers(), nullptr);
  rd_kafka_poll_set_consumer(in.get());
  partition_list list;
  list.add({"t", 0}, 0);
  leat::kafka::require(rd_kafka_assign(in.get(), list.get()), "t");
  std::vector<std::string> read;
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (read.size() < 3 && std::chrono::steady_clock::now() < deadline) {
    const message_ptr m(rd_kafka_consumer_poll(in.get(), 100));
    if (m == nullptr) continue;
    leat::kafka::require(m->err, "t");
    std::string line = std::to_string(m->offset) + " " + text(leat::kafka::key_of(*m)) + " " +
                       text(leat::kafka::value_of(*m)) + " @" +
                       std::to_string(leat::kafka::milliseconds_of(leat::kafka::time_of(*m)));
    for (const header& h : leat::kafka::headers_view(*m)) line += " " + std::string(h.name) + "=" + text(h.value);
    read.push_back(line);
  }
  CHECK(read ==
        std::vector<std::string>{R"(0 "k" "v" @1000 a="1" a=null b="")", R"(1 "" null @1001)", R"(2 null "" @1002)"});
  CHECK(rd_kafka_consumer_close(in.get()) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

TEST_CASE("a property that librdkafka does not take is named with its reason") {
  configuration conf;
  const auto unknown = leat_tests::failure_of([&] { conf.set("no.such.property", "1"); });
  REQUIRE(unknown);
  CHECK(unknown->code() == errc::invalid_argument);
  CHECK(unknown->path() == "no.such.property");
  const auto wrong = leat_tests::failure_of([&] { conf.set("acks", "many"); });
  REQUIRE(wrong);
  CHECK(wrong->code() == errc::invalid_argument);
  CHECK_THAT(wrong->what(), Catch::Matchers::ContainsSubstring("acks") && Catch::Matchers::ContainsSubstring("many"));
}

TEST_CASE("a client that cannot be made says why") {
  configuration conf;
  conf.set("group.id", "g");
  conf.set("session.timeout.ms", "10000");
  conf.set("max.poll.interval.ms", "1000");
  const auto failure =
      leat_tests::failure_of([&] { client(RD_KAFKA_CONSUMER, std::move(conf), "localhost:1", nullptr); });
  REQUIRE(failure);
  CHECK(failure->code() == errc::invalid_argument);
  CHECK_THAT(failure->what(), Catch::Matchers::ContainsSubstring("max.poll.interval.ms"));
}

TEST_CASE("a time is rounded down to a millisecond also before 1970") {
  using leat::kafka::milliseconds_of;
  CHECK(milliseconds_of(leat::timestamp(1'999'999ns)) == 1);
  CHECK(milliseconds_of(leat::timestamp(-1ns)) == -1);
  CHECK(leat::kafka::timestamp_of(1234) == leat::timestamp(1234ms));
}

TEST_CASE("a list of partitions gives back what was added") {
  partition_list list;
  list.add({"t", 3}, 7, "mine");
  list.add({"u", 0});
  CHECK(partition_list::names_of(list.get()) == std::vector<leat::topic_partition>{{"t", 3}, {"u", 0}});
  CHECK(list.entries()[0].offset == 7);
  CHECK(std::string_view(static_cast<const char*>(list.entries()[0].metadata), list.entries()[0].metadata_size) ==
        "mine");
  CHECK(list.failure() == RD_KAFKA_RESP_ERR_NO_ERROR);
  list.entries()[1].err = RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID;
  CHECK(leat::kafka::errc_of(list.failure()) == errc::fenced);
}

TEST_CASE("what librdkafka logs goes to who asked for it") {
  struct context : leat::kafka::client_context {
    std::vector<std::string> lines;
  } c;
  c.log = [&](int, const char* facility, const char*) { c.lines.push_back(facility); };
  configuration conf;
  conf.set("debug", "conf");
  {
    const client out(RD_KAFKA_PRODUCER, std::move(conf), "localhost:1", &c);
  }
  CHECK(!c.lines.empty());
}

}  // namespace kafka_low_layer
