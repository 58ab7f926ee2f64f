// Watermarks: the earliest offset is the log start, the latest is one more than the last record's; reading at the latest
// waits; below the start or beyond the latest is out of range, and meets the reset policy.
#include "semantics/scenario.hpp"

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace semantics_watermarks {

using semantics::member;
using semantics::outcome;
using semantics::reset_policy;
using semantics::scenario;
using semantics::topic_partition;
using namespace std::chrono_literals;

const topic_partition orders{"orders", 0};

void say_offsets(scenario& s) {
  const auto w = s.log().offsets(orders);
  s.say() << "from " << w.start << " to " << w.end;
}

TEST_CASE("earliest is the log start and latest is one more than the last") {
  scenario s;
  LEAT_NEEDS(s, delete_records);
  s.topic("orders");
  say_offsets(s);
  s.send_numbers(orders, 0, 5);
  say_offsets(s);
  s.log().delete_records(orders, 2);
  say_offsets(s);
  s.say() << "earliest reads" << s.read(s.reader(orders, reset_policy::earliest), 3);
  member& latest = s.reader(orders, reset_policy::latest);
  CHECK(latest.poll(s.log().moment()).records.empty());
  s.say() << "latest stands at " << latest.position(orders);
  s.send_numbers(orders, 5, 1);
  s.say() << "and reads" << s.read(latest, 1);
  s.say() << "and stands at " << latest.position(orders);
  CHECK(s.text() == R"(from 0 to 0
from 0 to 5
from 2 to 5
earliest reads
  orders-0
    2 null "2" @1002
    3 null "3" @1003
    4 null "4" @1004
latest stands at 5
and reads
  orders-0
    5 null "5" @1005
and stands at 6
)");
}

TEST_CASE("reading at the latest offset waits until a record is there") {
  scenario s;
  s.topic("orders");
  s.send_numbers(orders, 0, 3);
  member& in = s.reader(orders, reset_policy::none);
  in.seek(orders, 3);
  const auto nothing = in.poll(s.log().moment());
  s.say() << nothing.code << ", " << nothing.records.size() << " records";
  in.begin_poll(60s);
  s.send_numbers(orders, 3, 1);
  const auto something = in.end_poll();
  s.say() << something.code << something.records;
  CHECK(s.text() == R"(ok, 0 records
ok
  orders-0
    3 null "3" @1003
)");
}

TEST_CASE("below the log start and beyond the latest offset is out of range") {
  scenario s;
  LEAT_NEEDS(s, delete_records);
  s.topic("orders");
  s.send_numbers(orders, 0, 6);
  s.log().delete_records(orders, 4);
  for (const std::uint64_t outside : {0u, 3u, 7u, 1'000'000u}) {
    s.say() << "at " << outside;
    member& none = s.reader(orders, reset_policy::none);
    none.seek(orders, outside);
    s.say() << "  none: " << s.failure_of(none);
    none.close();

    member& earliest = s.reader(orders, reset_policy::earliest);
    earliest.seek(orders, outside);
    s.say() << "  earliest: " << offsets_of(s.read(earliest, 2));
    earliest.close();

    member& latest = s.reader(orders, reset_policy::latest);
    latest.seek(orders, outside);
    leat_tests::wait_until("the position is reset", [&] {
      REQUIRE(latest.poll(s.log().moment()).records.empty());
      return latest.position(orders) != outside;
    });
    s.say() << "  latest: at " << latest.position(orders);
    latest.close();
  }
  for (const std::uint64_t within : {4u, 5u}) {
    member& none = s.reader(orders, reset_policy::none);
    none.seek(orders, within);
    s.say() << "at " << within << ": " << offsets_of(s.read(none, 6 - within));
  }
  CHECK(s.text() == R"(at 0
  none: out of range
  earliest: 4..5
  latest: at 6
at 3
  none: out of range
  earliest: 4..5
  latest: at 6
at 7
  none: out of range
  earliest: 4..5
  latest: at 6
at 1000000
  none: out of range
  earliest: 4..5
  latest: at 6
at 4: 4..5
at 5: 5
)");
}

TEST_CASE("a paused partition keeps its position and is read on when it is resumed") {
  scenario s;
  s.topic("orders", {.partitions = 2});
  s.send_numbers({"orders", 0}, 0, 2);
  s.send_numbers({"orders", 1}, 0, 2);
  member& in = s.consumer({.client_id = "reader", .max_poll_records = 1});
  in.assign("orders", {0, 1});
  in.seek({"orders", 0}, 1);
  in.pause({"orders", 0});
  s.say() << "paused" << s.read(in, 2);
  CHECK(in.poll(s.log().moment()).records.empty());
  s.say() << "at " << in.position({"orders", 0});
  in.resume({"orders", 0});
  s.say() << "resumed" << s.read(in, 1);
  CHECK(s.text() == R"(paused
  orders-1
    0 null "0" @1000
    1 null "1" @1001
at 1
resumed
  orders-0
    1 null "1" @1001
)");
}

}  // namespace semantics_watermarks
