// What stands behind the options: sizes, durations, times, lists of partitions.
//
// Each function throws std::invalid_argument, whose text says what was expected; add_parsed() makes of it the line
// `--option "text": expected ...`.
#pragma once

#include "exit_code.hpp"

#include <leat/options.hpp>
#include <leat/types.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace leat_tool {

/// `4096`, `64K`, `64KiB` (1024), `1MB` (1000000), `2G`, `unlimited`.
std::uint64_t parse_bytes(const std::string& text);

/// `500ms`, `5s`, `1h30m`, `7d`, `unlimited` (nanoseconds::max()).
std::chrono::nanoseconds parse_duration(const std::string& text);

/// `2026-01-31`, `2026-01-31T12:00[:00[.123]][Z|+01:00]` (UTC where nothing is said), `@1769860800[.5]` (seconds since 1970),
/// `now`, or a duration before now: `-5m`.
leat::timestamp parse_time(const std::string& text);

/// `0,2,5-7`.
std::vector<std::uint32_t> parse_partitions(const std::string& text);

/// `none`, `interval`, `every`.
leat::durability parse_durability(const std::string& word);

std::uint64_t parse_count(const std::string& text);
double parse_positive(const std::string& text);

/// A regular word for a place in a topic: `earliest`, `latest`, an offset, `-N` (N before the end), or a time.
struct earliest_place {};
struct latest_place {};
struct offset_place {
  std::uint64_t offset;
};
struct before_end_place {
  std::uint64_t records;
};
struct time_place {
  leat::timestamp time;
};
using place = std::variant<earliest_place, latest_place, offset_place, before_end_place, time_place>;
place parse_place(const std::string& text);

/// An option whose text `parse` turns into `into`, a T or std::optional<T>.
template <class Into, class Parse>
CLI::Option* add_parsed(CLI::App* command, const std::string& names, Into& into, Parse parse, const std::string& what,
                        const std::string& type) {
  CLI::Option* const option = command->add_option_function<std::string>(
      names,
      [&into, parse, names](const std::string& text) {
        try {
          into = parse(text);
        } catch (const std::invalid_argument& e) {
          throw failure(exit_usage, fmt::format("{} \"{}\": expected {}", names, text, e.what()));
        }
      },
      what);
  return option->type_name(type);
}

/// An option without a value, which sets `into`; the last on the command line decides.
inline CLI::Option* add_switch(CLI::App* command, const std::string& names, bool& into, bool value,
                               const std::string& what) {
  return command->add_flag_callback(names, [&into, value] { into = value; }, what);
}

/// An argument that is known by its place; the completion goes by its name.
template <class Into>
CLI::Option* add_argument(CLI::App* command, const std::string& name, Into& into, const std::string& what) {
  return command->add_option(name, into, what)->type_name("");
}

}  // namespace leat_tool
