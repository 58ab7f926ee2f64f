// A record as a consumer sees it: a view on the bytes where the producer wrote them.
//
// Valid until the consumer's next poll. Copying a view copies no record.
#pragma once

#include <leat/codec.hpp>
#include <leat/format/record.hpp>
#include <leat/headers.hpp>
#include <leat/sync/words.hpp>
#include <leat/types.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

namespace leat {

template <class Value, class Key = std::string>
class record_view {
 public:
  using value_output = typename codec<Value>::output;
  using key_output = typename codec<Key>::output;

  record_view() = default;
  /// `word` was checked: the record lies within its segment.
  record_view(const std::byte* segment, format::slot_word word, record_position at, const std::string& topic) noexcept
      : record_(segment + format::slot_position(word)), word_(word), at_(at), topic_(&topic) {}

  std::uint64_t offset() const noexcept { return at_.offset; }
  std::uint32_t partition() const noexcept { return at_.partition; }
  record_position position() const noexcept { return at_; }
  /// The topic's name; valid as long as the record.
  const std::string& topic() const noexcept { return *topic_; }

  leat::timestamp timestamp() const noexcept {
    return leat::timestamp(std::chrono::nanoseconds(sync::read_once(*reinterpret_cast<const std::int64_t*>(record_))));
  }

  /// False for a tombstone.
  bool has_value() const { return is_compact() || parts().value_bytes != format::null_size; }
  bool has_key() const { return !is_compact() && parts().key_bytes != format::null_size; }

  /// The value, read in place. Throws leat::error where it is null, or is not what Value's codec writes.
  value_output value() const { return decode<Value>(value_bytes(), "value"); }
  key_output key() const { return decode<Key>(key_bytes(), "key"); }

  /// For a copy of the whole, see async/kept_record.hpp: its bytes, and where among them the value begins.
  std::size_t extent() const noexcept {
    return is_compact() ? format::compact_prefix + format::slot_extent(word_)
                        : format::slot_extent(word_) * format::record_alignment;
  }
  std::size_t value_at() const noexcept {
    return format::record_layout::value_at(is_compact() ? format::record_kind::compact : format::record_kind::full);
  }
  /// Copies extent() bytes to `segment` + `position`, a multiple of 8. Returns the word of a record that lies there.
  format::slot_word copy_to(std::byte* segment, std::uint64_t position) const noexcept {
    std::memcpy(segment + position, record_, extent());
    const auto kind = is_compact() ? format::record_kind::compact : format::record_kind::full;
    return format::make_slot(kind, position, format::slot_extent(word_));
  }

  /// Empty: null.
  std::optional<bytes_view> value_bytes() const {
    if (is_compact()) [[likely]]
      return bytes_view(record_ + format::compact_prefix, format::slot_extent(word_));
    const prefix p = parts();
    if (p.value_bytes < 0) return std::nullopt;
    return bytes_view(record_ + sizeof(format::full_prefix), static_cast<std::size_t>(p.value_bytes));
  }
  std::optional<bytes_view> key_bytes() const {
    if (is_compact()) return std::nullopt;
    const prefix p = parts();
    if (p.key_bytes < 0) return std::nullopt;
    return bytes_view(record_ + p.key_at, static_cast<std::size_t>(p.key_bytes));
  }
  headers_view headers() const {
    if (is_compact()) return {};
    const prefix p = parts();
    return headers_view({record_ + p.key_at + (p.key_bytes < 0 ? 0 : p.key_bytes), p.headers_bytes}, at_, topic_);
  }

 private:
  struct prefix {
    std::int32_t value_bytes;
    std::int32_t key_bytes;
    std::uint32_t headers_bytes;
    std::uint64_t key_at;
  };

  bool is_compact() const noexcept { return format::is_kind(word_, format::record_kind::compact); }

  /// The sizes in a full record's prefix, each read once and checked against the record's extent.
  prefix parts() const {
    const auto& stored = *reinterpret_cast<const format::full_prefix*>(record_);
    prefix p{sync::read_once(stored.value_bytes), sync::read_once(stored.key_bytes),
             sync::read_once(stored.headers_bytes), 0};
    const std::uint64_t value_bytes = p.value_bytes < 0 ? 0 : static_cast<std::uint64_t>(p.value_bytes);
    const std::uint64_t key_bytes = p.key_bytes < 0 ? 0 : static_cast<std::uint64_t>(p.key_bytes);
    p.key_at = format::record_layout::key_at(value_bytes);
    const bool fits = format::full_size(value_bytes, key_bytes, p.headers_bytes) <=
                      format::slot_extent(word_) * format::record_alignment;
    if (!fits || p.value_bytes < format::null_size || p.key_bytes < format::null_size) [[unlikely]] {
      throw error(errc::corrupt, where(), "the sizes in the record's prefix do not fit in the record");
    }
    return p;
  }

  /// A codec knows nothing of where its bytes are from.
  template <class T>
  typename codec<T>::output decode(const std::optional<bytes_view>& bytes, const char* what) const {
    if (!bytes) [[unlikely]]
      throw error(errc::invalid_argument, where(), std::string("the ") + what + " is null");
    try {
      return codec<T>::decode(*bytes);
    } catch (const error& e) {
      throw error(static_cast<errc>(e.code().value()), where() + ", " + what, e.reason());
    }
  }

  std::string where() const { return detail::place_of(*topic_, at_); }

  const std::byte* record_ = nullptr;
  format::slot_word word_ = 0;
  record_position at_;
  const std::string* topic_ = nullptr;
};

}  // namespace leat
