// The words by which partitions pass from one member of a group to another, and by which members commit.
//
//     taking over   T1 owner: {e, old} -> {e + 1, me}      only where `old` is nobody, or is no member any more
//                   T2 committed: epoch -> e + 1, offset kept; the offset that this exchange saw is where reading begins
//     commit        C1 committed: {e, offset} -> {e, next}
//     release       owner: {e, me} -> {e, nobody}
//
// T2 and C1 are exchanges of one word, so a member that was stopped in the middle of a commit and lost the partition
// meanwhile finds another epoch there, and changes nothing. [tenure] The epoch has 11 bits in that word: to be mistaken, a
// member must be stopped between its look and its exchange while the partition changes hands 2048 times. (A
// commit with metadata by one who is no member counts as one.)
#pragma once

#include <leat/format/offsets_file.hpp>
#include <leat/sync/words.hpp>

namespace leat::sync {

class owner_word {
 public:
  explicit owner_word(const std::uint64_t& word) noexcept : word_(const_cast<std::uint64_t*>(&word)) {}

  format::owner_value observe() const noexcept {
    return format::owner_value::of(readable(*word_).load(std::memory_order_acquire));
  }
  /// T1, and the release. acq_rel: what a member did before it released is visible to the next.
  bool pass(format::owner_value from, format::owner_value to) const noexcept {
    std::uint64_t seen = from.word();
    return std::atomic_ref<std::uint64_t>(*word_).compare_exchange_strong(seen, to.word(), std::memory_order_acq_rel);
  }

 private:
  std::uint64_t* word_;
};

/// Of what is committed, and likewise of where a group began.
class commit_word {
 public:
  explicit commit_word(const std::uint64_t& word) noexcept : word_(const_cast<std::uint64_t*>(&word)) {}

  format::commit_value observe() const noexcept {
    return format::commit_value::of(readable(*word_).load(std::memory_order_acquire));
  }
  /// T2 and C1. False: `seen` is another by now, and is what it is. acq_rel: what a member did before it committed is
  /// visible to whoever goes on from there.
  bool replace(format::commit_value& seen, format::commit_value next) const noexcept {
    std::uint64_t word = seen.word();
    if (std::atomic_ref<std::uint64_t>(*word_).compare_exchange_strong(word, next.word(), std::memory_order_acq_rel)) {
      return true;
    }
    seen = format::commit_value::of(word);
    return false;
  }

 private:
  std::uint64_t* word_;
};

/// Between one who wants to take a file away in which nothing stands, and those who put something there. The first raises the
/// word and then looks at what stands there; the others exchange, and then look at the word. Both touch the word by an
/// exchange of it, so one of them comes behind the other, and sees it. [removal]
class removal_word {
 public:
  explicit removal_word(const std::uint64_t& word) noexcept : word_(const_cast<std::uint64_t*>(&word)) {}

  void raise() const noexcept { std::atomic_ref<std::uint64_t>(*word_).exchange(1, std::memory_order_acq_rel); }
  void lower() const noexcept { std::atomic_ref<std::uint64_t>(*word_).exchange(0, std::memory_order_acq_rel); }
  /// An exchange, though it changes nothing: a load could be done before what stands before it.
  bool is_raised() const noexcept {
    return std::atomic_ref<std::uint64_t>(*word_).fetch_or(0, std::memory_order_acq_rel) != 0;
  }

 private:
  std::uint64_t* word_;
};

}  // namespace leat::sync
