// Static members that were ended, and those that have their instance id meanwhile.
#include <leat/consumer.hpp>

#include "support/catch.hpp"
#include "support/media.hpp"

#include <leat/admin.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <functional>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace unit_group_static_members {

using leat::errc;
using leat_tests::temporary_store;
using namespace std::chrono_literals;

using member = leat::consumer<int>;

leat::consumer_options of_instance(const std::string& instance, std::chrono::nanoseconds max_poll_interval) {
  return {.auto_offset_reset = leat::offset_reset::earliest,
          .group = "g",
          .group_instance_id = instance,
          .enable_auto_commit = false,
          .max_poll_interval = max_poll_interval};
}

bool poll_until(std::initializer_list<member*> members, const std::function<bool()>& done) {
  for (const auto deadline = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < deadline;) {
    for (member* m : members) (void)m->poll();
    if (done()) return true;
    std::this_thread::yield();
  }
  return false;
}

/// A static member that owned all of the topic "t", until it stood still for too long and another had it instead.
struct ended {
  explicit ended(const leat::rebalance_listener& listener = {}) : slow(place.store, of_instance("till-7", 1ms)) {
    slow.subscribe({"t"}, listener);
    REQUIRE(poll_until({&slow}, [&] { return slow.owned().size() == 2; }));
    REQUIRE(poll_until({&watcher}, [&] { return watcher.owned().size() == 2; }));
  }

  temporary_store place = leat_tests::each_kind_of_store();
  leat::topic<int> topic = place.store.topic<int>("t", {.partitions = 2});
  member slow;
  member watcher{topic, of_instance("", 1h)};
};

// Below, the watcher polls no more once the successor has joined, so that the successor is not ended in its turn.

TEST_CASE("a static member that was ended and finds another with its instance id is fenced by it") {
  ended s;
  const auto interval = GENERATE(1ms, std::chrono::milliseconds(1h));  // it would have the same file, or another
  member successor{s.topic, of_instance("till-7", interval)};
  CHECK(successor.poll().error() == errc::ok);
  CHECK(s.slow.poll().error() == errc::fenced);
  CHECK(s.slow.poll().error() == errc::fenced);
  CHECK(s.slow.owned().empty());
  CHECK(s.slow.commit({{"t", 0}, 1}).error() == errc::fenced);
  CHECK(successor.poll().error() == errc::ok);

  s.slow.subscribe({"t"});  // asked for anew, it takes the place
  CHECK(s.slow.poll().error() == errc::ok);
  CHECK(successor.poll().error() == errc::fenced);
}

TEST_CASE("a static member that was ended is fenced also when its listener throws on the way") {
  ended s({.assigned = {}, .revoked = {}, .lost = [](auto) { throw std::runtime_error("lost"); }});
  member successor{s.topic, of_instance("till-7", 1ms)};
  CHECK(successor.poll().error() == errc::ok);
  CHECK_THROWS_WITH(s.slow.poll(), "lost");
  CHECK(s.slow.poll().error() == errc::fenced);
  CHECK(successor.poll().error() == errc::ok);
}

TEST_CASE("a static member that was ended joins again where nobody has its instance id") {
  ended s;
  const std::string before = s.slow.member_id();
  SECTION("nobody has had it") {
    CHECK(s.slow.poll().error() == errc::ok);
    const auto members = leat::admin{s.place.store}.describe_group("g").members;
    CHECK(std::ranges::count(members, before, &leat::member_description::id) == 1);
  }
  SECTION("who had it has closed") {
    const auto interval = GENERATE(1ms, std::chrono::milliseconds(1h));
    auto successor = std::make_optional<member>(s.topic, of_instance("till-7", interval));
    CHECK(successor->poll().error() == errc::ok);
    const std::string its = successor->member_id();
    successor.reset();
    CHECK(s.slow.poll().error() == errc::ok);
    CHECK(s.slow.member_id() == (interval == 1ms ? its : before));  // in its place, or in another
  }
}

TEST_CASE("a static member whose group was deleted does not take the place that another has in the new one") {
  auto place = leat_tests::each_kind_of_store();
  const auto topic = place.store.topic<int>("t", {.partitions = 2});
  member first{topic, of_instance("till-7", 1h)};
  REQUIRE(poll_until({&first}, [&] { return first.owned().size() == 2; }));
  leat::group::group_files::open(place.store.files(), "g")->begin_deletion([] {});  // an administrator would be refused
  member successor{topic, of_instance("till-7", 1h)};
  REQUIRE(poll_until({&successor}, [&] { return successor.owned().size() == 2; }));
  CHECK(first.poll().error() == errc::fenced);
  CHECK(successor.poll().error() == errc::ok);
  CHECK(successor.owned().size() == 2);
}

TEST_CASE("of static members with the same instance id that join at once one stays and the others are fenced") {
  auto place = leat_tests::each_kind_of_store();
  const auto topic = place.store.topic<int>("t", {.partitions = 2});
  constexpr int rounds = 60;
  constexpr std::size_t twins = 3;
  for (int round = 0; round < rounds; ++round) {
    CAPTURE(round);
    auto options = of_instance("till-7", 1h);
    options.group += std::to_string(round);
    std::vector<member> members;
    for (std::size_t i = 0; i < twins; ++i) members.emplace_back(topic, options);
    std::barrier together(static_cast<std::ptrdiff_t>(twins));
    std::vector<std::thread> threads;
    for (member& m : members) {
      threads.emplace_back([&] {
        together.arrive_and_wait();
        (void)m.poll();
      });
    }
    for (std::thread& t : threads) t.join();
    std::size_t staying = 0;
    for (member& m : members) staying += m.poll().error() == errc::ok ? 1 : 0;
    REQUIRE(staying == 1);
    REQUIRE(leat::admin{place.store}.describe_group(options.group).members.size() == 1);
    const auto stays = std::ranges::find_if(members, [](member& m) { return m.poll().error() == errc::ok; });
    REQUIRE(stays != members.end());
    REQUIRE(poll_until({&*stays}, [&] { return stays->owned().size() == 2; }));
  }
}

}  // namespace unit_group_static_members
