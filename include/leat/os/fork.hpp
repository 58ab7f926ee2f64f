// Noticing fork(): a handle remembers the generation in which it was made, and a child is one generation on.
#pragma once

#include <atomic>
#include <cstdint>

#include <pthread.h>

namespace leat::os {

namespace fork_detail {

// Only changed in the child of a fork, where one thread exists, so that plain loads elsewhere see it: relaxed.
inline std::atomic<std::uint32_t> generation{0};

inline const bool registered = [] {
  return ::pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1, std::memory_order_relaxed); }) == 0;
}();

}  // namespace fork_detail

inline std::uint32_t fork_generation() noexcept { return fork_detail::generation.load(std::memory_order_relaxed); }

}  // namespace leat::os
