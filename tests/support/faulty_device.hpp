// A device that is slow or fails when it is asked to write: msync and fsync of this program, and of its forked children, go
// through here.
//
//     leat_tests::faulty_device device;          // from here on; the real one again when the object goes
//     device.fail_msync(EIO, 2);                 // after two that succeed
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace leat_tests {

class faulty_device {
 public:
  faulty_device();
  ~faulty_device();
  faulty_device(const faulty_device&) = delete;
  faulty_device& operator=(const faulty_device&) = delete;

  /// All from the one behind `after` further ones on; as the kernel does it, which takes the pages for written. 0: none.
  void fail_msync(int error, std::uint64_t after = 0);
  void fail_fsync(int error, std::uint64_t after = 0);
  /// How long each takes at least.
  void delay(std::chrono::milliseconds time);

  std::uint64_t calls() const;  // of msync since the object was made
  unsigned most_at_once() const;
  /// Of the mapping that was written last: bytes that were dirty when it was asked for.
  std::uint64_t dirty_bytes() const;
};

}  // namespace leat_tests
