#include <leat/codec.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"
#include "support/temporary_store.hpp"

#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace codec_tests {

struct trade {
  std::uint64_t account;
  double amount;
  std::uint32_t merchant;

  bool operator==(const trade&) const = default;
};

struct alignas(64) line {
  std::uint64_t number;
};

struct alignas(4096) page {
  std::uint64_t number;
};

/// Neither trivially copyable nor text.
struct order {
  std::string customer;
  std::vector<std::uint32_t> articles;

  bool operator==(const order&) const = default;
};

}  // namespace codec_tests

template <>
struct leat::codec<codec_tests::order> {
  using input = const codec_tests::order&;
  using output = codec_tests::order;
  static constexpr std::string_view name = "order v1";

  static std::size_t size(input o) { return 4 + o.customer.size() + 4 * o.articles.size(); }
  static void encode(input o, std::span<std::byte> into) {
    if (o.customer == "cannot be encoded") throw std::runtime_error("refused");
    const auto length = static_cast<std::uint32_t>(o.customer.size());
    std::memcpy(into.data(), &length, 4);
    std::memcpy(into.data() + 4, o.customer.data(), length);
    if (!o.articles.empty()) std::memcpy(into.data() + 4 + length, o.articles.data(), 4 * o.articles.size());
  }
  static output decode(bytes_view bytes) {
    std::uint32_t length = 0;
    if (bytes.size() < 4) throw error(errc::corrupt, "order", "too short");
    std::memcpy(&length, bytes.data(), 4);
    if (length > bytes.size() - 4) throw error(errc::corrupt, "order", "too short");
    codec_tests::order o;
    o.customer.assign(reinterpret_cast<const char*>(bytes.data()) + 4, length);
    o.articles.resize((bytes.size() - 4 - length) / 4);
    if (!o.articles.empty()) std::memcpy(o.articles.data(), bytes.data() + 4 + length, 4 * o.articles.size());
    return o;
  }
};

