// Catch2 for every test: version 3 where it is installed, else 2.13. Tests are written with the names of version 3.
#pragma once

#include <string>

#if __has_include(<catch2/catch_test_macros.hpp>)

#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/catch_tostring.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>

#else

#include <catch2/catch.hpp>

#include <string>

namespace Catch::Matchers {

inline auto ContainsSubstring(const std::string& text) { return Contains(text); }

}  // namespace Catch::Matchers

#endif

namespace leat_tests {

inline bool skipped = false;

/// Set by programs whose tests need something that may not be there: says why nothing is run; empty: it is there.
inline std::string (*why_nothing_runs)() = nullptr;

}  // namespace leat_tests

/// Leaves the test case, which then counts as skipped. Only directly in a test case: it returns.
#undef SKIP
#define SKIP(reason)             \
  do {                           \
    WARN("skipped: " << reason); \
    leat_tests::skipped = true;  \
    return;                      \
  } while (false)
