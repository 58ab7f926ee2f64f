// Members and administrators that are killed at any moment; each time a survivor takes all over, commits, reads on.
#include "support/group_scene.hpp"

#include <algorithm>
#include <thread>

using namespace leat_tests;

namespace crash_group_kill {

/// Kills a victim at a moment, and lets the others go on.
void kill_at(const std::string& path, const group_operation& o, const moment& m) {
  INFO("killed at system call " << m.calls << " and " << m.instructions << " instructions");
  group_scene s(path);
  try {
    o.before(s);
    {
      traced_child v = make_victim(s, o, group_scene::options(), [](consumer&) {});
      v.to_mark();
      o.meanwhile(s);
      run_to(v, m);
      v.kill();
    }
    s.go_on(o.may_forget);
    o.behind(s);
    s.tidy();
  } catch (const std::exception& e) {
    FAIL(e.what());
  }
}

void kill_at_system_calls(const group_operation& o, std::chrono::seconds time) {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  INFO(o.name);
  shared_place place;
  const unsigned calls = count_moments(place.store("count"), o, false);
  const auto deadline = std::chrono::steady_clock::now() + time;
  unsigned done = 0;
  for (const unsigned k : shuffled(calls + 1)) {
    kill_at(place.store(std::to_string(k)), o, {k, 0});
    ++done;
    if (std::chrono::steady_clock::now() > deadline) break;
  }
  INFO("killed at " << done << " of " << calls << " system calls");
  CHECK(done >= std::min(calls, 8u));
}

/// A few system calls and then a random number of instructions; or, where there are few instructions, each of them.
void kill_at_instructions(const group_operation& o, std::chrono::seconds time) {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  INFO(o.name);
  shared_place place;
  const unsigned calls = count_moments(place.store("count"), o, false);
  dice random(60);
  std::vector<unsigned> order;
  if (calls < 20) order = shuffled(count_moments(place.store("count"), o, true) + 1);
  const auto deadline = std::chrono::steady_clock::now() + time;
  unsigned done = 0;
  while (std::chrono::steady_clock::now() < deadline) {
    if (!order.empty() && done == order.size()) break;
    const moment m = order.empty() ? moment{static_cast<unsigned>(random.roll(calls + 1)),
                                            static_cast<unsigned>(random.roll(random.one_in(2) ? 60 : 1000))}
                                   : moment{0, order[done]};
    kill_at(place.store(std::to_string(done)), o, m);
    ++done;
  }
  INFO("killed at " << done << " moments");
  CHECK(done >= 8);
}

/// As if somebody had joined: whoever looks first publishes an assignment.
void advance(group_scene& s) {
  leat::group::group_files::open(leat::store::open(s.path()).files(), "g")->advance_generation();
}

const group_operation joining{.name = "joining for the first time",
                              .act = [](const group_scene& s, consumer& in) { s.join(in); }};

const group_operation leaving{.name = "leaving",
                              .prepare =
                                  [](const group_scene& s, consumer& in) {
                                    s.join(in);
                                    s.read_all(in);
                                    commit_all(s, in, "");
                                  },
                              .act = [](const group_scene&, consumer& in) { in.close(); }};

const group_operation publishing{.name = "publishing an assignment",
                                 .prepare = [](const group_scene& s, consumer& in) { s.join(in); },
                                 .meanwhile = advance,
                                 .act = [](const group_scene& s, consumer& in) { s.read(in); }};

TEST_CASE("members killed at any system call of joining leave the group to the others") {
  kill_at_system_calls(joining, std::chrono::seconds(15));
}

TEST_CASE("members killed at any system call of taking over leave the group to the others") {
  kill_at_system_calls(taking_over(""), std::chrono::seconds(10));
}

TEST_CASE("members killed at any system call of taking over commits with metadata leave the group to the others") {
  kill_at_system_calls(taking_over("their own words"), std::chrono::seconds(10));
}

TEST_CASE("members killed at any system call of leaving leave the group to the others") {
  kill_at_system_calls(leaving, std::chrono::seconds(10));
}

TEST_CASE("members killed at any system call of publishing an assignment leave the group to the others") {
  kill_at_system_calls(publishing, std::chrono::seconds(10));
}

TEST_CASE("members killed at any system call of a commit leave the group to the others") {
  kill_at_system_calls(committing(""), std::chrono::seconds(10));
}

TEST_CASE("members killed at any system call of a commit with metadata leave the group to the others") {
  kill_at_system_calls(committing("its own words"), std::chrono::seconds(10));
}

TEST_CASE("members killed at any instruction of a commit leave the group to the others") {
  kill_at_instructions(committing(""), std::chrono::seconds(10));
}

TEST_CASE("members killed at random instructions of a commit with metadata leave the group to the others") {
  kill_at_instructions(committing("its own words"), std::chrono::seconds(8));
}

TEST_CASE("members killed at random instructions of taking over leave the group to the others") {
  kill_at_instructions(taking_over("their own words"), std::chrono::seconds(8));
}

TEST_CASE("members killed at random instructions of leaving leave the group to the others") {
  kill_at_instructions(leaving, std::chrono::seconds(8));
}

// --- somebody else is a member and stays one ------------------------------------------------------------------------

/// A member that lives on, in this process. What a death leaves is its business alone: nobody joins behind it.
TEST_CASE("a member that stays takes over from one killed at any system call of leaving") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  const group_operation leaves{.name = "leaving",
                               .prepare =
                                   [](const group_scene& s, consumer& in) {
                                     in.subscribe({"log"});
                                     wait_until("the victim has some", [&] {
                                       (void)in.poll(std::chrono::milliseconds(1));
                                       s.page().read[7] = in.owned().size();
                                       return s.page().read[6] != 0;
                                     });
                                   },
                               .act = [](const group_scene&, consumer& in) { in.close(); }};
  const auto run = [&](unsigned k) {
    INFO("killed at system call " << k);
    group_scene s(place.store(std::to_string(k)));
    consumer stays(leat::store::open(s.path()), group_scene::options());
    stays.subscribe({"log"});
    wait_until("it has everything", [&] {
      (void)stays.poll();
      return stays.owned().size() == 3;
    });
    traced_child v = make_victim(s, leaves, group_scene::options(), [](consumer&) {});
    // The victim runs to its mark only while this one gives something up.
    std::thread giver([&] {
      while (s.page().read[7] == 0) (void)stays.poll(std::chrono::milliseconds(1));
      s.page().read[6] = 1;
    });
    v.to_mark();
    giver.join();
    bool within = true;
    for (unsigned i = 0; i < k && within; ++i) within = v.to_system_call() == traced_child::state::stepping;
    v.kill();
    wait_until("the one that stayed has everything again", [&] {
      (void)stays.poll();
      return stays.owned().size() == 3;
    });
    return within;
  };
  unsigned k = 0;
  while (run(k)) ++k;
  CHECK(k > 4);
}

