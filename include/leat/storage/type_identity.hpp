// What a topic remembers of its types.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace leat::storage {

/// FNV-1a of 64 bits.
inline std::uint64_t fingerprint_of(std::string_view name) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// The fingerprint of those who take a topic's records as bytes, whatever they are.
inline constexpr std::uint64_t any_type = 0;

/// What a topic's values or keys are.
struct type_identity {
  std::uint64_t fingerprint = 0;
  std::string name;
  std::uint32_t alignment = 1;
  std::uint32_t fixed_bytes = 0;  // 0: they vary
};

}  // namespace leat::storage
