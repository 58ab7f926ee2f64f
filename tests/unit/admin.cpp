#include <leat/admin.hpp>

#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/in_child.hpp"
#include "support/media.hpp"
#include "support/read_all.hpp"

#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace unit_admin {

using Catch::Matchers::ContainsSubstring;
using leat::errc;
using leat::offset_reset;
using leat_tests::code_of;
using leat_tests::message_of;
using leat_tests::temporary_store;
using leat_tests::write_file;
using namespace std::chrono_literals;

using names = std::vector<std::string>;

leat::consumer_options of_group(const std::string& group) {
  return {.auto_offset_reset = offset_reset::earliest, .group = group, .enable_auto_commit = false};
}

std::vector<std::optional<std::uint64_t>> committed(const leat::admin& admin, const std::string& group) {
  std::vector<std::optional<std::uint64_t>> offsets;
  for (const auto& o : admin.describe_group(group).offsets) offsets.push_back(o.committed);
  return offsets;
}

// --- topics ---

TEST_CASE("a topic can be made by the names of its types") {
  auto temporary = leat_tests::each_kind_of_store();
  const leat::admin admin{temporary.store};
  admin.create_topic("plain", {.partitions = 3});
  CHECK(admin.topics() == names{"plain"});
  CHECK(admin.describe_topic("plain").partitions.size() == 3);
  CHECK(admin.describe_topic("plain").value_type == "string");
  leat::producer out{temporary.store.topic<std::string>("plain")};  // string is std::string
  CHECK(out.send("k", "v"));

  const auto like = temporary.store.topic<double, std::uint64_t>("like").describe();
  admin.create_topic("made", {}, {.value = like.value_type, .key = like.key_type, .value_alignment = 64});
  CHECK(admin.describe_topic("made").value_alignment == 64);
  CHECK(code_of([&] { (void)temporary.store.topic<double, std::uint64_t>("made"); }) == errc::ok);
  CHECK(code_of([&] { (void)temporary.store.topic<float, std::uint64_t>("made"); }) == errc::wrong_type);
  CHECK(code_of([&] { (void)temporary.store.topic<double, std::string>("made"); }) == errc::wrong_type);
}

TEST_CASE("a topic that is there or cannot be is not made") {
  auto temporary = leat_tests::each_kind_of_store();
  const leat::admin admin{temporary.store};
  admin.create_topic("t");
  CHECK(code_of([&] { admin.create_topic("t"); }) == errc::already_exists);
  CHECK(code_of([&] { admin.create_topic("a/b"); }) == errc::name_invalid);
  CHECK(code_of([&] { admin.create_topic("u", {.partitions = 0}); }) == errc::invalid_argument);
  CHECK(code_of([&] { admin.create_topic("u", {.partitions = 1025}); }) == errc::invalid_argument);
  CHECK(code_of([&] { admin.create_topic("u", {}, {.value = ""}); }) == errc::invalid_argument);
  CHECK(code_of([&] { admin.create_topic("u", {}, {.key = ""}); }) == errc::invalid_argument);
  for (const std::uint32_t alignment : {0u, 3u, 24u, 8192u}) {
    CHECK(code_of([&] { admin.create_topic("u", {}, {.value_alignment = alignment}); }) == errc::invalid_argument);
  }
  CHECK(admin.topics() == names{"t"});
}

TEST_CASE("deleting a topic takes what groups committed in it along") {
  auto temporary = leat_tests::each_kind_of_store();
  const leat::admin admin{temporary.store};
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  REQUIRE(out.send(1));
  {
    leat::consumer in{topic, of_group("g")};
    REQUIRE(in.poll().size() == 1);
    in.commit().value();
  }
  CHECK(committed(admin, "g") == std::vector<std::optional<std::uint64_t>>{1});
  CHECK(admin.delete_topic("t"));
  CHECK_FALSE(admin.delete_topic("t"));
  CHECK(out.send(1).error() == errc::closed);
  CHECK(admin.groups() == names{"g"});
  CHECK(admin.describe_group("g").offsets.empty());
  (void)temporary.store.topic<int>("t");
  CHECK(admin.describe_group("g").offsets.empty());
}

