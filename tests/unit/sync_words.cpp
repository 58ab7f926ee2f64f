#include <leat/sync/words.hpp>

#include "support/catch.hpp"

#include <cstdint>

namespace unit_sync_words {

using namespace leat::sync;

TEST_CASE("a watermark only rises") {
  std::uint64_t word = 0;
  const watermark mark(word);
  mark.raise(5);
  CHECK(mark.observe() == 5);
  mark.raise(3);
  CHECK(mark.observe() == 5);
  mark.raise(5);
  mark.raise(6);
  CHECK(word == 6);
  mark.raise(~std::uint64_t{0});
  CHECK(mark.observe() == ~std::uint64_t{0});
}

TEST_CASE("a settled word is unset at first and can be settled again to the same") {
  std::uint64_t word = settled_word::unset;
  const settled_word base(word);
  CHECK(base.observe() == settled_word::unset);
  base.settle(0);
  base.settle(0);
  CHECK(base.observe() == 0);
}

TEST_CASE("the room that is taken of a data area lies behind all that was taken before") {
  std::uint64_t word = 100;
  const data_tail tail(word);
  CHECK(tail.take(8) == 100);
  CHECK(tail.take(64) == 108);
  CHECK(tail.approximate() == 172);
}

TEST_CASE("a flag is set once and for all") {
  std::uint64_t word = 0;
  const flag f(word);
  CHECK_FALSE(f.is_set());
  f.set();
  f.set();
  CHECK(f.is_set());
  CHECK(word == 1);
}

TEST_CASE("any value of a flag but 0 means that it is set") {
  const std::uint64_t word = std::uint64_t{1} << 63;
  CHECK(flag(word).is_set());
}

TEST_CASE("a field is read as it stands") {
  const std::int32_t small = -1;
  const std::int64_t large = -2;
  CHECK(read_once(small) == -1);
  CHECK(read_once(large) == -2);
}

}  // namespace unit_sync_words
