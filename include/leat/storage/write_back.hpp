// Flushing a small mapped file again and again: what the device has refused once is given to it again.
//
// The kernel takes refused pages for written, so that the next flush would succeed without them. Therefore every page is made
// dirty again where the flush before has failed, and with the first of each process, since another's may have. (What
// another has failed at since a file was opened the kernel tells each descriptor once, so that a flush here fails, too.)
//
// Threads    any number at once.
// Cost       the device's; and, where there is doubt, an addition of nothing for each page.
#pragma once

#include <leat/format/segment.hpp>
#include <leat/os/mapping.hpp>
#include <leat/sync/words.hpp>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

namespace leat::storage {

/// Adding nothing changes no word, whoever writes it meanwhile. `bytes`: not beyond the file's end.
inline void make_dirty(std::byte* begin, std::uint64_t bytes) noexcept {
  for (std::uint64_t at = 0; at < bytes; at += format::page_bytes) {
    sync::touch(*reinterpret_cast<std::uint64_t*>(begin + at));
  }
}

class write_back {
 public:
  /// What was written up to now is on the device when this returns. `bytes()`: of the file, asked for where there is doubt.
  /// Throws what the device said.
  template <class Bytes>
  void flush(const os::mapping& mapped, Bytes bytes, const std::string& path) const {
    // What the device refused is told to the first who looks, of all threads that share this mapping: the others would take
    // theirs for written.
    const std::lock_guard one_at_a_time(device_);
    if (std::exchange(doubt_, true)) make_dirty(mapped.data(), bytes());
    mapped.flush(path);
    doubt_ = false;
  }

 private:
  mutable std::mutex device_;
  mutable bool doubt_ = true;
};

}  // namespace leat::storage
