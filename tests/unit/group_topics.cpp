// How the members of a group follow topics that come, go, and come again.
#include <leat/consumer.hpp>

#include "support/catch.hpp"
#include "support/media.hpp"

#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace unit_group_topics {

using leat::errc;
using leat::offset_reset;
using leat::topic_partition;
using leat::group::group_files;
using leat_tests::temporary_store;
using namespace std::chrono_literals;

using partitions = std::vector<topic_partition>;
using ints = std::vector<int>;
using member = leat::consumer<int>;

leat::consumer_options of_group() {
  return {.auto_offset_reset = offset_reset::earliest, .group = "g", .enable_auto_commit = false};
}

leat::topic<int> make_topic(const temporary_store& in, const std::string& name, std::uint32_t count = 1) {
  return in.store.topic<int>(name, {.partitions = count});
}

void send(const leat::topic<int>& topic, int begin, int end, std::uint32_t partition = 0) {
  leat::producer out{topic};
  for (; begin < end; ++begin) REQUIRE(out.send(begin, {.partition = partition}));
}

template <class... Members>
bool poll_until(const std::function<bool()>& done, Members&... members) {
  for (const auto deadline = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < deadline;) {
    ((void)members.poll(), ...);
    if (done()) return true;
    std::this_thread::yield();
  }
  return false;
}

template <class Member>
partitions owned_by(const Member& m) {
  partitions list = m.owned();
  std::ranges::sort(list);
  return list;
}

std::shared_ptr<group_files> group_of(const temporary_store& in) { return group_files::open(in.store.files(), "g"); }

/// As a maker or deleter leaves it that is stopped, or dies, behind the rename: it is done, and nobody was told.
void rename_in_secret(const temporary_store& in, const std::string& from, const std::string& to) {
  REQUIRE(in.store.files()->topics().rename(from, to) == leat::os::rename_result::done);
}

TEST_CASE("a topic that an assignment rests on before it is announced is read by everybody whom it is assigned to") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  member one{temporary.store, of_group()};
  one.subscribe({"t"});
  (void)make_topic(temporary, "secret", 2);
  CHECK(one.poll().error() == errc::ok);  // has seen all that was announced
  rename_in_secret(temporary, "secret", "t");
  member two{temporary.store, of_group()};
  two.subscribe({"t"});
  CHECK(two.poll().error() == errc::ok);  // joins, finds the topic, and computes
  CHECK(one.poll().error() == errc::ok);  // follows
  temporary.store.files()->topics_revision().advance();
  CHECK(poll_until([&] { return one.owned().size() == 1 && two.owned().size() == 1; }, one, two));
}

TEST_CASE("a topic whose maker died before it told anybody is read all the same") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  member in{temporary.store, of_group()};
  const bool by_name = GENERATE(true, false);
  by_name ? in.subscribe({"t"}) : in.subscribe_pattern("t.*");
  (void)make_topic(temporary, "secret", 2);
  CHECK(in.poll().error() == errc::ok);
  rename_in_secret(temporary, "secret", "t");
  CHECK(poll_until([&] { return owned_by(in) == partitions{{"t", 0}, {"t", 1}}; }, in));
}

TEST_CASE("a topic whose deleter died before it told anybody is lost all the same") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic = make_topic(temporary, "t");
  const auto other = make_topic(temporary, "other");
  member in{temporary.store, of_group()};
  in.subscribe({"t", "other"});
  REQUIRE(poll_until([&] { return in.owned().size() == 2; }, in));
  rename_in_secret(temporary, "t", "~deleted-0123456789abcdef");
  if (GENERATE(false, true)) topic.log()->closed_flag().set();
  errc last = errc::ok;
  for (const auto end = std::chrono::steady_clock::now() + 20s;
       last == errc::ok && std::chrono::steady_clock::now() < end;) {
    last = in.poll(1ms).error();
  }
  CHECK(last == errc::closed);
  const std::uint64_t settled = in.poll(1ms).error() == errc::ok ? group_of(temporary)->generation().observe() : 0;
  send(other, 0, 3);
  CHECK(in.poll().size() == 3);
  CHECK(owned_by(in) == partitions{{"other", 0}});
  for (int i = 0; i < 100; ++i) CHECK(in.poll().error() == errc::ok);
  CHECK(group_of(temporary)->generation().observe() <= settled + 1);  // nobody asks for one assignment after the other
}

