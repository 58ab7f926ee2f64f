// Partitions that are added to a topic while it is in use.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/media.hpp"
#include "support/read_all.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/partitioner.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace unit_add_partitions {

using Catch::Matchers::ContainsSubstring;
using leat::errc;
using leat::offset_reset;
using leat_tests::code_of;
using leat_tests::message_of;
using leat_tests::temporary_store;
using namespace std::chrono_literals;

/// The same store as another process would have it open; in this process alone, a copy.
leat::store opened_again(const temporary_store& temporary) {
  return temporary.path().empty() ? temporary.store : leat::store::open(temporary.path());
}

TEST_CASE("added partitions are empty and seen by those who have the topic open and those who open it") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  const auto elsewhere = opened_again(temporary);
  leat::producer out{topic};
  REQUIRE(out.send(1, {.partition = 1}));
  leat::admin{elsewhere}.add_partitions("t", 5);
  REQUIRE(out.send(2, {.partition = 4}).value().offset == 0);  // takes them over with this call
  CHECK(out.partitions() == 5);
  CHECK(topic.partitions() == 5);
  CHECK(topic.end_offset(1) == 1);
  CHECK(topic.end_offset(3) == 0);
  CHECK(topic.end_offset(4) == 1);
  CHECK(temporary.store.describe_topic("t").partitions.size() == 5);
  const auto again = elsewhere.topic<int>("t", {.partitions = 5});
  CHECK(again.partitions() == 5);
  CHECK(leat_tests::read_all(again, 4).size() == 1);
  CHECK(code_of([&] { (void)elsewhere.topic<int>("t", {.partitions = 2}); }) == errc::conflicting_options);
}

TEST_CASE("a partition beyond those that are there is refused until it is added") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  CHECK(out.send(1, {.partition = 1}).error() == errc::invalid_argument);
  leat::admin{opened_again(temporary)}.add_partitions("t", 2);
  CHECK(out.send(1, {.partition = 1}));
  CHECK(out.send(1, {.partition = 2}).error() == errc::invalid_argument);
}

TEST_CASE("keys go where the new number of partitions sends them and what was sent stays where it is") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<std::string>("t", {.partitions = 2});
  leat::producer out{topic};
  const auto send_all = [&](std::uint32_t partitions) {
    for (int i = 0; i < 100; ++i) {
      const std::string key = "key " + std::to_string(i);
      const auto at = out.send(key, "v").value();
      CHECK(at.partition == leat::partition_of_key(leat_tests::bytes_of(key), partitions));
    }
  };
  send_all(2);
  const std::uint64_t before = topic.end_offset(0);
  leat::admin{opened_again(temporary)}.add_partitions("t", 7);
  send_all(7);
  CHECK(topic.end_offset(0) >= before);
  std::uint64_t all = 0;
  for (std::uint32_t id = 0; id < 7; ++id) all += topic.end_offset(id);
  CHECK(all == 200);
}

TEST_CASE("records without keys reach added partitions and a partitioner of one's own is told their number") {
  auto temporary = temporary_store::in_process();
  const auto topic = temporary.store.topic<std::string>("t");
  std::set<std::uint32_t> told;
  leat::producer spreading{topic};
  leat::producer own{topic, {.partitioner = [&](std::optional<leat::bytes_view>, std::uint32_t partitions) {
                       told.insert(partitions);
                       return partitions - 1;
                     }}};
  REQUIRE(spreading.send("x"));
  REQUIRE(own.send("x"));
  leat::admin{temporary.store}.add_partitions("t", 3);
  for (int i = 0; i < 3000; ++i) REQUIRE(spreading.send(std::string(100, 'x')));
  CHECK(own.send("x").value().partition == 2);
  CHECK(told == std::set<std::uint32_t>{1, 3});
  for (std::uint32_t id = 0; id < 3; ++id) CHECK(topic.end_offset(id) > 0);
}

TEST_CASE("a consumer of all partitions reads added ones from their beginning whatever its policy") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto policy = GENERATE(offset_reset::latest, offset_reset::earliest, offset_reset::none);
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  REQUIRE(out.send(0));
  leat::consumer in{topic, {.auto_offset_reset = policy}};
  in.seek_to_end();
  REQUIRE(in.poll().empty());
  leat::admin{opened_again(temporary)}.add_partitions("t", 3);
  REQUIRE(out.send(10, {.partition = 1}));
  REQUIRE(out.send(11, {.partition = 1}));
  REQUIRE(out.send(20, {.partition = 2}));
  std::map<std::uint32_t, std::vector<int>> read;
  for (int polls = 0; polls < 4 && read[1].size() + read[2].size() < 3; ++polls) {
    for (const auto& record : in.poll(5s)) read[record.partition()].push_back(record.value());
  }
  CHECK(read[0].empty());
  CHECK(read[1] == std::vector<int>{10, 11});
  CHECK(read[2] == std::vector<int>{20});
  CHECK(in.assignment() == std::vector<std::uint32_t>{0, 1, 2});
}

TEST_CASE("a consumer that waits is woken by the first record of an added partition") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  leat::consumer in{topic};
  std::atomic<bool> waits{false};
  int got = 0;
  std::thread reading([&] {
    waits = true;
    for (const auto& record : in.poll(100s)) got = record.value();
  });
  while (!waits) std::this_thread::yield();
  leat::admin{opened_again(temporary)}.add_partitions("t", 2);
  const bool sent =
      static_cast<bool>(leat::producer{opened_again(temporary).topic<int>("t")}.send(7, {.partition = 1}));
  reading.join();
  CHECK(sent);
  CHECK(got == 7);
}

