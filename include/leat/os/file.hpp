// An open file: owns the descriptor.
#pragma once

#include <leat/os/errors.hpp>

#include <boost/interprocess/detail/os_file_functions.hpp>
#include <boost/interprocess/detail/workaround.hpp>

#include <cstdint>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace leat::os {

enum class access { read_only, read_write };

/// What tells one file from another, and how large it is.
struct file_status {
  dev_t device = 0;
  ino_t inode = 0;
  std::uint64_t bytes = 0;

  explicit file_status(const struct stat& s) noexcept
      : device(s.st_dev), inode(s.st_ino), bytes(static_cast<std::uint64_t>(s.st_size)) {}

  bool same_file(const file_status& other) const noexcept { return device == other.device && inode == other.inode; }
};

class file {
 public:
  file(int descriptor, std::string path) noexcept : descriptor_(descriptor), path_(std::move(path)) {}
  file(file&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}
  file& operator=(file&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(path_, other.path_);
    return *this;
  }
  ~file() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  int descriptor() const noexcept { return descriptor_; }
  int release() noexcept { return std::exchange(descriptor_, -1); }
  const std::string& path() const noexcept { return path_; }

  file_status status() const {
    struct stat s;
    if (::fstat(descriptor_, &s) != 0) throw_errno(errno, path_, "read the file's status");
    return file_status(s);
  }

  /// Takes this file for its user, until it is closed. False when another has it: its maker is alive and at work.
  bool try_own() const noexcept { return ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0; }

  /// Grows the file to `bytes`, all of them really there: a page of it that is touched later cannot fail for want of space.
  void reserve(std::uint64_t bytes) {
    int failure;
    do failure = ::posix_fallocate(descriptor_, 0, static_cast<off_t>(bytes));
    while (failure == EINTR);
    if (failure != 0) throw_errno(failure, path_, "reserve " + std::to_string(bytes) + " bytes");
  }

  /// Its bytes and size are on the device when this returns; its name is another matter (directory::sync).
  void sync() const {
    if (::fsync(descriptor_) != 0) throw_errno(errno, path_, "write it to the device");
  }

  // What makes this a MemoryMappable for boost::interprocess::mapped_region.
  boost::interprocess::mapping_handle_t get_mapping_handle() const noexcept {
    return boost::interprocess::ipcdetail::mapping_handle_from_file_handle(descriptor_);
  }

 private:
  int descriptor_;
  std::string path_;
};

}  // namespace leat::os
