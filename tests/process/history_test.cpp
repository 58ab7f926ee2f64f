// The checker of histories finds each way of being wrong; and the single-threaded twin of the tests that use it.
#include "support/history.hpp"

using namespace leat_tests;

namespace process_history {

using entry = history::entry;

history of(const std::vector<entry>& entries) {
  history h;
  for (const entry& e : entries) h.saw(0, e);
  return h;
}

const std::vector<entry> sound{{7, 1, 0, true}, {8, 2, 0, true}, {9, 1, 1, true}};

std::string first_violation(history h) {
  const auto found = h.violations();
  return found.empty() ? "none" : found.front().substr(0, found.front().find(':'));
}

TEST_CASE("a history checker finds gaps and repetitions and losses and torn records") {
  CHECK(first_violation(of(sound)) == "none");
  CHECK(first_violation(of({{7, 1, 0, true}, {9, 1, 1, true}})) == "dense");
  CHECK(first_violation(of({{7, 1, 0, true}, {7, 1, 1, true}})) == "dense");
  CHECK(first_violation(of({{7, 1, 0, true}, {8, 1, 0, true}})) == "once");
  CHECK(first_violation(of({{7, 1, 1, true}, {8, 1, 0, true}})) == "ordered");
  CHECK(first_violation(of({{7, 1, 0, false}})) == "whole");

  history acknowledged = of(sound);
  acknowledged.acknowledged(1, 1, {0, 9});
  CHECK(first_violation(acknowledged) == "none");
  acknowledged.acknowledged(2, 0, {0, 7});
  CHECK(first_violation(acknowledged) == "kept");
  history lost = of(sound);
  lost.acknowledged(2, 1, {0, 10});
  CHECK(first_violation(lost) == "kept");

  CHECK(of(sound).agrees_with(of({{8, 2, 0, true}})));
  CHECK_FALSE(of(sound).agrees_with(of({{8, 2, 1, true}})));
}

TEST_CASE("a payload with any byte changed is torn") {
  const auto whole = payload(3, 42, 100);
  REQUIRE(read_payload(whole));
  CHECK(read_payload(whole)->number == 42);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    auto torn = whole;
    torn[i] ^= std::byte{1};
    CHECK_FALSE(read_payload(torn));
  }
  CHECK_FALSE(read_payload(view(whole).first(99)));
}

TEST_CASE("one process alone writes and reads a history without a fault") {
  shared_place place;
  const topic log = open_log(place.store(), tiny(0));
  history h;
  {
    producer first(log);
    producer second(log);
    for (std::uint64_t n = 0; n < rounds(5000); ++n) {
      h.acknowledged(1, n, {0, send_numbered(first, 1, n)});
      h.acknowledged(2, n, {0, send_numbered(second, 2, n, 500)});
    }
  }
  h.read_all(log);
  CHECK(h.violations() == std::vector<std::string>());
  CHECK(h.size() == 2 * rounds(5000));
}

TEST_CASE("a child reports what it throws and that it was killed") {
  child failing([] { fail("on purpose"); });
  CHECK_THROWS_WITH(failing.join(), Catch::Matchers::ContainsSubstring("on purpose"));
  child dying([] { ::raise(SIGKILL); });
  CHECK_THROWS_WITH(dying.join(), Catch::Matchers::ContainsSubstring("signal 9"));
}

}  // namespace process_history
