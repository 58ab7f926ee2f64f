// Exclusive ownership: at any moment a partition has at most one owner in a group; once membership is still, owners cover
// the subscription; surplus members idle.
#include "semantics/scenario.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace semantics_ownership {

using semantics::consumer_options;
using semantics::member;
using semantics::scenario;
using semantics::topic_partition;

TEST_CASE("partitions have one owner each while members come and go and die") {
  const std::string assignor = GENERATE(as<std::string>(), "range", "roundrobin", "sticky", "cooperative-sticky");
  CAPTURE(assignor);
  scenario s;
  if (const auto why = s.log().cannot(semantics::ability::sticky_assignor); assignor == "sticky" && !why.empty()) {
    WARN(why);
    return;
  }
  s.topic("orders", {.partitions = 3});
  const auto join = [&](const char* name) -> member& {
    return s.join({.group = "g", .client_id = name, .assignor = assignor}, {"orders"});
  };
  const auto settle = [&](const std::string& what, const std::vector<std::size_t>& counts) {
    s.settle("g", 3, counts);
    s.say() << what << ": " << semantics::joined(counts) << ", members " << semantics::joined(s.view_of("g").members);
  };
  member& a = join("a");
  settle("a joins", {3});
  join("b");
  settle("b joins", {2, 1});
  join("c");
  join("d");
  settle("c and d join", {1, 1, 1, 0});
  a.kill();
  settle("a dies", {1, 1, 1});
  join("e");
  join("f");
  settle("e and f join", {1, 1, 1, 0, 0});
  for (int i = 0; i < 3; ++i) {  // whoever owns something leaves
    for (const auto& [client, list] : s.claims("g")) {
      if (list.empty()) continue;
      s.named(client).close();
      break;
    }
  }
  s.settle("g", 3, {2, 1});
  s.say() << "three leave: 2 1";
  CHECK(s.text() == R"(a joins: 3, members a
b joins: 2 1, members a b
c and d join: 1 1 1 0, members a b c d
a dies: 1 1 1, members b c d
e and f join: 1 1 1 0 0, members b c d e f
three leave: 2 1
)");
}

TEST_CASE("members own only what they are subscribed to and together all of it") {
  scenario s;
  LEAT_NEEDS(s, static_members);
  s.topic("orders", {.partitions = 3});
  s.topic("trades", {.partitions = 2});
  const auto options = [](const char* name) {
    return consumer_options{.group = "g", .client_id = name, .instance_id = name, .assignor = "range"};
  };
  s.join(options("a"), {"orders"});
  s.join(options("b"), {"trades"});
  s.settle("g", 5, {3, 2});
  s.say() << s.owners("g");
  s.join(options("c"), {"orders", "trades"});
  s.settle("g", 5, {2, 2, 1});
  s.say() << s.owners("g");
  for (const auto& [client, list] : s.claims("g")) s.say() << client << ": " << semantics::joined(list);
  CHECK(s.text() == R"(orders-0 a, orders-1 a, orders-2 a, trades-0 b, trades-1 b
orders-0 a, orders-1 a, orders-2 c, trades-0 b, trades-1 c
a: orders-0 orders-1
b: trades-0
c: orders-2 trades-1
)");
}

TEST_CASE("the sticky assignors move no more partitions than they must") {
  const std::string assignor = GENERATE(as<std::string>(), "sticky", "cooperative-sticky");
  CAPTURE(assignor);
  scenario s;
  if (const auto why = s.log().cannot(semantics::ability::sticky_assignor); assignor == "sticky" && !why.empty()) {
    WARN(why);
    return;
  }
  s.topic("orders", {.partitions = 6});
  const auto options = [&](const char* name) {
    return consumer_options{.group = "g", .client_id = name, .assignor = assignor};
  };
  s.join(options("a"), {"orders"});
  s.join(options("b"), {"orders"});
  s.settle("g", 6, {3, 3});
  const auto before = s.claims("g");
  s.join(options("c"), {"orders"});
  s.settle("g", 6, {2, 2, 2});
  const auto after = s.claims("g");
  for (const char* const name : {"a", "b"}) {
    std::size_t kept = 0;
    for (const auto& p : after.at(name)) kept += std::ranges::count(before.at(name), p) != 0 ? 1 : 0;
    s.say() << name << " keeps " << kept;
  }
  CHECK(s.text() == R"(a keeps 2
b keeps 2
)");
}

TEST_CASE("two groups read the same partitions without knowing of each other") {
  scenario s;
  s.topic("orders", {.partitions = 2});
  for (const std::uint32_t p : {0u, 1u}) s.send_numbers({"orders", p}, 0, 2);
  member& a = s.join({.group = "g", .client_id = "a"}, {"orders"});
  member& b = s.join({.group = "h", .client_id = "b"}, {"orders"});
  s.say() << "a" << s.read(a, 4);
  s.say() << "b" << s.read(b, 4);
  REQUIRE(a.commit() == semantics::outcome::ok);
  s.say() << "g " << s.committed("g", {"orders", 0}) << ", h " << s.committed("h", {"orders", 0});
  s.say() << "g: " << s.owners("g");
  s.say() << "h: " << s.owners("h");
  CHECK(s.text() == R"(a
  orders-0
    0 null "0" @1000
    1 null "1" @1001
  orders-1
    0 null "0" @1000
    1 null "1" @1001
b
  orders-0
    0 null "0" @1000
    1 null "1" @1001
  orders-1
    0 null "0" @1000
    1 null "1" @1001
g 2, h nothing
g: orders-0 a, orders-1 a
h: orders-0 b, orders-1 b
)");
}

}  // namespace semantics_ownership
