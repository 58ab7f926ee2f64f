// Consumers that name their partitions and have a group: where they begin, and what they commit.
#include "support/catch.hpp"
#include "support/media.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
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

TEST_CASE("consumers that commit the same few offsets with metadata at once never take away what another has committed") {
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

}  // namespace unit_named_partitions
