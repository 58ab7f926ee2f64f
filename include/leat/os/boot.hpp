// The boot: what tells a process that the machine was started anew since something was written.
#pragma once

#include <array>
#include <cstdint>

#include <fcntl.h>
#include <unistd.h>

namespace leat::os {

using boot_id = std::array<std::uint8_t, 16>;

/// The kernel's random number of this boot; the same in all processes and containers of a machine. Where it cannot be read,
/// one that is always the same: every boot is then taken for the first.
inline const boot_id& current_boot() noexcept {
  static const boot_id id = [] {
    boot_id digits{};
    const int descriptor = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return boot_id{1};
    char text[36];  // 01234567-89ab-...
    const bool whole = ::read(descriptor, text, sizeof text) == sizeof text;
    ::close(descriptor);
    if (!whole) return boot_id{1};
    unsigned count = 0;
    for (const char c : text) {
      if (c == '-' || count == 2 * digits.size()) continue;
      const unsigned value = static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10) & 15U;
      digits[count / 2] = static_cast<std::uint8_t>(digits[count / 2] << 4 | value);
      ++count;
    }
    return digits;
  }();
  return id;
}

}  // namespace leat::os
