// Random bits for identifiers and temporary names.
#pragma once

#include <leat/os/errors.hpp>

#include <array>
#include <cstdint>
#include <string>

#include <sys/random.h>

namespace leat::os {

template <class T>
T random_bits() {
  T bits;
  if (::getrandom(&bits, sizeof bits, 0) != static_cast<ssize_t>(sizeof bits)) {
    throw_errno(errno, "getrandom", "get random bytes");
  }
  return bits;
}

inline std::string random_name() {
  constexpr char digits[] = "0123456789abcdef";
  std::string name;
  for (std::uint64_t bits = random_bits<std::uint64_t>(), i = 0; i < 16; ++i, bits >>= 4) name += digits[bits & 15];
  return name;
}

}  // namespace leat::os
