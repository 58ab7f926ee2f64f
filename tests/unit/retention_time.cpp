// Retention by time, and how an operator changes retention.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/media.hpp"
#include "support/read_all.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace unit_retention_time {

using leat::errc;
using leat_tests::code_of;
using leat_tests::temporary_store;
using namespace std::chrono_literals;

constexpr std::uint64_t segment_bytes = 16384;

leat::topic<std::uint64_t> make_topic(const temporary_store& in, const leat::retention_options& retention) {
  return in.store.topic<std::uint64_t>("t", {.segment_bytes = segment_bytes, .retention = retention});
}

leat::timestamp ago(std::chrono::nanoseconds age) {
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()) - age;
}

std::uint64_t begun(const leat::topic<std::uint64_t>& topic) { return topic.log()->partition(0).begun().observe(); }
std::uint64_t start_sequence(const leat::topic<std::uint64_t>& topic) {
  return topic.log()->partition(0).start_sequence().observe();
}

/// Sends records of this age until one is the first of the next segment; gives its offset.
std::uint64_t fill_segment(leat::producer<std::uint64_t>& out, const leat::topic<std::uint64_t>& topic,
                           std::chrono::nanoseconds age) {
  for (const std::uint64_t before = begun(topic);;) {
    const std::uint64_t offset = out.send(7, {.timestamp = ago(age)}).value().offset;
    if (begun(topic) > before) return offset;
  }
}

TEST_CASE("segments go once all their records are older than retention allows") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, {.bytes = leat::unlimited, .time = 1h});
  leat::producer out{topic};
  REQUIRE(out.send(7, {.timestamp = ago(2h)}));
  std::uint64_t first_young = 0;
  for (int i = 0; i < 3; ++i) first_young = fill_segment(out, topic, 2h);
  REQUIRE(out.send(7));
  // The producer prepares in the middle of a segment, so the last one that is old may still be there.
  const leat::admin admin{temporary.store};
  admin.apply_retention("t");
  CHECK(topic.start_offset(0) == first_young);
  CHECK(start_sequence(topic) == 3);
  CHECK(admin.apply_retention("t") == 0);
  CHECK(leat_tests::read_all(topic).size() == topic.end_offset(0) - first_young);  // all in the active segment
  CHECK(topic.end_offset(0) - first_young > 0);
}

TEST_CASE("producers never retire the segment that is written but whoever applies retention ends it once it is old") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, {.bytes = leat::unlimited, .time = 1h});
  leat::producer out{topic};
  leat::producer another{topic};
  for (int i = 0; i < 10; ++i) REQUIRE(out.send(7, {.timestamp = ago(2h)}));
  REQUIRE(another.send(7, {.timestamp = ago(2h)}));
  CHECK(topic.start_offset(0) == 0);
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  REQUIRE(in.poll().size() == 11);

  const leat::admin admin{temporary.store};
  CHECK(admin.apply_retention("t") == 1);
  CHECK(topic.start_offset(0) == 11);
  CHECK(topic.end_offset(0) == 11);
  CHECK(admin.apply_retention("t") == 0);  // there is nothing in the new one
  CHECK(begun(topic) == 2);

  CHECK(another.send(8).value().offset == 11);  // both go on in the new segment
  CHECK(out.send(9).value().offset == 12);
  CHECK(in.poll().size() == 2);
  CHECK(admin.apply_retention("t") == 0);
  CHECK(topic.start_offset(0) == 11);
}

TEST_CASE("a segment whose largest timestamp is young stays although the rest of it is old") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, {.bytes = leat::unlimited, .time = 1h});
  leat::producer out{topic};
  REQUIRE(out.send(7, {.timestamp = ago(2h)}));
  REQUIRE(out.send(7, {.timestamp = ago(1min)}));  // not the last
  for (int i = 0; i < 3; ++i) fill_segment(out, topic, 2h);
  REQUIRE(out.send(7));
  const leat::admin admin{temporary.store};
  CHECK(admin.apply_retention("t") == 0);
  CHECK(topic.start_offset(0) == 0);  // what lies behind the young one waits for it
  CHECK(start_sequence(topic) == 0);

  admin.alter_topic("t", {.retention = {.time = 30s}});
  CHECK(admin.apply_retention("t") == 3);
  CHECK(start_sequence(topic) == 3);
}

TEST_CASE("records of the future keep their segment") {
  auto temporary = temporary_store::in_process();
  const auto topic = make_topic(temporary, {.bytes = leat::unlimited, .time = 1ns});
  leat::producer out{topic};
  REQUIRE(out.send(7, {.timestamp = ago(-24h)}));
  fill_segment(out, topic, 2h);
  fill_segment(out, topic, 2h);
  CHECK(leat::admin{temporary.store}.apply_retention("t") == 0);
  CHECK(topic.start_offset(0) == 0);
}

