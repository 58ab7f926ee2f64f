// expect: nodiscard
// What send() returns tells whether the record is in the log.
#include <leat/leat.hpp>

#pragma GCC diagnostic error "-Wunused-result"

void send(leat::producer<int>& out) {
#ifdef LEAT_COMPILE_FAIL
  out.send(1);
#else
  if (!out.send(1)) return;
#endif
}
