// The boot: what tells a process that the machine was started anew since something was written.
#pragma once

#include <array>
#include <cstdint>

#include <fcntl.h>
#include <unistd.h>

namespace leat::os {

using boot_id = std::array<std::uint8_t, 16>;

inline constexpr boot_id unknown_boot{1};

/// The kernel's random number of this boot. Containers may show their processes another; so one that differs says only that
/// the machine may have been started anew. unknown_boot where it cannot be read.
inline const boot_id& current_boot() noexcept {
  static const boot_id id = [] {
    boot_id digits{};
    const int descriptor = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return unknown_boot;
    char text[36];  // 01234567-89ab-...
    const bool whole = ::read(descriptor, text, sizeof text) == sizeof text;
    ::close(descriptor);
    if (!whole) return unknown_boot;
    unsigned count = 0;
    for (const char c : text) {
      if (c == '-' || count == 2 * digits.size()) continue;
      const int value = (c <= '9' ? c - '0' : c - 'a' + 10) & 15;
      digits[count / 2] = static_cast<std::uint8_t>((digits[count / 2] << 4 | value) & 255);
      ++count;
    }
    return digits;
  }();
  return id;
}

}  // namespace leat::os
