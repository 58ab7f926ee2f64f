// Stores in places that others have prepared, with files that are none of leat's: what is refused, and with which words.
// The rules are in docs/operations.md; see also permissions.cpp and damage.cpp.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/in_child.hpp"
#include "support/processes.hpp"
#include "support/read_all.hpp"
#include "support/temporary_store.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace unit_hostile_places {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using leat::errc;
using leat_tests::another_user;
using leat_tests::as;
using leat_tests::become;
using leat_tests::code_of;
using leat_tests::in_child;
using leat_tests::message_of;
using leat_tests::ordinary_user;

/// A store with a topic "t" and a group "g" that has committed with metadata; nobody uses it.
struct sample {
  leat_tests::temporary_directory place;
  std::string path = place.path() + "/store";

  sample() {
    const auto topic = open().topic<std::string>("t", {.segment_bytes = 16384});
    (void)leat::producer(topic).send("value").value();
    auto in = member();
    for (int i = 0; i < 3; ++i) (void)in.poll().begin();
    in.commit({{"t", 0}, 1, "note"}).value();
  }
  leat::store open() const { return leat::store::open(path); }
  leat::consumer<std::string> member() const {
    leat::consumer<std::string> in{open(),
                                   {.auto_offset_reset = leat::offset_reset::earliest,
                                    .group = "g",
                                    .group_instance_id = "static",
                                    .session_timeout = std::chrono::hours(1)}};
    in.subscribe({"t"});
    return in;
  }
  std::string first_with(const std::string& folder, const std::string& prefix) const {
    for (const std::string& name : leat_tests::names_in(path + "/" + folder)) {
      if (name.starts_with(prefix)) return folder + "/" + name;
    }
    throw std::runtime_error("no " + prefix + " in " + folder);
  }
  /// All that looks into the group's files.
  std::string use_group() const {
    return message_of([&] {
      (void)leat::admin(open()).describe_group("g");
      auto in = member();
      for (int i = 0; i < 3; ++i) (void)in.poll().begin();
      (void)in.committed({"t", 0});
    });
  }
};

TEST_CASE("something else in the place of a group's file is foreign and never waited for") {
  const sample s;
  REQUIRE(s.use_group() == "no error");
  const std::string aside = s.place.path() + "/aside";
  const std::pair<const char*, std::function<void(const std::string&)>> kinds[] = {
      {"directory", [](const std::string& path) { std::filesystem::create_directory(path); }},
      {"link", [&](const std::string& path) { std::filesystem::create_symlink(aside, path); }},
      {"dangling link", [](const std::string& path) { std::filesystem::create_symlink("nowhere", path); }},
      {"pipe", [](const std::string& path) { ::mkfifo(path.c_str(), 0600); }}};
  const std::string files[] = {"groups/g/group", s.first_with("groups/g", "member-"),
                               s.first_with("groups/g", "assignment-"), "topics/t/group-g",
                               s.first_with("topics/t", "meta-")};
  for (const std::string& name : files) {
    for (const auto& [kind, make] : kinds) {
      CAPTURE(name, kind);
      const std::string file = s.path + "/" + name;
      std::filesystem::rename(file, aside);
      make(file);
      CHECK_THAT(in_child([&] { return s.use_group(); }, 10), StartsWith(file) && ContainsSubstring("not a leat file"));
      std::filesystem::remove_all(file);
      std::filesystem::rename(aside, file);
    }
  }
  for (const auto& [kind, make] : kinds) {
    if (std::string(kind) == "directory") continue;
    CAPTURE(kind);
    std::filesystem::rename(s.path + "/groups/g", aside);
    make(s.path + "/groups/g");
    CHECK_THAT(s.use_group(), StartsWith(s.path + "/groups/g") && ContainsSubstring("not a leat file"));
    std::filesystem::remove_all(s.path + "/groups/g");
    std::filesystem::rename(aside, s.path + "/groups/g");
  }
  CHECK(s.use_group() == "no error");
}

