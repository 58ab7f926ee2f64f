// Copying a record's bytes.
#pragma once

#include <cstddef>
#include <cstring>

namespace leat::format {

/// memcpy, by the C library's routine where the size is known and large: compilers put `rep movs` there, which takes four
/// times as long for 1 KiB on the machines that leat was measured on.
inline void copy_bytes(void* into, const void* from, std::size_t size) noexcept {
  constexpr std::size_t worth_a_call = 256;
  if (__builtin_constant_p(size) && size >= worth_a_call) asm("" : "+r"(size));  // hides what the compiler knows
  std::memcpy(into, from, size);
}

}  // namespace leat::format
