#include <leat/sync/doorbell.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <set>

namespace unit_sync_doorbell {

using namespace leat::sync;

struct words {
  std::uint32_t doorbell_word = 0;
  std::uint32_t bell_word = 0;
  std::uint64_t wake_ups = 0;
  leat::sync::doorbell doorbell{doorbell_word, wake_ups};
  leat::sync::bell bell{bell_word};

  /// As behind a publish.
  void ring_if_armed() {
    const std::uint32_t seen = doorbell.look();
    if (leat::sync::doorbell::is_armed(seen)) doorbell.ring(seen, bell, 1);
  }
};

TEST_CASE("nobody is rung for while nobody sleeps") {
  words w;
  w.ring_if_armed();
  CHECK(w.bell_word == 0);
  CHECK(w.doorbell_word == 0);
}

TEST_CASE("an armed doorbell is odd and rings once") {
  words w;
  w.doorbell.arm();
  CHECK(w.doorbell_word % 2 == 1);
  w.ring_if_armed();
  CHECK(w.bell_word == 1);
  CHECK(w.doorbell_word % 2 == 0);
  CHECK(w.wake_ups == 1);
  w.ring_if_armed();
  CHECK(w.bell_word == 1);
}

TEST_CASE("a doorbell that was armed again meanwhile stays armed behind a ring for an earlier sleeper") {
  words w;
  w.doorbell.arm();
  const std::uint32_t seen = w.doorbell.look();
  w.doorbell.arm();
  w.doorbell.ring(seen, w.bell, 1);
  CHECK(w.bell_word == 1);
  CHECK(leat::sync::doorbell::is_armed(w.doorbell.look()));
}

TEST_CASE("a doorbell that is armed again has another value than before") {
  words w;
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 10; ++i) {
    w.doorbell.arm();
    CHECK(w.doorbell_word % 2 == 1);
    CHECK(seen.insert(w.doorbell_word).second);
    if (i % 3 == 0) w.ring_if_armed();
  }
}

TEST_CASE("a doorbell goes on when its number begins again") {
  words w;
  w.doorbell_word = 0xffffffff;
  w.doorbell.arm();
  CHECK(w.doorbell_word == 1);
  w.doorbell_word = 0xfffffffe;
  w.doorbell.arm();
  CHECK(w.doorbell_word == 1);
  w.doorbell_word = 0xffffffff;
  w.ring_if_armed();
  CHECK(w.doorbell_word == 0);
}

TEST_CASE("a ring that was noted is waited for no longer") {
  words w;
  const std::uint32_t noted = w.bell.note();
  w.doorbell.arm();
  w.ring_if_armed();
  CHECK(w.bell.note() != noted);
  const auto begin = std::chrono::steady_clock::now();
  w.bell.wait(noted, 1, begin + std::chrono::seconds(10));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}

TEST_CASE("a sleeper wakes at its upper bound") {
  words w;
  w.bell.wait(w.bell.note(), 1, std::chrono::steady_clock::now() + std::chrono::milliseconds(1));
  w.bell.wait(w.bell.note(), 1, std::chrono::steady_clock::time_point());
  SUCCEED();
}

TEST_CASE("a partition has one bit of the mask and its neighbours have others") {
  std::set<std::uint32_t> masks;
  for (std::uint32_t partition = 0; partition < 32; ++partition) {
    const std::uint32_t mask = wake_mask(200, partition);
    CHECK((mask != 0 && (mask & (mask - 1)) == 0));
    masks.insert(mask);
  }
  CHECK(masks.size() == 32);
  CHECK(wake_mask(200, 5) == wake_mask(200, 37));
}

}  // namespace unit_sync_doorbell
