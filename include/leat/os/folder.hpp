// A directory of a file system. Everything is opened relative to it, and symbolic links are not followed.
#pragma once

#include <leat/os/directory.hpp>

#include <cstdio>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace leat::os {

inline uid_t effective_user() noexcept { return ::geteuid(); }

class folder final : public directory {
 public:
  /// Opens the folder at `path`; null when there is nothing of this name.
  static std::shared_ptr<folder> open(const std::string& path) { return open_at(AT_FDCWD, path, path); }

  const std::string& path() const noexcept { return self_.path(); }
  int descriptor() const noexcept { return self_.descriptor(); }

  std::string path(std::string_view name) const override {
    return name.empty() ? self_.path() : self_.path() + "/" + std::string(name);
  }

  std::optional<file> open(const std::string& name, access mode) const override {
    const int flags = (mode == access::read_only ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    const int descriptor = ::openat(self_.descriptor(), name.c_str(), flags);
    if (descriptor < 0) {
      if (errno == ENOENT) return std::nullopt;
      throw_errno(errno, path(name), "open it");
    }
    file opened(descriptor, path(name));
    struct stat s;
    if (::fstat(descriptor, &s) != 0) throw_errno(errno, opened.path(), "read the file's status");
    if (!S_ISREG(s.st_mode)) throw error(errc::foreign, opened.path(), "not a regular file");
    return opened;
  }

  file create(const std::string& name, mode_t mode) override {
    const int descriptor =
        ::openat(self_.descriptor(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (descriptor < 0) throw_errno(errno, path(name), "create it");
    file made(descriptor, path(name));
    if (::fchmod(descriptor, mode) != 0) throw_errno(errno, made.path(), "set its mode");  // whatever the umask is
    return made;
  }

  std::optional<file_status> status(const std::string& name) const override {
    struct stat s;
    if (::fstatat(self_.descriptor(), name.c_str(), &s, AT_SYMLINK_NOFOLLOW) == 0) return file_status(s);
    if (errno == ENOENT) return std::nullopt;
    throw_errno(errno, path(name), "read its status");
  }

  rename_result rename(const std::string& from, const std::string& to) override {
    if (::renameat2(self_.descriptor(), from.c_str(), self_.descriptor(), to.c_str(), RENAME_NOREPLACE) == 0) {
      return rename_result::done;
    }
    if (errno == EEXIST) return rename_result::exists;
    if (errno == ENOENT) return rename_result::absent;
    if (errno == EINVAL) {
      throw error(errc::unsupported, path(from), "the file system cannot rename without replacing (RENAME_NOREPLACE)");
    }
    throw_errno(errno, path(from), "rename it to " + to);
  }

  bool replace(const std::string& from, const std::string& to) override {
    if (::renameat(self_.descriptor(), from.c_str(), self_.descriptor(), to.c_str()) == 0) return true;
    if (errno == ENOENT) return false;
    throw_errno(errno, path(from), "rename it to " + to);
  }

  bool remove(const std::string& name) override {
    if (::unlinkat(self_.descriptor(), name.c_str(), 0) == 0) return true;
    if (errno == ENOENT) return false;
    throw_errno(errno, path(name), "remove it");
  }

  std::vector<std::string> list() const override {
    const int descriptor = ::openat(self_.descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
      if (errno == ENOENT) return {};  // it has been removed, which only an empty one can be
      throw_errno(errno, path(), "list it");
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(descriptor), &::closedir);
    if (stream == nullptr) {
      ::close(descriptor);
      throw_errno(errno, path(), "list it");
    }
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    if (errno != 0 && errno != ENOENT) throw_errno(errno, path(), "list it");
    return names;
  }

  std::shared_ptr<directory> open_directory(const std::string& name) const override {
    return open_at(self_.descriptor(), name, path(name));
  }

  bool create_directory(const std::string& name, mode_t mode) override {
    return create_at(self_.descriptor(), name, path(name), mode);
  }

  bool remove_directory(const std::string& name) override {
    if (::unlinkat(self_.descriptor(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
    if (errno == ENOTEMPTY || errno == EEXIST) return false;
    throw_errno(errno, path(name), "remove the directory");
  }

  bool leads_to(const std::string& name, const directory& opened) const override {
    const auto named = status(name);
    const auto self = opened.status(".");
    return named && self && named->same_file(*self);
  }

  bool is_writable() const override { return ::faccessat(self_.descriptor(), ".", W_OK | X_OK, AT_EACCESS) == 0; }

  mode_t mode() const override { return permissions().st_mode & 0777; }

  void sync() const override { self_.sync(); }

  bool is_volatile() const override { return path().starts_with("/dev/shm/"); }

  bool try_own() override { return self_.try_own(); }

  uid_t owner() const { return permissions().st_uid; }
  bool everybody_may_write() const { return (permissions().st_mode & S_IWOTH) != 0; }

  /// Makes the folder at `path`; false when it exists.
  static bool make(const std::string& path, mode_t mode) { return create_at(AT_FDCWD, path, path, mode); }

  explicit folder(file self) : self_(std::move(self)) {}

  /// Removes the folder at `path` if it is empty.
  static bool remove_at(const std::string& path) noexcept { return ::rmdir(path.c_str()) == 0; }

 private:
  struct stat permissions() const {
    struct stat s;
    if (::fstat(self_.descriptor(), &s) != 0) throw_errno(errno, path(), "read its status");
    return s;
  }

  static std::shared_ptr<folder> open_at(int parent, const std::string& name, const std::string& path) {
    const int descriptor = ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor >= 0) return std::make_shared<folder>(file(descriptor, path));
    if (errno == ENOENT) return nullptr;
    if (errno == ENOTDIR || errno == ELOOP) throw error(errc::foreign, path, "not a directory");
    throw_errno(errno, path, "open the directory");
  }

  static bool create_at(int parent, const std::string& name, const std::string& path, mode_t mode) {
    if (::mkdirat(parent, name.c_str(), mode) == 0) {
      if (const auto made = open_at(parent, name, path)) {  // whatever the umask is; a set-group-id bit stays
        ::fchmod(made->descriptor(), mode | (made->permissions().st_mode & S_ISGID));
      }
      return true;
    }
    if (errno == EEXIST) return false;
    throw_errno(errno, path, "create the directory");
  }

  file self_;
};

}  // namespace leat::os
