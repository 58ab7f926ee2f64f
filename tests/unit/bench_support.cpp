// What the benchmarks rely on: that a receiver finds out wrong messages, and that histograms have the right percentiles.
#include "../../bench/support/histogram.hpp"
#include "../../bench/support/message.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <random>
#include <vector>

namespace unit_bench_support {

using bench::histogram;
using bench::message_check;
using bench::message_source;

using message = bench::message<256>;

TEST_CASE("a receiver of a benchmark takes messages one by one, in batches, timed and last, in the order sent") {
  message_source<256> source(3);
  message_check check;
  for (int i = 0; i < 100; ++i) {
    REQUIRE(check.accept(source.one()));
    if (i % 7 == 0) REQUIRE(check.accept(source.timed(i)));
    if (i % 11 == 0) {
      for (const message& m : source.many()) REQUIRE(check.accept(m));
    }
    if (i % 13 == 0) REQUIRE(check.accept(source.last()));
  }
  CHECK(check.ended() == 8);
  CHECK(check.received(3) == source.sent());
  CHECK(check.received(0) == 0);
}

TEST_CASE("a receiver of a benchmark finds out a message that is lost, repeated, torn or changed anywhere") {
  message_source<256> source(0);
  message_check check;
  const message first = source.one();
  REQUIRE(check.accept(first));
  const message second = source.one();
  const message third = source.one();
  CHECK_FALSE(message_check(check).accept(third));
  CHECK_FALSE(message_check(check).accept(first));
  for (std::size_t word = 0; word < second.words.size(); ++word) {
    message changed = second;
    changed.words[word] ^= 1;
    CHECK_FALSE(message_check(check).accept(changed));
  }
  for (std::size_t words = 1; words < second.words.size(); ++words) {
    message torn = first;  // the rest of the message before
    std::copy_n(second.words.begin(), words, torn.words.begin());
    CHECK_FALSE(message_check(check).accept(torn));
  }
  CHECK(message_check(check).accept(second));
}

TEST_CASE("a histogram of a benchmark has each percentile within a hundredth") {
  std::mt19937_64 random(7);
  std::vector<std::uint64_t> values;
  histogram all;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t value = random() % (std::uint64_t{1} << (random() % 36));
    values.push_back(value);
    all.record(value);
  }
  std::ranges::sort(values);
  for (const double quantile : {0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto rank = static_cast<std::size_t>(quantile * static_cast<double>(values.size()));
    const auto exact = static_cast<double>(values[std::max<std::size_t>(rank, 1) - 1]);
    CHECK(static_cast<double>(all.at(quantile)) >= exact);
    CHECK(static_cast<double>(all.at(quantile)) <= exact * 1.01);
  }
  CHECK(all.most() == values.back());
  CHECK(all.samples() == values.size());
}

TEST_CASE("histograms of repetitions add up") {
  histogram a;
  histogram b;
  a.record(10);
  b.record(1'000'000);
  b.record(1'000'000);
  a += b;
  CHECK(a.samples() == 3);
  CHECK(a.at(0.3) == 10);
  CHECK(a.most() == 1'000'000);
  std::uint64_t counted = 0;
  for (const auto& [value, count] : a.counts()) counted += count;
  CHECK(counted == 3);
}

}  // namespace unit_bench_support
