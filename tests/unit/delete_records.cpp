// Records deleted by hand: the log start is raised, readers below it stop at once.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/media.hpp"
#include "support/read_all.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace unit_delete_records {

using leat::errc;
using leat::offset_reset;
using leat_tests::code_of;
using leat_tests::temporary_store;
using namespace std::chrono_literals;

constexpr std::uint64_t segment_bytes = 16384;
constexpr std::uint64_t all = 2000;  // in several segments

struct sample {
  temporary_store temporary = leat_tests::each_kind_of_store();
  leat::topic<std::uint64_t> topic = temporary.store.topic<std::uint64_t>(
      "t", {.segment_bytes = segment_bytes, .retention = {.bytes = leat::unlimited}});
  leat::producer<std::uint64_t> out{topic};
  leat::admin admin{temporary.store};

  sample() {
    for (std::uint64_t i = 0; i < all; ++i) REQUIRE(out.send(i));
    REQUIRE(topic.log()->partition(0).begun().observe() > 3);
  }

  std::uint64_t erase(std::uint64_t before) const { return admin.delete_records({"t", 0}, before); }
  leat::consumer<std::uint64_t> reader(offset_reset policy, std::uint32_t most = 500) const {
    return leat::consumer<std::uint64_t>{topic, {.auto_offset_reset = policy, .max_poll_records = most}};
  }
};

/// Values of the next poll that has any; a poll may only find out that its place is gone.
std::vector<std::uint64_t> next_values(leat::consumer<std::uint64_t>& in) {
  std::vector<std::uint64_t> values;
  for (int polls = 0; polls < 3 && values.empty(); ++polls) {
    for (const auto& record : in.poll()) values.push_back(record.value());
  }
  return values;
}

TEST_CASE("the log start is where the deletion ends also in the middle of a segment") {
  const sample s;
  CHECK(s.erase(1001) == 1001);
  CHECK(s.topic.start_offset(0) == 1001);
  CHECK(s.topic.end_offset(0) == all);
  const auto left = leat_tests::read_all(s.topic);
  REQUIRE(left.size() == all - 1001);
  CHECK(left.front().offset == 1001);
  CHECK(s.admin.segments({"t", 0}).front().base_offset <= 1001);
  CHECK(s.admin.segments({"t", 0}).front().end_offset > 1001);
  CHECK(s.admin.verify("t").empty());
}

TEST_CASE("a reader in the middle of a segment meets its reset policy when the records before it are deleted") {
  const sample s;
  auto earliest = s.reader(offset_reset::earliest, 10);
  auto latest = s.reader(offset_reset::latest, 10);
  auto none = s.reader(offset_reset::none, 10);
  for (auto* in : {&earliest, &latest, &none}) {
    in->seek({0, 5});
    REQUIRE(next_values(*in).front() == 5);
    REQUIRE(in->position(0) == 15);
  }
  REQUIRE(s.erase(20) == 20);  // in the same segment
  CHECK(next_values(earliest) == std::vector<std::uint64_t>{20, 21, 22, 23, 24, 25, 26, 27, 28, 29});
  CHECK(next_values(latest).empty());
  CHECK(latest.position(0) == all);
  CHECK(none.poll().error() == errc::out_of_range);
  CHECK(none.position(0) == 15);
  CHECK(none.poll().error() == errc::out_of_range);
  none.seek({0, 20});
  CHECK(next_values(none).front() == 20);
}

TEST_CASE("a reader at or above the end of the deletion notices nothing") {
  const sample s;
  auto in = s.reader(offset_reset::none, 10);
  in.seek({0, 10});
  REQUIRE(next_values(in).front() == 10);
  REQUIRE(s.erase(20) == 20);  // its position
  CHECK(next_values(in).front() == 20);
  REQUIRE(s.erase(25) == 25);
  CHECK(next_values(in).front() == 30);
}

