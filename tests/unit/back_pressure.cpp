// Retention that waits for groups, and what producers get from it.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/media.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <thread>

namespace unit_back_pressure {

using Catch::Matchers::ContainsSubstring;
using leat::errc;
using leat::offset_reset;
using leat_tests::temporary_store;
using namespace std::chrono_literals;

constexpr std::uint64_t segment_bytes = 16384;
constexpr std::uint64_t most_records = 100000;

using numbers = leat::topic<std::uint64_t>;

numbers make_topic(const temporary_store& in, std::uint64_t keep = 2) {
  return in.store.topic<std::uint64_t>(
      "t", {.segment_bytes = segment_bytes, .retention = {.bytes = keep * segment_bytes, .wait_for_groups = true}});
}

leat::consumer_options of_group(const std::string& group) {
  return {.auto_offset_reset = offset_reset::earliest, .group = group, .enable_auto_commit = false};
}

/// Sends until it cannot; what came in between.
errc send_until_refused(leat::producer<std::uint64_t>& out) {
  for (std::uint64_t i = 0; i < most_records; ++i) {
    if (const auto at = out.send(i); !at) return at.error();
  }
  return errc::ok;
}

/// Reads all there is, and commits.
void read_and_commit(leat::consumer<std::uint64_t>& in, const numbers& topic) {
  while (in.position(0) < topic.end_offset(0)) REQUIRE_FALSE(in.poll(10s).empty());
  in.commit().value();
}

TEST_CASE("a topic that waits for groups of which none reads it goes on like any other") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  leat::producer out{topic, {.max_block = 0s}};
  for (std::uint64_t i = 0; i < 20000; ++i) REQUIRE(out.send(i));
  CHECK(topic.start_offset(0) > 0);
}

TEST_CASE("a producer is refused once retention would take what a group has not committed") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  leat::consumer in{topic, of_group("slow")};
  REQUIRE(in.poll().empty());
  leat::producer out{topic, {.max_block = 0s}};
  REQUIRE(send_until_refused(out) == errc::back_pressure);
  CHECK(topic.start_offset(0) == 0);
  const std::uint64_t end = topic.end_offset(0);
  CHECK(end > 2 * 300);  // two sealed segments at least, with some 400 records each
  CHECK_THAT(out.back_pressure_cause(),
             ContainsSubstring("group \"slow\" is at offset 0") && ContainsSubstring("partition 0"));
  CHECK(out.send(1).error() == errc::back_pressure);  // it stays so
  CHECK(topic.end_offset(0) == end);
  CHECK(topic.describe().partitions[0].back_pressure >= 2);

  in.poll();  // reading is not committing
  CHECK(out.send(1).error() == errc::back_pressure);

  // Behind all: as much again can be sent.
  in.seek({0, end});
  in.commit().value();
  REQUIRE(out.send(1).value().offset == end);
  CHECK(topic.start_offset(0) > 0);
  CHECK(topic.start_offset(0) <= end);
  REQUIRE(send_until_refused(out) == errc::back_pressure);
  CHECK_THAT(out.back_pressure_cause(), ContainsSubstring("at offset " + std::to_string(end)));
  CHECK(topic.start_offset(0) <= end);
}

TEST_CASE("no record that a group has not committed is lost however often producer and consumer take turns") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  leat::consumer in{topic, of_group("g")};
  REQUIRE(in.poll().empty());
  leat::producer out{topic, {.max_block = 0s}};
  std::uint64_t sent = 0;
  std::uint64_t read = 0;
  for (int turns = 0; turns < 20; ++turns) {
    for (;;) {
      const auto at = out.send(sent);
      if (!at) {
        REQUIRE(at.error() == errc::back_pressure);
        break;
      }
      REQUIRE(at.value().offset == sent);
      ++sent;
    }
    while (read < sent) {
      const auto batch = in.poll(10s);
      REQUIRE_FALSE(batch.empty());
      for (const auto& record : batch) REQUIRE(record.value() == read++);
    }
    in.commit().value();
  }
  CHECK(sent > 20 * 300);
  CHECK(topic.start_offset(0) > 0);
}

TEST_CASE("a segment goes only when the slowest of several groups has committed it") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  leat::consumer fast{topic, of_group("fast")};
  leat::consumer slow{topic, of_group("slow")};
  REQUIRE(fast.poll().empty());
  REQUIRE(slow.poll().empty());
  leat::producer out{topic, {.max_block = 0s}};
  REQUIRE(send_until_refused(out) == errc::back_pressure);
  read_and_commit(fast, topic);
  CHECK(out.send(1).error() == errc::back_pressure);
  CHECK_THAT(out.back_pressure_cause(), ContainsSubstring("group \"slow\""));
  read_and_commit(slow, topic);
  CHECK(out.send(1));
}