TEST_CASE("names with slashes and dots lead nowhere else") {
  const sample s;
  const std::filesystem::path outside = s.place.path() + "/outside";
  std::filesystem::create_directory(outside);
  for (const char* name : {"..", ".", "", "../outside", "a/b", "/etc", "t/../t", "a b", "t\n", "~new-x"}) {
    CAPTURE(name);
    CHECK(code_of([&] { (void)s.open().topic<std::string>(name); }) == errc::name_invalid);
    CHECK(code_of([&] { (void)s.open().remove_topic(name); }) == errc::name_invalid);
    CHECK(code_of([&] { (void)s.open().raw_topic(name); }) == errc::name_invalid);
    CHECK(code_of([&] { (void)leat::admin(s.open()).describe_group(name); }) == errc::name_invalid);
    CHECK(code_of([&] { (void)leat::admin(s.open()).delete_group(name); }) == errc::name_invalid);
    if (*name == '\0') continue;  // a consumer without a group
    CHECK(code_of([&] {
            leat::consumer<std::string> in{s.open(), {.group = name}};
            in.subscribe({"t"});
            (void)in.poll().begin();
          }) == errc::name_invalid);
  }
  CHECK(std::filesystem::is_empty(outside));
  CHECK(s.open().topics() == std::vector<std::string>{"t"});
}

TEST_CASE("what others have put among the topics and groups is named where it is met and disturbs nothing else") {
  const sample s;
  std::ofstream(s.path + "/topics/notes.txt") << "hello";
  std::filesystem::create_directory(s.path + "/topics/a name");
  std::ofstream(s.path + "/groups/notes.txt") << "hello";
  CHECK(leat_tests::values_of(s.open().topic<std::string>("t")) == std::vector<std::string>{"value"});
  CHECK(s.use_group() == "no error");
  const leat::admin admin(s.open());
  const auto paths_of = [](const std::vector<leat::finding>& skipped) {
    std::vector<std::string> paths;
    for (const leat::finding& f : skipped) paths.push_back(f.path);
    return paths;
  };
  std::vector strange{s.path + "/topics/a name", s.path + "/topics/notes.txt"};
  CHECK(paths_of(admin.describe_group("g").skipped) == strange);
  CHECK_THAT(message_of([&] { (void)s.open().describe_topic("notes.txt"); }),
             StartsWith(s.path + "/topics/notes.txt") && ContainsSubstring("not a leat file"));
  CHECK_THAT(message_of([&] { (void)leat::admin(s.open()).describe_group("notes.txt"); }),
             StartsWith(s.path + "/groups/notes.txt") && ContainsSubstring("not a leat file"));
  strange.push_back(s.path + "/groups/notes.txt");
  CHECK(paths_of(admin.clean().skipped) == strange);
  auto in = s.member();
  for (int i = 0; i < 3; ++i) (void)in.poll().begin();
  CHECK(in.owned().size() == 1);
}

TEST_CASE("a store in a directory for everybody is its maker's alone, whether that is sticky or not") {
  if (::geteuid() != 0) SKIP("becoming another user needs root");
  for (const mode_t mode : {01777u, 0777u}) {
    CAPTURE(mode);
    const leat_tests::temporary_directory place;
    ::chmod(place.path().c_str(), mode);
    const std::string path = place.path() + "/leat.market";
    const auto open = [&] { return message_of([&] { leat::store::open(path); }); };

    REQUIRE(as(another_user, open) == "no error");  // was there first
    CHECK_THAT(as(ordinary_user, open), StartsWith(path) && ContainsSubstring("permission denied"));
    CHECK_THAT(open(), StartsWith(path) && ContainsSubstring("belongs to user " + std::to_string(another_user)));
    CHECK(code_of([&] { leat::store::remove(path); }) == errc::permission_denied);
    CHECK(as(another_user, open) == "no error");
    CHECK(as(another_user, [&] { return std::to_string(leat::store::remove(path)); }) == "1");
    CHECK(as(ordinary_user, open) == "no error");
  }
}

TEST_CASE("what another user has left under a store's name is refused and kept") {
  if (::geteuid() != 0) SKIP("becoming another user needs root");
  const leat_tests::temporary_directory place;
  ::chmod(place.path().c_str(), 01777);
  const std::string path = place.path() + "/leat.market";
  const auto open = [&] {
    return message_of([&] { leat::store::open(path, {.mode = leat::open_mode::open_or_create}); });
  };
  const std::pair<const char*, std::function<void()>> leftovers[] = {
      {"an empty directory that everybody may read",
       [&] {
         ::mkdir(path.c_str(), 0755);
         ::chmod(path.c_str(), 0755);
       }},
      {"one that everybody may write to",
       [&] {
         ::mkdir(path.c_str(), 0777);
         ::chmod(path.c_str(), 0777);
       }},
      {"a file", [&] { std::ofstream(path) << "x"; }},
      {"a link to what the user may write to", [&] { std::filesystem::create_symlink("/tmp", path); }}};
  for (const auto& [what, leave] : leftovers) {
    CAPTURE(what);
    REQUIRE(as(another_user, [&]() -> std::string {
              leave();
              return {};
            }) == "");
    CHECK_THAT(as(ordinary_user, open),
               StartsWith(path) && (ContainsSubstring("belongs to user") || ContainsSubstring("everybody may write") ||
                                    ContainsSubstring("not a leat file")));
    CHECK_THAT(open(), StartsWith(path));  // not for root either
    CHECK(std::filesystem::exists(std::filesystem::symlink_status(path)));
    std::filesystem::remove(path);
  }
}

