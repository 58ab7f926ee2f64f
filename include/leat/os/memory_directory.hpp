// A directory that lives in this process alone: its files are memory files (memfd_create) and go with it.
#pragma once

#include <leat/os/directory.hpp>

#include <map>
#include <mutex>

#include <sys/mman.h>

namespace leat::os {

class memory_directory final : public directory {
 public:
  explicit memory_directory(std::string path) : path_(std::move(path)) {}

  std::string path(std::string_view name) const override {
    return name.empty() ? path_ : path_ + "/" + std::string(name);
  }

  std::optional<file> open(const std::string& name, access mode) const override {
    const std::lock_guard guard(mutex_);
    const auto found = files_.find(name);
    if (found == files_.end()) return std::nullopt;
    // Opening it again, rather than duplicating the descriptor, gives the open file description that locks need.
    const std::string link = "/proc/self/fd/" + std::to_string(found->second.descriptor());
    const int descriptor = ::open(link.c_str(), (mode == access::read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (descriptor < 0) throw_errno(errno, path(name), "open the memory file again through " + link);
    return file(descriptor, path(name));
  }

  file create(const std::string& name, mode_t) override {
    {
      const std::lock_guard guard(mutex_);
      if (files_.contains(name)) throw_errno(EEXIST, path(name), "create it");
      const int descriptor = ::memfd_create(name.c_str(), MFD_CLOEXEC);
      if (descriptor < 0) throw_errno(errno, path(name), "create a memory file");
      files_.emplace(name, file(descriptor, path(name)));
    }
    return *open(name, access::read_write);
  }

  std::optional<file_status> status(const std::string& name) const override {
    const std::lock_guard guard(mutex_);
    const auto found = files_.find(name);
    if (found == files_.end()) return std::nullopt;
    return found->second.status();
  }

  rename_result rename(const std::string& from, const std::string& to) override {
    const std::lock_guard guard(mutex_);
    if (files_.contains(to) || directories_.contains(to)) return rename_result::exists;
    return move(files_, from, to) || move(directories_, from, to) ? rename_result::done : rename_result::absent;
  }

  bool remove(const std::string& name) override {
    const std::lock_guard guard(mutex_);
    return files_.erase(name) != 0;
  }

  std::vector<std::string> list() const override {
    const std::lock_guard guard(mutex_);
    std::vector<std::string> names;
    for (const auto& entry : files_) names.push_back(entry.first);
    for (const auto& entry : directories_) names.push_back(entry.first);
    return names;
  }

  std::shared_ptr<directory> open_directory(const std::string& name) const override {
    const std::lock_guard guard(mutex_);
    const auto found = directories_.find(name);
    return found == directories_.end() ? nullptr : found->second;
  }

  bool create_directory(const std::string& name, mode_t) override {
    const std::lock_guard guard(mutex_);
    return directories_.emplace(name, std::make_shared<memory_directory>(path(name))).second;
  }

  bool remove_directory(const std::string& name) override {
    const std::lock_guard guard(mutex_);
    directories_.erase(name);
    return true;
  }

  bool try_own() override {
    const std::lock_guard guard(mutex_);
    return !std::exchange(owned_, true);
  }

 private:
  template <class Map>
  static bool move(Map& entries, const std::string& from, const std::string& to) {
    auto node = entries.extract(from);
    if (node.empty()) return false;
    node.key() = to;
    entries.insert(std::move(node));
    return true;
  }

  std::string path_;
  mutable std::mutex mutex_;
  bool owned_ = false;
  std::map<std::string, file> files_;
  std::map<std::string, std::shared_ptr<memory_directory>> directories_;
};

}  // namespace leat::os
