// expect: a pointer is not sent as a bool.*this number may lose its value
// What C++ converts silently, and hardly anybody means.
#include <leat/leat.hpp>

void send(leat::producer<bool>& truths, leat::producer<int>& numbers) {
#ifdef LEAT_COMPILE_FAIL
  (void)truths.send("text").value();
  (void)numbers.send(3.9).value();
#else
  (void)truths.send(true).value();
  (void)numbers.send(static_cast<int>(3.9)).value();
#endif
}
