// Members of a group in processes of their own: deaths, stops, names, permissions.
#include <leat/admin.hpp>

#include "support/group_member.hpp"
#include "support/in_child.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include <sched.h>

using namespace leat_tests;
using namespace std::chrono_literals;
using leat::errc;

namespace process_group {

constexpr std::uint64_t code(errc e) { return static_cast<std::uint64_t>(e); }

/// A group "g" on the topic "log".
class scene {
 public:
  explicit scene(std::uint32_t partitions)
      : partitions_(partitions), log_(make_topic(place_.store(), "log", partitions)) {}

  child member(member_page& page, leat::consumer_options options = in_group("g"),
               std::vector<std::string> topics = {"log"}) const {
    return child([this, &page, options, topics] { live(place_.store(), topics, page, options); });
  }

  std::string store() const { return place_.store(); }
  const topic& log() const { return log_; }
  leat::admin admin() const { return leat::admin(leat::store::open(place_.store())); }
  std::uint64_t whole() const { return all(partitions_); }
  std::uint64_t committed(std::uint32_t partition) const {
    const auto offsets = log_.log()->find_group("g");
    return offsets == nullptr ? 0 : offsets->committed_position(partition).value_or(0);
  }
  const std::string& path() const { return place_.path(); }

 private:
  shared_place place_;
  std::uint32_t partitions_;
  topic log_;
};

TEST_CASE("a killed member's partitions pass to the others at once and nothing else changes hands") {
  watchdog dog;
  const scene s(12);
  shared<std::array<member_page, 3>> page;
  std::vector<child> members;
  for (unsigned i = 0; i < 3; ++i) members.push_back(s.member((*page)[i]));
  const auto masks = [&] { return std::array<std::uint64_t, 3>{(*page)[0].owned, (*page)[1].owned, (*page)[2].owned}; };
  wait_until("each has four", [&] {
    const auto m = masks();
    return divided({m[0], m[1], m[2]}, s.whole()) &&
           std::ranges::all_of(m, [](auto x) { return std::popcount(x) == 4; });
  });
  const auto before = masks();
  const std::uint64_t revoked[] = {(*page)[0].revoked, (*page)[1].revoked, (*page)[2].revoked};
  // max_poll_interval is 300 s: were it needed, this would fail.
  members[1].kill();
  wait_until("the others have them", [&] { return divided({(*page)[0].owned, (*page)[2].owned}, s.whole()); });
  for (const unsigned i : {0u, 2u}) {
    CHECK(((*page)[i].owned & before[i]) == before[i]);
    CHECK((*page)[i].revoked == revoked[i]);
    CHECK((*page)[i].lost == 0);
    CHECK(std::popcount((*page)[i].owned.load()) == 6);
  }
  CHECK(s.admin().describe_group("g").members.size() == 2);
  CHECK(s.admin().describe_group("g").evictions == 1);
}

TEST_CASE("a stopped member keeps its own and hinders nobody at theirs") {
  watchdog dog;
  const scene s(4);
  shared<std::array<member_page, 2>> page;
  child stopped = s.member((*page)[0]);
  child other = s.member((*page)[1]);
  wait_until("each has two", [&] {
    return divided({(*page)[0].owned, (*page)[1].owned}, s.whole()) && std::popcount((*page)[0].owned.load()) == 2;
  });
  const std::uint64_t its = (*page)[0].owned;
  stopped.stop();
  producer out(s.log());
  const std::uint64_t read = (*page)[1].read;
  for (std::uint64_t n = 0; n < 50; ++n) send_to_all(out, 4, n);
  wait_until("the other has read all of its own", [&] { return (*page)[1].read == read + 100; });
  const std::uint64_t polls = (*page)[1].polls;
  wait_until("it has looked around many times", [&] { return (*page)[1].polls > polls + 20; });
  CHECK((*page)[1].owned == (s.whole() & ~its));
  stopped.resume();
  wait_until("it reads on", [&] { return (*page)[0].read == 100; });
  CHECK((*page)[0].lost == 0);
  CHECK((*page)[0].owned == its);
}

TEST_CASE("a member that stood still for too long is fenced when it wakes and joins again") {
  watchdog dog;
  const scene s(4);
  shared<std::array<member_page, 2>> page;
  auto options = in_group("g");
  options.enable_auto_commit = false;
  options.max_poll_interval = 60s;
  auto impatient = options;
  impatient.max_poll_interval = 100ms;
  child stopped = s.member((*page)[0], impatient);
  child other = s.member((*page)[1], options);
  wait_until("each has two", [&] {
    return divided({(*page)[0].owned, (*page)[1].owned}, s.whole()) && std::popcount((*page)[0].owned.load()) == 2;
  });
  producer out(s.log());
  for (std::uint64_t n = 0; n < 10; ++n) send_to_all(out, 4, n);
  const auto all_read = [&] { return (*page)[0].read + (*page)[1].read >= 40; };
  wait_until("all is read", all_read);
  (*page)[0].hold = 1;
  wait_until("it stands behind a poll", [&] { return (*page)[0].held == 1; });
  stopped.stop();
  wait_until("the other has all", [&] { return (*page)[1].owned == s.whole(); });
  wait_until("and has read again what was not committed", [&] { return (*page)[1].read >= 40; });
  const auto committed = [&] {
    std::vector<leat::format::commit_value> words;
    const auto offsets = s.log().log()->find_group("g");
    for (std::uint32_t p = 0; p < 4; ++p) words.push_back({0, false, offsets->committed_position(p).value_or(999)});
    return words;
  };
  (*page)[1].commit = 1;
  wait_until("the other has committed", [&] { return (*page)[1].commit == 2; });
  const auto before = committed();
  CHECK(before[0].offset == 10);
  const std::uint64_t fenced = s.admin().describe_group("g").fenced_commits;

  (*page)[0].commit = 1;
  stopped.resume();
  (*page)[0].hold = 0;
  wait_until("it has tried to commit", [&] { return (*page)[0].commit >= 2 || !stopped.running(); });
  CHECK((*page)[0].commit == 2 + code(errc::fenced));
  CHECK(committed() == before);
  CHECK(s.admin().describe_group("g").fenced_commits > fenced);
  wait_until("it was told, and has joined again", [&] {
    return (*page)[0].lost == 2 && divided({(*page)[0].owned, (*page)[1].owned}, s.whole()) && (*page)[0].owned != 0;
  });
  CHECK((*page)[1].lost == 0);
  CHECK(committed() == before);
}

/// A member in a pid namespace of its own, where its number is 1.
child in_pid_namespace(const scene& s, member_page& page, counter& refused) {
  return child([&] {
    if (::unshare(CLONE_NEWPID) != 0) {
      refused = 1;
      return;
    }
    const pid_t member = ::fork();
    if (member == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      try {
        live(s.store(), {"log"}, page, in_group("g"));
        ::_exit(0);
      } catch (const std::exception&) {
        ::_exit(1);
      }
    }
    int status = 0;
    ::waitpid(member, &status, 0);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the member in the namespace failed");
  });
}

TEST_CASE("members in different pid namespaces see each other's life and death whatever their numbers are") {
  watchdog dog;
  const scene s(4);
  shared<std::array<member_page, 3>> page;
  shared<counter> refused;
  child first = in_pid_namespace(s, (*page)[0], *refused);
  wait_until("the first has all", [&] { return (*page)[0].owned == s.whole() || *refused != 0; });
  if (*refused != 0) SKIP("this user may not make pid namespaces");
  child second = in_pid_namespace(s, (*page)[1], *refused);
  const auto shared_out = [&](unsigned a, unsigned b) {
    return divided({(*page)[a].owned, (*page)[b].owned}, s.whole()) && (*page)[a].owned != 0 && (*page)[b].owned != 0;
  };
  wait_until("both have some", [&] { return shared_out(0, 1); });
  CHECK((*page)[0].pid == 1);
  CHECK((*page)[1].pid == 1);
  const auto described = s.admin().describe_group("g");
  REQUIRE(described.members.size() == 2);
  for (const auto& m : described.members) {
    CHECK(m.alive);
    CHECK(m.process == 1);
  }
  // Its number is in use all the time, by the other and then by its successor.
  first.kill();
  wait_until("the second has all", [&] { return (*page)[1].owned == s.whole(); });
  CHECK((*page)[1].lost == 0);
  child third = in_pid_namespace(s, (*page)[2], *refused);
  wait_until("the third has some", [&] { return shared_out(1, 2); });
  CHECK((*page)[2].pid == 1);
}

TEST_CASE("a forked child does not keep its parent's membership alive and may not use it") {
  watchdog dog;
  const scene s(4);
  shared<std::array<member_page, 2>> page;
  shared<std::array<counter, 4>> said;
  child other = s.member((*page)[1]);
  child parent([&] {
    consumer in(leat::store::open(s.store()), in_group("g"));
    in.subscribe({"log"}, noting((*page)[0]));
    while ((*page)[0].owned == 0) {
      (void)in.poll(2ms);
      note_owned(in, "log", (*page)[0]);
    }
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::alarm(child::lifetime);
      (*said)[1] = code(in.poll().error());
      (*said)[2] = code(in.commit().error());
      (*said)[0] = 1;
      for (;;) ::pause();  // with everything that it inherited
    }
    (*said)[3] = static_cast<std::uint64_t>(pid);
    poll_on(in, "log", (*page)[0]);
  });
  wait_until("the child has tried", [&] { return ((*said)[0] == 1 && (*said)[3] != 0) || !parent.running(); });
  CHECK((*said)[1] == code(errc::forked));
  CHECK((*said)[2] == code(errc::forked));
  const std::uint64_t polls = (*page)[0].polls;
  wait_until("the parent goes on", [&] { return (*page)[0].polls > polls + 5; });
  CHECK((*page)[0].lost == 0);
  CHECK(std::popcount((*page)[0].owned.load()) == 2);
  parent.kill();
  wait_until("the other has all", [&] { return (*page)[1].owned == s.whole(); });
  CHECK(::kill(static_cast<pid_t>((*said)[3]), 0) == 0);  // the child is still there
  ::kill(static_cast<pid_t>((*said)[3]), SIGKILL);
}

