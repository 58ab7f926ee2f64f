#include <leat/storage/pins.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"
#include "support/in_child.hpp"
#include "support/temporary_store.hpp"

#include <leat/os/folder.hpp>
#include <leat/os/memory_directory.hpp>

#include <memory>
#include <string>
#include <utility>

namespace unit_storage_pins {

using leat::os::access;
using leat::storage::lock_byte;
using leat::storage::pins;
using leat::storage::writer_byte;
using refusal = pins::refusal;

/// Two open file descriptions of one file, as two processes have them.
struct two_sides {
  leat_tests::temporary_directory place;
  std::shared_ptr<leat::os::directory> directory = leat::os::folder::open(place.path());
  bool made = (directory->create("topic", 0600), true);
  pins one{*directory->open("topic", access::read_write)};
  pins other{*directory->open("topic", access::read_write)};
};

TEST_CASE("any number may pin a segment and nobody may own it then") {
  two_sides s;
  CHECK(s.one.try_pin(5));
  CHECK(s.one.try_pin(5));
  CHECK(s.other.try_pin(5));
  CHECK(s.one.try_own(5) == refusal::shared);
  CHECK(s.other.try_own(5) == refusal::shared);
  s.one.unpin(5);
  s.other.unpin(5);
  CHECK(s.other.try_own(5) == refusal::shared);
  s.one.unpin(5);
  CHECK(s.other.try_own(5) == refusal::none);
}

TEST_CASE("one may own a segment and nobody may pin it then") {
  two_sides s;
  CHECK(s.one.try_own(5) == refusal::none);
  CHECK(s.one.try_own(5) == refusal::exclusive);
  CHECK(s.other.try_own(5) == refusal::exclusive);
  CHECK_FALSE(s.one.try_pin(5));
  CHECK_FALSE(s.other.try_pin(5));
  s.one.disown(5);
  CHECK(s.other.try_pin(5));
}

TEST_CASE("segments are pinned and owned each on its own") {
  two_sides s;
  CHECK(s.one.try_own(5) == refusal::none);
  CHECK(s.other.try_own(6) == refusal::none);
  CHECK(s.one.try_pin(4));
  CHECK(s.other.try_own(4) == refusal::shared);
  CHECK(s.one.try_own(lock_byte(1, 5)) == refusal::none);
  CHECK(s.other.try_own(lock_byte(2, 5)) == refusal::none);
}

TEST_CASE("a refused lock leaves nothing behind") {
  two_sides s;
  CHECK(s.one.try_own(5) == refusal::none);
  CHECK_FALSE(s.other.try_pin(5));
  s.one.disown(5);
  CHECK(s.one.try_own(5) == refusal::none);
  s.one.disown(5);
  CHECK(s.other.try_pin(5));
  CHECK(s.one.try_own(5) == refusal::shared);
  s.other.unpin(5);
  CHECK(s.one.try_own(5) == refusal::none);
}

TEST_CASE("locks go with their holder") {
  two_sides s;
  {
    pins third(*s.directory->open("topic", access::read_write));
    CHECK(third.try_pin(1));
    CHECK(third.try_own(2) == refusal::none);
    CHECK(s.one.try_own(1) == refusal::shared);
  }
  CHECK(s.one.try_own(1) == refusal::none);
  CHECK(s.one.try_pin(2));
}

TEST_CASE("an ownership gives back what it owns once") {
  two_sides s;
  {
    CHECK(s.one.try_own(7) == refusal::none);
    pins::ownership right(s.one, 7);
    CHECK(right);
    pins::ownership moved = std::move(right);
    CHECK(moved);
    CHECK_FALSE(right);  // NOLINT(bugprone-use-after-move)
    CHECK_FALSE(s.other.try_pin(7));
    moved = {};
    CHECK(s.other.try_pin(7));
    s.other.unpin(7);
  }
  CHECK(s.other.try_own(7) == refusal::none);
}

TEST_CASE("who may only read the file can pin") {
  two_sides s;
  pins reader(*s.directory->open("topic", access::read_only));
  CHECK(reader.try_pin(9));
  CHECK(s.one.try_own(9) == refusal::shared);
  reader.unpin(9);
  CHECK(s.one.try_own(9) == refusal::none);
  CHECK_FALSE(reader.try_pin(9));
}

TEST_CASE("memory files have pins as other files have") {
  leat::os::memory_directory directory("memory");
  directory.create("topic", 0600);
  pins one(*directory.open("topic", access::read_write));
  pins other(*directory.open("topic", access::read_only));
  CHECK(one.try_own(1) == refusal::none);
  CHECK_FALSE(other.try_pin(1));
  one.disown(1);
  CHECK(other.try_pin(1));
  CHECK(one.try_own(1) == refusal::shared);
}

TEST_CASE("every segment and writer has a byte of its own") {
  CHECK(lock_byte(0, 0) == 0);
  CHECK(lock_byte(0, 42) == 42);
  CHECK(lock_byte(1, 0) == std::uint64_t{1} << 52);
  CHECK(lock_byte(1023, (std::uint64_t{1} << 52) - 1) < writer_byte(0));
  CHECK(writer_byte(1023) < std::uint64_t{1} << 63);
  two_sides s;
  CHECK(s.one.try_own(lock_byte(1023, 0)) == refusal::none);
  CHECK(s.other.try_own(lock_byte(1023, 0)) == refusal::exclusive);
  CHECK(s.other.try_own(writer_byte(1023)) == refusal::none);
}

TEST_CASE("the child of a fork holds no pins and takes none of its parent's away") {
  two_sides s;
  REQUIRE(s.one.try_pin(1));
  REQUIRE(s.one.try_own(2) == refusal::none);
  CHECK(leat_tests::in_child([&] {
          s.one.unpin(1);
          s.one.disown(2);
          pins fresh(*s.directory->open("topic", access::read_write));
          std::string held = fresh.try_own(1) == refusal::shared ? "pinned, " : "lost, ";
          held += fresh.try_own(2) == refusal::exclusive ? "owned" : "lost";
          return held;
        }) == "pinned, owned");
  CHECK(s.other.try_own(1) == refusal::shared);
  CHECK(s.other.try_own(2) == refusal::exclusive);
  s.one.unpin(1);
  s.one.disown(2);
  CHECK(s.other.try_own(1) == refusal::none);
  CHECK(s.other.try_own(2) == refusal::none);
}

TEST_CASE("pins die with the parent and not with a child that lives on") {
  const leat_tests::temporary_directory place;
  const auto directory = leat::os::folder::open(place.path());
  directory->create("topic", 0600);
  pins watcher(*directory->open("topic", access::read_write));
  int hold[2];
  REQUIRE(::pipe(hold) == 0);
  // A parent pins, forks a child that lives until the pipe is closed, and dies.
  CHECK(leat_tests::in_child([&] {
          pins mine(*directory->open("topic", access::read_write));
          if (!mine.try_pin(1)) return std::string("not pinned");
          const pid_t grandchild = ::fork();
          if (grandchild == 0) {
            ::close(hold[1]);
            ::close(leat_tests::report_descriptor);
            char end;
            ::alarm(20);
            [[maybe_unused]] const auto got = ::read(hold[0], &end, 1);
            ::_exit(0);
          }
          return std::string("pinned");
        }) == "pinned");
  CHECK(watcher.try_own(1) == refusal::none);
  ::close(hold[0]);
  ::close(hold[1]);
}

}  // namespace unit_storage_pins
