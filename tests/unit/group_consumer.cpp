// Consumers in groups, within one process.
#include <leat/consumer.hpp>

#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/in_child.hpp"
#include "support/media.hpp"

#include <leat/admin.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace unit_group_consumer {

using Catch::Matchers::ContainsSubstring;
using leat::committed_offset;
using leat::errc;
using leat::offset_reset;
using leat::topic_partition;
using leat_tests::code_of;
using leat_tests::message_of;
using leat_tests::temporary_store;
using namespace std::chrono_literals;

using partitions = std::vector<topic_partition>;
using ints = std::vector<int>;
using member = leat::consumer<int>;

/// Commits by hand, reads from the beginning.
leat::consumer_options of_group(const std::string& group = "g") {
  return {.auto_offset_reset = offset_reset::earliest, .group = group, .enable_auto_commit = false};
}

leat::topic<int> make_topic(const temporary_store& in, std::uint32_t count = 1, const std::string& name = "t") {
  return in.store.topic<int>(name, {.partitions = count});
}

void send(const leat::topic<int>& topic, int begin, int end, std::uint32_t partition = 0) {
  leat::producer out{topic};
  for (; begin < end; ++begin) REQUIRE(out.send(begin, {.partition = partition}));
}

ints values(const leat::batch<int>& batch) {
  ints all;
  for (const auto& record : batch) all.push_back(record.value());
  return all;
}

partitions sorted(partitions p) {
  std::ranges::sort(p);
  return p;
}

/// Until `done`; polls each of the members in turn. False when it takes a minute.
bool poll_until(std::initializer_list<member*> members, const std::function<bool()>& done) {
  for (const auto deadline = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < deadline;) {
    for (member* m : members) (void)m->poll();
    if (done()) return true;
    std::this_thread::yield();
  }
  return false;
}

/// What a listener was told.
struct told {
  std::string kind;
  partitions which;
  bool operator==(const told&) const = default;
};

leat::rebalance_listener noting(std::vector<told>& into) {
  const auto note = [&into](const char* kind) {
    return [&into, kind](std::span<const topic_partition> p) { into.push_back({kind, sorted({p.begin(), p.end()})}); };
  };
  return {.assigned = note("assigned"), .revoked = note("revoked"), .lost = note("lost")};
}

// --- members ---

TEST_CASE("the only member of a group reads all partitions") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, 3);
  for (std::uint32_t id = 0; id < 3; ++id) send(topic, 0, 5, id);
  member in{topic, of_group()};
  CHECK(in.owned().empty());
  CHECK(in.poll().size() == 15);
  CHECK(sorted(in.owned()) == partitions{{"t", 0}, {"t", 1}, {"t", 2}});
  CHECK(in.member_id().starts_with("consumer-"));
  CHECK(in.lag(1) == 0);
}

TEST_CASE("two members share the partitions and one that leaves gives its own to the other") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, 4);
  member one{topic, of_group()};
  auto two = std::make_optional<member>(topic, of_group());
  (void)one.poll();
  REQUIRE(one.owned().size() == 4);
  REQUIRE(poll_until({&one, &*two}, [&] { return one.owned().size() == 2 && two->owned().size() == 2; }));
  partitions all = one.owned();
  std::ranges::copy(two->owned(), std::back_inserter(all));
  CHECK(sorted(all) == partitions{{"t", 0}, {"t", 1}, {"t", 2}, {"t", 3}});

  for (std::uint32_t id = 0; id < 4; ++id) send(topic, 0, 10, id);
  CHECK(one.poll().size() == 20);
  CHECK(two->poll().size() == 20);
  const topic_partition its = two->owned()[0];
  REQUIRE(two->commit({its, 7}));
  two.reset();
  REQUIRE(poll_until({&one}, [&] { return one.owned().size() == 4; }));
  CHECK(one.position(its) == 10);
  CHECK(one.committed(its)->offset == 7);
}

