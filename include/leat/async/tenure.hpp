// A partition for as long as a subscriber reads it: until it passes to another member, or the end.
//
// Threads    belongs to the thread that polls, but for its name and the two flags, at which the workers look.
#pragma once

#include <leat/async/completed_prefix.hpp>
#include <leat/types.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace leat::async {

struct tenure {
  tenure(std::string topic, std::uint32_t partition, std::uint64_t offset)
      : at{std::move(topic), partition}, prefix(offset), committed(offset) {}

  const topic_partition at;
  completed_prefix prefix;
  std::uint64_t committed;
  std::size_t in_flight = 0;
  bool ended = false;
  bool paused = false;               // too far ahead of its first record that is not complete
  std::atomic<bool> hurried{false};  // no more attempts: it is about to end
  std::atomic<bool> dropped{false};  // what has not begun yet does not begin
};

}  // namespace leat::async
