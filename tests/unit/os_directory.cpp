#include <leat/os/directory.hpp>

#include <leat/os/folder.hpp>
#include <leat/os/memory_directory.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"
#include "support/temporary_store.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace unit_os_directory {

using leat::errc;
using leat::os::access;
using leat::os::rename_result;

errc code_of(auto&& f) {
  try {
    f();
  } catch (const leat::error& e) {
    return static_cast<errc>(e.code().value());
  }
  return errc::ok;
}

/// A folder of the file system, and one of this process's memory: both have to behave alike.
struct directories {
  leat_tests::temporary_directory place;
  std::vector<std::shared_ptr<leat::os::directory>> both{leat::os::folder::open(place.path()),
                                                         std::make_shared<leat::os::memory_directory>("memory")};
};

TEST_CASE("a name that is not there is told from an error") {
  const directories d;
  for (const auto& directory : d.both) {
    CHECK_FALSE(directory->open("absent", access::read_only).has_value());
    CHECK_FALSE(directory->status("absent").has_value());
    CHECK(directory->open_directory("absent") == nullptr);
    CHECK_FALSE(directory->remove("absent"));
    CHECK(directory->remove_directory("absent"));
    CHECK(directory->rename("absent", "other") == rename_result::absent);
    CHECK(directory->list().empty());
  }
}

TEST_CASE("a file that was created is found and listed and removed") {
  const directories d;
  for (const auto& directory : d.both) {
    CAPTURE(directory->path(""));
    leat::os::file made = directory->create("file", 0600);
    made.reserve(5000);
    CHECK(made.status().bytes == 5000);
    CHECK(code_of([&] { directory->create("file", 0600); }) == errc::already_exists);
    const auto opened = directory->open("file", access::read_write);
    REQUIRE(opened.has_value());
    CHECK(opened->status().same_file(made.status()));
    CHECK(directory->status("file")->same_file(made.status()));
    CHECK(directory->list() == std::vector<std::string>{"file"});
    CHECK(directory->remove("file"));
    CHECK_FALSE(directory->remove("file"));
    CHECK(directory->list().empty());
  }
}

TEST_CASE("a rename never replaces") {
  const directories d;
  for (const auto& directory : d.both) {
    CAPTURE(directory->path(""));
    const auto a = directory->create("a", 0600).status();
    const auto b = directory->create("b", 0600).status();
    CHECK(directory->create_directory("folder", 0700));
    CHECK(directory->rename("a", "b") == rename_result::exists);
    CHECK(directory->rename("a", "folder") == rename_result::exists);
    CHECK(directory->rename("folder", "b") == rename_result::exists);
    CHECK(directory->rename("a", "c") == rename_result::done);
    CHECK(directory->status("b")->same_file(b));
    CHECK(directory->status("c")->same_file(a));
    CHECK_FALSE(directory->status("a").has_value());
  }
}

TEST_CASE("a directory is created once and owned once") {
  const directories d;
  for (const auto& directory : d.both) {
    CAPTURE(directory->path(""));
    CHECK(directory->create_directory("sub", 0700));
    CHECK_FALSE(directory->create_directory("sub", 0700));
    auto sub = directory->open_directory("sub");
    REQUIRE(sub != nullptr);
    CHECK(sub->try_own());
    CHECK_FALSE(directory->open_directory("sub")->try_own());
    CHECK(directory->rename("sub", "moved") == rename_result::done);
    CHECK(directory->open_directory("sub") == nullptr);
    CHECK_FALSE(directory->open_directory("moved")->try_own());
    CHECK(directory->remove_directory("moved"));
    CHECK(directory->open_directory("moved") == nullptr);
  }
}

TEST_CASE("two openings of a file have locks of their own") {
  const directories d;
  for (const auto& directory : d.both) {
    CAPTURE(directory->path(""));
    const leat::os::file made = directory->create("file", 0600);
    const auto opened = directory->open("file", access::read_write);
    CHECK(::flock(made.descriptor(), LOCK_EX | LOCK_NB) == 0);
    CHECK(::flock(opened->descriptor(), LOCK_EX | LOCK_NB) != 0);
  }
}