TEST_CASE("a member goes on where the one before it has committed") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  send(topic, 0, 10);
  {
    auto options = of_group();
    options.max_poll_records = 4;
    member in{topic, options};
    REQUIRE(values(in.poll()) == ints{0, 1, 2, 3});
    REQUIRE(in.commit());
    REQUIRE(values(in.poll()) == ints{4, 5, 6, 7});  // not committed
  }
  member in{topic, of_group()};
  CHECK(values(in.poll()) == ints{4, 5, 6, 7, 8, 9});
  member other{topic, of_group("other")};  // another group begins for itself
  CHECK(other.poll().size() == 10);
}

TEST_CASE("each record is read once by members in several threads") {
  auto temporary = leat_tests::each_kind_of_store();
  constexpr int all = 8000;
  const auto topic = make_topic(temporary, 8);
  std::vector<std::atomic<int>> seen(all);
  std::atomic<int> total{0};
  std::atomic<int> failures{0};
  const auto deadline = std::chrono::steady_clock::now() + 90s;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      auto options = of_group();
      options.enable_auto_commit = true;  // and so what was read is committed before it is handed over
      member in{topic, options};
      while (total < all && std::chrono::steady_clock::now() < deadline) {
        const auto batch = in.poll(10ms);
        if (batch.error() != errc::ok) ++failures;
        for (const auto& record : batch) ++seen[static_cast<std::size_t>(record.value())];
        total += static_cast<int>(batch.size());
      }
    });
  }
  {
    leat::producer out{topic};
    for (int i = 0; i < all; ++i) {
      if (!out.send(i, {.partition = static_cast<std::uint32_t>(i % 8)})) ++failures;
    }
  }
  for (std::thread& t : threads) t.join();
  CHECK(failures == 0);
  CHECK(total == all);
  CHECK(std::ranges::all_of(seen, [](const std::atomic<int>& n) { return n == 1; }));
}

TEST_CASE("a group that begins with latest reads what is sent after its first member joined") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  send(topic, 0, 3);
  auto options = of_group();
  options.auto_offset_reset = offset_reset::latest;
  member in{topic, options};
  CHECK(in.poll().empty());
  send(topic, 3, 5);
  CHECK(values(in.poll()) == ints{3, 4});
}

TEST_CASE("with the policy none a group without offsets is told so and goes on once it is positioned") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  send(topic, 0, 3);
  auto options = of_group();
  options.auto_offset_reset = offset_reset::none;
  member in{topic, options};
  CHECK(in.poll().error() == errc::out_of_range);
  in.seek({0, 1});
  CHECK(values(in.poll()) == ints{1, 2});
  REQUIRE(in.commit());
  in.close();
  send(topic, 3, 4);
  member next{topic, options};
  CHECK(values(next.poll()) == ints{3});
}

// --- subscriptions ---

TEST_CASE("a member reads several topics by name also such as come later") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto a = make_topic(temporary, 1, "a");
  const auto b = make_topic(temporary, 1, "b");
  send(a, 1, 2);
  send(b, 2, 3);
  member in{temporary.store, of_group()};
  CHECK(in.poll().empty());  // subscribed to nothing
  in.subscribe({"b", "later", "a", "b"});
  std::map<std::string, int> read;
  REQUIRE(poll_until({&in}, [&] { return in.owned().size() == 2; }));
  in.seek_to_beginning();
  for (int polls = 0; polls < 2; ++polls) {
    for (const auto& record : in.poll()) read[record.topic()] = record.value();
  }
  CHECK(read == std::map<std::string, int>{{"a", 1}, {"b", 2}});
  CHECK(in.position({"a", 0}) == 1);
  CHECK(code_of([&] { (void)in.position(0); }) == errc::invalid_argument);  // of which topic?
  CHECK(code_of([&] { (void)in.position({"c", 0}); }) == errc::invalid_argument);

  const auto later = make_topic(temporary, 1, "later");
  send(later, 7, 8);
  ints got;
  REQUIRE(poll_until({}, [&] {
    for (const auto& record : in.poll()) got.push_back(record.value());
    return !got.empty();
  }));
  CHECK(got == ints{7});
  in.subscribe({"a"});  // instead
  REQUIRE(poll_until({&in}, [&] { return in.owned() == partitions{{"a", 0}}; }));
}