TEST_CASE("timestamps at the ends of their range are no trouble") {
  auto temporary = temporary_store::in_process();
  const auto topic = make_topic(temporary, {.bytes = leat::unlimited, .time = 24h * 365 * 100});
  leat::producer out{topic};
  const leat::timestamp lowest = leat::timestamp::min();
  while (begun(topic) < 2) REQUIRE(out.send(7, {.timestamp = lowest}));
  REQUIRE(out.send(7, {.timestamp = leat::timestamp::max()}));
  CHECK(leat::admin{temporary.store}.apply_retention("t") == 1);
  const std::uint64_t start = topic.start_offset(0);
  while (begun(topic) < 4) REQUIRE(out.send(7, {.timestamp = lowest}));
  CHECK(leat::admin{temporary.store}.apply_retention("t") == 0);
  CHECK(topic.start_offset(0) == start);
}

TEST_CASE("the largest timestamp of a sealed segment is looked for once and kept in its header") {
  auto temporary = temporary_store::on_disk();
  const auto topic = make_topic(temporary, {.bytes = leat::unlimited, .time = 1h});
  const std::string first = temporary.file("topics/t/0000-0000000000000000");
  const std::string second = temporary.file("topics/t/0000-0000000000000001");
  leat::producer out{topic};
  const leat::timestamp largest = ago(1min);
  REQUIRE(out.send(7, {.timestamp = largest}));
  fill_segment(out, topic, 2min);
  const leat::admin admin{temporary.store};
  CHECK(admin.segments({"t", 0})[1].largest_timestamp.has_value());
  const auto kept_in = [](const std::string& path) {
    return leat_tests::number_at(leat_tests::read_file(path).substr(144, 8), 0, 8);
  };
  CHECK(kept_in(first) == static_cast<std::uint64_t>(largest.time_since_epoch().count()));
  CHECK(kept_in(second) == ~std::uint64_t{0});  // it may get a larger one yet
  CHECK(admin.apply_retention("t") == 0);

  // What stands there counts from then on.
  leat_tests::poke(first, 144,
                   leat_tests::little_endian(static_cast<std::uint64_t>(ago(3h).time_since_epoch().count()), 8));
  CHECK(admin.apply_retention("t") == 1);
  CHECK(start_sequence(topic) == 1);
}

TEST_CASE("the file of a segment that is used again has no largest timestamp") {
  auto temporary = temporary_store::on_disk();
  const auto topic = make_topic(temporary, {.bytes = segment_bytes, .time = 1h});
  leat::producer out{topic};
  const leat::admin admin{temporary.store};
  for (int i = 0; i < 10; ++i) {
    fill_segment(out, topic, 1min);
    (void)admin.offset_for_time({"t", 0}, ago(2h));
  }
  REQUIRE(topic.describe().partitions[0].recycled_segments > 3);
  const std::string active = temporary.file("topics/t/0000-000000000000000" + std::to_string(begun(topic) - 1));
  REQUIRE(begun(topic) <= 10 + 1);
  if (begun(topic) <= 10) {
    CHECK(leat_tests::number_at(leat_tests::read_file(active).substr(144, 8), 0, 8) == ~std::uint64_t{0});
  }
}

TEST_CASE("bytes and time are both limits") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, {.bytes = 2 * segment_bytes, .time = 1h});
  leat::producer out{topic};
  for (int i = 0; i < 10; ++i) fill_segment(out, topic, 1min);  // young, so bytes decide
  const leat::admin admin{temporary.store};
  admin.apply_retention("t");
  CHECK(begun(topic) - 1 - start_sequence(topic) <= 2);
  CHECK(begun(topic) - 1 - start_sequence(topic) >= 1);

  admin.alter_topic("t", {.retention = {.time = 30s}});
  admin.apply_retention("t");
  CHECK(start_sequence(topic) == begun(topic) - 1);
}

TEST_CASE("a reader below the log start that time has moved goes on where its policy says") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, {.bytes = leat::unlimited, .time = 1h});
  leat::consumer behind{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  leat::producer out{topic};
  fill_segment(out, topic, 2h);
  const std::uint64_t start = fill_segment(out, topic, 2h);
  REQUIRE(out.send(7));
  leat::admin{temporary.store}.apply_retention("t");
  REQUIRE(topic.start_offset(0) == start);
  std::uint64_t first = 0;
  for (int polls = 0; polls < 3 && first == 0; ++polls) {  // one may only find that its place is gone
    for (const auto& record : behind.poll()) {
      first = record.offset();
      break;
    }
  }
  CHECK(first == start);
}

