#include <leat/loan.hpp>

#include "support/catch.hpp"
#include "support/media.hpp"
#include "support/read_all.hpp"

#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace unit_loan {

using leat::errc;
using leat::record_position;
using leat_tests::read_all;
using leat_tests::values_of;

using strings = std::vector<std::string>;

void write(const leat::loan<std::string>& loan, const std::string& text) {
  REQUIRE(loan.bytes().size() >= text.size());
  std::memcpy(loan.bytes().data(), text.data(), text.size());
}

TEST_CASE("a loan is no record until it is published and takes its offset then") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic = temporary.store.topic<std::string>("t");
  leat::producer out{topic};
  leat::producer other{topic};
  auto loan = std::move(out.claim("key", 5)).value();
  write(loan, "lent!");
  CHECK(topic.end_offset(0) == 0);
  CHECK(other.send("a").value().offset == 0);
  CHECK(out.send("b").value().offset == 1);
  CHECK(loan.publish().value() == record_position{0, 2});
  CHECK(values_of(topic) == strings{"a", "b", "lent!"});
  CHECK(read_all(topic)[2].key == "key");
}

TEST_CASE("a loan may be published with less than was claimed and keeps key and headers") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<std::string>("t");
  leat::producer out{topic};
  for (const std::size_t claimed : {std::size_t{0}, std::size_t{7}, std::size_t{8}, std::size_t{100}}) {
    for (std::size_t size = 0; size <= claimed; ++size) {
      auto plain = std::move(out.claim(leat::null, claimed)).value();
      write(plain, std::string(size, 'p'));
      REQUIRE(plain.publish(size));
      auto full = std::move(out.claim("some key", claimed, {.headers = {{"h", "v"}, {"n", leat::null}}})).value();
      write(full, std::string(size, 'f'));
      REQUIRE(full.publish(size));
    }
  }
  std::vector<leat_tests::record_copy> records = read_all(topic);
  std::size_t i = 0;
  for (const std::size_t claimed : {std::size_t{0}, std::size_t{7}, std::size_t{8}, std::size_t{100}}) {
    for (std::size_t size = 0; size <= claimed; ++size) {
      REQUIRE(records[i].value == std::string(size, 'p'));
      REQUIRE_FALSE(records[i++].key);
      REQUIRE(records[i].value == std::string(size, 'f'));
      REQUIRE(records[i].key == "some key");
      REQUIRE(records[i].headers.size() == 2);
      REQUIRE(records[i].headers[0].second == "v");
      REQUIRE_FALSE(records[i++].headers[1].second);
    }
  }
}

TEST_CASE("a loan cannot be published with more than was claimed or twice") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<std::string>("t");
  leat::producer out{topic};
  auto loan = std::move(out.claim(leat::null, 4)).value();
  write(loan, "four");
  CHECK(loan.publish(5).error() == errc::invalid_argument);
  CHECK(loan.publish());
  CHECK(loan.publish().error() == errc::invalid_argument);
  leat::loan<std::string> nothing;
  CHECK(nothing.publish().error() == errc::invalid_argument);
  CHECK(values_of(topic) == strings{"four"});
}

TEST_CASE("a loan that is dropped leaves no record and its room is used again") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<std::string>("t", {.segment_bytes = 16384});
  leat::producer out{topic};
  REQUIRE(out.send("first"));
  for (int i = 0; i < 5000; ++i) {
    auto loan = std::move(out.claim("k", 100)).value();
    write(loan, "aborted");
  }
  CHECK(topic.log()->partition(0).begun().observe() == 1);
  CHECK(values_of(topic) == strings{"first"});
}

TEST_CASE("a loan that was moved is published once") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<std::string>("t");
  leat::producer out{topic};
  auto loan = std::move(out.claim(leat::null, 1)).value();
  write(loan, "x");
  leat::loan<std::string> moved = std::move(loan);
  CHECK(loan.publish().error() == errc::invalid_argument);  // NOLINT(bugprone-use-after-move)
  CHECK(moved.publish());
  CHECK(values_of(topic) == strings{"x"});
}

TEST_CASE("a value is built in place in its loan") {
  struct point {
    double x, y;
  };
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<point>("t");
  leat::producer out{topic};
  auto loan = std::move(out.claim("k")).value();
  *loan = {1, 2};
  loan->y = 3;
  REQUIRE(loan.publish());
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  for (const auto& record : in.poll()) {
    CHECK(record.value().x == 1);
    CHECK(record.value().y == 3);
  }
}

TEST_CASE("loans that are held while the log rolls and is recycled many times are published whole") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic = temporary.store.topic<std::string>("t", {.segment_bytes = 16384, .retention = {.bytes = 32768}});
  leat::producer out{topic};
  leat::producer other{topic};
  std::deque<leat::loan<std::string>> held;
  for (int i = 0; i < 30; ++i) {
    held.push_back(std::move(out.claim("k", 200)).value());
    write(held.back(), "loan " + std::to_string(i) + std::string(190, '.'));
    for (int k = 0; k < 40; ++k) REQUIRE((k % 2 == 0 ? out : other).send(std::string(100, 'x')));
  }
  CHECK(topic.start_offset(0) > 500);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 30; i += 2) {  // the even ones, then the odd ones, where some were dropped
      auto& loan = held[static_cast<std::size_t>(i + round)];
      const std::string text = "loan " + std::to_string(i + round) + std::string(190, '.');
      CHECK(std::memcmp(loan.bytes().data(), text.data(), text.size()) == 0);
      const std::uint64_t offset = loan.publish(text.size()).value().offset;
      leat::consumer in{topic};
      in.seek({0, offset});
      for (const auto& record : in.poll()) {
        REQUIRE(record.value() == text);
        REQUIRE(record.key() == "k");
      }
      for (int k = 0; k < 40; ++k) REQUIRE(other.send(std::string(100, 'x')));
    }
  }
}

TEST_CASE("a loan in a topic with log append time takes the time at which it is published") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t", {.timestamps = leat::timestamp_type::log_append_time});
  leat::producer out{topic};
  auto loan = std::move(out.claim(leat::null)).value();
  *loan = 1;
  REQUIRE(out.send(2));
  REQUIRE(loan.publish());
  const auto records = read_all(topic);
  CHECK(records[1].timestamp >= records[0].timestamp);
}

TEST_CASE("a loan of a deleted topic is not published") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  auto loan = std::move(out.claim(leat::null)).value();
  *loan = 2;
  REQUIRE(temporary.store.remove_topic("t"));
  CHECK(loan.publish().error() == errc::closed);
}

}  // namespace unit_loan
