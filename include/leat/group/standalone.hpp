// Committing for a group without being a member: for a consumer that names its partitions itself, and for administration.
//
// It may, where no member has the partition. A member that takes it at that moment begins behind the commit, or the commit
// fails: both go through the same word.
#pragma once

#include <leat/group/group_files.hpp>
#include <leat/storage/topic_log.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace leat::group {

class standalone {
 public:
  standalone(std::shared_ptr<storage::store_files> store, std::string group)
      : store_(std::move(store)), name_(std::move(group)), group_(group_files::open_or_create(store_, name_)) {}

  const std::string& name() const noexcept { return name_; }

  /// fenced: a member has the partition. Throws closed where the topic was deleted; and where the file of the offsets is going
  /// away, which takes a moment, and whoever removes it is stopped in the middle.
  errc commit(storage::topic_log& log, std::uint32_t partition, std::uint64_t offset,
              const std::string& metadata = {}) {
    const auto end = std::chrono::steady_clock::now() + patience;
    for (;;) {
      const std::optional<errc> outcome = try_commit(log, partition, offset, metadata);
      if (!outcome) continue;
      if (*outcome != errc::closed) return *outcome;
      if (std::chrono::steady_clock::now() > end) {
        throw error(errc::closed, log.directory().path(storage::group_offsets::file_name(name_)),
                    "a process that removes this file is stopped in the middle of it; let it go on or end it");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  /// Behind commits: in durable topics they are on the device, as the topic has it. Throws what the device says.
  void acknowledge() const {
    for (const auto& [topic, used] : offsets_) {
      if (used.offsets != nullptr) used.offsets->acknowledge(used.flush_nanoseconds);  // else it could not be opened
    }
  }

 private:
  static constexpr std::chrono::seconds patience{2};

  struct used_offsets {
    std::shared_ptr<storage::group_offsets> offsets;
    std::uint64_t flush_nanoseconds = 0;  // of the topic, at the last commit
  };

  /// closed: the file of the offsets is going away. Empty: something has changed meanwhile, look again.
  std::optional<errc> try_commit(storage::topic_log& log, std::uint32_t partition, std::uint64_t offset,
                                 const std::string& metadata) {
    log.require_open();
    if (group_->is_closed()) {
      group_ = group_files::open_or_create(store_, name_);
      offsets_.clear();
    }
    auto& [offsets, flush_nanoseconds] = offsets_[log.header().id];
    flush_nanoseconds = log.context().flush_nanoseconds();
    if (offsets == nullptr || partition >= offsets->capacity()) offsets = log.open_group(name_);
    const format::owner_value owner = offsets->owner(partition);
    const bool is_owned = owner.member != 0 && group_->is_living_member(owner.member);
    if (group_->is_closed()) return std::nullopt;  // the owner may be a member of the next of this name
    if (is_owned) return errc::fenced;
    const errc failure = offsets->commit_unowned(partition, owner, offset, metadata);
    if (failure == errc::fenced) return std::nullopt;  // by a member, or one who commits like this
    if (failure == errc::closed) offsets = nullptr;
    return failure;
  }

  std::shared_ptr<storage::store_files> store_;
  std::string name_;
  std::shared_ptr<group_files> group_;
  std::map<format::unique_id, used_offsets> offsets_;  // by the topics
};

}  // namespace leat::group
