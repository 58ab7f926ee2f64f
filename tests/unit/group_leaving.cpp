// Leaving a group where something fails on the way: the listener throws, or the device refuses. All is done all the same, and
// the first failure comes out.
#include <leat/consumer.hpp>

#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/faulty_device.hpp"
#include "support/media.hpp"

#include <leat/admin.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace unit_group_leaving {

using leat::errc;
using leat::topic_partition;
using leat_tests::code_of;
using leat_tests::temporary_store;
using namespace std::chrono_literals;

using partitions = std::vector<topic_partition>;
using member = leat::consumer<int>;

leat::consumer_options of_group() {
  return {.auto_offset_reset = leat::offset_reset::earliest, .group = "g", .enable_auto_commit = false};
}

bool poll_until(std::initializer_list<member*> members, const std::function<bool()>& done) {
  for (const auto deadline = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < deadline;) {
    for (member* m : members) (void)m->poll();
    if (done()) return true;
    std::this_thread::yield();
  }
  return false;
}

/// Of a listener.
std::function<void(std::span<const topic_partition>)> throwing(const char* what) {
  return [what](auto) { throw std::runtime_error(what); };
}

bool has_members(const temporary_store& s) { return !leat::admin{s.store}.describe_group("g").members.empty(); }

TEST_CASE("a member whose listener throws while it leaves has left and does not join again") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  member in{temporary.store, of_group()};
  in.subscribe({"t"}, {.assigned = {}, .revoked = throwing("revoked"), .lost = {}});
  REQUIRE(poll_until({&in}, [&] { return in.owned().size() == 2; }));
  const bool by_close = GENERATE(false, true);
  CHECK_THROWS_WITH(by_close ? in.close() : in.unsubscribe(), "revoked");
  CHECK(in.owned().empty());
  CHECK_FALSE(has_members(temporary));
  CHECK(in.poll().empty());
  CHECK(in.owned().empty());
  CHECK_FALSE(has_members(temporary));
  CHECK_THROWS_AS(in.position({"t", 0}), leat::error);  // nothing is read any more
  in.close();

  in.subscribe({"t"});
  REQUIRE(poll_until({&in}, [&] { return in.owned().size() == 2; }));
}

TEST_CASE("a member whose listener throws when it subscribes anew has the new subscription") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto before = temporary.store.topic<int>("before");
  const auto after = temporary.store.topic<int>("after");
  member in{temporary.store, of_group()};
  in.subscribe({"before"}, {.assigned = {}, .revoked = throwing("revoked"), .lost = {}});
  REQUIRE(poll_until({&in}, [&] { return in.owned() == partitions{{"before", 0}}; }));
  partitions told;
  leat::rebalance_listener listener;
  listener.assigned = [&](std::span<const topic_partition> p) { told.assign(p.begin(), p.end()); };
  CHECK_THROWS_WITH(in.subscribe({"after"}, listener), "revoked");
  CHECK(in.owned().empty());
  REQUIRE(poll_until({&in}, [&] { return !in.owned().empty(); }));
  CHECK(in.owned() == partitions{{"after", 0}});
  CHECK(told == partitions{{"after", 0}});
}

TEST_CASE("a subscription that is refused leaves the member as it was") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  member in{topic, of_group()};
  REQUIRE(poll_until({&in}, [&] { return in.owned().size() == 1; }));
  CHECK(code_of([&] { in.subscribe_pattern("("); }) == errc::invalid_argument);
  CHECK(in.owned().size() == 1);
  CHECK(in.poll().error() == errc::ok);
  CHECK(in.owned().size() == 1);
}

TEST_CASE("a member that was ended and whose listener throws while it leaves has left") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  auto options = of_group();
  options.max_poll_interval = 1ms;
  member slow{temporary.store, options};
  slow.subscribe({"t"}, {.assigned = {}, .revoked = {}, .lost = throwing("lost")});
  REQUIRE(poll_until({&slow}, [&] { return slow.owned().size() == 2; }));
  member other{topic, of_group()};
  REQUIRE(poll_until({&other}, [&] { return other.owned().size() == 2; }));
  CHECK_THROWS_WITH(slow.close(), "lost");
  CHECK(slow.owned().empty());
  CHECK(slow.poll().empty());
  CHECK(leat::admin{temporary.store}.describe_group("g").members.size() == 1);
  slow.close();
}

TEST_CASE("a close in a callback is refused and takes nothing from the member") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  REQUIRE(out.send(7));
  member in{temporary.store, of_group()};
  errc closing = errc::ok;
  in.subscribe({"t"}, {.assigned = [&](auto) { closing = code_of([&] { in.close(); }); }, .revoked = {}, .lost = {}});
  CHECK(in.poll(1s).size() == 1);
  CHECK(closing == errc::invalid_argument);
  CHECK(in.owned() == partitions{{"t", 0}});
  CHECK(in.commit());
  CHECK(in.committed(0)->offset == 1);
}

TEST_CASE("a member that leaves while its device fails tells what it releases, and the device's failure comes out") {
  const auto s = temporary_store::on_disk();
  const auto topic = s.store.topic<int>("t", {.durability = leat::durability::every});
  leat::producer out{topic};
  out.send(7).value();
  auto options = of_group();
  options.enable_auto_commit = true;
  const bool listener_throws = GENERATE(false, true);
  member in{s.store, options};
  partitions told;
  leat::rebalance_listener listener;
  listener.revoked = [&](std::span<const topic_partition> p) {
    told.assign(p.begin(), p.end());
    if (listener_throws) throw std::runtime_error("revoked");
  };
  in.subscribe({"t"}, listener);
  REQUIRE(in.poll(10s).size() == 1);
  {
    leat_tests::faulty_device device;
    device.fail_msync(EIO);
    CHECK(code_of([&] { in.close(); }) == errc::system);
  }
  CHECK(told == partitions{{"t", 0}});
  CHECK(in.owned().empty());
  CHECK_FALSE(has_members(s));
  CHECK(in.poll().empty());
  member next{topic, options};
  REQUIRE(poll_until({&next}, [&] { return next.owned().size() == 1; }));
  CHECK(next.committed(0)->offset == 1);  // it is committed, if not on the device
}

}  // namespace unit_group_leaving
