// The terminal as a full screen, and as it was found when the object goes, or the process is stopped or ended by a signal.
//
// SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT and SIGWINCH are blocked but for the time in wait(), so none is missed
// and none comes while the screen is drawn. One object a process.
#pragma once

#include <chrono>
#include <csignal>
#include <cstddef>
#include <string>

#include <termios.h>

namespace leat_tool {

class terminal {
 public:
  /// Throws failure where standard input and output are no terminal.
  terminal();
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;
  ~terminal();

  std::size_t rows() const noexcept { return rows_; }
  std::size_t columns() const noexcept { return columns_; }

  /// Shows this text; lines are cut at the right, and below the last row.
  void draw(const std::string& text);

  enum class event {
    timeout,
    key,
    resized,  // or came back after a stop: draw again
    ended     // by signal()
  };
  /// Waits for a key or a signal.
  event wait(std::chrono::nanoseconds timeout);

  char key() const noexcept { return key_; }
  int signal() const noexcept { return signal_; }

 private:
  void enter();
  void leave() noexcept;
  void measure() noexcept;
  void stop();

  termios before_{};
  sigset_t mask_before_{};
  std::size_t rows_ = 24;
  std::size_t columns_ = 80;
  char key_ = 0;
  int signal_ = 0;
};

}  // namespace leat_tool
