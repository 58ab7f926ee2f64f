// The line that says how far the run is: renewed in place on a terminal, otherwise once a second.
#pragma once

#include "scoreboard.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace demo {

/// 1234567 as 1,234,567.
std::string grouped(std::uint64_t number);

class progress {
 public:
  explicit progress(const scoreboard& board);

  /// When show() has something to show.
  steady_clock::time_point next() const noexcept { return next_; }
  void show();

  /// How long, up to the last show(), the counters had not moved.
  steady_clock::duration stalled_for() const noexcept { return last_ - moved_; }

  /// A line of its own.
  void say(std::chrono::nanoseconds when, const std::string& what) const;
  void finish() const;

 private:
  std::uint64_t sent() const noexcept;
  std::uint64_t counted() const noexcept;

  const scoreboard& board_;
  const bool terminal_;
  const std::chrono::milliseconds interval_;
  steady_clock::time_point next_ = steady_clock::now();
  steady_clock::time_point last_ = next_;
  steady_clock::time_point moved_ = next_;
  std::uint64_t last_sent_ = 0;
  std::uint64_t last_counted_ = 0;
};

}  // namespace demo