TEST_CASE("a member reads the topics whose whole name matches and whose types are its own") {
  auto temporary = leat_tests::each_kind_of_store();
  for (const char* name : {"x.a", "x.b", "ax.a", "x.abc"}) (void)make_topic(temporary, 1, name);
  (void)temporary.store.topic<std::string>("x.c");
  (void)temporary.store.topic<int, int>("x.d");
  member in{temporary.store, of_group()};
  in.subscribe_pattern("x\\.[a-z]");
  REQUIRE(poll_until({&in}, [&] { return !in.owned().empty(); }));
  CHECK(sorted(in.owned()) == partitions{{"x.a", 0}, {"x.b", 0}});
  send(make_topic(temporary, 1, "x.z"), 5, 6);  // created later
  ints got;
  REQUIRE(poll_until({}, [&] {
    for (const auto& record : in.poll()) got.push_back(record.value());
    return !got.empty();
  }));
  CHECK(got == ints{5});
  REQUIRE(temporary.store.remove_topic("x.a"));
  REQUIRE(poll_until({&in}, [&] { return sorted(in.owned()) == partitions{{"x.b", 0}, {"x.z", 0}}; }));
}

TEST_CASE("a member of bytes reads topics of any types") {
  auto temporary = temporary_store::in_process();
  send(make_topic(temporary, 1, "i"), 1, 2);
  leat::producer out{temporary.store.topic<std::string>("s")};
  REQUIRE(out.send("k", "v"));
  leat::consumer<leat::bytes_view, leat::bytes_view> in{temporary.store, of_group()};
  in.subscribe_pattern(".*");
  std::size_t read = 0;
  for (int polls = 0; polls < 4; ++polls) read += in.poll().size();
  CHECK(read == 2);
}

TEST_CASE("what cannot be subscribed to is refused at once") {
  auto temporary = temporary_store::in_process();
  const auto topic = make_topic(temporary);
  (void)temporary.store.topic<std::string>("strings");
  member in{topic, of_group()};
  (void)in.poll();
  CHECK(code_of([&] { in.subscribe({"t", "strings"}); }) == errc::wrong_type);
  CHECK(code_of([&] { in.subscribe({"t", "a/b"}); }) == errc::name_invalid);
  CHECK(code_of([&] { in.subscribe_pattern("a["); }) == errc::invalid_argument);
  CHECK_THAT(message_of([&] { in.subscribe_pattern("a["); }), ContainsSubstring("\"a[\" is no regular expression"));
  CHECK(in.owned() == partitions{{"t", 0}});  // all is as before
  send(topic, 1, 2);
  CHECK(in.poll().size() == 1);

  member alone{topic};
  CHECK(code_of([&] { alone.subscribe({"t"}); }) == errc::invalid_argument);
  CHECK(code_of([&] { alone.subscribe_pattern("t"); }) == errc::invalid_argument);
  CHECK(code_of([&] { member(temporary.store, leat::consumer_options{}); }) == errc::invalid_argument);
  auto options = of_group();
  options.partitions = {{0}};
  CHECK(code_of([&] { member(temporary.store, options); }) == errc::invalid_argument);
  CHECK(code_of([&] { in.assign({0}); }) == errc::invalid_argument);
}

TEST_CASE("options of a member outside their limits are refused") {
  auto temporary = temporary_store::in_process();
  const auto topic = make_topic(temporary);
  const auto with = [&](auto change) {
    auto options = of_group();
    change(options);
    return code_of([&] {
      member in{topic, options};
      (void)in.poll();
    });
  };
  using options = leat::consumer_options;
  CHECK(with([](options& o) { o.client_id = std::string(200, 'c'); }) == errc::ok);
  CHECK(with([](options& o) { o.client_id = std::string(201, 'c'); }) == errc::invalid_argument);
  CHECK(with([](options& o) { o.group_instance_id = std::string(250, 'i'); }) == errc::invalid_argument);
  CHECK(with([](options& o) { o.group_instance_id = "two\nlines"; }) == errc::invalid_argument);
  CHECK(with([](options& o) { o.max_poll_interval = 0ns; }) == errc::invalid_argument);
  CHECK(with([](options& o) { o.session_timeout = -1ns; }) == errc::invalid_argument);
  CHECK(with([](options& o) { o.auto_commit_interval = 0ns; }) == errc::invalid_argument);
  CHECK(with([](options& o) { o.group = "a/b"; }) == errc::name_invalid);
  CHECK(with([](options& o) { o.group = std::string(250, 'g'); }) == errc::name_invalid);
  CHECK(with([](options& o) {
          o.max_poll_interval = std::chrono::nanoseconds::max();
          o.session_timeout = std::chrono::nanoseconds::max();
          o.auto_commit_interval = std::chrono::nanoseconds::max();
        }) == errc::ok);
}

