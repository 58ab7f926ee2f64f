// A producer is interrupted after every instruction of an append, and killed or left standing there; each time another
// producer appends and a consumer reads on at once.
#include "support/append_scene.hpp"

#include <algorithm>
#include <chrono>
#include <random>

using namespace leat_tests;
using state = traced_child::state;

namespace crash_step {

constexpr std::uint64_t keep = append_scene::keep;
constexpr std::size_t large = append_scene::large;

/// Behind every instruction, in random order, as long as there is time.
void interrupt_at_instructions(append_scene& s, std::uint64_t rolls, fate then, std::chrono::milliseconds time) {
  std::vector<unsigned> order;
  {
    traced_child all = s.victim();
    all.to_mark();
    do order.push_back(static_cast<unsigned>(order.size()));
    while (all.step() == state::stepping);
    all.kill();
  }
  std::shuffle(order.begin(), order.end(), std::mt19937_64(seed()));
  const auto deadline = std::chrono::steady_clock::now() + time;
  std::size_t done = 0;
  for (const unsigned k : order) {
    interrupt(s, {0, k}, rolls, then);
    ++done;
    if (std::chrono::steady_clock::now() > deadline) break;
  }
  INFO("interrupted at " << done << " of " << order.size() << " instructions");
  CHECK(order.size() > 50);
  CHECK(done >= (slowdown == 1 ? order.size() / 4 : 10));
  s.check_files();
}

/// Behind random instructions of a way that has too many: a random system call of it, and up to 1000 instructions on.
void interrupt_at_random(append_scene& s, std::uint64_t rolls, fate then, std::chrono::milliseconds time) {
  unsigned calls = 0;
  {
    traced_child all = s.victim();
    all.to_mark();
    while (all.to_system_call() == state::stepping) ++calls;
    all.kill();
  }
  CHECK(calls > 20);
  dice random(8);
  const auto deadline = std::chrono::steady_clock::now() + time;
  std::size_t done = 0;
  while (std::chrono::steady_clock::now() < deadline) {
    const moment m{static_cast<unsigned>(random.roll(calls + 1)),
                   static_cast<unsigned>(random.roll(random.one_in(2) ? 60 : 1000))};
    interrupt(s, m, rolls, then);
    ++done;
  }
  INFO("interrupted at " << done << " moments");
  CHECK(done > 10);
  s.check_files();
}

TEST_CASE("a producer killed behind any instruction of an append delays nobody and the log is whole") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  append_scene s({.before = 1, .sends = 1, .bytes = 64});
  interrupt_at_instructions(s, 0, fate::killed, std::chrono::seconds(5));
}

TEST_CASE("a producer stopped behind any instruction of an append delays nobody and goes on correctly") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  append_scene s({.before = 1, .sends = 1, .bytes = 64});
  interrupt_at_instructions(s, 0, fate::stopped_and_resumed, std::chrono::seconds(5));
}

TEST_CASE("a producer killed behind random instructions of a roll delays nobody and the log is whole") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  append_scene s({.before = 0, .sends = 3, .bytes = large});
  s.carry_on(keep + 2);
  interrupt_at_random(s, 2, fate::killed, std::chrono::seconds(4));
}

TEST_CASE("a producer stopped behind random instructions of a roll delays nobody and goes on correctly") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  append_scene s({.before = 0, .sends = 3, .bytes = large});
  s.carry_on(keep + 2);
  interrupt_at_random(s, keep + 2, fate::stopped_and_resumed, std::chrono::seconds(4));
}

// Between two system calls a roll mostly reads, or clears a file that nobody else may use: these are the moments that count.
TEST_CASE("a producer killed or stopped at any system call of joining and rolling delays nobody and the log is whole") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  for (const bool joining : {false, true}) {
    append_scene s({.before = joining ? 0u : 1u, .sends = 3, .bytes = large});
    s.carry_on(keep + 2);
    for (const fate then : {fate::killed, fate::stopped_and_killed}) {
      for (const std::uint64_t rolls : {1u, 6u}) {
        unsigned k = 0;
        while (interrupt(s, {k, 0}, rolls, then)) ++k;
        CHECK(k > 20);
      }
    }
    s.check_files();
  }
}

TEST_CASE("a producer goes on correctly from any system call of a roll after others have rolled past it") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  dice random(7);
  append_scene s({.before = 1, .sends = 3, .bytes = large});
  s.carry_on(keep + 2);
  for (const std::uint64_t rolls : {1u, 8u}) {
    // One victim, interrupted again and again: its way changes with what the others did meanwhile. Not at every call: who
    // is overtaken between any two of them may be overtaken for ever.
    traced_child all_along = s.victim();
    all_along.to_mark();
    unsigned calls = 0;
    while (all_along.to_system_call() == state::stepping) {
      if (random.one_in(60)) s.carry_on(rolls);
      if (++calls > 10'000) fail("it comes to no end while others roll past it");
    }
    all_along.let_go();
    CHECK(calls > 20);
    s.check();
    // One interruption each.
    unsigned k = 0;
    while (interrupt(s, {k, 0}, rolls, fate::stopped_and_resumed)) ++k;
    CHECK(k > 20);
  }
  CHECK(files_of(s.log()).segments <= keep + 3);  // nobody died: no late name is left for others to remove
  s.check_files();
}

}  // namespace crash_step
