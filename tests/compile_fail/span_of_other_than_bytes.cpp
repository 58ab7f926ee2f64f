// expect: a topic's value and key need a codec
// Of a span, only the pointer would be stored.
#include <leat/leat.hpp>

#include <cstddef>
#include <span>

#ifdef LEAT_COMPILE_FAIL
using value = std::span<const int>;
#else
using value = std::span<const std::byte>;
#endif

void open(const leat::store& store) { (void)store.topic<value>("t"); }