TEST_CASE("a batch that was read stays as it is while its records are deleted") {
  const sample s;
  auto in = s.reader(offset_reset::earliest, 100);
  const auto held = in.poll();
  REQUIRE(held.size() == 100);
  s.erase(all);
  leat::producer more{s.topic};
  for (std::uint64_t i = 0; i < 3000; ++i) REQUIRE(more.send(~i));
  std::uint64_t expected = 0;
  for (const auto& record : held) CHECK(record.value() == expected++);
  CHECK(expected == 100);
}

TEST_CASE("all can be deleted and more is not deleted than there is") {
  sample s;
  CHECK(s.erase(all + 1000) == all);
  CHECK(s.topic.start_offset(0) == all);
  CHECK(s.topic.end_offset(0) == all);
  CHECK(leat_tests::read_all(s.topic).empty());
  auto in = s.reader(offset_reset::earliest);
  CHECK(in.poll().empty());
  CHECK(s.out.send(7).value().offset == all);
  CHECK(next_values(in) == std::vector<std::uint64_t>{7});
  CHECK(s.erase(leat::unlimited) == all + 1);
}

TEST_CASE("deleting again deletes what is new and never gives anything back") {
  const sample s;
  CHECK(s.erase(100) == 100);
  CHECK(s.erase(100) == 100);
  CHECK(s.erase(50) == 100);
  CHECK(s.erase(0) == 100);
  CHECK(s.erase(101) == 101);
  CHECK(s.topic.start_offset(0) == 101);
}

TEST_CASE("segments with nothing but deleted records go") {
  const sample s;
  const auto before = s.admin.segments({"t", 0});
  s.erase(before[2].base_offset - 1);
  CHECK(s.admin.segments({"t", 0}).front().sequence == 1);
  s.erase(before[2].base_offset);
  CHECK(s.admin.segments({"t", 0}).front().sequence == 2);
  if (s.temporary.path().empty()) return;
  s.admin.apply_retention("t");  // the files without records go, too
  const auto names = leat_tests::names_in(s.temporary.file("topics/t"));
  CHECK_FALSE(names.contains("0000-0000000000000000"));
  CHECK_FALSE(names.contains("0000-0000000000000001"));
  CHECK(names.contains("0000-0000000000000002"));
}

TEST_CASE("nothing can be deleted of an empty partition and of one that is not there") {
  auto temporary = temporary_store::in_process();
  (void)temporary.store.topic<int>("t", {.partitions = 2});
  const leat::admin admin{temporary.store};
  CHECK(admin.delete_records({"t", 1}, 10) == 0);
  CHECK(code_of([&] { admin.delete_records({"t", 2}, 10); }) == errc::invalid_argument);
  CHECK(code_of([&] { admin.delete_records({"u", 0}, 10); }) == errc::not_found);
}

TEST_CASE("a reader that waits for more is not disturbed by the deletion of all it has read") {
  sample s;
  auto in = s.reader(offset_reset::none);
  in.seek({0, all});
  std::atomic<bool> waits{false};
  std::vector<std::uint64_t> got;
  std::thread reading([&] {
    waits = true;
    for (const auto& record : in.poll(60s)) got.push_back(record.value());
  });
  while (!waits) std::this_thread::yield();
  s.erase(all);
  REQUIRE(s.out.send(9));
  reading.join();
  CHECK(got == std::vector<std::uint64_t>{9});
}

TEST_CASE("a waiting reader whose place is deleted is woken") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  leat::producer out{topic};
  for (int i = 0; i < 5; ++i) REQUIRE(out.send(i, {.partition = 0}));
  leat::consumer in{topic, {.auto_offset_reset = offset_reset::none}};
  in.seek({0, 2});
  in.seek({1, 0});
  in.pause(0);
  REQUIRE(in.poll().empty());
  leat::admin{temporary.store}.delete_records({"t", 0}, 4);
  in.resume(0);
  CHECK(in.poll(60s).error() == errc::out_of_range);
}

}  // namespace unit_delete_records
