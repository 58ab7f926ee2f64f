// The words that processes share, one type for each way of using one; every atomic operation on them is in this folder.
//
// A type here is a view on a word of a mapping and costs nothing. The bracketed names are the edges of
// docs/memory-model.md: each is written in one place, read in another, and carries what happened before it.
#pragma once

#include <atomic>
#include <cstdint>

namespace leat::sync {

// A word may lie in a read-only mapping, and std::atomic_ref takes no const before C++26; only loads are done through this.
inline std::atomic_ref<std::uint64_t> readable(const std::uint64_t& word) noexcept {
  static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free);
  return std::atomic_ref<std::uint64_t>(const_cast<std::uint64_t&>(word));
}

/// A word that only grows: how far something has come. [begin] [retire] [partitions]
class watermark {
 public:
  explicit watermark(const std::uint64_t& word) noexcept : word_(const_cast<std::uint64_t*>(&word)) {}

  /// acquire: whatever was done before the mark was raised this far is visible.
  std::uint64_t observe() const noexcept { return readable(*word_).load(std::memory_order_acquire); }

  /// The same for a sleeper's last look (W3): in the single order with the arming of its doorbell. [doorbell]
  std::uint64_t observe_in_order() const noexcept { return readable(*word_).load(std::memory_order_seq_cst); }

  /// Raises it to `mark` unless it is there or beyond. seq_cst, since a sleeper that armed its doorbell must either see
  /// the mark or be seen by the raiser's look at the doorbell, see doorbell.hpp.
  void raise(std::uint64_t mark) const noexcept {
    const std::atomic_ref<std::uint64_t> word(*word_);
    std::uint64_t seen = word.load(std::memory_order_relaxed);  // only a first guess for the exchange
    while (seen < mark && !word.compare_exchange_weak(seen, mark, std::memory_order_seq_cst)) {
    }
  }

 private:
  std::uint64_t* word_;
};

/// A word that is settled once: everybody who settles it writes the same value, so whoever comes first decides nothing. [settle]
class settled_word {
 public:
  static constexpr std::uint64_t unset = ~std::uint64_t{0};

  explicit settled_word(const std::uint64_t& word) noexcept : word_(const_cast<std::uint64_t*>(&word)) {}

  std::uint64_t observe() const noexcept { return readable(*word_).load(std::memory_order_acquire); }
  void settle(std::uint64_t value) const noexcept {
    std::atomic_ref<std::uint64_t>(*word_).store(value, std::memory_order_release);
  }

 private:
  std::uint64_t* word_;
};

/// The end of what producers have taken of a data area.
class data_tail {
 public:
  explicit data_tail(std::uint64_t& word) noexcept : word_(&word) {}

  /// Where the taken room begins. relaxed: taking room tells nobody anything; the record is published by its slot.
  std::uint64_t take(std::uint64_t bytes) const noexcept {
    return std::atomic_ref<std::uint64_t>(*word_).fetch_add(bytes, std::memory_order_relaxed);
  }
  /// relaxed: a figure for statistics and for choosing a chunk size.
  std::uint64_t approximate() const noexcept { return readable(*word_).load(std::memory_order_relaxed); }

 private:
  std::uint64_t* word_;
};

/// A word that goes from 0 to 1 and stays there. [close] [abandon]
class flag {
 public:
  explicit flag(const std::uint64_t& word) noexcept : word_(const_cast<std::uint64_t*>(&word)) {}

  bool is_set() const noexcept { return readable(*word_).load(std::memory_order_acquire) != 0; }
  /// relaxed: what a spare file is next is published by its name.
  void reset() const noexcept { std::atomic_ref<std::uint64_t>(*word_).store(0, std::memory_order_relaxed); }
  void set() const noexcept { std::atomic_ref<std::uint64_t>(*word_).store(1, std::memory_order_seq_cst); }

 private:
  std::uint64_t* word_;
};

/// Raised (odd) before something that may fail, and lowered (even) by the one with whom it did not, unless another has raised
/// it since. (tests/model/durable_ack.pml) [flush]
class alarm {
 public:
  explicit alarm(const std::uint32_t& word) noexcept : word_(const_cast<std::uint32_t*>(&word)) {}

