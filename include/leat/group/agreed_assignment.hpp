// What the members of a group agree on in one generation, as it stands in the group's directory.
#pragma once

#include <leat/types.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leat::group {

/// A topic on which an assignment rests. Another one of its name has another id.
struct counted_topic {
  std::string id;  // format::text_of
  std::uint32_t partitions = 0;

  bool operator==(const counted_topic&) const = default;
};

/// Who reads what in one generation.
struct agreed_assignment {
  std::map<std::string, counted_topic> topics;                       // by their names
  std::map<std::uint32_t, std::vector<topic_partition>> of_members;  // by their numbers

  /// A text of lines: "topic <partitions> <id> <name>" and "member <number> <topic> <partition>...".
  std::string text() const {
    std::string lines = "leat assignment\n";
    for (const auto& [name, t] : topics)
      lines += "topic " + std::to_string(t.partitions) + " " + t.id + " " + name + "\n";
    for (const auto& [number, partitions] : of_members) {
      lines += "member " + std::to_string(number);
      for (const topic_partition& p : partitions) lines += " " + p.topic + " " + std::to_string(p.partition);
      lines += "\n";
    }
    return lines + "end\n";
  }

  /// Empty for what text() never wrote.
  static std::optional<agreed_assignment> parse(std::string_view text) {
    agreed_assignment a;
    const auto word = [](std::string_view& line) {
      const std::size_t end = std::min(line.find(' '), line.size());
      const std::string_view first = line.substr(0, end);
      line.remove_prefix(std::min(end + 1, line.size()));
      return first;
    };
    const auto number = [](std::string_view digits, std::uint32_t& into) {
      const auto done = std::from_chars(digits.data(), digits.data() + digits.size(), into);
      return done.ec == std::errc{} && done.ptr == digits.data() + digits.size();
    };
    bool begun = false;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      if (end == text.npos) return std::nullopt;
      std::string_view line = text.substr(0, end);
      text.remove_prefix(end + 1);
      if (!begun) {
        if (line != "leat assignment") return std::nullopt;
        begun = true;
        continue;
      }
      if (line == "end") return text.empty() ? std::optional(std::move(a)) : std::nullopt;
      const std::string_view kind = word(line);
      std::uint32_t n = 0;
      if (!number(word(line), n)) return std::nullopt;
      if (kind == "topic") {
        const std::string_view id = word(line);
        if (id.empty() || line.empty()) return std::nullopt;
        a.topics[std::string(line)] = {std::string(id), n};
        continue;
      }
      if (kind != "member") return std::nullopt;
      std::vector<topic_partition>& partitions = a.of_members[n];
      while (!line.empty()) {
        topic_partition p{std::string(word(line)), 0};
        if (!number(word(line), p.partition)) return std::nullopt;
        partitions.push_back(std::move(p));
      }
    }
    return std::nullopt;
  }
};

}  // namespace leat::group
