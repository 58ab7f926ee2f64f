// Members of a group whose values are aligned otherwise than those of a topic.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/media.hpp"

#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <thread>

namespace unit_group_alignment {

struct number {
  std::uint64_t n;
};
/// The same values, by the name; but whoever uses this type asks for more.
struct alignas(64) aligned_number {
  std::uint64_t n;
};

template <class T>
struct number_codec {
  using input = const T&;
  using output = const T&;
  static constexpr std::string_view name = "number v1";
  static constexpr std::size_t fixed_bytes = sizeof(number);
  static constexpr std::size_t alignment = alignof(T);
  static std::size_t size(input) noexcept { return fixed_bytes; }
  static void encode(input value, std::span<std::byte> into) noexcept {
    std::memcpy(into.data(), &value.n, into.size());
  }
  static output decode(leat::bytes_view bytes) noexcept { return *reinterpret_cast<const T*>(bytes.data()); }
};

}  // namespace unit_group_alignment

template <>
struct leat::codec<unit_group_alignment::number> : unit_group_alignment::number_codec<unit_group_alignment::number> {};
template <>
struct leat::codec<unit_group_alignment::aligned_number>
    : unit_group_alignment::number_codec<unit_group_alignment::aligned_number> {};

namespace unit_group_alignment {

using leat::errc;
using leat_tests::code_of;
using namespace std::chrono_literals;

leat::consumer_options of_group() {
  return {.auto_offset_reset = leat::offset_reset::earliest, .group = "g", .enable_auto_commit = false};
}

TEST_CASE("a topic whose values are less aligned than a member's is left to those who can read it") {
  auto temporary = leat_tests::each_kind_of_store();
  (void)temporary.store.topic<number>("less", {.partitions = 2});
  CHECK(code_of([&] { (void)temporary.store.topic<aligned_number>("less"); }) == errc::wrong_type);

  leat::consumer<aligned_number> strict{temporary.store, of_group()};
  CHECK(code_of([&] { strict.subscribe({"less"}); }) == errc::wrong_type);
  strict.subscribe_pattern(".*");
  leat::consumer<number> lenient{temporary.store, of_group()};
  lenient.subscribe_pattern(".*");
  const auto poll_until_they_have = [&](std::size_t by_strict, std::size_t by_lenient) {
    for (const auto end = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < end;) {
      (void)strict.poll();
      (void)lenient.poll();
      if (strict.owned().size() == by_strict && lenient.owned().size() == by_lenient) return true;
      std::this_thread::yield();
    }
    return false;
  };
  CHECK(poll_until_they_have(0, 2));
  (void)temporary.store.topic<aligned_number>("more", {.partitions = 2});
  CHECK(poll_until_they_have(2, 2));
  for (const leat::topic_partition& p : strict.owned()) CHECK(p.topic == "more");
}

}  // namespace unit_group_alignment