TEST_CASE("a group that is deleted holds nothing back any more") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  {
    leat::consumer in{topic, of_group("gone")};
    REQUIRE(in.poll().empty());
    in.commit({{"t", 0}, 0}).value();
  }
  leat::producer out{topic, {.max_block = 0s}};
  REQUIRE(send_until_refused(out) == errc::back_pressure);
  REQUIRE(leat::admin{temporary.store}.delete_group("gone"));
  for (std::uint64_t i = 0; i < 5000; ++i) REQUIRE(out.send(i));
}

TEST_CASE("a group whose last member leaves before it has committed holds nothing back") {
  auto temporary = temporary_store::in_process();
  const auto topic = make_topic(temporary);
  {
    leat::consumer in{topic, of_group("visitor")};
    REQUIRE(in.poll().empty());
  }
  leat::producer out{topic, {.max_block = 0s}};
  for (std::uint64_t i = 0; i < 5000; ++i) REQUIRE(out.send(i));
}

/// Sends to partition 1 until it is refused; how many.
std::uint64_t fill_added(leat::producer<std::uint64_t>& out) {
  for (std::uint64_t i = 0; i < most_records; ++i) {
    const auto at = out.send(i, {.partition = 1});
    if (at) continue;
    REQUIRE(at.error() == errc::back_pressure);
    return i;
  }
  FAIL("never refused");
  return 0;
}

TEST_CASE("a partition that is added is kept whole for a member that has not polled since") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto reset = GENERATE(offset_reset::earliest, offset_reset::latest);
  const auto topic = make_topic(temporary);
  auto options = of_group("g");
  options.auto_offset_reset = reset;
  leat::consumer in{topic, options};
  REQUIRE(in.poll().empty());
  leat::admin{temporary.store}.add_partitions("t", 2);
  leat::producer out{topic, {.max_block = 0s}};
  const std::uint64_t sent = fill_added(out);
  CHECK_THAT(out.back_pressure_cause(),
             ContainsSubstring("partition 1") && ContainsSubstring("group \"g\" is at offset 0"));
  std::uint64_t read = 0;
  while (read < sent) {
    const auto batch = in.poll(10s);
    REQUIRE_FALSE(batch.empty());
    for (const auto& record : batch) REQUIRE(record.value() == read++);
  }
  in.commit().value();
  CHECK(out.send(sent, {.partition = 1}));
}

TEST_CASE("a partition that is added while a group is away is kept for its return") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  {
    leat::consumer in{topic, of_group("g")};
    REQUIRE(in.poll().empty());
    in.commit().value();
  }
  leat::admin{temporary.store}.add_partitions("t", 2);
  leat::producer out{topic, {.max_block = 0s}};
  const std::uint64_t sent = fill_added(out);
  leat::consumer in{topic, of_group("g")};
  std::uint64_t read = 0;
  while (read < sent) {
    const auto batch = in.poll(10s);
    REQUIRE_FALSE(batch.empty());
    for (const auto& record : batch) REQUIRE(record.value() == read++);
  }
}

TEST_CASE("nothing of a partition that is added is kept for a group that was left without a commit") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  {
    leat::consumer in{topic, of_group("g")};
    REQUIRE(in.poll().empty());
  }
  leat::admin{temporary.store}.add_partitions("t", 2);
  leat::producer out{topic, {.max_block = 0s}};
  for (std::uint64_t i = 0; i < 5000; ++i) REQUIRE(out.send(i, {.partition = 1}));
}

TEST_CASE("nothing of a partition that is added is kept for a consumer that names its partitions") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  auto options = of_group("g");
  options.partitions = {{0}};
  leat::consumer in{topic, options};
  in.commit({{"t", 0}, 0}).value();
  leat::admin{temporary.store}.add_partitions("t", 2);
  leat::producer out{topic, {.max_block = 0s}};
  for (std::uint64_t i = 0; i < 5000; ++i) REQUIRE(out.send(i, {.partition = 1}));
  in.commit({{"t", 0}, 0}).value();
  leat::consumer later{topic, options};  // which makes room for all partitions
  later.commit({{"t", 0}, 0, "with metadata"}).value();
  for (std::uint64_t i = 0; i < 5000; ++i) REQUIRE(out.send(i, {.partition = 1}));
}

TEST_CASE("with wait_for_groups switched off by an operator a waiting producer goes on") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  leat::consumer in{topic, of_group("slow")};
  REQUIRE(in.poll().empty());
  leat::producer out{topic, {.max_block = 0s}};
  REQUIRE(send_until_refused(out) == errc::back_pressure);
  leat::admin{temporary.store}.alter_topic("t", {.retention = {.wait_for_groups = false}});
  CHECK(out.send(1));
}

