// Retention and recycling, seen from outside: which files there are, and which offsets can be read.
#include "support/catch.hpp"
#include "support/file_bytes.hpp"
#include "support/media.hpp"

#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

namespace unit_retention {

using leat_tests::temporary_store;

constexpr std::uint64_t segment_bytes = 16384;

/// Inodes of a topic's segment files.
std::set<ino_t> inodes(const temporary_store& temporary, const std::string& topic) {
  std::set<ino_t> found;
  for (const std::string& name : leat_tests::names_in(temporary.file("topics/" + topic))) {
    if (name != "topic") found.insert(leat_tests::inode_of(temporary.file("topics/" + topic + "/" + name)));
  }
  return found;
}

TEST_CASE("a log keeps what retention says and little more however much is sent") {
  auto temporary = GENERATE(true, false) ? temporary_store::on_disk() : temporary_store::in_shared_memory();
  for (const std::uint64_t keep : {1u, 2u, 5u}) {
    CAPTURE(keep);
    const std::string name = "t" + std::to_string(keep);
    const auto topic = temporary.store.topic<std::uint64_t>(
        name, {.segment_bytes = segment_bytes, .retention = {.bytes = keep * segment_bytes}});
    leat::producer out{topic};
    for (std::uint64_t i = 0; i < 20000; ++i) {
      REQUIRE(out.send(i));
      if (i % 100 != 0) continue;
      const auto names = leat_tests::names_in(temporary.file("topics/" + name));
      REQUIRE(names.size() <= 1 + keep + 3);  // the topic file; those kept, the active one, the next, a spare
      for (const std::string& n : names) {
        REQUIRE(std::filesystem::file_size(temporary.file("topics/" + name + "/" + n)) <= segment_bytes);
      }
      // The segments of records that can be read, the active one included, hold what was to be kept or all there is.
      const std::uint64_t readable = topic.end_offset(0) - topic.start_offset(0);
      if (topic.start_offset(0) != 0) REQUIRE(readable >= (keep - 1) * 500);
    }
  }
}

TEST_CASE("in steady state files are recycled and no new ones are made") {
  auto temporary = GENERATE(true, false) ? temporary_store::on_disk() : temporary_store::in_shared_memory();
  const auto topic = temporary.store.topic<std::uint64_t>(
      "t", {.segment_bytes = segment_bytes, .retention = {.bytes = 2 * segment_bytes}});
  leat::producer out{topic};
  leat::consumer in{topic};
  std::uint64_t sent = 0;
  const auto some_segments = [&] {
    for (int i = 0; i < 5000; ++i) {
      REQUIRE(out.send(sent++));
      if (i % 50 == 0) {
        while (!in.poll().empty()) {
        }
      }
    }
  };
  some_segments();
  const std::set<ino_t> steady = inodes(temporary, "t");
  for (int round = 0; round < 5; ++round) {
    some_segments();
    CHECK(inodes(temporary, "t") == steady);
  }
}

TEST_CASE("whole prefixes go and the rest is read without a gap") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<std::uint64_t>(
      "t", {.segment_bytes = segment_bytes, .retention = {.bytes = 2 * segment_bytes}});
  leat::producer out{topic};
  std::uint64_t start = 0;
  for (std::uint64_t i = 0; i < 6000; ++i) {
    REQUIRE(out.send(i));
    REQUIRE(topic.start_offset(0) >= start);
    start = topic.start_offset(0);
    if (i % 997 != 0) continue;
    leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
    std::uint64_t next = start;
    while (in.position(0) <= i) {
      for (const auto& record : in.poll()) {
        REQUIRE(record.offset() == next);
        REQUIRE(record.value() == next++);
      }
    }
  }
  CHECK(start > 0);
}

TEST_CASE("partitions are retained each on its own") {
  auto temporary = temporary_store::in_process();
  const auto topic = temporary.store.topic<int>(
      "t", {.partitions = 2, .segment_bytes = segment_bytes, .retention = {.bytes = segment_bytes}});
  leat::producer out{topic};
  REQUIRE(out.send(1, {.partition = 1}));
  for (int i = 0; i < 5000; ++i) REQUIRE(out.send(i, {.partition = 0}));
  CHECK(topic.start_offset(0) > 0);
  CHECK(topic.start_offset(1) == 0);
  CHECK(topic.end_offset(1) == 1);
}

TEST_CASE("a topic without a limit keeps everything") {
  auto temporary = temporary_store::in_process();
  const auto topic =
      temporary.store.topic<int>("t", {.segment_bytes = segment_bytes, .retention = {.bytes = leat::unlimited}});
  leat::producer out{topic};
  for (int i = 0; i < 20000; ++i) REQUIRE(out.send(i));
  CHECK(topic.start_offset(0) == 0);
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  int next = 0;
  while (in.position(0) < 20000) {
    for (const auto& record : in.poll()) REQUIRE(record.value() == next++);
  }
}

TEST_CASE("a consumer that holds on to old records costs files only as long as it does") {
  auto temporary = temporary_store::in_shared_memory();
  const auto topic = temporary.store.topic<std::uint64_t>(
      "t", {.segment_bytes = segment_bytes, .retention = {.bytes = segment_bytes}});
  leat::producer out{topic};
  leat::consumer slow{topic};
  for (std::uint64_t i = 0; i < 20; ++i) REQUIRE(out.send(i));
  const auto held = slow.poll();
  REQUIRE(held.size() == 20);
  for (std::uint64_t i = 0; i < 5000; ++i) REQUIRE(out.send(i));
  CHECK(inodes(temporary, "t").size() <= 4);
  std::uint64_t next = 0;
  for (const auto& record : held) CHECK(record.value() == next++);
}

}  // namespace unit_retention
