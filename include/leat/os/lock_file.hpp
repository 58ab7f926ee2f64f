// Locks on the bytes of a file, held by an open file description (F_OFD_SETLK): shared or exclusive, never waiting.
//
// Threads    none at once; the owner guards it.
// Processes  the kernel drops a dead process's locks. The locks of one description never conflict with each other, so
//            the owner keeps its own account of what it holds.
// Fork       a child inherits the description, and the locks would live as long as the child. So the child closes its
//            copy at once, and the locks stay the parent's alone.
#pragma once

#include <leat/os/file.hpp>

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include <pthread.h>

namespace leat::os {

class lock_file {
 public:
  enum class refusal { none, shared, exclusive };

  explicit lock_file(file f) : file_(std::move(f)) { open_files().add(this); }
  ~lock_file() { open_files().remove(this); }
  lock_file(const lock_file&) = delete;
  lock_file& operator=(const lock_file&) = delete;

  /// none: the lock is held now. Otherwise what another holds.
  refusal try_shared(std::uint64_t byte) { return try_lock(byte, F_RDLCK); }
  refusal try_exclusive(std::uint64_t byte) { return try_lock(byte, F_WRLCK); }

  /// Whether another open file description has an exclusive lock on it. Takes nothing.
  bool is_locked_by_another(std::uint64_t byte) const {
    struct flock lock = on(byte, F_RDLCK);
    if (::fcntl(file_.descriptor(), F_OFD_GETLK, &lock) != 0) throw_errno(errno, file_.path(), "look at a lock");
    return lock.l_type == F_WRLCK;
  }

  /// Likewise a shared one.
  bool is_shared_by_another(std::uint64_t byte) const {
    struct flock lock = on(byte, F_WRLCK);
    if (::fcntl(file_.descriptor(), F_OFD_GETLK, &lock) != 0) throw_errno(errno, file_.path(), "look at a lock");
    return lock.l_type == F_RDLCK;
  }

  void unlock(std::uint64_t byte) noexcept {
    struct flock lock = on(byte, F_UNLCK);
    ::fcntl(file_.descriptor(), F_OFD_SETLK, &lock);
  }

  const std::string& path() const noexcept { return file_.path(); }

 private:
  static struct flock on(std::uint64_t byte, int type) noexcept {
    struct flock lock{};
    lock.l_type = static_cast<short>(type);
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(byte);
    lock.l_len = 1;
    return lock;
  }

  refusal try_lock(std::uint64_t byte, int type) {
    struct flock lock = on(byte, type);
    if (::fcntl(file_.descriptor(), F_OFD_SETLK, &lock) == 0) return refusal::none;
    if (errno != EAGAIN && errno != EACCES) throw_errno(errno, file_.path(), "lock a byte");
    lock = on(byte, type);
    if (::fcntl(file_.descriptor(), F_OFD_GETLK, &lock) != 0) throw_errno(errno, file_.path(), "look at a lock");
    // Given back meanwhile: as good as a shared one, the caller tries again or gives up.
    return lock.l_type == F_WRLCK ? refusal::exclusive : refusal::shared;
  }

  class registry {
   public:
    registry() {
      ::pthread_atfork([] { open_files().mutex_.lock(); }, [] { open_files().mutex_.unlock(); },
                       [] {
                         for (lock_file* f : open_files().files_) ::close(f->file_.release());
                         open_files().files_.clear();
                         open_files().mutex_.unlock();
                       });
    }
    void add(lock_file* f) {
      const std::lock_guard guard(mutex_);
      files_.push_back(f);
    }
    void remove(lock_file* f) noexcept {
      const std::lock_guard guard(mutex_);
      std::erase(files_, f);
    }

   private:
    std::mutex mutex_;
    std::vector<lock_file*> files_;
  };
  static registry& open_files() {
    static registry& instance = *new registry;  // outlives every static handle
    return instance;
  }

  os::file file_;
};

}  // namespace leat::os