// --- static members -------------------------------------------------------------------------------------------------

leat::consumer_options with_instance(const std::string& id, std::chrono::nanoseconds session) {
  auto options = in_group("g");
  options.group_instance_id = id;
  options.session_timeout = session;
  return options;
}

TEST_CASE("a static member killed and restarted in its session has its partitions again and nobody is told anything") {
  watchdog dog;
  const scene s(6);
  shared<std::array<member_page, 3>> page;
  child killed = s.member((*page)[0], with_instance("one", 1h));
  child other = s.member((*page)[1], with_instance("two", 1h));
  wait_until("each has three", [&] {
    return divided({(*page)[0].owned, (*page)[1].owned}, s.whole()) && std::popcount((*page)[0].owned.load()) == 3;
  });
  const std::uint64_t its = (*page)[0].owned;
  const std::uint64_t told[] = {(*page)[1].assigned, (*page)[1].revoked, (*page)[1].lost};
  for (int i = 0; i < 3; ++i) {
    killed.kill();
    const std::uint64_t polls = (*page)[1].polls;
    wait_until("the other has looked around many times", [&] { return (*page)[1].polls > polls + 20; });
    CHECK((*page)[1].owned == (s.whole() & ~its));
    (*page)[0].owned = 0;
    killed = s.member((*page)[0], with_instance("one", 1h));
    wait_until("it has them again", [&] { return (*page)[0].owned == its || !killed.running(); });
    CHECK((*page)[1].assigned == told[0]);
    CHECK((*page)[1].revoked == told[1]);
    CHECK((*page)[1].lost == told[2]);
  }
  CHECK(s.admin().describe_group("g").members.size() == 2);
}

