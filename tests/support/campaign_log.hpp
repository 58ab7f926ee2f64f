// What everybody writes down in a campaign (tests/stress/campaign_test.cpp), in one log in shared memory whose order is that of
// one counter: an entry is made behind what it tells, or, where it says so, before. campaign_checker.hpp reads it.
#pragma once

#include <leat/error.hpp>

#include "support/processes.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>
#include <span>
#include <string>

#include <sys/mman.h>

namespace leat_tests::campaign {

enum class what : std::uint16_t {
  none,
  // a producer
  sent,  // it was told so: from: the number of the record; to: its offset
  // a reader, of each record
  read,  // from: the offset; to: the number; other: the producer; code: not ok where nobody wrote these bytes
  // a reader that is no member, behind the records of a poll
  polled,  // from, to
  // a member
  taken,      // from: the position
  revoked,    // from: the position; other: the longest time between two polls so far, ns
  given_up,   // behind the last commit; code: its outcome
  lost,       // other: the longest time between two polls so far, ns
  processed,  // from, to; other: the counter when the poll began
  skipped,    // from, to: retention has taken them; also of a reader that is no member
  to_commit,  // from: the offset; before it is tried
  committed,  // from: the offset; code: the outcome; other: where the attempt was written down
  late,       // other: the time between two polls, ns, where it was long
  // the one that disturbs
  killed  // before it is done
};

inline const char* name_of(what w) {
  switch (w) {
    case what::none: return "nothing";
    case what::sent: return "sent";
    case what::read: return "read";
    case what::polled: return "polled";
    case what::taken: return "taken";
    case what::revoked: return "revoked";
    case what::given_up: return "given up";
    case what::lost: return "lost";
    case what::processed: return "processed";
    case what::skipped: return "skipped";
    case what::to_commit: return "to commit";
    case what::committed: return "committed";
    case what::late: return "late";
    case what::killed: return "killed";
  }
  return "?";
}

/// A life of a process: each that is started has a number of its own.
using life = std::uint32_t;
inline constexpr life supervisor = 0;

struct entry {
  what kind = what::none;  // set last: an entry whose writer was killed at it is none
  std::uint16_t code = 0;
  campaign::life life = supervisor;
  std::uint32_t partition = 0;
  std::uint32_t epoch = 0;  // of a member's tenure; 0: it was fenced before it could write it down, or is no member
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::uint64_t other = 0;
  std::uint64_t time = 0;  // ns
};
static_assert(sizeof(entry) == 48);

/// "#17 life 4 processed partition 3 epoch 2 from 10 to 20 ..."
inline std::string text_of(const entry& e, std::uint64_t index, std::uint64_t begin) {
  return "#" + std::to_string(index) + " life " + std::to_string(e.life) + " " + name_of(e.kind) + " partition " +
         std::to_string(e.partition) + " epoch " + std::to_string(e.epoch) + " from " + std::to_string(e.from) +
         " to " + std::to_string(e.to) + " other " + std::to_string(e.other) + " code " + std::to_string(e.code) +
         " at " + std::to_string((e.time - begin) / 1000) + " us";
}

inline std::uint64_t now() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

inline constexpr std::uint64_t most_entries = 6'000'000;
inline constexpr std::uint32_t most_lives = 20'000;

/// Lies in shared<>, as what it points to does: the entries that are not written take no memory.
class book {
 public:
  counter length;
  counter lives;                  // numbers given
  counter last_poll[most_lives];  // of a member's life: when it began, ns

  book()
      : entries_(static_cast<entry*>(::mmap(nullptr, most_entries * sizeof(entry), PROT_READ | PROT_WRITE,
                                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    if (entries_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~book() { ::munmap(entries_, most_entries * sizeof(entry)); }
  book(const book&) = delete;
  book& operator=(const book&) = delete;

  /// What was written down. All of it is there when everybody else has ended.
  std::span<const entry> entries() const noexcept {
    return {entries_, static_cast<std::size_t>(std::min<std::uint64_t>(length, most_entries))};
  }
  std::uint64_t begun() const noexcept { return entries_[0].time; }

  /// Writes down all of these, one behind the other. Where the first is.
  std::uint64_t note(std::span<const entry> made) {
    const std::uint64_t index = length.fetch_add(made.size());
    expect(index + made.size() <= most_entries, "the log is full");
    const std::uint64_t time = now();
    for (std::size_t i = 0; i < made.size(); ++i) {
      entry half = made[i];
      half.kind = what::none;
      half.time = time;
      entries_[index + i] = half;
      std::atomic_ref(entries_[index + i].kind).store(made[i].kind);
    }
    return index;
  }
  std::uint64_t note(const entry& e) { return note(std::span(&e, 1)); }

  campaign::life begin_life() {
    const auto number = static_cast<campaign::life>(++lives);
    expect(number < most_lives, "too many lives");
    return number;
  }

 private:
  entry* entries_;
};

}  // namespace leat_tests::campaign
