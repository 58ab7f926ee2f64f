// What a member of a group may commit, and what it is told where it may not.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/media.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
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
  CHECK_THAT(message_of([&] { (void)in.commit({{"", 1}, 6}); }),
             Catch::Matchers::ContainsSubstring("name the topic"));
  CHECK(in.committed({"t", 1}) == committed_offset{5, "five"});
  CHECK(in.commit({{"t", 1}, 6}));
}

}  // namespace unit_group_commits
