// expect: a key or value that is null is leat::null, not nullptr
// Text would be read from it.
#include <leat/leat.hpp>

void send(leat::producer<std::string>& out) {
#ifdef LEAT_COMPILE_FAIL
  (void)out.send("key", nullptr).value();
#else
  (void)out.send("key", leat::null).value();
#endif
}
