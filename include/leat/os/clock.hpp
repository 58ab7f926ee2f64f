// The clocks.
#pragma once

#include <leat/types.hpp>

#include <chrono>
#include <cstdint>
#include <ctime>

namespace leat::os {

inline std::int64_t nanoseconds_of(clockid_t clock) noexcept {
  timespec t;
  ::clock_gettime(clock, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

inline std::int64_t realtime() noexcept { return nanoseconds_of(CLOCK_REALTIME); }
inline std::int64_t monotonic_coarse() noexcept { return nanoseconds_of(CLOCK_MONOTONIC_COARSE); }
inline std::int64_t realtime_coarse() noexcept { return nanoseconds_of(CLOCK_REALTIME_COARSE); }

/// Of CLOCK_MONOTONIC, which std::chrono::steady_clock is as well.
inline timespec to_timespec(std::chrono::steady_clock::time_point t) noexcept {
  const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count();
  return {static_cast<time_t>(since / 1'000'000'000), static_cast<long>(since % 1'000'000'000)};
}

/// Not beyond what the clock can say: intervals may be leat::forever.
inline std::chrono::steady_clock::time_point later(std::chrono::steady_clock::time_point from,
                                                   std::chrono::nanoseconds by) noexcept {
  using time_point = std::chrono::steady_clock::time_point;
  return by < time_point::max() - from ? from + by : time_point::max();
}

}  // namespace leat::os