TEST_CASE("a static member that does not come back in its session loses its partitions") {
  watchdog dog;
  const scene s(6);
  shared<std::array<member_page, 2>> page;
  child killed = s.member((*page)[0], with_instance("one", 50ms));
  child other = s.member((*page)[1], with_instance("two", 50ms));
  wait_until("each has three", [&] {
    return divided({(*page)[0].owned, (*page)[1].owned}, s.whole()) && std::popcount((*page)[0].owned.load()) == 3;
  });
  SECTION("killed") { killed.kill(); }
  SECTION("closed") {
    const std::uint64_t revoked = (*page)[0].revoked;
    (*page)[0].stop = 1;
    killed.join();
    CHECK((*page)[0].revoked == revoked + 3);
  }
  wait_until("the other has all", [&] { return (*page)[1].owned == s.whole(); });
  CHECK((*page)[1].lost == 0);
}

TEST_CASE("a second member of the same instance id fences the first for good") {
  watchdog dog;
  const scene s(6);
  shared<std::array<member_page, 3>> page;
  child first = s.member((*page)[0], with_instance("one", 1h));
  child other = s.member((*page)[1], with_instance("two", 1h));
  wait_until("each has three", [&] {
    return divided({(*page)[0].owned, (*page)[1].owned}, s.whole()) && std::popcount((*page)[0].owned.load()) == 3;
  });
  const std::uint64_t its = (*page)[0].owned;
  const std::uint64_t told = (*page)[1].assigned + (*page)[1].revoked + (*page)[1].lost;
  child second = s.member((*page)[2], with_instance("one", 1h));
  wait_until("the second has what the first had", [&] { return (*page)[2].owned == its; });
  wait_until("the first knows", [&] { return (*page)[0].last_error == code(errc::fenced) || !first.running(); });
  CHECK((*page)[0].owned == 0);
  CHECK((*page)[0].lost == 3);
  const std::uint64_t polls = (*page)[0].polls;
  wait_until("the first tries again", [&] { return (*page)[0].polls > polls + 20; });
  CHECK((*page)[2].lost == 0);
  CHECK((*page)[2].owned == its);
  CHECK((*page)[1].assigned + (*page)[1].revoked + (*page)[1].lost == told);
  CHECK(s.admin().describe_group("g").members.size() == 2);
}

