#include <leat/format/segment.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace unit_format_segment {

using namespace leat::format;

TEST_CASE("a segment's identity has the bytes that it has had since version 2") {
  segment_identity identity{};
  identity.magic = segment_magic;
  identity.version = version;
  identity.partition = 0x01020304;
  for (std::uint8_t i = 0; i < 16; ++i) identity.topic[i] = static_cast<std::uint8_t>(0xa0 + i);
  identity.sequence = 0x1122334455667788;
  identity.segment_bytes = 0x10000;
  identity.slot_count = 100;
  identity.checksum = header_checksum(identity);

  const std::string expected = leat_tests::from_hex(
      "6c6561747365670a"                  // "leatseg\n"
      "02000000"                          // version
      "04030201"                          // partition
      "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"  // topic
      "8877665544332211"                  // sequence
      "0000010000000000"                  // segment bytes
      "6400000000000000"                  // slots
      "00000000"                          // reserved
      "4a4229e6");                        // checksum of all before
  CHECK(leat_tests::text_of(std::as_bytes(std::span(&identity, 1))) == expected);
}

TEST_CASE("the tail of a segment's data is on a cache line of its own and what is written once on another") {
  CHECK(offsetof(segment_header, base_offset) == 128);
  CHECK(offsetof(segment_header, abandoned) == 136);
  CHECK(offsetof(segment_header, largest_timestamp) == 144);
  CHECK(offsetof(segment_header, base_check) == 152);
  CHECK(offsetof(segment_header, data_tail) == 256);
  CHECK(sizeof(segment_header) == 384);
}

TEST_CASE("slots begin at the second page and data at the next line behind them") {
  const segment_geometry one{16384, 1};
  CHECK(one.slots_begin() == 4096);
  CHECK(one.data_begin() == 4160);
  CHECK(one.data_bytes() == 16384 - 4160);
  const segment_geometry eight{16384, 8};
  CHECK(eight.data_begin() == 4160);
  const segment_geometry nine{16384, 9};
  CHECK(nine.data_begin() == 4224);
}

TEST_CASE("slots and data are used up together by records of the expected size") {
  for (const std::uint64_t segment_bytes : {std::uint64_t{16384}, std::uint64_t{1} << 20, std::uint64_t{16} << 30}) {
    for (const std::uint64_t record : {1u, 8u, 16u, 24u, 100u, 128u, 4096u, 1u << 30}) {
      CAPTURE(segment_bytes, record);
      const segment_geometry g = segment_geometry::for_records(segment_bytes, record);
      REQUIRE(g.segment_bytes == segment_bytes);
      REQUIRE(g.slot_count >= 1);
      REQUIRE(g.data_begin() < segment_bytes);
      const std::uint64_t aligned = align_up(record, 8);
      if (aligned + 8 < segment_bytes - page_bytes) {
        const std::uint64_t fit = g.data_bytes() / aligned;
        REQUIRE(fit + 64 / aligned + 1 >= g.slot_count);
        REQUIRE(fit <= g.slot_count + 1);
      }
    }
  }
}

}  // namespace unit_format_segment
