// The groups that read a topic, for retention: where the slowest of them stands.
//
// Threads    any number at once.
// Processes  each looks into the topic's directory when the topic's revision has changed: a group that begins to commit
//            advances it. A group that begins while a segment is being retired may miss that one; it has read nothing yet.
#pragma once

#include <leat/storage/group_offsets.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace leat::storage {

class group_registry {
 public:
  group_registry(std::shared_ptr<os::directory> directory, const format::topic_header& topic)
      : directory_(std::move(directory)), topic_(topic) {}

  struct hold {
    std::string group;
    std::uint64_t offset;  // what begins here may still be read
  };

  /// The lowest hold on a partition; empty when no group has begun to read it. A damaged offsets file throws: what it held
  /// is not known, so nothing may go.
  std::optional<hold> slowest(std::uint32_t partition, std::uint64_t revision) {
    const std::lock_guard guard(mutex_);
    if (seen_ != revision) {
      refresh();
      seen_ = revision;
    }
    std::optional<hold> lowest;
    for (const auto& group : groups_) {
      const auto offset = group->keeps_from(partition);
      if (offset && (!lowest || *offset < lowest->offset)) lowest = hold{group->group(), *offset};
    }
    return lowest;
  }

 private:
  void refresh() {
    std::vector<std::shared_ptr<group_offsets>> found;
    for (const std::string& name : directory_->list()) {
      if (!name.starts_with(group_offsets::name_prefix)) continue;
      const std::string group = name.substr(group_offsets::name_prefix.size());
      if (auto offsets = group_offsets::open(directory_, topic_, group)) found.push_back(std::move(offsets));
    }
    groups_ = std::move(found);
  }

  std::shared_ptr<os::directory> directory_;
  const format::topic_header& topic_;
  std::mutex mutex_;
  std::uint64_t seen_ = ~std::uint64_t{0};
  std::vector<std::shared_ptr<group_offsets>> groups_;
};

}  // namespace leat::storage
