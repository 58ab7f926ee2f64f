// A record as a consumer sees it, and what a poll returns: as leat::record_view and leat::batch.
//
// Valid until the consumer's next poll. Values that leat reads in place are read in place here, too, where they happen to be
// aligned in what the broker sent; else from a copy.
#pragma once

#include <leat/codec.hpp>
#include <leat/error.hpp>
#include <leat/kafka/fetched.hpp>
#include <leat/kafka/message.hpp>
#include <leat/types.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

namespace leat::kafka {

template <class Value, class Key = std::string>
class record_view {
 public:
  using value_output = typename codec<Value>::output;
  using key_output = typename codec<Key>::output;

  record_view() = default;
  explicit record_view(const fetched_record& r) noexcept : record_(&r) {}

  std::uint64_t offset() const noexcept { return static_cast<std::uint64_t>(record_->message->offset); }
  std::uint32_t partition() const noexcept { return static_cast<std::uint32_t>(record_->message->partition); }
  record_position position() const noexcept { return {partition(), offset()}; }
  /// The topic's name; valid as long as the record.
  const std::string& topic() const noexcept { return *record_->topic; }

  /// Whole milliseconds.
  leat::timestamp timestamp() const noexcept { return time_of(*record_->message); }

  /// False for a tombstone.
  bool has_value() const noexcept { return value_bytes().has_value(); }
  bool has_key() const noexcept { return key_bytes().has_value(); }

  /// Throws leat::error where it is null, or is not what Value's codec writes.
  value_output value() const { return decode<Value>(value_bytes(), "value"); }
  key_output key() const { return decode<Key>(key_bytes(), "key"); }

  /// Empty: null.
  std::optional<bytes_view> value_bytes() const noexcept { return record_->value.get(); }
  std::optional<bytes_view> key_bytes() const noexcept { return record_->key.get(); }
  headers_view headers() const noexcept { return headers_view(*record_->message); }

 private:
  template <class T>
  typename codec<T>::output decode(const std::optional<bytes_view>& bytes, const char* what) const {
    if (!bytes) throw error(errc::invalid_argument, where(), std::string("the ") + what + " is null");
    try {
      return codec<T>::decode(*bytes);
    } catch (const error& e) {
      throw error(static_cast<errc>(e.code().value()), where() + ", " + what, e.reason());
    }
  }
  std::string where() const { return leat::detail::place_of(topic(), position()); }

  const fetched_record* record_ = nullptr;
};

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
    explicit iterator(const fetched_record* at) noexcept : at_(at) {}

    record operator*() const noexcept { return record(*at_); }
    iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    iterator operator++(int) noexcept { return iterator(at_++); }
    bool operator==(const iterator&) const noexcept = default;

   private:
    const fetched_record* at_ = nullptr;
  };

  /// `why` and `where`: for the exception of one that has failed.
  batch(const fetched& records, errc code, const std::string& where, const std::string& why) noexcept
      : records_(&records), where_(&where), why_(&why), code_(code) {}

  /// Throws leat::error where the poll failed.
  iterator begin() const {
    if (code_ != errc::ok) [[unlikely]]
      throw leat::error(code_, *where_, why_->empty() ? leat::detail::describe(code_) : *why_);
    return iterator(records_->begin());
  }
  iterator end() const noexcept { return iterator(records_->end()); }

  std::size_t size() const noexcept { return records_->size(); }
  bool empty() const noexcept { return records_->empty(); }

  /// out_of_range (where the reset policy is none), closed, fenced, forked, permission_denied, corrupt, system; ok also when
  /// there was nothing to read.
  errc error() const noexcept { return code_; }

 private:
  const fetched* records_;
  const std::string* where_;
  const std::string* why_;
  errc code_;
};

}  // namespace leat::kafka
