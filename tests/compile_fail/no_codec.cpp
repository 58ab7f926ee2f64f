// expect: a topic's value and key need a codec
// A type that is not trivially copyable needs a codec of its own.
#include <leat/leat.hpp>

#include <vector>

struct order {
  std::vector<int> articles;
};

#ifndef LEAT_COMPILE_FAIL
template <>
struct leat::codec<order> {
  using input = const order&;
  using output = order;
  static constexpr std::string_view name = "order";
  static std::size_t size(input) { return 0; }
  static void encode(input, std::span<std::byte>) {}
  static output decode(bytes_view) { return {}; }
};
#endif

void open(const leat::store& store) { (void)store.topic<order>("t"); }
