// The files of a group: `groups/<name>/group` with the words that all members watch, and `member-<number>` for each member.
#pragma once

#include <leat/format/offsets_file.hpp>

namespace leat::format {

inline constexpr magic_bytes group_magic{'l', 'e', 'a', 't', 'g', 'r', 'p', '\n'};
inline constexpr magic_bytes member_magic{'l', 'e', 'a', 't', 'm', 'e', 'm', '\n'};

struct group_header {
  magic_bytes magic;
  std::uint32_t version;
  std::uint32_t reserved;
  unique_id id;
  char name[group_name_bytes];  // zero-terminated
  std::uint32_t reserved_2;
  std::uint32_t checksum;
  std::uint64_t padding_1[27];
  std::uint64_t generation;  // grows when members, their topics or the topics' partitions change; marked by a deletion
  std::uint64_t handovers;   // grows when partitions were released
  std::uint64_t padding_2[6];
  std::uint64_t members_made;  // numbers given to members so far
  std::uint64_t evictions;     // members that died or were stuck
  std::uint64_t fenced_commits;
  std::uint64_t padding_3[5];
};
static_assert(offsetof(group_header, checksum) == 292);
static_assert(offsetof(group_header, generation) == 512 && offsetof(group_header, members_made) == 576);
static_assert(sizeof(group_header) == 640);

/// The upper 16 bits of the generation: 0, or these once the group is being deleted and nobody is a member any more. In the same
/// word, so that whoever marks it knows that nobody has joined since it looked.
inline constexpr std::uint64_t generation_mark = std::uint64_t{0xdead} << 48;
inline constexpr std::uint64_t generation_mark_bits = std::uint64_t{0xffff} << 48;

struct member_header {
  magic_bytes magic;
  std::uint32_t version;
  std::uint32_t number;
  unique_id group;
  std::uint64_t value_type;  // of the consumer: it reads only topics of these types; 0: of any
  std::uint64_t key_type;
  std::int64_t created;  // nanoseconds since 1970
  std::uint64_t max_poll_nanoseconds;
  std::uint64_t session_nanoseconds;  // of a static member
  std::uint32_t is_pattern;           // what stands behind the header is a regular expression; else names, one a line
  std::uint32_t subscription_bytes;
  char id[group_name_bytes];
  char instance[group_name_bytes];  // of a static member; else empty
  char client[group_name_bytes];
  char assignor[64];
  std::uint32_t value_alignment;  // of the consumer: it reads no topic whose values may lie at less; 0: any
  std::uint32_t checksum;         // of all above
  std::uint64_t padding_1[13];
  std::uint64_t incarnation;    // whose lease counts: that on this byte; ~0: the member is none any more
  std::uint64_t process;        // for display
  std::uint64_t poll_deadline;  // CLOCK_MONOTONIC, nanoseconds: stuck if it has not polled again by then
  std::uint64_t lost_since;     // the same clock: when a static member was first found without a lease; 0: it has it
  std::uint64_t last_poll;      // nanoseconds since 1970, for display
  std::uint64_t padding_2[3];
};
static_assert(offsetof(member_header, id) == 80);
static_assert(offsetof(member_header, checksum) == 916);
static_assert(offsetof(member_header, incarnation) == 1024);
static_assert(sizeof(member_header) == 1088);

// Incarnations that are none: how a membership ended.
inline constexpr std::uint64_t evicted = ~std::uint64_t{0};
inline constexpr std::uint64_t replaced = evicted - 1;  // by a static member of the same instance id
inline constexpr std::uint32_t max_subscription_bytes = 1 << 20;

}  // namespace leat::format
