// expect: send
// A value that is sent by reference is not converted on the way: the converted one would be gone too early.
#include <leat/leat.hpp>

struct celsius {
  double degrees;
};
struct fahrenheit {
  double degrees;
  operator celsius() const { return {(degrees - 32) / 1.8}; }
};

void send(leat::producer<celsius>& out) {
#ifdef LEAT_COMPILE_FAIL
  (void)out.send(fahrenheit{451}).value();
#else
  (void)out.send(celsius(fahrenheit{451})).value();
#endif
}
