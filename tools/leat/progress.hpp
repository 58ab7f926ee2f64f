// A line on standard error that says how far the work is. Only where that is a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace leat_tool {

class progress {
 public:
  using clock = std::chrono::steady_clock;

  /// `verb`: "sent", "recorded".
  progress(std::string verb, bool wanted);
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress() { clear(); }

  /// Shows the line when it is time to.
  void show(std::uint64_t records, std::uint64_t bytes, const std::string& more = {});
  /// Shows the sum, which stays.
  void finish(std::uint64_t records, std::uint64_t bytes);

  double seconds() const { return std::chrono::duration<double>(clock::now() - begin_).count(); }

  /// Removes the line, for what else is to be written there.
  static void clear();

 private:
  std::string verb_;
  bool wanted_;
  clock::time_point begin_ = clock::now();
  clock::time_point last_ = begin_;
  std::uint64_t last_records_ = 0;
};

}  // namespace leat_tool
