// A producer is interrupted after every instruction of an append, and killed or left standing there; each time another
// producer appends and a consumer reads on at once.
#include "support/history.hpp"

#include <algorithm>
#include <chrono>
#include <random>

using namespace leat_tests;
using state = traced_child::state;

namespace crash_step {

constexpr std::uint64_t keep = 3;
constexpr std::size_t large = 5000;  // two records fill a segment
constexpr std::uint32_t most_victims = 100'000;

struct progress {
  counter acknowledged[most_victims];
};

/// The survivors, a producer and a consumer, in this process; and the victims.
class scene {
 public:
  scene(std::size_t before, std::size_t sends, std::size_t bytes)
      : before_(before),
        sends_(sends),
        bytes_(bytes),
        log_(open_log(place_.store(), tiny(keep))),
        out_(log_),
        in_(log_, {.auto_offset_reset = leat::offset_reset::none}) {
    in_.seek({0, 0});
    carry_on(0);
  }

  /// A producer at the mark before the sends that are to be interrupted. Another mark comes behind them.
  traced_child victim() {
    const std::uint32_t id = ++victims_;
    if (id >= most_victims) fail("too many victims");
    return traced_child([this, id] {
      producer out(open_log(place_.store()));
      std::vector<std::vector<std::byte>> made;
      for (std::size_t n = 0; n < before_ + sends_; ++n) made.push_back(payload(id, n, n < before_ ? 64 : bytes_));
      const auto send = [&](std::size_t n) {
        if (!out.send(view(made[n]))) fail("a victim's send failed");
        page_->acknowledged[id] = n + 1;
      };
      for (std::size_t n = 0; n < before_; ++n) send(n);
      traced_child::mark();
      for (std::size_t n = before_; n < before_ + sends_; ++n) send(n);
      traced_child::mark();
    });
  }

  /// The survivors append, `rolls` segments at least, and read everything there is.
  void carry_on(std::uint64_t rolls) {
    const std::uint64_t segments = begun(log_);
    do {
      const auto made = payload(0, sent_, rolls == 0 ? 64 : large);
      if (!out_.send(view(made))) fail("the survivor's send failed");
      ++sent_;
      read_all();
    } while (begun(log_) < segments + rolls);
  }

  /// Everything that was acknowledged was read, once and in order; and not more than the last, unacknowledged record of each.
  void check() {
    read_all();
    if (seen_.count(0) != sent_) fail("the survivor's records are not all there");
    for (; checked_ < victims_; ++checked_) check_victim(checked_ + 1);
  }

  void check_files() {
    {
      producer fresh(log_);
      send_numbered(fresh, ++victims_, 0);
      page_->acknowledged[victims_] = 1;
    }
    check();
    CHECK(files_of(log_).temporary == 0);
    CHECK(files_of(log_).segments <= keep + 2);
  }

  const topic& log() const { return log_; }

 private:
  void read_all() {
    read_up_to(in_, 0, log_.end_offset(0), [&](const auto& record) { seen_.add(record); });
  }
  void check_victim(std::uint32_t id) {
    const std::uint64_t acknowledged = page_->acknowledged[id];
    const std::uint64_t seen = seen_.count(id);
    if (seen == acknowledged || seen == acknowledged + 1) return;
    fail("victim " + std::to_string(id) + " was told of " + std::to_string(acknowledged) + " records, but " +
         std::to_string(seen) + " are there");
  }

  const std::size_t before_;
  const std::size_t sends_;
  const std::size_t bytes_;
  shared_place place_;
  shared<progress> page_;
  const topic log_;
  producer out_;
  consumer in_;
  stream_check seen_;
  std::uint64_t sent_ = 0;
  std::uint32_t victims_ = 0;
  std::uint32_t checked_ = 0;
};

/// Where a victim is interrupted: behind so many system calls, and then so many instructions.
struct moment {
  unsigned calls = 0;
  unsigned instructions = 0;
};

/// Runs a victim to a moment. False when it comes to its mark before.
bool run_to(traced_child& v, const moment& m) {
  v.to_mark();
  for (unsigned i = 0; i < m.calls; ++i) {
    if (v.to_system_call() != state::stepping) return false;
  }
  for (unsigned i = 0; i < m.instructions; ++i) {
    if (v.step() != state::stepping) return false;
  }
  return true;
}

/// What becomes of a victim that was interrupted: the survivors carry on after it was killed, or while it stands there
/// and after it was killed then, or while it stands there and after it has gone on.
enum class fate { killed, stopped_and_killed, stopped_and_resumed };

/// Interrupts a victim at a moment. False when it came to its mark before.
bool interrupt(scene& s, const moment& m, std::uint64_t rolls, fate then) {
  INFO("interrupted at system call " << m.calls << " and " << m.instructions << " instructions");
  traced_child v = s.victim();
  const bool within = run_to(v, m);
  if (then != fate::killed) s.carry_on(rolls);
  if (then == fate::stopped_and_resumed) {
    if (within) v.to_mark();
    v.let_go();
  } else {
    v.kill();
  }
  s.carry_on(rolls);
  s.check();
  return within;
}

/// Behind every instruction, in random order, as long as there is time.
void interrupt_at_instructions(scene& s, std::uint64_t rolls, fate then, std::chrono::milliseconds time) {
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
void interrupt_at_random(scene& s, std::uint64_t rolls, fate then, std::chrono::milliseconds time) {
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
  scene s(1, 1, 64);
  interrupt_at_instructions(s, 0, fate::killed, std::chrono::seconds(5));
}

TEST_CASE("a producer stopped behind any instruction of an append delays nobody and goes on correctly") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  scene s(1, 1, 64);
  interrupt_at_instructions(s, 0, fate::stopped_and_resumed, std::chrono::seconds(5));
}

TEST_CASE("a producer killed behind random instructions of a roll delays nobody and the log is whole") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  scene s(0, 3, large);
  s.carry_on(keep + 2);
  interrupt_at_random(s, 2, fate::killed, std::chrono::seconds(4));
}

TEST_CASE("a producer stopped behind random instructions of a roll delays nobody and goes on correctly") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  scene s(0, 3, large);
  s.carry_on(keep + 2);
  interrupt_at_random(s, keep + 2, fate::stopped_and_resumed, std::chrono::seconds(4));
}

// Between two system calls a roll mostly reads, or clears a file that nobody else may use: these are the moments that count.
TEST_CASE("a producer killed or stopped at any system call of joining and rolling delays nobody and the log is whole") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  for (const bool joining : {false, true}) {
    scene s(joining ? 0 : 1, 3, large);
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
  scene s(1, 3, large);
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
