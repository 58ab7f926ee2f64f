// What is measured, and when it ends, in anonymous memory that all processes share. No record, offset or figure that counts
// goes through here: the topic and its group have those.
#pragma once

#include "gap_track.hpp"
#include "latency_histogram.hpp"
#include "settings.hpp"

#include <leat/types.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <new>
#include <system_error>

#include <sys/mman.h>

namespace demo {

using steady_clock = std::chrono::steady_clock;

inline leat::timestamp wall_clock() { return std::chrono::system_clock::now(); }

/// One consumer, or one producer and its replacement. The supervisor looks at the counters while they run (relaxed: nothing
/// else is published by them), and at the rest when they have ended.
struct worker_score {
  std::atomic<std::uint64_t> records{0};      // sent or counted
  std::atomic<std::uint64_t> resumed_at{0};   // `records`, where the last to start took up
  std::atomic<std::int64_t> resumed_when{0};  // nanoseconds since the start
  gap_track gaps;

  // Of consumers.
  latency_histogram latency;
  std::uint64_t read_again = 0;  // records of its partitions that a dead one had counted, but not committed

  void resume(std::uint64_t at, std::chrono::nanoseconds when) noexcept {
    records.store(at, std::memory_order_relaxed);
    resumed_at.store(at, std::memory_order_relaxed);
    resumed_when.store(when.count(), std::memory_order_relaxed);
  }
  void one_more() noexcept {  // there is one writer, so this needs no locked addition
    records.store(records.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
};

/// Written by the partition's owner.
struct partition_score {
  std::atomic<std::uint64_t> counted{0};    // all offsets below this one, by whomever
  std::atomic<std::int64_t> taken_over{0};  // nanoseconds since the start: the first record behind its owner's death
};

struct scoreboard {
  leat::timestamp start;  // set before anybody is started
  steady_clock::time_point steady_start;
  std::array<worker_score, most_producers> producers;
  std::array<worker_score, most_consumers> consumers;
  std::array<partition_score, most_partitions> partitions;
  std::atomic<std::int64_t> consumer_killed{0};  // nanoseconds since the start
  std::atomic<bool> all_sent{false};

  void start_in(std::chrono::milliseconds delay) {
    start = wall_clock() + delay;
    steady_start = steady_clock::now() + delay;
  }
};

/// A T in memory that children of fork() share.
template <class T>
class shared {
 public:
  shared() : place_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (place_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    ::new (place_) T;
  }
  shared(const shared&) = delete;
  shared& operator=(const shared&) = delete;
  ~shared() { ::munmap(place_, sizeof(T)); }

  T& operator*() const noexcept { return *std::launder(static_cast<T*>(place_)); }
  T* operator->() const noexcept { return &**this; }

 private:
  void* place_;
};

}  // namespace demo
