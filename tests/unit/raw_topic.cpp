// Topics whose types a program does not know: values and keys as bytes.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/media.hpp"
#include "support/read_all.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace unit_raw_topic {

using leat::errc;
using leat::offset_reset;
using leat_tests::bytes_of;
using leat_tests::code_of;
using leat_tests::temporary_store;

struct alignas(64) sample {
  std::uint64_t number = 0;
  std::array<char, 40> text{};
};

leat::consumer_options earliest() { return {.auto_offset_reset = offset_reset::earliest}; }

TEST_CASE("a raw topic reads the bytes that typed producers wrote") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto typed = temporary.store.topic<int, std::uint64_t>("t");
  leat::producer out{typed};
  REQUIRE(out.send(0x01020304));
  REQUIRE(out.send(0x1112131415161718, 5, {.headers = {{"h", "x"}, {"n", leat::null}}}));
  REQUIRE(out.send(9, leat::null));
  const auto raw = temporary.store.raw_topic("t");
  CHECK(leat_tests::read_all(raw) == leat_tests::read_all(typed));
  const auto records = leat_tests::read_all(raw);
  REQUIRE(records.size() == 3);
  CHECK(records[0].value == std::string("\x04\x03\x02\x01", 4));
  CHECK(records[0].key == std::nullopt);
  CHECK(records[1].key == std::string("\x18\x17\x16\x15\x14\x13\x12\x11", 8));
  CHECK(records[1].headers.size() == 2);
  CHECK(records[2].value == std::nullopt);
}

TEST_CASE("what a raw producer writes typed consumers read") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto typed = temporary.store.topic<std::string, std::string>("t");
  leat::producer out{temporary.store.raw_topic("t")};
  const leat::timestamp time{std::chrono::nanoseconds(77)};
  REQUIRE(out.send(bytes_of("plain")));
  REQUIRE(out.send(bytes_of("key"), bytes_of("value"), {.timestamp = time, .headers = {{"h", "x"}}}));
  REQUIRE(out.send(bytes_of("key"), leat::null));
  REQUIRE(out.send(leat::null, bytes_of("")));
  leat::consumer in{typed, earliest()};
  std::vector<leat::record_view<std::string>> records;
  for (const auto& record : in.poll()) records.push_back(record);
  REQUIRE(records.size() == 4);
  CHECK(records[0].value() == "plain");
  CHECK_FALSE(records[0].has_key());
  CHECK(records[1].key() == "key");
  CHECK(records[1].value() == "value");
  CHECK(records[1].timestamp() == time);
  CHECK(std::ranges::distance(records[1].headers()) == 1);
  CHECK_FALSE(records[2].has_value());
  CHECK_FALSE(records[3].has_key());
  CHECK(records[3].value().empty());
}

TEST_CASE("values of aligned types keep their alignment when raw producers write them") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto typed = temporary.store.topic<sample>("t", {.segment_bytes = 16384});
  leat::producer out{typed};
  leat::producer raw{temporary.store.raw_topic("t")};
  for (std::uint64_t i = 0; i < 500; ++i) {  // through several segments, in both kinds of records
    sample s{};
    s.number = i;
    const auto bytes = std::as_bytes(std::span(&s, 1));
    if (i % 3 == 0) REQUIRE(out.send(s));
    if (i % 3 == 1) REQUIRE(raw.send(bytes));
    if (i % 3 == 2) REQUIRE(raw.send(bytes_of("key" + std::string(i % 11, 'k')), bytes, {.headers = {{"h", "x"}}}));
  }
  REQUIRE(typed.log()->partition(0).begun().observe() > 2);
  leat::consumer in{typed, earliest()};
  std::uint64_t next = 0;
  while (next < 500) {
    for (const auto& record : in.poll()) {
      const sample& s = record.value();
      REQUIRE(reinterpret_cast<std::uintptr_t>(&s) % 64 == 0);
      REQUIRE(s.number == next++);
    }
  }
  CHECK(leat::admin{temporary.store}.verify("t").empty());
}

TEST_CASE("a loan of a raw topic has the topic's alignment") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto typed = temporary.store.topic<sample>("t");
  leat::producer raw{temporary.store.raw_topic("t")};
  REQUIRE(raw.send(bytes_of("k"), bytes_of("0123456")));
  auto loan = raw.claim(leat::null, sizeof(sample)).value();
  CHECK(reinterpret_cast<std::uintptr_t>(loan.bytes().data()) % 64 == 0);
}

TEST_CASE("a raw topic must exist") {
  auto temporary = temporary_store::in_process();
  CHECK(code_of([&] { (void)temporary.store.raw_topic("t"); }) == errc::not_found);
  CHECK(code_of([&] { (void)temporary.store.raw_topic("a/b"); }) == errc::name_invalid);
  CHECK(temporary.store.topics().empty());
}

TEST_CASE("a topic that was made for bytes is not one of another type") {
  auto temporary = temporary_store::in_process();
  (void)temporary.store.topic<leat::bytes_view, leat::bytes_view>("b");
  CHECK(code_of([&] { (void)temporary.store.topic<int>("b"); }) == errc::wrong_type);
  CHECK(code_of([&] { (void)temporary.store.raw_topic("b"); }) == errc::ok);
  (void)temporary.store.topic<int>("i");
  CHECK(code_of([&] { (void)temporary.store.topic<leat::bytes_view, leat::bytes_view>("i"); }) == errc::wrong_type);
  CHECK(code_of([&] { (void)temporary.store.raw_topic("i"); }) == errc::ok);
}

TEST_CASE("a deleted topic is closed for raw users") {
  auto temporary = leat_tests::each_kind_of_store();
  (void)temporary.store.topic<int>("t");
  const auto raw = temporary.store.raw_topic("t");
  leat::producer out{raw};
  leat::consumer in{raw};
  REQUIRE(temporary.store.remove_topic("t"));
  CHECK(out.send(bytes_of("1234")).error() == errc::closed);
  CHECK(in.poll().error() == errc::closed);
}

}  // namespace unit_raw_topic