TEST_CASE("segments are described with what is in them") {
  auto temporary = leat_tests::each_kind_of_store();
  const leat::admin admin{temporary.store};
  const auto topic =
      temporary.store.topic<std::uint64_t>("t", {.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}});
  CHECK(admin.segments({"t", 0}).empty());
  leat::producer out{topic};
  for (std::uint64_t i = 0; i < 1500; ++i) {
    REQUIRE(out.send(i, {.timestamp = leat::timestamp(std::chrono::nanoseconds(1000 + i))}));
  }
  const auto segments = admin.segments({"t", 0});
  REQUIRE(segments.size() == topic.log()->partition(0).begun().observe());
  REQUIRE(segments.size() > 2);
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto& s = segments[i];
    CHECK(s.sequence == i);
    CHECK(s.base_offset == next);
    next = s.end_offset;
    CHECK(s.file_bytes == 16384);
    CHECK(s.used_bytes > 4096);
    CHECK(s.used_bytes <= s.file_bytes);
    CHECK(s.sealed == (i + 1 < segments.size()));
    REQUIRE(s.largest_timestamp.has_value());
    CHECK(s.largest_timestamp->time_since_epoch().count() == static_cast<std::int64_t>(999 + s.end_offset));
    CHECK(s.defect.empty());
    if (!temporary.path().empty()) CHECK(std::filesystem::file_size(s.path) == s.file_bytes);
  }
  CHECK(next == 1500);
  CHECK(code_of([&] { (void)admin.segments({"t", 1}); }) == errc::invalid_argument);
  CHECK(code_of([&] { (void)admin.segments({"u", 0}); }) == errc::not_found);

  if (temporary.path().empty()) return;
  std::filesystem::remove(segments[1].path);
  const auto again = leat::admin{leat::store::open(temporary.path())}.segments({"t", 0});
  REQUIRE(again.size() == segments.size());
  CHECK(again[0].defect.empty());
  CHECK_FALSE(again[1].defect.empty());
  CHECK(again[1].path == segments[1].path);
  CHECK(again[2].defect.empty());
  CHECK(again[2].end_offset == segments[2].end_offset);
}

// --- groups ---

TEST_CASE("a group is described with its members and what it has committed") {
  auto temporary = leat_tests::each_kind_of_store();
  const leat::admin admin{temporary.store};
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  leat::producer out{topic};
  for (int i = 0; i < 10; ++i) REQUIRE(out.send(i, {.partition = 0}));
  CHECK(admin.groups().empty());
  CHECK(code_of([&] { (void)admin.describe_group("g"); }) == errc::not_found);

  auto options = of_group("g");
  options.client_id = "client";
  leat::consumer one{topic, options};
  (void)one.poll();
  CHECK(admin.groups() == names{"g"});
  one.commit({{"t", 0}, 4, "note"}).value();
  const auto d = admin.describe_group("g");
  CHECK(d.name == "g");
  CHECK(d.assignor == "cooperative-sticky");
  CHECK(d.rebalances >= 1);
  CHECK(d.evictions == 0);
  REQUIRE(d.members.size() == 1);
  const auto& m = d.members[0];
  CHECK(m.id == one.member_id());
  CHECK(m.id.starts_with("client-"));
  CHECK(m.client_id == "client");
  CHECK(m.instance_id.empty());
  CHECK(m.process == static_cast<std::uint64_t>(::getpid()));
  CHECK(m.alive);
  CHECK(m.last_poll >= m.joined - 1s);  // by two clocks of the kernel
  CHECK_FALSE(m.is_pattern);
  CHECK(m.subscription == names{"t"});
  CHECK(m.partitions == one.owned());
  REQUIRE(d.offsets.size() == 2);
  CHECK(d.offsets[0].at == leat::topic_partition{"t", 0});
  CHECK(d.offsets[0].committed == 4);
  CHECK(d.offsets[0].metadata == "note");
  CHECK(d.offsets[0].start_offset == 0);
  CHECK(d.offsets[0].end_offset == 10);
  CHECK(d.offsets[0].lag == 6);
  CHECK(d.offsets[0].owner == one.member_id());
  CHECK(d.offsets[1].committed == std::nullopt);
  CHECK(d.offsets[1].lag == 0);

  CHECK(one.commit({{"t", 1}, 3}));  // beyond the end
  CHECK(admin.describe_group("g").offsets[1].lag == 0);
  one.close();
  CHECK(admin.describe_group("g").members.empty());
  CHECK(admin.describe_group("g").offsets[0].owner.empty());
  CHECK(admin.describe_group("g").offsets[0].committed == 4);
}

