// The inputs that fuzzing has kept, played again with every compiler and sanitizer; and some at random. See tests/fuzz.
#include "fuzz/hostile_store.hpp"
#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/processes.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace unit_hostile_store {

using bytes = std::vector<std::uint8_t>;

/// Empty: every promise was kept.
std::string broken_by(leat_tests::hostile::stage& stage, const bytes& input) {
  return leat_tests::in_child([&]() -> std::string {
    stage.play(input);
    return {};
  });
}

TEST_CASE("no input of the corpus breaks a promise of a store's users") {
  leat_tests::hostile::stage stage;
  std::map<int, int> of_kind;
  for (const auto& entry : std::filesystem::directory_iterator(LEAT_FUZZ_CORPUS)) {
    const std::string text = leat_tests::read_file(entry.path().string());
    CAPTURE(entry.path().filename().string());
    REQUIRE(text.size() >= leat_tests::hostile::prefix_bytes);
    ++of_kind[static_cast<std::uint8_t>(text[0]) % 8];
    CHECK(broken_by(stage, bytes(text.begin(), text.end())) == "");
  }
  CHECK(of_kind.size() == leat_tests::hostile::kind_names.size());
}

TEST_CASE("no random damage breaks a promise of a store's users") {
  leat_tests::hostile::stage stage;
  const std::uint64_t first = leat_tests::seed();
  for (std::uint64_t seed = first; seed < first + 100; ++seed) {
    std::mt19937_64 random(seed);
    bytes input(leat_tests::hostile::prefix_bytes + leat_tests::hostile::damage_bytes * (1 + random() % 3));
    std::generate(input.begin(), input.end(), [&] { return static_cast<std::uint8_t>(random()); });
    if (seed % 8 != 0) input[2] &= static_cast<std::uint8_t>(~leat_tests::hostile::in_a_durable_topic);  // which waits
    CAPTURE(seed);  // LEAT_SEED=<this> begins with it
    CHECK(broken_by(stage, input) == "");
  }
}

}  // namespace unit_hostile_store
