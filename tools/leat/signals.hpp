// Being asked to stop. SIGINT, SIGTERM and SIGHUP are noted, and whoever works in a loop looks at the note; a second one of
// the same kind ends the process as if nothing had been arranged.
#pragma once

#include <chrono>

namespace leat_tool {

/// From now on signals are noted. System calls that wait end with EINTR.
void note_signals();

/// The signal that came; 0: none.
int signal_noted() noexcept;

/// The exit code of a command that was working until now: 0, or 128 plus the signal.
int exit_code_now() noexcept;

/// Waits, or returns early when a signal came.
void pause_for(std::chrono::nanoseconds duration);

}  // namespace leat_tool
