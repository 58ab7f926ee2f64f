// Who may hand records over, and when everybody is through.
#include "support/catch.hpp"
#include "support/processes.hpp"

#include <leat/async/admission.hpp>

#include <chrono>
#include <future>
#include <thread>

namespace unit_async_admission {

using namespace std::chrono_literals;
using leat::errc;
using leat::async::admission;

TEST_CASE("what is inside is bounded in records and in bytes") {
  admission gate(2, 100);
  admission::ticket a, b, c;
  CHECK(gate.enter(60, 0s, a) == errc::ok);
  CHECK(gate.enter(41, 0s, c) == errc::back_pressure);
  CHECK(gate.enter(40, 0s, b) == errc::ok);
  CHECK(gate.records() == 2);
  CHECK(gate.bytes() == 100);
  CHECK(gate.enter(0, 1ms, c) == errc::back_pressure);
  gate.leave(a);
  CHECK(gate.enter(60, 0s, c) == errc::ok);
  gate.leave(b);
  gate.leave(c);
  CHECK(gate.records() == 0);
  CHECK(gate.bytes() == 0);
}

TEST_CASE("what is larger than the bound is let in alone") {
  admission gate(10, 100);
  admission::ticket large, small;
  CHECK(gate.enter(1000, 0s, large) == errc::ok);
  CHECK(gate.enter(1, 0s, small) == errc::back_pressure);
  gate.leave(large);
  CHECK(gate.enter(1, 0s, small) == errc::ok);
  CHECK(gate.enter(1000, 0s, large) == errc::back_pressure);
  gate.leave(small);
}

TEST_CASE("who waits for room is let in when there is some, and refused when it is closed") {
  admission gate(1, 100);
  admission::ticket first;
  REQUIRE(gate.enter(1, 0s, first) == errc::ok);
  const auto enter = [&] {
    admission::ticket t;
    const errc outcome = gate.enter(1, leat::forever, t);
    if (outcome == errc::ok) gate.leave(t);
    return outcome;
  };
  auto lucky = std::async(std::launch::async, enter);
  CHECK(lucky.wait_for(20ms) == std::future_status::timeout);
  gate.leave(first);
  CHECK(lucky.get() == errc::ok);
  REQUIRE(gate.enter(1, 0s, first) == errc::ok);
  auto refused = std::async(std::launch::async, enter);
  CHECK(refused.wait_for(20ms) == std::future_status::timeout);
  gate.close();
  CHECK(refused.get() == errc::closed);
  CHECK(enter() == errc::closed);
  CHECK_FALSE(gate.is_through());
  gate.leave(first);
  CHECK(gate.is_through());
}

TEST_CASE("a flush waits for those who are inside, of both epochs, and not for those who come later") {
  admission gate(100, 1000);
  admission::ticket early, middle, late;
  REQUIRE(gate.enter(1, 0s, early) == errc::ok);
  auto first = std::async(std::launch::async, [&] { gate.flush(); });
  leat_tests::wait_until("newcomers count in the other epoch", [&] {
    REQUIRE(gate.enter(1, 0s, middle) == errc::ok);
    if (middle.epoch != early.epoch) return true;
    gate.leave(middle);
    return false;
  });
  CHECK(first.wait_for(20ms) == std::future_status::timeout);
  gate.leave(early);
  // It may wait for the one in the middle, which came while it was waiting; it must not wait for those behind its second turn.
  leat_tests::wait_until("newcomers count in the first epoch again", [&] {
    REQUIRE(gate.enter(1, 0s, late) == errc::ok);
    if (late.epoch == early.epoch) return true;
    gate.leave(late);
    return false;
  });
  CHECK(first.wait_for(20ms) == std::future_status::timeout);
  gate.leave(middle);
  first.get();
  // `late` is in the epoch that the next flush leaves second: it must wait for it all the same.
  auto second = std::async(std::launch::async, [&] { gate.flush(); });
  CHECK(second.wait_for(50ms) == std::future_status::timeout);
  gate.leave(late);
  second.get();
}

}  // namespace unit_async_admission
