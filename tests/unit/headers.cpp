#include <leat/headers.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <optional>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

namespace unit_headers {

using leat::header;
using leat::header_list;
using leat::headers_view;

// A header lies in no memory that it could be a reference to: it is read from the record's bytes.
static_assert(std::forward_iterator<headers_view::iterator>);
static_assert(std::same_as<std::iter_reference_t<headers_view::iterator>, header>);
static_assert(std::same_as<std::iterator_traits<headers_view::iterator>::iterator_category, std::input_iterator_tag>);
static_assert(std::ranges::forward_range<headers_view>);

std::vector<std::byte> encoded(const header_list& list) {
  std::vector<std::byte> bytes(list.encoded_size());
  list.encode(bytes.data());
  return bytes;
}

std::vector<header> decoded(std::span<const std::byte> bytes) {
  const headers_view view(bytes);
  return {view.begin(), view.end()};
}

TEST_CASE("headers keep their order and their duplicates") {
  const std::vector<header> sent{{"b", "1"}, {"a", "2"}, {"b", "3"}, {"b", "1"}};
  CHECK(decoded(encoded(sent)) == sent);
}

TEST_CASE("a null header value differs from an empty one") {
  const auto bytes = encoded({{"null", leat::null}, {"empty", ""}});
  const std::vector<header> got = decoded(bytes);
  REQUIRE(got.size() == 2);
  CHECK_FALSE(got[0].value.has_value());
  REQUIRE(got[1].value.has_value());
  CHECK(got[1].value->empty());
  CHECK(got[0].text().empty());
  CHECK(header("x", leat::null) != header("x", ""));
}

TEST_CASE("a header outlives the iterator that it was read with") {
  const auto bytes = encoded({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  const headers_view view(bytes);
  auto at = view.begin();
  const header& first = *at++;
  const header& second = *std::ranges::find(view, "b", &header::name);
  CHECK(at->name == "b");
  CHECK(first == header("a", "1"));
  CHECK(second == header("b", "2"));
}

TEST_CASE("a null pointer is no header value") {
  static_assert(!std::constructible_from<header, const char*, std::nullptr_t>);
  static_assert(std::constructible_from<header, const char*, leat::null_t>);
  const char* const missing = nullptr;
  try {
    const header h("trace", missing);
    FAIL("a header was made of nothing: " << h.text());
  } catch (const leat::error& e) {
    CHECK(e.code() == leat::errc::invalid_argument);
    CHECK(e.path() == "header trace");
  }
  const char* const there = "7f3a";
  CHECK(header("trace", there) == header("trace", "7f3a"));
}

TEST_CASE("a header may have an empty name and any bytes") {
  const std::string zeros("\0\xff\0", 3);
  const std::vector<header> sent{{"", ""}, {"", leat::null}, {std::string_view(zeros), std::string_view(zeros)}};
  CHECK(decoded(encoded(sent)) == sent);
}

TEST_CASE("headers have the bytes that they have had since version 1") {
  CHECK(leat_tests::text_of(encoded({{"trace", "7f"}, {"n", leat::null}})) == leat_tests::from_hex("05000000"
                                                                                                   "02000000"
                                                                                                   "7472616365"
                                                                                                   "3766"
                                                                                                   "01000000"
                                                                                                   "ffffffff"
                                                                                                   "6e"));
}

TEST_CASE("no headers are no bytes") {
  CHECK(header_list{}.encoded_size() == 0);
  CHECK(headers_view().empty());
  CHECK(headers_view().begin() == headers_view().end());
}

TEST_CASE("the last header of a name is found") {
  const auto bytes = encoded({{"a", "1"}, {"b", "2"}, {"a", "3"}, {"c", leat::null}});
  const headers_view view(bytes);
  CHECK(view.last("a") == header("a", "3"));
  CHECK(view.last("b") == header("b", "2"));
  REQUIRE(view.last("c").has_value());
  CHECK_FALSE(view.last("c")->value.has_value());
  CHECK_FALSE(view.last("d").has_value());
}

TEST_CASE("damaged headers are an error wherever they are cut or changed") {
  const auto whole = encoded({{"name", "value"}, {"n", leat::null}});
  const auto outcome = [](std::span<const std::byte> bytes) -> std::optional<std::size_t> {
    try {
      const headers_view view(bytes);
      return static_cast<std::size_t>(std::distance(view.begin(), view.end()));
    } catch (const leat::error& e) {
      CHECK(e.code() == leat::errc::corrupt);
      return std::nullopt;
    }
  };
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    CAPTURE(size);
    const bool between = size == 0 || size == 17 || size == whole.size();
    const auto read = outcome(std::span(whole).first(size));
    CHECK(read.has_value() == between);
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const std::byte mask : {std::byte{1}, std::byte{0x80}, std::byte{0xff}}) {
      std::vector<std::byte> changed = whole;
      changed[at] ^= mask;
      outcome(changed);  // reads no byte beyond, which the address sanitizer watches
    }
  }
  std::vector<std::byte> negative = whole;
  negative[4] = std::byte{0xfe};
  negative[5] = negative[6] = negative[7] = std::byte{0xff};
  CHECK_FALSE(outcome(negative).has_value());
}

}  // namespace unit_headers
