// An event: a descriptor that is readable while it is set. See eventfd(2).
//
// Threads    any number.
#pragma once

#include <leat/os/errors.hpp>

#include <cerrno>
#include <cstdint>

#include <sys/eventfd.h>
#include <unistd.h>

namespace leat::os {

class event {
 public:
  event() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (descriptor_ < 0) throw_errno(errno, "eventfd", "make an event");
  }
  ~event() { ::close(descriptor_); }
  event(const event&) = delete;
  event& operator=(const event&) = delete;

  int descriptor() const noexcept { return descriptor_; }

  /// Also tells those who wait for an edge, where it was set before. (Full after 2^64 - 2 times, and then set all the same.)
  void set() const noexcept {
    const std::uint64_t one = 1;
    (void)!::write(descriptor_, &one, sizeof one);
  }
  void clear() const noexcept {
    std::uint64_t count = 0;
    (void)!::read(descriptor_, &count, sizeof count);
  }

 private:
  int descriptor_;
};

}  // namespace leat::os