TEST_CASE("a static member that stood still, was ended and replaced meanwhile does not take its place back") {
  watchdog dog;
  const scene s(4);
  shared<std::array<member_page, 3>> page;
  auto options = with_instance("one", 1h);
  options.max_poll_interval = 1s;
  child stopped = s.member((*page)[0], options);
  child other = s.member((*page)[1]);
  wait_until("each has two", [&] {
    return divided({(*page)[0].owned, (*page)[1].owned}, s.whole()) && std::popcount((*page)[0].owned.load()) == 2;
  });
  stopped.stop();
  wait_until("the other has all", [&] { return (*page)[1].owned == s.whole(); });
  options.max_poll_interval = GENERATE(1s, std::chrono::seconds(1h));
  child successor = s.member((*page)[2], options);
  wait_until("the successor has two", [&] { return std::popcount((*page)[2].owned.load()) == 2; });
  const std::uint64_t its = (*page)[2].owned;
  stopped.resume();
  wait_until("the first knows", [&] { return (*page)[0].last_error == code(errc::fenced) || !stopped.running(); });
  CHECK((*page)[0].owned == 0);
  CHECK((*page)[0].lost == 2);
  const std::uint64_t polls = (*page)[2].polls;
  wait_until("the successor polls on", [&] { return (*page)[2].polls > polls + 20; });
  CHECK((*page)[2].last_error == 0);
  CHECK((*page)[2].owned == its);
  CHECK(s.admin().describe_group("g").members.size() == 2);
}

// --- topics that come and go ----------------------------------------------------------------------------------------

