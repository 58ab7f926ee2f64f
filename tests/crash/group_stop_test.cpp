// Members that are stopped at any moment for longer than max_poll_interval: the others go on, and the stopped one is
// fenced when it wakes.
#include "support/group_scene.hpp"

#include <algorithm>

using namespace leat_tests;
using namespace std::chrono_literals;
using leat::errc;

namespace crash_group_stop {

leat::consumer_options short_lived() {
  auto o = group_scene::options();
  o.max_poll_interval = 30ms;
  return o;
}

/// Whether what was interrupted ends with a membership that others have ended meanwhile, or with a new one.
enum class outcome { fenced, joined };

/// Stops a victim at a moment, lets the others go on, also with cleaning, and then lets it go on.
void stop_at(const std::string& path, const group_operation& o, const moment& m, outcome expected) {
  INFO("stopped at system call " << m.calls << " and " << m.instructions << " instructions");
  group_scene s(path);
  try {
    o.before(s);
    traced_child v = make_victim(s, o, short_lived(), [&](consumer& in) {
      // Awake again: what it does with its old tenures changes nothing, and it joins again.
      for (std::uint32_t p = 0; expected == outcome::fenced && p < group_scene::partitions; ++p) {
        const auto late = in.commit({{"log", p}, 1, "too late"});
        expect(!late && late.error() == errc::fenced, "a fenced member's commit succeeded");
      }
      s.join(in);
      traced_child::mark();
      in.close();
    });
    v.to_mark();
    o.meanwhile(s);
    const bool within = run_to(v, m);
    s.go_on();
    (void)s.admin().clean();
    const std::vector<std::uint64_t> before = s.committed();
    if (within) v.to_mark();
    if (s.committed() != before) fail("what the stopped one went on with changed the committed offsets");
    v.to_mark();
    if (s.committed() != before) fail("the woken one changed the committed offsets");
    v.let_go();
    s.go_on();
    s.tidy();
  } catch (const std::exception& e) {
    FAIL(e.what());
  }
}

void stop_at_system_calls(const group_operation& o, std::chrono::seconds time, outcome expected = outcome::fenced) {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  INFO(o.name);
  shared_place place;
  const unsigned calls = count_moments(place.store("count"), o, false);
  const auto deadline = std::chrono::steady_clock::now() + time;
  unsigned done = 0;
  for (const unsigned k : shuffled(calls + 1)) {
    stop_at(place.store(std::to_string(k)), o, {k, 0}, expected);
    ++done;
    if (std::chrono::steady_clock::now() > deadline) break;
  }
  INFO("stopped at " << done << " of " << calls << " system calls");
  CHECK(done >= std::min(calls, 8u));
}

void stop_at_instructions(const group_operation& o, std::chrono::seconds time) {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  INFO(o.name);
  shared_place place;
  const unsigned calls = count_moments(place.store("count"), o, false);
  std::vector<unsigned> order;
  if (calls < 20) order = shuffled(count_moments(place.store("count"), o, true) + 1);
  dice random(61);
  const auto deadline = std::chrono::steady_clock::now() + time;
  unsigned done = 0;
  while (std::chrono::steady_clock::now() < deadline && (order.empty() || done < order.size())) {
    const moment m = order.empty() ? moment{static_cast<unsigned>(random.roll(calls + 1)),
                                            static_cast<unsigned>(random.roll(random.one_in(2) ? 60 : 1000))}
                                   : moment{0, order[done]};
    stop_at(place.store(std::to_string(done)), o, m, outcome::fenced);
    ++done;
  }
  INFO("stopped at " << done << " moments");
  CHECK(done >= 8);
}

TEST_CASE("a member stopped at any system call of a commit is fenced when it wakes") {
  stop_at_system_calls(committing(""), 8s);
}

TEST_CASE("a member stopped at any system call of a commit with metadata is fenced when it wakes") {
  stop_at_system_calls(committing("its own words"), 12s);
}

TEST_CASE("a member stopped at any instruction of a commit is fenced when it wakes") {
  stop_at_instructions(committing(""), 10s);
}

TEST_CASE("a member stopped at random instructions of a commit with metadata is fenced when it wakes") {
  stop_at_instructions(committing("its own words"), 10s);
}

/// The words of taking over by themselves: stopped at any instruction while another takes the partition over.
TEST_CASE("of two who take a partition over at once one has it whatever instruction the other is stopped at") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  for (const std::string& metadata : {std::string(), std::string("their own words")}) {
    shared<std::array<counter, 2>> took;
    const auto run = [&](unsigned name, unsigned k, bool commits) {
      INFO("stopped behind " << k << " instructions");
      group_scene s(place.store(std::to_string(name)));
      s.somebody_was_here(metadata);
      const auto offsets = s.log().log()->find_group("g");
      const auto seen = offsets->owner(1);
      (*took)[0] = (*took)[1] = 0;
      traced_child v([&] {
        const auto own = open_log(s.path()).log()->find_group("g");
        traced_child::mark();
        if (const auto epoch = own->take(1, seen, 1001)) (*took)[0] = *epoch;
        traced_child::mark();
      });
      v.to_mark();
      for (unsigned i = 0; i < k; ++i) {
        if (v.step() != traced_child::state::stepping) break;
      }
      // The other looks now: member 1001 is none.
      const auto mine = offsets->take(1, offsets->owner(1), 1002);
      REQUIRE(mine);
      const auto committed = offsets->committed(1);
      REQUIRE(committed);
      CHECK(committed->offset == 2);
      CHECK(committed->metadata == metadata);
      if (commits) REQUIRE(offsets->commit(1, {*mine, 1002}, 5, "new words") == errc::ok);
      bool within = (*took)[0] == 0;
      if (within) {
        v.to_mark();
        within = (*took)[0] == 0;
      }
      v.kill();
      const auto owner = offsets->owner(1);
      CHECK(owner.member == 1002);
      CHECK(owner.epoch == *mine);
      CHECK(offsets->commit(1, {*mine, 1002}, 6, "") == errc::ok);
      CHECK(offsets->committed(1)->offset == 6);
      return within;
    };
    unsigned count = 0;
    {
      group_scene s(place.store("count"));
      s.somebody_was_here(metadata);
      traced_child all_of_it([&] {
        const auto own = open_log(s.path()).log()->find_group("g");
        const auto seen = own->owner(1);
        traced_child::mark();
        (void)own->take(1, seen, 1001);
        traced_child::mark();
      });
      all_of_it.to_mark();
      while (all_of_it.step() == traced_child::state::stepping) ++count;
      all_of_it.kill();
    }
    CHECK(count > 20);
    const auto deadline = std::chrono::steady_clock::now() + 6s;
    unsigned done = 0;
    unsigned fenced = 0;
    for (const unsigned k : shuffled(count)) {
      fenced += run(++done, k, k % 2 == 0) ? 1 : 0;
      if (std::chrono::steady_clock::now() > deadline) break;
    }
    CHECK(fenced > 0);
  }
}

TEST_CASE("a member stopped at any system call of taking over leaves the group to the others and joins again") {
  stop_at_system_calls(taking_over(""), 12s, outcome::joined);
}

TEST_CASE("a member stopped at any system call of taking over commits with metadata leaves the group to the others") {
  stop_at_system_calls(taking_over("their own words"), 12s, outcome::joined);
}

}  // namespace crash_group_stop