namespace unit_codec {

using namespace codec_tests;
using leat_tests::temporary_store;

const leat::consumer_options from_start{.auto_offset_reset = leat::offset_reset::earliest};

leat::errc code_of(auto&& f) {
  try {
    f();
  } catch (const leat::error& e) {
    return static_cast<leat::errc>(e.code().value());
  }
  return leat::errc::ok;
}

TEST_CASE("a trivially copyable type is read in place as it was sent") {
  auto temporary = temporary_store::in_process();
  const auto topic = temporary.store.topic<trade>("trades");
  leat::producer out{topic};
  leat::consumer in{topic};
  const trade sent{42, 9.75, 7};
  REQUIRE(out.send("account-42", sent));
  REQUIRE(out.send(sent));
  std::size_t read = 0;
  for (const auto& record : in.poll()) {
    CHECK(record.value() == sent);
    CHECK(static_cast<const void*>(&record.value()) == static_cast<const void*>(record.value_bytes()->data()));
    ++read;
  }
  CHECK(read == 2);
}

TEST_CASE("text is sent and read as text of any kind") {
  auto temporary = temporary_store::in_process();
  const auto topic = temporary.store.topic<std::string, std::string_view>("text");
  leat::producer out{topic};
  leat::consumer in{topic};
  const std::string owned = "owned";
  REQUIRE(out.send("literal", owned));
  REQUIRE(out.send(std::string_view("view"), std::string("temporary")));
  REQUIRE(out.send(std::string("with\0zero", 9)));
  std::vector<std::string> read;
  for (const auto& record : in.poll()) read.emplace_back(record.value());
  CHECK(read == std::vector<std::string>{"owned", "temporary", std::string("with\0zero", 9)});
}

TEST_CASE("bytes are sent and read as bytes") {
  auto temporary = temporary_store::in_process();
  const auto topic = temporary.store.topic<leat::bytes_view, std::vector<std::byte>>("bytes");
  leat::producer out{topic};
  leat::consumer in{topic};
  const std::vector<std::byte> key{std::byte{0}, std::byte{255}};
  const std::array<std::byte, 3> value{std::byte{1}, std::byte{0}, std::byte{2}};
  REQUIRE(out.send(key, value));
  REQUIRE(out.send(leat::bytes_view()));
  auto batch = in.poll();
  REQUIRE(batch.size() == 2);
  auto record = batch.begin();
  CHECK(leat_tests::text_of((*record).key()) == std::string("\0\xff", 2));
  CHECK(leat_tests::text_of((*record).value()) == std::string("\1\0\2", 3));
  CHECK((*++record).value().empty());
}

TEST_CASE("a type with a codec of its own is sent as value and as key") {
  auto temporary = temporary_store::in_process();
  const auto topic = temporary.store.topic<order, order>("orders", {.partitions = 5});
  leat::producer out{topic};
  leat::consumer in{topic};
  const order key{"k", {}};
  const order value{"somebody", {1, 2, 3}};
  const auto first = out.send(key, value).value();
  CHECK(out.send(key, order{"", {}}).value().partition == first.partition);
  std::vector<order> read;
  for (const auto& record : in.poll()) {
    CHECK(record.key() == key);
    read.push_back(record.value());
  }
  CHECK(read == std::vector<order>{value, {"", {}}});
}

TEST_CASE("a codec that throws while encoding leaves no record") {
  auto temporary = temporary_store::in_process();
  const auto topic = temporary.store.topic<order>("orders");
  leat::producer out{topic};
  CHECK_THROWS_AS(out.send(order{"cannot be encoded", {}}), std::runtime_error);
  CHECK(topic.end_offset(0) == 0);
  CHECK(out.send(order{"fine", {}}).value().offset == 0);
}

template <class T>
void check_alignment(std::uint64_t segment_bytes, const leat::topic_options& more = {}) {
  auto temporary = temporary_store::in_process();
  leat::topic_options options = more;
  options.segment_bytes = segment_bytes;
  const auto topic = temporary.store.topic<T>("aligned", options);
  leat::producer out{topic};
  leat::producer other{topic};
  leat::consumer in{topic, from_start};
  std::uint64_t sent = 0;
  for (std::uint64_t i = 0; i < 60; ++i) {
    T value;
    value.number = sent++;
    REQUIRE((i % 3 == 0 ? other : out).send(value));
    value.number = sent++;
    REQUIRE(out.send("a key", value, {.headers = {{"h", "x"}}}));
    auto loan = std::move(out.claim("claimed")).value();
    REQUIRE(reinterpret_cast<std::uintptr_t>(&*loan) % alignof(T) == 0);
    loan->number = sent++;
    REQUIRE(loan.publish());
    while (in.position(0) < sent) {
      for (const auto& record : in.poll()) {
        REQUIRE(reinterpret_cast<std::uintptr_t>(record.value_bytes()->data()) % alignof(T) == 0);
        REQUIRE(record.value().number == record.offset());
      }
    }
  }
}

TEST_CASE("a value that is aligned to 64 bytes is so in memory however it is sent") { check_alignment<line>(16384); }

TEST_CASE("a value that is aligned to a page is so in memory however it is sent") {
  check_alignment<page>(65536);
  check_alignment<page>(16384);
}

TEST_CASE("a filled record that moves to the next segment keeps the alignment of its value") {
  auto temporary = temporary_store::in_process();
  const auto topic = temporary.store.topic<line>("aligned", {.segment_bytes = 16384});
  leat::producer slow{topic};
  leat::producer fast{topic};
  leat::consumer in{topic, from_start};
  auto with_key = std::move(slow.claim("k")).value();
  auto without = std::move(slow.claim(leat::null)).value();
  with_key->number = 1000;
  without->number = 2000;
  for (std::uint64_t i = 0; i < 500; ++i) REQUIRE(fast.send(line{i}));
  REQUIRE(with_key.publish());
  REQUIRE(without.publish());
  std::vector<std::uint64_t> last;
  while (in.position(0) < 502) {
    for (const auto& record : in.poll()) {
      REQUIRE(reinterpret_cast<std::uintptr_t>(&record.value()) % 64 == 0);
      if (record.offset() >= 500) last.push_back(record.value().number);
    }
  }
  CHECK(last == std::vector<std::uint64_t>{1000, 2000});
}

TEST_CASE("bytes of another size than the type's are an error") {
  const std::array<std::byte, 16> bytes{};
  CHECK(code_of([&] { (void)leat::codec<trade>::decode(bytes); }) == leat::errc::corrupt);
  CHECK(code_of([&] { (void)leat::codec<std::uint64_t>::decode(std::span(bytes).first(7)); }) == leat::errc::corrupt);
  CHECK(code_of([&] { (void)leat::codec<std::uint64_t>::decode(std::span(bytes).first(0)); }) == leat::errc::corrupt);
}

TEST_CASE("bytes that are not aligned as the type is are an error") {
  alignas(64) const std::array<std::byte, 128> bytes{};
  CHECK(code_of([&] { (void)leat::codec<line>::decode(std::span(bytes).first(64)); }) == leat::errc::ok);
  CHECK(code_of([&] { (void)leat::codec<line>::decode(std::span(bytes).subspan(8, 64)); }) == leat::errc::corrupt);
}

TEST_CASE("an argument that must be converted is sent as converted") {
  auto temporary = temporary_store::in_process();
  const auto numbers = temporary.store.topic<double, std::uint64_t>("numbers");
  leat::producer out{numbers};
  leat::consumer in{numbers};
  const short key = 7;
  for (int i = 0; i < 10; ++i) REQUIRE(out.send(key, i));
  REQUIRE(out.send(2.5f));
  std::vector<double> read;
  for (const auto& record : in.poll()) {
    if (record.has_key()) CHECK(record.key() == 7);
    read.push_back(record.value());
  }
  CHECK(read == std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2.5});
}

