// A deleter of a group that is stopped or killed at any moment, while others go on under the group's name: what the next
// group of that name commits stays, and whoever commits for it does not commit into nowhere.
#include "support/file_bytes.hpp"
#include "support/group_scene.hpp"

#include <leat/storage/group_offsets.hpp>

#include <filesystem>

using namespace leat_tests;
using namespace std::chrono_literals;
using leat::errc;

namespace crash_group_deletion {

enum class fate { goes_on, dies };

/// Which group has the name: its id.
std::string incarnation(const group_scene& s) {
  const std::string path = s.path() + "/groups/g/group";
  return std::filesystem::exists(path) ? read_file(path).substr(16, 16) : std::string();
}

/// The deleter is stopped between finding out whether the file of offsets can go, and removing it. Nobody else can use the
/// file then, nor take its name away.
bool is_removing(const group_scene& s) {
  const std::string path = s.path() + "/topics/log/group-g";
  return std::filesystem::exists(path) && read_file(path).at(384) != 0;
}

traced_child make_deleter(const group_scene& s) {
  return traced_child([&s] {
    const leat::admin admin(leat::store::open(s.path()));
    traced_child::mark();
    try {
      (void)admin.delete_group("g");
    } catch (const leat::error& e) {  // others have joined before it looked
      if (e.code() != errc::group_not_empty) throw;
    }
    traced_child::mark();
  });
}

/// Lets `meanwhile` go on beside a deleter that has come to a moment, and `behind` when it has done its work or is dead.
template <class Meanwhile, class Behind>
void beside(group_scene& s, const moment& m, fate f, Meanwhile meanwhile, Behind behind) {
  traced_child deleter = make_deleter(s);
  deleter.to_mark();
  const bool within = run_to(deleter, m);
  const bool removes = f == fate::goes_on && is_removing(s);
  if (f == fate::dies) deleter.kill();
  if (!removes) meanwhile();
  if (f == fate::goes_on && within) deleter.to_mark();
  if (removes) meanwhile();
  behind();
  if (f == fate::goes_on) deleter.kill();
}

void standalone(const std::string& path, const moment& m, fate f) {
  group_scene s(path);
  s.somebody_was_here("their own words");
  auto o = group_scene::options();
  o.partitions = std::vector<std::uint32_t>{0, 1, 2};
  consumer in(s.log(), o);
  const auto commit = [&](std::uint64_t offset) {
    for (std::uint32_t p = 0; p < group_scene::partitions; ++p)
      expect(bool(in.commit({{"log", p}, offset})), "a commit was refused");
  };
  commit(3);
  beside(
      s, m, f, [&] { commit(4); },
      [&] {
        commit(5);
        expect(s.log().log()->find_group("g") != nullptr, "what was committed went nowhere");
        expect(s.committed() == std::vector<std::uint64_t>(group_scene::partitions, 5), "a commit went nowhere");
      });
}

void member(const std::string& path, const moment& m, fate f) {
  group_scene s(path);
  s.somebody_was_here("their own words");
  const std::string former = incarnation(s);
  auto o = group_scene::options();
  o.auto_offset_reset = leat::offset_reset::latest;
  consumer in(leat::store::open(s.path()), o);
  in.subscribe({"log"});
  const auto commit = [&](std::uint64_t offset) {
    wait_until("a member of the group has everything", [&] {
      (void)in.poll(1ms);
      return in.owned().size() == group_scene::partitions;
    });
    for (std::uint32_t p = 0; p < group_scene::partitions; ++p) {
      if (!in.commit({{"log", p}, offset})) return false;
    }
    return true;
  };
  bool is_next = false;
  std::string next;
  beside(
      s, m, f,
      [&] {
        expect(commit(4), "a commit beside a deleter was refused");
        next = incarnation(s);
        is_next = next != former;
      },
      [&] {
        (void)in.poll(1ms);
        if (is_next) {
          expect(incarnation(s) == next, "the next group has lost its name");
          (void)s.admin().clean();
          expect(s.log().log()->find_group("g") != nullptr, "the next group's offsets were removed");
          expect(s.committed() == std::vector<std::uint64_t>(group_scene::partitions, 4),
                 "what the next group had committed is gone");
        }
        wait_until("a member's commits are taken", [&] { return commit(5); });
        expect(s.committed() == std::vector<std::uint64_t>(group_scene::partitions, 5), "a commit went nowhere");
      });
}

template <class Act>
void at_system_calls(Act act, fate f, std::chrono::seconds time) {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  unsigned calls = 0;
  {
    group_scene s(place.store("count"));
    s.somebody_was_here("their own words");
    traced_child deleter = make_deleter(s);
    deleter.to_mark();
    while (deleter.to_system_call() == traced_child::state::stepping) ++calls;
    deleter.kill();
  }
  const auto deadline = std::chrono::steady_clock::now() + time;
  unsigned done = 0;
  dice random(62);
  // First at all of them, as far as the time goes; then some instructions behind one.
  std::vector<unsigned> order = shuffled(calls + 1);
  while (std::chrono::steady_clock::now() < deadline) {
    const moment m = done < order.size() ? moment{order[done], 0}
                                         : moment{static_cast<unsigned>(random.roll(calls + 1)),
                                                  static_cast<unsigned>(random.roll(random.one_in(2) ? 60 : 1000))};
    INFO((f == fate::dies ? "killed" : "stopped")
         << " at system call " << m.calls << " of " << calls << " and " << m.instructions << " instructions");
    try {
      act(place.store(std::to_string(done)), m, f);
    } catch (const std::exception& e) {
      FAIL(e.what());
    }
    ++done;
  }
  INFO("done at " << done << " of " << calls << " system calls");
  CHECK(done >= std::min(calls, 8u));
}

TEST_CASE(
    "who commits without being a member commits to where others look, whenever a deleter of the group is stopped") {
  at_system_calls(standalone, fate::goes_on, 10s);
}

TEST_CASE(
    "who commits without being a member commits to where others look, whenever a deleter of the group is killed") {
  at_system_calls(standalone, fate::dies, 6s);
}

TEST_CASE("what the next group of a name has committed stays, whenever a deleter of the former is stopped") {
  at_system_calls(member, fate::goes_on, 12s);
}

TEST_CASE("what the next group of a name has committed stays, whenever a deleter of the former is killed") {
  at_system_calls(member, fate::dies, 6s);
}

/// Runs on, so many entries to and exits from system calls at most. False when it came to its mark before.
bool run_calls(traced_child& c, unsigned calls) {
  for (; calls > 0; --calls) {
    if (c.to_system_call() != traced_child::state::stepping) return false;
  }
  return true;
}

/// One who removes the file of offsets died with its word raised. One who commits, and is stopped on the way, takes it for
/// what it is; another who removes the file is stopped on its way as well.
struct meeting {
  bool committer_stopped;
  bool remover_stopped;
  bool is_taken;  // the commit
};
meeting commit_beside_remover(const std::string& path, unsigned calls_of_committer, unsigned calls_of_remover) {
  const auto log = make_topic(path, "log", 1).log();
  (void)log->open_group("g");
  poke(path + "/topics/log/group-g", offsetof(leat::format::offsets_header, removal), std::string(1, 1));
  const shared<counter> outcome;
  traced_child committer([&] {
    const auto offsets = log->find_group("g");
    traced_child::mark();
    *outcome = 1 + static_cast<std::uint64_t>(offsets->commit_unowned(0, offsets->owner(0), 3));
    traced_child::mark();
  });
  traced_child remover([&] {
    const auto offsets = log->find_group("g");
    traced_child::mark();
    (void)offsets->remove_if_unused();
    traced_child::mark();
  });
  committer.to_mark();
  remover.to_mark();
  const bool commits = run_calls(committer, calls_of_committer);
  const bool removes = run_calls(remover, calls_of_remover);
  if (commits) committer.to_mark();
  if (removes) remover.to_mark();
  committer.kill();
  remover.kill();
  const bool is_taken = *outcome == 1 + static_cast<std::uint64_t>(errc::ok);
  const auto offsets = log->find_group("g");
  expect(!is_taken || (offsets != nullptr && offsets->committed_position(0) == 3), "a commit went nowhere");
  return {commits, removes, is_taken};
}

TEST_CASE("a commit that takes back a dead remover's word holds, wherever it and another remover are stopped") {
  watchdog dog(280);
  const shared_place place;
  unsigned rounds = 0;
  unsigned taken = 0;
  meeting last{true, true, false};
  for (unsigned c = 0; last.committer_stopped; ++c) {
    for (unsigned r = 0; r == 0 || last.remover_stopped; ++r) {
      INFO("behind " << c << " entries to and exits from system calls of the committer, and " << r
                     << " of the remover");
      const std::string path = place.store(std::to_string(rounds++));
      REQUIRE_NOTHROW(last = commit_beside_remover(path, c, r));
      std::filesystem::remove_all(path);
      taken += last.is_taken ? 1 : 0;
    }
  }
  CHECK(taken > 50);
  CHECK(rounds - taken > 50);
}

}  // namespace crash_group_deletion