TEST_CASE("a member with another assignor than the group's is refused") {
  auto temporary = temporary_store::in_process();
  const auto topic = make_topic(temporary);
  member one{topic, of_group()};
  (void)one.poll();
  auto options = of_group();
  options.assignor = leat::assignor{"own", [](auto members, const auto&) { return leat::assignment(members.size()); }};
  member two{topic, options};
  CHECK(code_of([&] { (void)two.poll(); }) == errc::conflicting_options);
  CHECK_THAT(message_of([&] { (void)two.poll(); }), ContainsSubstring("cooperative-sticky"));
  one.close();
  CHECK(code_of([&] { (void)two.poll(); }) == errc::ok);
  CHECK(two.owned().empty());  // its assignor gives nothing to anybody
}

// --- commits ---

TEST_CASE("what an assignor must not return is refused and the assignor is named") {
  const auto refusal_of = [](const leat::assignment& returned) {
    const auto temporary = temporary_store::in_process();
    const auto topic = make_topic(temporary, 2);
    auto options = of_group();
    options.assignor = leat::assignor{"mine", [returned](auto, const auto&) { return returned; }};
    member in{topic, options};
    CHECK(code_of([&] { (void)in.poll().size(); }) == errc::invalid_argument);
    const std::string message = message_of([&] { (void)in.poll().size(); });
    CHECK_THAT(message, ContainsSubstring("the assignor mine"));
    CHECK(in.owned().empty());
    return message;
  };
  CHECK_THAT(refusal_of({}), ContainsSubstring("returned 0 lists for 1 members"));
  CHECK_THAT(refusal_of({{{"t", 0}}, {{"t", 1}}}), ContainsSubstring("returned 2 lists for 1 members"));
  CHECK_THAT(refusal_of({{{"t", 0}, {"t", 0}}}), ContainsSubstring("partition 0 of t"));
  CHECK_THAT(refusal_of({{{"t", 2}}}), ContainsSubstring("partition 2 of t"));
  CHECK_THAT(refusal_of({{{"other", 0}}}), ContainsSubstring("partition 0 of other"));
}

TEST_CASE("a callback of a rebalance cannot subscribe or leave and the member goes on") {
  const auto temporary = temporary_store::in_process();
  const auto topic = make_topic(temporary);
  send(topic, 0, 3);
  member in{temporary.store, of_group()};
  errc subscribing = errc::ok;
  errc leaving = errc::ok;
  leat::rebalance_listener listener;
  listener.assigned = [&](auto) {
    subscribing = code_of([&] { in.subscribe({"t"}); });
    leaving = code_of([&] { in.unsubscribe(); });
  };
  in.subscribe({"t"}, listener);
  CHECK(values(in.poll(1s)) == ints{0, 1, 2});
  CHECK(subscribing == errc::invalid_argument);
  CHECK(leaving == errc::invalid_argument);
  CHECK(in.owned() == partitions{{"t", 0}});
}

TEST_CASE("auto commit commits what earlier polls have returned and never what the current one hands over") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  constexpr int all = 3000;
  send(topic, 0, all);
  auto options = of_group();
  options.enable_auto_commit = true;
  options.auto_commit_interval = 1ns;
  options.max_poll_records = 1;
  member in{topic, options};
  std::uint64_t returned = 0;
  bool committed_some = false;
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (std::chrono::steady_clock::now() < deadline) {
    const std::uint64_t before = returned;
    returned += in.poll().size();
    const std::uint64_t committed = in.committed(0).value_or(committed_offset{}).offset;
    REQUIRE(committed <= before);
    committed_some = committed_some || (committed > 0 && committed < all);
    if (committed == all) break;
  }
  CHECK(returned == all);
  CHECK(in.committed(0)->offset == all);
  CHECK(committed_some);
}