TEST_CASE("a group with a live member is neither deleted nor reset") {
  auto temporary = leat_tests::each_kind_of_store();
  const leat::admin admin{temporary.store};
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  REQUIRE(out.send(1));
  leat::consumer in{topic, of_group("g")};
  REQUIRE(in.poll().size() == 1);
  in.commit().value();
  CHECK(code_of([&] { admin.delete_group("g"); }) == errc::group_not_empty);
  CHECK(code_of([&] { admin.reset_offsets("g", "t", leat::to_earliest{}); }) == errc::group_not_empty);
  CHECK_THAT(message_of([&] { admin.delete_group("g"); }), ContainsSubstring(in.member_id()));
  in.commit().value();
  CHECK(committed(admin, "g") == std::vector<std::optional<std::uint64_t>>{1});
  in.close();
  CHECK(admin.delete_group("g"));
  CHECK_FALSE(admin.delete_group("g"));
  CHECK(admin.groups().empty());
  CHECK(code_of([&] { (void)admin.describe_group("g"); }) == errc::not_found);
  if (!temporary.path().empty()) {
    CHECK(leat_tests::names_in(temporary.file("groups")).empty());
    CHECK_FALSE(leat_tests::names_in(temporary.file("topics/t")).contains("group-g"));
  }
  leat::consumer anew{topic, of_group("g")};  // begins as if it had never been
  CHECK(anew.poll().size() == 1);
}

TEST_CASE("members of a group whose deleter is stopped join again in the next of its name") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const leat::admin admin{temporary.store};
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  leat::consumer in{topic, of_group("g")};
  CHECK(in.poll().error() == errc::ok);
  const auto former = temporary.store.files()->groups().open_directory("g");
  leat::group::group_files::open(temporary.store.files(), "g")->begin_deletion([] {});
  CHECK(admin.groups().empty());
  std::optional<leat::consumer<int>> other;
  switch (GENERATE(0, 1, 2)) {
    case 0: CHECK(other.emplace(topic, of_group("g")).poll().error() == errc::ok); break;  // makes it anew
    case 1: CHECK(admin.delete_group("g")); break;
    default: CHECK(admin.clean().files == 1);  // of the group's offsets
  }
  CHECK_FALSE(temporary.store.files()->groups().leads_to("g", *former));
  CHECK(in.poll().error() == errc::ok);
  const std::size_t expected = other ? 2 : 1;
  CHECK(admin.describe_group("g").members.size() == expected);
}

TEST_CASE("a group among whose files lies something else is not deleted, and goes on") {
  const auto temporary = leat_tests::temporary_store::on_disk();
  const leat::admin admin{temporary.store};
  const auto topic = temporary.store.topic<int>("t");
  {
    leat::consumer in{topic, of_group("g")};
    CHECK(in.poll().error() == errc::ok);
    in.commit({{"t", 0}, 0}).value();
  }
  std::filesystem::create_directory(temporary.file("groups/g/theirs"));
  CHECK_THAT(message_of([&] { admin.delete_group("g"); }), ContainsSubstring("groups/g/theirs"));
  CHECK(admin.groups() == std::vector<std::string>{"g"});
  CHECK(committed(admin, "g") == std::vector<std::optional<std::uint64_t>>{0});
  leat::storage::recover_group(temporary.store.files()->groups(), "g", 0600);  // as after another boot
  leat::consumer in{topic, of_group("g")};
  CHECK(in.poll().error() == errc::ok);
}

TEST_CASE("a member whose group is deleted while it computes the assignment joins the next") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  const leat::assignor base = leat::cooperative_sticky_assignor();
  leat::assignor slow = base;
  bool once = true;
  slow.assign = [&](std::span<const leat::group_member> members, const std::map<std::string, std::uint32_t>& topics) {
    if (std::exchange(once, false)) {
      leat::group::group_files::open(temporary.store.files(), "g")->begin_deletion([] {});
      CHECK(leat::admin{temporary.store}.delete_group("g"));
    }
    return base.assign(members, topics);
  };
  auto options = of_group("g");
  options.assignor = slow;
  leat::consumer in{topic, options};
  CHECK(in.poll().error() == errc::ok);
  CHECK(in.poll().error() == errc::ok);
  CHECK(in.owned().size() == 1);
}

