// What a topic remembers of its types.
#pragma once

#include <cstdint>
#include <string>

namespace leat::storage {

/// What a topic's values or keys are.
struct type_identity {
  std::uint64_t fingerprint = 0;
  std::string name;
  std::uint32_t alignment = 1;
  std::uint32_t fixed_bytes = 0;  // 0: they vary
};

}  // namespace leat::storage
