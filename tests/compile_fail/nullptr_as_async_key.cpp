// expect: a key or value that is null is leat::null, not nullptr
// The asynchronous producer keeps what it is given, and takes no nullptr either.
#include <leat/async_producer.hpp>

void send(leat::async_producer<std::string>& out) {
#ifdef LEAT_COMPILE_FAIL
  out.send(nullptr, "value").get();
#else
  out.send(leat::null, "value").get();
#endif
}
