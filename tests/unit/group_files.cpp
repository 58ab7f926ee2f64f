// The files of a group: its members, their leases, what was agreed in a generation.
#include <leat/group/group_files.hpp>

#include "support/catch.hpp"
#include "support/descriptors.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/in_child.hpp"
#include "support/media.hpp"

#include <leat/os/clock.hpp>
#include <leat/store.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace unit_group_files {

using Catch::Matchers::ContainsSubstring;
using leat::errc;
using leat::group::agreed_assignment;
using leat::group::group_files;
using leat::group::member_file;
using leat::group::member_profile;
using leat_tests::code_of;
using leat_tests::little_endian;
using leat_tests::message_of;
using leat_tests::poke;
using leat_tests::read_file;
using leat_tests::temporary_store;
using leat_tests::write_file;
using state = member_file::state;

constexpr std::int64_t second = 1'000'000'000;

member_profile profile(const std::string& id, const std::string& instance = "") {
  return {.id = id,
          .instance = instance,
          .client = "client",
          .assignor = "range",
          .is_pattern = false,
          .subscription = {"a", "b"},
          .value_type = 1,
          .key_type = 2,
          .max_poll_nanoseconds = 300 * second,
          .session_nanoseconds = 45 * second};
}

/// The group "g", opened twice, as by two processes.
struct sample {
  temporary_store temporary;
  std::shared_ptr<group_files> mine = group_files::open_or_create(temporary.store.files(), "g");
  std::shared_ptr<group_files> others = group_files::open(temporary.store.files(), "g");

  explicit sample(temporary_store in = temporary_store::on_disk()) : temporary(std::move(in)) {}

  std::string directory() const { return temporary.file("groups/g"); }
  std::set<std::string> names() const { return leat_tests::names_in(directory()); }
  std::shared_ptr<member_file> seen(std::uint32_t number) const {
    for (auto& m : others->members()) {
      if (m->number() == number) return m;
    }
    return nullptr;
  }
};

// --- the group ---

TEST_CASE("a group is made by the first who needs it") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto& files = temporary.store.files();
  CHECK(group_files::open(files, "g") == nullptr);
  const auto made = group_files::open_or_create(files, "g");
  const auto again = group_files::open_or_create(files, "g");
  made->advance_generation();
  CHECK(again->generation().observe() == 1);
  CHECK(made->members().empty());
  for (const std::string& name : {std::string(), std::string("a/b"), std::string(".."), std::string(250, 'x')}) {
    CHECK(code_of([&] { (void)group_files::open(files, name); }) == errc::name_invalid);
    CHECK(code_of([&] { (void)group_files::open_or_create(files, name); }) == errc::name_invalid);
  }
  CHECK(group_files::open_or_create(files, std::string(249, 'x'))->name() == std::string(249, 'x'));
}

TEST_CASE("a group file that is damaged or of something else is refused with its path") {
  const sample s;
  const std::string file = s.directory() + "/group";
  const std::string sound = read_file(file);
  const auto open = [&] { (void)group_files::open(s.temporary.store.files(), "g"); };
  for (std::size_t at = 0; at < 296; ++at) {
    CAPTURE(at);
    poke(file, at, std::string(1, static_cast<char>(sound[at] ^ 0x21)));
    REQUIRE(code_of(open) == (at < 8 ? errc::foreign : at < 12 ? errc::wrong_version : errc::corrupt));
    REQUIRE_THAT(message_of(open), ContainsSubstring(file));
    poke(file, at, sound.substr(at, 1));
  }
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{500}}) {
    write_file(file, sound.substr(0, bytes));
    CHECK(code_of(open) == errc::truncated);
  }
  write_file(file, sound);
  poke(file, 512, little_endian(std::uint64_t{1} << 48, 8));  // generation, with half a mark
  CHECK(code_of(open) == errc::corrupt);
  std::filesystem::remove(file);
  write_file(s.directory() + "/theirs", "");
  CHECK(code_of(open) == errc::foreign);
  CHECK(code_of([&] { (void)group_files::open_or_create(s.temporary.store.files(), "g"); }) == errc::foreign);
  CHECK(s.names() == std::set<std::string>{"theirs"});
  std::filesystem::remove(s.directory() + "/theirs");
  write_file(file, sound);
  CHECK(code_of(open) == errc::ok);
  std::filesystem::copy(s.directory(), s.temporary.file("groups/h"));
  CHECK_THAT(message_of([&] { (void)group_files::open(s.temporary.store.files(), "h"); }),
             ContainsSubstring("another group"));
}

