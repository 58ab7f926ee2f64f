#include <leat/batch.hpp>

#include "support/catch.hpp"
#include "support/media.hpp"

#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <ranges>
#include <string>
#include <type_traits>
#include <vector>

namespace unit_batch {

using batch = leat::batch<std::string>;

static_assert(std::ranges::forward_range<batch>);
static_assert(std::ranges::forward_range<const batch>);
static_assert(std::ranges::common_range<batch>);
static_assert(std::same_as<std::ranges::range_value_t<batch>, leat::record_view<std::string>>);
static_assert(std::semiregular<leat::record_view<std::string>>);

TEST_CASE("a batch is a range for the algorithms and views of the standard library") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<std::string>("t", {.partitions = 3});
  leat::producer out{topic};
  leat::consumer in{topic};
  for (std::uint32_t p = 0; p < 3; ++p) {
    for (std::uint32_t i = 0; i <= p; ++i) REQUIRE(out.send(std::string(p + 1, 'x'), {.partition = p}));
  }
  const batch all = in.poll();
  CHECK(all.size() == 6);
  CHECK(std::ranges::distance(all) == 6);
  CHECK(std::ranges::count_if(all, [](const auto& record) { return record.value().size() == 3; }) == 3);
  std::vector<std::size_t> sizes;
  for (const std::size_t size : all | std::views::transform([](const auto& record) { return record.value().size(); }) |
                                    std::views::filter([](std::size_t n) { return n > 1; })) {
    sizes.push_back(size);
  }
  CHECK(sizes == std::vector<std::size_t>{2, 2, 3, 3, 3});
  auto first = all.begin();
  const auto again = first;
  CHECK(first++ == again);
  CHECK(first != again);
  CHECK((*again).offset() == 0);
  CHECK(std::ranges::next(again, 6) == all.end());
}

TEST_CASE("an empty batch has no record and no error") {
  auto temporary = leat_tests::temporary_store::in_process();
  leat::consumer in{temporary.store.topic<std::string>("t")};
  const batch none = in.poll();
  CHECK(none.empty());
  CHECK(none.size() == 0);
  CHECK(none.error() == leat::errc::ok);
  CHECK(none.begin() == none.end());
}

TEST_CASE("iterating over a failed batch throws what it failed of") {
  auto temporary = leat_tests::temporary_store::in_process();
  leat::consumer in{temporary.store.topic<std::string>("t")};
  REQUIRE(temporary.store.remove_topic("t"));
  const batch failed = in.poll();
  CHECK(failed.error() == leat::errc::closed);
  CHECK(failed.empty());
  try {
    for (const auto& record : failed) (void)record;
    FAIL("nothing was thrown");
  } catch (const leat::error& e) {
    CHECK(e.code() == leat::errc::closed);
  }
}

TEST_CASE("views of a batch stay valid although retention moves on and its segments are recycled") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic = temporary.store.topic<std::string>("t", {.segment_bytes = 16384, .retention = {.bytes = 16384}});
  leat::producer out{topic};
  leat::consumer in{topic};
  const auto text = [](std::uint64_t i) {
    return "record " + std::to_string(i) + std::string(80, static_cast<char>('a' + i % 26));
  };
  std::uint64_t sent = 0;
  for (; sent < 40; ++sent) REQUIRE(out.send("key", text(sent)));
  const auto held = in.poll();
  REQUIRE(held.size() == 40);
  for (int i = 0; i < 2000; ++i) REQUIRE(out.send(std::string(100, '!')));
  CHECK(topic.start_offset(0) > 1000);
  std::uint64_t next = 0;
  for (const auto& record : held) {
    REQUIRE(record.value() == text(next++));
    REQUIRE(record.key() == "key");
  }
}

}  // namespace unit_batch
