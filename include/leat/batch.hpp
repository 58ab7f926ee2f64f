// What a poll returns: a range of views into the log, or the reason why there is none.
//
// Valid until the consumer's next poll, whatever retention does meanwhile. Iterating over a failed batch throws leat::error,
// so an error that nobody asked for is not lost; asking for error() first makes it a value.
#pragma once

#include <leat/record.hpp>
#include <leat/storage/reader.hpp>

#include <cstddef>
#include <iterator>
#include <ranges>
#include <span>

namespace leat {

template <class Value, class Key = std::string>
class batch {
 public:
  using record = record_view<Value, Key>;

  class iterator {
   public:
    using value_type = record;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::forward_iterator_tag;

    iterator() = default;
    explicit iterator(const storage::batch_part* part) noexcept : part_(part) {}

    record operator*() const noexcept {
      return record(part_->records.bytes, part_->records.slots[index_],
                    {part_->partition, part_->records.first_offset + index_}, part_->log->name());
    }
    iterator& operator++() noexcept {
      if (++index_ == part_->records.slots.size()) {
        index_ = 0;
        ++part_;
      }
      return *this;
    }
    iterator operator++(int) noexcept {
      iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator&) const noexcept = default;

   private:
    const storage::batch_part* part_ = nullptr;
    std::size_t index_ = 0;
  };

  batch(const storage::reader& from, errc code) noexcept : from_(&from), parts_(from.parts()), code_(code) {}

  /// Throws leat::error, with the file and the reason, where the poll failed.
  iterator begin() const {
    if (code_ != errc::ok) [[unlikely]]
      from_->raise(code_);
    return iterator(parts_.data());
  }
  iterator end() const noexcept { return iterator(parts_.data() + parts_.size()); }

  std::size_t size() const noexcept {
    std::size_t records = 0;
    for (const storage::batch_part& p : parts_) records += p.records.slots.size();
    return records;
  }
  bool empty() const noexcept { return parts_.empty(); }

  /// out_of_range (where the reset policy is none), closed, corrupt, forked, fenced (another has this static member's place),
  /// full (once, where the group cannot take over a change for want of room); ok also when there was nothing to read.
  errc error() const noexcept { return code_; }

 private:
  const storage::reader* from_;
  std::span<const storage::batch_part> parts_;
  errc code_;
};

}  // namespace leat
