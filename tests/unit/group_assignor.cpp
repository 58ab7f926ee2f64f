#include <leat/group/assignor.hpp>

#include "support/catch.hpp"
#include "support/processes.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <map>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace unit_group_assignor {

using leat::group_member;
using leat::topic_partition;
using leat_tests::dice;

using partition_counts = std::map<std::string, std::uint32_t>;
using members = std::vector<group_member>;
using function = leat::assignment (*)(std::span<const group_member>, const partition_counts&);

constexpr std::pair<const char*, function> assignors[] = {
    {"range", leat::assign_range},
    {"roundrobin", leat::assign_round_robin},
    {"sticky", leat::assign_sticky},
    {"cooperative-sticky", leat::assign_cooperative_sticky},
};

std::string text(const topic_partition& p) { return p.topic + "-" + std::to_string(p.partition); }

topic_partition parsed(const std::string& text) {
  const auto dash = text.rfind('-');
  return {text.substr(0, dash), static_cast<std::uint32_t>(std::stoul(text.substr(dash + 1)))};
}

/// One line for each member: what a failing check prints, and what is compared.
std::vector<std::string> lines(const members& group, const leat::assignment& assigned) {
  REQUIRE(assigned.size() == group.size());
  std::vector<std::string> result;
  for (std::size_t i = 0; i < group.size(); ++i) {
    std::string line = group[i].id + ":";
    for (const topic_partition& p : assigned[i]) line += " " + text(p);
    result.push_back(line);
  }
  return result;
}

std::string described(const members& group, const partition_counts& counts) {
  std::string result;
  for (const auto& [topic, count] : counts) result += topic + "*" + std::to_string(count) + " ";
  for (const group_member& m : group) {
    result += "\n" + m.id + " (" + m.instance_id + ") subscribed:";
    for (const std::string& topic : m.topics) result += " " + topic;
    result += "; owns:";
    for (const topic_partition& p : m.owned) result += " " + text(p);
  }
  return result;
}

members owning(members group, const leat::assignment& assigned) {
  for (std::size_t i = 0; i < group.size(); ++i) group[i].owned = assigned[i];
  return group;
}

/// The place in the group of the member that has each partition; a partition that two have fails the test.
std::map<topic_partition, std::size_t> owners(const leat::assignment& assigned) {
  std::map<topic_partition, std::size_t> result;
  for (std::size_t i = 0; i < assigned.size(); ++i) {
    for (const topic_partition& p : assigned[i]) REQUIRE(result.emplace(p, i).second);
  }
  return result;
}

bool is_subscribed(const group_member& m, const std::string& topic) {
  return std::ranges::find(m.topics, topic) != m.topics.end();
}

void check_complete(const members& group, const partition_counts& counts, const leat::assignment& assigned) {
  REQUIRE(assigned.size() == group.size());
  const auto owner = owners(assigned);
  std::size_t subscribed = 0;
  for (const auto& [topic, count] : counts) {
    if (std::ranges::none_of(group, [&](const auto& m) { return is_subscribed(m, topic); })) continue;
    subscribed += count;
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto at = owner.find({topic, i});
      REQUIRE(at != owner.end());
      REQUIRE(is_subscribed(group[at->second], topic));
    }
  }
  REQUIRE(owner.size() == subscribed);
}

/// Nobody could take a partition from somebody who has two more.
void check_balance(const members& group, const leat::assignment& assigned) {
  for (std::size_t from = 0; from < group.size(); ++from) {
    for (const topic_partition& p : assigned[from]) {
      for (std::size_t to = 0; to < group.size(); ++to) {
        if (!is_subscribed(group[to], p.topic)) continue;
        CAPTURE(text(p), group[from].id, group[to].id);
        REQUIRE(assigned[from].size() <= assigned[to].size() + 1);
      }
    }
  }
}

// --- random groups ----------------------------------------------------------------------------------------------------

enum class subscriptions { equal, different };

struct scene {
  partition_counts counts;
  members group;
};