// --- changing it ---

TEST_CASE("a changed retention counts from the next roll on also for producers that are at work") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, {.bytes = 8 * segment_bytes});
  leat::producer out{topic};
  for (int i = 0; i < 12; ++i) fill_segment(out, topic, 0s);
  CHECK(begun(topic) - 1 - start_sequence(topic) >= 7);

  const auto elsewhere = temporary.path().empty() ? temporary.store : leat::store::open(temporary.path());
  leat::admin{elsewhere}.alter_topic("t", {.retention = {.bytes = segment_bytes}});
  const leat::topic_description described = temporary.store.describe_topic("t");
  CHECK(described.retention_bytes == segment_bytes);
  CHECK(topic.describe().retention_bytes == segment_bytes);  // of an open topic, too
  fill_segment(out, topic, 0s);
  fill_segment(out, topic, 0s);
  CHECK(begun(topic) - 1 - start_sequence(topic) <= 2);

  leat::admin{elsewhere}.alter_topic("t", {.retention = {.bytes = leat::unlimited}});
  const std::uint64_t start = topic.start_offset(0);
  for (int i = 0; i < 5; ++i) fill_segment(out, topic, 0s);
  CHECK(topic.start_offset(0) == start);
}

TEST_CASE("what is not mentioned in a change stays") {
  auto temporary = temporary_store::in_process();
  (void)make_topic(temporary, {.bytes = 8 * segment_bytes, .time = 1h, .wait_for_groups = true});
  const leat::admin admin{temporary.store};
  const auto now = [&] { return admin.describe_topic("t"); };
  admin.alter_topic("t", {});
  CHECK(now().retention_bytes == 8 * segment_bytes);
  CHECK(now().retention_time == 1h);
  CHECK(now().wait_for_groups);
  admin.alter_topic("t", {.retention = {.wait_for_groups = false}});
  CHECK(now().retention_bytes == 8 * segment_bytes);
  CHECK(now().retention_time == 1h);
  CHECK_FALSE(now().wait_for_groups);
  admin.alter_topic("t", {.retention = {.time = leat::forever}});
  CHECK(now().retention_bytes == 8 * segment_bytes);
  CHECK(now().retention_time == leat::forever);
}

TEST_CASE("a change with one impossible value changes nothing") {
  auto temporary = temporary_store::in_process();
  (void)make_topic(temporary, {.bytes = 8 * segment_bytes, .time = 1h});
  const leat::admin admin{temporary.store};
  CHECK(code_of([&] { admin.alter_topic("t", {.retention = {.bytes = 0, .time = 2h}}); }) == errc::invalid_argument);
  CHECK(code_of([&] { admin.alter_topic("t", {.retention = {.bytes = 1, .time = 0s}}); }) == errc::invalid_argument);
  CHECK(code_of([&] { admin.alter_topic("t", {.retention = {.bytes = 1, .time = -1s}}); }) == errc::invalid_argument);
  CHECK(admin.describe_topic("t").retention_bytes == 8 * segment_bytes);
  CHECK(admin.describe_topic("t").retention_time == 1h);
  CHECK(code_of([&] { admin.alter_topic("absent", {}); }) == errc::not_found);
  CHECK(code_of([&] { make_topic(temporary_store::in_process(), {.bytes = 0}); }) == errc::invalid_argument);
  CHECK(code_of([&] { make_topic(temporary_store::in_process(), {.time = 0s}); }) == errc::invalid_argument);
}

TEST_CASE("opening a topic with options compares with those that count now") {
  auto temporary = temporary_store::in_process();
  (void)make_topic(temporary, {.bytes = 8 * segment_bytes});
  leat::admin{temporary.store}.alter_topic(
      "t", {.retention = {.bytes = 4 * segment_bytes, .time = 1h, .wait_for_groups = true}});
  const auto opened = [&](const leat::retention_options& r) {
    return code_of([&] { (void)make_topic(temporary, r); });
  };
  CHECK(opened({.bytes = 4 * segment_bytes}) == errc::ok);
  CHECK(opened({.time = 1h}) == errc::ok);
  CHECK(opened({.wait_for_groups = true}) == errc::ok);
  CHECK(opened({.bytes = 8 * segment_bytes}) == errc::conflicting_options);
  CHECK(opened({.time = 2h}) == errc::conflicting_options);
  CHECK(opened({.time = leat::forever}) == errc::conflicting_options);
  CHECK(opened({.wait_for_groups = false}) == errc::conflicting_options);
}

}  // namespace unit_retention_time
