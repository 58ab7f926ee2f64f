#include <leat/consumer.hpp>

#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/media.hpp"
#include "support/read_all.hpp"

#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace unit_consumer {

using Catch::Matchers::ContainsSubstring;
using leat::errc;
using leat::offset_reset;
using leat_tests::code_of;
using leat_tests::message_of;
using namespace std::chrono_literals;

using ints = std::vector<int>;

ints values(const leat::batch<int>& batch) {
  ints all;
  for (const auto& record : batch) all.push_back(record.value());
  return all;
}

void send(leat::producer<int>& out, int begin, int end, std::uint32_t partition = 0) {
  for (; begin < end; ++begin) REQUIRE(out.send(begin, {.partition = partition}));
}

TEST_CASE("with latest a consumer reads what is sent after it was made") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  send(out, 0, 3);
  leat::consumer in{topic};
  CHECK(in.position(0) == 3);
  CHECK(in.poll().empty());
  send(out, 3, 5);
  CHECK(values(in.poll()) == ints{3, 4});
  CHECK(in.position(0) == 5);
}

TEST_CASE("with earliest a consumer reads from the log start") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.segment_bytes = 16384, .retention = {.bytes = 32768}});
  leat::producer out{topic};
  send(out, 0, 5000);
  const std::uint64_t start = topic.start_offset(0);
  REQUIRE(start > 0);
  leat::consumer in{topic, {.auto_offset_reset = offset_reset::earliest}};
  CHECK(in.position(0) == start);
  std::uint64_t next = start;
  while (in.position(0) < 5000) {
    for (const auto& record : in.poll()) {
      REQUIRE(record.offset() == next);
      REQUIRE(record.value() == static_cast<int>(next++));
    }
  }
  CHECK(in.poll().empty());
}

TEST_CASE("with none a consumer needs a position and says so") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  send(out, 0, 3);
  leat::consumer in{topic, {.auto_offset_reset = offset_reset::none}};
  CHECK(in.poll().error() == errc::out_of_range);
  CHECK_THAT(message_of([&] { (void)in.poll().begin(); }), ContainsSubstring("no position is known for partition 0"));
  in.seek({0, 1});
  CHECK(values(in.poll()) == ints{1, 2});
  in.seek({0, 4});
  CHECK(in.poll().error() == errc::out_of_range);
  CHECK_THAT(message_of([&] { (void)in.poll().begin(); }),
             ContainsSubstring("offset 4 of partition 0 is out of range") && ContainsSubstring("none"));
  CHECK(in.position(0) == 4);
  in.seek_to_beginning();
  CHECK(values(in.poll()) == ints{0, 1, 2});
}

TEST_CASE("a position outside the log meets the reset policy on both sides") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic = temporary.store.topic<int>("t", {.segment_bytes = 16384, .retention = {.bytes = 32768}});
  leat::producer out{topic};
  send(out, 0, 5000);
  const std::uint64_t start = topic.start_offset(0);
  REQUIRE(start > 1);
  for (const std::uint64_t outside : {std::uint64_t{0}, start - 1, std::uint64_t{5001}, ~std::uint64_t{0}}) {
    CAPTURE(outside);
    leat::consumer earliest{topic, {.auto_offset_reset = offset_reset::earliest, .max_poll_records = 1}};
    earliest.seek({0, outside});
    CHECK(earliest.poll().error() == errc::ok);
    if (earliest.position(0) == start) CHECK(values(earliest.poll()) == ints{static_cast<int>(start)});
    CHECK(earliest.position(0) == start + 1);

    leat::consumer latest{topic};
    latest.seek({0, outside});
    CHECK(latest.poll().empty());
    CHECK(latest.position(0) == 5000);

    leat::consumer none{topic, {.auto_offset_reset = offset_reset::none}};
    none.seek({0, outside});
    CHECK(none.poll().error() == errc::out_of_range);
    CHECK(none.poll().error() == errc::out_of_range);
    CHECK(none.position(0) == outside);
  }
  leat::consumer at_start{topic, {.auto_offset_reset = offset_reset::none, .max_poll_records = 1}};
  at_start.seek({0, start});
  CHECK(values(at_start.poll()) == ints{static_cast<int>(start)});
  at_start.seek({0, 5000});
  CHECK(at_start.poll().error() == errc::ok);  // the end is within the log: there may be a record soon
}