TEST_CASE("a segment that the user may not read is told after the records before it") {
  if (::geteuid() != 0) SKIP("becoming another user needs root");
  const leat_tests::temporary_directory place;
  ::chmod(place.path().c_str(), 0711);
  const std::string path = place.path() + "/store";
  const auto topic = leat::store::open(path, {.directory_mode = 0755})
                         .topic<std::string>(
                             "t", {.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}, .file_mode = 0644});
  leat::producer out{topic};
  while (topic.log()->partition(0).begun().observe() < 3) (void)out.send(std::string(300, '.')).value();
  const std::string second = path + "/topics/t/0000-0000000000000001";
  const auto base = leat::admin(leat::store::open(path)).segments({"t", 0})[1].base_offset;
  ::chmod(second.c_str(), 0600);
  CHECK(as(ordinary_user, [&]() -> std::string {
          leat::consumer in{leat::store::open(path).topic<std::string>("t"),
                            {.auto_offset_reset = leat::offset_reset::earliest}};
          std::uint64_t next = 0;
          try {
            for (int i = 0; i < 20; ++i) {
              for (const auto& record : in.poll()) next = record.offset() + 1;
            }
          } catch (const leat::error& e) {
            if (e.code() != errc::permission_denied || e.path() != second) return e.what();
            return "read " + std::to_string(next);
          }
          return "no error";
        }) == "read " + std::to_string(base));
}

/// The mappings of this process whose file lies below `folder`: what they permit, and where they begin.
std::vector<std::pair<std::string, std::uintptr_t>> mappings_below(const std::string& folder) {
  std::vector<std::pair<std::string, std::uintptr_t>> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(" " + folder + "/") == line.npos) continue;
    std::istringstream fields(line);
    std::string range;
    std::string permits;
    fields >> range >> permits;
    found.emplace_back(permits, std::stoull(range.substr(0, range.find('-')), nullptr, 16));
  }
  return found;
}

TEST_CASE("a reader without permission to write has no mapping that could change a byte nor can it get one") {
  if (::geteuid() != 0) SKIP("becoming another user needs root");
  const leat_tests::temporary_directory place;
  ::chmod(place.path().c_str(), 0711);
  const std::string path = place.path() + "/store";
  {  // gone before the fork, which copies mappings
    const auto topic = leat::store::open(path, {.directory_mode = 0755}).topic<std::string>("t", {.file_mode = 0644});
    (void)leat::producer(topic).send("value").value();
  }
  CHECK(as(ordinary_user, [&]() -> std::string {
          const auto mine = leat::store::open(path).topic<std::string>("t");
          leat::consumer in{mine, {.auto_offset_reset = leat::offset_reset::earliest}};
          if (in.poll().size() != 1) return "did not read";
          (void)mine.describe();
          (void)mine.end_offset(0);
          const auto mapped = mappings_below(path);
          if (mapped.size() < 3) return "mappings: " + std::to_string(mapped.size());  // store, topic, segment
          for (const auto& [permits, at] : mapped) {
            if (permits != "r--s") return permits;
            if (::mprotect(reinterpret_cast<void*>(at), 1, PROT_READ | PROT_WRITE) == 0) return "made writable";
          }
          return "none";
        }) == "none");
}

TEST_CASE("a consumer maps records read-only also where it might write") {
  const sample s;
  CHECK(in_child([&]() -> std::string {
          leat::consumer in{s.open().topic<std::string>("t"), {.auto_offset_reset = leat::offset_reset::earliest}};
          if (in.poll().size() != 1) return "did not read";
          const auto mapped = mappings_below(s.path + "/topics/t");
          std::size_t read_only = 0;
          for (const auto& [permits, at] : mapped) {
            if (permits == "r--s" && ::mprotect(reinterpret_cast<void*>(at), 1, PROT_READ | PROT_WRITE) != 0) {
              ++read_only;
            }
          }
          return std::to_string(read_only) + " of " + std::to_string(mapped.size());
        }) == "1 of 2");  // the segment; the topic file has the doorbells
}

