// The store file: says that a directory is a store, and holds the bell on which all its sleepers wait.
#pragma once

#include <leat/format/segment.hpp>

namespace leat::format {

inline constexpr magic_bytes store_magic{'l', 'e', 'a', 't', 's', 't', 'o', '\n'};

struct store_header {
  magic_bytes magic;
  std::uint32_t version;
  std::uint32_t reserved;
  unique_id id;
  std::uint32_t reserved_2;
  std::uint32_t checksum;
  std::uint64_t padding_1[3];
  std::uint64_t topics_revision;  // grows when a topic or partition comes or goes
  unique_id boot;                 // in which its groups were recovered, or it was made
  std::uint64_t padding_3[21];
  std::uint32_t bell;  // futex word: changes at every ring
  std::uint32_t padding_2[31];
};
static_assert(offsetof(store_header, checksum) == 36);
static_assert(offsetof(store_header, topics_revision) == 64);
static_assert(offsetof(store_header, bell) == 256);
static_assert(sizeof(store_header) <= page_bytes);

}  // namespace leat::format