TEST_CASE("a consumer that fell behind the log start goes on as its policy says") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.segment_bytes = 16384, .retention = {.bytes = 16384}});
  leat::producer out{topic};
  send(out, 0, 10);
  leat::consumer earliest{topic, {.auto_offset_reset = offset_reset::earliest}};
  leat::consumer latest{topic};
  leat::consumer none{topic, {.auto_offset_reset = offset_reset::none}};
  latest.seek_to_beginning();
  none.seek({0, 0});
  CHECK(earliest.poll().size() == 10);
  CHECK(latest.poll().size() == 10);
  CHECK(none.poll().size() == 10);
  send(out, 10, 10000);
  errc error = errc::ok;
  for (int i = 0; i < 100 && error == errc::ok; ++i) error = none.poll().error();
  CHECK(error == errc::out_of_range);
  CHECK(none.position(0) < topic.start_offset(0));
  std::uint64_t previous = 9;
  bool gap = false;
  while (earliest.position(0) < 10000) {
    for (const auto& record : earliest.poll()) {
      if (record.offset() != previous + 1) {
        CHECK_FALSE(gap);
        CHECK(record.offset() == topic.start_offset(0));
        gap = true;
      }
      previous = record.offset();
    }
  }
  CHECK(gap);
  for (int i = 0; i < 100; ++i) (void)latest.poll();
  CHECK(latest.position(0) == 10000);
}

TEST_CASE("start and end and lag are those of the log") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic =
      temporary.store.topic<int>("t", {.partitions = 2, .segment_bytes = 16384, .retention = {.bytes = 16384}});
  leat::producer out{topic};
  leat::consumer in{topic, {.auto_offset_reset = offset_reset::earliest}};
  CHECK(in.lag(0) == 0);
  CHECK(in.start_offset(0) == 0);
  CHECK(in.end_offset(0) == 0);
  send(out, 0, 10);
  CHECK(in.lag(0) == 10);
  CHECK(in.lag(1) == 0);
  CHECK(in.poll().size() == 10);
  CHECK(in.lag(0) == 0);
  send(out, 10, 4000);
  CHECK(in.lag(0) == 3990);
  CHECK(in.end_offset(0) == 4000);
  CHECK(in.start_offset(0) == topic.start_offset(0));
  in.seek({0, 3900});
  CHECK(in.lag(0) == 100);
  in.seek({0, 5000});
  CHECK(in.lag(0) == 0);
  CHECK(code_of([&] { (void)in.end_offset(2); }) == errc::invalid_argument);
}

TEST_CASE("a poll gives max_poll_records at most and goes on there") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  leat::producer out{topic};
  for (const std::uint32_t most : {1u, 7u, 500u}) {
    CAPTURE(most);
    leat::consumer in{topic, {.max_poll_records = most}};
    send(out, 0, 100, 0);
    send(out, 0, 100, 1);
    std::map<std::uint32_t, int> next;
    int read = 0;
    while (read < 200) {
      const auto batch = in.poll();
      REQUIRE(batch.size() >= 1);
      REQUIRE(batch.size() <= most);
      for (const auto& record : batch) {
        REQUIRE(record.value() == next[record.partition()]++);
        ++read;
      }
    }
    CHECK(in.poll().empty());
  }
  leat::consumer zero{topic, {.max_poll_records = 0}};
  send(out, 0, 2);
  CHECK(zero.poll().size() == 1);
}

