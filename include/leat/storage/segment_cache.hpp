// The mappings that a process keeps of a partition's segment files, by inode.
//
// Files are recycled, so the mapping of a retired segment serves again for the segment that its file becomes: in steady
// state nothing is mapped and no page is faulted. A file that lost its name instead is dropped at the next look.
//
// Threads    guarded by the partition.
#pragma once

#include <leat/storage/segment.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

namespace leat::storage {

class segment_cache {
 public:
  explicit segment_cache(std::size_t capacity) : capacity_(capacity) {}

  std::shared_ptr<const segment> find(const os::file_status& status, os::access mode) {
    std::erase_if(kept_, [](const auto& s) { return s->abandoned().is_set(); });
    const auto found = std::find_if(kept_.begin(), kept_.end(),
                                    [&](const auto& s) { return s->status().same_file(status) && s->mode() == mode; });
    if (found == kept_.end()) return nullptr;
    std::rotate(found, found + 1, kept_.end());  // most recently used last
    return kept_.back();
  }

  void keep(std::shared_ptr<const segment> s) {
    if (kept_.size() >= capacity_) kept_.erase(kept_.begin());
    kept_.push_back(std::move(s));
  }

 private:
  std::size_t capacity_;
  std::vector<std::shared_ptr<const segment>> kept_;
};

}  // namespace leat::storage
