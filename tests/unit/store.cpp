#include <leat/store.hpp>

#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/media.hpp"

#include <leat/consumer.hpp>
#include <leat/os/random.hpp>
#include <leat/producer.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

namespace unit_store {

using Catch::Matchers::ContainsSubstring;
using leat::errc;
using leat::open_mode;
using leat_tests::code_of;
using leat_tests::message_of;
using leat_tests::temporary_store;

using strings = std::vector<std::string>;

TEST_CASE("a topic that was sent to in a store is read in it again") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  {
    leat::producer out{temporary.store.topic<std::string>("words")};
    REQUIRE(out.send("key", "value"));
  }
  const leat::store again = temporary.path().empty() ? temporary.store : leat::store::open(temporary.path());
  leat::consumer in{again.topic<std::string>("words"), {.auto_offset_reset = leat::offset_reset::earliest}};
  strings read;
  for (const auto& record : in.poll()) read.push_back(std::string(record.key()) + "=" + std::string(record.value()));
  CHECK(read == strings{"key=value"});
}

TEST_CASE("topics are listed in order and described and deleted") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const leat::store& store = temporary.store;
  CHECK(store.topics().empty());
  (void)store.topic<int>("b", {.partitions = 3});
  (void)store.topic<std::string, int>("a", {.segment_bytes = 1 << 20, .retention = {.bytes = leat::unlimited}});
  (void)store.topic<int>("c");
  CHECK(store.topics() == strings{"a", "b", "c"});

  const leat::topic_description a = store.describe_topic("a");
  CHECK(a.name == "a");
  CHECK(a.value_type == "string");
  CHECK_THAT(a.key_type, ContainsSubstring("int, 4 bytes, aligned to 4"));
  CHECK(a.segment_bytes == 1 << 20);
  CHECK(a.retention_bytes == leat::unlimited);
  CHECK(a.timestamps == leat::timestamp_type::create_time);
  CHECK_FALSE(a.single_writer);
  CHECK(a.file_mode == 0600);
  CHECK(a.created > leat::timestamp(std::chrono::hours(24) * 365 * 50));
  CHECK(store.describe_topic("b").partitions.size() == 3);

  CHECK(store.remove_topic("b"));
  CHECK_FALSE(store.remove_topic("b"));
  CHECK(store.topics() == strings{"a", "c"});
  CHECK(code_of([&] { (void)store.describe_topic("b"); }) == errc::not_found);
}

TEST_CASE("a description gives the offsets of every partition") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 3});
  leat::producer out{topic};
  for (int i = 0; i < 5; ++i) REQUIRE(out.send(i, {.partition = 2}));
  const auto described = temporary.store.describe_topic("t").partitions;
  REQUIRE(described.size() == 3);
  for (std::uint32_t p = 0; p < 3; ++p) {
    CHECK(described[p].partition == p);
    CHECK(described[p].start_offset == 0);
    CHECK(described[p].end_offset == (p == 2 ? 5 : 0));
  }
}

TEST_CASE("a deleted topic can be created anew and is empty and may have other options") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const leat::store& store = temporary.store;
  REQUIRE(leat::producer{store.topic<int>("t")}.send(1));
  CHECK(store.remove_topic("t"));
  const auto anew = store.topic<std::string>("t", {.mode = open_mode::create, .partitions = 2});
  CHECK(anew.end_offset(0) == 0);
}

TEST_CASE("the users of a deleted topic learn it at their next call") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic = temporary.store.topic<int>("t", {.segment_bytes = 16384});
  leat::producer out{topic};
  leat::producer idle{topic};
  leat::consumer in{topic};
  leat::consumer waiting{topic};
  REQUIRE(out.send(1));
  CHECK(in.poll().size() == 1);
  CHECK(temporary.store.remove_topic("t"));
  CHECK(out.send(2).error() == errc::closed);
  CHECK(out.send_batch(std::vector<int>{1, 2}).error == errc::closed);
  CHECK(out.send_if({0, 1}, leat::null, 3).error() == errc::closed);
  CHECK(out.claim(leat::null).error() == errc::closed);
  CHECK(idle.send(2).error() == errc::closed);
  auto batch = in.poll();
  CHECK(batch.error() == errc::closed);
  CHECK_THAT(message_of([&] { (void)batch.begin(); }), ContainsSubstring("deleted"));
  CHECK(waiting.poll(std::chrono::seconds(60)).error() == errc::closed);
}

