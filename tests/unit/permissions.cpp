// Who may open, read and write a store; as root, in children that become other users.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/in_child.hpp"
#include "support/read_all.hpp"
#include "support/temporary_store.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

namespace unit_permissions {

using Catch::Matchers::ContainsSubstring;
using leat::errc;
using leat::open_mode;
using leat_tests::another_user;
using leat_tests::as;
using leat_tests::become;
using leat_tests::code_of;
using leat_tests::in_child;
using leat_tests::message_of;
using leat_tests::ordinary_user;

/// A directory that everybody may pass through, and one user owns.
struct place_of {
  leat_tests::temporary_directory directory;
  std::string path = directory.path() + "/store";

  explicit place_of(uid_t owner) {
    ::chmod(directory.path().c_str(), 0711);
    REQUIRE(::chown(directory.path().c_str(), owner, static_cast<gid_t>(owner)) == 0);
  }
};

const std::vector<std::string> both{"one", "two"};

/// Sends "one" and "two" to the topic "t" of a store that everybody may read.
std::string make_readable(const std::string& path) {
  const auto store = leat::store::open(path, {.directory_mode = 0755});
  leat::producer out{
      store.topic<std::string>("t", {.segment_bytes = 16384, .retention = {.bytes = 16384}, .file_mode = 0644})};
  for (const std::string& text : both) (void)out.send(text).value();
  return {};
}

TEST_CASE("a store in a directory that everybody may write to is refused") {
  const leat_tests::temporary_directory place;
  const std::string path = place.path() + "/store";
  leat::store::open(path);
  REQUIRE(::chmod(path.c_str(), 0777) == 0);
  CHECK(code_of([&] { leat::store::open(path); }) == errc::permission_denied);
  CHECK_THAT(message_of([&] { leat::store::open(path); }),
             ContainsSubstring(path) && ContainsSubstring("everybody may write"));
  REQUIRE(::chmod(path.c_str(), 01777) == 0);
  CHECK(code_of([&] { leat::store::open(path); }) == errc::permission_denied);
  REQUIRE(::chmod(path.c_str(), 0700) == 0);
  leat::store::open(path);
}

TEST_CASE("a symbolic link to a store is refused") {
  const leat_tests::temporary_directory place;
  leat::store::open(place.path() + "/real");
  std::filesystem::create_symlink("real", place.path() + "/link");
  CHECK(code_of([&] { leat::store::open(place.path() + "/link"); }) == errc::foreign);
}

TEST_CASE("a private store is closed to other users and the message says what was refused") {
  if (::geteuid() != 0) SKIP("becoming another user needs root");
  const place_of place(0);
  leat::store::open(place.path);
  CHECK_THAT(as(ordinary_user, [&] { return message_of([&] { leat::store::open(place.path); }); }),
             ContainsSubstring(place.path) && ContainsSubstring("permission denied") &&
                 ContainsSubstring("Permission denied"));
}

TEST_CASE("a private topic of a readable store is closed to other users") {
  if (::geteuid() != 0) SKIP("becoming another user needs root");
  const place_of place(0);
  const auto store = leat::store::open(place.path, {.directory_mode = 0755});
  (void)store.topic<int>("t");
  CHECK_THAT(
      as(ordinary_user, [&] { return message_of([&] { (void)leat::store::open(place.path).topic<int>("t"); }); }),
      ContainsSubstring(place.path + "/topics/t") && ContainsSubstring("permission denied"));
}

TEST_CASE("a user who may only read consumes and can neither produce nor create nor delete") {
  if (::geteuid() != 0) SKIP("becoming another user needs root");
  const place_of place(0);
  make_readable(place.path);
  CHECK(as(ordinary_user, [&]() -> std::string {
          const auto store = leat::store::open(place.path);
          const auto topic = store.topic<std::string>("t");
          if (leat_tests::values_of(topic) != both) return "did not read";
          leat::consumer in{topic};
          if (!in.poll(std::chrono::milliseconds(2)).empty()) return "read too much";
          if (in.lag(0) != 0) return "lag";
          in.seek_to_beginning();
          if (in.poll(std::chrono::seconds(60)).size() != 2) return "did not read again";
          if (code_of([&] { leat::producer<std::string>{topic}; }) != errc::permission_denied) return "may produce";
          if (code_of([&] { (void)store.topic<int>("new"); }) != errc::permission_denied) return "may create";
          if (code_of([&] { store.remove_topic("t"); }) != errc::permission_denied) return "may delete";
          if (code_of([&] { leat::store::remove(place.path); }) != errc::permission_denied) return "may remove";
          return "fine";
        }) == "fine");
  CHECK(leat::store::open(place.path).topics() == std::vector<std::string>{"t"});
}

TEST_CASE("a reader without permission to write holds on to what it reads") {
  if (::geteuid() != 0) SKIP("becoming another user needs root");
  const place_of place(0);
  make_readable(place.path);
  // The writer is the child, so that the reader can be the one who became another user: it forks the writer first.
  CHECK(in_child([&]() -> std::string {
          int go[2];
          if (::pipe(go) != 0) return "no pipe";
          const pid_t writer = ::fork();
          if (writer == 0) {
            ::close(go[1]);  // the reader has the only other end: should it fail, the writer ends, too
            char begin;
            if (::read(go[0], &begin, 1) != 1) ::_exit(1);
            leat::producer out{leat::store::open(place.path).topic<std::string>("t")};
            for (int i = 0; i < 2000; ++i) {
              if (!out.send(std::string(100, '!'))) ::_exit(2);
            }
            ::_exit(0);
          }
          if (!become(ordinary_user)) return "could not become another user";
          const auto topic = leat::store::open(place.path).topic<std::string>("t");
          leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
          const auto held = in.poll();
          if (held.size() != 2 || ::write(go[1], "x", 1) != 1) return "did not read";
          int status = 0;
          ::waitpid(writer, &status, 0);
          if (status != 0) return "the writer failed";
          if (topic.start_offset(0) == 0) return "nothing was retired";
          std::size_t i = 0;
          for (const auto& record : held) {
            if (record.value() != both[i++]) return "changed";
          }
          return "unchanged";
        }) == "unchanged");
}

TEST_CASE("who may only read a store can have it synced, as the first use of a durable topic does") {
  if (::geteuid() != 0) SKIP("becoming another user needs root");
  const place_of place(0);
  make_readable(place.path);
  CHECK(as(ordinary_user, [&]() -> std::string {
          leat::store::open(place.path).files()->sync();  // it touched a page that it cannot write to
          return {};
        }) == "");
}

TEST_CASE("somebody else's store is opened only where its owner was named") {
  if (::geteuid() != 0) SKIP("becoming another user needs root");
  const place_of place(another_user);
  REQUIRE(as(another_user, [&] { return make_readable(place.path); }) == "");
  const auto open = [&](std::optional<uid_t> owner) {
    return message_of([&] { leat::store::open(place.path, {.mode = open_mode::open, .owner = owner}); });
  };
  const std::string found = "belongs to user " + std::to_string(another_user);
  CHECK_THAT(as(ordinary_user, [&] { return open(std::nullopt); }),
             ContainsSubstring(found + ", expected " + std::to_string(ordinary_user)) &&
                 ContainsSubstring("store_options::owner"));
  CHECK_THAT(as(ordinary_user, [&] { return open(0); }), ContainsSubstring(found + ", expected 0"));
  CHECK_THAT(open(std::nullopt), ContainsSubstring(found));  // not for root either
  CHECK(as(another_user, [&] { return open(std::nullopt); }) == "no error");
  CHECK(as(ordinary_user, [&]() -> std::string {
          const auto store = leat::store::open(place.path, {.owner = another_user});
          return leat_tests::values_of(store.topic<std::string>("t")) == both ? "read" : "did not read";
        }) == "read");
}

TEST_CASE("a store of root is trusted by everybody") {
  if (::geteuid() != 0) SKIP("becoming another user needs root");
  const place_of place(0);
  make_readable(place.path);
  CHECK(as(ordinary_user, [&] { return message_of([&] { leat::store::open(place.path); }); }) == "no error");
}

TEST_CASE("users of one group may write to a store that is made for it") {
  if (::geteuid() != 0) SKIP("becoming another user needs root");
  const place_of place(0);
  {
    const auto store = leat::store::open(place.path, {.directory_mode = 0770});
    (void)store.topic<std::string>("t", {.file_mode = 0660});
  }
  for (const char* name : {"", "/store", "/groups", "/topics", "/topics/t", "/topics/t/topic"}) {
    REQUIRE(::chown((place.path + name).c_str(), 0, ordinary_user) == 0);
  }
  CHECK(as(ordinary_user, [&]() -> std::string {
          leat::producer out{leat::store::open(place.path).topic<std::string>("t")};
          return std::to_string(out.send("x").value().offset);
        }) == "0");
  CHECK(as(ordinary_user, [&]() -> std::string {
          leat::consumer in{leat::store::open(place.path).topic<std::string>("t"),
                            {.auto_offset_reset = leat::offset_reset::earliest, .group = "g"}};
          if (in.poll().size() != 1) return "did not read";
          in.commit().value();
          return std::to_string(in.committed(0)->offset);
        }) == "1");
}

TEST_CASE("a group that cannot be deleted to the end is left as it was") {
  const place_of place(0);
  const auto store = leat::store::open(place.path, {.directory_mode = 0775});
  const auto log = store.topic<int>("t", {.file_mode = 0666}).log();
  REQUIRE(log->open_group("g")->commit_unowned(0, {}, 5) == errc::ok);
  (void)leat::group::group_files::open_or_create(store.files(), "g");
  const bool may_write_to_the_store = GENERATE(true, false);
  for (const char* const name : {"/groups/g", "/topics/t", "/topics/t/group-g", "/groups/g/group"}) {
    ::chmod((place.path + name).c_str(), 0777);
  }
  ::chmod((place.path + "/groups").c_str(), may_write_to_the_store ? 0755 : 0777);
  ::chmod((place.path + "/store").c_str(), may_write_to_the_store ? 0666 : 0644);
  CHECK_THAT(as(ordinary_user,
                [&]() -> std::string {
                  (void)leat::admin(leat::store::open(place.path, {.owner = 0})).delete_group("g");
                  return "was deleted";
                }),
             ContainsSubstring("permissions"));
  CHECK(leat::admin(store).groups() == std::vector<std::string>{"g"});
  CHECK(log->find_group("g")->committed_position(0) == 5);
}

TEST_CASE("a group is not deleted in part where a topic is another's") {
  const place_of place(0);
  const auto store = leat::store::open(place.path, {.directory_mode = 0755});
  (void)store.topic<int>("private", {.file_mode = 0600});
  const auto log = store.topic<int>("t", {.file_mode = 0666}).log();
  REQUIRE(log->open_group("g")->commit_unowned(0, {}, 5) == errc::ok);
  const auto group = leat::group::group_files::open_or_create(store.files(), "g");
  for (const char* const name : {"/store", "/groups", "/groups/g", "/groups/g/group", "/topics/t"}) {
    ::chmod((place.path + name).c_str(), 0777);
  }
  ::chmod((place.path + "/topics/private").c_str(), 0700);
  const auto act = [&](const auto& what) {
    return as(ordinary_user, [&]() -> std::string {
      what(leat::store::open(place.path, {.owner = 0}));
      return "done";
    });
  };
  CHECK_THAT(act([](const leat::store& theirs) { leat::admin(theirs).delete_group("g"); }),
             ContainsSubstring("private"));
  CHECK(leat::admin(store).groups() == std::vector<std::string>{"g"});
  CHECK(log->find_group("g")->committed_position(0) == 5);
  group->begin_deletion([] {});  // by one who may, and dies: what others may not do does not keep them from the name
  CHECK(act([](const leat::store& theirs) { (void)leat::group::group_files::open_or_create(theirs.files(), "g"); }) ==
        "done");
  CHECK(log->find_group("g") == nullptr);
}

}  // namespace unit_permissions
