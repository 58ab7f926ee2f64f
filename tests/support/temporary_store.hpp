// A store for one test: in a fresh place, and removed with everything in it when the object goes, also when a test throws.
//
//     auto temporary = leat_tests::temporary_store::on_disk();
//     auto topic = temporary.store.topic<int>("numbers");
//     temporary.file("topics/numbers/topic")           the path of a file in it
//
// Processes  the child of a fork leaves the files to its parent.
#pragma once

#include <leat/store.hpp>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <stdlib.h>
#include <unistd.h>

namespace leat_tests {

enum class medium { in_process, in_shared_memory, on_disk };

/// A fresh directory with a random name, removed with everything in it.
class temporary_directory {
 public:
  /// In TMPDIR, or in /tmp.
  temporary_directory() : temporary_directory(default_parent()) {}

  explicit temporary_directory(const std::string& parent) : path_(parent + "/leat-test-XXXXXX"), maker_(::getpid()) {
    if (::mkdtemp(path_.data()) == nullptr) throw std::system_error(errno, std::generic_category(), "mkdtemp " + path_);
  }
  temporary_directory(temporary_directory&& other) noexcept
      : path_(std::exchange(other.path_, {})), maker_(other.maker_) {}
  temporary_directory& operator=(temporary_directory&&) = delete;
  ~temporary_directory() {
    if (path_.empty() || maker_ != ::getpid()) return;
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const noexcept { return path_; }

 private:
  static std::string default_parent() {
    const char* const given = std::getenv("TMPDIR");
    return given != nullptr && *given != '\0' ? given : "/tmp";
  }

  std::string path_;
  pid_t maker_;
};

class temporary_store {
  std::optional<temporary_directory> directory_;  // where it is, unless in this process; outlives the store
  std::string path_;

 public:
  leat::store store;

  /// Files in the directory for temporary files. `options` apply to the store's directory.
  static temporary_store on_disk(const leat::store_options& options = {}) {
    return temporary_store(temporary_directory(), options);
  }
  /// Files in /dev/shm.
  static temporary_store in_shared_memory(const leat::store_options& options = {}) {
    return temporary_store(temporary_directory("/dev/shm"), options);
  }
  static temporary_store in_process() { return temporary_store(); }

  static temporary_store in(medium where) {
    switch (where) {
      case medium::in_process: return in_process();
      case medium::in_shared_memory: return in_shared_memory();
      case medium::on_disk: break;
    }
    return on_disk();
  }

  /// What leat::store::open() takes to open it again. Empty for a store in this process.
  const std::string& path() const noexcept { return path_; }

  /// Path of a file or directory in it: `file("topics/numbers/topic")`.
  std::string file(const std::string& relative) const { return path_ + "/" + relative; }

 private:
  temporary_store() : store(leat::store::in_process()) {}
  temporary_store(temporary_directory directory, const leat::store_options& options)
      : directory_(std::move(directory)),
        path_(directory_->path() + "/store"),
        store(leat::store::open(path_, options)) {}
};

}  // namespace leat_tests
