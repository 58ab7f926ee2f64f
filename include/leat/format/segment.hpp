// A segment file: a header page, the slot array, the data area.
//
//   0            4096                      data_begin                              segment_bytes
//   +------------+-------------------------+-------------------------------------------+
//   | header     | slots: slot_count * 8   | records, each at a multiple of 8          |
//   +------------+-------------------------+-------------------------------------------+
//
// data_begin follows from the topic's slot_count, so nothing in a segment needs to be believed.
#pragma once

#include <leat/format/crc32c.hpp>
#include <leat/format/record.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace leat::format {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

inline constexpr std::uint32_t version = 2;
inline constexpr std::uint64_t page_bytes = 4096;
inline constexpr std::uint64_t unset = ~std::uint64_t{0};

using magic_bytes = std::array<char, 8>;
using unique_id = std::array<std::uint8_t, 16>;

/// 32 hexadecimal digits, as ids stand in names and texts.
inline std::string text_of(const unique_id& id) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : id) (text += digits[byte >> 4]) += digits[byte & 15];
  return text;
}

inline constexpr magic_bytes segment_magic{'l', 'e', 'a', 't', 's', 'e', 'g', '\n'};

/// What a segment file is. Fixed during a life of the file, and covered by the checksum at its end.
struct segment_identity {
  magic_bytes magic;
  std::uint32_t version;
  std::uint32_t partition;
  unique_id topic;
  std::uint64_t sequence;
  std::uint64_t segment_bytes;
  std::uint64_t slot_count;
  std::uint32_t reserved;
  std::uint32_t checksum;
};
static_assert(offsetof(segment_identity, sequence) == 32);
static_assert(offsetof(segment_identity, checksum) == 60 && sizeof(segment_identity) == 64);

/// Shared words stand apart, each on a line of its own: base_offset is written once, data_tail at every chunk.
struct segment_header {
  segment_identity identity;
  std::uint64_t padding_1[8];
  std::uint64_t base_offset;
  std::uint64_t abandoned;          // 1 once the file has lost its name: whoever keeps a mapping may drop it
  std::uint64_t largest_timestamp;  // of its records, once it is sealed and somebody has looked; ~0 before
  std::uint64_t base_check;         // ~base_offset, so that a damaged one is not taken for another
  std::uint64_t padding_2[12];
  std::uint64_t data_tail;
  std::uint64_t padding_3[15];
};
static_assert(offsetof(segment_header, base_offset) == 128);
static_assert(offsetof(segment_header, largest_timestamp) == 144);
static_assert(offsetof(segment_header, base_check) == 152);
static_assert(offsetof(segment_header, data_tail) == 256);
static_assert(sizeof(segment_header) == 384);

/// The sizes that all segments of a topic have in common.
struct segment_geometry {
  std::uint64_t segment_bytes = 0;
  std::uint64_t slot_count = 0;

  constexpr std::uint64_t slots_begin() const noexcept { return page_bytes; }
  constexpr std::uint64_t data_begin() const noexcept { return align_up(page_bytes + slot_count * 8, 64); }
  constexpr std::uint64_t data_bytes() const noexcept { return segment_bytes - data_begin(); }

  /// Slots and data area in the proportion in which records of `record_bytes` use them up.
  static constexpr segment_geometry for_records(std::uint64_t segment_bytes, std::uint64_t record_bytes) noexcept {
    const std::uint64_t a_record = align_up(std::max<std::uint64_t>(record_bytes, 8), record_alignment) + 8;
    return {segment_bytes, std::max<std::uint64_t>((segment_bytes - page_bytes) / a_record, 1)};
  }
};

/// Checksum of a header that begins with immutable fields and keeps the sum behind them.
template <class Header>
std::uint32_t header_checksum(const Header& header) noexcept {
  return crc32c({reinterpret_cast<const std::byte*>(&header), offsetof(Header, checksum)});
}

/// A copy of these fields of a header in a mapping, with 0 behind them: what stands there may be changing at this moment.
template <class Header>
Header fixed_fields(const Header& shared) noexcept {
  Header copy{};
  std::memcpy(&copy, &shared, offsetof(Header, checksum) + sizeof copy.checksum);
  return copy;
}

}  // namespace leat::format
