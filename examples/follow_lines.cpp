// Lines from standard input, through the log, to another process that prints them:
//
//     tail -f /var/log/syslog | example_follow_lines
//
// Ctrl-C ends tail, and with it the input; then everything is removed.
#include <leat/leat.hpp>

#include <chrono>
#include <csignal>
#include <exception>
#include <iostream>
#include <string>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;

leat::topic<std::string> open_lines(const std::string& name) {
  return leat::store::open(name).topic<std::string>("lines");
}

void send_lines(const std::string& name) {
  leat::producer out{open_lines(name)};
  for (std::string line; std::getline(std::cin, line);) out.send(line).value();
  out.send(leat::null).value();  // the end
}

/// Prints all lines. False when one is missing: offsets have no gaps.
bool print_lines(const std::string& name) {
  leat::consumer in{open_lines(name), {.auto_offset_reset = leat::offset_reset::none}};
  in.seek({0, 0});
  for (std::uint64_t printed = 0;;) {
    for (const auto& record : in.poll(1s)) {
      if (record.offset() != printed) return false;
      if (!record.has_value()) return true;
      std::cout << record.value() << '\n';
      ++printed;
    }
    std::cout << std::flush;
  }
}

/// A process that prints; it dies with its parent.
pid_t start_printer(const std::string& name) {
  const pid_t child = ::fork();  // before anything of leat is open
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const bool complete = print_lines(name);
  std::cout << std::flush;
  ::_exit(complete ? 0 : 1);
}

}  // namespace

int main() {
  std::signal(SIGINT, SIG_IGN);
  const std::string name = "follow_lines." + std::to_string(::getpid());
  const pid_t printer = start_printer(name);
  int status = 1;
  try {
    send_lines(name);
    ::waitpid(printer, &status, 0);
  } catch (const std::exception& e) {
    std::cerr << "follow_lines: " << e.what() << '\n';
    ::kill(printer, SIGKILL);
    ::waitpid(printer, nullptr, 0);
  }
  leat::store::remove(name);
  return status == 0 ? 0 : 1;
}