TEST_CASE("a folder that another has removed lists nothing") {
  const leat_tests::temporary_directory place;
  const auto directory = leat::os::folder::open(place.path());
  directory->create_directory("sub", 0700);
  const auto sub = directory->open_directory("sub");
  REQUIRE(directory->remove_directory("sub"));
  CHECK(sub->list().empty());
}

TEST_CASE("a directory that is not empty is not removed") {
  const leat_tests::temporary_directory place;
  const auto directory = GENERATE(true, false)
                             ? std::shared_ptr<leat::os::directory>(leat::os::folder::open(place.path()))
                             : std::make_shared<leat::os::memory_directory>("memory");
  directory->create_directory("sub", 0700);
  const auto sub = directory->open_directory("sub");
  sub->create("file", 0600);
  CHECK_FALSE(directory->remove_directory("sub"));
  CHECK(directory->leads_to("sub", *sub));
  sub->remove("file");
  CHECK(directory->remove_directory("sub"));
  CHECK_FALSE(directory->leads_to("sub", *sub));
}

TEST_CASE("a file has the mode that was asked for whatever the umask is") {
  const leat_tests::temporary_directory place;
  const auto directory = leat::os::folder::open(place.path());
  const mode_t before = ::umask(0077);
  const auto mode_of = [&](const std::string& name) {
    struct stat s{};
    ::stat((place.path() + "/" + name).c_str(), &s);
    return s.st_mode & 07777;
  };
  directory->create("file", 0664);
  directory->create_directory("sub", 0775);
  ::umask(before);
  CHECK(mode_of("file") == 0664);
  CHECK(mode_of("sub") == 0775);
}

TEST_CASE("only a regular file is opened as a file and only a directory as a directory") {
  const leat_tests::temporary_directory place;
  const auto directory = leat::os::folder::open(place.path());
  leat_tests::write_file(place.path() + "/real", "x");
  directory->create_directory("sub", 0700);
  REQUIRE(::symlink("real", (place.path() + "/link").c_str()) == 0);
  REQUIRE(::symlink("sub", (place.path() + "/sublink").c_str()) == 0);
  REQUIRE(::mkfifo((place.path() + "/fifo").c_str(), 0600) == 0);
  for (const access mode : {access::read_only, access::read_write}) {
    for (const char* name : {"link", "sublink", "fifo", "sub"}) {
      CAPTURE(name);
      CHECK(code_of([&] { directory->open(name, mode); }) == errc::foreign);
    }
  }
  for (const char* name : {"link", "sublink", "fifo", "real"}) {
    CAPTURE(name);
    CHECK(code_of([&] { directory->open_directory(name); }) == errc::foreign);
  }
  CHECK(code_of([&] { leat::os::folder::open(place.path() + "/sublink"); }) == errc::foreign);
}

TEST_CASE("a mapping of more than the file has is refused") {
  const leat_tests::temporary_directory place;
  const auto directory = leat::os::folder::open(place.path());
  leat_tests::write_file(place.path() + "/file", std::string(100, 'x'));
  const auto file = directory->open("file", access::read_only);
  CHECK(code_of([&] { leat::os::mapping(*file, 101, access::read_only); }) == errc::truncated);
  const leat::os::mapping mapped(*file, 100, access::read_only);
  CHECK(mapped.size() == 100);
  CHECK(mapped.data()[99] == std::byte{'x'});
}

TEST_CASE("system errors are told apart by what a user can do about them") {
  using leat::os::classify;
  CHECK(classify(ENOSPC) == errc::full);
  CHECK(classify(EDQUOT) == errc::full);
  CHECK(classify(EFBIG) == errc::full);
  CHECK(classify(ENOENT) == errc::not_found);
  CHECK(classify(EEXIST) == errc::already_exists);
  CHECK(classify(EACCES) == errc::permission_denied);
  CHECK(classify(EROFS) == errc::permission_denied);
  CHECK(classify(ENAMETOOLONG) == errc::name_invalid);
  CHECK(classify(ELOOP) == errc::foreign);
  CHECK(classify(EOPNOTSUPP) == errc::unsupported);
  CHECK(classify(EIO) == errc::system);
}

}  // namespace unit_os_directory