TEST_CASE("cleaning takes nothing from a group whose directory is lost but what is empty") {
  const auto temporary = leat_tests::temporary_store::on_disk();
  const leat::admin admin{temporary.store};
  const auto log = temporary.store.topic<int>("t").log();
  const auto offsets = log->open_group("g");  // as a power failure may leave it
  REQUIRE(offsets->commit_unowned(0, {}, 5, "five") == errc::ok);
  REQUIRE(log->open_group("empty") != nullptr);
  const std::string nobodys = temporary.file("topics/t/meta-0123456789abcdef0123456789abcdef-0000-0020000000000001");
  leat_tests::write_file(nobodys, "of a file that is gone");
  CHECK(admin.clean().files == 2);
  CHECK(log->groups() == std::vector<std::string>{"g"});
  CHECK(offsets->committed(0) == leat::committed_offset{5, "five"});
  CHECK(admin.delete_group("g"));
  CHECK(log->groups().empty());
  CHECK(leat_tests::names_in(temporary.file("groups")).empty());
}

TEST_CASE("each target of a reset puts the group where it says") {
  auto temporary = leat_tests::each_kind_of_store();
  const leat::admin admin{temporary.store};
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  leat::producer out{topic};
  for (int i = 0; i < 100; ++i) {
    REQUIRE(out.send(i, {.partition = 0, .timestamp = leat::timestamp(std::chrono::nanoseconds(1000 + 10 * i))}));
  }
  admin.delete_records({"t", 0}, 20);
  const auto reset = [&](const leat::reset_target& target) {
    const auto offsets = admin.reset_offsets("g", "t", target);
    REQUIRE(offsets.size() == 2);
    CHECK(offsets[1].committed == 0);  // of the empty partition
    CHECK(committed(admin, "g") == std::vector{offsets[0].committed, offsets[1].committed});
    CHECK(offsets[0].start_offset == 20);
    CHECK(offsets[0].end_offset == 100);
    CHECK(offsets[0].lag == 100 - *offsets[0].committed);
    return *offsets[0].committed;
  };
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  CHECK(reset(leat::shift_by{3}) == 23);  // nothing is committed: from the log start
  CHECK(reset(leat::to_latest{}) == 100);
  CHECK(reset(leat::to_earliest{}) == 20);
  CHECK(reset(leat::to_offset{50}) == 50);
  CHECK(reset(leat::to_offset{5}) == 20);
  CHECK(reset(leat::to_offset{leat::unlimited}) == 100);
  CHECK(reset(leat::to_time{leat::timestamp(1500ns)}) == 50);
  CHECK(reset(leat::to_time{leat::timestamp(1501ns)}) == 51);
  CHECK(reset(leat::to_time{leat::timestamp(0ns)}) == 20);
  CHECK(reset(leat::to_time{leat::timestamp(1h)}) == 100);
  CHECK(reset(leat::to_offset{50}) == 50);
  CHECK(reset(leat::shift_by{10}) == 60);
  CHECK(reset(leat::shift_by{-25}) == 35);
  CHECK(reset(leat::shift_by{-25}) == 20);
  CHECK(reset(leat::shift_by{0}) == 20);
  CHECK(reset(leat::shift_by{most}) == 100);
  CHECK(reset(leat::shift_by{most}) == 100);
  CHECK(reset(leat::shift_by{least}) == 20);
  CHECK(reset(leat::to_offset{50}) == 50);
  CHECK(reset(leat::shift_by{least + 1}) == 20);

  REQUIRE(reset(leat::to_offset{70}) == 70);
  leat::consumer in{topic, of_group("g")};
  int first = -1;
  for (const auto& record : in.poll()) {
    first = record.value();
    break;
  }
  CHECK(first == 70);
}

