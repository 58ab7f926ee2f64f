// Which partition a record goes to, as Kafka's default partitioner has it.
//
// A key goes to `(murmur2(key) & 0x7fffffff) % partitions` (org.apache.kafka.common.utils.Utils.murmur2), so equal keys
// meet in one partition, here and in Kafka. Records without a key stay with one partition for a run of some 16 KiB, then
// with another, chosen at random (KIP-480, KIP-794).
#pragma once

#include <leat/os/random.hpp>
#include <leat/types.hpp>

#include <cstdint>
#include <cstring>

namespace leat {

/// Austin Appleby's MurmurHash2 of 32 bits, with Kafka's seed.
inline std::uint32_t murmur2(bytes_view data) noexcept {
  constexpr std::uint32_t m = 0x5bd1e995;
  constexpr std::uint32_t seed = 0x9747b28c;
  std::uint32_t h = seed ^ static_cast<std::uint32_t>(data.size());
  const std::byte* p = data.data();
  for (std::size_t words = data.size() / 4; words != 0; --words, p += 4) {
    std::uint32_t k;
    std::memcpy(&k, p, 4);
    k *= m;
    k ^= k >> 24;
    k *= m;
    h = h * m ^ k;
  }
  switch (data.size() % 4) {
    case 3: h ^= static_cast<std::uint32_t>(p[2]) << 16; [[fallthrough]];
    case 2: h ^= static_cast<std::uint32_t>(p[1]) << 8; [[fallthrough]];
    case 1: h = (h ^ static_cast<std::uint32_t>(p[0])) * m;
  }
  h ^= h >> 13;
  h *= m;
  return h ^ h >> 15;
}

inline std::uint32_t partition_of_key(bytes_view key, std::uint32_t partitions) noexcept {
  return (murmur2(key) & 0x7fffffffu) % partitions;
}

/// The partition of records without a key.
class sticky_partition {
 public:
  static constexpr std::uint64_t run_bytes = 16'384;  // Kafka's batch.size

  explicit sticky_partition(std::uint32_t partitions)
      : partitions_(partitions), random_(os::random_bits<std::uint64_t>() | 1) {
    current_ = next() % partitions_;
  }

  /// There are more partitions now.
  void spread_over(std::uint32_t partitions) noexcept { partitions_ = partitions; }

  /// For a record of `bytes`.
  std::uint32_t choose(std::uint64_t bytes) noexcept {
    if (sent_ >= run_bytes && partitions_ > 1) [[unlikely]] {
      sent_ = 0;
      current_ = (current_ + 1 + next() % (partitions_ - 1)) % partitions_;
    }
    sent_ += bytes;
    return current_;
  }

 private:
  std::uint32_t next() noexcept {  // xorshift64, Marsaglia 2003
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<std::uint32_t>(random_ >> 32);
  }

  std::uint32_t partitions_;
  std::uint32_t current_;
  std::uint64_t sent_ = 0;
  std::uint64_t random_;
};

}  // namespace leat
