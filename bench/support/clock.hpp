// Time: the cycle counter for what is measured on one core, the kernel's clock for what is measured on two.
#pragma once

#include <chrono>
#include <cstdint>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace bench {

using clock = std::chrono::steady_clock;

/// Nanoseconds of the kernel's monotonic clock, which is the same on all cores. Some 20 to 30 ns a call.
inline std::int64_t now() noexcept {
  timespec t;
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

inline double nanoseconds_since(clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(clock::now() - begin).count();
}

/// A counter that is read in some 10 ns, where there is one. Differences of two reads on one core, in nanoseconds.
class ticks {
 public:
  static std::uint64_t read() noexcept {
#if defined(__x86_64__)
    return __rdtsc();
#else
    return static_cast<std::uint64_t>(now());
#endif
  }
  static std::uint64_t nanoseconds(std::uint64_t difference) noexcept {
    return static_cast<std::uint64_t>(static_cast<double>(difference) * nanoseconds_a_tick());
  }

 private:
  static double nanoseconds_a_tick() noexcept {
#if defined(__x86_64__)
    static const double scale = [] {
      const std::int64_t begin = now();
      const std::uint64_t first = read();
      while (now() - begin < 20'000'000) {
      }
      const std::int64_t end = now();
      return static_cast<double>(end - begin) / static_cast<double>(read() - first);
    }();
    return scale;
#else
    return 1;
#endif
  }
};

}  // namespace bench
