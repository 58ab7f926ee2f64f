// Bytes, numbers and times as text, and back.
#pragma once

#include <leat/options.hpp>
#include <leat/types.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leat_tool {

std::string_view as_text(leat::bytes_view bytes) noexcept;
leat::bytes_view as_bytes(std::string_view text) noexcept;

bool is_utf8(std::string_view text) noexcept;

std::string to_hex(leat::bytes_view bytes);
std::string to_base64(leat::bytes_view bytes);
/// Empty where the text is not what the other direction writes (upper and lower case hexadecimal digits both will do).
std::optional<std::string> from_hex(std::string_view text);
std::optional<std::string> from_base64(std::string_view text);

/// `2026-01-31T12:00:00.123456789Z`: nothing is lost.
std::string to_text(leat::timestamp time);
/// `7d 12h`, `1.5s`, `unlimited`.
std::string to_text(std::chrono::nanoseconds duration);
/// `none`, `interval`, `every`.
std::string to_text(leat::durability durability);
/// `1.5 MiB`, `unlimited`.
std::string bytes_to_text(std::uint64_t bytes);
/// `950`, `12.3k`, `4.5M`: for rates and counts that change while one looks.
std::string count_to_text(double count);

/// `\n`, `\t`, `\r`, `\0`, `\\` and `\xHH` become what they stand for. Throws std::invalid_argument for others.
std::string unescape(std::string_view text);

/// Text for a person: control characters and what is not UTF-8 as `\xHH`.
std::string printable(std::string_view text);

/// A table with aligned columns; the first row is its head.
class table {
 public:
  explicit table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// Columns of numbers are aligned to the right.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace leat_tool
