// expect: nodiscard
#include <leat/leat.hpp>

#pragma GCC diagnostic error "-Wunused-result"

void publish(leat::loan<int>& loan) {
#ifdef LEAT_COMPILE_FAIL
  loan.publish();
#else
  if (!loan.publish()) return;
#endif
}