TEST_CASE("closing and destroying commit what polls returned where that is automatic and nothing else") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  send(topic, 0, 10);
  const auto committed_after = [&](const std::string& group, bool automatic, auto end) {
    auto options = of_group(group);
    options.enable_auto_commit = automatic;
    options.max_poll_records = 3;
    auto in = std::make_optional<member>(topic, options);
    REQUIRE(in->poll().size() == 3);
    end(in);
    const auto offsets = topic.log()->find_group(group);
    return offsets->committed_position(0);
  };
  CHECK(committed_after("a", true, [](auto& in) { in->close(); }) == 3);
  CHECK(committed_after("b", true, [](auto& in) { in.reset(); }) == 3);
  CHECK(committed_after("c", true, [](auto& in) { in->unsubscribe(); }) == 3);
  CHECK(committed_after("d", false, [](auto& in) { in->close(); }) == std::nullopt);
  CHECK(committed_after("e", false, [](auto& in) { in.reset(); }) == std::nullopt);
}

TEST_CASE("offsets may be committed one by one with metadata") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, 2);
  member in{topic, of_group()};
  CHECK(in.committed(0) == std::nullopt);
  CHECK(in.commit({{"t", 0}, 5}).error() == errc::fenced);  // it has nothing yet
  (void)in.poll();
  CHECK(in.commit({{"t", 0}, 5, "five"}));
  CHECK(in.committed(0) == committed_offset{5, "five"});
  CHECK(in.committed({"t", 1}) == std::nullopt);
  const leat::partition_offset several[] = {{{"t", 0}, 6}, {{"t", 7}, 1}, {{"u", 0}, 1}, {{"t", 1}, 8, "eight"}};
  CHECK(in.commit(std::span(several)).error() == errc::fenced);  // not those that it does not own
  CHECK(in.committed(0) == committed_offset{6, ""});
  CHECK(in.committed(1) == committed_offset{8, "eight"});
  CHECK(in.commit({{"t", 0}, 7, std::string(4097, 'm')}).error() == errc::too_large);
  CHECK(in.commit({{"t", 0}, ~std::uint64_t{0}}).error() == errc::invalid_argument);
  CHECK(in.committed(0) == committed_offset{6, ""});
  CHECK(leat::admin{temporary.store}.describe_group("g").fenced_commits == 2);
}

TEST_CASE("what was sought to is committed") {
  auto temporary = temporary_store::in_process();
  const auto topic = make_topic(temporary);
  send(topic, 0, 10);
  member in{topic, of_group()};
  REQUIRE(in.poll().size() == 10);
  REQUIRE(in.commit());
  in.seek({0, 4});
  REQUIRE(in.commit());
  CHECK(in.committed(0)->offset == 4);
}

TEST_CASE("a consumer of named partitions begins with what the group has committed and may commit for it") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, 2);
  send(topic, 0, 10);
  auto options = of_group();
  options.partitions = {{0}};
  {
    member in{topic, options};
    in.seek({0, 6});
    REQUIRE(in.commit());
    CHECK(in.commit({{"t", 0}, 4, "four"}));
    CHECK(code_of([&] { (void)in.commit({{"t", 1}, 4}); }) == errc::invalid_argument);  // it does not read it
    CHECK(in.member_id().empty());
    CHECK(in.owned().empty());
  }
  member in{topic, options};
  CHECK(in.position(0) == 4);
  CHECK(in.committed(0) == committed_offset{4, "four"});
  CHECK(values(in.poll()) == ints{4, 5, 6, 7, 8, 9});

  member owner{topic, of_group()};
  REQUIRE(poll_until({&owner}, [&] { return owner.owned().size() == 2; }));
  CHECK(owner.position(0) == 10);
  CHECK(in.commit().error() == errc::fenced);  // a member has the partition now
  CHECK(in.committed(0)->offset == 4);
  owner.close();
  CHECK(in.commit());
  CHECK(in.committed(0)->offset == 10);
}

TEST_CASE("without a group nothing is committed") {
  auto temporary = temporary_store::in_process();
  const auto topic = make_topic(temporary);
  send(topic, 0, 3);
  member in{topic, {.auto_offset_reset = offset_reset::earliest}};
  REQUIRE(in.poll().size() == 3);
  CHECK(code_of([&] { (void)in.commit(); }) == errc::invalid_argument);
  CHECK(code_of([&] { (void)in.committed(0); }) == errc::invalid_argument);
  CHECK(leat::admin{temporary.store}.groups().empty());
}

