// Standard output and standard error.
//
// Output is kept back until flush(), which is called before the tool waits for anything; so what is followed comes line by
// line and what is plentiful comes in large pieces. When nobody reads any more, closed_pipe is thrown.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace leat_tool {

using json = nlohmann::ordered_json;

class output {
 public:
  void write(std::string_view text) {
    kept_ += text;
    if (kept_.size() >= most_kept) flush();
  }
  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    write(fmt::format(format, std::forward<Args>(args)...));
  }
  /// One object of a stream, on a line of its own.
  void line(const json& object);
  /// The whole answer of a command.
  void document(const json& object);

  void flush();
  /// Throws closed_pipe where nobody reads any more: for a tool that waits and has nothing to write.
  void check() const;

 private:
  static constexpr std::size_t most_kept = 1 << 16;
  std::string kept_;
};

/// Standard output of this process.
output& out();

/// `leat: ...` on standard error, behind whatever a progress display has there.
void complain(std::string_view line);

}  // namespace leat_tool
