// A producer is killed and stopped while it has its records written to the device; each time another producer appends, is
// acknowledged and rolls on, a consumer reads, and what the victim was told is durable is below the mark.
//
// What a device then has of it, should the power fail, is tested in power_test.cpp.
#include "support/append_scene.hpp"

using namespace leat_tests;
using namespace std::chrono_literals;
using leat::durability;

namespace crash_durable_step {

way walk_through(append_scene& s, visible_bytes& files) {
  traced_child all = s.victim();
  all.to_mark();
  return walk(all, files);
}

/// Kills at every moment that makes a difference: once with others going on behind the death only, and once rolling.
void kill_everywhere(append_scene& s, std::chrono::milliseconds time) {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  s.carry_on(append_scene::keep + 2);
  visible_bytes files(s.path());
  const way w = walk_through(s, files);
  unsigned turn = 0;
  at_moments(w, w.deaths(), time,
             [&](const moment& m) { (void)interrupt(s, m, ++turn % 4 == 0 ? 2 : 0, fate::killed, &files); });
  s.check_files();
  s.remove();
}

void stop_everywhere(append_scene& s, std::chrono::milliseconds time) {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  s.carry_on(append_scene::keep + 2);
  visible_bytes files(s.path());
  const way w = walk_through(s, files);
  dice random(70);
  unsigned turn = 0;
  at_moments(
      w, w.stops(), time,
      [&](const moment& m) {
        const fate then = random.one_in(4) ? fate::stopped_and_killed : fate::stopped_and_resumed;
        (void)interrupt(s, m, ++turn % 4 == 0 ? append_scene::keep + 2 : 0, then, &files);
      },
      &random);
  s.check_files();
  s.remove();
}

TEST_CASE("a producer killed anywhere in a durable append delays nobody and what it was told is durable is so") {
  append_scene s({.before = 1}, durability::every);
  kill_everywhere(s, 5s);
}

TEST_CASE("a producer stopped anywhere in a durable append holds others up for a moment and goes on correctly") {
  append_scene s({.before = 1}, durability::every);
  stop_everywhere(s, 5s);
}

TEST_CASE("a producer killed anywhere in a flush delays nobody and what it was told is durable is so") {
  append_scene s({.before = 3, .sends = 0, .flushes = true}, durability::interval);
  kill_everywhere(s, 5s);
}

TEST_CASE("a producer stopped anywhere in a flush holds others up for a moment and goes on correctly") {
  append_scene s({.before = 3, .sends = 0, .flushes = true}, durability::interval);
  stop_everywhere(s, 5s);
}

TEST_CASE("a producer killed anywhere in durable appends that roll delays nobody and the log is whole") {
  append_scene s({.before = 0, .sends = 3, .bytes = append_scene::large}, durability::every);
  kill_everywhere(s, 5s);
}

}  // namespace crash_durable_step