TEST_CASE("a topic deleted in use is lost to its members, who go on with the others") {
  watchdog dog;
  const scene s(4);
  const topic second = make_topic(s.store(), "second", 4);
  shared<std::array<member_page, 2>> page;
  std::vector<child> members;
  for (unsigned i = 0; i < 2; ++i) members.push_back(s.member((*page)[i], in_group("g"), {"log", "second"}));
  wait_until("all is owned", [&] {
    return divided({(*page)[0].owned, (*page)[1].owned}, s.whole()) &&
           divided({(*page)[0].owned_elsewhere, (*page)[1].owned_elsewhere}, all(4)) &&
           ((*page)[0].owned | (*page)[0].owned_elsewhere) != 0 && ((*page)[1].owned | (*page)[1].owned_elsewhere) != 0;
  });
  CHECK(s.admin().delete_topic("second"));
  for (unsigned i = 0; i < 2; ++i) {
    wait_until("it was told", [&] { return (*page)[i].last_error == code(errc::closed) || !members[i].running(); });
  }
  wait_until("only the other topic is owned", [&] {
    return divided({(*page)[0].owned, (*page)[1].owned}, s.whole()) && (*page)[0].owned_elsewhere == 0 &&
           (*page)[1].owned_elsewhere == 0;
  });
  CHECK((*page)[0].lost + (*page)[1].lost == 4);
  producer out(s.log());
  send_to_all(out, 4, 0);
  wait_until("they read on", [&] { return (*page)[0].read + (*page)[1].read == 4; });
}

TEST_CASE("a topic that comes and goes and comes again never fails its members otherwise than by closed") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  const scene s(2);
  shared<std::array<member_page, 3>> page;
  shared<counter> stop;
  std::vector<child> members;
  for (unsigned i = 0; i < 2; ++i) members.push_back(s.member((*page)[i], in_group("g"), {"log", "second"}));
  members.emplace_back([&] {
    consumer in(leat::store::open(s.store()), in_group("g"));
    in.subscribe_pattern("log|second", noting((*page)[2]));
    poll_on(in, "log", (*page)[2]);
  });
  dice random(3);
  const auto admin = s.admin();
  for (unsigned lap = 0; lap < rounds(150); ++lap) {
    (void)make_topic(s.store(), "second", 4);
    spin(random.roll(3'000'000));
    CHECK(admin.delete_topic("second"));
    spin(random.roll(3'000'000));
    for (child& m : members) REQUIRE(m.running());
  }
  const topic second = make_topic(s.store(), "second", 4);
  wait_until("all is owned", [&] {
    return divided({(*page)[0].owned, (*page)[1].owned, (*page)[2].owned}, s.whole()) &&
           divided({(*page)[0].owned_elsewhere, (*page)[1].owned_elsewhere, (*page)[2].owned_elsewhere}, all(4));
  });
  for (const member_page& p : *page) {
    const bool as_it_should = p.last_error == 0 || p.last_error == code(errc::closed);
    CHECK(as_it_should);
  }
  CHECK((*page)[2].last_error == 0);
  for (member_page& p : *page) p.stop = 1;
  for (child& m : members) m.join();
}

TEST_CASE(
    "a topic created later is read by those who named it and those whose pattern it matches from its first record") {
  watchdog dog;
  const scene s(1);
  shared<std::array<member_page, 2>> page;
  auto latest = in_group("by-name");
  latest.auto_offset_reset = leat::offset_reset::latest;
  child by_name = s.member((*page)[0], latest, {"later", "log"});
  child by_pattern([&] {
    auto options = in_group("by-pattern");
    options.auto_offset_reset = leat::offset_reset::latest;
    consumer in(leat::store::open(s.store()), options);
    in.subscribe_pattern("lat.*|log", noting((*page)[1]));
    poll_on(in, "later", (*page)[1]);
  });
  wait_until("both have what is there",
             [&] { return (*page)[0].owned_elsewhere == 1 && (*page)[1].owned_elsewhere == 1; });
  const topic later = make_topic(s.store(), "later", 3);
  {
    producer out(later);
    for (std::uint64_t n = 0; n < 5; ++n) send_to_all(out, 3, n);
  }
  wait_until("both have read all of it", [&] { return (*page)[0].read == 15 && (*page)[1].read == 15; });
  CHECK((*page)[0].owned == all(3));
  CHECK((*page)[1].owned == all(3));
}

