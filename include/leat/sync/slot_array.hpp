// The slot array of a segment: an array of words that are 0 until the record with that offset exists.
//
// Invariant: the taken slots are a prefix. A producer only tries slot i after it has seen every slot below i taken, so the
// first free slot can be found by bisection, and a reader that sees slot i has seen all records up to i. The end of the
// prefix is fixed for ever by the seal, or by the end of the array.
//
// Edges      [publish] try_publish / publish_alone -> observe: the record's bytes.
//            [seal]    try_seal -> observe: nothing further; the count of records is the index.
// Processes  any number of producers and readers; publish_alone only where one producer exists.
// Crash      a slot changes in one instruction: a record exists or it does not.
// Cost       observe: a load. try_publish: one locked compare-exchange. first_free: a few loads near the hint.
#pragma once

#include <leat/format/slot.hpp>
#include <leat/os/processor.hpp>
#include <leat/sync/words.hpp>

#include <atomic>
#include <cstdint>

namespace leat::sync {

class slot_array {
 public:
  slot_array() noexcept = default;
  slot_array(const std::uint64_t* words, std::uint64_t size) noexcept
      : words_(const_cast<std::uint64_t*>(words)), size_(size) {}

  std::uint64_t size() const noexcept { return size_; }

  /// acquire: [publish], the record's bytes are visible with its slot.
  format::slot_word observe(std::uint64_t i) const noexcept {
    return readable(words_[i]).load(std::memory_order_acquire);
  }

  /// The same for a sleeper's last look (W3): in the single order with the arming of its doorbell. [doorbell]
  format::slot_word observe_in_order(std::uint64_t i) const noexcept {
    return readable(words_[i]).load(std::memory_order_seq_cst);
  }

  /// Makes `word` the record of slot i if it is free; otherwise gives what is there. (Protocol step A3.)
  /// seq_cst: [publish] the bytes written before it; and the producer's next look at the doorbell must not move before it:
  ///     producer: slot = word;  see doorbell even      sleeper: doorbell = odd;  see slot free    -> a lost wake-up
  /// must be impossible. On x86-64 the locked instruction is the barrier already.
  format::slot_word try_publish(std::uint64_t i, format::slot_word word) const noexcept {
    format::slot_word seen = format::slot_free;
    std::atomic_ref<std::uint64_t>(words_[i]).compare_exchange_strong(seen, word, std::memory_order_seq_cst,
                                                                      std::memory_order_acquire);
    return seen;
  }

  /// The same where this producer is the only one, which knows without a look that slot i is free: a plain store. The
  /// sleeper pays for the missing barrier, see doorbell.hpp.
  void publish_alone(std::uint64_t i, format::slot_word word) const noexcept {
    std::atomic_ref<std::uint64_t>(words_[i]).store(word, std::memory_order_release);
  }

  /// For a slot that will be published soon. `i` may lie behind the end.
  [[gnu::always_inline]] void prefetch_for_write(std::uint64_t i) const noexcept { os::prefetch_for_write(words_ + i); }

  /// Ends the segment at slot i if it is free; otherwise gives what is there. (S1)
  format::slot_word try_seal(std::uint64_t i) const noexcept { return try_publish(i, format::slot_sealed); }

  /// Index of the first slot that holds no record: free, sealed, or size(). `from`: a slot below which all hold records.
  /// Galloping, then bisection: a few loads when the answer is near, 2 log(distance) when it is not.
  std::uint64_t first_without_record(std::uint64_t from) const noexcept {
    std::uint64_t low = from;  // all below hold records
    std::uint64_t step = 1;
    std::uint64_t high = from;
    while (high < size_ && holds_record(high)) {
      low = high + 1;
      high = low + step;
      step *= 2;
    }
    if (high > size_) high = size_;
    while (low < high) {
      const std::uint64_t middle = low + (high - low) / 2;
      if (holds_record(middle)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /// No further record can come: `end` is first_without_record().
  bool ends_at(std::uint64_t end) const noexcept { return end >= size_ || observe(end) == format::slot_sealed; }

  /// Frees the slots [begin, end) of a spare file, which nobody else looks at (N2), from the last to the first: the seal
  /// goes first, so a spare that still has its seal has not been touched.
  /// relaxed: the file's new name, given by the kernel afterwards, publishes them.
  void clear(std::uint64_t begin, std::uint64_t end) const noexcept {
    for (std::uint64_t i = end; i > begin; --i) {
      std::atomic_ref<std::uint64_t>(words_[i - 1]).store(format::slot_free, std::memory_order_relaxed);
    }
  }

 private:
  bool holds_record(std::uint64_t i) const noexcept {
    const format::slot_word word = observe(i);
    return word != format::slot_free && word != format::slot_sealed;
  }

  std::uint64_t* words_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace leat::sync
