// At least once: a member that is killed after processing and before committing leads to redelivery, never to a gap.
#include "semantics/scenario.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace semantics_at_least_once {

using semantics::member;
using semantics::record;
using semantics::scenario;
using semantics::topic_partition;

TEST_CASE("what a killed member had read and not committed is read again by the others") {
  scenario s;
  s.topic("orders", {.partitions = 2});
  for (const std::uint32_t p : {0u, 1u}) s.send_numbers({"orders", p}, 0, 10);
  member& killed = s.join({.group = "g", .client_id = "a"}, {"orders"});
  s.read(killed, 20);
  s.say() << "commit: " << killed.commit({{"orders", 0}, 4});
  killed.kill();
  member& other = s.join({.group = "g", .client_id = "b"}, {"orders"});
  s.say() << "after its death" << s.read(other, 16);
  CHECK(s.text() == R"(commit: ok
after its death
  orders-0
    4 null "4" @1004
    5 null "5" @1005
    6 null "6" @1006
    7 null "7" @1007
    8 null "8" @1008
    9 null "9" @1009
  orders-1
    0 null "0" @1000
    1 null "1" @1001
    2 null "2" @1002
    3 null "3" @1003
    4 null "4" @1004
    5 null "5" @1005
    6 null "6" @1006
    7 null "7" @1007
    8 null "8" @1008
    9 null "9" @1009
)");
}

TEST_CASE("a member that was there all along goes on where the killed one had committed") {
  scenario s;
  s.topic("orders", {.partitions = 2});
  member& killed = s.join({.group = "g", .client_id = "a"}, {"orders"});
  member& other = s.join({.group = "g", .client_id = "b"}, {"orders"});
  s.settle("g", 2, {1, 1});
  const topic_partition lost = killed.owned().front();
  const topic_partition own = other.owned().front();
  s.send_numbers(lost, 0, 6);
  s.send_numbers(own, 0, 3);
  s.say() << "a reads " << offsets_of(s.read(killed, 6)) << ", commits 2: " << killed.commit({lost, 2});
  s.say() << "b reads " << offsets_of(s.read(other, 3));
  killed.kill();
  s.say() << "b reads on " << offsets_of(s.read(other, 4));
  s.say() << "b stands at " << other.position(lost) << " and " << other.position(own);
  CHECK(s.text() == R"(a reads 0..5, commits 2: ok
b reads 0..2
b reads on 2..5
b stands at 6 and 3
)");
}

TEST_CASE("members that are killed at any moment one after the other leave no gap") {
  scenario s;
  leat_tests::dice dice(7);
  constexpr std::uint32_t partitions = 3;
  constexpr int each = 60;
  s.topic("orders", {.partitions = partitions});
  for (std::uint32_t p = 0; p < partitions; ++p) s.send_numbers({"orders", p}, 0, each);

  std::map<topic_partition, std::set<std::uint64_t>> seen;
  std::string gaps;
  const auto look_at = [&](const std::vector<record>& records, std::map<topic_partition, std::uint64_t>& next) {
    for (const record& r : records) {
      const auto& before = seen[r.at];
      const std::uint64_t furthest = before.empty() ? 0 : *before.rbegin() + 1;
      const auto [due, first] = next.try_emplace(r.at, r.offset);
      if (r.offset > furthest || r.offset != due->second) gaps += " " + text_of(r.at) + "@" + std::to_string(r.offset);
      seen[r.at].insert(r.offset);
      due->second = r.offset + 1;
    }
  };
  for (std::uint64_t life = 0; life < 6; ++life) {
    member& m = s.join({.group = "g", .client_id = std::to_string(life), .max_poll_records = 7}, {"orders"});
    std::map<topic_partition, std::uint64_t> next;
    look_at(s.read(m, 1 + dice.roll(20)), next);
    if (dice.one_in(2)) {
      REQUIRE(m.commit() == semantics::outcome::ok);
      look_at(s.read(m, 1 + dice.roll(10)), next);
    }
    m.kill();
  }
  member& last = s.join({.group = "g", .client_id = "last"}, {"orders"});
  std::map<topic_partition, std::uint64_t> next;
  std::size_t total = 0;
  leat_tests::wait_until("everything has been read", [&] {
    look_at(last.poll(s.log().moment()).records, next);
    total = 0;
    for (const auto& [at, offsets] : seen) total += offsets.size();
    const auto at_end = [&](const topic_partition& p) { return last.position(p) == each; };
    const auto owned = last.owned();
    return owned.size() == partitions && std::ranges::all_of(owned, at_end);
  });
  s.say() << "gaps:" << (gaps.empty() ? " none" : gaps);
  s.say() << total << " of " << partitions * each << " records";
  CHECK(s.text() == R"(gaps: none
180 of 180 records
)");
}

}  // namespace semantics_at_least_once
