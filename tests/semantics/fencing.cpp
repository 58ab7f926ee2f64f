// Fencing: a commit by a member that no longer owns the partition fails and changes nothing.
#include "semantics/scenario.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <string>

namespace semantics_fencing {

using semantics::consumer_options;
using semantics::member;
using semantics::scenario;
using semantics::topic_partition;

const topic_partition orders{"orders", 0};

/// A member that has read the records 0 to 9, commits `own` of them, and then does not poll in its time.
member& left_out(scenario& s) {
  s.topic("orders");
  s.send_numbers(orders, 0, 10);
  member& slow =
      s.join({.group = "g", .client_id = "slow", .max_poll_interval = s.log().shortest_interval()}, {"orders"});
  s.read(slow, 10);
  return slow;
}

TEST_CASE("a member that was too slow cannot commit what another has by then") {
  scenario s;
  LEAT_NEEDS(s, describe_groups);
  member& slow = left_out(s);
  member& next = s.join({.group = "g", .client_id = "next"}, {"orders"});
  s.say() << "next reads " << offsets_of(s.read(next, 10)) << ", commits 3: " << next.commit({orders, 3});
  s.say() << "slow commits what it has read: " << slow.commit() << ", " << s.committed("g", orders);
  s.say() << "slow commits 8: " << slow.commit({orders, 8, "mine"}) << ", " << s.committed("g", orders);
  s.say() << "next commits 5: " << next.commit({orders, 5}) << ", " << s.committed("g", orders);
  s.say() << "owners: " << s.owners("g");
  CHECK(s.text() == R"(next reads 0..9, commits 3: ok
slow commits what it has read: fenced, 3
slow commits 8: fenced, 3
next commits 5: ok, 5
owners: orders-0 next
)");
}

TEST_CASE("a fenced commit changes nothing where the new owner has committed nothing") {
  scenario s;
  member& slow = left_out(s);
  member& next = s.join({.group = "g", .client_id = "next"}, {"orders"});
  s.read(next, 10);
  s.say() << "slow commits 8: " << slow.commit({orders, 8}) << ", " << s.committed("g", orders);
  next.close();
  member& last = s.join({.group = "g", .client_id = "last"}, {"orders"});
  s.say() << "slow commits 9: " << slow.commit({orders, 9}) << ", " << s.committed("g", orders);
  slow.kill();
  s.say() << "last reads " << offsets_of(s.read(last, 10));
  CHECK(s.text() == R"(slow commits 8: fenced, nothing
slow commits 9: fenced, nothing
last reads 0..9
)");
}

TEST_CASE("a member that was left out is told and may come back") {
  scenario s;
  member& slow = left_out(s);
  member& next = s.join({.group = "g", .client_id = "next"}, {"orders"});
  s.read(next, 10);
  REQUIRE(next.commit({orders, 7}) == semantics::outcome::ok);
  next.close();
  s.say() << "slow reads again " << offsets_of(s.read(slow, 3));
  s.say() << "and commits: " << slow.commit() << ", " << s.committed("g", orders);
  s.say() << "it was told: " << semantics::joined(slow.changes());
  CHECK(s.text() == R"(slow reads again 7..9
and commits: ok, 10
it was told: +orders-0 !orders-0 +orders-0
)");
}

}  // namespace semantics_fencing
