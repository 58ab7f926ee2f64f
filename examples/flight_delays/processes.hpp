// Child processes, and the signals that end a run. No process outlives its parent.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include <csignal>
#include <sys/types.h>

namespace demo {

/// Ctrl-C and the like.
struct interrupted : std::runtime_error {
  explicit interrupted(int by) : std::runtime_error("interrupted"), signal(by) {}
  int signal;
};

/// While it lives, the signals that would end this process, and those of children that end, are taken by wait().
class signal_watch {
 public:
  signal_watch();
  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;
  ~signal_watch();

  /// Returns at the end of a child, or at this time. Throws interrupted.
  void wait(std::chrono::steady_clock::time_point until) const;

  /// In a child: signals are as they were, except that Ctrl-C is for the parent, which then ends its children.
  void leave_in_child() const;

 private:
  sigset_t watched_;
  sigset_t before_;
};

/// The children. Kills them in the end.
class crew {
 public:
  explicit crew(const signal_watch& signals) : signals_(signals) {}
  crew(const crew&) = delete;
  crew& operator=(const crew&) = delete;
  ~crew();

  /// Runs `job` in a new process. What it throws is written to standard error and ends the process with 1.
  pid_t start(const std::string& name, const std::function<void()>& job);

  /// SIGKILL; returns when the process is gone. Throws std::runtime_error when it had ended before.
  void kill(pid_t child);

  /// Takes note of those that have ended. Throws std::runtime_error when one did not end well.
  void reap();

  bool empty() const noexcept { return names_.empty(); }
  bool has(pid_t child) const { return names_.contains(child); }

 private:
  const signal_watch& signals_;
  std::map<pid_t, std::string> names_;
};

}  // namespace demo
