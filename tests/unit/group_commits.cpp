// What a member of a group may commit, and what it is told where it may not.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/media.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/group/group_files.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <span>
#include <string>
#include <vector>

namespace unit_group_commits {

using leat::committed_offset;
using leat::errc;
using leat::topic_partition;
using leat_tests::code_of;
using leat_tests::message_of;
using member = leat::consumer<int>;

leat::consumer_options of_group() {
  return {.auto_offset_reset = leat::offset_reset::earliest, .group = "g", .enable_auto_commit = false};
}

TEST_CASE("a commit without a topic means the only one, and where there are several it is refused") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  member in{topic, of_group()};
  CHECK(in.commit({{"", 1}, 5}).error() == errc::fenced);  // it has nothing yet
  REQUIRE(in.poll().empty());
  CHECK(in.commit({{"", 1}, 5, "five"}));
  CHECK(in.committed(1) == committed_offset{5, "five"});
  CHECK(in.committed(0) == std::nullopt);
  CHECK(in.commit({{"", 2}, 5}).error() == errc::fenced);

  (void)temporary.store.topic<int>("u");  // whose only partition is not the one that is meant
  in.subscribe({"t", "u"});
  REQUIRE(in.poll().empty());
  REQUIRE(in.owned().size() == 3);
  CHECK(code_of([&] { (void)in.commit({{"", 1}, 6}); }) == errc::invalid_argument);
  CHECK_THAT(message_of([&] { (void)in.commit({{"", 1}, 6}); }), Catch::Matchers::ContainsSubstring("name the topic"));
  CHECK(in.committed({"t", 1}) == committed_offset{5, "five"});
  CHECK(in.commit({{"t", 1}, 6}));
}

/// What commits within `lost` gave, of everything and of what was lost.
struct told {
  std::vector<errc> of_all;
  std::vector<errc> of_it;
};
leat::rebalance_listener committing_when_lost(member& in, told& into) {
  return {.assigned = {}, .revoked = {}, .lost = [&](std::span<const topic_partition> gone) {
            into.of_all.push_back(in.commit().error());
            for (const topic_partition& p : gone) into.of_it.push_back(in.commit({p, 1}).error());
          }};
}

TEST_CASE("a commit in the callback of a member that was ended is fenced") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  REQUIRE(out.send(1));
  told t;
  member in{temporary.store, of_group()};
  in.subscribe({"t"}, committing_when_lost(in, t));
  REQUIRE(in.poll().size() == 1);
  const bool closes = GENERATE(false, true);
  for (const auto& m : leat::group::group_files::open(temporary.store.files(), "g")->members()) {
    REQUIRE(m->evict(m->incarnation().observe()));
  }
  closes ? in.close() : (void)in.poll();
  CHECK(t.of_all == std::vector{errc::fenced});
  CHECK(t.of_it == std::vector{errc::fenced});
  CHECK(in.committed({"t", 0}) == std::nullopt);
  if (!closes) CHECK(in.commit());  // it has joined again
}

TEST_CASE("a commit in the callback of a member that has lost a topic is fenced and commits the rest") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto stays = temporary.store.topic<int>("stays");
  (void)temporary.store.topic<int>("goes");
  leat::producer out{stays};
  REQUIRE(out.send(1));
  told t;
  member in{temporary.store, of_group()};
  in.subscribe({"stays", "goes"}, committing_when_lost(in, t));
  REQUIRE(in.poll().size() == 1);
  REQUIRE(temporary.store.remove_topic("goes"));
  CHECK(in.poll().error() == errc::closed);
  CHECK(t.of_all == std::vector{errc::fenced});
  CHECK(t.of_it == std::vector{errc::fenced});
  CHECK(in.committed({"stays", 0}) == committed_offset{1, ""});
  CHECK(in.commit());
}

}  // namespace unit_group_commits
