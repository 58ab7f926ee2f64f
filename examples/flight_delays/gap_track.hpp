// How long a process did nothing, over time: the longest gap between two events in each 10 ms of the run. Lies in shared
// memory; written by one process.
#pragma once

#include "settings.hpp"

#include <leat/types.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

namespace demo {

class gap_track {
 public:
  static constexpr std::chrono::milliseconds slice{10};

  /// An event at `elapsed` since the start. A gap counts in all slices that it touches.
  void note(std::chrono::nanoseconds elapsed) noexcept {
    const std::int64_t now = elapsed.count();
    if (last_ != never) {
      const std::int64_t gap = now - last_;
      const std::size_t end = slice_of(now);
      for (std::size_t i = slice_of(last_); i <= end; ++i) longest_[i] = std::max(longest_[i], gap);
    }
    last_ = now;
  }

  /// The longest gap that touches this stretch of time.
  std::chrono::nanoseconds longest(std::chrono::nanoseconds from, std::chrono::nanoseconds to) const noexcept {
    const auto begin = longest_.begin() + static_cast<std::ptrdiff_t>(slice_of(from.count()));
    const auto end = longest_.begin() + static_cast<std::ptrdiff_t>(slice_of(to.count() - 1)) + 1;
    return std::chrono::nanoseconds(*std::max_element(begin, end));
  }

 private:
  static constexpr std::int64_t never = -1;
  static constexpr std::int64_t slice_ns = std::chrono::nanoseconds(slice).count();
  static constexpr std::size_t slices = static_cast<std::size_t>(most_seconds * 1e9) / slice_ns;

  static constexpr std::size_t slice_of(std::int64_t elapsed) noexcept {
    return std::min(slices - 1, static_cast<std::size_t>(std::max<std::int64_t>(elapsed, 0) / slice_ns));
  }

  std::array<std::int64_t, slices> longest_{};
  std::int64_t last_ = never;
};

}  // namespace demo
