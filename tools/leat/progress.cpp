#include "progress.hpp"

#include "text.hpp"

#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace leat_tool {

namespace {

bool is_shown = false;

void show_text(std::string_view text) {
  // A display that cannot be written is no reason to stop the work.
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

progress::progress(std::string verb, bool wanted)
    : verb_(std::move(verb)), wanted_(wanted && ::isatty(STDERR_FILENO)) {}

void progress::show(std::uint64_t records, std::uint64_t bytes, const std::string& more) {
  if (!wanted_) return;
  const clock::time_point now = clock::now();
  if (now - last_ < std::chrono::milliseconds(200)) return;
  const double rate = static_cast<double>(records - last_records_) / std::chrono::duration<double>(now - last_).count();
  show_text(fmt::format("\r{} {} records, {}, {}/s{}\x1b[K", verb_, records, bytes_to_text(bytes), count_to_text(rate),
                        more));
  is_shown = true;
  last_ = now;
  last_records_ = records;
}

void progress::finish(std::uint64_t records, std::uint64_t bytes) {
  if (!wanted_) return;
  clear();
  show_text(fmt::format("{} {} records, {}, in {:.1f} s\n", verb_, records, bytes_to_text(bytes), seconds()));
}

void progress::clear() {
  if (std::exchange(is_shown, false)) show_text("\r\x1b[K");
}

}  // namespace leat_tool
