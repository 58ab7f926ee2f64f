// The doorbell: how a consumer sleeps without costing a producer anything while nobody sleeps.
//
// Each partition has a doorbell word, even: nobody sleeps, odd: somebody does. A store has one bell word on which all its
// sleepers wait; each of them listens for its own partitions by a mask, so others' rings do not wake it.
//
//     sleeper: W1 v = bell         producer: A3 slot = record
//              W2 doorbell: odd              A4 read doorbell: even, done
//              W3 look at the slots          D2 bell += 1
//              W4 sleep while bell == v      D3 wake
//                                            D4 doorbell: even, if nobody armed it again
//
// W2 and W3 on one side, A3 and A4 on the other, are in the single order of seq_cst operations: either the sleeper sees the
// record, or the producer sees the doorbell. [doorbell] Where A3 is a plain store (one writer), the sleeper passes a
// global barrier between W2 and W3 instead, which all running producers feel. tests/model/doorbell.pml checks it in every
// interleaving, and finds what goes wrong when any two of these steps change places.
//
// Crash      A waker that dies before D4 leaves the doorbell odd: the next publisher rings. One that dies between A3 and D1
//            leaves the sleeper to the next record or to its upper bound. A killed sleeper costs one needless ring.
// Cost       producer: one load of a line that rarely changes. Sleeper: a CAS for each partition and the futex call.
#pragma once

#include <leat/os/clock.hpp>
#include <leat/os/futex.hpp>
#include <leat/sync/words.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace leat::sync {

/// The bell of a store.
class bell {
 public:
  explicit bell(const std::uint32_t& word) noexcept : word_(const_cast<std::uint32_t*>(&word)) {}

  /// W1. acquire: pairs with ring(), so that a ring seen here is not waited for again.
  std::uint32_t note() const noexcept { return std::atomic_ref<std::uint32_t>(*word_).load(std::memory_order_acquire); }

  /// W4. Until a ring for one of the partitions in `mask`, or `deadline`; may return early.
  void wait(std::uint32_t noted, std::uint32_t mask, std::chrono::steady_clock::time_point deadline) const noexcept {
    os::futex_wait(*word_, noted, mask, os::to_timespec(deadline));
  }

  /// D2 and D3.
  void ring(std::uint32_t mask) const noexcept {
    std::atomic_ref<std::uint32_t>(*word_).fetch_add(1, std::memory_order_seq_cst);
    os::futex_wake(*word_, mask);
  }

 private:
  std::uint32_t* word_;
};

/// The doorbell of a partition.
class doorbell {
 public:
  doorbell(const std::uint32_t& word, const std::uint64_t& wake_ups) noexcept
      : word_(const_cast<std::uint32_t*>(&word)), wake_ups_(wake_ups) {}

  /// W2: makes it odd, and another value than before, so that a waker that saw an earlier sleeper does not disarm this one.
  void arm() const noexcept {
    const std::atomic_ref<std::uint32_t> word(*word_);
    std::uint32_t seen = word.load(std::memory_order_relaxed);  // only a first guess for the exchange
    while (!word.compare_exchange_weak(seen, (seen + 2) | 1, std::memory_order_seq_cst)) {
    }
  }

  /// A4: behind the publishing CAS; or, in a process that has joined the global barrier, behind a plain store. There the
  /// compiler must not swap the two; the processor may, since the sleeper's barrier orders them.
  [[gnu::always_inline]] std::uint32_t look() const noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return std::atomic_ref<std::uint32_t>(*word_).load(std::memory_order_seq_cst);
  }
  static constexpr bool is_armed(std::uint32_t seen) noexcept { return (seen & 1) != 0; }

  /// D1 to D4, for those who have armed it as it was seen.
  void ring(std::uint32_t seen, const bell& store_bell, std::uint32_t mask) const noexcept {
    store_bell.ring(mask);
    wake_ups_.add(1);
    std::atomic_ref<std::uint32_t>(*word_).compare_exchange_strong(seen, seen + 1, std::memory_order_seq_cst);
  }

 private:
  std::uint32_t* word_;
  counter wake_ups_;
};

/// The mask of a partition: one of 32 bits, spread over topics by their id.
constexpr std::uint32_t wake_mask(std::uint32_t topic_hash, std::uint32_t partition) noexcept {
  return std::uint32_t{1} << ((topic_hash + partition) % 32);
}

}  // namespace leat::sync
