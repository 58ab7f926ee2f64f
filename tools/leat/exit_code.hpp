// How the tool ends: the exit codes of leat(1), and the exception that carries one with the line for standard error.
#pragma once

#include <stdexcept>
#include <string>

namespace leat_tool {

enum exit_code : int {
  exit_ok = 0,
  exit_error = 1,
  exit_usage = 2,
  exit_not_found = 3,  // the store, topic, group or file does not exist
  exit_damaged =
      4,  // verify, dump, clean or groups describe found damage, or a file that was read is damaged or missing from a log
  exit_signal = 128  // plus the number of the signal that ended it
};

/// What went wrong, in one line, and how the tool ends for it.
class failure : public std::runtime_error {
 public:
  failure(int code, const std::string& line) : std::runtime_error(line), code_(code) {}
  explicit failure(const std::string& line) : failure(exit_error, line) {}

  int code() const noexcept { return code_; }

 private:
  int code_;
};

/// Whoever reads standard output has gone away: a quiet end with success.
struct closed_pipe {};

}  // namespace leat_tool