TEST_CASE("a store is created or opened as the mode says") {
  const leat_tests::temporary_directory place;
  const std::string path = place.path() + "/store";
  CHECK(code_of([&] { leat::store::open(path, {.mode = open_mode::open}); }) == errc::not_found);
  CHECK_FALSE(std::filesystem::exists(path));
  leat::store::open(path, {.mode = open_mode::create});
  CHECK(code_of([&] { leat::store::open(path, {.mode = open_mode::create}); }) == errc::already_exists);
  leat::store::open(path, {.mode = open_mode::open});
  CHECK(leat::store::open(path).path() == path);
  CHECK_FALSE(std::filesystem::exists(place.path() + "/absent/store"));
  CHECK(code_of([&] { leat::store::open(place.path() + "/absent/store"); }) == errc::not_found);
}

TEST_CASE("a store may be created in an empty directory that is there already") {
  const leat_tests::temporary_directory place;
  CHECK(leat::store::open(place.path()).topics().empty());
}

TEST_CASE("a store and its files have the modes that were asked for") {
  const leat_tests::temporary_directory place;
  const auto mode_of = [&](const std::string& name) {
    struct stat s{};
    ::stat((place.path() + "/" + name).c_str(), &s);
    return s.st_mode & 07777;
  };
  (void)leat::store::open(place.path() + "/mine").topic<int>("t");
  CHECK(mode_of("mine") == 0700);
  CHECK(mode_of("mine/store") == 0600);
  CHECK(mode_of("mine/topics") == 0700);
  CHECK(mode_of("mine/topics/t") == 0700);
  CHECK(mode_of("mine/topics/t/topic") == 0600);
  const auto shared =
      leat::store::open(place.path() + "/shared", {.directory_mode = 0750}).topic<int>("t", {.file_mode = 0640});
  REQUIRE(leat::producer{shared}.send(1));
  CHECK(mode_of("shared") == 0750);
  CHECK(mode_of("shared/store") == 0640);
  CHECK(mode_of("shared/topics") == 0750);
  CHECK(mode_of("shared/topics/t") == 0750);
  CHECK(mode_of("shared/topics/t/topic") == 0640);
  CHECK(mode_of("shared/topics/t/0000-0000000000000000") == 0640);
}

TEST_CASE("a name without a slash is a store in shared memory") {
  const std::string name = "test-" + leat::os::random_name();
  const std::string path = "/dev/shm/leat." + name;
  struct removal {
    std::string path;
    ~removal() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  } const removal{path};
  const auto store = leat::store::open(name);
  CHECK(store.path() == path);
  CHECK(std::filesystem::exists(path + "/store"));
  (void)store.topic<int>("t");
  CHECK(leat::store::remove(name));
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK_FALSE(leat::store::remove(name));
}

TEST_CASE("removing a store removes its topics and tells their users") {
  const leat_tests::temporary_directory place;
  const std::string path = place.path() + "/store";
  const auto store = leat::store::open(path);
  leat::producer out{store.topic<int>("one")};
  leat::consumer in{store.topic<std::string>("two")};
  REQUIRE(out.send(1));
  CHECK(leat::store::remove(path));
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(out.send(1).error() == errc::closed);
  CHECK(in.poll().error() == errc::closed);
}

