// What a program can tell the processor: that it spins, and what it is about to write.
#pragma once

namespace leat::os {

/// Some 40 to 140 cycles in which the core leaves others its resources.
inline void pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

/// Begins to fetch the cache line at `p` for writing. A hint: `p` need not lie in a mapping.
[[gnu::always_inline]] inline void prefetch_for_write(const void* p) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(p)));  // without -mprfchw the builtin would only read
#else
  __builtin_prefetch(p, 1);
#endif
}

}  // namespace leat::os