std::vector<std::string> some_topics(dice& random, const partition_counts& counts) {
  std::vector<std::string> result;
  for (const auto& [topic, count] : counts) {
    if (!random.one_in(3)) result.push_back(topic);
  }
  if (result.empty()) result.push_back(counts.begin()->first);
  return result;
}

group_member newcomer(dice& random, const scene& at, subscriptions kind, std::uint64_t number) {
  group_member m;
  m.id = "member-" + std::to_string(random.roll(10)) + std::to_string(number);
  if (random.one_in(3)) m.instance_id = "instance-" + std::to_string(random.roll(10)) + std::to_string(number);
  m.topics = kind == subscriptions::equal && !at.group.empty() ? at.group[0].topics : some_topics(random, at.counts);
  return m;
}

scene random_scene(dice& random, subscriptions kind) {
  scene s;
  for (std::uint64_t topics = 1 + random.roll(6); topics != 0; --topics) {
    s.counts["topic" + std::to_string(random.roll(20))] = static_cast<std::uint32_t>(1 + random.roll(9));
  }
  for (std::uint64_t n = 1 + random.roll(8); n != 0; --n) s.group.push_back(newcomer(random, s, kind, n));
  return s;
}

/// Gives most partitions to owners without any regard to balance.
void give_at_random(dice& random, scene& s) {
  for (const auto& [topic, count] : s.counts) {
    for (std::uint32_t i = 0; i < count; ++i) {
      if (random.one_in(4)) continue;
      group_member& m = s.group[random.roll(1 + random.roll(s.group.size()))];
      if (is_subscribed(m, topic)) m.owned.push_back({topic, i});
    }
  }
}

template <class Check>
void for_random_scenes(std::uint64_t participant, Check&& check) {
  INFO("LEAT_SEED=" << leat_tests::seed());
  dice random(participant);
  for (int round = 0; round < 400; ++round) {
    const auto kind = round % 2 == 0 ? subscriptions::equal : subscriptions::different;
    scene s = random_scene(random, kind);
    INFO("round " << round << ": " << described(s.group, s.counts));
    check(random, s, kind);
  }
}

// --- Kafka's cases ----------------------------------------------------------------------------------------------------

TEST_CASE("assignors give what Kafka's tests expect") {
  std::ifstream file(LEAT_TEST_VECTORS "/kafka_vectors.json");
  REQUIRE(file);
  const auto cases = nlohmann::json::parse(file).at("assignors");
  CHECK(cases.size() == 15);
  for (const auto& c : cases) {
    const std::string assignor = c.at("assignor");
    const std::string name = c.at("name");
    CAPTURE(assignor, name);
    const auto counts = c.at("topics").get<partition_counts>();
    members group;
    leat::assignment expected;
    for (const auto& m : c.at("members")) {
      const std::string id = m.at("id");
      group.push_back({.id = id, .instance_id = m.value("instance", ""), .topics = m.at("topics"), .owned = {}});
      if (c.contains("owned")) {
        for (const std::string p : c.at("owned").at(id)) group.back().owned.push_back(parsed(p));
      }
      expected.emplace_back();
      for (const std::string p : c.at("expected").at(id)) expected.back().push_back(parsed(p));
    }
    for (const auto& [known, assign] : assignors) {
      if (known == assignor) CHECK(lines(group, assign(group, counts)) == lines(group, expected));
    }
    if (assignor == "sticky") {
      CHECK(lines(group, leat::assign_cooperative_sticky(group, counts)) == lines(group, expected));
    }
    REQUIRE(std::ranges::any_of(assignors, [&](const auto& a) { return a.first == assignor; }));
  }
}

TEST_CASE("range gives a member the same partitions of topics that have equally many") {
  const members group = {{.id = "b", .instance_id = "", .topics = {"x", "y"}, .owned = {}},
                         {.id = "a", .instance_id = "", .topics = {"x", "y"}, .owned = {}}};
  CHECK(lines(group, leat::assign_range(group, {{"x", 5}, {"y", 5}})) ==
        std::vector<std::string>{"b: x-3 x-4 y-3 y-4", "a: x-0 x-1 x-2 y-0 y-1 y-2"});
}

