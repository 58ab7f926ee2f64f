// A process without memory: what is allocated then fails.
//
//     in_child([&] {
//       leat_tests::scarce_memory none;  // from here on, malloc() gives nothing; or some bytes, where they are given here
//       ...
//     });
//
// For a child without other threads that allocate. Not under sanitizers, which have memory of their own: `possible` says so.
#pragma once

#include "support/processes.hpp"

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <new>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

namespace leat_tests {

/// As long as it lives, the process may not map more than so many bytes in addition.
class limited_memory {
 public:
  explicit limited_memory(std::size_t more) {
    ::getrlimit(RLIMIT_AS, &before_);
    std::size_t pages = 0;
    if (!(std::ifstream("/proc/self/statm") >> pages)) fail("no /proc/self/statm");
    const rlimit limit{pages * static_cast<std::size_t>(::getpagesize()) + more, before_.rlim_max};
    ::setrlimit(RLIMIT_AS, &limit);
  }
  ~limited_memory() { ::setrlimit(RLIMIT_AS, &before_); }
  limited_memory(const limited_memory&) = delete;
  limited_memory& operator=(const limited_memory&) = delete;

 private:
  rlimit before_{};
};

class scarce_memory {
 public:
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  static constexpr bool possible = false;
#else
  static constexpr bool possible = slowdown <= 2;  // clang's
#endif

  /// `room`: what can be allocated still, at one stretch.
  explicit scarce_memory(std::size_t room = 0) {
    constexpr std::size_t most = 64 * 1024;
    grow_stack();
    void* const stretch = std::malloc(most);
    ::getrlimit(RLIMIT_AS, &before_);
    const rlimit none{0, before_.rlim_max};
    ::setrlimit(RLIMIT_AS, &none);
    for (std::size_t size = std::size_t{1} << 20; size >= sizeof(block); size = size > 4096 ? size / 2 : size - 16) {
      while (take(size)) continue;
    }
    if (room == 0) {
      keep(stretch);
    } else {
      std::free(stretch);
      take(most - room);
    }
  }
  ~scarce_memory() {
    ::setrlimit(RLIMIT_AS, &before_);
    while (taken_ != nullptr) std::free(std::exchange(taken_, taken_->next));
  }
  scarce_memory(const scarce_memory&) = delete;
  scarce_memory& operator=(const scarce_memory&) = delete;

 private:
  struct block {
    block* next;
  };

  bool take(std::size_t size) {
    void* const bytes = std::malloc(size);
    if (bytes != nullptr) keep(bytes);
    return bytes != nullptr;
  }
  void keep(void* bytes) { taken_ = new (bytes) block{taken_}; }

  /// The stack could not grow any more either.
  static void grow_stack() {
    volatile char room[256 * 1024];
    for (std::size_t i = 0; i < sizeof room; i += 1024) room[i] = 0;
  }

  rlimit before_{};
  block* taken_ = nullptr;
};

}  // namespace leat_tests
