// main() of the test programs, for Catch2 2.13 and 3. Ends with 1 when something failed, else with 4 when something was
// skipped: Catch2's own exit code is the number of failures, which may be 4, too.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#endif

#include "support/catch.hpp"

#include <iostream>
#include <string>
#include <string_view>

int main(int argc, char** argv) {
  const bool only_lists = argc > 1 && std::string_view(argv[1]).starts_with("--list");
  if (leat_tests::why_nothing_runs != nullptr && !only_lists) {
    if (const std::string why = leat_tests::why_nothing_runs(); !why.empty()) {
      std::cerr << "skipped: " << why << '\n';
      return 4;
    }
  }
  const int failures = Catch::Session().run(argc, argv);  // with 2.13 also the number of tests that are listed
  if (failures != 0) return 1;
  return leat_tests::skipped ? 4 : 0;
}

// moodycamel's ConcurrentQueue gives a block that was emptied back to its producer by two fences: set_many_empty() has a
// release fence before relaxed stores, is_empty() an acquire fence behind relaxed loads. They order the consumer's last look
// at an element before the next one is put there; but ThreadSanitizer does not model fences, and takes it for a race. A report
// is left out only where a producer with a token puts an element into the queue.
#if defined(__SANITIZE_THREAD__)
#define LEAT_TEST_UNDER_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LEAT_TEST_UNDER_TSAN
#endif
#endif
#ifdef LEAT_TEST_UNDER_TSAN
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "race:ExplicitProducer::enqueue\n"; }
#endif