  struct raised {
    std::uint32_t value;  // what it is now
    bool again;           // it was raised before: somebody has failed, or died, or is at it
  };
  raised raise() const noexcept {
    const std::atomic_ref<std::uint32_t> word(*word_);
    std::uint32_t seen = word.load(std::memory_order_relaxed);  // only a first guess for the exchange
    while (!word.compare_exchange_weak(seen, (seen + 2) | 1, std::memory_order_seq_cst)) {
    }
    return {(seen + 2) | 1, (seen & 1) != 0};
  }
  void lower(std::uint32_t from) const noexcept {
    std::atomic_ref<std::uint32_t>(*word_).compare_exchange_strong(from, from + 1, std::memory_order_seq_cst);
  }

 private:
  std::uint32_t* word_;
};

/// An option that may be changed while others use it: each use takes the value of that moment. [settings]
class setting {
 public:
  explicit setting(const std::uint64_t& word) noexcept : word_(const_cast<std::uint64_t*>(&word)) {}

  std::uint64_t observe() const noexcept { return readable(*word_).load(std::memory_order_acquire); }
  void set(std::uint64_t value) const noexcept {
    std::atomic_ref<std::uint64_t>(*word_).store(value, std::memory_order_release);
  }

 private:
  std::uint64_t* word_;
};

/// Says that something changed: whoever sees another number than before looks what it is. [settings]
class revision {
 public:
  explicit revision(const std::uint64_t& word) noexcept : word_(const_cast<std::uint64_t*>(&word)) {}

  /// acquire: the changes that were made before are visible.
  std::uint64_t observe() const noexcept { return readable(*word_).load(std::memory_order_acquire); }
  /// What it was before. seq_cst, since a sleeper that was told of it by the bell must see it.
  std::uint64_t advance() const noexcept {
    return std::atomic_ref<std::uint64_t>(*word_).fetch_add(1, std::memory_order_seq_cst);
  }
  /// Advances from `seen` alone: of several who want the same step, one makes it, and gets true.
  bool advance_from(std::uint64_t seen) const noexcept { return set_from(seen, seen + 1); }
  bool set_from(std::uint64_t seen, std::uint64_t next) const noexcept {
    return std::atomic_ref<std::uint64_t>(*word_).compare_exchange_strong(seen, next, std::memory_order_seq_cst);
  }

 private:
  std::uint64_t* word_;
};

/// Gives numbers, each once.
class numbering {
 public:
  explicit numbering(const std::uint64_t& word) noexcept : word_(const_cast<std::uint64_t*>(&word)) {}

  /// 1, 2, 3, ... relaxed: a number tells nothing.
  std::uint64_t next() const noexcept {
    return std::atomic_ref<std::uint64_t>(*word_).fetch_add(1, std::memory_order_relaxed) + 1;
  }

 private:
  std::uint64_t* word_;
};

/// Which life of a static member counts, until it has ended for good. Each change is decided by one exchange. [lease]
class incarnation {
 public:
  explicit incarnation(const std::uint64_t& word) noexcept : word_(const_cast<std::uint64_t*>(&word)) {}

  std::uint64_t observe() const noexcept { return readable(*word_).load(std::memory_order_acquire); }
  /// acq_rel: whoever comes next sees what the last did.
  bool pass(std::uint64_t from, std::uint64_t to) const noexcept {
    return std::atomic_ref<std::uint64_t>(*word_).compare_exchange_strong(from, to, std::memory_order_acq_rel);
  }

 private:
  std::uint64_t* word_;
};

/// For statistics.
class counter {
 public:
  explicit counter(const std::uint64_t& word) noexcept : word_(const_cast<std::uint64_t*>(&word)) {}

  /// relaxed: nobody concludes anything from it.
  void add(std::uint64_t n) const noexcept {
    if (n != 0) std::atomic_ref<std::uint64_t>(*word_).fetch_add(n, std::memory_order_relaxed);
  }
  std::uint64_t approximate() const noexcept { return readable(*word_).load(std::memory_order_relaxed); }

 private:
  std::uint64_t* word_;
};

/// Writes to a word without changing it. relaxed: it tells nothing.
inline void touch(std::uint64_t& word) noexcept {
  std::uint64_t nothing = 0;
  asm("" : "+r"(nothing));  // clang knows that adding 0 changes nothing, and would only read
  std::atomic_ref<std::uint64_t>(word).fetch_add(nothing, std::memory_order_relaxed);
}

/// One field of a record, read once from bytes that a hostile writer might change at any time, so that what was checked
/// is what is used. relaxed: the slot's acquire has made the record visible.
template <class Word>
Word read_once(const Word& word) noexcept {
  return std::atomic_ref<Word>(const_cast<Word&>(word)).load(std::memory_order_relaxed);
}

}  // namespace leat::sync
