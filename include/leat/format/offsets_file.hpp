// The offsets file: what a group owns and has committed in one topic; `group-<name>` in the topic's directory.
//
//   0                  512                  512 + 64
//   +------------------+--------------------+--------------------+---
//   | offsets_header   | offset_words 0     | offset_words 1     | ...
//   +------------------+--------------------+--------------------+---
//
// It lies with the topic, so deleting the topic takes it along, and retention finds all groups in one place.
#pragma once

#include <leat/format/segment.hpp>

namespace leat::format {

inline constexpr magic_bytes offsets_magic{'l', 'e', 'a', 't', 'o', 'f', 'f', '\n'};
inline constexpr std::size_t group_name_bytes = 256;

struct offsets_header {
  magic_bytes magic;
  std::uint32_t version;
  std::uint32_t reserved;
  unique_id topic;
  unique_id id;
  char group[group_name_bytes];  // zero-terminated
  std::uint32_t reserved_2;
  std::uint32_t checksum;
  std::uint64_t padding_1[9];
  std::uint64_t removal;     // 1 while somebody looks whether the file can lose its name, and once it has
  std::uint64_t shared_out;  // partitions that the group's members have shared out, and had
  std::uint64_t padding_2[14];
};
static_assert(offsetof(offsets_header, group) == 48 && offsetof(offsets_header, checksum) == 308);
static_assert(offsetof(offsets_header, removal) == 384 && offsetof(offsets_header, shared_out) == 392);
static_assert(sizeof(offsets_header) == 512);

/// All zero at first: nobody, nothing, nowhere.
struct offset_words {
  std::uint64_t owner;      // owner_value: who reads the partition
  std::uint64_t committed;  // commit_value
  std::uint64_t begun;      // commit_value: where the group began while nothing was committed
  std::uint64_t padding[5];
};
static_assert(sizeof(offset_words) == 64);

constexpr std::uint64_t offsets_file_bytes(std::uint32_t partitions) noexcept {
  return align_up(sizeof(offsets_header) + partitions * sizeof(offset_words), page_bytes);
}

/// The owner word: who has the partition, and in which of its tenures. Every taking over begins a new epoch.
struct owner_value {
  std::uint32_t epoch = 0;
  std::uint32_t member = 0;  // a member's number; 0: nobody

  bool operator==(const owner_value&) const = default;
  static constexpr owner_value of(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint32_t>(word)};
  }
  constexpr std::uint64_t word() const noexcept { return std::uint64_t{epoch} << 32 | member; }
};

/// The committed word: the next offset to read, and the epoch (its last 11 bits) of the tenure that may change it.
///
///     63   53 52        51                                      0
///     +-------+----------+---------------------------------------+
///     | epoch | metadata |  offset + 1, or 0: nothing            |
///     +-------+----------+---------------------------------------+
struct commit_value {
  static constexpr unsigned offset_bits = 52;
  static constexpr std::uint64_t none = (std::uint64_t{1} << offset_bits) - 1;
  static constexpr std::uint32_t epoch_mask = 0x7ff;

  std::uint32_t epoch = 0;
  bool has_metadata = false;
  std::uint64_t offset = none;

  bool operator==(const commit_value&) const = default;
  static constexpr commit_value of(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word >> (offset_bits + 1)), (word >> offset_bits & 1) != 0, (word - 1) & none};
  }
  constexpr std::uint64_t word() const noexcept {
    return std::uint64_t{epoch & epoch_mask} << (offset_bits + 1) | std::uint64_t{has_metadata} << offset_bits |
           ((offset + 1) & none);
  }
};

}  // namespace leat::format
