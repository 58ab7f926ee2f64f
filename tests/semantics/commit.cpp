// Commit: after committing n, a member that is restarted reads n first; committing n - 1 delivers one record again; where
// nothing is committed the reset policy decides. What is committed is the next offset to read, with up to 4096 bytes of
// metadata. Auto commit takes what earlier polls have returned, never what the present one hands over, and all at close.
#include "semantics/scenario.hpp"

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace semantics_commit {

using semantics::consumer_options;
using semantics::member;
using semantics::record;
using semantics::reset_policy;
using semantics::scenario;
using semantics::topic_partition;
using namespace std::chrono_literals;

const topic_partition orders{"orders", 0};

/// Reads, as a member, until its position is `end`.
std::vector<record> read_to(scenario& s, member& m, std::uint64_t end) {
  std::vector<record> all;
  leat_tests::wait_until("a member has read to the end", [&] {
    for (record& r : m.poll(s.log().moment()).records) all.push_back(std::move(r));
    return !m.owned().empty() && m.position(orders) >= end;
  });
  return all;
}

/// A topic with the records 0 to 9, and a member that has read them, and stands at 10.
member& with_ten_read(scenario& s, const consumer_options& options) {
  s.topic("orders");
  s.send_numbers(orders, 0, 10);
  member& m = s.join(options, {"orders"});
  s.say() << "read " << offsets_of(read_to(s, m, 10));
  return m;
}

/// What a member that comes now reads.
std::string of_a_restarted_one(scenario& s, const consumer_options& options = {.group = "g"}) {
  member& m = s.join(options, {"orders"});
  const std::string offsets = offsets_of(read_to(s, m, s.log().offsets(orders).end));
  m.close();
  return offsets;
}

TEST_CASE("a member that is restarted begins with the offset that was committed") {
  scenario s;
  member& m = with_ten_read(s, {.group = "g"});
  s.say() << "commit: " << m.commit() << ", " << s.committed("g", orders);
  m.close();
  s.say() << "restarted it reads " << of_a_restarted_one(s);
  for (const std::uint64_t n : {9u, 7u, 6u, 0u, 10u}) {
    member& again = s.join({.group = "g"}, {"orders"});
    read_to(s, again, 10);
    s.say() << "commit " << n << ": " << again.commit({orders, n}) << ", " << s.committed("g", orders);
    again.close();
    s.say() << "restarted it reads " << of_a_restarted_one(s);
  }
  s.say() << "another group reads " << of_a_restarted_one(s, {.group = "other"});
  CHECK(s.text() == R"(read 0..9
commit: ok, 10
restarted it reads none
commit 9: ok, 9
restarted it reads 9
commit 7: ok, 7
restarted it reads 7..9
commit 6: ok, 6
restarted it reads 6..9
commit 0: ok, 0
restarted it reads 0..9
commit 10: ok, 10
restarted it reads none
another group reads 0..9
)");
}

TEST_CASE("where nothing is committed the reset policy decides where to begin") {
  scenario s;
  with_ten_read(s, {.group = "g"}).close();
  s.say() << "committed " << s.committed("g", orders);
  s.say() << "earliest: " << of_a_restarted_one(s);
  s.say() << "latest: " << of_a_restarted_one(s, {.group = "g", .reset = reset_policy::latest});
  member& none = s.join({.group = "g", .reset = reset_policy::none}, {"orders"});
  s.say() << "none: " << s.failure_of(none);
  none.close();
  member& latest = s.join({.group = "g", .reset = reset_policy::latest}, {"orders"});
  read_to(s, latest, 10);
  s.send_numbers(orders, 10, 2);
  s.say() << "latest, what came later: " << offsets_of(s.read(latest, 2));
  CHECK(s.text() == R"(read 0..9
committed nothing
earliest: 0..9
latest: none
none: out of range
latest, what came later: 10..11
)");
}

TEST_CASE("the metadata of a commit comes back and stays when the partition changes hands") {
  scenario s;
  member& m = with_ten_read(s, {.group = "g"});
  s.say() << m.commit({orders, 5, "halfway"}) << ", " << s.committed("g", orders);
  m.close();
  member& next = s.join({.group = "g"}, {"orders"});
  s.say() << "next reads " << offsets_of(read_to(s, next, 10)) << ", " << s.committed("g", orders);
  const bool whole = next.commit({orders, 6, std::string(4096, 'm')}) == semantics::outcome::ok &&
                     s.log().committed("g", orders)->metadata == std::string(4096, 'm');
  s.say() << "4096 bytes " << (whole ? "come back" : "do not come back");
  s.say() << "4097 bytes: " << next.commit({orders, 7, std::string(4097, 'm')});
  s.say() << "still " << s.log().committed("g", orders)->offset;
  s.say() << next.commit({orders, 7}) << ", " << s.committed("g", orders);
  CHECK(s.text() == R"(read 0..9
ok, 5 "halfway"
next reads 5..9, 5 "halfway"
4096 bytes come back
4097 bytes: too large
still 6
ok, 7
)");
}

TEST_CASE("auto commit takes at close all that polls have returned") {
  scenario s;
  member& m = with_ten_read(s, {.group = "g", .auto_commit = true, .auto_commit_interval = 1h});
  s.say() << "before: " << s.committed("g", orders);
  m.close();
  s.say() << "closed: " << s.committed("g", orders);
  CHECK(s.text() == R"(read 0..9
before: nothing
closed: 10
)");
}

TEST_CASE("auto commit never takes what the present poll hands over") {
  scenario s;
  LEAT_NEEDS(s, commit_by_itself_behind_a_death);
  s.topic("orders");
  s.send_numbers(orders, 0, 10);
  const consumer_options options{.group = "g", .auto_commit = true, .auto_commit_interval = 1ms, .max_poll_records = 4};
  {
    member& m = s.join(options, {"orders"});
    s.say() << "first: " << offsets_of(s.read(m, 1));
    m.kill();
  }
  member& m = s.join(options, {"orders"});
  s.say() << "again: " << offsets_of(s.read(m, 1));
  m.pause(orders);
  leat_tests::wait_until("4 is committed", [&] {
    REQUIRE(m.poll(s.log().moment()).records.empty());
    return s.committed("g", orders) == "4";
  });
  m.resume(orders);
  s.say() << "then: " << offsets_of(s.read(m, 1));
  m.kill();
  s.say() << "committed " << s.committed("g", orders);
  s.say() << "restarted it reads " << of_a_restarted_one(s);
  CHECK(s.text() == R"(first: 0..3
again: 0..3
then: 4..7
committed 4
restarted it reads 4..9
)");
}

}  // namespace semantics_commit
