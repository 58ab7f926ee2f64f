// A record copied out of the log: looks like any other, and does not end with the next poll.
//
// Threads    may be read by another thread than the one that made it.
// Cost       an allocation, and a copy of the record's bytes.
#pragma once

#include <leat/codec.hpp>
#include <leat/error.hpp>
#include <leat/format/record.hpp>
#include <leat/record.hpp>
#include <leat/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace leat::async {

/// A part of a record, which `part` reads. Null also where the record is damaged: its handler finds that out.
template <class Part>
std::optional<bytes_view> readable(const Part& part) {
  try {
    return part();
  } catch (const error&) {
    return std::nullopt;
  }
}

template <class Value, class Key>
class kept_record {
 public:
  using view_type = record_view<Value, Key>;

  kept_record() = default;
  explicit kept_record(const view_type& record) : at_(record.position()) {
    const std::size_t size = record.extent();
    // As in the log: the value, behind its prefix, lies as its type wants it.
    constexpr std::uint64_t alignment =
        std::max<std::uint64_t>(detail::alignment_of<Value>(), format::record_alignment);
    bytes_.reset(new std::byte[size + alignment]);
    const std::uint64_t begin = reinterpret_cast<std::uintptr_t>(bytes_.get()) + record.value_at();
    word_ = record.copy_to(bytes_.get(), format::align_up(begin, alignment) - begin);
  }

  /// `topic`: its topic's name, which must live as long as the view.
  view_type view(const std::string& topic) const noexcept { return view_type(bytes_.get(), word_, at_, topic); }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  format::slot_word word_ = 0;
  record_position at_;
};

}  // namespace leat::async