// --- administration -------------------------------------------------------------------------------------------------

TEST_CASE("an administrator killed at any system call of adding partitions leaves the topic whole") {
  const group_operation adding{.name = "adding partitions", .act = [](const group_scene& s, consumer&) {
                                 leat::admin(leat::store::open(s.path())).add_partitions("log", 7);
                               }};
  kill_at_system_calls(adding, std::chrono::seconds(8));
  kill_at_instructions(adding, std::chrono::seconds(8));
}

TEST_CASE("an administrator killed at any system call of deleting records leaves the topic whole") {
  const group_operation deleting{
      .name = "deleting records",
      .act = [](const group_scene& s,
                consumer&) { (void)leat::admin(leat::store::open(s.path())).delete_records({"log", 1}, 4); },
      .may_forget = true};
  kill_at_system_calls(deleting, std::chrono::seconds(8));
}

TEST_CASE("a group whose deleter was killed at any system call can be used and deleted") {
  const group_operation deleting{
      .name = "deleting a group",
      .before = [](group_scene& s) { s.somebody_was_here("their own words"); },
      .act = [](const group_scene& s, consumer&) { (void)leat::admin(leat::store::open(s.path())).delete_group("g"); },
      .behind =
          [](group_scene& s) {
            expect(s.admin().delete_group("g"), "the group cannot be deleted again");
            expect(s.admin().groups().empty(), "a group is left");
            for (const std::string& name : s.log().log()->directory().list()) {
              expect(!name.starts_with("group-") && !name.starts_with("meta-"),
                     [&] { return "this is left: " + name; });
            }
          },
      .may_forget = true};
  kill_at_system_calls(deleting, std::chrono::seconds(10));
}

TEST_CASE("a group whose deleter was killed does not hold segments back once the store was cleaned") {
  watchdog dog;
  shared_place place;
  for (unsigned k = 0;; ++k) {
    INFO("killed at system call " << k);
    group_scene s(place.store(std::to_string(k)));
    s.somebody_was_here("their own words");
    bool within = true;
    {
      traced_child deleter([&] {
        const leat::admin admin(leat::store::open(s.path()));
        traced_child::mark();
        (void)admin.delete_group("g");
        traced_child::mark();
      });
      deleter.to_mark();
      for (unsigned i = 0; i < k && within; ++i) within = deleter.to_system_call() == traced_child::state::stepping;
      deleter.kill();
    }
    // Whoever finds it half deleted deletes it again, or cleans.
    (void)s.admin().delete_group("g");
    (void)s.admin().clean();
    CHECK(s.admin().groups().empty());
    std::vector<std::string> left;
    for (const std::string& name : s.log().log()->directory().list()) {
      if (name.starts_with("group-") || name.starts_with("meta-")) left.push_back(name);
    }
    REQUIRE(left == std::vector<std::string>());
    if (!within) break;
  }
}

}  // namespace crash_group_kill