TEST_CASE("round robin passes over members that are not subscribed to the topic") {
  // The example of Kafka's documentation.
  const members group = {{.id = "c0", .instance_id = "", .topics = {"t0"}, .owned = {}},
                         {.id = "c1", .instance_id = "", .topics = {"t0", "t1"}, .owned = {}},
                         {.id = "c2", .instance_id = "", .topics = {"t0", "t1", "t2"}, .owned = {}}};
  CHECK(lines(group, leat::assign_round_robin(group, {{"t0", 1}, {"t1", 2}, {"t2", 3}})) ==
        std::vector<std::string>{"c0: t0-0", "c1: t1-0", "c2: t1-1 t2-0 t2-1 t2-2"});
}

// --- all assignors ----------------------------------------------------------------------------------------------------

TEST_CASE("assignors give every subscribed partition to one subscriber") {
  for_random_scenes(1, [](dice& random, scene& s, subscriptions) {
    give_at_random(random, s);
    for (const auto& [name, assign] : assignors) {
      INFO(name);
      check_complete(s.group, s.counts, assign(s.group, s.counts));
    }
  });
}

TEST_CASE("assignors give the same whatever the order in which members are listed") {
  for_random_scenes(2, [](dice& random, scene& s, subscriptions) {
    give_at_random(random, s);
    members shuffled = s.group;
    for (std::size_t i = shuffled.size(); i > 1; --i) std::swap(shuffled[i - 1], shuffled[random.roll(i)]);
    for (const auto& [name, assign] : assignors) {
      INFO(name);
      auto one = lines(s.group, assign(s.group, s.counts));
      auto other = lines(shuffled, assign(shuffled, s.counts));
      std::ranges::sort(one);
      std::ranges::sort(other);
      REQUIRE(one == other);
    }
  });
}

TEST_CASE("assignors do with no members, no topics and no subscriptions") {
  for (const auto& [name, assign] : assignors) {
    INFO(name);
    CHECK(assign({}, {{"x", 3}}).empty());
    const members idle = {{.id = "a", .instance_id = "", .topics = {}, .owned = {{"x", 0}}},
                          {.id = "b", .instance_id = "", .topics = {}, .owned = {}}};
    CHECK(lines(idle, assign(idle, {{"x", 3}})) == std::vector<std::string>{"a:", "b:"});
    const members unknown = {{.id = "a", .instance_id = "", .topics = {"empty", "gone"}, .owned = {{"gone", 0}}}};
    CHECK(lines(unknown, assign(unknown, {{"empty", 0}, {"x", 3}})) == std::vector<std::string>{"a:"});
    const members one_idle = {{.id = "a", .instance_id = "", .topics = {}, .owned = {}},
                              {.id = "b", .instance_id = "", .topics = {"x"}, .owned = {}}};
    CHECK(lines(one_idle, assign(one_idle, {{"x", 2}})) == std::vector<std::string>{"a:", "b: x-0 x-1"});
  }
}

TEST_CASE("range and round robin put static members first") {
  const members group = {{.id = "a", .instance_id = "", .topics = {"x"}, .owned = {}},
                         {.id = "c", .instance_id = "2", .topics = {"x"}, .owned = {}},
                         {.id = "d", .instance_id = "1", .topics = {"x"}, .owned = {}}};
  for (const auto assign : {leat::assign_range, leat::assign_round_robin}) {
    CHECK(lines(group, assign(group, {{"x", 3}})) == std::vector<std::string>{"a: x-2", "c: x-1", "d: x-0"});
  }
}

// --- balance ----------------------------------------------------------------------------------------------------------

