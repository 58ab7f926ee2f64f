// Record headers: an ordered list of names with nullable values; a name may occur more than once.
#pragma once

#include <leat/error.hpp>
#include <leat/format/record.hpp>
#include <leat/types.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace leat {

struct header {
  std::string_view name;
  std::optional<bytes_view> value;  // empty: null

  header() = default;
  header(std::string_view n, null_t) noexcept : name(n) {}
  header(std::string_view n, bytes_view v) noexcept : name(n), value(v) {}
  header(std::string_view n, std::string_view v) noexcept : name(n), value(std::as_bytes(std::span(v))) {}
  /// Throws invalid_argument for a null pointer. (A template, so that what converts to text of several kinds is a string_view.)
  template <class Char>
    requires std::same_as<std::remove_cv_t<Char>, char>
  header(std::string_view n, Char* v)
      : header(n, v == nullptr ? throw error(errc::invalid_argument, "header " + std::string(n),
                                             "its value is a null pointer; a value that is null is leat::null")
                               : std::string_view(v)) {}
  header(std::string_view n, std::nullptr_t) = delete;  // null is leat::null

  /// The value as text; empty also for null.
  std::string_view text() const noexcept {
    return value ? std::string_view(reinterpret_cast<const char*>(value->data()), value->size()) : std::string_view();
  }

  bool operator==(const header& other) const noexcept {
    return name == other.name && value.has_value() == other.value.has_value() && text() == other.text();
  }
};

/// Headers to send: `{{"trace", "7f3a"}, {"deleted", leat::null}}`, or any contiguous range. Refers to them.
class header_list : public std::span<const header> {
 public:
  constexpr header_list() noexcept = default;
  header_list(std::initializer_list<header> list) noexcept : span(list.begin(), list.size()) {}
  header_list(std::span<const header> list) noexcept : span(list) {}
  header_list(const std::vector<header>& list) noexcept : span(list) {}

  std::size_t encoded_size() const noexcept {
    std::size_t bytes = 0;
    for (const header& h : *this) bytes += format::header_prefix + h.name.size() + (h.value ? h.value->size() : 0);
    return bytes;
  }

  void encode(std::byte* into) const noexcept {
    const auto put = [&](const void* from, std::size_t bytes) {
      if (bytes != 0) std::memcpy(into, from, bytes);
      into += bytes;
    };
    for (const header& h : *this) {
      const auto name_bytes = static_cast<std::uint32_t>(h.name.size());
      const std::int32_t value_bytes = h.value ? static_cast<std::int32_t>(h.value->size()) : format::null_size;
      put(&name_bytes, sizeof name_bytes);
      put(&value_bytes, sizeof value_bytes);
      put(h.name.data(), h.name.size());
      if (h.value) put(h.value->data(), h.value->size());
    }
  }
};

namespace detail {

/// A record, for messages.
inline std::string place_of(const std::string& topic, const record_position& at) {
  return "topic " + topic + ", partition " + std::to_string(at.partition) + ", offset " + std::to_string(at.offset);
}

}  // namespace detail

/// The headers of a record, read from its bytes: a forward range of `header`. Iterating over damaged ones throws corrupt.
class headers_view {
 public:
  class iterator {
   public:
    using value_type = header;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::input_iterator_tag;  // older algorithms expect of more than that a reference

    iterator() = default;
    iterator(bytes_view rest, record_position at, const std::string* topic) : rest_(rest), at_(at), topic_(topic) {
      parse();
    }

    header operator*() const noexcept { return current_; }  // not a reference: it would go with the iterator
    const header* operator->() const noexcept { return &current_; }
    iterator& operator++() {
      rest_ = rest_.subspan(consumed_);
      parse();
      return *this;
    }
    iterator operator++(int) {
      iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator& other) const noexcept { return rest_.size() == other.rest_.size(); }

   private:
    void parse() {
      if (rest_.empty()) return;
      std::uint32_t name_bytes = 0;
      std::int32_t value_bytes = 0;
      if (rest_.size() < format::header_prefix) damaged();
      std::memcpy(&name_bytes, rest_.data(), sizeof name_bytes);
      std::memcpy(&value_bytes, rest_.data() + sizeof name_bytes, sizeof value_bytes);
      const std::size_t value_size = value_bytes < 0 ? 0 : static_cast<std::size_t>(value_bytes);
      const bytes_view body = rest_.subspan(format::header_prefix);
      if (value_bytes < format::null_size || name_bytes > body.size() || value_size > body.size() - name_bytes)
        damaged();
      current_.name = {reinterpret_cast<const char*>(body.data()), name_bytes};
      current_.value = value_bytes < 0 ? std::nullopt : std::optional(body.subspan(name_bytes, value_size));
      consumed_ = format::header_prefix + name_bytes + value_size;
    }
    [[noreturn]] void damaged() const {
      throw error(errc::corrupt, topic_ == nullptr ? "headers" : detail::place_of(*topic_, at_),
                  "the record's headers are damaged: one is larger than what is left of them, " +
                      std::to_string(rest_.size()) + " bytes");
    }

    bytes_view rest_;
    record_position at_;
    const std::string* topic_ = nullptr;
    std::size_t consumed_ = 0;
    header current_;
  };

  headers_view() = default;
  explicit headers_view(bytes_view bytes) noexcept : bytes_(bytes) {}
  /// `at` and `topic`: of the record, for messages.
  headers_view(bytes_view bytes, record_position at, const std::string* topic) noexcept
      : bytes_(bytes), at_(at), topic_(topic) {}

  iterator begin() const { return iterator(bytes_, at_, topic_); }
  iterator end() const { return iterator(); }
  bool empty() const noexcept { return bytes_.empty(); }

  /// The last header of this name, as Kafka's Headers.lastHeader(); empty where there is none.
  std::optional<header> last(std::string_view name) const {
    std::optional<header> found;
    for (const header& h : *this) {
      if (h.name == name) found = h;
    }
    return found;
  }

 private:
  bytes_view bytes_;
  record_position at_;
  const std::string* topic_ = nullptr;
};

}  // namespace leat
