// A record's bytes in the data area of a segment.
//
//   compact: a value without key and headers          full: everything else
//   +0  timestamp   8                                 +0   timestamp      8
//   +8  value                                         +8   value bytes    4   (-1: null)
//                                                     +12  key bytes      4   (-1: null)
//                                                     +16  headers bytes  4
//                                                     +20  checksum       4   (in durable topics)
//                                                     +24  value
//                                                     +..  key, at the next multiple of 8
//                                                     +..  headers, right behind the key
//
// A header is: name bytes (4), value bytes (4, -1: null), name, value; without padding. Integers are little-endian.
// In a durable topic every record is full, and its checksum is the CRC-32C of where it lies (record_place) and of all its
// bytes, those of the checksum taken as 0: what a former life of the file left in its place does not pass for it.
//
// The value comes first so that its alignment depends on nothing but the record's position.
#pragma once

#include <leat/format/crc32c.hpp>
#include <leat/format/slot.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace leat::format {

inline constexpr std::uint64_t compact_prefix = 8;
inline constexpr std::int32_t null_size = -1;
inline constexpr std::uint64_t header_prefix = 8;

struct full_prefix {
  std::int64_t timestamp;
  std::int32_t value_bytes;
  std::int32_t key_bytes;
  std::uint32_t headers_bytes;
  std::uint32_t checksum;
};
static_assert(sizeof(full_prefix) == 24);
static_assert(offsetof(full_prefix, value_bytes) == 8 && offsetof(full_prefix, headers_bytes) == 16);

constexpr std::uint64_t align_up(std::uint64_t n, std::uint64_t alignment) noexcept {
  return (n + alignment - 1) & ~(alignment - 1);
}

/// The parts of a record, as offsets from its first byte.
struct record_layout {
  static constexpr std::uint64_t value_at(record_kind kind) noexcept {
    return kind == record_kind::compact ? compact_prefix : sizeof(full_prefix);
  }
  static constexpr std::uint64_t key_at(std::uint64_t value_bytes) noexcept {
    return align_up(sizeof(full_prefix) + value_bytes, record_alignment);
  }
};

/// Bytes that a record takes, without padding for over-aligned values. Null counts as 0 bytes here.
constexpr std::uint64_t compact_size(std::uint64_t value_bytes) noexcept {
  return align_up(compact_prefix + value_bytes, record_alignment);
}
constexpr std::uint64_t full_size(std::uint64_t value_bytes, std::uint64_t key_bytes,
                                  std::uint64_t headers_bytes) noexcept {
  return align_up(record_layout::key_at(value_bytes) + key_bytes + headers_bytes, record_alignment);
}

/// Of the record that `word` describes.
constexpr std::uint64_t record_bytes(slot_word word) noexcept {
  const std::uint64_t extent = slot_extent(word);
  return is_kind(word, record_kind::compact) ? compact_size(extent) : extent * record_alignment;
}

inline constexpr std::uint64_t max_record_bytes = max_extent * record_alignment;

/// Where a record of a durable topic lies: the beginning of what its checksum covers.
struct record_place {
  std::array<std::uint8_t, 16> topic;
  std::uint64_t sequence;
  std::uint64_t partition;
  std::uint64_t position;
};
static_assert(sizeof(record_place) == 40);

/// The checksum of the full record `bytes`, whatever its checksum field holds.
inline std::uint32_t record_checksum(const record_place& place, std::span<const std::byte> bytes) noexcept {
  constexpr std::size_t at = offsetof(full_prefix, checksum);
  constexpr std::array<std::byte, sizeof(full_prefix::checksum)> zero{};
  std::uint32_t crc = crc32c(std::as_bytes(std::span(&place, 1)));
  crc = crc32c(bytes.first(at), crc);
  crc = crc32c(zero, crc);
  return crc32c(bytes.subspan(at + zero.size()), crc);
}

/// Whether `word` is that of a record that lies between `begin` and `end` of its segment.
constexpr bool is_sound(slot_word word, std::uint64_t begin, std::uint64_t end) noexcept {
  const std::uint64_t position = slot_position(word);
  if (position < begin) return false;  // free, sealed, or nonsense
  const std::uint64_t extent = slot_extent(word);
  const bool compact = is_kind(word, record_kind::compact);
  if (position + (compact ? compact_prefix + extent : extent * record_alignment) > end) return false;
  return compact || (is_kind(word, record_kind::full) && extent * record_alignment >= sizeof(full_prefix));
}

}  // namespace leat::format
