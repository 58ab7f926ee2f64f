#include "output.hpp"

#include "exit_code.hpp"
#include "progress.hpp"
#include "text.hpp"

#include <cerrno>
#include <cstring>

#include <poll.h>
#include <unistd.h>

namespace leat_tool {

void output::line(const json& object) {
  write(object.dump(-1, ' ', false, json::error_handler_t::replace));
  write("\n");
}

void output::document(const json& object) {
  write(object.dump(2, ' ', false, json::error_handler_t::replace));
  write("\n");
}

void output::flush() {
  std::string_view rest = kept_;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd room{STDOUT_FILENO, POLLOUT, 0};
      ::poll(&room, 1, -1);
    } else if (errno != EINTR) {
      const int reason = errno;
      kept_.clear();
      if (reason == EPIPE) throw closed_pipe();
      throw failure(fmt::format("standard output: {}", std::strerror(reason)));
    }
  }
  kept_.clear();
}

void output::check() const {
  pollfd reader{STDOUT_FILENO, 0, 0};
  if (::poll(&reader, 1, 0) == 1 && (reader.revents & POLLERR) != 0) throw closed_pipe();
}

output& out() {
  static output instance;
  return instance;
}

void complain(std::string_view line) {
  progress::clear();
  const std::string text = fmt::format("leat: {}\n", printable(line));
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace leat_tool