TEST_CASE("a group that is marked as being deleted is none, and whoever comes finishes it and makes the next") {
  sample s;
  const auto& files = s.temporary.store.files();
  const auto log = s.temporary.store.topic<int>("t").log();
  const auto offsets = log->open_group("g");
  REQUIRE(offsets->commit_unowned(0, {}, 5) == errc::ok);
  const std::string former = read_file(s.directory() + "/group").substr(16, 16);
  s.mine->begin_deletion([] {});
  const int stage = GENERATE(0, 1, 2);
  if (stage > 0) {
    offsets->clear([] { return true; });
    REQUIRE(offsets->remove_if_unused());
  }
  if (stage > 1) {  // only its directory is left, with what one has put there who joined meanwhile
    std::filesystem::remove(s.directory() + "/group");
    write_file(s.directory() + "/member-0000000007", "");
  }
  CHECK(group_files::open(files, "g") == nullptr);
  const auto next = group_files::open_or_create(files, "g");
  CHECK_FALSE(next->is_closed());
  CHECK(next->members().empty());
  CHECK(read_file(s.directory() + "/group").substr(16, 16) != former);
  CHECK(s.mine->is_closed());
  CHECK(s.mine->join(profile("me")) == nullptr);
  CHECK(log->find_group("g") == nullptr);
}

TEST_CASE("a deletion looks for members again where somebody has joined since it looked") {
  sample s(leat_tests::each_kind_of_store());
  std::shared_ptr<member_file> joined;
  int looks = 0;
  const auto begin = [&] {
    s.others->begin_deletion([&] {
      if (++looks == 1) {
        joined = s.mine->join(profile("me"));
      } else {
        throw leat::error(errc::group_not_empty, "g", "somebody has joined");
      }
    });
  };
  CHECK(code_of(begin) == errc::group_not_empty);
  CHECK(looks == 2);
  CHECK(joined != nullptr);
  CHECK_FALSE(s.mine->is_closed());
}

TEST_CASE("a deletion that cannot be finished says why and leaves the next group to whoever can") {
  sample s;
  const auto& files = s.temporary.store.files();
  const auto log = s.temporary.store.topic<int>("t").log();
  REQUIRE(log->open_group("g")->commit_unowned(0, {}, 5) == errc::ok);
  s.mine->begin_deletion([] {});
  CHECK_THAT(leat_tests::in_child([&]() -> std::string {
               const auto theirs = leat::store::open(s.temporary.path());
               leat_tests::leave_descriptors(6);  // too few to open a topic
               (void)group_files::open_or_create(theirs.files(), "g");
               return "made the next group beside what was left";
             }),
             ContainsSubstring("exception") && ContainsSubstring(s.temporary.file("")));
  CHECK(log->find_group("g")->committed_position(0) == 5);
  CHECK(group_files::open(files, "g") == nullptr);
  CHECK_FALSE(group_files::open_or_create(files, "g")->is_closed());
  CHECK(log->find_group("g") == nullptr);
}

TEST_CASE("after another boot a deletion that was cut off is not gone on with") {
  sample s;
  s.mine->begin_deletion([] {});
  REQUIRE(group_files::open(s.temporary.store.files(), "g") == nullptr);
  leat::storage::recover_group(s.temporary.store.files()->groups(), "g", 0600);
  CHECK(group_files::open(s.temporary.store.files(), "g") != nullptr);
}

// --- members ---

TEST_CASE("a member's file tells others all that it said of itself") {
  sample s(leat_tests::each_kind_of_store());
  const auto me = s.mine->join(profile("me", "instance"));
  REQUIRE(me != nullptr);
  CHECK(s.others->generation().observe() == 1);
  const auto members = s.others->members();
  REQUIRE(members.size() == 1);
  CHECK(members[0]->profile() == profile("me", "instance"));
  CHECK(members[0]->number() == 1);
  CHECK(members[0]->is_static());
  CHECK(members[0]->process() == static_cast<std::uint64_t>(::getpid()));
  CHECK(members[0]->has_lease());
  CHECK(s.others->is_member(1));
  CHECK_FALSE(s.others->is_member(2));
  member_profile pattern = profile("you");
  pattern.is_pattern = true;
  pattern.subscription = {"a.*|b"};
  const auto you = s.mine->join(pattern);
  CHECK(s.seen(2)->profile() == pattern);
}

