// expect: deleted|implicitly-deleted
// A producer is one thread's: it cannot be copied.
#include <leat/leat.hpp>

#include <utility>

leat::producer<int> another(leat::producer<int>& out) {
#ifdef LEAT_COMPILE_FAIL
  return out;
#else
  return std::move(out);
#endif
}
