// What of a partition is complete, where records are completed in any order: everything below next().
//
//     const std::uint64_t number = prefix.add(offset);   // in the order of their offsets
//     prefix.complete(number);                           // in any order
//     prefix.next();                                     // may be committed: every record below it is complete
//
// Threads    one at a time.
// Cost       16 bytes for each record from the first that is not complete to the last that was added. That is no bound: where
//            one takes long, others may be added and completed behind it for ever. Whoever adds looks at size().
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace leat::async {

class completed_prefix {
 public:
  /// `next`: the first offset of which nothing is known.
  explicit completed_prefix(std::uint64_t next) noexcept : next_(next) {}

  /// Returns the number by which the record is known here. Offsets may be left out, where the log has lost them.
  std::uint64_t add(std::uint64_t offset) {
    open_.push_back({offset, false});
    return first_ + open_.size() - 1;
  }

  void complete(std::uint64_t number) {
    open_[static_cast<std::size_t>(number - first_)].done = true;
    for (; !open_.empty() && open_.front().done; ++first_) {
      next_ = open_.front().offset + 1;
      open_.pop_front();
    }
  }

  /// Records from the first that is not complete to the last that was added.
  std::size_t size() const noexcept { return open_.size(); }

  /// Every record below this offset is complete.
  std::uint64_t next() const noexcept { return next_; }

 private:
  struct entry {
    std::uint64_t offset;
    bool done;
  };

  std::deque<entry> open_;   // from the first that is not complete
  std::uint64_t first_ = 0;  // the number of open_.front()
  std::uint64_t next_;
};

}  // namespace leat::async
