// expect: a topic's value and key need a codec
#include <leat/leat.hpp>

#ifdef LEAT_COMPILE_FAIL
using key = const char*;
#else
using key = std::string_view;
#endif

void open(const leat::store& store) { (void)store.topic<int, key>("t"); }
