// Counts of latencies in nanoseconds, to within 0.8 %: each power of two has 128 counters, below 256 each value has its own.
//
// Recording is an increment, so nothing is sampled and nothing sorted; histograms of repetitions add up. (The layout is that of
// Gil Tene's HdrHistogram, of which Debian 12 has no package.)
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace bench {

namespace histogram_layout {

inline constexpr unsigned sub_bits = 7;
inline constexpr std::uint64_t largest = (std::uint64_t{1} << 40) - 1;  // 18 minutes

constexpr std::size_t index_of(std::uint64_t value) noexcept {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  if (width <= sub_bits + 1) return value;
  const unsigned shift = width - (sub_bits + 1);
  return (static_cast<std::size_t>(shift) << sub_bits) + (value >> shift);
}
constexpr std::uint64_t highest_of(std::size_t index) noexcept {
  if (index < (std::size_t{2} << sub_bits)) return index;
  const std::size_t shift = (index >> sub_bits) - 1;
  const std::size_t sub = index - (shift << sub_bits);
  return ((sub + 1) << shift) - 1;
}
static_assert(highest_of(index_of(255)) == 255 && highest_of(index_of(256)) == 257 &&
              highest_of(index_of(1023)) == 1023 && highest_of(index_of(1024)) == 1031 &&
              highest_of(index_of(largest)) == largest);

}  // namespace histogram_layout

class histogram {
 public:
  void record(std::uint64_t value) noexcept {
    if (value > histogram_layout::largest) value = histogram_layout::largest;
    ++counts_[histogram_layout::index_of(value)];
    ++samples_;
    if (value > most_) most_ = value;
  }

  std::uint64_t samples() const noexcept { return samples_; }
  std::uint64_t most() const noexcept { return most_; }

  /// The least value that at least this part of all samples does not exceed; 0 when there are none.
  std::uint64_t at(double quantile) const noexcept {
    const double wanted = quantile * static_cast<double>(samples_);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      below += counts_[i];
      if (below != 0 && static_cast<double>(below) >= wanted) return std::min(histogram_layout::highest_of(i), most_);
    }
    return most_;
  }

  /// The counters that are not zero, each with the highest value that it counts.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> counts() const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] != 0) all.emplace_back(histogram_layout::highest_of(i), counts_[i]);
    }
    return all;
  }

  histogram& operator+=(const histogram& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    samples_ += other.samples_;
    most_ = std::max(most_, other.most_);
    return *this;
  }

 private:
  std::array<std::uint64_t, histogram_layout::index_of(histogram_layout::largest) + 1> counts_{};
  std::uint64_t samples_ = 0;
  std::uint64_t most_ = 0;
};

}  // namespace bench