TEST_CASE("partitions that are added are taken up by members and by producers") {
  watchdog dog;
  const scene s(2);
  shared<std::array<member_page, 2>> page;
  shared<std::array<counter, 2>> sent;
  std::vector<child> members;
  auto latest = in_group("g");
  latest.auto_offset_reset = leat::offset_reset::latest;
  for (unsigned i = 0; i < 2; ++i) members.push_back(s.member((*page)[i], latest));
  wait_until("each has one", [&] { return (*page)[0].owned != 0 && (*page)[1].owned != 0; });
  child sender([&] {
    producer out(open_log(s.store()));
    for (std::uint64_t n = 0; (*sent)[1] < 64; ++n) {  // that many in added partitions
      const auto at = out.send(key_of(7, n), view(payload(7, n, 30))).value();
      if (at.partition >= 2) ++(*sent)[1];
      ++(*sent)[0];
    }
  });
  s.admin().add_partitions("log", 8);
  sender.join();
  wait_until("all eight are owned", [&] { return divided({(*page)[0].owned, (*page)[1].owned}, all(8)); });
  wait_until("everything is read", [&] { return (*page)[0].read + (*page)[1].read == (*sent)[0]; });
  CHECK(std::popcount((*page)[0].owned.load()) == 4);
}

TEST_CASE("several topics of one subscription are shared out and read to the end") {
  watchdog dog;
  const scene s(3);
  const topic second = make_topic(s.store(), "second", 5);
  shared<std::array<member_page, 2>> page;
  std::vector<child> members;
  for (unsigned i = 0; i < 2; ++i) members.push_back(s.member((*page)[i], in_group("g"), {"log", "second"}));
  producer first_out(s.log());
  producer second_out(second);
  for (std::uint64_t n = 0; n < 20; ++n) {
    send_to_all(first_out, 3, n);
    send_to_all(second_out, 5, n);
  }
  wait_until("all is read", [&] { return (*page)[0].read + (*page)[1].read == 160; });
  wait_until("each has four", [&] {
    return std::popcount((*page)[0].owned.load()) + std::popcount((*page)[0].owned_elsewhere.load()) == 4 &&
           divided({(*page)[0].owned, (*page)[1].owned}, all(3)) &&
           divided({(*page)[0].owned_elsewhere, (*page)[1].owned_elsewhere}, all(5));
  });
  for (unsigned i = 0; i < 2; ++i) (*page)[i].stop = 1;
  for (child& m : members) m.join();
  for (const auto& o : s.admin().describe_group("g").offsets) CHECK(o.committed == 20);
}

// --- groups ---------------------------------------------------------------------------------------------------------

TEST_CASE("a group whose members sleep cannot be deleted") {
  watchdog dog;
  const scene s(2);
  shared<member_page> page;
  child member([&] { live(s.store(), {"log"}, *page, in_group("g"), 1h); });
  wait_until("the member has all and sleeps", [&] {
    const auto admin = s.admin();
    const auto groups = admin.groups();
    if (groups.empty()) return false;
    const auto d = admin.describe_group("g");
    return d.members.size() == 1 && d.members[0].partitions.size() == 2 && member.asleep();
  });
  CHECK_THROWS_AS(s.admin().delete_group("g"), leat::error);
  try {
    (void)s.admin().delete_group("g");
  } catch (const leat::error& e) {
    CHECK(e.code() == errc::group_not_empty);
  }
  member.kill();
  CHECK(s.admin().delete_group("g"));
  CHECK(s.admin().groups().empty());
}