TEST_CASE("no partition starves the others") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 3});
  leat::producer out{topic};
  leat::consumer in{topic, {.max_poll_records = 10}};
  send(out, 0, 1000, 0);
  send(out, 0, 1, 1);
  send(out, 0, 1, 2);
  std::map<std::uint32_t, int> read;
  for (int i = 0; i < 3; ++i) {
    for (const auto& record : in.poll()) ++read[record.partition()];
  }
  CHECK(read[1] == 1);
  CHECK(read[2] == 1);
}

TEST_CASE("a consumer of some partitions reads those alone") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 4});
  leat::producer out{topic};
  leat::consumer in{topic, {.partitions = {{1, 3}}}};
  CHECK(in.assignment() == std::vector<std::uint32_t>{1, 3});
  for (std::uint32_t p = 0; p < 4; ++p) send(out, static_cast<int>(p), static_cast<int>(p) + 1, p);
  ints read = values(in.poll());
  std::ranges::sort(read);
  CHECK(read == ints{1, 3});
  CHECK(code_of([&] { (void)in.position(0); }) == errc::invalid_argument);
  CHECK(code_of([&] { in.pause(2); }) == errc::invalid_argument);
  CHECK(code_of([&] { in.seek({0, 0}); }) == errc::invalid_argument);
  CHECK(code_of([&] { leat::consumer<int>{topic, {.partitions = {{4}}}}; }) == errc::invalid_argument);
}

TEST_CASE("assigning keeps the position of partitions that stay") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 3});
  leat::producer out{topic};
  for (std::uint32_t p = 0; p < 3; ++p) send(out, 0, 10, p);
  leat::consumer in{topic,
                    {.partitions = {{0, 1}}, .auto_offset_reset = offset_reset::earliest, .max_poll_records = 4}};
  CHECK(in.poll().size() == 4);
  const std::uint64_t kept = in.position(1);
  in.assign({1, 2, 2});
  CHECK(in.assignment() == std::vector<std::uint32_t>{1, 2});
  CHECK(in.position(1) == kept);
  CHECK(in.position(2) == 0);
  CHECK(code_of([&] { in.assign({7}); }) == errc::invalid_argument);
  CHECK(in.assignment() == std::vector<std::uint32_t>{1, 2});
  in.assign({});
  CHECK(in.assignment().empty());
  CHECK(in.poll().empty());
  CHECK(in.poll(1ms).empty());
  in.assign({0});
  CHECK(in.poll().size() == 4);
}

TEST_CASE("a paused partition is not read and keeps its position") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  leat::producer out{topic};
  leat::consumer in{topic};
  in.pause(0);
  CHECK(in.paused(0));
  CHECK_FALSE(in.paused(1));
  send(out, 0, 3, 0);
  send(out, 10, 13, 1);
  CHECK(values(in.poll()) == ints{10, 11, 12});
  CHECK(in.poll().empty());
  CHECK(in.poll(1ms).empty());
  CHECK(in.position(0) == 0);
  in.resume(0);
  CHECK(values(in.poll()) == ints{0, 1, 2});
  in.pause(0);
  in.pause(1);
  CHECK(in.poll(1ms).empty());
}

TEST_CASE("a seek begins the next poll there") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  leat::consumer in{topic};
  send(out, 0, 10);
  CHECK(in.poll().size() == 10);
  in.seek({0, 7});
  CHECK(in.position(0) == 7);
  CHECK(values(in.poll()) == ints{7, 8, 9});
  in.seek_to_beginning();
  CHECK(values(in.poll()).front() == 0);
  in.seek_to_end();
  CHECK(in.position(0) == 10);
  CHECK(in.poll().empty());
}