TEST_CASE("numbers of members are given once") {
  sample s(leat_tests::each_kind_of_store());
  auto first = s.mine->join(profile("a"));
  CHECK(first->number() == 1);
  REQUIRE(first->leave());
  s.mine->forget(*first);
  CHECK(s.others->members().empty());
  CHECK(s.mine->join(profile("b"))->number() == 2);
}

TEST_CASE("a member without a lease is dead and one that does not poll is stuck") {
  sample s(leat_tests::each_kind_of_store());
  auto me = s.mine->join(profile("me"));
  const std::int64_t now = leat::os::monotonic_coarse();
  const auto seen = s.seen(1);
  CHECK(seen->look(now).what == state::alive);
  CHECK(seen->look(now + 290 * second).what == state::alive);
  CHECK(seen->look(now + 310 * second).what == state::stuck);
  me->polled(now + 100 * second);
  CHECK(seen->look(now + 310 * second).what == state::alive);
  CHECK(seen->look(now + 410 * second).what == state::stuck);
  me.reset();  // as a death
  CHECK(seen->look(now).what == state::dead);
  CHECK_FALSE(seen->has_lease());
  CHECK_FALSE(seen->is_evicted());
}

TEST_CASE("a static member without a lease has its session time to come back") {
  sample s(leat_tests::each_kind_of_store());
  auto me = s.mine->join(profile("me", "i"));
  const auto seen = s.seen(1);
  const std::int64_t now = leat::os::monotonic_coarse();
  me.reset();
  CHECK(seen->look(now).what == state::alive);  // found without a lease: the time begins
  CHECK(seen->look(now + 44 * second).what == state::alive);
  CHECK(seen->look(now + 46 * second).what == state::dead);
  auto back = s.seen(1);
  REQUIRE(back->take_over(now + 47 * second));
  CHECK(back->is_current());
  CHECK(seen->look(now + 48 * second).what == state::alive);
  CHECK(seen->look(now + 100 * second).what == state::alive);
  back->rest();  // it closes, and may come back
  CHECK_FALSE(back->is_current());
  CHECK(seen->look(now + 101 * second).what == state::alive);
  CHECK(seen->look(now + 147 * second).what == state::dead);
}

TEST_CASE("one of two with the same instance id fences the other") {
  sample s(leat_tests::each_kind_of_store());
  auto first = s.mine->join(profile("me", "i"));
  REQUIRE(first->is_current());
  const auto second_one = s.seen(1);
  REQUIRE(second_one->take_over(leat::os::monotonic_coarse()));
  CHECK(second_one->is_current());
  CHECK_FALSE(first->is_current());
  CHECK(first->is_replaced());
  CHECK_FALSE(second_one->is_replaced());
  CHECK_FALSE(first->leave());
  CHECK(second_one->is_current());
  const auto third = s.seen(1);
  REQUIRE(third->take_over(leat::os::monotonic_coarse()));
  CHECK(second_one->is_replaced());
}

TEST_CASE("a membership is ended once and for all") {
  sample s(leat_tests::each_kind_of_store());
  auto me = s.mine->join(profile("me", "i"));
  const auto one = s.seen(1);
  const auto two = s.seen(1);
  const std::uint64_t life = one->look(leat::os::monotonic_coarse()).life;
  CHECK_FALSE(one->evict(life + 1));  // it was in another life that was looked at
  CHECK(me->is_current());
  CHECK(one->evict(life));
  CHECK_FALSE(two->evict(life));
  CHECK(two->is_evicted());
  CHECK(two->look(leat::os::monotonic_coarse()).what == state::evicted);
  CHECK_FALSE(me->is_current());
  CHECK_FALSE(me->leave());
  CHECK_FALSE(two->take_over(leat::os::monotonic_coarse()));
  CHECK_FALSE(me->is_replaced());
}

