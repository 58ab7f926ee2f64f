// Moments of a traced child's way from one mark to the next, at which it is killed or stopped.
//
//     visible_bytes files(root);
//     const way w = walk(v, files);                    // `v` is at its mark; the whole way, once
//     for (const moment& m : w.deaths()) {...}         // in another child: run_to(v, m, &files)
//
// What a death leaves is what stands in the files, and the locks and names that the kernel keeps. The former change by
// instructions that store into a shared mapping, the latter by system calls. So walk() steps through every instruction and
// compares all files of the store with what they were before: where neither a byte has changed nor a system call has been made, a
// death leaves what it would have left an instruction earlier. deaths() are all moments that differ in this.
//
// One that is stopped goes on with what it has read, so there each instruction counts: stops() are those moments, the
// instruction before each, and the entries to system calls; the caller adds others at random.
#pragma once

#include "support/processes.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace leat_tests {

/// Where a victim is interrupted: behind so many entries to and exits from system calls, then behind the so-manieth
/// instruction from there that changed a file, then so many instructions on.
struct moment {
  unsigned calls = 0;
  unsigned instructions = 0;
  unsigned changes = 0;

  std::string text() const {
    return "system call " + std::to_string(calls) + ", change " + std::to_string(changes) + " and " +
           std::to_string(instructions) + " instructions";
  }
};

/// All bytes of the files below a directory, as they are and as they were when somebody looked last. While who changes them
/// stands still.
class visible_bytes {
 public:
  explicit visible_bytes(std::string root) : root_(std::move(root)) { look_at_names(); }

  /// Files may have come, gone and got their sizes: behind each system call.
  void look_at_names() {
    std::map<key, mapped> now;
    std::error_code none;
    for (std::filesystem::recursive_directory_iterator i(root_, none), end; i != end; i.increment(none)) {
      struct stat s{};
      if (::stat(i->path().c_str(), &s) != 0 || !S_ISREG(s.st_mode) || s.st_size == 0) continue;
      const key k{s.st_ino, s.st_size};
      if (auto known = files_.extract(k); !known.empty()) {
        now.insert(std::move(known));
      } else {
        now.try_emplace(k, i->path().string(), static_cast<std::size_t>(s.st_size));
      }
    }
    files_ = std::move(now);
  }

  /// Whether any byte has changed since this was asked last.
  bool changed() {
    bool any = false;
    for (auto& [k, file] : files_) any = file.changed() || any;
    return any;
  }

 private:
  using key = std::pair<ino_t, off_t>;

  class mapped {
   public:
    mapped(const std::string& path, std::size_t bytes) {
      const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
      if (descriptor < 0) return;
      void* const at = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
      ::close(descriptor);
      if (at == MAP_FAILED) return;
      bytes_ = static_cast<const std::byte*>(at);
      copy_.assign(bytes_, bytes_ + bytes);
    }
    ~mapped() {
      if (bytes_ != nullptr) ::munmap(const_cast<std::byte*>(bytes_), copy_.size());
    }
    mapped(const mapped&) = delete;
    mapped& operator=(const mapped&) = delete;

    bool changed() {
      if (bytes_ == nullptr || std::memcmp(bytes_, copy_.data(), copy_.size()) == 0) return false;
      std::memcpy(copy_.data(), bytes_, copy_.size());
      return true;
    }

   private:
    const std::byte* bytes_ = nullptr;
    std::vector<std::byte> copy_;
  };

  const std::string root_;
  std::map<key, mapped> files_;
};

/// Runs a victim from its mark to a moment. False when it comes to the other mark before. `files`: where changes are counted.
inline bool run_to(traced_child& v, const moment& m, visible_bytes* files = nullptr) {
  using state = traced_child::state;
  for (unsigned i = 0; i < m.calls; ++i) {
    if (v.to_system_call() != state::stepping) return false;
  }
  if (m.changes != 0) {
    files->look_at_names();
    (void)files->changed();
    for (unsigned seen = 0; seen < m.changes;) {
      if (v.step() != state::stepping) return false;
      if (files->changed()) ++seen;
    }
  }
  for (unsigned i = 0; i < m.instructions; ++i) {
    if (v.step() != state::stepping) return false;
  }
  return true;
}

/// What there is between two marks.
class way {
 public:
  std::string text() const {
    return std::to_string(calls_ / 2) + " system calls, " + std::to_string(changes_.size()) + " changes, " +
           std::to_string(instructions_) + " instructions";
  }

