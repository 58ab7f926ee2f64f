// Presence: who has a file of a store open, and with that whether the machine has died since somebody had.
//
// Everybody who has it open holds a shared lock on its `presence_byte`. Who comes in another boot than the one that the file
// bears, and finds nobody present, recovers it first. The number of the boot alone would not do: containers of one machine may
// see different ones, and what is in use must not be recovered.
//
// Processes  any number may enter at once: one recovers, the others wait for it.
// Crash      the kernel drops the locks of the dead; who dies while it recovers leaves it to the next.
// Cost       a system call.
#pragma once

#include <leat/storage/pins.hpp>

#include <chrono>
#include <string>
#include <thread>
#include <utility>

namespace leat::storage {

class presence {
 public:
  presence() noexcept = default;
  presence(presence&& other) noexcept : locks_(std::exchange(other.locks_, nullptr)) {}
  presence& operator=(presence&& other) noexcept {
    std::swap(locks_, other.locks_);
    return *this;
  }
  ~presence() {
    if (locks_ != nullptr) locks_->unpin(presence_byte);
  }

  /// `is_current()`: the file bears the number of this boot. `recover()` sees to that, with nobody else present.
  template <class IsCurrent, class Recover>
  static presence enter(pins& locks, const std::string& path, IsCurrent is_current, Recover recover) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (;;) {
      if (is_current()) {
        if (locks.try_pin(presence_byte)) {
          presence here(locks);
          if (is_current()) return here;  // otherwise it was recovered right now, by another number of the boot
        }
      } else if (locks.try_own(recovery_byte) == pins::refusal::none) {
        const pins::ownership right(locks, recovery_byte);
        if (is_current()) continue;
        switch (locks.try_own(presence_byte)) {
          case pins::refusal::none: {
            const pins::ownership alone(locks, presence_byte);
            recover();
            continue;
          }
          case pins::refusal::shared:  // it is in use, so the machine lives
            if (locks.try_pin(presence_byte)) return presence(locks);
            break;
          case pins::refusal::exclusive: break;
        }
      }
      if (std::chrono::steady_clock::now() >= deadline) {
        throw error(errc::system, path, "another process has been recovering it for a minute");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

 private:
  explicit presence(pins& locks) noexcept : locks_(&locks) {}

  pins* locks_ = nullptr;
};

}  // namespace leat::storage