TEST_CASE("producers and consumers that are made behind the adding know all partitions") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<std::string>("t");  // opened before
  leat::admin{opened_again(temporary)}.add_partitions("t", 3);
  leat::producer out{topic};
  CHECK(out.partitions() == 3);
  CHECK(out.send("x", {.partition = 2}));
  for (int i = 0; i < 3000; ++i) REQUIRE(out.send(std::string(100, 'x')));
  for (std::uint32_t id = 0; id < 3; ++id) CHECK(topic.end_offset(id) > 0);
}

TEST_CASE("a consumer of an added partition can be made from a topic that was opened before") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  const auto elsewhere = opened_again(temporary);
  leat::admin{elsewhere}.add_partitions("t", 3);
  leat::producer out{elsewhere.topic<int>("t")};
  REQUIRE(out.send(7, {.partition = 2}));
  leat::consumer in{topic, {.partitions = {{2}}, .auto_offset_reset = offset_reset::earliest}};
  CHECK(in.poll().size() == 1);
  CHECK(topic.end_offset(2) == 1);
}

TEST_CASE("a consumer of named partitions stays with them and may take added ones") {
  auto temporary = temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  leat::consumer in{topic, {.partitions = {{0}}, .auto_offset_reset = offset_reset::earliest}};
  leat::admin{temporary.store}.add_partitions("t", 3);
  leat::producer out{topic};
  REQUIRE(out.send(1, {.partition = 2}));
  CHECK(in.poll().empty());
  CHECK(in.assignment() == std::vector<std::uint32_t>{0});
  in.assign({2});
  CHECK(in.poll().size() == 1);
}

TEST_CASE("partitions can be added up to the limit and never taken away") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 3});
  const leat::admin admin{temporary.store};
  CHECK(code_of([&] { admin.add_partitions("t", 2); }) == errc::invalid_argument);
  CHECK_THAT(message_of([&] { admin.add_partitions("t", 2); }), ContainsSubstring("cannot be taken away"));
  CHECK(code_of([&] { admin.add_partitions("t", 0); }) == errc::invalid_argument);
  CHECK(code_of([&] { admin.add_partitions("t", 1025); }) == errc::invalid_argument);
  CHECK(code_of([&] { admin.add_partitions("absent", 4); }) == errc::not_found);
  CHECK(admin.describe_topic("t").partitions.size() == 3);
  admin.add_partitions("t", 3);  // as many as there are
  CHECK(admin.describe_topic("t").partitions.size() == 3);
  admin.add_partitions("t", 1024);
  leat::producer out{topic};
  CHECK(out.send(1, {.partition = 1023}));
  CHECK(leat_tests::read_all(topic, 1023).size() == 1);
  CHECK(code_of([&] { admin.add_partitions("t", 1025); }) == errc::invalid_argument);
}

TEST_CASE("several threads that add partitions end with the largest number") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const leat::store store = opened_again(temporary);
      for (std::uint32_t total = 2 + t; total <= 41; total += 4) {
        try {
          leat::admin{store}.add_partitions("t", total);
        } catch (const leat::error& e) {
          if (e.code() != errc::invalid_argument) throw;  // there are more already
        }
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(temporary.store.describe_topic("t").partitions.size() == 41);
  leat::producer out{topic};
  for (std::uint32_t id = 0; id < 41; ++id) REQUIRE(out.send(static_cast<int>(id), {.partition = id}));
}

TEST_CASE("a producer whose topic was deleted before partitions could be added is told so") {
  auto temporary = temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  REQUIRE(out.send(1));
  temporary.store.remove_topic("t");
  (void)temporary.store.topic<int>("t", {.partitions = 4});
  CHECK(out.send(1, {.partition = 3}).error() == errc::closed);
}

TEST_CASE("a number of partitions for which the topic file has no room is damage") {
  auto temporary = temporary_store::on_disk();
  const std::string file = temporary.file("topics/t/topic");
  auto topic = std::make_optional(temporary.store.topic<int>("t", {.partitions = 2}));
  leat::producer out{*topic};
  REQUIRE(out.send(1, {.partition = 0}));
  const auto opened_with = [&](std::uint64_t partitions) {
    leat_tests::poke(file, 1040, leat_tests::little_endian(partitions, 8));
    return code_of([&] { (void)leat::store::open(temporary.path()).describe_topic("t"); });
  };
  CHECK(opened_with(3) == errc::corrupt);  // one more than there is room for
  CHECK(opened_with(1) == errc::corrupt);  // fewer than it was made with
  CHECK(opened_with(0) == errc::corrupt);
  CHECK(opened_with(1025) == errc::corrupt);
  CHECK(opened_with(std::uint64_t{1} << 32 | 2) == errc::corrupt);
  CHECK(opened_with(~std::uint64_t{0}) == errc::corrupt);
  CHECK_THAT(message_of([&] { (void)temporary.store.describe_topic("t"); }), ContainsSubstring(file));
  CHECK(opened_with(2) == errc::ok);

  // Also for those who have it open and are told that something has changed.
  leat_tests::poke(file, 1040, leat_tests::little_endian(1000, 8));
  leat_tests::poke(file, 1032, leat_tests::little_endian(99, 8));
  CHECK(code_of([&] { (void)out.send(1); }) == errc::corrupt);
  leat_tests::poke(file, 1040, leat_tests::little_endian(2, 8));
  CHECK(out.send(1, {.partition = 0}).value().offset == 1);
}

}  // namespace unit_add_partitions