TEST_CASE("a poll without records returns at its time-out whatever the strategy of waiting") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  for (const leat::wait_strategy strategy :
       {leat::wait_strategy::spin, leat::wait_strategy::yield, leat::wait_strategy::block}) {
    leat::consumer in{topic, {.wait = strategy}};
    for (const auto timeout : {std::chrono::nanoseconds(0), std::chrono::nanoseconds(-5), std::chrono::nanoseconds(1),
                               std::chrono::nanoseconds(3ms)}) {
      const auto begin = std::chrono::steady_clock::now();
      const auto batch = in.poll(timeout);
      const auto took = std::chrono::steady_clock::now() - begin;
      CHECK(batch.empty());
      CHECK(batch.error() == errc::ok);
      CHECK(took >= timeout);
      CHECK(took < timeout + 2s);
    }
  }
}

TEST_CASE("a poll with a long time-out returns at once where there is something to read") {
  auto temporary = leat_tests::temporary_store::in_process();
  for (const bool single_writer : {false, true}) {
    const auto topic = temporary.store.topic<int>(single_writer ? "single" : "any", {.single_writer = single_writer});
    leat::producer out{topic};
    for (const leat::wait_strategy strategy :
         {leat::wait_strategy::spin, leat::wait_strategy::yield, leat::wait_strategy::block}) {
      leat::consumer in{topic, {.wait = strategy}};
      send(out, 1, 2);
      CHECK(values(in.poll(std::chrono::nanoseconds::max())) == ints{1});
    }
  }
}

TEST_CASE("a consumer that spins is given what comes though another partition has never had a record") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 3});
  for (const leat::wait_strategy strategy :
       {leat::wait_strategy::spin, leat::wait_strategy::yield, leat::wait_strategy::block}) {
    for (const std::uint32_t partition : {1u, 1u, 2u}) {  // 0 stays empty; the first time others are, too
      leat::consumer in{topic, {.wait = strategy}};
      CHECK(in.poll(1ms).empty());
      std::thread sender([&] {
        leat::producer out{topic};
        (void)out.send(7, {.partition = partition}).value();
      });
      const auto batch = in.poll(60s);
      sender.join();
      REQUIRE(batch.size() == 1);
      CHECK((*batch.begin()).value() == 7);
      CHECK((*batch.begin()).partition() == partition);
    }
  }
}

TEST_CASE("two consumers read everything each") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  leat::consumer one{topic};
  leat::consumer two{topic};
  send(out, 0, 3);
  CHECK(values(one.poll()) == ints{0, 1, 2});
  CHECK(values(two.poll()) == ints{0, 1, 2});
}

TEST_CASE("what a consumer has read it has not read any further when it looks at the end") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  leat::consumer in{topic};
  CHECK(topic.end_offset(0) == 0);
  send(out, 0, 1);
  CHECK(in.end_offset(0) == 1);
  CHECK(in.position(0) == 0);
}

TEST_CASE("a damaged partition does not keep the others from being read") {
  auto temporary = leat_tests::temporary_store::on_disk();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 3});
  leat::producer out{topic};
  for (std::uint32_t p = 0; p < 3; ++p) send(out, 0, 3, p);
  leat_tests::poke(temporary.file("topics/t/0000-0000000000000000"), 4096 + 8, std::string(8, '\x7f'));
  leat::consumer in{topic, {.auto_offset_reset = offset_reset::earliest}};
  std::map<std::uint32_t, int> read;
  int failures = 0;
  for (int i = 0; i < 10; ++i) {
    if (i == 4) send(out, 3, 4, 2);
    const auto batch = in.poll();
    if (batch.error() == errc::corrupt) {
      CHECK_THAT(message_of([&] { (void)batch.begin(); }), ContainsSubstring("slot 1 (offset 1)"));
      ++failures;
      continue;
    }
    for (const auto& record : batch) ++read[record.partition()];
  }
  CHECK(failures > 0);
  CHECK(read[0] == 1);
  CHECK(read[1] == 3);
  CHECK(read[2] == 4);
}

}  // namespace unit_consumer
