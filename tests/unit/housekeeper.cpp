// The housekeeper: what it does for a store in which nobody is at work.
#include "support/catch.hpp"
#include "support/temporary_store.hpp"

#include <leat/housekeeper.hpp>
#include <leat/producer.hpp>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace unit_housekeeper {

using namespace std::chrono_literals;

/// Generous: what is waited for takes milliseconds.
template <class Condition>
bool comes_true(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_CASE("a housekeeper lets expired records go though nobody appends") {
  auto temporary = leat_tests::temporary_store::on_disk();
  const auto topic = temporary.store.topic<std::string>("t", {.segment_bytes = 16384, .retention = {.time = 1ms}});
  leat::producer out{topic};
  for (int i = 0; i < 1000; ++i) REQUIRE(out.send("value " + std::to_string(i)));
  const leat::housekeeper keeper(temporary.store, 1ms);
  CHECK(comes_true([&] { return topic.start_offset(0) == 1000; }));
  CHECK(topic.end_offset(0) == 1000);
  const auto at = out.send("after");
  REQUIRE(at);
  CHECK(at->offset == 1000);
}

TEST_CASE("a housekeeper with an interval of nothing is refused: it would do nothing but rounds") {
  auto temporary = leat_tests::temporary_store::on_disk();
  for (const std::chrono::nanoseconds interval : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
    try {
      const leat::housekeeper keeper(temporary.store, interval);
      FAIL("an interval of " << interval.count() << " ns was accepted");
    } catch (const leat::error& e) {
      CHECK(e.code() == leat::errc::invalid_argument);
      CHECK_THAT(e.reason(), Catch::Matchers::ContainsSubstring("interval is " + std::to_string(interval.count())));
    }
  }
}

TEST_CASE("a housekeeper removes what dead makers left") {
  auto temporary = leat_tests::temporary_store::on_disk();
  (void)temporary.store.topic<std::string>("t");
  const std::string left = temporary.file("topics/~new-0123456789abcdef");
  REQUIRE(std::filesystem::create_directory(left));
  const leat::housekeeper keeper(temporary.store, 1ms);
  CHECK(comes_true([&] { return !std::filesystem::exists(left); }));
}

TEST_CASE("a housekeeper tells what it could not do and goes on with the rest") {
  auto temporary = leat_tests::temporary_store::on_disk();
  const auto topic = temporary.store.topic<std::string>("whole", {.segment_bytes = 16384, .retention = {.time = 1ms}});
  leat::producer out{topic};
  REQUIRE(out.send("value"));
  (void)temporary.store.topic<std::string>("damaged");
  std::ofstream(temporary.file("topics/damaged/topic"), std::ios::binary | std::ios::in | std::ios::out) << "nonsense";
  std::atomic<int> told{0};
  const leat::housekeeper keeper(temporary.store, 1ms, [&](const leat::error& e) {
    if (e.path().find("damaged") != std::string::npos) ++told;
  });
  CHECK(comes_true([&] { return told > 0 && topic.start_offset(0) == 1; }));
}

TEST_CASE("a housekeeper tells of a segment that is missing, which is not a topic that was deleted meanwhile") {
  auto temporary = leat_tests::temporary_store::on_disk();
  const auto topic = temporary.store.topic<std::string>(
      "t", {.segment_bytes = 16384, .durability = leat::durability::interval, .flush = {.interval = 24h}});
  leat::producer out{topic};
  REQUIRE(out.send("value"));
  REQUIRE(std::filesystem::remove(temporary.file("topics/t/0000-0000000000000000")));
  std::atomic<bool> told = false;
  const leat::housekeeper keeper(temporary.store, 1ms,
                                 [&](const leat::error& e) { told = e.code() == leat::errc::corrupt; });
  CHECK(comes_true([&] { return told.load(); }));
}

TEST_CASE("a housekeeper ends at once though its next round is a day away") {
  auto temporary = leat_tests::temporary_store::on_disk();
  const leat::housekeeper keeper(temporary.store, 24h);
}

TEST_CASE("a housekeeper whose next round is never to come makes one") {
  auto temporary = leat_tests::temporary_store::on_disk();
  (void)temporary.store.topic<std::string>("damaged");
  std::ofstream(temporary.file("topics/damaged/topic"), std::ios::binary | std::ios::in | std::ios::out) << "nonsense";
  const leat::admin admin{temporary.store};
  std::atomic<int> told{0};
  const auto tell = [&](const leat::error&) { ++told; };
  int in_one_round = 0;
  {
    const leat::housekeeper keeper(temporary.store, 24h, tell);
    CHECK(comes_true([&] { return told > 0; }));
  }
  in_one_round = told.exchange(0);
  const leat::housekeeper keeper(temporary.store, leat::forever, tell);
  CHECK(comes_true([&] { return told >= in_one_round; }));
  for (int i = 0; i < 100; ++i) (void)admin.clean();  // as much as in a hundred rounds
  CHECK(told == in_one_round);
}

}  // namespace unit_housekeeper
