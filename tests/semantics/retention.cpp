// Retention removes whole prefixes only, whole segments by time and by bytes, or up to the offset that was asked for; later
// offsets stay what they are. Committed offsets below the new start meet the reset policy.
#include "semantics/scenario.hpp"

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace semantics_retention {

using semantics::member;
using semantics::record;
using semantics::reset_policy;
using semantics::scenario;
using semantics::topic_partition;
using namespace std::chrono_literals;

const topic_partition orders{"orders", 0};

/// 1000 bytes that begin with the number.
std::string value_of(std::uint64_t number) {
  std::string text = std::to_string(number) + " ";
  return text + std::string(1000 - text.size(), 'x');
}

/// Until no more than `most` records are left.
void wait_for_retention(scenario& s, std::uint64_t most) {
  leat_tests::wait_until("what should go is gone", [&] {
    s.log().apply_retention("orders");
    const auto [start, end] = s.log().offsets(orders);
    return end - start <= most;
  });
}

/// Whether these are all records from the log start to the end, each the one that was sent at its offset.
std::string is_all(scenario& s, const std::vector<record>& records) {
  const auto [start, end] = s.log().offsets(orders);
  std::uint64_t next = start;
  for (const record& r : records) {
    if (r.offset != next || r.value != value_of(next)) return "not what was sent at " + std::to_string(next);
    ++next;
  }
  return next == end ? "a whole suffix" : "it ends too soon";
}

TEST_CASE("records below an offset are deleted and the others keep theirs") {
  scenario s;
  LEAT_NEEDS(s, delete_records);
  s.topic("orders", {.partitions = 2});
  s.send_numbers(orders, 0, 6);
  s.send_numbers({"orders", 1}, 0, 2);
  s.log().delete_records(orders, 4);
  s.log().delete_records(orders, 1);  // they are gone already
  s.say() << "read" << s.read_all("orders", 2);
  s.log().delete_records(orders, 6);
  s.send_numbers(orders, 6, 1);
  s.say() << "all deleted, one sent" << s.read_all(orders);
  CHECK(s.text() == R"(read
  orders-0
    4 null "4" @1004
    5 null "5" @1005
  orders-1
    0 null "0" @1000
    1 null "1" @1001
all deleted, one sent
  orders-0
    6 null "6" @1006
)");
}

TEST_CASE("committed offsets below the log start meet the reset policy") {
  scenario s;
  LEAT_NEEDS(s, delete_records);
  s.topic("orders");
  s.send_numbers(orders, 0, 10);
  const auto commit_3 = [&](const std::string& group) {
    member& m = s.join({.group = group}, {"orders"});
    s.read(m, 10);
    REQUIRE(m.commit({orders, 3}) == semantics::outcome::ok);
    m.close();
  };
  for (const char* const group : {"earliest", "latest", "none"}) commit_3(group);
  s.log().delete_records(orders, 7);

  member& earliest = s.join({.group = "earliest", .reset = reset_policy::earliest}, {"orders"});
  s.say() << "earliest reads " << offsets_of(s.read(earliest, 3));
  member& latest = s.join({.group = "latest", .reset = reset_policy::latest}, {"orders"});
  leat_tests::wait_until("latest is at the end", [&] {
    REQUIRE(latest.poll(s.log().moment()).records.empty());
    return !latest.owned().empty() && latest.position(orders) == 10;
  });
  member& none = s.join({.group = "none", .reset = reset_policy::none}, {"orders"});
  s.say() << "none: " << s.failure_of(none);
  s.send_numbers(orders, 10, 1);
  s.say() << "latest reads " << offsets_of(s.read(latest, 1));
  s.say() << "committed " << s.committed("none", orders);
  CHECK(s.text() == R"(earliest reads 7..9
none: out of range
latest reads 10
committed 3
)");
}

TEST_CASE("retention by bytes removes a whole prefix and keeps what it should") {
  scenario s;
  LEAT_NEEDS(s, retain);
  s.topic("orders", {.segment_bytes = 16 * 1024, .retention_bytes = 64 * 1024});
  for (std::uint64_t i = 0; i < 400; ++i) s.send("orders", {.value = value_of(i), .timestamp = 1000});
  wait_for_retention(s, 76);  // no further segment can go then
  const auto [start, end] = s.log().offsets(orders);
  s.say() << "ends at " << end << ", left: " << is_all(s, s.read_all(orders));
  s.say() << (end - start >= 20 ? "what should be kept is there" : "too little is kept");
  CHECK(s.text() == R"(ends at 400, left: a whole suffix
what should be kept is there
)");
}

TEST_CASE("retention by time removes old segments and nothing that is young") {
  scenario s;
  LEAT_NEEDS(s, retain);
  s.topic("orders", {.segment_bytes = 16 * 1024, .retention_time = 1h});
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()).time_since_epoch();
  constexpr std::uint64_t old = 100;
  for (std::uint64_t i = 0; i < old; ++i) s.send("orders", {.value = value_of(i), .timestamp = (now - 2h).count()});
  for (std::uint64_t i = old; i < 2 * old; ++i) s.send("orders", {.value = value_of(i), .timestamp = now.count()});
  // An old one behind young ones: its segment is as young as its youngest record.
  s.send("orders", {.value = value_of(2 * old), .timestamp = (now - 2h).count()});
  wait_for_retention(s, old + 20);  // of the old ones at most a segment's worth, which has a young one
  const auto [start, end] = s.log().offsets(orders);
  s.say() << "ends at " << end << ", left: " << is_all(s, s.read_all(orders));
  s.say() << (start <= old ? "the young ones are there" : "young ones are gone");
  CHECK(s.text() == R"(ends at 201, left: a whole suffix
the young ones are there
)");
}

TEST_CASE("a group that has fallen behind retention goes on at the log start") {
  scenario s;
  LEAT_NEEDS(s, retain);
  s.topic("orders", {.segment_bytes = 16 * 1024, .retention_bytes = 32 * 1024});
  const auto send = [&](std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) s.send("orders", {.value = value_of(i), .timestamp = 1000});
  };
  send(0, 10);
  member& m = s.join({.group = "g"}, {"orders"});
  s.read(m, 10);
  REQUIRE(m.commit({orders, 5}) == semantics::outcome::ok);
  m.close();
  send(10, 200);
  wait_for_retention(s, 45);  // no further segment can go then
  member& again = s.join({.group = "g"}, {"orders"});
  const auto [start, end] = s.log().offsets(orders);
  REQUIRE(start > 5);
  const auto records = s.read(again, end - start);
  s.say() << "committed " << s.committed("g", orders) << ", read: " << is_all(s, records);
  CHECK(s.text() == "committed 5, read: a whole suffix\n");
}

}  // namespace semantics_retention
