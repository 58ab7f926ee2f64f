// Bytes, headers and times on their way to librdkafka and back.
//
// Null differs from empty everywhere: null is a null pointer, empty one that is not, with size 0.
#pragma once

#include <leat/error.hpp>
#include <leat/headers.hpp>
#include <leat/kafka/error.hpp>
#include <leat/types.hpp>

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <string_view>

namespace leat::kafka {

/// Bytes as C has them.
struct raw_bytes {
  const void* data = nullptr;  // null: null
  std::size_t size = 0;

  raw_bytes() = default;
  explicit raw_bytes(const std::optional<bytes_view>& bytes) noexcept {
    if (!bytes) return;
    data = bytes->data() != nullptr ? static_cast<const void*>(bytes->data()) : "";
    size = bytes->size();
  }
};

/// Kafka has milliseconds: rounded down, also before 1970.
inline std::int64_t milliseconds_of(timestamp t) noexcept {
  return std::chrono::floor<std::chrono::milliseconds>(t.time_since_epoch()).count();
}
inline timestamp timestamp_of(std::int64_t milliseconds) noexcept {
  return timestamp(std::chrono::milliseconds(milliseconds));
}

// --- headers ----------------------------------------------------------------------------------------------------------

struct headers_deleter {
  void operator()(rd_kafka_headers_t* h) const noexcept { rd_kafka_headers_destroy(h); }
};
using headers_ptr = std::unique_ptr<rd_kafka_headers_t, headers_deleter>;

/// A copy of the headers, to be sent; null: none.
inline headers_ptr headers_to_send(const header_list& list) {
  if (list.empty()) return nullptr;
  headers_ptr headers(rd_kafka_headers_new(list.size()));
  for (const header& h : list) {
    const raw_bytes value(h.value);
    const auto failure = rd_kafka_header_add(headers.get(), h.name.empty() ? "" : h.name.data(),
                                             static_cast<std::ptrdiff_t>(h.name.size()), value.data,
                                             static_cast<std::ptrdiff_t>(value.size));
    if (failure != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::bad_alloc();
  }
  return headers;
}

/// The headers of a message: a forward range of `header`. Valid as long as the message. (librdkafka gives names as C strings, so
/// one with a NUL ends there.)
class headers_view {
 public:
  class iterator {
   public:
    using value_type = header;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::input_iterator_tag;  // older algorithms expect of more than that a reference

    iterator() = default;
    iterator(const rd_kafka_headers_t* headers, std::size_t index) noexcept : headers_(headers), index_(index) {
      look();
    }

    header operator*() const noexcept { return current_; }  // not a reference: it would go with the iterator
    const header* operator->() const noexcept { return &current_; }
    iterator& operator++() noexcept {
      ++index_;
      look();
      return *this;
    }
    iterator operator++(int) noexcept {
      iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator& other) const noexcept {
      return headers_ == other.headers_ && index_ == other.index_;
    }

   private:
    /// Behind the last one, it becomes end().
    void look() noexcept {
      const char* name = nullptr;
      const void* value = nullptr;
      std::size_t size = 0;
      if (headers_ == nullptr ||
          rd_kafka_header_get_all(headers_, index_, &name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        *this = iterator();
        return;
      }
      current_.name = name;
      current_.value =
          value == nullptr ? std::nullopt : std::optional(bytes_view(static_cast<const std::byte*>(value), size));
    }

    const rd_kafka_headers_t* headers_ = nullptr;
    std::size_t index_ = 0;
    header current_;
  };

  headers_view() = default;
  explicit headers_view(const rd_kafka_message_t& message) noexcept {
    rd_kafka_headers_t* found = nullptr;
    if (rd_kafka_message_headers(&message, &found) == RD_KAFKA_RESP_ERR_NO_ERROR) headers_ = found;
  }

  iterator begin() const noexcept { return iterator(headers_, 0); }
  iterator end() const noexcept { return iterator(); }
  bool empty() const noexcept { return begin() == end(); }

  /// The last header of this name, as Kafka's Headers.lastHeader(); empty where there is none.
  std::optional<header> last(std::string_view name) const {
    std::optional<header> found;
    for (const header& h : *this) {
      if (h.name == name) found = h;
    }
    return found;
  }

 private:
  const rd_kafka_headers_t* headers_ = nullptr;
};

// --- messages ---------------------------------------------------------------------------------------------------------

struct message_deleter {
  void operator()(rd_kafka_message_t* m) const noexcept { rd_kafka_message_destroy(m); }
};
using message_ptr = std::unique_ptr<rd_kafka_message_t, message_deleter>;

/// Empty: null.
inline std::optional<bytes_view> value_of(const rd_kafka_message_t& m) noexcept {
  if (m.payload == nullptr) return std::nullopt;
  return bytes_view(static_cast<const std::byte*>(m.payload), m.len);
}
inline std::optional<bytes_view> key_of(const rd_kafka_message_t& m) noexcept {
  if (m.key == nullptr) return std::nullopt;
  return bytes_view(static_cast<const std::byte*>(m.key), m.key_len);
}
/// -1 ms where the message has none (formats before 0.10).
inline timestamp time_of(const rd_kafka_message_t& m) noexcept {
  return timestamp_of(rd_kafka_message_timestamp(&m, nullptr));
}

}  // namespace leat::kafka
