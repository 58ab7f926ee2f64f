// A loan: room in the log for one record, to be filled in place and published, or given up.
//
// Nobody waits for a loan: until it is published, other producers append and consumers read as if it did not exist. It
// takes its offset when it is published. Destroying it unpublished aborts it.
//
// Threads    those of its producer, which must outlive it and stay where it is.
#pragma once

#include <leat/codec.hpp>
#include <leat/format/record.hpp>
#include <leat/os/clock.hpp>
#include <leat/result.hpp>
#include <leat/storage/appender.hpp>
#include <leat/types.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <utility>

namespace leat {

template <class Value>
class loan {
 public:
  /// Nothing lent.
  loan() noexcept = default;
  [[gnu::always_inline]] loan(loan&& other) noexcept
      : appender_(std::exchange(other.appender_, nullptr)),
        room_(other.room_),
        kind_(other.kind_),
        value_bytes_(other.value_bytes_),
        tail_bytes_(other.tail_bytes_),
        partition_(other.partition_) {}
  loan& operator=(loan&&) = delete;
  [[gnu::always_inline]] ~loan() {
    if (appender_ == nullptr) return;
    appender_->give_back(room_);
    appender_->lent_back(room_);
  }

  /// Where the value goes. What is there before is undefined.
  std::span<std::byte> bytes() const noexcept {
    return {room_.bytes + format::record_layout::value_at(kind_), value_bytes_};
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

  /// Makes it a record. full: the loan is given up. closed, forked; invalid_argument: published or moved from before, or
  /// more bytes than were lent.
  [[gnu::always_inline]] result<record_position> publish() { return publish(value_bytes_); }

  /// The same with only the first `value_bytes` of it.
  [[gnu::always_inline]] result<record_position> publish(std::size_t value_bytes) {
    if (appender_ == nullptr || value_bytes > value_bytes_) [[unlikely]]
      return errc::invalid_argument;
    if (const errc bar = appender_->barred(); bar != errc::ok) [[unlikely]]
      return bar;
    const std::uint64_t extent = kind_ == format::record_kind::compact
                                     ? value_bytes
                                     : settle(room_.bytes, value_bytes_, tail_bytes_, value_bytes);
    if (appender_->takes_append_time()) {
      const std::int64_t now = os::realtime();
      std::memcpy(room_.bytes, &now, sizeof now);
    }
    storage::appender& to = *std::exchange(appender_, nullptr);
    struct give_back {
      storage::appender& to;
      const storage::room& lent;
      ~give_back() { to.lent_back(lent); }
    } const behind{to, room_};
    const result<std::uint64_t> offset = to.publish(room_, kind_, extent);
    if (!offset) return offset.error();
    to.ring();
    if (kind_ == format::record_kind::full) {  // a compact one is not durable
      if (const errc failure = to.acknowledge(*offset); failure != errc::ok) [[unlikely]]
        return failure;
    }
    return record_position{partition_, *offset};
  }

 private:
  template <class, class>
  friend class producer;
  friend class result<loan>;

  /// A full record gets its final size. The extent of its slot word. Static, as the address of a loan would keep it out of
  /// registers.
  static std::uint64_t settle(std::byte* at, std::size_t lent, std::size_t tail_bytes, std::size_t used) noexcept {
    auto& prefix = *reinterpret_cast<format::full_prefix*>(at);
    prefix.value_bytes = static_cast<std::int32_t>(used);
    const std::uint64_t tail_at = format::record_layout::key_at(used);
    std::memmove(at + tail_at, at + format::record_layout::key_at(lent), tail_bytes);
    return format::align_up(tail_at + tail_bytes, format::record_alignment) / format::record_alignment;
  }

  [[gnu::always_inline]] loan(storage::appender& from, const storage::room& room, format::record_kind kind,
                              std::size_t value_bytes, std::size_t tail_bytes, std::uint32_t partition) noexcept
      : appender_(&from),
        room_(room),
        kind_(kind),
        value_bytes_(value_bytes),
        tail_bytes_(tail_bytes),
        partition_(partition) {
    if constexpr (plain<Value> && std::is_trivially_default_constructible_v<Value>) {
      if (value_bytes_ == sizeof(Value)) ::new (bytes().data()) Value;
    }
  }

  storage::appender* appender_ = nullptr;
  storage::room room_;
  format::record_kind kind_ = format::record_kind::compact;
  std::size_t value_bytes_ = 0;
  std::size_t tail_bytes_ = 0;  // key and headers, behind the value
  std::uint32_t partition_ = 0;
};

}  // namespace leat
