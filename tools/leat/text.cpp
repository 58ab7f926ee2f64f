#include "text.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <span>
#include <stdexcept>

#include <fmt/format.h>

namespace leat_tool {

namespace {

constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// How many bytes the UTF-8 sequence at the front has; 0: it is none.
std::size_t sequence_length(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  std::uint32_t code = 0;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
    code = first & 0x1fu;
  } else if ((first & 0xf0u) == 0xe0) {
    length = 3;
    code = first & 0x0fu;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    code = first & 0x07u;
  }
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0u) != 0x80) return 0;
    code = code << 6 | (at(i) & 0x3fu);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return overlong || surrogate || code > 0x10ffff ? 0 : length;
}

bool looks_like_number(std::string_view cell) noexcept {
  return !cell.empty() && (cell == "-" || (cell[0] >= '0' && cell[0] <= '9'));
}

/// Columns that a cell takes on a terminal, near enough: code points.
std::size_t width_of(std::string_view cell) noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(cell, [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

std::string_view as_text(leat::bytes_view bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
leat::bytes_view as_bytes(std::string_view text) noexcept { return std::as_bytes(std::span(text)); }

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string to_hex(leat::bytes_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    text += digits[static_cast<std::size_t>(b) >> 4];
    text += digits[static_cast<std::size_t>(b) & 15];
  }
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::string to_base64(leat::bytes_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(bytes.size() - i, 3);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < have ? static_cast<std::uint32_t>(bytes[i + j]) : 0);
    for (std::size_t j = 0; j < 4; ++j) text += j <= have ? base64_digits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::string_view quad = text.substr(i, 4);
    const bool last = i + 4 == text.size();
    while (last && quad.size() > 2 && quad.ends_with('=')) quad.remove_suffix(1);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const std::size_t digit = j < quad.size() ? base64_digits.find(quad[j]) : 0;
      if (digit == base64_digits.npos) return std::nullopt;
      group = group << 6 | static_cast<std::uint32_t>(digit);
    }
    for (std::size_t j = 0; j + 1 < quad.size(); ++j) bytes += static_cast<char>(group >> (16 - 8 * j) & 255);
  }
  return bytes;
}

std::string to_text(leat::timestamp time) {
  using namespace std::chrono;
  const auto second = floor<seconds>(time);
  const std::time_t since_epoch = second.time_since_epoch().count();
  std::tm utc{};
  ::gmtime_r(&since_epoch, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, (time - second).count());
}

std::string to_text(std::chrono::nanoseconds duration) {
  using namespace std::chrono;
  if (duration == leat::forever) return "unlimited";
  if (duration < 1ms) return fmt::format("{}us", duration_cast<microseconds>(duration).count());
  if (duration < 1s) return fmt::format("{}ms", duration_cast<milliseconds>(duration).count());
  if (duration < 1min) return fmt::format("{:.3g}s", static_cast<double>(duration.count()) / 1e9);
  const std::pair<nanoseconds, const char*> units[] = {{24h, "d"}, {1h, "h"}, {1min, "m"}, {1s, "s"}};
  std::string text;
  for (const auto& [unit, name] : units) {
    if (duration < unit) continue;
    text += fmt::format("{}{}{}", text.empty() ? "" : " ", duration / unit, name);
    duration %= unit;
  }
  return text;
}

std::string to_text(leat::durability durability) {
  switch (durability) {
    case leat::durability::none: return "none";
    case leat::durability::interval: return "interval";
    case leat::durability::every: return "every";
  }
  return "unknown";
}

std::string bytes_to_text(std::uint64_t bytes) {
  if (bytes == leat::unlimited) return "unlimited";
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (amount >= 1024 && unit + 1 < units.size()) {
    amount /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", amount, amount == std::floor(amount) ? 0 : 1, units[unit]);
}

std::string count_to_text(double count) {
  constexpr std::array units{"", "k", "M", "G", "T"};
  std::size_t unit = 0;
  while (std::abs(count) >= 999.95 && unit + 1 < units.size()) {
    count /= 1000;
    ++unit;
  }
  return fmt::format("{:.{}f}{}", count, count == std::floor(count) && unit == 0 ? 0 : 1, units[unit]);
}

std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      plain += text[i];
      continue;
    }
    const char kind = ++i < text.size() ? text[i] : ' ';
    switch (kind) {
      case 'n': plain += '\n'; break;
      case 't': plain += '\t'; break;
      case 'r': plain += '\r'; break;
      case '0': plain += '\0'; break;
      case '\\': plain += '\\'; break;
      case 'x': {
        const auto byte = from_hex(text.substr(std::min(i + 1, text.size()), 2));
        if (!byte || byte->empty()) throw std::invalid_argument("two hexadecimal digits behind \\x");
        plain += *byte;
        i += 2;
        break;
      }
      default: throw std::invalid_argument("\\n, \\t, \\r, \\0, \\\\ or \\xHH where there is a backslash");
    }
  }
  return plain;
}

std::string printable(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    if (length == 0 || first < 0x20 || first == 0x7f) {
      safe += fmt::format("\\x{:02x}", first);
      text.remove_prefix(1);
    } else {
      safe += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return safe;
}

std::string table::text() const {
  std::vector<std::size_t> widths(rows_[0].size());
  std::vector<bool> numbers(rows_[0].size(), rows_.size() > 1);
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    for (std::size_t c = 0; c < rows_[r].size(); ++c) {
      widths[c] = std::max(widths[c], width_of(rows_[r][c]));
      if (r > 0 && !looks_like_number(rows_[r][c])) numbers[c] = false;
    }
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string gap(widths[c] - width_of(row[c]), ' ');
      if (c > 0) line += "  ";
      line += numbers[c] ? gap + row[c] : row[c] + gap;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace leat_tool