TEST_CASE("the child of a fork is no member and leaves the parent's membership alone") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  send(topic, 0, 3);
  auto in = std::make_optional<member>(topic, of_group());
  REQUIRE(in->poll().size() == 3);
  CHECK(leat_tests::in_child([&]() -> std::string {
          const bool forked = in->commit().error() == errc::forked && in->poll().error() == errc::forked;
          in.reset();
          return forked ? "forked" : "not noticed";
        }) == "forked");
  CHECK(in->commit());
  CHECK(in->owned().size() == 1);
  CHECK(leat::admin{temporary.store}.describe_group("g").members.at(0).alive);
}

// --- listeners ---

TEST_CASE("a listener is told of what comes and goes and never of what stays") {
  auto temporary = leat_tests::each_kind_of_store();
  (void)make_topic(temporary, 2);
  std::vector<told> first;
  std::vector<told> second;
  member one{temporary.store, of_group()};
  member two{temporary.store, of_group()};
  one.subscribe({"t"}, noting(first));
  two.subscribe({"t"}, noting(second));
  REQUIRE(poll_until({&one}, [&] { return one.owned().size() == 2; }));
  CHECK(first == std::vector<told>{{"assigned", {{"t", 0}, {"t", 1}}}});
  REQUIRE(poll_until({&two, &one}, [&] { return two.owned().size() == 1; }));
  const partitions passed = two.owned();
  REQUIRE(first.size() == 2);
  CHECK(first[1] == told{"revoked", passed});
  CHECK(second == std::vector<told>{{"assigned", passed}});
  const partitions kept = one.owned();
  one.close();
  REQUIRE(first.size() == 3);
  CHECK(first[2] == told{"revoked", kept});
  REQUIRE(poll_until({&two}, [&] { return two.owned().size() == 2; }));
  CHECK(second.back() == told{"assigned", kept});
  CHECK(second.size() == 2);
}

TEST_CASE("a member that was ended by others is told that it has lost everything and joins again") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, 2);
  std::vector<told> heard;
  member in{temporary.store, of_group()};
  in.subscribe({"t"}, noting(heard));
  REQUIRE(poll_until({&in}, [&] { return in.owned().size() == 2; }));
  const auto files = leat::group::group_files::open(temporary.store.files(), "g");
  REQUIRE(files->members().at(0)->evict(1));
  CHECK(in.commit({{"t", 0}, 1}).error() == errc::fenced);
  REQUIRE(poll_until({&in}, [&] { return heard.size() >= 3; }));
  CHECK(heard[1] == told{"lost", {{"t", 0}, {"t", 1}}});
  CHECK(heard[2] == told{"assigned", {{"t", 0}, {"t", 1}}});
  CHECK(in.commit({{"t", 0}, 1}));
}

TEST_CASE("a member that does not poll in its time loses its partitions to the others") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, 2);
  auto options = of_group();
  options.max_poll_interval = 1ms;
  std::vector<told> heard;
  member slow{temporary.store, options};
  slow.subscribe({"t"}, noting(heard));
  REQUIRE(poll_until({&slow}, [&] { return slow.owned().size() == 2; }));
  member other{topic, of_group()};
  REQUIRE(poll_until({&other}, [&] { return other.owned().size() == 2; }));
  CHECK(slow.commit({{"t", 0}, 9}).error() == errc::fenced);
  CHECK(other.committed(0) == std::nullopt);
  CHECK(leat::admin{temporary.store}.describe_group("g").evictions >= 1);
  (void)slow.poll();
  REQUIRE(heard.size() >= 2);
  CHECK(heard[1] == told{"lost", {{"t", 0}, {"t", 1}}});
}

