// A slot: the 64-bit word that makes a record exist. Its index is the record's offset.
//
//   63      56 55                              32 31                                 0
//   +---------+----------------------------------+-----------------------------------+
//   |  kind   |  extent                          |  position / 8                     |
//   +---------+----------------------------------+-----------------------------------+
//
// position counts bytes from the start of the segment file, so a record's word is never 0, which means free.
//
//   kind     record            extent
//   1        compact           bytes of the value
//   2        full              bytes of the whole record / 8
//   255      the segment ends here (extent and position are 0)
#pragma once

#include <cstdint>

namespace leat::format {

using slot_word = std::uint64_t;

inline constexpr slot_word slot_free = 0;
inline constexpr slot_word slot_sealed = slot_word{0xff} << 56;

enum class record_kind : std::uint8_t { compact = 1, full = 2 };

inline constexpr std::uint64_t record_alignment = 8;
inline constexpr std::uint64_t max_extent = (1u << 24) - 1;
inline constexpr std::uint64_t max_position = std::uint64_t{0xffffffff} * record_alignment;

constexpr slot_word make_slot(record_kind kind, std::uint64_t position, std::uint64_t extent) noexcept {
  return slot_word{static_cast<std::uint8_t>(kind)} << 56 | extent << 32 | position / record_alignment;
}

constexpr std::uint64_t slot_kind(slot_word word) noexcept { return word >> 56; }
constexpr std::uint64_t slot_position(slot_word word) noexcept { return (word & 0xffffffffu) * record_alignment; }
constexpr std::uint64_t slot_extent(slot_word word) noexcept { return (word >> 32) & max_extent; }

constexpr bool is_kind(slot_word word, record_kind kind) noexcept {
  return slot_kind(word) == static_cast<std::uint8_t>(kind);
}

}  // namespace leat::format
