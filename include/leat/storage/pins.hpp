// Pins: who uses which segment of a topic, as locks on the bytes of the topic file.
//
// Byte `lock_byte(partition, sequence)` locked shared is a pin on that segment: its file is neither cleared nor reused.
// Locked exclusively, it is the right to a retired segment's name. Byte `writer_byte(partition)` locked exclusively is the
// right to write to a single-writer partition; `flush_byte(partition)`, to flush it for those who wait; `recovery_byte` and
// `presence_byte`, see presence.hpp. The bytes need not exist in the file.
//
// The locks belong to the open file description, so one descriptor for each process and topic serves all of them. Since
// locks of one description do not conflict, this account decides within the process.
//
// Threads    any number at once.
// Processes  any number; the kernel gives up a dead process's locks. In the child of a fork, nothing is held, and giving
//            back does nothing.
// Cost       a pin: a mutex and, for the first in this process, a system call. Never waits for another process.
#pragma once

#include <leat/os/fork.hpp>
#include <leat/os/lock_file.hpp>

#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace leat::storage {

constexpr std::uint64_t lock_byte(std::uint32_t partition, std::uint64_t sequence) noexcept {
  return std::uint64_t{partition} << 52 | sequence;
}
constexpr std::uint64_t writer_byte(std::uint32_t partition) noexcept { return std::uint64_t{1} << 62 | partition; }
constexpr std::uint64_t flush_byte(std::uint32_t partition) noexcept {
  return std::uint64_t{1} << 62 | std::uint64_t{1} << 32 | partition;
}
inline constexpr std::uint64_t recovery_byte = std::uint64_t{1} << 62 | std::uint64_t{1} << 33;
inline constexpr std::uint64_t presence_byte = recovery_byte + 1;

class pins {
 public:
  using refusal = os::lock_file::refusal;

  explicit pins(os::file f) : locks_(std::move(f)) {}

  /// In the child of the process that made it. Then the mutex may be held for ever, by a thread that the child does not have.
  bool forked() const noexcept { return os::fork_generation() != generation_; }

  /// P1. False: an exclusive lock is held on it.
  bool try_pin(std::uint64_t byte) {
    require_not_forked();
    const std::lock_guard guard(mutex_);
    auto [entry, first] = held_.try_emplace(byte, 1);
    if (!first) {
      if (entry->second == exclusive) return false;
      ++entry->second;
      return true;
    }
    return take(entry, [&] { return locks_.try_shared(byte); }) == refusal::none;
  }

  /// Whether anybody but this process has a pin on it. Takes nothing.
  bool is_pinned_by_another(std::uint64_t byte) const { return locks_.is_shared_by_another(byte); }

  void unpin(std::uint64_t byte) noexcept {
    if (forked()) return;
    const std::lock_guard guard(mutex_);
    const auto entry = held_.find(byte);
    if (--entry->second == 0) give_back(entry);
  }

  /// R2. none: it is held now. Otherwise what stands against it.
  refusal try_own(std::uint64_t byte) {
    require_not_forked();
    const std::lock_guard guard(mutex_);
    auto [entry, first] = held_.try_emplace(byte, exclusive);
    if (!first) return entry->second == exclusive ? refusal::exclusive : refusal::shared;
    return take(entry, [&] { return locks_.try_exclusive(byte); });
  }

  void disown(std::uint64_t byte) noexcept {
    if (forked()) return;
    const std::lock_guard guard(mutex_);
    give_back(held_.find(byte));
  }

  /// The exclusive lock on a byte, given back with the object.
  class ownership {
   public:
    ownership() noexcept = default;
    ownership(pins& from, std::uint64_t byte) noexcept : from_(&from), byte_(byte) {}
    ownership(ownership&& other) noexcept : from_(std::exchange(other.from_, nullptr)), byte_(other.byte_) {}
    ownership& operator=(ownership&& other) noexcept {
      std::swap(from_, other.from_);
      std::swap(byte_, other.byte_);
      return *this;
    }
    ~ownership() {
      if (from_ != nullptr) from_->disown(byte_);
    }
    explicit operator bool() const noexcept { return from_ != nullptr; }

   private:
    pins* from_ = nullptr;
    std::uint64_t byte_ = 0;
  };

 private:
  static constexpr std::int64_t exclusive = -1;
  using account = std::unordered_map<std::uint64_t, std::int64_t>;

  template <class Lock>
  refusal take(account::iterator entry, Lock lock) {
    try {
      const refusal result = lock();
      if (result != refusal::none) held_.erase(entry);
      return result;
    } catch (...) {
      held_.erase(entry);
      throw;
    }
  }

  void give_back(account::iterator entry) noexcept {
    locks_.unlock(entry->first);
    held_.erase(entry);
  }

  void require_not_forked() const {
    if (forked()) throw error(errc::forked, locks_.path(), "the topic was opened before fork() and used in the child");
  }

  const std::uint32_t generation_ = os::fork_generation();
  std::mutex mutex_;
  os::lock_file locks_;
  account held_;
};

}  // namespace leat::storage