TEST_CASE("partitions that were assigned may be sought and paused in the callback and committed when revoked") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, 2);
  send(topic, 0, 10, 0);
  send(topic, 0, 10, 1);
  member in{temporary.store, of_group()};
  bool had_it = false;
  in.subscribe({"t"}, {.assigned =
                           [&](std::span<const topic_partition> p) {
                             had_it = in.owned().size() == p.size() && in.position({"t", 0}) == 0;
                             in.seek({"t", 0}, 8);
                             in.pause({"t", 1});
                           },
                       .revoked = [&](std::span<const topic_partition>) { in.commit().value(); },
                       .lost = {}});
  CHECK(values(in.poll()) == ints{8, 9});
  CHECK(had_it);
  CHECK(in.paused({"t", 1}));
  CHECK(in.poll().empty());
  in.resume({"t", 1});
  CHECK(in.poll().size() == 10);
  in.pause(0);
  in.close();
  member next{topic, of_group()};
  CHECK(next.poll().empty());
  CHECK(next.committed(0)->offset == 10);
  CHECK(next.committed(1)->offset == 10);
  CHECK_FALSE(next.paused(0));
}

TEST_CASE("what a callback throws comes out of the poll and the member goes on") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  send(topic, 0, 3);
  member in{temporary.store, of_group()};
  in.subscribe({"t"}, {.assigned = [](auto) { throw std::runtime_error("assigned"); },
                       .revoked = [](auto) { throw std::runtime_error("revoked"); },
                       .lost = {}});
  CHECK_THROWS_WITH(in.poll(), "assigned");
  CHECK(in.owned().size() == 1);
  CHECK(values(in.poll()) == ints{0, 1, 2});
  CHECK_THROWS_WITH(in.close(), "revoked");
  CHECK(in.owned().empty());
  member next{topic, of_group()};  // nothing keeps the partition from it
  REQUIRE(poll_until({&next}, [&] { return next.owned().size() == 1; }));
  {
    member silent{temporary.store, of_group("silent")};
    silent.subscribe({"t"}, {.assigned = {}, .revoked = [](auto) { throw std::runtime_error("revoked"); }, .lost = {}});
    (void)silent.poll();
    REQUIRE(silent.owned().size() == 1);
  }  // a destructor is silent
  CHECK(leat::admin{temporary.store}.describe_group("silent").members.empty());
}

TEST_CASE("a poll in a callback reads and what it read is not read again") {
  auto temporary = temporary_store::in_process();
  const auto topic = make_topic(temporary);
  send(topic, 0, 3);
  member in{temporary.store, of_group()};
  ints inner;
  in.subscribe({"t"}, {.assigned =
                           [&](auto) {
                             inner = values(in.poll());
                             send(topic, 3, 5);
                           },
                       .revoked = {},
                       .lost = {}});
  CHECK(values(in.poll(10s)) == ints{3, 4});
  CHECK(inner == ints{0, 1, 2});
  CHECK(in.owned().size() == 1);
}

TEST_CASE("what a poll in a callback has read is not read again also where another topic was deleted during a wait") {
  auto temporary = temporary_store::in_process();
  (void)make_topic(temporary, 1, "deleted");
  const auto topic = make_topic(temporary);
  member in{temporary.store, of_group()};
  ints inner;
  in.subscribe_pattern(".*", {.assigned = {}, .revoked = {}, .lost = [&](auto) {
                                send(topic, 0, 3);
                                inner = values(in.poll());
                              }});
  REQUIRE(poll_until({&in}, [&] { return in.owned().size() == 2; }));
  std::atomic<bool> waiting{false};
  const std::jthread deleter([&] {
    while (!waiting) std::this_thread::yield();
    (void)temporary.store.remove_topic("deleted");
  });
  waiting = true;
  ints outer;
  while (inner.empty()) {
    for (const auto& record : in.poll(10s)) outer.push_back(record.value());
  }
  for (const auto& record : in.poll()) outer.push_back(record.value());
  CHECK(inner == ints{0, 1, 2});
  CHECK(outer.empty());
}

// --- leaving, moving, changing ---

TEST_CASE("a member that has unsubscribed reads nothing until it subscribes again") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  send(topic, 0, 3);
  member in{topic, of_group()};
  REQUIRE(in.poll().size() == 3);
  REQUIRE(in.commit());
  in.unsubscribe();
  in.unsubscribe();
  CHECK(in.owned().empty());
  CHECK(in.poll().empty());
  CHECK(in.poll(1ms).empty());
  CHECK(leat::admin{temporary.store}.describe_group("g").members.empty());
  send(topic, 3, 5);
  in.subscribe({"t"});
  CHECK(values(in.poll()) == ints{3, 4});
  in.close();
  in.close();
  CHECK(in.poll().empty());
}