TEST_CASE("who may only read cannot join a group and is told so") {
  if (::geteuid() != 0) SKIP("only root can become other users");
  watchdog dog;
  temporary_directory directory("/dev/shm");
  ::chmod(directory.path().c_str(), 0711);
  const std::string path = directory.path() + "/store";
  const auto store = leat::store::open(path, {.directory_mode = 0755});
  leat::topic_options options = tiny(0, 2);
  options.file_mode = 0644;
  const auto log = store.topic<leat::bytes_view>("log", options);
  producer out(log);
  send_to_all(out, 2, 0);
  const auto try_to_join = [&] {
    return in_child([&]() -> std::string {
      if (!become(ordinary_user)) return "could not become another user";
      const auto opened = leat::store::open(path, {.mode = leat::open_mode::open, .owner = 0});
      consumer in(opened, in_group("g"));
      in.subscribe({"log"});
      try {
        (void)in.poll();
      } catch (const leat::error& e) {
        return e.code() == errc::permission_denied ? "permission denied" : e.what();
      }
      return "it joined";
    });
  };
  CHECK(try_to_join() == "permission denied");  // there is no group yet
  consumer member(store, in_group("g"));
  member.subscribe({"log"});
  CHECK(member.poll().size() == 2);
  CHECK(try_to_join() == "permission denied");
  CHECK(member.poll().error() == errc::ok);
  CHECK(member.owned().size() == 2);
}

TEST_CASE("two groups do not touch each other") {
  watchdog dog;
  const scene s(4);
  shared<std::array<member_page, 4>> page;
  std::vector<child> members;
  for (unsigned i = 0; i < 4; ++i) members.push_back(s.member((*page)[i], in_group(i < 2 ? "one" : "two")));
  const auto shared_out = [&](unsigned a, unsigned b) {
    return divided({(*page)[a].owned, (*page)[b].owned}, s.whole()) && std::popcount((*page)[a].owned.load()) == 2;
  };
  wait_until("both groups are at work", [&] { return shared_out(0, 1) && shared_out(2, 3); });
  producer out(s.log());
  for (std::uint64_t n = 0; n < 30; ++n) send_to_all(out, 4, n);
  wait_until("both have read all",
             [&] { return (*page)[0].read + (*page)[1].read == 120 && (*page)[2].read + (*page)[3].read == 120; });
  const std::uint64_t told = (*page)[2].assigned + (*page)[3].assigned;
  members[0].kill();
  wait_until("the survivor has all", [&] { return (*page)[1].owned == s.whole(); });
  CHECK((*page)[2].assigned + (*page)[3].assigned == told);
  CHECK((*page)[2].revoked + (*page)[3].revoked + (*page)[2].lost + (*page)[3].lost <= told);
  CHECK(shared_out(2, 3));
}

TEST_CASE("of twenty members over seven partitions thirteen are idle until they are needed") {
  watchdog dog;
  const scene s(7);
  constexpr unsigned count = 20;
  shared<std::array<member_page, count>> page;
  std::vector<child> members;
  for (unsigned i = 0; i < count; ++i) members.push_back(s.member((*page)[i]));
  const auto settled = [&](unsigned alive) {
    std::uint64_t joined = 0;
    unsigned owners = 0;
    for (const member_page& p : *page) {
      const std::uint64_t mask = p.owned;
      if ((joined & mask) != 0 || std::popcount(mask) > (alive >= 7 ? 1 : 7)) return false;
      joined |= mask;
      owners += mask != 0 ? 1 : 0;
    }
    return joined == s.whole() && owners == std::min(alive, 7u);
  };
  wait_until("seven have one each", [&] { return settled(count); });
  for (unsigned alive = count; alive > 3;) {
    // Those who have something die.
    unsigned died = 0;
    for (unsigned i = 0; i < count && died < 4 && alive > 3; ++i) {
      if ((*page)[i].owned == 0 || members[i].pid() <= 0) continue;
      members[i].kill();
      (*page)[i].owned = 0;
      ++died;
      --alive;
    }
    wait_until("others have taken their place", [&] { return settled(alive); });
  }
}

}  // namespace process_group
