// expect: send
// A record of another type than the topic's.
#include <leat/leat.hpp>

struct trade {
  int amount;
};

void send(leat::producer<trade>& out) {
#ifdef LEAT_COMPILE_FAIL
  (void)out.send("text").value();
#else
  (void)out.send(trade{1}).value();
#endif
}
