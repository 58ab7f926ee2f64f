// The topic file: a page of options, then the shared words of each partition.
//
// Options that never change come first, under a checksum; those that may change are words of their own behind it.
//
//   0                     4096                   4096 + 256
//   +---------------------+----------------------+----------------------+---
//   | topic_header        | partition_words 0    | partition_words 1    | ...
//   +---------------------+----------------------+----------------------+---
//
// The file is complete before it gets its name. Its bytes serve as locks besides, see storage/pins.hpp.
#pragma once

#include <leat/format/segment.hpp>

namespace leat::format {

inline constexpr magic_bytes topic_magic{'l', 'e', 'a', 't', 't', 'o', 'p', '\n'};
inline constexpr std::uint32_t max_partitions = 1024;
inline constexpr std::size_t type_name_bytes = 256;

struct topic_header {
  magic_bytes magic;
  std::uint32_t version;
  std::uint32_t partitions;  // at creation
  unique_id id;
  std::uint64_t segment_bytes;
  std::uint64_t slot_count;
  std::uint64_t retention_bytes;  // at creation
  std::uint32_t max_record_bytes;
  std::uint32_t expected_record_bytes;
  std::uint32_t timestamps;     // timestamp_type
  std::uint32_t single_writer;  // 0 or 1
  std::uint32_t file_mode;
  std::uint32_t value_alignment;
  std::int64_t created;      // nanoseconds since 1970
  std::uint64_t value_type;  // fingerprints, see codec.hpp
  std::uint64_t key_type;
  char value_name[type_name_bytes];  // what the fingerprints stand for, zero-terminated, for messages
  char key_name[type_name_bytes];
  std::uint32_t durability;  // leat::durability
  std::uint32_t checksum;
  std::uint64_t padding_1[50];
  std::uint64_t closed;          // 1 once the topic is deleted
  std::uint64_t revision;        // grows with every change of the words below, and when a group begins to commit here
  std::uint64_t partitions_now;  // at least `partitions`
  std::uint64_t retention_bytes_now;
  std::uint64_t retention_nanoseconds;  // ~0: unlimited
  std::uint64_t wait_for_groups;        // 0 or 1
  std::uint64_t flush_nanoseconds;      // of interval durability
  std::uint64_t flush_bytes;            // likewise
  std::array<std::uint8_t, 16> boot;    // in which it was recovered, or made
  std::int64_t recovered;               // when that was; 0: never
  std::uint64_t named;                  // 1 once the names that lead to a durable topic are on the device
  std::uint64_t padding_2[372];
};
static_assert(offsetof(topic_header, value_name) == 104);
static_assert(offsetof(topic_header, checksum) == 620);
static_assert(offsetof(topic_header, closed) == 1024 && offsetof(topic_header, wait_for_groups) == 1064);
static_assert(offsetof(topic_header, boot) == 1088 && offsetof(topic_header, recovered) == 1104);
static_assert(sizeof(topic_header) == page_bytes);

/// For statistics: added to now and then, so a killed process's last part of them is missing.
struct partition_counters {
  std::uint64_t bytes_appended;  // framing included
  std::uint64_t fresh_segments;
  std::uint64_t recycled_segments;
  std::uint64_t contended_publishes;  // another producer had taken the slot
  std::uint64_t wake_ups;             // rings for sleepers
  std::uint64_t back_pressure;        // appends that had to wait for a group, or failed for it
  std::uint64_t flushes;
  std::uint64_t padding;
};

/// All zero at first: nothing begun.
struct partition_words {
  std::uint64_t begun;           // segments begun; all but the last are sealed
  std::uint64_t start_offset;    // the log start
  std::uint64_t start_sequence;  // lowest segment that is not retired
  std::uint64_t reclaimed;       // all segments below have lost their names
  std::uint64_t deleted;         // records below were deleted by hand (delete_records)
  std::uint64_t durable;         // records below are on the device
  std::uint64_t recovered_end;   // where it ended when it was recovered last
  std::uint32_t flush_bell;      // futex word: changes with every flush
  std::uint32_t
      flush_alarm;  // odd: a flush has begun, and not succeeded yet; the next gives the device all pages again
  partition_counters counters;
  std::uint32_t doorbell;  // odd while somebody sleeps; read at every publish, so alone on its line
  std::uint32_t padding_2[31];
};
static_assert(offsetof(partition_words, deleted) == 32 && offsetof(partition_words, counters) == 64);
static_assert(offsetof(partition_words, doorbell) == 128);
static_assert(sizeof(partition_words) == 256);

constexpr std::uint64_t topic_file_bytes(std::uint32_t partitions) noexcept {
  return page_bytes + partitions * sizeof(partition_words);
}

}  // namespace leat::format