TEST_CASE("what ended members left is removed by whoever looks at the members") {
  sample s(leat_tests::each_kind_of_store());
  auto me = s.mine->join(profile("me"));
  auto you = s.mine->join(profile("you"));
  const std::uint64_t before = s.mine->generation().observe();
  REQUIRE(s.seen(1)->evict(1));
  CHECK(s.others->is_member(1));
  const auto left = s.others->members();
  REQUIRE(left.size() == 1);
  CHECK(left[0]->number() == 2);
  CHECK_FALSE(s.others->is_member(1));
  CHECK(s.others->generation().observe() == before + 1);
  CHECK(s.others->members().size() == 1);
  CHECK(s.others->generation().observe() == before + 1);  // once
}

TEST_CASE("nobody joins a group that was deleted") {
  sample s(leat_tests::each_kind_of_store());
  s.others->begin_deletion([] {});
  CHECK(s.mine->join(profile("me")) == nullptr);
}

TEST_CASE("a member file that is damaged or of another group is refused with its path") {
  const sample s;
  const auto me = s.mine->join(profile("me"));
  const std::string file = s.directory() + "/" + me->name();
  const std::string sound = read_file(file);
  const auto look = [&] { (void)s.others->members(); };
  for (std::size_t at = 0; at < 920; ++at) {
    CAPTURE(at);
    poke(file, at, std::string(1, static_cast<char>(sound[at] ^ 0x21)));
    REQUIRE(code_of(look) == (at < 8 ? errc::foreign : at < 12 ? errc::wrong_version : errc::corrupt));
    REQUIRE_THAT(message_of(look), ContainsSubstring(file));
    poke(file, at, sound.substr(at, 1));
  }
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{100}, sound.size() - 5}) {
    write_file(file, sound.substr(0, bytes));
    CHECK(code_of(look) == (bytes < 1088 ? errc::truncated : errc::corrupt));
  }
  write_file(file, sound + std::string(2 << 20, 'x'));
  CHECK(code_of(look) == errc::truncated);
  write_file(file, sound);
  CHECK(code_of(look) == errc::ok);

  std::filesystem::copy_file(file, s.directory() + "/member-0000000009");  // another number
  CHECK(code_of(look) == errc::corrupt);
  std::filesystem::remove(s.directory() + "/member-0000000009");
  const auto elsewhere = group_files::open_or_create(s.temporary.store.files(), "h");
  std::filesystem::copy_file(file, s.temporary.file("groups/h/") + me->name());
  CHECK_THAT(message_of([&] { (void)elsewhere->members(); }), ContainsSubstring("another group"));
}

TEST_CASE("a subscription of more than a MiB is refused and leaves no file") {
  const sample s;
  member_profile p = profile("me");
  p.subscription.assign(5000, std::string(249, 't'));
  CHECK(code_of([&] { (void)s.mine->join(p); }) == errc::invalid_argument);
  CHECK(s.names() == std::set<std::string>{"group"});
  p.subscription.assign(4000, std::string(249, 't'));
  const auto me = s.mine->join(p);
  CHECK(s.others->members().at(0)->profile().subscription.size() == 4000);
}

// --- assignments ---

agreed_assignment some_assignment() {
  agreed_assignment a;
  a.topics = {{"orders", {"0123abcd", 3}}, {"a.b_c-d", {"ffff0000", 1}}};
  a.of_members[1] = {{"orders", 0}, {"orders", 2}, {"a.b_c-d", 0}};
  a.of_members[12] = {{"orders", 1}};
  a.of_members[13] = {};
  return a;
}

TEST_CASE("an assignment is read as it was written") {
  const agreed_assignment a = some_assignment();
  CHECK(a.text() ==
        "leat assignment\ntopic 1 ffff0000 a.b_c-d\ntopic 3 0123abcd orders\n"
        "member 1 orders 0 orders 2 a.b_c-d 0\nmember 12 orders 1\nmember 13\nend\n");
  const auto parsed = agreed_assignment::parse(a.text());
  REQUIRE(parsed);
  CHECK(parsed->topics == a.topics);
  CHECK(parsed->of_members == a.of_members);
  const auto nothing = agreed_assignment::parse(agreed_assignment{}.text());
  REQUIRE(nothing);
  CHECK(nothing->topics.empty());
  CHECK(nothing->of_members.empty());
}

