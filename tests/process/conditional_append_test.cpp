// send_if between processes: a record at the expected offset or none, and never refused for a reason that is not one.
#include "support/history.hpp"

namespace process_conditional_append {

using namespace leat_tests;

TEST_CASE("a conditional append at the end succeeds although others have rolled past the producer's segment") {
  watchdog dog;
  shared_place place;
  const topic log = open_log(place.store(), tiny(0));
  producer mine(log);
  std::uint64_t number = 0;
  send_numbered(mine, 1, number++);  // takes a chunk of segment 0, with room for more
  child([&] {
    const topic theirs = open_log(place.store());
    producer out(theirs);
    for (std::uint64_t n = 0; begun(theirs) < 3; ++n) send_numbered(out, 2, n);
  }).join();

  for (int round = 0; round < 3; ++round) {
    const std::uint64_t end = log.end_offset(0);
    const auto made = payload(1, number++, 64);
    const auto at = mine.send_if({0, end}, leat::null, view(made));
    REQUIRE(at.error() == leat::errc::ok);
    CHECK(at->offset == end);
  }
  history h;
  h.read_all(log);
  CHECK(h.violations() == std::vector<std::string>());
}

TEST_CASE("a conditional append is refused only if the partition ends elsewhere and else gets its offset") {
  watchdog dog;
  shared_place place;
  const topic log = open_log(place.store(), tiny(0));
  constexpr std::uint32_t writers = 3;
  const std::uint64_t each = rounds(10'000);
  struct state {
    counter ready;
  };
  shared<state> page;
  std::vector<child> children;
  for (std::uint32_t id = 0; id < writers; ++id) {
    children.emplace_back([&, id] {
      const topic mine = open_log(place.store());
      producer out(mine);
      ++page->ready;
      wait_until("all writers are ready", [&] { return page->ready == writers; });
      for (std::uint64_t n = 0; n < each;) {
        const std::uint64_t end = mine.end_offset(0);
        const auto made = payload(id, n, 24 + n % 100);
        const auto at = out.send_if({0, end}, leat::null, view(made));
        if (at) {
          expect(at->offset == end, "it was appended elsewhere");
          ++n;
        } else {
          expect(at.error() == leat::errc::mismatched, "it failed otherwise");
          expect(mine.end_offset(0) > end, "it was refused although the partition ended there");
        }
      }
    });
  }
  for (child& c : children) c.join();
  history h;
  h.read_all(log);
  CHECK(h.violations() == std::vector<std::string>());
  CHECK(h.size() == writers * each);
  CHECK(begun(log) > each * writers / 200);
}

}  // namespace process_conditional_append
