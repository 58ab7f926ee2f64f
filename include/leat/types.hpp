// The public values: positions, timestamps, null.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

namespace leat {

/// Where a record is: the partition (0, 1, ...) and its offset there (0, 1, ... without gaps).
struct record_position {
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;

  auto operator<=>(const record_position&) const = default;
};

/// A partition of one of several topics.
struct topic_partition {
  std::string topic;
  std::uint32_t partition = 0;

  auto operator<=>(const topic_partition&) const = default;
};

/// A record's timestamp: nanoseconds since 1970 UTC. (Kafka keeps milliseconds.)
using timestamp = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

using bytes_view = std::span<const std::byte>;

/// A key or value that is absent, which differs from an empty one. A null value is a tombstone.
struct null_t {
  explicit constexpr null_t(int) {}
};
inline constexpr null_t null{0};

/// Where a limit can be switched off.
inline constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
inline constexpr std::chrono::nanoseconds forever = std::chrono::nanoseconds::max();

}  // namespace leat
