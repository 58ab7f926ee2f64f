#include <leat/format/store_file.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"

#include <cstddef>
#include <string>

namespace unit_format_store_file {

using namespace leat::format;

TEST_CASE("a store file begins with the bytes that it has had since version 2") {
  store_header header{};
  header.magic = store_magic;
  header.version = version;
  for (std::uint8_t i = 0; i < 16; ++i) header.id[i] = static_cast<std::uint8_t>(0xb0 + i);
  header.checksum = header_checksum(header);
  const std::string bytes = leat_tests::text_of(std::as_bytes(std::span(&header, 1)));
  CHECK(bytes.substr(0, 40) == leat_tests::from_hex("6c65617473746f0a"                  // "leatsto\n"
                                                    "02000000"                          // version
                                                    "00000000"                          // reserved
                                                    "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf"  // id
                                                    "00000000"                          // reserved
                                                    "7f902b36"));                       // checksum of all before
  CHECK(bytes.substr(40) == std::string(sizeof header - 40, '\0'));
}

TEST_CASE("the bell of a store is the word at 256 and the topics' revision that at 64") {
  CHECK(offsetof(store_header, bell) == 256);
  CHECK(offsetof(store_header, topics_revision) == 64);
}

}  // namespace unit_format_store_file
