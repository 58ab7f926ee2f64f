#include "progress.hpp"

#include <cstdio>
#include <utility>

#include <unistd.h>

namespace demo {

using namespace std::chrono_literals;

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

progress::progress(const scoreboard& board)
    : board_(board), terminal_(::isatty(STDOUT_FILENO) == 1), interval_(terminal_ ? 200ms : 1000ms) {}

void progress::show() {
  const auto now = steady_clock::now();
  if (now < next_) return;
  next_ = now + interval_;
  const double seconds = std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  const std::uint64_t sent_before = std::exchange(last_sent_, sent());
  const std::uint64_t counted_before = std::exchange(last_counted_, counted());
  if (last_sent_ != sent_before || last_counted_ != counted_before) moved_ = now;
  if (now < board_.steady_start) return;
  std::printf(
      "%s%6.1f s  %s sent, %s counted, %s/s%s", terminal_ ? "\r\033[K" : "",
      std::chrono::duration<double>(now - board_.steady_start).count(), grouped(last_sent_).c_str(),
      grouped(last_counted_).c_str(),
      grouped(static_cast<std::uint64_t>(static_cast<double>(last_counted_ - counted_before) / seconds)).c_str(),
      terminal_ ? "" : "\n");
  std::fflush(stdout);
}

void progress::say(std::chrono::nanoseconds when, const std::string& what) const {
  std::printf("%s%6.1f s  %s\n", terminal_ ? "\r\033[K" : "", std::chrono::duration<double>(when).count(),
              what.c_str());
  std::fflush(stdout);
}

void progress::finish() const {
  if (terminal_) std::printf("\r\033[K");
}

std::uint64_t progress::sent() const noexcept {
  std::uint64_t sum = 0;
  for (const worker_score& s : board_.producers) sum += s.records.load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t progress::counted() const noexcept {
  std::uint64_t sum = 0;
  for (const partition_score& p : board_.partitions) sum += p.counted.load(std::memory_order_relaxed);
  return sum;
}

}  // namespace demo
