// What is complete without a gap, in whatever order it was completed.
#include "support/catch.hpp"
#include "support/processes.hpp"

#include <leat/async/completed_prefix.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace unit_async_completed_prefix {

using leat::async::completed_prefix;

TEST_CASE("a prefix does not pass what is not complete") {
  completed_prefix prefix(10);
  CHECK(prefix.next() == 10);
  const auto a = prefix.add(10), b = prefix.add(11), c = prefix.add(12);
  CHECK(prefix.next() == 10);
  prefix.complete(c);
  prefix.complete(b);
  CHECK(prefix.next() == 10);
  prefix.complete(a);
  CHECK(prefix.next() == 13);
  prefix.complete(prefix.add(13));
  CHECK(prefix.next() == 14);
}

TEST_CASE("a prefix passes over offsets that the log has lost") {
  completed_prefix prefix(0);
  const auto a = prefix.add(0), b = prefix.add(1000);
  prefix.complete(b);
  CHECK(prefix.next() == 0);
  prefix.complete(a);
  CHECK(prefix.next() == 1001);
}

TEST_CASE("a prefix keeps what is behind its first gap, and nothing before") {
  completed_prefix prefix(0);
  const auto slow = prefix.add(0);
  for (std::uint64_t offset = 1; offset < 1000; ++offset) prefix.complete(prefix.add(offset));
  CHECK(prefix.size() == 1000);
  prefix.complete(slow);
  CHECK(prefix.size() == 0);
  const auto next = prefix.add(1000);
  CHECK(prefix.size() == 1);
  prefix.complete(next);
}

TEST_CASE("after any order of completions, a prefix is what a simple count says") {
  leat_tests::dice dice(1);
  completed_prefix prefix(5);
  std::vector<bool> done;
  std::vector<std::uint64_t> open;  // numbers
  for (int step = 0; step < 5000; ++step) {
    if (open.empty() || (dice.one_in(2) && open.size() < 40)) {
      open.push_back(prefix.add(5 + done.size()));
      done.push_back(false);
    } else {
      const auto which = open.begin() + static_cast<std::ptrdiff_t>(dice.roll(open.size()));
      prefix.complete(*which);
      done[static_cast<std::size_t>(*which)] = true;
      open.erase(which);
    }
    const auto gap = std::ranges::find(done, false);
    if (prefix.next() != 5 + static_cast<std::uint64_t>(gap - done.begin())) FAIL("LEAT_SEED=" << leat_tests::seed());
  }
}

}  // namespace unit_async_completed_prefix
