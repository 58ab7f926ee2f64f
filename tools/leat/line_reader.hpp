// Lines of a file or of standard input, as they come.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leat_tool {

class line_reader {
 public:
  /// `-` is standard input. Throws failure.
  explicit line_reader(const std::string& path);
  line_reader(const line_reader&) = delete;
  line_reader& operator=(const line_reader&) = delete;
  ~line_reader();

  /// The next line without its newline, valid until the next call; a last one may lack it. Empty at the end, and when a
  /// signal came.
  std::optional<std::string_view> next();

  /// Whether next() would have to wait, or end.
  bool is_drained() const noexcept;

  const std::string& name() const noexcept { return name_; }
  /// Of the line that next() returned last, from 1.
  std::size_t number() const noexcept { return number_; }

 private:
  bool fill();

  std::string name_;
  int file_;
  std::string buffer_;
  std::size_t at_ = 0;        // begin of the next line
  std::size_t searched_ = 0;  // no newline stands in [at_, searched_)
  std::size_t number_ = 0;
  bool ended_ = false;
};

}  // namespace leat_tool
