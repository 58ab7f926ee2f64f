#include <leat/format/slot.hpp>

#include "support/catch.hpp"

#include <cstdint>

namespace unit_format_slot {

using namespace leat::format;

TEST_CASE("a slot has the kind in 8 bits and the extent in 24 and the position in 32") {
  CHECK(make_slot(record_kind::compact, 0x1000, 5) == 0x0100000500000200);
  CHECK(make_slot(record_kind::full, 0x12345678, 0xabcdef) == 0x02abcdef02468acf);
}

TEST_CASE("what a slot was made of comes back at the limits too") {
  for (const record_kind kind : {record_kind::compact, record_kind::full}) {
    for (const std::uint64_t position : {std::uint64_t{8}, std::uint64_t{4096}, std::uint64_t{1} << 32, max_position}) {
      for (const std::uint64_t extent : {std::uint64_t{0}, std::uint64_t{1}, max_extent}) {
        const slot_word word = make_slot(kind, position, extent);
        REQUIRE(is_kind(word, kind));
        REQUIRE(slot_kind(word) == static_cast<std::uint64_t>(kind));
        REQUIRE(slot_position(word) == position);
        REQUIRE(slot_extent(word) == extent);
      }
    }
  }
}

TEST_CASE("no record's slot is free or sealed") {
  CHECK(slot_free == 0);
  CHECK(slot_sealed == 0xff00000000000000);
  CHECK(make_slot(record_kind::compact, 8, 0) != slot_free);
  CHECK_FALSE(is_kind(slot_sealed, record_kind::compact));
  CHECK_FALSE(is_kind(slot_sealed, record_kind::full));
}

TEST_CASE("a slot reaches every byte of the largest segment") {
  CHECK(max_position >= (std::uint64_t{16} << 30) - 8);
  CHECK(max_extent == 0xffffff);
}

}  // namespace unit_format_slot
