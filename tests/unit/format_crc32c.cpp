#include <leat/format/crc32c.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"

#include <cstdint>
#include <string>

namespace unit_format_crc32c {

using leat_tests::bytes_of;
using leat_tests::from_hex;

struct vector {
  const char* hex;
  std::uint32_t crc;
};

// "Some String" is Kafka's Crc32CTest, "123456789" the catalogue's check value, the others are from RFC 3720 B.4.
constexpr vector vectors[] = {
    {"", 0x00000000},
    {"536f6d6520537472696e67", 0x2445290f},
    {"313233343536373839", 0xe3069283},
    {"0000000000000000000000000000000000000000000000000000000000000000", 0x8a9136aa},
    {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 0x62a8ab43},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0x46dd794e},
    {"1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100", 0x113fdb5c},
};

TEST_CASE("the checksum is CRC-32C as RFC 3720 and Kafka have it") {
  for (const vector& v : vectors) {
    CAPTURE(v.hex);
    CHECK(leat::format::crc32c(bytes_of(from_hex(v.hex))) == v.crc);
  }
}

TEST_CASE("the checksum by table is CRC-32C") {
  for (const vector& v : vectors) {
    CAPTURE(v.hex);
    CHECK(~leat::format::crc32c_detail::by_table(~0u, bytes_of(from_hex(v.hex))) == v.crc);
  }
}

#if defined(__x86_64__)
TEST_CASE("the checksum by instruction is CRC-32C at every length and alignment") {
  if (__builtin_cpu_supports("sse4.2") == 0) SKIP("this processor has no SSE 4.2");
  for (const vector& v : vectors) {
    CAPTURE(v.hex);
    CHECK(~leat::format::crc32c_detail::by_instruction(~0u, bytes_of(from_hex(v.hex))) == v.crc);
  }
  std::string text;
  for (int i = 0; i < 96; ++i) text += static_cast<char>(i * 37 + 11);
  for (std::size_t begin = 0; begin < 8; ++begin) {
    for (std::size_t size = 0; size < 80; ++size) {
      const auto part = bytes_of(text).subspan(begin, size);
      REQUIRE(leat::format::crc32c_detail::by_instruction(~0u, part) ==
              leat::format::crc32c_detail::by_table(~0u, part));
    }
  }
}
#endif

}  // namespace unit_format_crc32c