  /// Every moment at which a death leaves something else than at the one before it. Where there are very many changes
  /// between two system calls, since something is copied or cleared word by word: the first and last, and some at random.
  std::vector<moment> deaths() const {
    std::vector<moment> all{{}};
    for (unsigned c = 2; c <= calls_; c += 2) all.push_back({c});  // behind the exits
    for (const change& c : chosen())
      all.push_back(c.is_one_of_many ? moment{c.calls, c.instruction} : moment{c.calls, 0, c.number});
    return all;
  }
  std::vector<moment> stops() const {
    std::vector<moment> all = deaths();
    for (unsigned c = 1; c <= calls_; c += 2) all.push_back({c});
    for (const change& c : chosen()) all.push_back({c.calls, c.instruction - 1});
    return all;
  }
  /// Any instruction of it.
  moment any(dice& random) const {
    const gap& g = gaps_[random.roll(gaps_.size())];
    return {g.calls, static_cast<unsigned>(random.roll(g.instructions + 1))};
  }

 private:
  struct change {
    unsigned calls;
    unsigned number;       // of those behind that call
    unsigned instruction;  // likewise
    bool is_one_of_many = false;
  };
  struct gap {
    unsigned calls;
    unsigned instructions;
  };

  std::vector<change> chosen() const {
    constexpr unsigned many = 60;
    std::map<unsigned, unsigned> of_gap;
    for (const change& c : changes_) ++of_gap[c.calls];
    dice random(80);
    std::vector<change> some;
    for (change c : changes_) {
      const unsigned all = of_gap[c.calls];
      c.is_one_of_many = all > many;
      if (all <= many || c.number <= many / 3 || c.number > all - many / 3 || random.roll(all) < many / 3)
        some.push_back(c);
    }
    return some;
  }

  friend way walk(traced_child& v, visible_bytes& files);

  unsigned calls_ = 0;
  unsigned instructions_ = 0;
  std::vector<change> changes_;
  std::vector<gap> gaps_;
};

/// Steps through the whole way, and kills the child behind it.
inline way walk(traced_child& v, visible_bytes& files) {
  using state = traced_child::state;
  way found;
  const auto begin_gap = [&] {
    found.gaps_.push_back({found.calls_, 0});
    files.look_at_names();
    (void)files.changed();
  };
  begin_gap();
#if defined(__x86_64__)
  unsigned changes = 0;
  for (;;) {
    if (v.is_about_to_call()) {
      if (v.to_system_call() != state::stepping) break;
      ++found.calls_;
      if (v.to_system_call() != state::stepping) break;
      ++found.calls_;
      changes = 0;
      begin_gap();
      continue;
    }
    if (v.step() != state::stepping) break;
    ++found.instructions_;
    const unsigned instruction = ++found.gaps_.back().instructions;
    if (files.changed()) found.changes_.push_back({found.calls_, ++changes, instruction});
  }
#else
  // Where a system call comes cannot be foreseen: so many instructions are taken to lie behind each.
  constexpr unsigned assumed = 1000;
  while (v.to_system_call() == state::stepping) {
    if (++found.calls_ % 2 == 0) begin_gap();
  }
  for (way::gap& g : found.gaps_) found.instructions_ += g.instructions = assumed;
#endif
  v.kill();
  return found;
}

/// Tests go through all moments, in random order, as long as there is time; with this set they take what they need.
inline bool takes_all_moments() { return std::getenv("LEAT_ALL_MOMENTS") != nullptr; }

template <class T>
std::vector<T> shuffled(std::vector<T> all) {
  std::shuffle(all.begin(), all.end(), std::mt19937_64(seed()));
  return all;
}
/// 0 to `count` - 1.
inline std::vector<unsigned> shuffled(unsigned count) {
  std::vector<unsigned> order(count);
  for (unsigned i = 0; i < count; ++i) order[i] = i;
  return shuffled(std::move(order));
}

/// Calls `interrupt(m)` for moments in random order: those given, and then, where `random` is, any of the way; while there is
/// time, and for a part of those given in any case.
template <class Interrupt>
void at_moments(const way& w, const std::vector<moment>& given, std::chrono::milliseconds time, Interrupt interrupt,
                dice* random = nullptr) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  const auto is_over = [&] { return std::chrono::steady_clock::now() >= deadline; };
  std::size_t done = 0;
  for (const moment& m : shuffled(given)) {
    interrupt(m);
    ++done;
    if (is_over() && done >= given.size() / (slowdown == 1 ? 6 : 60) && !takes_all_moments()) break;
  }
  std::size_t others = 0;
  for (; random != nullptr && !is_over(); ++others) interrupt(w.any(*random));
  const std::string said = std::to_string(done) + " of " + std::to_string(given.size()) + " moments, and " +
                           std::to_string(others) + " others; the way has " + w.text();
  INFO(said);
  CHECK(done + others > given.size() / 100);
  if (takes_all_moments()) WARN(said);
}

}  // namespace leat_tests