TEST_CASE("a reset may be of some partitions only") {
  auto temporary = leat_tests::each_kind_of_store();
  const leat::admin admin{temporary.store};
  const auto topic = temporary.store.topic<int>("t", {.partitions = 3});
  leat::producer out{topic};
  for (std::uint32_t id = 0; id < 3; ++id) REQUIRE(out.send(1, {.partition = id}));
  const auto done = admin.reset_offsets("g", "t", leat::to_latest{}, {2, 0});
  REQUIRE(done.size() == 2);
  CHECK(done[0].at.partition == 2);
  CHECK(done[1].at.partition == 0);
  CHECK(committed(admin, "g") == std::vector<std::optional<std::uint64_t>>{1, std::nullopt, 1});
  CHECK(code_of([&] { admin.reset_offsets("g", "t", leat::to_earliest{}, {0, 3}); }) == errc::invalid_argument);
  CHECK(committed(admin, "g") == std::vector<std::optional<std::uint64_t>>{1, std::nullopt, 1});  // nothing is done
  CHECK(code_of([&] { admin.reset_offsets("g", "absent", leat::to_earliest{}); }) == errc::not_found);
  CHECK(code_of([&] { admin.reset_offsets("a/b", "t", leat::to_earliest{}); }) == errc::name_invalid);
}

// --- what the dead have left ---

TEST_CASE("cleaning removes what dead makers and members left and nothing else") {
  auto temporary = temporary_store::on_disk();
  const leat::admin admin{temporary.store};
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  REQUIRE(out.send(1));
  leat::consumer in{topic, of_group("alive")};
  REQUIRE(in.poll().size() == 1);
  in.commit({{"t", 0}, 1, "note"}).value();
  CHECK(leat_tests::in_child([&]() -> std::string {
          const auto store = leat::store::open(temporary.path());
          leat::consumer dying{store.topic<int>("t"), of_group("dead")};
          const auto size = dying.poll().size();
          ::_exit(size == 1 ? 0 : 9);  // without a farewell
        }).empty());
  CHECK(admin.describe_group("dead").members.size() == 1);
  CHECK_FALSE(admin.describe_group("dead").members[0].alive);

  const auto count = [&] {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(temporary.path())) files += entry.exists();
    return files;
  };
  const std::size_t before = count();
  for (const char* file : {"~new-1", "topics/t/~new-2", "topics/t/0000-0000000000000009~3", "groups/alive/~new-4"}) {
    write_file(temporary.file(file), "");
  }
  for (const char* directory : {"topics/~new-5", "topics/~deleted-6", "groups/~new-7", "groups/~deleted-8"}) {
    std::filesystem::create_directory(temporary.file(directory));
    write_file(temporary.file(directory) + "/something", "");
  }
  const leat::clean_report report = admin.clean();
  CHECK(report.files == 5);  // and what was agreed on when the dead member still counted
  CHECK(report.topics == 4);
  CHECK(report.members == 1);
  CHECK(count() == before - 2);  // without that and the dead member's file
  CHECK(admin.describe_group("dead").members.empty());
  CHECK(admin.describe_group("dead").evictions == 1);
  CHECK(admin.describe_group("alive").members.size() == 1);
  const leat::clean_report again = admin.clean();
  CHECK(again.files + again.topics + again.members + again.segments == 0);
  CHECK(in.commit());
  CHECK(in.committed(0)->metadata == "note");
}

TEST_CASE("what is no topic or group is told and everything else is looked at all the same") {
  auto temporary = temporary_store::on_disk();
  const leat::admin admin{temporary.store};
  // Strange ones before and behind the topics and groups that are sound.
  for (const char* const name : {"b", "y"}) {
    const auto topic = temporary.store.topic<int>(name);
    leat::consumer in{topic, {.partitions = std::vector<std::uint32_t>{0}, .group = "m"}};
    in.commit({{name, 0}, 0, ""}).value();
  }
  const std::vector<std::string> strange{"topics/a", "topics/n", "groups/a"};
  for (const std::string& directory : strange) {
    std::filesystem::create_directory(temporary.file(directory));
    write_file(temporary.file(directory) + "/something", "");
  }
  write_file(temporary.file("topics/z"), "a file");
  write_file(temporary.file("groups/z"), "a file");
  for (const char* const left : {"topics/b/~new-1", "topics/y/~new-2", "groups/m/~new-3"}) {
    write_file(temporary.file(left), "");
  }
  const auto tells_of = [&](const std::vector<leat::finding>& findings, const std::string& path) {
    return std::any_of(findings.begin(), findings.end(), [&](const leat::finding& f) {
      return f.path.starts_with(temporary.file(path)) && !f.what.empty() && f.code != errc::ok;
    });
  };
  const leat::clean_report report = admin.clean();
  CHECK(report.files == 3);
  CHECK(report.skipped.size() == 5);
  for (const char* const path : {"topics/a", "topics/n", "topics/z", "groups/a", "groups/z"}) {
    CAPTURE(path);
    CHECK(tells_of(report.skipped, path));
  }
  const leat::group_description d = admin.describe_group("m");
  CHECK(d.offsets.size() == 2);
  CHECK(d.skipped.size() == 3);
  CHECK(tells_of(d.skipped, "topics/n"));

  // Who deletes a group is to know that something of it may be left.
  CHECK(code_of([&] { (void)admin.delete_group("m"); }) == errc::foreign);
  CHECK(temporary.store.topic<int>("y").log()->groups().empty());
  CHECK(std::filesystem::exists(temporary.file("topics/a/something")));
}

