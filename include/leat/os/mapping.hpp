// A file mapped into memory, shared with every process that maps it.
#pragma once

#include <leat/os/file.hpp>

#include <boost/interprocess/mapped_region.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace leat::os {

class mapping {
 public:
  /// Maps the first `bytes` of `f`, which has them: checked here, since touching what is not there would be a SIGBUS.
  /// `span`, where given, is more: addresses for what the file may grow to, not to be touched before it has.
  mapping(const file& f, std::uint64_t bytes, access mode, std::uint64_t span = 0) try
      : region_(checked(f, bytes), boost_mode(mode), 0, std::max(bytes, span)) {
  } catch (const boost::interprocess::interprocess_exception& e) {
    throw_errno(e.get_native_error(), f.path(), "map " + std::to_string(bytes) + " bytes");
  }

  std::byte* data() const noexcept { return static_cast<std::byte*>(region_.get_address()); }
  std::size_t size() const noexcept { return region_.get_size(); }

  /// What was written up to now is on the device when this returns; the file's name is another matter (directory::sync).
  /// `path` names the file in errors. Cost: fdatasync(2).
  void flush(const std::string& path) const {
    if (!region_.flush(0, 0, false)) throw_errno(errno, path, "write it to the device");
  }

 private:
  static const file& checked(const file& f, std::uint64_t bytes) {
    const std::uint64_t real = f.status().bytes;
    if (real < bytes) {
      throw leat::error(errc::truncated, f.path(),
                        "the file has " + std::to_string(real) + " bytes, expected " + std::to_string(bytes));
    }
    return f;  // NOLINT(bugprone-return-const-ref-from-parameter): the caller's own argument
  }
  static boost::interprocess::mode_t boost_mode(access mode) noexcept {
    return mode == access::read_only ? boost::interprocess::read_only : boost::interprocess::read_write;
  }

  mutable boost::interprocess::mapped_region region_;
};

}  // namespace leat::os