TEST_CASE("numbers are converted where literals need it, and not where they would lose their value") {
  using leat::detail::narrows;
  enum colour : std::int64_t { red };
  STATIC_REQUIRE_FALSE(narrows<int, std::uint64_t>());
  STATIC_REQUIRE_FALSE(narrows<int, std::uint8_t>());
  STATIC_REQUIRE_FALSE(narrows<int, double>());
  STATIC_REQUIRE_FALSE(narrows<std::uint64_t, double>());
  STATIC_REQUIRE_FALSE(narrows<std::int64_t, std::uint64_t>());
  STATIC_REQUIRE_FALSE(narrows<float, double>());
  STATIC_REQUIRE_FALSE(narrows<double, float>());
  STATIC_REQUIRE_FALSE(narrows<bool, int>());
  STATIC_REQUIRE_FALSE(narrows<colour, std::int64_t>());
  STATIC_REQUIRE_FALSE(narrows<std::string, int>());
  STATIC_REQUIRE(narrows<double, int>());
  STATIC_REQUIRE(narrows<float, std::uint64_t>());
  STATIC_REQUIRE(narrows<std::uint64_t, int>());
  STATIC_REQUIRE(narrows<std::int64_t, std::uint8_t>());
  STATIC_REQUIRE(narrows<long double, float>());
  STATIC_REQUIRE(narrows<colour, int>());
  STATIC_REQUIRE(narrows<int, bool>());

  auto temporary = temporary_store::in_process();
  leat::producer numbers{temporary.store.topic<std::uint64_t, std::int64_t>("numbers")};
  leat::producer fractions{temporary.store.topic<double>("fractions")};
  leat::producer truths{temporary.store.topic<bool>("truths")};
  CHECK(numbers.send(-1, 42));
  CHECK(fractions.send(1.5f));
  CHECK(truths.send(std::vector<bool>{true}[0]));
  CHECK(numbers.send_batch(std::vector<int>{1, 2, 3}).count == 3);
}

TEST_CASE("text that is a null pointer is an error") {
  auto temporary = temporary_store::in_process();
  const auto topic = temporary.store.topic<std::string>("text");
  leat::producer out{topic};
  const char* const missing = std::getenv("LEAT_THERE_IS_NO_SUCH_VARIABLE");
  CHECK(code_of([&] { (void)out.send(missing); }) == leat::errc::invalid_argument);
  CHECK(code_of([&] { (void)out.send(missing, "value"); }) == leat::errc::invalid_argument);
  const char* const there = "key";
  CHECK(out.send(there, there).value().offset == 0);
}

TEST_CASE("types differ by their name and size and alignment") {
  const auto name = [](auto identity) { return identity.name; };
  CHECK(name(leat::detail::identity_of<trade>()) == "codec_tests::trade, 24 bytes, aligned to 8");
  CHECK(name(leat::detail::identity_of<std::string>()) == "string");
  CHECK(name(leat::detail::identity_of<std::string_view>()) == "string");
  CHECK(name(leat::detail::identity_of<leat::bytes_view>()) == "bytes");
  CHECK(name(leat::detail::identity_of<order>()) == "order v1");
  CHECK(leat::detail::identity_of<line>().alignment == 64);
  CHECK(leat::detail::identity_of<line>().fixed_bytes == 64);
  CHECK(leat::detail::identity_of<order>().fixed_bytes == 0);
  CHECK(leat::detail::identity_of<std::int32_t>().fingerprint !=
        leat::detail::identity_of<std::uint32_t>().fingerprint);
  CHECK(leat::detail::identity_of<std::string>().fingerprint !=
        leat::detail::identity_of<leat::bytes_view>().fingerprint);
}

TEST_CASE("integers of a width have one name whatever the compiler calls them") {
  const auto name = [](auto identity) { return identity.name; };
  CHECK(name(leat::detail::identity_of<std::uint64_t>()) == "unsignedlong, 8 bytes, aligned to 8");
  CHECK(name(leat::detail::identity_of<std::int64_t>()) == "long, 8 bytes, aligned to 8");
  CHECK(name(leat::detail::identity_of<std::uint16_t>()) == "unsignedshort, 2 bytes, aligned to 2");
}

}  // namespace unit_codec
