// The numbers that recordings begin with, and how integers stand in them: little-endian, without gaps.
#pragma once

#include "text.hpp"

#include <leat/format/crc32c.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace leat_tool::recording_layout {

inline constexpr std::string_view magic = "leatrec\n";
inline constexpr std::uint32_t version = 1;
inline constexpr std::uint32_t most_description_bytes = 1 << 16;
inline constexpr std::uint32_t kind_records = 1;
inline constexpr std::uint32_t kind_end = 2;
inline constexpr std::int32_t null_size = -1;
inline constexpr std::size_t block_header_bytes = 16;
/// A block is written when it has this many bytes.
inline constexpr std::size_t usual_block_bytes = 1 << 18;

inline std::uint32_t checksum(std::string_view bytes) { return leat::format::crc32c(as_bytes(bytes)); }

template <class Integer>
void put(std::string& to, Integer value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);  // all hosts of leat are little-endian
  to.append(bytes, sizeof value);
}

/// False where not that much is left; what is taken goes from the front.
template <class Integer>
bool take(std::string_view& from, Integer& value) {
  if (from.size() < sizeof value) return false;
  std::memcpy(&value, from.data(), sizeof value);
  from.remove_prefix(sizeof value);
  return true;
}

inline bool take(std::string_view& from, std::string_view& text, std::size_t bytes) {
  if (from.size() < bytes) return false;
  text = from.substr(0, bytes);
  from.remove_prefix(bytes);
  return true;
}

}  // namespace leat_tool::recording_layout
