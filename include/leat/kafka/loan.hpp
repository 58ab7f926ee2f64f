// A loan: room for one record, to be filled and published, or given up. As leat::loan; but the room is the producer's own
// memory, and what was filled in is copied and sent when it is published: Kafka has no log to write in.
//
// Threads    those of its producer, which must outlive it, and may move.
#pragma once

#include <leat/codec.hpp>
#include <leat/headers.hpp>
#include <leat/kafka/blocking_sender.hpp>
#include <leat/producer.hpp>
#include <leat/result.hpp>
#include <leat/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace leat::kafka {

template <class Value, class Key>
class producer;

template <class Value, class Key = std::string>
class loan {
 public:
  /// Nothing lent.
  loan() noexcept = default;
  loan(loan&&) noexcept = default;
  loan& operator=(loan&&) = delete;

  /// Where the value goes. What is there before is undefined.
  std::span<std::byte> bytes() const noexcept {
    return record_ == nullptr ? std::span<std::byte>() : std::span(record_->room.get(), record_->bytes);
  }

  /// The value itself, for types that lie in memory as they are sent. Default-initialised.
  Value& operator*() const noexcept
    requires plain<Value>
  {
    return *std::launder(reinterpret_cast<Value*>(bytes().data()));
  }
  Value* operator->() const noexcept
    requires plain<Value>
  {
    return &**this;
  }

  /// Sends it. The errors of send(); invalid_argument: published or moved from before, or more bytes than were lent.
  result<record_position> publish() { return publish(bytes().size()); }

  /// The same with only the first `value_bytes` of it.
  result<record_position> publish(std::size_t value_bytes) {
    if (record_ == nullptr || value_bytes > record_->bytes) return errc::invalid_argument;
    const auto record = std::move(record_);
    const std::optional<bytes_view> key = record->key ? std::optional(bytes_view(*record->key)) : std::nullopt;
    std::vector<header> headers;
    for (const auto& [name, value] : record->headers) {
      headers.push_back(value ? header(name, bytes_view(*value)) : header(name, null));
    }
    return record->to->send(key, bytes_view(record->room.get(), value_bytes),
                            {.partition = record->partition, .timestamp = record->timestamp, .headers = headers});
  }

 private:
  friend class producer<Value, Key>;
  friend class result<loan>;

  static constexpr std::align_val_t alignment{std::max<std::size_t>(leat::detail::alignment_of<Value>(), 8)};
  struct release {
    void operator()(std::byte* room) const noexcept { ::operator delete(room, alignment); }
  };

  /// What the record will have, copied: what it was claimed with need not live as long.
  struct lent {
    blocking_sender* to;
    std::unique_ptr<std::byte, release> room;
    std::size_t bytes;
    std::optional<std::vector<std::byte>> key;
    std::optional<std::uint32_t> partition;
    std::optional<leat::timestamp> timestamp;
    std::vector<std::pair<std::string, std::optional<std::vector<std::byte>>>> headers;
  };

  loan(blocking_sender& to, std::size_t bytes, const std::optional<bytes_view>& key, const send_options& how)
      : record_(std::make_unique<lent>()) {
    const auto copy_of = [](const std::optional<bytes_view>& b) {
      return b ? std::optional(std::vector<std::byte>(b->begin(), b->end())) : std::nullopt;
    };
    record_->to = &to;
    record_->room.reset(static_cast<std::byte*>(::operator new(std::max<std::size_t>(bytes, 1), alignment)));
    record_->bytes = bytes;
    record_->key = copy_of(key);
    record_->partition = how.partition;
    record_->timestamp = how.timestamp;
    for (const header& h : how.headers) record_->headers.emplace_back(std::string(h.name), copy_of(h.value));
    if constexpr (plain<Value> && std::is_trivially_default_constructible_v<Value>) {
      if (bytes == sizeof(Value)) ::new (record_->room.get()) Value;
    }
  }

  std::unique_ptr<lent> record_;
};

}  // namespace leat::kafka