TEST_CASE("an assignment that rests on a deleted topic does not stand for another one of its name") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  (void)make_topic(temporary, "t", 2);
  member one{temporary.store, of_group()};
  leat::consumer<double> two{temporary.store, of_group()};
  one.subscribe_pattern("t");
  two.subscribe_pattern("t");
  REQUIRE(poll_until([&] { return one.owned().size() == 2; }, one, two));
  (void)two.poll();
  // Somebody has computed the next generation's assignment just before the topic was deleted.
  const auto group = group_of(temporary);
  const auto before = group->assignment(group->generation().observe());
  REQUIRE(before);
  group->advance_generation();
  group->publish(group->generation().observe(), *before);
  REQUIRE(temporary.store.remove_topic("t"));
  (void)temporary.store.topic<double>("t", {.partitions = 2});
  CHECK(poll_until([&] { return one.owned().empty() && two.owned().size() == 2; }, one, two));
}

TEST_CASE("nor does one that rests on a topic that was gone before its owner had seen it") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  member one{temporary.store, of_group()};
  leat::consumer<double> two{temporary.store, of_group()};
  one.subscribe_pattern("t");
  two.subscribe_pattern("t");
  CHECK(poll_until([&] { return group_of(temporary)->members().size() == 2; }, one, two));
  const auto group = group_of(temporary);
  leat::group::agreed_assignment past;
  past.topics["t"] = {"0123456789abcdef0123456789abcdef", 2};
  for (const auto& m : group->members()) {
    past.of_members[m->number()] = m->id() == one.member_id() ? partitions{{"t", 0}, {"t", 1}} : partitions{};
  }
  group->advance_generation();
  group->publish(group->generation().observe(), past);
  (void)temporary.store.topic<double>("t", {.partitions = 2});
  CHECK(poll_until([&] { return two.owned().size() == 2; }, one, two));
}

TEST_CASE("what a listener throws over deleted topics keeps nothing of them") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  for (const char* name : {"a", "b"}) (void)make_topic(temporary, name);
  member in{temporary.store, of_group()};
  in.subscribe({"a", "b"}, {.assigned = {}, .revoked = {}, .lost = [](auto) { throw std::runtime_error("lost"); }});
  REQUIRE(poll_until([&] { return in.owned().size() == 2; }, in));
  for (const char* name : {"a", "b"}) REQUIRE(temporary.store.remove_topic(name));
  CHECK_THROWS_WITH(in.poll(), "lost");
  CHECK(in.owned().empty());
  for (const char* name : {"a", "b"}) send(make_topic(temporary, name), 0, 2);
  std::size_t read = 0;
  CHECK(poll_until([&] {
    read += in.poll().size();
    return read >= 4;
  }));
  CHECK(read == 4);
  CHECK(owned_by(in) == partitions{{"a", 0}, {"b", 0}});
}

TEST_CASE("what a listener throws while it gives up does not keep it from what it is to take") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  (void)make_topic(temporary, "t", 2);
  std::uint32_t turn = 0;  // each has one partition, and the other one when this is odd
  leat::consumer_options options = of_group();
  options.assignor = leat::assignor{.name = "turning", .assign = [&](const auto& members, const auto&) {
                                      leat::assignment lists(members.size());
                                      for (std::uint32_t p = 0; p < 2; ++p) {
                                        lists[(p + turn) % members.size()].push_back({"t", p});
                                      }
                                      return lists;
                                    }};
  member one{temporary.store, options};
  member two{temporary.store, options};
  one.subscribe({"t"}, {.assigned = {}, .revoked = [](auto) { throw std::runtime_error("revoked"); }, .lost = {}});
  two.subscribe({"t"});
  const auto poll_one = [&] {
    try {
      (void)one.poll();
    } catch (const std::runtime_error&) {
      return true;
    }
    return false;
  };
  REQUIRE(poll_until(
      [&] {
        (void)poll_one();
        return one.owned().size() == 1 && two.owned().size() == 1;
      },
      two));
  const partitions had = one.owned();
  const partitions others = two.owned();
  ++turn;
  group_of(temporary)->advance_generation();
  CHECK(poll_one());
  CHECK(one.owned().empty());
  CHECK(poll_until(
      [&] {
        (void)poll_one();
        return one.owned() == others && two.owned() == had;
      },
      two));
  CHECK_THROWS_WITH(one.close(), "revoked");
}

TEST_CASE("a topic made anew while a member was ended is read from its first record") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  send(make_topic(temporary, "t"), 0, 3);
  auto options = of_group();
  options.auto_offset_reset = offset_reset::latest;
  member in{temporary.store, options};
  in.subscribe({"t"});
  CHECK(in.poll().empty());
  REQUIRE(in.owned().size() == 1);
  for (const auto& m : group_of(temporary)->members()) REQUIRE(m->evict(m->incarnation().observe()));
  REQUIRE(temporary.store.remove_topic("t"));
  send(make_topic(temporary, "t"), 7, 9);
  ints got;
  CHECK(poll_until([&] {
    for (const auto& record : in.poll()) got.push_back(record.value());
    return !got.empty();
  }));
  CHECK(got == ints{7, 8});
}

}  // namespace unit_group_topics