TEST_CASE("range divides each topic evenly among its subscribers") {
  for_random_scenes(3, [](dice&, scene& s, subscriptions) {
    const auto assigned = leat::assign_range(s.group, s.counts);
    for (const auto& [topic, count] : s.counts) {
      std::set<std::ptrdiff_t> sizes;
      for (std::size_t i = 0; i < s.group.size(); ++i) {
        if (!is_subscribed(s.group[i], topic)) continue;
        sizes.insert(std::ranges::count(assigned[i], topic, &topic_partition::topic));
      }
      REQUIRE((sizes.empty() || *sizes.rbegin() - *sizes.begin() <= 1));
    }
  });
}

TEST_CASE("round robin divides all partitions evenly among members with equal subscriptions") {
  for_random_scenes(4, [](dice&, scene& s, subscriptions kind) {
    if (kind == subscriptions::equal) check_balance(s.group, leat::assign_round_robin(s.group, s.counts));
  });
}

TEST_CASE("sticky leaves nothing that could be moved for a better balance") {
  for_random_scenes(5, [](dice& random, scene& s, subscriptions) {
    if (random.one_in(2)) give_at_random(random, s);
    check_balance(s.group, leat::assign_sticky(s.group, s.counts));
  });
}

TEST_CASE("sticky ends in balance without the rule against swaps") {
  for_random_scenes(12, [](dice& random, scene& s, subscriptions) {
    give_at_random(random, s);
    const leat::group::numbering n(s.group, s.counts, leat::group::smaller_id_first);
    const leat::group::present_owners present(n);
    const auto assigned = n.with_names(leat::group::general_sticky_assignor(n, present, 0).assign());
    check_complete(s.group, s.counts, assigned);
    check_balance(s.group, assigned);
  });
}

TEST_CASE("sticky ends where the rule against swaps would go on for ever") {
  // Found at random and made smaller. With the rule t2-1 goes to and fro between m10 and m12.
  const partition_counts counts = {{"t0", 20}, {"t1", 13}, {"t2", 2}, {"t3", 6}, {"t4", 8}, {"t5", 18}};
  const auto list = [](const std::string& topic, std::initializer_list<std::uint32_t> partitions) {
    std::vector<topic_partition> result;
    for (const std::uint32_t p : partitions) result.push_back({topic, p});
    return result;
  };
  members group = {{.id = "m10", .instance_id = "", .topics = {"t0", "t1", "t2", "t3", "t4"}, .owned = {}},
                   {.id = "m11", .instance_id = "", .topics = {"t0", "t3", "t4"}, .owned = {}},
                   {.id = "m12", .instance_id = "", .topics = {"t0", "t1", "t2", "t3"}, .owned = {}},
                   {.id = "m13", .instance_id = "", .topics = {"t0", "t2", "t4", "t5"}, .owned = {}}};
  for (const auto& part : {list("t0", {0, 2, 4, 5, 6, 7, 11, 12, 13, 14, 15, 17, 18}), list("t1", {12}),
                           list("t2", {1}), list("t4", {0, 1, 3, 4, 5, 6, 7})}) {
    group[0].owned.insert(group[0].owned.end(), part.begin(), part.end());
  }
  for (const auto& part : {list("t0", {1, 10, 16, 19}), list("t3", {2, 5})}) {
    group[2].owned.insert(group[2].owned.end(), part.begin(), part.end());
  }
  const auto assigned = leat::assign_sticky(group, counts);
  check_complete(group, counts, assigned);
  check_balance(group, assigned);
  CHECK(owners(leat::assign_sticky(owning(group, assigned), counts)) == owners(assigned));
}

// --- stickiness -------------------------------------------------------------------------------------------------------

TEST_CASE("sticky moves nothing when nothing has changed") {
  for_random_scenes(6, [](dice& random, scene& s, subscriptions) {
    give_at_random(random, s);
    const auto first = leat::assign_sticky(s.group, s.counts);
    const auto again = leat::assign_sticky(owning(s.group, first), s.counts);
    REQUIRE(owners(again) == owners(first));
  });
}

