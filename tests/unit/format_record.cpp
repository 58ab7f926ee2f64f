#include <leat/format/record.hpp>

#include "support/catch.hpp"

#include <cstdint>

namespace unit_format_record {

using namespace leat::format;

TEST_CASE("a compact record is a timestamp and the value, in multiples of 8 bytes") {
  CHECK(record_layout::value_at(record_kind::compact) == 8);
  CHECK(compact_size(0) == 8);
  CHECK(compact_size(1) == 16);
  CHECK(compact_size(8) == 16);
  CHECK(compact_size(9) == 24);
}

TEST_CASE("a full record has its value behind 24 bytes and its key at the next multiple of 8") {
  CHECK(sizeof(full_prefix) == 24);
  CHECK(record_layout::value_at(record_kind::full) == 24);
  CHECK(record_layout::key_at(0) == 24);
  CHECK(record_layout::key_at(1) == 32);
  CHECK(record_layout::key_at(8) == 32);
  CHECK(full_size(0, 0, 0) == 24);
  CHECK(full_size(1, 0, 0) == 32);
  CHECK(full_size(3, 5, 0) == 40);
  CHECK(full_size(3, 5, 4) == 48);
}

TEST_CASE("aligning rounds up to the next multiple") {
  CHECK(align_up(0, 64) == 0);
  CHECK(align_up(1, 64) == 64);
  CHECK(align_up(64, 64) == 64);
  CHECK(align_up(65, 4096) == 4096);
}

TEST_CASE("the largest record is 128 MiB less 8 bytes") { CHECK(max_record_bytes == (std::uint64_t{128} << 20) - 8); }

}  // namespace unit_format_record