TEST_CASE("more retention.bytes let a refused producer go on") {
  auto temporary = temporary_store::in_process();
  const auto topic = make_topic(temporary);
  leat::consumer in{topic, of_group("slow")};
  REQUIRE(in.poll().empty());
  leat::producer out{topic, {.max_block = 0s}};
  REQUIRE(send_until_refused(out) == errc::back_pressure);
  leat::admin{temporary.store}.alter_topic("t", {.retention = {.bytes = 4 * segment_bytes}});
  CHECK(out.send(1));
  REQUIRE(send_until_refused(out) == errc::back_pressure);
  CHECK(topic.start_offset(0) == 0);
}

TEST_CASE("segments that are old wait for groups as well but producers do not") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<std::uint64_t>(
      "t",
      {.segment_bytes = segment_bytes, .retention = {.bytes = leat::unlimited, .time = 1s, .wait_for_groups = true}});
  leat::consumer in{topic, of_group("slow")};
  REQUIRE(in.poll().empty());
  leat::producer out{topic, {.max_block = 0s}};
  for (std::uint64_t i = 0; i < 5000; ++i) REQUIRE(out.send(i, {.timestamp = leat::timestamp(1s)}));
  CHECK(leat::admin{temporary.store}.apply_retention("t") == 0);
  CHECK(topic.start_offset(0) == 0);
  read_and_commit(in, topic);
  CHECK(leat::admin{temporary.store}.apply_retention("t") > 0);
}

TEST_CASE("a refused producer has waited as long as it was told") {
  auto temporary = temporary_store::in_process();
  const auto topic = make_topic(temporary);
  leat::consumer in{topic, of_group("slow")};
  REQUIRE(in.poll().empty());
  leat::producer out{topic, {.max_block = 50ms}};
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(send_until_refused(out) == errc::back_pressure);
  CHECK(std::chrono::steady_clock::now() - begin >= 50ms);
}

TEST_CASE("a producer that waits goes on when another thread commits") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  leat::consumer in{topic, of_group("g")};
  REQUIRE(in.poll().empty());
  constexpr std::uint64_t all = 20000;
  std::atomic<errc> failure{errc::ok};
  std::thread producing([&] {
    leat::producer out{topic, {.max_block = 120s}};
    for (std::uint64_t i = 0; i < all && failure == errc::ok; ++i) {
      if (const auto at = out.send(i); !at) failure = at.error();
    }
  });
  // It is certain that the producer waits: nothing is committed until it is refused room.
  while (topic.describe().partitions[0].back_pressure == 0 && failure == errc::ok) std::this_thread::yield();
  std::uint64_t read = 0;
  bool in_order = true;
  const auto deadline = std::chrono::steady_clock::now() + 100s;
  while (read < all && failure == errc::ok && std::chrono::steady_clock::now() < deadline) {
    for (const auto& record : in.poll(100ms)) in_order = in_order && record.value() == read++;
    if (!in.commit()) break;
  }
  producing.join();
  CHECK(failure == errc::ok);
  CHECK(in_order);
  CHECK(read == all);
}

TEST_CASE("a producer that waits is told when its topic is deleted") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  leat::consumer in{topic, of_group("g")};
  REQUIRE(in.poll().empty());
  errc outcome = errc::ok;
  std::thread producing([&] {
    leat::producer out{topic, {.max_block = 120s}};
    outcome = send_until_refused(out);
  });
  while (topic.describe().partitions[0].back_pressure == 0) std::this_thread::yield();
  REQUIRE(temporary.store.remove_topic("t"));
  producing.join();
  CHECK(outcome == errc::closed);
}

TEST_CASE("batches and loans meet back pressure as sends do") {
  auto temporary = temporary_store::in_process();
  const auto topic = make_topic(temporary);
  leat::consumer in{topic, of_group("slow")};
  REQUIRE(in.poll().empty());
  leat::producer out{topic, {.max_block = 0s}};
  const std::vector<std::uint64_t> many(most_records, 3);
  const leat::batch_result sent = out.send_batch(many);
  CHECK(sent.error == errc::back_pressure);
  CHECK(sent.count == topic.end_offset(0));
  CHECK(sent.count < many.size());
  CHECK(out.claim(leat::null).error() == errc::back_pressure);
  CHECK(out.send_if({0, sent.count}, leat::null, 1).error() == errc::back_pressure);
}

TEST_CASE("nothing is kept of a partition that the group's assignor gives to nobody") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  auto options = of_group("g");
  options.assignor = leat::assignor{
      "only-0", [](std::span<const leat::group_member> members, const std::map<std::string, std::uint32_t>&) {
        leat::assignment all(members.size());
        all.front() = {{"t", 0}};
        return all;
      }};
  leat::consumer in{topic, options};
  REQUIRE(in.poll().empty());
  leat::admin{temporary.store}.add_partitions("t", 2);
  for (int i = 0; i < 3; ++i) REQUIRE(in.poll().empty());  // it sees it, agrees anew, takes over
  leat::producer out{topic, {.max_block = 0s}};
  for (std::uint64_t i = 0; i < 5000; ++i) REQUIRE(out.send(i, {.partition = 1}));
}

}  // namespace unit_back_pressure
