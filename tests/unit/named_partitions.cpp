// Consumers that name their partitions and have a group: where they begin, and what they commit.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/media.hpp"
#include "support/partition_files.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <thread>
#include <vector>

namespace unit_named_partitions {

using leat::errc;

leat::consumer_options of_partition_0() { return {.partitions = {{0}}, .group = "g", .enable_auto_commit = false}; }

TEST_CASE(
    "consumers that commit the same few offsets with metadata at once never take away what another has committed") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  constexpr int rounds = 1000;
  constexpr int committers = 3;
  std::atomic<int> running{committers};
  std::vector<std::string> failures(committers);
  std::vector<std::thread> threads;
  for (int who = 0; who < committers; ++who) {
    threads.emplace_back([&, who] {
      try {
        leat::consumer in{topic, of_partition_0()};
        for (int i = 0; i < rounds; ++i) {
          // Without metadata now and then.
          const std::string text = i % 5 == 4 ? "" : std::to_string(who) + ":" + std::to_string(i);
          const auto done = in.commit({{"t", 0}, static_cast<std::uint64_t>(5 + i % 2), text});
          if (!done) failures[static_cast<std::size_t>(who)] = leat::make_error_code(done.error()).message();
        }
      } catch (const std::exception& e) {
        failures[static_cast<std::size_t>(who)] = e.what();
      }
      --running;
    });
  }
  std::string failed_look;
  std::uint64_t looks = 0;
  while (running != 0 && failed_look.empty()) {
    try {
      const auto seen = topic.log()->find_group("g");
      if (seen == nullptr) continue;
      const auto committed = seen->committed(0);
      looks += committed ? 1 : 0;
    } catch (const std::exception& e) {
      failed_look = e.what();
    }
  }
  for (std::thread& t : threads) t.join();
  CHECK(failures == std::vector<std::string>(committers));
  CHECK(failed_look == "");
  CHECK(looks > 0);
  leat::consumer in{topic, of_partition_0()};
  REQUIRE(in.commit({{"t", 0}, 9, "the last"}));
  CHECK(in.committed(0)->metadata == "the last");
  std::size_t files = 0;
  for (const std::string& name : topic.log()->directory().list()) files += name.starts_with("meta-") ? 1 : 0;
  CHECK(files == 1);
}

TEST_CASE("an assignment whose committed offsets are damaged is refused and changes nothing") {
  auto temporary = leat_tests::temporary_store::on_disk();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  leat::producer out{topic};
  for (int i = 0; i < 3; ++i) REQUIRE(out.send(i, {.partition = 1}));
  leat::consumer in{topic, of_partition_0()};
  REQUIRE(in.commit({{"t", 0}, 0}));
  const std::string file = temporary.file("topics/t/group-g");
  const std::string sound = leat_tests::read_file(file);
  leat_tests::poke(file, 0, "damaged!");
  CHECK(leat_tests::code_of([&] { in.assign({0, 1}); }) == errc::foreign);
  CHECK(in.assignment() == std::vector<std::uint32_t>{0});
  leat_tests::poke(file, 0, sound.substr(0, 8));
  in.assign({0, 1});
  CHECK(in.assignment() == std::vector<std::uint32_t>{0, 1});
}

TEST_CASE("an assigned partition begins at the committed offset at once, whatever the policy") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto policy = GENERATE(leat::offset_reset::none, leat::offset_reset::latest, leat::offset_reset::earliest);
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  leat::producer out{topic};
  for (int i = 0; i < 3; ++i) REQUIRE(out.send(i, {.partition = 1}));
  auto options = of_partition_0();
  options.auto_offset_reset = policy;
  {
    leat::consumer in{topic, options};
    in.assign({1});
    REQUIRE(in.commit({{"t", 1}, 2, "said"}));
  }
  leat::consumer in{topic, options};
  in.assign({1});
  CHECK(in.position(1) == 2);
  const auto batch = in.poll();
  REQUIRE(batch.error() == errc::ok);
  CHECK(batch.size() == 1);
  in.seek({1, 0});
  in.assign({0, 1});
  CHECK(in.position(1) == 0);  // which it read before
}

}  // namespace unit_named_partitions