// --- pid namespaces ---

TEST_CASE("members in two pid namespaces share a group and the death of one is noticed by the other") {
  leat_tests::temporary_directory place;
  const std::string path = place.path() + "/store";
  const auto topic = leat::store::open(path).topic<std::string>("t", {.partitions = 2});
  leat::producer out{topic};
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t keeper = ::fork();
  if (keeper == 0) {  // its child is the first process of a pid namespace
    ::alarm(60);
    if (::unshare(CLONE_NEWPID) != 0) ::_exit(9);
    const pid_t inside = ::fork();
    if (inside == 0) {
      ::alarm(60);
      try {
        leat::consumer in{leat::store::open(path).topic<std::string>("t"), {.group = "g"}};
        bool told = false;
        for (;;) {
          (void)in.poll(std::chrono::milliseconds(5)).begin();
          if (!told && in.owned().size() == 1) told = ::write(ready[1], ::getpid() == 1 ? "1" : "?", 1) == 1;
        }
      } catch (...) {
        ::_exit(8);
      }
    }
    int status = 0;
    ::waitpid(inside, &status, 0);
    ::_exit(WIFSIGNALED(status) ? 0 : 7);
  }
  ::close(ready[1]);

  leat::consumer in{leat::store::open(path).topic<std::string>("t"),
                    {.auto_offset_reset = leat::offset_reset::earliest, .group = "g"}};
  char said = 0;
  pollfd readable{ready[0], POLLIN, 0};
  while (::poll(&readable, 1, 0) == 0) (void)in.poll(std::chrono::milliseconds(5)).begin();
  const bool came = ::read(ready[0], &said, 1) == 1;
  ::close(ready[0]);
  if (!came) {
    int status = 0;
    ::waitpid(keeper, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 9) SKIP("a pid namespace is not permitted here");
    FAIL("the member in the other namespace ended: " << status);
  }
  CHECK(said == '1');
  leat_tests::wait_until("each has a partition", [&] {
    (void)in.poll(std::chrono::milliseconds(5)).begin();
    return in.owned().size() == 1;
  });

  const auto members = leat::admin(leat::store::open(path)).describe_group("g").members;
  REQUIRE(members.size() == 2);
  CHECK((members[0].process == 1 || members[1].process == 1));  // as seen there
  CHECK((members[0].alive && members[1].alive));

  // The member is the only process of the namespace besides none: with its keeper's child it dies.
  const std::string inside =
      leat_tests::read_file("/proc/" + std::to_string(keeper) + "/task/" + std::to_string(keeper) + "/children");
  REQUIRE(::kill(static_cast<pid_t>(std::stol(inside)), SIGKILL) == 0);
  leat_tests::wait_until("the survivor has both", [&] {
    (void)in.poll(std::chrono::milliseconds(5)).begin();
    return in.owned().size() == 2;
  });
  int status = 0;
  ::waitpid(keeper, &status, 0);
  CHECK(status == 0);
  for (std::uint32_t p = 0; p < 2; ++p) (void)out.send("after", {.partition = p}).value();
  std::size_t read = 0;
  leat_tests::wait_until("it reads both", [&] {
    read += in.poll(std::chrono::milliseconds(5)).size();
    return read == 2;
  });
}

TEST_CASE("a pin in one pid namespace keeps a segment from a producer in another") {
  leat_tests::temporary_directory place;
  const std::string path = place.path() + "/store";
  const auto topic =
      leat::store::open(path).topic<std::string>("t", {.segment_bytes = 16384, .retention = {.bytes = 16384}});
  (void)leat::producer(topic).send("held").value();
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  const auto held = in.poll();
  REQUIRE(held.size() == 1);
  const std::string said = in_child([&]() -> std::string {
    if (::unshare(CLONE_NEWPID) != 0) return "not permitted";
    return in_child([&]() -> std::string {  // the first process there
      if (::getpid() != 1) return "not the first";
      leat::producer out{leat::store::open(path).topic<std::string>("t")};
      for (int i = 0; i < 2000; ++i) (void)out.send(std::string(100, '!')).value();
      return "moved on";
    });
  });
  if (said == "not permitted") SKIP("a pid namespace is not permitted here");
  REQUIRE(said == "moved on");
  CHECK(topic.start_offset(0) > 0);
  for (const auto& record : held) CHECK(record.value() == "held");
}

}  // namespace unit_hostile_places
