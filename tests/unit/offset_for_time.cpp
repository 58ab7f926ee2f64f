// Finding records by their time.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/media.hpp"
#include "support/processes.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace unit_offset_for_time {

using leat::errc;
using leat_tests::code_of;
using leat_tests::temporary_store;

using found = std::optional<std::uint64_t>;

leat::timestamp at(std::int64_t n) { return leat::timestamp(std::chrono::nanoseconds(n)); }

struct sample {
  temporary_store temporary = leat_tests::each_kind_of_store();
  leat::topic<std::uint64_t> topic = temporary.store.topic<std::uint64_t>(
      "t", {.partitions = 2, .segment_bytes = 16384, .retention = {.bytes = leat::unlimited}});
  leat::producer<std::uint64_t> out{topic};
  std::vector<std::int64_t> times;

  void send(std::int64_t time) {
    REQUIRE(out.send(1, {.partition = 0, .timestamp = at(time)}));
    times.push_back(time);
  }

  /// What a look at every record finds.
  found expected(std::int64_t time) const {
    for (std::uint64_t i = topic.start_offset(0); i < times.size(); ++i) {
      if (times[i] >= time) return i;
    }
    return std::nullopt;
  }

  /// All ways to ask agree.
  found ask(std::int64_t time) const {
    const found offset = topic.offset_for_time(0, at(time));
    CHECK(leat::admin{temporary.store}.offset_for_time({"t", 0}, at(time)) == offset);
    leat::consumer in{topic, {.partitions = {{0}}}};
    CHECK(in.offset_for_time(0, at(time)) == offset);
    CHECK(in.offset_for_time({"t", 0}, at(time)) == offset);
    in.seek_to_time(at(time));
    CHECK(in.position(0) == offset.value_or(topic.end_offset(0)));
    return offset;
  }
};

TEST_CASE("the first record with a time or a later one is found") {
  sample s;
  for (std::int64_t i = 0; i < 2000; ++i) s.send(100 + 10 * i);
  REQUIRE(s.topic.log()->partition(0).begun().observe() > 2);
  CHECK(s.ask(0) == found(0));    // before all
  CHECK(s.ask(100) == found(0));  // the first
  CHECK(s.ask(101) == found(1));
  CHECK(s.ask(110) == found(1));
  CHECK(s.ask(111) == found(2));
  CHECK(s.ask(100 + 10 * 1234) == found(1234));
  CHECK(s.ask(100 + 10 * 1999) == found(1999));  // the last
  CHECK(s.ask(100 + 10 * 1999 + 1) == found());  // behind all
  const auto segments = leat::admin{s.temporary.store}.segments({"t", 0});
  for (const auto& segment : segments) {  // at the seams
    CHECK(s.ask(100 + 10 * static_cast<std::int64_t>(segment.base_offset)) == found(segment.base_offset));
    if (segment.base_offset == 0) continue;
    CHECK(s.ask(100 + 10 * static_cast<std::int64_t>(segment.base_offset) - 9) == found(segment.base_offset));
  }
}

TEST_CASE("where times go back and forth the first in the order of offsets counts") {
  const auto seed = leat_tests::seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  sample s;
  for (int i = 0; i < 1500; ++i) s.send(static_cast<std::int64_t>(random() % 10000) - 5000);
  REQUIRE(s.topic.log()->partition(0).begun().observe() > 2);
  s.send(20000);  // in the active segment, and then smaller ones behind it
  for (int i = 0; i < 10; ++i) s.send(5);
  for (const std::int64_t time : {-6000, -5000, -1, 0, 1, 4990, 4999, 5000, 9999, 20000}) {
    CAPTURE(time);
    CHECK(s.ask(time) == s.expected(time));
  }
  CHECK(s.ask(20000) == found(1500));
  CHECK(s.ask(20001) == found());
}

TEST_CASE("a larger time that comes after a search is found by the next") {
  sample s;
  s.send(10);
  CHECK(s.ask(20) == found());
  s.send(20);
  CHECK(s.ask(20) == found(1));
  s.send(15);
  CHECK(s.ask(11) == found(1));
}

TEST_CASE("nothing is found in a partition without records") {
  const sample s;
  CHECK(s.ask(0) == found());
  CHECK(s.topic.offset_for_time(1, leat::timestamp::min()) == found());
  CHECK(code_of([&] { (void)s.topic.offset_for_time(2, at(0)); }) == errc::invalid_argument);
}

TEST_CASE("deleted records are not found") {
  sample s;
  for (std::int64_t i = 0; i < 2000; ++i) s.send(1000 - i / 2);  // falling, so the largest come first
  const leat::admin admin{s.temporary.store};
  CHECK(s.ask(1000) == found(0));
  admin.delete_records({"t", 0}, 1);
  CHECK(s.ask(1000) == found(1));
  admin.delete_records({"t", 0}, 2);
  CHECK(s.ask(1000) == found());
  CHECK(s.ask(999) == found(2));
  admin.delete_records({"t", 0}, 1500);
  CHECK(s.ask(0) == found(1500));
  admin.delete_records({"t", 0}, 2000);
  CHECK(s.ask(0) == found());
  s.send(7);
  CHECK(s.ask(7) == found(2000));
}

TEST_CASE("a segment that is missing is an error of the search") {
  const auto temporary = temporary_store::on_disk();
  const auto topic =
      temporary.store.topic<std::uint64_t>("t", {.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}});
  leat::producer out{topic};
  std::int64_t time = 0;
  while (topic.log()->partition(0).begun().observe() < 3) REQUIRE(out.send(1, {.timestamp = at(++time)}));
  REQUIRE(std::filesystem::remove(temporary.file("topics/t/" + topic.log()->partition(0).name(1))));
  CHECK(topic.offset_for_time(0, at(1)) == 0);  // which lies before it
  const auto failure = leat_tests::failure_of([&] { (void)topic.offset_for_time(0, at(time)); });
  REQUIRE(failure);
  CHECK(failure->code() == errc::corrupt);
  CHECK_THAT(std::string(failure->what()), Catch::Matchers::ContainsSubstring("a segment of the log is missing"));
}

TEST_CASE("times at the ends of their range can be searched for") {
  sample s;
  s.send(std::numeric_limits<std::int64_t>::min());
  s.send(std::numeric_limits<std::int64_t>::max());
  CHECK(s.ask(std::numeric_limits<std::int64_t>::min()) == found(0));
  CHECK(s.ask(std::numeric_limits<std::int64_t>::min() + 1) == found(1));
  CHECK(s.ask(std::numeric_limits<std::int64_t>::max()) == found(1));
}

TEST_CASE("seek_to_time moves each partition to its own place") {
  sample s;
  for (int i = 0; i < 10; ++i) {
    REQUIRE(s.out.send(1, {.partition = 0, .timestamp = at(i)}));
    REQUIRE(s.out.send(1, {.partition = 1, .timestamp = at(2 * i)}));
  }
  leat::consumer in{s.topic};
  in.seek_to_time(at(8));
  CHECK(in.position(0) == 8);
  CHECK(in.position(1) == 4);
  in.seek_to_time(at(15));
  CHECK(in.position(0) == 10);  // the end
  CHECK(in.position(1) == 8);
  std::size_t read = 0;
  for (int polls = 0; polls < 2; ++polls) read += in.poll().size();
  CHECK(read == 2);
}

}  // namespace unit_offset_for_time
