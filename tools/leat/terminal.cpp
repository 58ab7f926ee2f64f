#include "terminal.hpp"

#include "exit_code.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace leat_tool {

namespace {

constexpr int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

volatile std::sig_atomic_t came_end = 0;
volatile std::sig_atomic_t came_stop = 0;
volatile std::sig_atomic_t came_change = 0;

void note(int number) {
  switch (number) {
    case SIGTSTP: came_stop = 1; break;
    case SIGCONT:
    case SIGWINCH: came_change = 1; break;
    default: came_end = number;
  }
}

sigset_t noted_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : ending) ::sigaddset(&set, number);
  for (const int number : {SIGTSTP, SIGCONT, SIGWINCH}) ::sigaddset(&set, number);
  return set;
}

void send(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) return;  // the terminal has gone; SIGHUP says so
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  ::sigaction(number, &action, nullptr);
}

}  // namespace

terminal::terminal() {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0 || ::tcgetattr(STDIN_FILENO, &before_) != 0) {
    throw failure("top: standard input and output are no terminal; --plain prints instead");
  }
  const sigset_t watched = noted_signals();
  ::sigprocmask(SIG_BLOCK, &watched, &mask_before_);
  for (int number = 1; number < NSIG; ++number) {
    if (::sigismember(&watched, number) == 1) handle(number, note);
  }
  enter();
}

terminal::~terminal() {
  leave();
  const sigset_t watched = noted_signals();
  for (int number = 1; number < NSIG; ++number) {
    if (::sigismember(&watched, number) == 1) handle(number, SIG_DFL);
  }
  ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

void terminal::draw(const std::string& text) {
  // Line by line over what was there: a screen that is cleared first flickers.
  std::string screen = "\x1b[H";
  std::string_view rest = text;
  for (std::size_t row = 0; row < rows_ && !rest.empty(); ++row) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    std::size_t columns = 0;
    std::size_t bytes = 0;
    while (bytes < line.size()) {
      if ((line[bytes] & 0xc0) != 0x80 && columns++ == columns_) break;
      ++bytes;
    }
    if (row > 0) screen += "\r\n";
    screen += line.substr(0, bytes);
    screen += "\x1b[K";
  }
  screen += "\x1b[J";
  send(screen);
}

terminal::event terminal::wait(std::chrono::nanoseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left = std::max(deadline - std::chrono::steady_clock::now(), std::chrono::steady_clock::duration(0));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    const timespec until{seconds.count(), static_cast<long>(std::chrono::nanoseconds(left - seconds).count())};
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int ready = ::ppoll(&input, 1, &until, &mask_before_);  // here signals come, and nowhere else
    if (came_end != 0) {
      signal_ = came_end;
      return event::ended;
    }
    if (came_stop != 0) {
      came_stop = 0;
      stop();
      return event::resized;
    }
    if (came_change != 0) {
      came_change = 0;
      enter();  // whoever had the terminal meanwhile may have changed it
      return event::resized;
    }
    if (ready == 0) return event::timeout;
    if (ready < 0) continue;
    const ssize_t count = ::read(STDIN_FILENO, &key_, 1);
    if (count == 1) return event::key;
    if (count == 0 || (errno != EINTR && errno != EAGAIN)) {  // the terminal has gone
      signal_ = SIGHUP;
      return event::ended;
    }
  }
}

/// The other screen, without a cursor; keys come at once and are not shown.
void terminal::enter() {
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  send("\x1b[?1049h\x1b[?25l\x1b[2J");
  measure();
}

void terminal::leave() noexcept {
  send("\x1b[?25h\x1b[?1049l");
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
}

void terminal::measure() noexcept {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return;
  rows_ = size.ws_row;
  columns_ = size.ws_col;
}

/// Ctrl-Z: the shell gets its terminal back, and later gives it to us again.
void terminal::stop() {
  leave();
  handle(SIGTSTP, SIG_DFL);
  sigset_t only;
  ::sigemptyset(&only);
  ::sigaddset(&only, SIGTSTP);
  ::raise(SIGTSTP);
  ::sigprocmask(SIG_UNBLOCK, &only, nullptr);  // stopped here, until SIGCONT
  ::sigprocmask(SIG_BLOCK, &only, nullptr);
  handle(SIGTSTP, note);
  enter();
}

}  // namespace leat_tool
