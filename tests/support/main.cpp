// main() of the test programs, for Catch2 2.13 and 3. Ends with 1 when something failed, else with 4 when something was
// skipped: Catch2's own exit code is the number of failures, which may be 4, too.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#endif

#include "support/catch.hpp"

int main(int argc, char** argv) {
  const int failures = Catch::Session().run(argc, argv);  // with 2.13 also the number of tests that are listed
  if (failures != 0) return 1;
  return leat_tests::skipped ? 4 : 0;
}
