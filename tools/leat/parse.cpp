#include "parse.hpp"

#include <charconv>
#include <cmath>
#include <ctime>
#include <limits>
#include <optional>

namespace leat_tool {

namespace {

using std::chrono::nanoseconds;

[[noreturn]] void expected(const std::string& what) { throw std::invalid_argument(what); }

/// The unsigned number at the front, which is taken away; empty where there is none.
template <class Number>
std::optional<Number> take_number(std::string_view& text) {
  Number number{};
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

/// Exactly `digits` digits.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int number = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

/// `.123456789` as nanoseconds; 0 where there is no point, empty where there are no digits behind it.
std::optional<nanoseconds> take_fraction(std::string_view& text) {
  if (!take(text, '.') && !take(text, ',')) return nanoseconds(0);
  std::int64_t value = 0;
  std::int64_t unit = 1'000'000'000;
  std::size_t digits = 0;
  for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), ++digits) {
    if (unit == 1) continue;  // finer than nanoseconds
    unit /= 10;
    value += (text[0] - '0') * unit;
  }
  if (digits == 0) return std::nullopt;
  return nanoseconds(value);
}

constexpr const char* times =
    "a time: 2026-01-31, 2026-01-31T12:00:00.5Z (or +01:00), @SECONDS since 1970, now, or -5m for five minutes ago";

std::optional<leat::timestamp> parse_calendar(std::string_view text) {
  using namespace std::chrono;
  const auto y = take_digits(text, 4);
  if (!y || !take(text, '-')) return std::nullopt;
  const auto mon = take_digits(text, 2);
  if (!mon || !take(text, '-')) return std::nullopt;
  const auto d = take_digits(text, 2);
  if (!d) return std::nullopt;
  const year_month_day day{year(*y), month(static_cast<unsigned>(*mon)), std::chrono::day(static_cast<unsigned>(*d))};
  // Nanoseconds since 1970 in 64 bits reach from 1678 to 2261.
  if (!day.ok() || *y < 1678 || *y > 2261) return std::nullopt;
  leat::timestamp time{sys_days(day)};
  if (text.empty()) return time;

  if (!take(text, 'T') && !take(text, ' ')) return std::nullopt;
  const auto h = take_digits(text, 2);
  if (!h || *h > 23 || !take(text, ':')) return std::nullopt;
  const auto min = take_digits(text, 2);
  if (!min || *min > 59) return std::nullopt;
  time += hours(*h) + minutes(*min);
  if (take(text, ':')) {
    const auto s = take_digits(text, 2);
    const auto fraction = s ? take_fraction(text) : std::nullopt;
    if (!s || *s > 60 || !fraction) return std::nullopt;
    time += seconds(*s) + *fraction;
  }
  if (text.empty() || text == "Z") return time;

  const int sign = text[0] == '-' ? -1 : 1;
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto zone_hours = take_digits(text, 2);
  take(text, ':');
  const auto zone_minutes = take_digits(text, 2);
  if (!zone_hours || !zone_minutes || *zone_minutes > 59 || !text.empty()) return std::nullopt;
  return time - sign * (hours(*zone_hours) + minutes(*zone_minutes));
}

std::optional<nanoseconds> try_duration(std::string_view text) {
  struct unit {
    std::string_view name;
    double nanoseconds;
  };
  constexpr unit units[] = {{"ns", 1},   {"us", 1e3},   {"ms", 1e6},   {"s", 1e9},
                            {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
  if (text.empty()) return std::nullopt;
  double sum = 0;
  while (!text.empty()) {
    const auto amount = take_number<double>(text);
    if (!amount) return std::nullopt;
    const std::string_view name = text.substr(0, text.find_first_of("0123456789."));
    const unit* found = nullptr;
    for (const unit& u : units) {
      if (u.name == name) found = &u;
    }
    if (found == nullptr) return std::nullopt;
    sum += *amount * found->nanoseconds;
    text.remove_prefix(name.size());
  }
  if (!(sum < 9.2e18)) return std::nullopt;
  return nanoseconds(static_cast<std::int64_t>(std::llround(sum)));
}

leat::timestamp now() { return std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now()); }

std::optional<leat::timestamp> try_time(std::string_view text) {
  if (text == "now") return now();
  if (text.starts_with('@')) {
    text.remove_prefix(1);
    const auto seconds = take_number<std::int64_t>(text);
    const auto fraction = take_fraction(text);
    if (!seconds || !fraction || !text.empty() || *seconds > 9'000'000'000) return std::nullopt;
    return leat::timestamp(std::chrono::seconds(*seconds) + *fraction);
  }
  if (text.starts_with('-')) {
    const auto ago = try_duration(text.substr(1));
    if (!ago) return std::nullopt;
    return now() - *ago;
  }
  return parse_calendar(text);
}

}  // namespace

std::uint64_t parse_bytes(const std::string& text) {
  constexpr const char* what = "a size in bytes, as 4096, 64KiB, 16M (1024), 1GB (1000) or unlimited";
  if (text == "unlimited") return leat::unlimited;
  struct unit {
    std::string_view name;
    std::uint64_t bytes;
  };
  constexpr unit units[] = {{"", 1},          {"B", 1},           {"K", 1 << 10},    {"KiB", 1 << 10},   {"kB", 1000},
                            {"KB", 1000},     {"M", 1 << 20},     {"MiB", 1 << 20},  {"MB", 1000000},    {"G", 1 << 30},
                            {"GiB", 1 << 30}, {"GB", 1000000000}, {"T", 1ull << 40}, {"TiB", 1ull << 40}};
  std::string_view rest = text;
  const auto amount = take_number<std::uint64_t>(rest);
  if (!amount) expected(what);
  for (const unit& u : units) {
    if (rest != u.name) continue;
    if (*amount > leat::unlimited / u.bytes) expected(what);
    return *amount * u.bytes;
  }
  expected(what);
}

nanoseconds parse_duration(const std::string& text) {
  if (text == "unlimited") return nanoseconds::max();
  const auto duration = try_duration(text);
  if (!duration) expected("a duration, as 500ms, 5s, 1h30m, 7d or unlimited");
  return *duration;
}

leat::timestamp parse_time(const std::string& text) {
  const auto time = try_time(text);
  if (!time) expected(times);
  return *time;
}

std::vector<std::uint32_t> parse_partitions(const std::string& text) {
  constexpr const char* what = "partitions, as 0 or 0,2,5-7";
  std::vector<std::uint32_t> partitions;
  std::string_view rest = text;
  do {
    const auto first = take_number<std::uint32_t>(rest);
    if (!first) expected(what);
    auto last = first;
    if (take(rest, '-')) last = take_number<std::uint32_t>(rest);
    if (!last || *last < *first || *last >= 1024) expected(what);
    for (std::uint32_t p = *first; p <= *last; ++p) partitions.push_back(p);
  } while (take(rest, ','));
  if (!rest.empty()) expected(what);
  return partitions;
}

leat::durability parse_durability(const std::string& word) {
  if (word == "none") return leat::durability::none;
  if (word == "interval") return leat::durability::interval;
  if (word == "every") return leat::durability::every;
  expected("none, interval or every");
}

std::uint64_t parse_count(const std::string& text) {
  std::string_view rest = text;
  const auto number = take_number<std::uint64_t>(rest);
  if (!number || !rest.empty()) expected("a whole number");
  return *number;
}

double parse_positive(const std::string& text) {
  std::string_view rest = text;
  const auto number = take_number<double>(rest);
  if (!number || !rest.empty() || !(*number > 0)) expected("a number above 0");
  return *number;
}

place parse_place(const std::string& text) {
  if (text == "earliest") return earliest_place{};
  if (text == "latest") return latest_place{};
  std::string_view rest = text;
  const bool backwards = take(rest, '-');
  const auto number = take_number<std::uint64_t>(rest);
  if (number && rest.empty()) {
    if (backwards) return before_end_place{*number};
    return offset_place{*number};
  }
  const auto time = try_time(text);
  if (!time) expected(std::string("earliest, latest, an offset, -N for the last N records, or ") + times);
  return time_place{*time};
}

}  // namespace leat_tool