TEST_CASE("sticky leaves the survivors what they have when a member leaves") {
  for_random_scenes(7, [](dice& random, scene& s, subscriptions kind) {
    if (kind == subscriptions::different || s.group.size() == 1) return;
    members group = owning(s.group, leat::assign_sticky(s.group, s.counts));
    group.erase(group.begin() + static_cast<std::ptrdiff_t>(random.roll(group.size())));
    const auto after = owners(leat::assign_sticky(group, s.counts));
    for (std::size_t i = 0; i < group.size(); ++i) {
      for (const topic_partition& p : group[i].owned) REQUIRE(after.at(p) == i);
    }
  });
}

TEST_CASE("sticky moves partitions only to the newcomer when a member joins") {
  for_random_scenes(8, [](dice& random, scene& s, subscriptions kind) {
    if (kind == subscriptions::different) return;
    members group = owning(s.group, leat::assign_sticky(s.group, s.counts));
    const auto before = owners(leat::assign_sticky(group, s.counts));
    group.push_back(newcomer(random, s, kind, 100));
    for (const auto& [p, owner] : owners(leat::assign_sticky(group, s.counts))) {
      REQUIRE((owner == before.at(p) || owner == group.size() - 1));
    }
  });
}

TEST_CASE("sticky moves no more than balance demands when subscriptions are equal") {
  for_random_scenes(9, [](dice& random, scene& s, subscriptions kind) {
    if (kind == subscriptions::different) return;
    give_at_random(random, s);
    std::size_t all = 0;
    for (const std::string& topic : s.group[0].topics) all += s.counts.at(topic);
    const std::size_t fewest = all / s.group.size();
    const std::size_t one_more = all % s.group.size();
    std::size_t keep = 0;  // the most that can stay
    std::size_t above = 0;
    for (const group_member& m : s.group) {
      keep += std::min(m.owned.size(), fewest);
      above += m.owned.size() > fewest ? 1 : 0;
    }
    keep += std::min(above, one_more);
    std::size_t kept = 0;
    const auto after = owners(leat::assign_sticky(s.group, s.counts));
    for (std::size_t i = 0; i < s.group.size(); ++i) {
      for (const topic_partition& p : s.group[i].owned) kept += after.at(p) == i ? 1 : 0;
    }
    REQUIRE(kept == keep);
  });
}

TEST_CASE("sticky lets only partitions move between survivors that make the balance better") {
  for_random_scenes(10, [](dice& random, scene& s, subscriptions kind) {
    if (kind == subscriptions::equal || s.group.size() == 1) return;
    members group = owning(s.group, leat::assign_sticky(s.group, s.counts));
    group.erase(group.begin() + static_cast<std::ptrdiff_t>(random.roll(group.size())));
    const auto assigned = leat::assign_sticky(group, s.counts);
    const auto after = owners(assigned);
    std::set<std::tuple<std::string, std::size_t, std::size_t>> moves;
    for (std::size_t i = 0; i < group.size(); ++i) {
      for (const topic_partition& p : group[i].owned) {
        if (after.at(p) != i) moves.emplace(p.topic, i, after.at(p));
      }
    }
    for (const auto& [topic, from, to] : moves) REQUIRE(!moves.contains({topic, to, from}));  // nothing is swapped
    check_balance(group, assigned);
  });
}

TEST_CASE("sticky comes to the same result while partitions are being handed to a newcomer") {
  for_random_scenes(11, [](dice& random, scene& s, subscriptions kind) {
    if (kind == subscriptions::different) return;
    members group = owning(s.group, leat::assign_sticky(s.group, s.counts));
    group.push_back(newcomer(random, s, kind, 100));
    const auto target = owners(leat::assign_sticky(group, s.counts));
    for (std::size_t i = 0; i + 1 < group.size(); ++i) {
      std::erase_if(group[i].owned, [&](const topic_partition& p) {
        const std::uint64_t step = random.roll(3);  // still with its owner, released, taken over
        if (target.at(p) == i || step == 0) return false;
        if (step == 2) group[target.at(p)].owned.push_back(p);
        return true;
      });
    }
    INFO("then " << described(group, s.counts));
    REQUIRE(owners(leat::assign_sticky(group, s.counts)) == target);
  });
}