TEST_CASE("an assignment that is cut off anywhere is none") {
  const std::string text = some_assignment().text();
  for (std::size_t bytes = 0; bytes < text.size(); ++bytes) {
    CAPTURE(bytes);
    REQUIRE_FALSE(agreed_assignment::parse(text.substr(0, bytes)));
  }
}

TEST_CASE("a text that is no assignment is none") {
  for (const char* text : {"",
                           "\n",
                           "end\n",
                           "leat\nend\n",
                           "leat assignment\n",
                           "leat assignment\nend",
                           "leat assignment\nend\nmore\n",
                           "leat assignment\nleat assignment\nend\n",
                           "leat assignment\n\nend\n",
                           "leat assignment\ntopic x 01 t\nend\n",
                           "leat assignment\ntopic 4294967296 01 t\nend\n",
                           "leat assignment\ntopic -1 01 t\nend\n",
                           "leat assignment\ntopic 1 t\nend\n",
                           "leat assignment\ntopic 1  t\nend\n",
                           "leat assignment\ntopic\nend\n",
                           "leat assignment\nfoo 1 t\nend\n",
                           "leat assignment\nmember\nend\n",
                           "leat assignment\nmember 1 t\nend\n",
                           "leat assignment\nmember 1 t x\nend\n",
                           "leat assignment\nmember 1 t 1 u\nend\n",
                           "leat assignment\nmember 1 t 99999999999\nend\n"}) {
    CAPTURE(text);
    CHECK_FALSE(agreed_assignment::parse(text));
  }
}

TEST_CASE("no change of a byte of an assignment leads to a crash") {
  const std::string text = some_assignment().text();
  std::size_t refused = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char other : {'\0', '\n', ' ', '9', 'x', '\xff'}) {
      std::string changed = text;
      changed[at] = other;
      if (!agreed_assignment::parse(changed)) ++refused;
    }
  }
  CHECK(refused > text.size());
}

TEST_CASE("the first to publish an assignment for a generation decides") {
  sample s(leat_tests::each_kind_of_store());
  CHECK(s.others->assignment(3) == std::nullopt);
  s.mine->publish(3, some_assignment());
  s.others->publish(3, {});
  CHECK(s.others->assignment(3)->of_members == some_assignment().of_members);
  CHECK(s.mine->assignment(3)->topics == some_assignment().topics);
  s.others->publish(4, {});
  CHECK(s.mine->assignment(4)->of_members.empty());
  CHECK(s.mine->assignment(3) == std::nullopt);  // removed with the next
}

TEST_CASE("a damaged assignment file is refused with its path") {
  const sample s;
  s.mine->publish(1, some_assignment());
  const std::string file = s.directory() + "/assignment-1";
  const auto read = [&] { (void)s.others->assignment(1); };
  write_file(file, some_assignment().text().substr(0, 30));
  CHECK(code_of(read) == errc::corrupt);
  CHECK_THAT(message_of(read), ContainsSubstring(file));
  write_file(file, "");
  CHECK(code_of(read) == errc::truncated);
}

TEST_CASE("what the dead left of a group is removed and what is in use is not") {
  const sample s;
  const auto me = s.mine->join(profile("me"));
  const auto you = s.mine->join(profile("you"));
  s.mine->publish(2, some_assignment());
  write_file(s.directory() + "/~new-dead", "");
  write_file(s.directory() + "/assignment-1", "");
  write_file(s.directory() + "/assignment-x", "");
  CHECK(s.others->remove_leftovers() == 2);
  CHECK(s.names() == std::set<std::string>{"group", me->name(), you->name(), "assignment-2", "assignment-x"});
}

TEST_CASE("whoever joins removes what killed members had in the making, and nothing of living ones") {
  const sample s;
  write_file(s.directory() + "/~new-dead", "half a member");
  const auto folder = leat::os::folder::open(s.directory());
  leat::os::file alive = folder->create("~new-alive", 0600);
  REQUIRE(alive.try_own());
  const auto me = s.mine->join(profile("me"));
  CHECK(s.names() == std::set<std::string>{"group", me->name(), "~new-alive"});
}

}  // namespace unit_group_files
