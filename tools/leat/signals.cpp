#include "signals.hpp"

#include "exit_code.hpp"

#include <algorithm>
#include <csignal>
#include <ctime>

namespace leat_tool {

namespace {

volatile std::sig_atomic_t noted = 0;

}  // namespace

void note_signals() {
  struct sigaction action{};
  action.sa_handler = [](int number) { noted = number; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before{};
    ::sigaction(number, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;  // nohup, or a shell's job in the background
    ::sigaction(number, &action, nullptr);
  }
}

int signal_noted() noexcept { return noted; }

int exit_code_now() noexcept { return noted == 0 ? exit_ok : exit_signal + noted; }

void pause_for(std::chrono::nanoseconds duration) {
  // In slices: a signal that comes between the look and the sleep costs one of them at most.
  constexpr std::chrono::nanoseconds slice = std::chrono::milliseconds(50);
  while (duration.count() > 0 && noted == 0) {
    const auto now = std::min(duration, slice);
    const timespec time{0, static_cast<long>(now.count())};
    ::nanosleep(&time, nullptr);
    duration -= now;
  }
}

}  // namespace leat_tool
