// A directory that lives in this process alone: its files are memory files (memfd_create) and go with it.
#pragma once

#include <leat/os/directory.hpp>
#include <leat/os/fork.hpp>

#include <map>
#include <memory>
#include <mutex>

#include <sys/mman.h>

namespace leat::os {

class memory_directory final : public directory {
 public:
  explicit memory_directory(std::string path) : path_(std::move(path)) {}

  std::string path(std::string_view name) const override {
    const std::lock_guard guard(path_mutex_);
    return name.empty() ? path_ : path_ + "/" + std::string(name);
  }

  std::optional<file> open(const std::string& name, access mode) const override {
    const auto guard = lock();
    const auto found = files_.find(name);
    if (found == files_.end()) return std::nullopt;
    return open_again(found->second, mode);
  }

  file create(const std::string& name, mode_t) override {
    const auto guard = lock();
    if (files_.contains(name)) throw_errno(EEXIST, path(name), "create it");
    const int descriptor = ::memfd_create(name.c_str(), MFD_CLOEXEC);
    if (descriptor < 0) throw_errno(errno, path(name), "create a memory file");
    file made(descriptor, path(name));
    file opened = open_again(made, access::read_write);
    files_.emplace(name, std::move(made));
    return opened;
  }

  std::optional<file_status> status(const std::string& name) const override {
    const auto guard = lock();
    const auto found = files_.find(name);
    if (found == files_.end()) return std::nullopt;
    return found->second.status();
  }

  rename_result rename(const std::string& from, const std::string& to) override {
    const auto guard = lock();
    if (files_.contains(to) || directories_.contains(to)) return rename_result::exists;
    if (move(files_, from, to)) return rename_result::done;
    if (!move(directories_, from, to)) return rename_result::absent;
    directories_.at(to)->become(path(to));
    return rename_result::done;
  }

  bool replace(const std::string& from, const std::string& to) override {
    const auto guard = lock();
    if (!files_.contains(from)) return false;
    files_.erase(to);
    return move(files_, from, to);
  }

  bool remove(const std::string& name) override {
    const auto guard = lock();
    return files_.erase(name) != 0;
  }

  std::vector<std::string> list() const override {
    const auto guard = lock();
    std::vector<std::string> names;
    for (const auto& entry : files_) names.push_back(entry.first);
    for (const auto& entry : directories_) names.push_back(entry.first);
    return names;
  }

  std::shared_ptr<directory> open_directory(const std::string& name) const override {
    const auto guard = lock();
    const auto found = directories_.find(name);
    return found == directories_.end() ? nullptr : found->second;
  }

  bool create_directory(const std::string& name, mode_t) override {
    const auto guard = lock();
    return directories_.emplace(name, std::make_shared<memory_directory>(path(name))).second;
  }

  bool remove_directory(const std::string& name) override {
    const auto guard = lock();
    const auto found = directories_.find(name);
    if (found == directories_.end()) return true;
    if (!found->second->list().empty()) return false;
    directories_.erase(found);
    return true;
  }

  bool leads_to(const std::string& name, const directory& opened) const override {
    return open_directory(name).get() == &opened;
  }

  bool is_writable() const override { return true; }

  mode_t mode() const override { return 0700; }

  void sync() const override {}

  bool is_volatile() const override { return true; }

  bool try_own() override {
    const auto guard = lock();
    return !std::exchange(owned_, true);
  }

 private:
  /// It has another name now; errors are to show that.
  void become(std::string path) {
    const std::lock_guard guard(path_mutex_);
    path_ = std::move(path);
  }

  /// The child of a fork has the files, but names of its own: what it made would be another log in the same files.
  std::unique_lock<std::mutex> lock() const {
    if (fork_generation() != generation_) {
      throw error(errc::forked, path(""), "an in-process store was opened before fork() and used in the child");
    }
    return std::unique_lock(mutex_);
  }

  /// Opening a file again, rather than duplicating its descriptor, gives the open file description that locks need.
  static file open_again(const file& f, access mode) {
    const std::string link = "/proc/self/fd/" + std::to_string(f.descriptor());
    const int descriptor = ::open(link.c_str(), (mode == access::read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (descriptor < 0) throw_errno(errno, f.path(), "open the memory file again through " + link);
    return file(descriptor, f.path());
  }

  template <class Map>
  static bool move(Map& entries, const std::string& from, const std::string& to) {
    auto node = entries.extract(from);
    if (node.empty()) return false;
    node.key() = to;
    entries.insert(std::move(node));
    return true;
  }

  mutable std::mutex path_mutex_;  // innermost
  std::string path_;
  const std::uint32_t generation_ = fork_generation();
  mutable std::mutex mutex_;
  bool owned_ = false;
  std::map<std::string, file> files_;
  std::map<std::string, std::shared_ptr<memory_directory>> directories_;
};

}  // namespace leat::os