TEST_CASE("cleaning takes the files of retired segments of a topic without producers") {
  auto temporary = temporary_store::on_disk();
  const leat::admin admin{temporary.store};
  const auto topic = temporary.store.topic<int>("t", {.segment_bytes = 16384});
  {
    leat::producer out{topic};
    while (topic.log()->partition(0).begun().observe() < 5) REQUIRE(out.send(1));
  }
  admin.delete_records({"t", 0}, leat::unlimited);
  const leat::clean_report report = admin.clean();
  CHECK(report.segments == 4);
  std::size_t segments = 0;
  for (const std::string& name : leat_tests::names_in(temporary.file("topics/t")))
    segments += name.starts_with("0000-");
  CHECK(segments <= 2);  // the active one, and the next where it was prepared
  leat::producer out{topic};
  CHECK(out.send(1));
  CHECK(admin.verify("t").empty());
}

// --- counters ---

TEST_CASE("the counters of a partition grow with what is done to it") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<std::uint64_t>(
      "t", {.partitions = 2, .segment_bytes = 16384, .retention = {.bytes = 16384}});
  const auto of = [&](std::uint32_t partition) { return topic.describe().partitions[partition]; };
  CHECK(of(0).bytes_appended == 0);
  CHECK(of(0).fresh_segments == 0);
  {
    leat::producer out{topic};
    for (std::uint64_t i = 0; i < 5000; ++i) REQUIRE(out.send(i, {.partition = 0}));
    CHECK(of(0).bytes_appended > 16 * 4000);
    CHECK(of(0).bytes_appended <= 16 * 5000);
    for (std::uint64_t i = 0; i < 5000; ++i) REQUIRE(out.send(i, {.partition = 0}));
  }
  const auto first = of(0);
  CHECK(first.bytes_appended <= 16 * 10000);
  CHECK(first.bytes_appended > 16 * 9000);
  CHECK(first.rolls == topic.log()->partition(0).begun().observe() - 1);
  CHECK(first.fresh_segments >= 1);
  CHECK(first.recycled_segments >= 1);
  CHECK(first.fresh_segments + first.recycled_segments >= first.rolls + 1);
  CHECK(first.fresh_segments + first.recycled_segments <= first.rolls + 3);
  CHECK(first.fresh_segments <= 4);  // in steady state they are recycled
  CHECK(first.contended_publishes == 0);
  CHECK(first.back_pressure == 0);
  CHECK(of(1).bytes_appended == 0);
  CHECK(of(1).fresh_segments == 0);
}

TEST_CASE("two producers that take turns count the slots that the other had taken") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<std::uint64_t>("t", {.segment_bytes = 16384});
  leat::producer one{topic};
  leat::producer two{topic};
  for (std::uint64_t i = 0; i < 2000; ++i) {
    REQUIRE(one.send(i));
    REQUIRE(two.send(i));
  }
  CHECK(topic.describe().partitions[0].contended_publishes > 1000);
}

TEST_CASE("a ring for a sleeper is counted") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  REQUIRE(out.send(0));
  CHECK(topic.describe().partitions[0].wake_ups == 0);
  leat::consumer in{topic};
  CHECK(in.poll(20ms).empty());  // it has armed the doorbell, and nobody has rung
  REQUIRE(out.send(1));
  CHECK(topic.describe().partitions[0].wake_ups == 1);
  REQUIRE(out.send(2));
  CHECK(topic.describe().partitions[0].wake_ups == 1);
}

}  // namespace unit_admin
