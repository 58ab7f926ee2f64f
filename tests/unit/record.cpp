#include <leat/record.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

namespace unit_record {

using leat::format::make_slot;
using leat::format::record_kind;
using leat_tests::little_endian;
using view = leat::record_view<std::string>;

/// A piece of a segment with one record at byte 64.
struct segment {
  alignas(64) std::array<std::byte, 256> bytes{};
  leat::format::slot_word word;

  segment(record_kind kind, const std::string& record, std::uint64_t extent) : word(make_slot(kind, 64, extent)) {
    std::memcpy(bytes.data() + 64, record.data(), record.size());
  }
  std::string topic = "lines";
  view record() const { return view(bytes.data(), word, {3, 99}, topic); }
};

segment full(std::uint64_t value_bytes, std::uint64_t key_bytes, std::uint64_t headers_bytes, const std::string& rest,
             std::uint64_t extent) {
  return segment(record_kind::full,
                 little_endian(5, 8) + little_endian(value_bytes, 4) + little_endian(key_bytes, 4) +
                     little_endian(headers_bytes, 4) + little_endian(0, 4) + rest,
                 extent);
}

constexpr std::uint64_t null = 0xffffffff;

leat::errc code_of(auto&& f) {
  try {
    f();
  } catch (const leat::error& e) {
    CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring("topic lines, partition 3, offset 99"));
    return static_cast<leat::errc>(e.code().value());
  }
  return leat::errc::ok;
}

TEST_CASE("a compact record has a value and neither key nor headers") {
  const segment s(record_kind::compact, little_endian(1234567890123456789, 8) + "hello", 5);
  CHECK(s.record().offset() == 99);
  CHECK(s.record().partition() == 3);
  CHECK(s.record().position() == leat::record_position{3, 99});
  CHECK(s.record().timestamp().time_since_epoch().count() == 1234567890123456789);
  CHECK(s.record().has_value());
  CHECK(s.record().value() == "hello");
  CHECK_FALSE(s.record().has_key());
  CHECK_FALSE(s.record().key_bytes().has_value());
  CHECK(s.record().headers().empty());
}

TEST_CASE("a null value and a null key differ from empty ones") {
  const segment empty = full(0, 0, 0, "", 3);
  CHECK(empty.record().has_value());
  CHECK(empty.record().has_key());
  CHECK(empty.record().value().empty());
  CHECK(empty.record().key().empty());

  const segment nulls = full(null, null, 0, "", 3);
  CHECK_FALSE(nulls.record().has_value());
  CHECK_FALSE(nulls.record().has_key());
  CHECK_FALSE(nulls.record().value_bytes().has_value());
  CHECK_FALSE(nulls.record().key_bytes().has_value());

  const segment tombstone = full(null, 1, 0, "k", 4);
  CHECK_FALSE(tombstone.record().has_value());
  CHECK(tombstone.record().key() == "k");

  const segment compact_empty(record_kind::compact, little_endian(0, 8), 0);
  CHECK(compact_empty.record().has_value());
  CHECK(compact_empty.record().value().empty());
}

TEST_CASE("asking for a null value or key is an error that says which record") {
  const segment nulls = full(null, null, 0, "", 3);
  CHECK(code_of([&] { (void)nulls.record().value(); }) == leat::errc::invalid_argument);
  CHECK(code_of([&] { (void)nulls.record().key(); }) == leat::errc::invalid_argument);
}

TEST_CASE("headers stand behind the key whether there is one or not") {
  const std::string header = little_endian(1, 4) + little_endian(1, 4) + "nv";
  const segment with_key = full(1, 3, 10, "V" + std::string(7, '\0') + "key" + header, 6);
  CHECK((*with_key.record().headers().begin()) == leat::header("n", "v"));
  CHECK(with_key.record().key() == "key");
  const segment without = full(1, null, 10, "V" + std::string(7, '\0') + header, 6);
  CHECK((*without.record().headers().begin()) == leat::header("n", "v"));
}

TEST_CASE("a prefix whose sizes do not fit in the record is an error and not read beyond") {
  const auto corrupt = [](const segment& s) {
    CHECK(code_of([&] { (void)s.record().value_bytes(); }) == leat::errc::corrupt);
    CHECK(code_of([&] { (void)s.record().key_bytes(); }) == leat::errc::corrupt);
    CHECK(code_of([&] { (void)s.record().headers(); }) == leat::errc::corrupt);
    CHECK(code_of([&] { (void)s.record().has_value(); }) == leat::errc::corrupt);
    CHECK(code_of([&] { (void)s.record().has_key(); }) == leat::errc::corrupt);
  };
  corrupt(full(9, null, 0, "", 4));           // the value
  corrupt(full(0x7fffffff, null, 0, "", 4));  // by far
  corrupt(full(0, 9, 0, "", 4));              // the key
  corrupt(full(0, 0x7fffffff, 0, "", 4));
  corrupt(full(0, 0, 9, "", 4));  // the headers
  corrupt(full(0, 0, 0xffffffff, "", 4));
  corrupt(full(4, 4, 4, "", 4));              // all together
  corrupt(full(0xfffffffe, null, 0, "", 4));  // -2
  corrupt(full(0, 0xfffffffe, 0, "", 4));
  corrupt(full(0x80000000, 0x80000000, 0, "", 4));
}

TEST_CASE("every change of a record's prefix gives an error or bytes within the record") {
  const segment sound =
      full(3, 2, 10, "abc" + std::string(5, '\0') + "kk" + little_endian(1, 4) + little_endian(1, 4) + "nv", 6);
  for (std::size_t at = 64; at < 64 + 24; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      segment changed = sound;
      changed.bytes[at] ^= static_cast<std::byte>(1u << bit);
      const view record = changed.record();
      try {
        for (const auto& part : {record.value_bytes(), record.key_bytes()}) {
          if (!part) continue;
          REQUIRE(part->data() >= changed.bytes.data() + 64);
          REQUIRE(part->data() + part->size() <= changed.bytes.data() + 64 + 48);
        }
        for (const leat::header& h : record.headers()) {
          REQUIRE(h.name.data() + h.name.size() <= reinterpret_cast<const char*>(changed.bytes.data()) + 64 + 48);
        }
      } catch (const leat::error& e) {
        REQUIRE(e.code() == leat::errc::corrupt);
      }
    }
  }
}

}  // namespace unit_record
