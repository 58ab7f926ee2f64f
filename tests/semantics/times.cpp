// Offsets for times: the first offset whose timestamp is at or after t, also where timestamps are not monotone; none past
// the end.
#include "semantics/scenario.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace semantics_times {

using semantics::scenario;
using semantics::topic_partition;

const topic_partition orders{"orders", 0};

std::string offsets_for(scenario& s, const std::vector<std::int64_t>& times) {
  std::string text;
  for (const std::int64_t t : times) {
    text +=
        (text.empty() ? "" : ", ") + std::to_string(t) + ": " + semantics::text_of(s.log().offset_for_time(orders, t));
  }
  return text;
}

TEST_CASE("the first record at or after a time is found also where timestamps go back") {
  scenario s;
  LEAT_NEEDS(s, delete_records);
  LEAT_NEEDS(s, find_times);
  s.topic("orders");
  s.say() << "empty: " << offsets_for(s, {0, 1000});
  for (const std::int64_t t : {1000, 3000, 2000, 5000, 4000, 4000}) s.send("orders", {.value = "", .timestamp = t});
  s.say() << offsets_for(s, {0, 999, 1000, 1001, 2000, 2500, 3000, 3001, 4000, 5000, 5001});
  s.log().delete_records(orders, 2);
  s.say() << "from 2 on: " << offsets_for(s, {0, 2000, 2001, 3000, 5000, 5001});
  s.log().delete_records(orders, 4);
  s.say() << "from 4 on: " << offsets_for(s, {0, 4000, 4001});
  CHECK(s.text() == R"(empty: 0: none, 1000: none
0: 0, 999: 0, 1000: 0, 1001: 1, 2000: 1, 2500: 1, 3000: 1, 3001: 3, 4000: 3, 5000: 3, 5001: none
from 2 on: 0: 2, 2000: 2, 2001: 3, 3000: 3, 5000: 3, 5001: none
from 4 on: 0: 4, 4000: 4, 4001: none
)");
}

TEST_CASE("offsets for times are right across segments for any times") {
  scenario s;
  LEAT_NEEDS(s, find_times);
  leat_tests::dice dice(11);
  s.topic("orders", {.segment_bytes = 16 * 1024});
  std::vector<std::int64_t> times;
  for (int i = 0; i < 100; ++i) {
    times.push_back(static_cast<std::int64_t>(1000 + i * 10 + static_cast<int>(dice.roll(200))));
    s.send("orders", {.value = std::string(1000, 'x'), .timestamp = times.back()});
  }
  std::string wrong;
  for (std::int64_t t = 990; t < 2220; t += 3) {
    const auto at = std::ranges::find_if(times, [&](std::int64_t have) { return have >= t; });
    const auto expected =
        at == times.end() ? std::nullopt : std::optional(static_cast<std::uint64_t>(at - times.begin()));
    const auto found = s.log().offset_for_time(orders, t);
    if (found != expected)
      wrong +=
          " " + std::to_string(t) + ": " + semantics::text_of(found) + " instead of " + semantics::text_of(expected);
  }
  s.say() << "wrong:" << (wrong.empty() ? " none" : wrong);
  CHECK(s.text() == "wrong: none\n");
}

}  // namespace semantics_times
