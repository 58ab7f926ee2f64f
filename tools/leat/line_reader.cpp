#include "line_reader.hpp"

#include "exit_code.hpp"
#include "signals.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

namespace leat_tool {

line_reader::line_reader(const std::string& path)
    : name_(path == "-" ? "standard input" : path),
      file_(path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (file_ >= 0) return;
  const int reason = errno;
  throw failure(reason == ENOENT ? exit_not_found : exit_error, fmt::format("{}: {}", path, std::strerror(reason)));
}

line_reader::~line_reader() {
  if (file_ != STDIN_FILENO) ::close(file_);
}

std::optional<std::string_view> line_reader::next() {
  for (;;) {
    const std::size_t newline = buffer_.find('\n', searched_);
    if (newline != buffer_.npos) {
      const std::string_view line = std::string_view(buffer_).substr(at_, newline - at_);
      at_ = searched_ = newline + 1;
      ++number_;
      return line;
    }
    searched_ = buffer_.size();
    if (fill()) continue;
    if (signal_noted() != 0 || at_ == buffer_.size()) return std::nullopt;
    const std::string_view line = std::string_view(buffer_).substr(at_);
    at_ = searched_ = buffer_.size();
    ++number_;
    return line;
  }
}

bool line_reader::is_drained() const noexcept { return buffer_.find('\n', searched_) == buffer_.npos; }

/// False at the end, and when a signal came.
bool line_reader::fill() {
  if (ended_) return false;
  buffer_.erase(0, at_);
  searched_ -= at_;
  at_ = 0;
  constexpr std::size_t piece = 1 << 16;
  const std::size_t had = buffer_.size();
  for (;;) {
    if (signal_noted() != 0) return false;
    // With an upper bound: a signal may come between the look above and the wait.
    pollfd input{file_, POLLIN, 0};
    const int ready = ::poll(&input, 1, 100);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    buffer_.resize(had + piece);
    const ssize_t count = ::read(file_, buffer_.data() + had, piece);
    const int reason = errno;
    buffer_.resize(had + static_cast<std::size_t>(count < 0 ? 0 : count));
    if (count > 0) return true;
    if (count == 0) {
      ended_ = true;
      return false;
    }
    if (reason != EINTR && reason != EAGAIN) {
      throw failure(fmt::format("{}: {}", name_, std::strerror(reason)));
    }
  }
}

}  // namespace leat_tool
