// Latencies, counted in log-linear buckets that are some 3 % wide. Lies in shared memory; written by one process.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace demo {

class latency_histogram {
 public:
  void add(std::int64_t nanoseconds) noexcept {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0));
    ++buckets_[bucket_of(value)];
    ++count_;
    highest_ = std::max(highest_, value);
  }

  void add(const latency_histogram& other) noexcept {
    for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    highest_ = std::max(highest_, other.highest_);
  }

  /// Nanoseconds, within a bucket's width; `quantile(1)` is the highest exactly.
  std::uint64_t quantile(double q) const noexcept {
    const auto rank = static_cast<std::uint64_t>(q * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > rank) return std::min(upper_end_of(i), highest_);
    }
    return highest_;
  }

 private:
  static constexpr int sub_bits = 5;
  static constexpr std::uint64_t sub_buckets = 1 << sub_bits;  // in each power of two

  static constexpr std::size_t bucket_of(std::uint64_t value) noexcept {
    if (value < sub_buckets) return value;
    const int shift = static_cast<int>(std::bit_width(value)) - sub_bits - 1;
    return static_cast<std::size_t>(shift) * sub_buckets + (value >> shift);
  }
  static constexpr std::uint64_t upper_end_of(std::size_t bucket) noexcept {
    if (bucket < sub_buckets) return bucket;
    const std::size_t shift = bucket / sub_buckets - 1;
    return ((bucket - shift * sub_buckets + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - sub_bits + 1) * sub_buckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t highest_ = 0;
};

}  // namespace demo