TEST_CASE("a store of this process is a store of its own each time") {
  const auto one = leat::store::in_process();
  const auto two = leat::store::in_process();
  (void)one.topic<int>("t");
  CHECK(two.topics().empty());
  const leat::store copy = one;
  CHECK(copy.topics() == strings{"t"});
}

TEST_CASE("a store's name has letters and digits and dots and dashes") {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a b"), std::string("a\nb"),
        std::string("\xc3\xa4"), std::string("~x"), std::string("a\0b", 3), std::string(250, 'x')}) {
    CAPTURE(name);
    CHECK(code_of([&] { leat::store::open(name); }) == errc::name_invalid);
    CHECK(code_of([&] { leat::store::remove(name); }) == errc::name_invalid);
  }
  CHECK(code_of([&] { leat::store::open(std::string(250, 'x'), {.mode = open_mode::open}); }) == errc::name_invalid);
}

TEST_CASE("a path that is too long is an error and not cut") {
  const leat_tests::temporary_directory place;
  CHECK(code_of([&] { leat::store::open(place.path() + "/" + std::string(300, 'x')); }) == errc::name_invalid);
}

TEST_CASE("a store may be made beside something else, which outlives it") {
  const leat_tests::temporary_directory place;
  const std::string path = place.path();
  std::ofstream(path + "/notes.txt") << "hello";
  (void)leat::store::open(path).topic<int>("t");
  CHECK_FALSE(leat::store::remove(path));
  CHECK(std::distance(std::filesystem::directory_iterator(path), {}) == 1);
  CHECK(std::filesystem::file_size(path + "/notes.txt") == 5);
  (void)leat::store::open(path).topic<int>("t");
  CHECK(leat::store::open(path).topics() == strings{"t"});
}

TEST_CASE("what dead creators of topics left is removed and the living are left alone") {
  auto temporary = temporary_store::on_disk();
  std::filesystem::create_directory(temporary.file("topics/~new-dead"));
  leat_tests::write_file(temporary.file("topics/~new-dead/topic"), "half");
  std::filesystem::create_directory(temporary.file("topics/~deleted-dead"));
  leat_tests::write_file(temporary.file("topics/~deleted-dead/0000-0000000000000000"), "x");
  std::filesystem::create_directory(temporary.file("topics/~new-alive"));
  const auto alive = leat::os::folder::open(temporary.file("topics/~new-alive"));
  REQUIRE(alive->try_own());
  CHECK(temporary.store.topics().empty());
  (void)temporary.store.topic<int>("t");
  CHECK(leat_tests::names_in(temporary.file("topics")) == std::set<std::string>{"t", "~new-alive"});
}

TEST_CASE("a topic that a stopped process is deleting is closed by whoever creates or deletes one") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  REQUIRE(out.send(1));
  leat::consumer in{topic};
  leat::os::directory& topics = temporary.store.files()->topics();
  const std::string gone = "~deleted-0123456789abcdef";
  REQUIRE(topics.rename("t", gone) == leat::os::rename_result::done);
  const auto deleter = topics.open_directory(gone);
  (void)deleter->try_own();  // one in memory is its maker's for ever
  REQUIRE(out.send(2));      // nobody has told it
  if (GENERATE(true, false)) {
    leat::consumer anew{temporary.store.topic<int>("t")};
    CHECK(anew.end_offset(0) == 0);
  } else {
    CHECK_FALSE(temporary.store.remove_topic("t"));
  }
  CHECK(out.send(3).error() == errc::closed);
  CHECK(in.poll().error() == errc::closed);
  CHECK(topics.open_directory(gone) == nullptr);
}

TEST_CASE("what a dead creator of the store left is removed by the next") {
  const leat_tests::temporary_directory place;
  std::filesystem::create_directory(place.path() + "/topics");
  leat_tests::write_file(place.path() + "/~new-dead", "");
  (void)leat::store::open(place.path());
  CHECK(leat_tests::names_in(place.path()) == std::set<std::string>{"groups", "store", "topics"});
}

}  // namespace unit_store