TEST_CASE("sticky takes a partition back rather than swap it for another of the topic") {
  // First t0-1 goes from a to b. When b then has to give one to a, it is t0-1 again and not t0-0.
  const members group = {
      {.id = "a", .instance_id = "", .topics = {"t0", "t1"}, .owned = {{"t0", 1}, {"t1", 0}, {"t1", 1}, {"t1", 2}}},
      {.id = "b", .instance_id = "", .topics = {"t0", "t1"}, .owned = {{"t0", 0}, {"t0", 2}}},
      {.id = "c", .instance_id = "", .topics = {"t1"}, .owned = {}},
      {.id = "d", .instance_id = "", .topics = {"t1"}, .owned = {}}};
  CHECK(lines(group, leat::assign_sticky(group, {{"t0", 3}, {"t1", 3}})) ==
        std::vector<std::string>{"a: t1-2 t0-1", "b: t0-0 t0-2", "c: t1-0", "d: t1-1"});
}

TEST_CASE("sticky takes away what a member is no longer subscribed to") {
  const members group = {{.id = "a", .instance_id = "", .topics = {"x"}, .owned = {{"x", 1}, {"y", 0}, {"y", 1}}},
                         {.id = "b", .instance_id = "", .topics = {"x", "y"}, .owned = {{"x", 0}, {"x", 7}}}};
  CHECK(lines(group, leat::assign_sticky(group, {{"x", 3}, {"y", 2}})) ==
        std::vector<std::string>{"a: x-1 x-2", "b: x-0 y-0 y-1"});
}

TEST_CASE("sticky leaves a partition that two claim to the one with the smaller id") {
  const members group = {{.id = "b", .instance_id = "", .topics = {"x"}, .owned = {{"x", 0}, {"x", 1}}},
                         {.id = "a", .instance_id = "", .topics = {"x"}, .owned = {{"x", 1}}}};
  CHECK(lines(group, leat::assign_sticky(group, {{"x", 2}})) == std::vector<std::string>{"b: x-0", "a: x-1"});
}

// --- size -------------------------------------------------------------------------------------------------------------

TEST_CASE("assignors work with a hundred topics of a thousand partitions and a hundred members") {
  partition_counts counts;
  for (int t = 100; t < 200; ++t) counts["topic" + std::to_string(t)] = 1024;
  members equal;
  members different;
  for (std::size_t i = 100; i < 200; ++i) {
    group_member m{.id = "member" + std::to_string(i), .instance_id = "", .topics = {}, .owned = {}};
    for (const auto& [topic, count] : counts) m.topics.push_back(topic);
    if (i == 100) {  // one has everything, so that nearly everything has to move
      for (const auto& [topic, count] : counts) {
        for (std::uint32_t p = 0; p < count; ++p) m.owned.push_back({topic, p});
      }
    }
    equal.push_back(m);
    if (i > 100)
      std::erase_if(m.topics,
                    [&](const std::string& topic) { return (static_cast<std::size_t>(topic.back()) + i) % 3 == 0; });
    different.push_back(m);
  }
  const auto shares = [](const leat::assignment& assigned) {
    std::set<std::size_t> sizes;
    for (const auto& list : assigned) sizes.insert(list.size());
    return sizes;
  };
  for (const auto& [name, assign] : assignors) {
    INFO(name);
    check_complete(equal, counts, assign(equal, counts));
    check_complete(different, counts, assign(different, counts));
  }
  CHECK(shares(leat::assign_range(equal, counts)) == std::set<std::size_t>{1000, 1100});
  CHECK(shares(leat::assign_round_robin(equal, counts)) == std::set<std::size_t>{1024});
  CHECK(shares(leat::assign_sticky(equal, counts)) == std::set<std::size_t>{1024});
  CHECK(shares(leat::assign_sticky(different, counts)) == std::set<std::size_t>{1024});
}

}  // namespace unit_group_assignor
