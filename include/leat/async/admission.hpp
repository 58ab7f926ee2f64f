// Who may hand records over: bounded, closed once and for all, and known to be through.
//
//     enter  E1 inside[epoch] += 1             leave   L1 held -= bytes; wake who waits for room
//            E2 closed? -> E4                          L2 inside[epoch] -= 1; wake who flushes
//            E3 held += bytes, or wait, or E4
//            E4 (refused) inside[epoch] -= 1
//
// close: C1 closed = true; then whoever is to end looks until inside is 0 and 0. E1 and E2, C1 and that look are in the single
// order of seq_cst operations: a record that was accepted is seen inside, one that comes later sees that it is closed.
//
// flush: the epoch is one bit. Turning it over sends newcomers to the other count, so the one that they left comes to 0
// however many keep coming. A newcomer may have read the bit before and count itself where it should not; so one turn proves
// nothing about the count that newcomers had before. Two turns, and each count was 0 at some moment since the call.
//
// Threads    any number.
// Cost       enter and leave: three or four atomic additions; a mutex only where somebody waits.
#pragma once

#include <leat/error.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace leat::async {

class admission {
 public:
  using clock = std::chrono::steady_clock;

  /// What somebody who is inside has to give back.
  struct ticket {
    std::uint32_t epoch = 0;
    std::uint64_t bytes = 0;
  };
  /// Several of them.
  struct tickets {
    std::array<std::uint64_t, 2> records{};
    std::uint64_t bytes = 0;
    void add(const ticket& t) noexcept {
      ++records[t.epoch];
      bytes += t.bytes;
    }
  };

  admission(std::size_t most_records, std::size_t most_bytes) noexcept
      : most_records_(std::clamp<std::uint64_t>(most_records, 1, most_countable)),
        most_bytes_(std::min<std::uint64_t>(most_bytes, largest)) {}

  /// ok: `into` is to be left once. closed. back_pressure: there was no room for `max_block`. What is larger than the bound
  /// is let in where nothing else is.
  errc enter(std::uint64_t bytes, std::chrono::nanoseconds max_block, ticket& into) {
    into = {epoch_.load(std::memory_order_relaxed) & 1, std::min(bytes, largest)};
    inside_[into.epoch].fetch_add(1, std::memory_order_seq_cst);
    errc outcome = errc::ok;
    if (closed()) {
      outcome = errc::closed;
    } else if (!try_hold(into.bytes)) {
      outcome = wait_for_room(into.bytes, max_block);
    }
    if (outcome != errc::ok) step_out(into.epoch, 1);
    return outcome;
  }

  void leave(const tickets& t) {
    const std::uint64_t records = t.records[0] + t.records[1];
    held_.fetch_sub(records * one_record + t.bytes, std::memory_order_seq_cst);
    if (waiting_.load(std::memory_order_seq_cst) != 0) wake(room_);
    for (const std::uint32_t epoch : {0u, 1u}) {
      if (t.records[epoch] != 0) step_out(epoch, t.records[epoch]);
    }
  }
  void leave(const ticket& t) {
    tickets one;
    one.add(t);
    leave(one);
  }

  /// C1. Whoever waits for room is refused.
  void close() {
    closed_.store(true, std::memory_order_seq_cst);
    wake(room_);
  }
  bool closed() const noexcept { return closed_.load(std::memory_order_seq_cst); }

  /// Closed, and whoever was let in has left.
  bool is_through() const noexcept { return closed() && nobody_in(0) && nobody_in(1); }

  /// Until everybody who was let in before the call has left.
  void flush() {
    const std::lock_guard one_at_a_time(flushing_);
    for (int turn = 0; turn < 2; ++turn) {
      const std::uint32_t left = epoch_.fetch_add(1, std::memory_order_seq_cst) & 1;
      std::unique_lock lock(mutex_);
      flushers_.fetch_add(1, std::memory_order_seq_cst);
      quiet_.wait(lock, [&] { return nobody_in(left); });
      flushers_.fetch_sub(1, std::memory_order_relaxed);
    }
  }

  std::size_t records() const noexcept { return static_cast<std::size_t>(held_.load(std::memory_order_relaxed) >> 40); }
  std::size_t bytes() const noexcept {
    return static_cast<std::size_t>(held_.load(std::memory_order_relaxed) & (one_record - 1));
  }

 private:
  // held_ counts records in its upper 24 bits and bytes below. `largest` is a bound, and also what one record counts at most.
  static constexpr std::uint64_t one_record = std::uint64_t{1} << 40;
  static constexpr std::uint64_t most_countable = (std::uint64_t{1} << 24) - 1;
  static constexpr std::uint64_t largest = (one_record >> 1) - 1;

  bool nobody_in(std::uint32_t epoch) const noexcept { return inside_[epoch].load(std::memory_order_seq_cst) == 0; }

  /// E4 and L2.
  void step_out(std::uint32_t epoch, std::uint64_t records) {
    const bool last = inside_[epoch].fetch_sub(records, std::memory_order_seq_cst) == records;
    if (last && flushers_.load(std::memory_order_seq_cst) != 0) wake(quiet_);
  }

  bool try_hold(std::uint64_t bytes) noexcept {
    std::uint64_t seen = held_.load(std::memory_order_seq_cst);
    do {
      const std::uint64_t records = seen / one_record;
      const bool fits = records < most_records_ && seen % one_record + bytes <= most_bytes_;
      if (records != 0 && !fits) return false;
    } while (!held_.compare_exchange_weak(seen, seen + one_record + bytes, std::memory_order_seq_cst));
    return true;
  }

  errc wait_for_room(std::uint64_t bytes, std::chrono::nanoseconds max_block) {
    if (max_block <= max_block.zero()) return errc::back_pressure;
    const clock::time_point now = clock::now();
    const clock::time_point deadline =
        max_block < clock::time_point::max() - now ? now + max_block : clock::time_point::max();
    std::unique_lock lock(mutex_);
    waiting_.fetch_add(1, std::memory_order_seq_cst);  // before the look: who makes room behind it sees the waiter
    bool held = false;
    room_.wait_until(lock, deadline, [&] { return closed() || (held = try_hold(bytes)); });
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    return held ? errc::ok : closed() ? errc::closed : errc::back_pressure;
  }

  void wake(std::condition_variable& whom) {
    {
      const std::lock_guard behind_the_look(mutex_);
    }
    whom.notify_all();
  }

  const std::uint64_t most_records_;
  const std::uint64_t most_bytes_;
  alignas(64) std::atomic<std::uint64_t> held_{0};
  alignas(64) std::array<std::atomic<std::uint64_t>, 2> inside_{};
  alignas(64) std::atomic<std::uint32_t> epoch_{0};
  std::atomic<bool> closed_{false};
  std::atomic<std::uint32_t> waiting_{0};
  std::atomic<std::uint32_t> flushers_{0};
  std::mutex mutex_;  // of the two conditions
  std::mutex flushing_;
  std::condition_variable room_;
  std::condition_variable quiet_;
};

}  // namespace leat::async
