// A segment file in memory, and the pin that makes it safe to look at.
#pragma once

#include <leat/format/segment.hpp>
#include <leat/os/mapping.hpp>
#include <leat/storage/pins.hpp>
#include <leat/storage/write_back.hpp>
#include <leat/sync/slot_array.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace leat::storage {

/// A mapped segment file. Which segment it is may change while it is not pinned, since files are recycled; the mapping
/// stays good through all lives of the file.
class segment {
 public:
  segment(os::mapping mapped, const os::file_status& status, const format::segment_geometry& geometry, os::access mode)
      : mapping_(std::move(mapped)), status_(status), geometry_(geometry), mode_(mode) {}

  format::segment_header& header() const noexcept {
    return *std::launder(reinterpret_cast<format::segment_header*>(mapping_.data()));
  }
  sync::slot_array slots() const noexcept {
    return {reinterpret_cast<const std::uint64_t*>(mapping_.data() + geometry_.slots_begin()), geometry_.slot_count};
  }
  sync::data_tail data_tail() const noexcept { return sync::data_tail(header().data_tail); }
  sync::settled_word base_offset() const noexcept { return sync::settled_word(header().base_offset); }
  /// S4. All who do it have the same offset.
  void begin_at(std::uint64_t base) const noexcept {
    sync::settled_word(header().base_check).settle(~base);
    base_offset().settle(base);
  }
  /// Otherwise it has not begun, or its base offset is damaged.
  bool has_base() const noexcept {
    const std::uint64_t base = base_offset().observe();
    return base != sync::settled_word::unset && sync::settled_word(header().base_check).observe() == ~base;
  }
  sync::flag abandoned() const noexcept { return sync::flag(header().abandoned); }

  std::byte* bytes() const noexcept { return mapping_.data(); }

  /// Its bytes are on the device when this returns.
  void flush(const std::string& path) const { mapping_.flush(path); }
  /// Makes every page one that the next flush writes, though the device has refused it before and the kernel takes it for
  /// written.
  void dirty_again() const noexcept { make_dirty(mapping_.data(), geometry_.segment_bytes); }
  const format::segment_geometry& geometry() const noexcept { return geometry_; }
  const os::file_status& status() const noexcept { return status_; }
  os::access mode() const noexcept { return mode_; }

 private:
  os::mapping mapping_;
  os::file_status status_;
  format::segment_geometry geometry_;
  os::access mode_;
};

/// A segment that stays what it is for as long as this object lives.
class pinned_segment {
 public:
  pinned_segment() noexcept = default;
  /// Takes over a pin that is held already.
  pinned_segment(pins& from, std::uint64_t byte, std::uint64_t sequence) noexcept
      : from_(&from), byte_(byte), sequence_(sequence) {}
  pinned_segment(pinned_segment&& other) noexcept
      : from_(std::exchange(other.from_, nullptr)),
        byte_(other.byte_),
        sequence_(other.sequence_),
        segment_(std::move(other.segment_)) {}
  pinned_segment& operator=(pinned_segment&& other) noexcept {
    std::swap(from_, other.from_);
    std::swap(byte_, other.byte_);
    std::swap(sequence_, other.sequence_);
    std::swap(segment_, other.segment_);
    return *this;
  }
  ~pinned_segment() {
    segment_.reset();
    if (from_ != nullptr) from_->unpin(byte_);
  }

  void attach(std::shared_ptr<const segment> s) noexcept { segment_ = std::move(s); }

  explicit operator bool() const noexcept { return segment_ != nullptr; }
  const segment* operator->() const noexcept { return segment_.get(); }
  const segment& operator*() const noexcept { return *segment_; }
  std::uint64_t sequence() const noexcept { return sequence_; }

 private:
  pins* from_ = nullptr;
  std::uint64_t byte_ = 0;
  std::uint64_t sequence_ = 0;
  std::shared_ptr<const segment> segment_;
};

}  // namespace leat::storage