TEST_CASE("a consumer may be moved while it is a member") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  send(topic, 0, 3);
  member first{topic, of_group()};
  REQUIRE(first.poll().size() == 3);
  const std::string id = first.member_id();
  member second{std::move(first)};
  CHECK(second.member_id() == id);
  send(topic, 3, 4);
  CHECK(values(second.poll()) == ints{3});
  CHECK(second.commit());

  auto third = std::make_unique<member>(std::move(second));
  CHECK(leat::admin{temporary.store}.describe_group("g").members.size() == 1);
  CHECK(third->owned().size() == 1);
  third.reset();
  CHECK(leat::admin{temporary.store}.describe_group("g").members.empty());
}

TEST_CASE("a static member has its partitions again when it comes back and another of its name fences it") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary, 2);
  auto options = of_group();
  options.group_instance_id = "instance";
  auto first = std::make_optional<member>(topic, options);
  (void)first->poll();
  const std::string id = first->member_id();
  REQUIRE(first->owned().size() == 2);
  first.reset();
  const leat::admin admin{temporary.store};
  REQUIRE(admin.describe_group("g").members.size() == 1);
  CHECK(admin.describe_group("g").members[0].instance_id == "instance");
  CHECK_FALSE(admin.describe_group("g").members[0].alive);

  member back{topic, options};
  REQUIRE(poll_until({&back}, [&] { return back.owned().size() == 2; }));
  CHECK(back.member_id() == id);
  member usurper{topic, options};
  REQUIRE(poll_until({&usurper}, [&] { return usurper.owned().size() == 2; }));
  CHECK(back.commit({{"t", 0}, 1}).error() == errc::fenced);
  CHECK(back.poll().error() == errc::fenced);
  CHECK(back.poll().error() == errc::fenced);
  CHECK_THAT(message_of([&] { (void)back.poll().begin(); }), ContainsSubstring("instance"));
  CHECK(usurper.commit({{"t", 0}, 1}));
  back.subscribe({"t"});
  REQUIRE(poll_until({&back}, [&] { return back.owned().size() == 2; }));
  CHECK(usurper.poll().error() == errc::fenced);
}

TEST_CASE("a deleted topic is told of once and read again when it is made anew") {
  auto temporary = leat_tests::each_kind_of_store();
  std::vector<told> heard;
  send(make_topic(temporary), 0, 3);
  member in{temporary.store, of_group()};
  in.subscribe({"t"}, noting(heard));
  REQUIRE(in.poll().size() == 3);
  REQUIRE(in.commit());
  REQUIRE(temporary.store.remove_topic("t"));
  CHECK(in.poll().error() == errc::closed);
  CHECK(in.poll().error() == errc::ok);
  CHECK(in.owned().empty());
  CHECK(heard.back() == told{"lost", {{"t", 0}}});
  send(make_topic(temporary), 7, 9);
  ints got;
  REQUIRE(poll_until({}, [&] {
    for (const auto& record : in.poll()) got.push_back(record.value());
    return !got.empty();
  }));
  CHECK(got == ints{7, 8});  // what was committed went with the old one
}

TEST_CASE("partitions that are added are shared by the group and read from their beginning") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = make_topic(temporary);
  auto options = of_group();
  options.auto_offset_reset = offset_reset::latest;
  member one{topic, options};
  member two{topic, options};
  REQUIRE(poll_until({&one, &two}, [&] { return one.owned().size() + two.owned().size() == 1; }));
  leat::admin{temporary.store}.add_partitions("t", 4);
  for (std::uint32_t id = 1; id < 4; ++id) send(topic, 10, 12, id);
  std::size_t read = 0;
  REQUIRE(poll_until({}, [&] {
    read += one.poll().size() + two.poll().size();
    return one.owned().size() == 2 && two.owned().size() == 2 && read >= 6;
  }));
  CHECK(read == 6);
}

}  // namespace unit_group_consumer
