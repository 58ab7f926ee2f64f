// Sleeping on a word of shared memory, and the barrier that lets the other side do without one. See futex(2), membarrier(2).
#pragma once

#include <cstdint>
#include <ctime>

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace leat::os {

/// Sleeps while `word` equals `expected`, at most until `deadline` (CLOCK_MONOTONIC), or until a wake whose mask shares
/// a bit with `mask`. May return early for no reason. Works on read-only mappings.
inline void futex_wait(const std::uint32_t& word, std::uint32_t expected, std::uint32_t mask,
                       const timespec& deadline) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, expected, &deadline, nullptr, mask);
}

/// Wakes every sleeper, in all processes, whose mask shares a bit with `mask`.
inline void futex_wake(const std::uint32_t& word, std::uint32_t mask) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_BITSET, 0x7fffffff, nullptr, nullptr, mask);
}

/// Makes this process one whose running threads all pass a full barrier when another calls global_barrier().
inline bool join_global_barrier() noexcept {
  static const bool joined = ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
  return joined;
}
inline bool global_barrier() noexcept { return ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0; }

}  // namespace leat::os
