#include <leat/partitioner.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace unit_partitioner {

using leat_tests::bytes_of;

struct vector {
  const char* key;
  std::uint32_t hash;
  std::array<std::uint32_t, 9> partitions;
};

constexpr std::array<std::uint32_t, 9> counts{2, 3, 4, 6, 7, 10, 12, 16, 17};

// From the tests of Kafka 3.9 and librdkafka 2.0.2.
constexpr vector vectors[] = {
    {"21", 0xc5f2f8ec, {0, 0, 0, 0, 3, 0, 0, 12, 13}},
    {"foobar", 0xd0e47bbe, {0, 0, 2, 0, 0, 6, 6, 14, 9}},
    {"a-little-bit-longer-string", 0xa768c9c3, {1, 2, 3, 5, 0, 9, 11, 3, 12}},
    {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 0xfc7d49cd, {1, 2, 1, 5, 3, 7, 5, 13, 0}},
    {"kafka", 0xd067cf64, {0, 1, 0, 4, 3, 0, 4, 4, 14}},
    {"giberish123456789", 0x8f552b0c, {0, 2, 0, 2, 5, 0, 8, 12, 2}},
    {"234", 0xe7c009ca, {0, 2, 2, 2, 4, 6, 2, 10, 13}},
    {"34", 0x873930da, {0, 0, 2, 0, 6, 0, 6, 10, 7}},
    {"PreAmbleWillBeRemoved,ThePrePartThatIs", 0x78424f1c, {0, 2, 0, 2, 1, 8, 8, 12, 4}},
    {"reAmbleWillBeRemoved,ThePrePartThatIs", 0x4a62b377, {1, 2, 3, 5, 6, 5, 11, 7, 11}},
    {"AmbleWillBeRemoved,ThePrePartThatIs", 0x62b8b43f, {1, 0, 3, 3, 3, 5, 3, 15, 15}},
    {"", 0x106e08d9, {1, 0, 1, 3, 2, 1, 9, 9, 11}},
};

TEST_CASE("a key has the hash that Kafka gives it") {
  for (const vector& v : vectors) {
    CAPTURE(v.key);
    CHECK(leat::murmur2(bytes_of(v.key)) == v.hash);
  }
  // librdkafka's 0048-partitioner.c has these without the sign bit.
  CHECK((leat::murmur2(bytes_of("23456")) & 0x7fffffff) == 0x058d780f);
  CHECK((leat::murmur2(bytes_of("this is another string with more length to it perhaps")) & 0x7fffffff) == 0x4f7703da);
  CHECK((leat::murmur2(bytes_of("hejsan")) & 0x7fffffff) == 0x5ec19395);
}

TEST_CASE("a key goes to the partition where Kafka puts it") {
  for (const vector& v : vectors) {
    for (std::size_t i = 0; i < counts.size(); ++i) {
      CAPTURE(v.key, counts[i]);
      CHECK(leat::partition_of_key(bytes_of(v.key), counts[i]) == v.partitions[i]);
    }
    CHECK(leat::partition_of_key(bytes_of(v.key), 1) == 0);
  }
}

TEST_CASE("bytes of a key above 127 are hashed without a sign") {
  // Kafka: `data[i] & 0xff`.
  const std::string key = leat_tests::from_hex("ff80fe");
  std::uint32_t h = 0x9747b28c ^ 3u;
  h ^= 0xfeu << 16;
  h ^= 0x80u << 8;
  h ^= 0xffu;
  h *= 0x5bd1e995;
  h ^= h >> 13;
  h *= 0x5bd1e995;
  h ^= h >> 15;
  CHECK(leat::murmur2(bytes_of(key)) == h);
}

TEST_CASE("records without a key stay with a partition for a run of bytes and then go to another") {
  leat::sticky_partition sticky(4);
  std::set<std::uint32_t> seen;
  std::uint32_t before = 4;
  for (int run = 0; run < 64; ++run) {
    const std::uint32_t current = sticky.choose(1024);
    CHECK(current < 4);
    CHECK(current != before);
    for (int i = 1; i < 16; ++i) REQUIRE(sticky.choose(1024) == current);
    before = current;
    seen.insert(current);
  }
  CHECK(seen.size() == 4);
}

TEST_CASE("records without a key all go to the only partition") {
  leat::sticky_partition sticky(1);
  for (int i = 0; i < 100; ++i) REQUIRE(sticky.choose(leat::sticky_partition::run_bytes) == 0);
}

TEST_CASE("producers begin with partitions of their own choice") {
  std::set<std::uint32_t> first;
  for (int i = 0; i < 200; ++i) first.insert(leat::sticky_partition(8).choose(1));
  CHECK(first.size() > 3);
}

}  // namespace unit_partitioner
