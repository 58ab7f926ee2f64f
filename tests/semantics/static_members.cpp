// Static members: one that returns within its session time-out gets its partitions back, without a rebalance of the others;
// a second one with the same instance id fences the first.
#include "semantics/scenario.hpp"

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace semantics_static_members {

using semantics::consumer_options;
using semantics::member;
using semantics::scenario;
using semantics::topic_partition;
using namespace std::chrono_literals;

/// Of the group "g", with a session that does not end while a scenario runs.
consumer_options of_instance(const std::string& instance) {
  return {.group = "g", .client_id = instance, .instance_id = instance, .assignor = "range", .session_timeout = 20min};
}

TEST_CASE("a static member that returns in time has its partitions again and the others notice nothing") {
  const bool by_death = GENERATE(false, true);
  CAPTURE(by_death);
  scenario s;
  LEAT_NEEDS(s, static_members);
  s.topic("orders", {.partitions = 4});
  for (const std::uint32_t p : {0u, 1u, 2u, 3u}) s.send_numbers({"orders", p}, 0, 3);
  member& other = s.join(of_instance("a"), {"orders"});
  member& first = s.join(of_instance("b"), {"orders"});
  s.settle("g", 4, {2, 2});
  s.say() << "before: " << s.owners("g");
  REQUIRE(first.commit({{"orders", 2}, 1}) == semantics::outcome::ok);
  REQUIRE(first.commit({{"orders", 3}, 2}) == semantics::outcome::ok);
  const auto noticed = other.changes();
  by_death ? first.kill() : first.close();
  for (int i = 0; i < 50; ++i) other.poll(s.log().moment());  // time for a mistake: nothing is to come to pass
  s.say() << "the other meanwhile: " << semantics::joined(other.owned());

  member& again = s.join(of_instance("b"), {"orders"});
  s.say() << "again" << s.read(again, 3);
  s.settle("g", 4, {2, 2});
  s.say() << "after: " << s.owners("g");
  s.say() << "the other has noticed " << (other.changes() == noticed ? "nothing" : semantics::joined(other.changes()));
  CHECK(s.text() == R"(before: orders-0 a, orders-1 a, orders-2 b, orders-3 b
the other meanwhile: orders-0 orders-1
again
  orders-2
    1 null "1" @1001
    2 null "2" @1002
  orders-3
    2 null "2" @1002
after: orders-0 a, orders-1 a, orders-2 b, orders-3 b
the other has noticed nothing
)");
}

TEST_CASE("a static member that does not return in time loses its partitions to the others") {
  const bool by_death = GENERATE(false, true);
  CAPTURE(by_death);
  scenario s;
  LEAT_NEEDS(s, static_members);
  s.topic("orders", {.partitions = 2});
  s.join(of_instance("a"), {"orders"});
  auto options = of_instance("b");
  options.session_timeout = s.log().shortest_interval();
  member& b = s.join(options, {"orders"});
  s.settle("g", 2, {1, 1});
  s.say() << "before: " << s.owners("g");
  by_death ? b.kill() : b.close();
  s.settle("g", 2, {2});
  s.say() << "after: " << s.owners("g");
  CHECK(s.text() == R"(before: orders-0 a, orders-1 b
after: orders-0 a, orders-1 a
)");
}

TEST_CASE("a second member with the same instance id takes the place of the first which is fenced") {
  scenario s;
  LEAT_NEEDS(s, static_members);
  const topic_partition orders{"orders", 0};
  s.topic("orders");
  s.send_numbers(orders, 0, 5);
  member& first = s.join(of_instance("a"), {"orders"});
  s.say() << "first reads " << offsets_of(s.read(first, 5)) << ", commits 2: " << first.commit({orders, 2});
  member& second = s.join(of_instance("a"), {"orders"});
  s.say() << "second reads " << offsets_of(s.read(second, 3));
  s.say() << "first commits 4: " << first.commit({orders, 4}) << ", " << s.committed("g", orders);
  s.say() << "first polls: " << s.failure_of(first);
  s.say() << "first polls again: " << s.failure_of(first);
  s.say() << "second commits 5: " << second.commit() << ", " << s.committed("g", orders);
  s.send_numbers(orders, 5, 1);
  s.say() << "second reads " << offsets_of(s.read(second, 1));
  s.say() << "owners: " << s.owners("g");
  CHECK(s.text() == R"(first reads 0..4, commits 2: ok
second reads 2..4
first commits 4: fenced, 2
first polls: fenced
first polls again: fenced
second commits 5: ok, 5
second reads 5
owners: orders-0 a
)");
}

}  // namespace semantics_static_members
