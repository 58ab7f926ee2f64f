// A line as a record: [headers TAB] [key SEPARATOR] value; or a JSON object as `consume --json` prints it.
#pragma once

#include "representation.hpp"

#include <leat/leat.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leat_tool {

struct parsed_header {
  std::string name;
  std::optional<std::string> value;
};

/// A record to send; empty: null, or not given.
struct parsed_record {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<parsed_header> headers;
  std::optional<leat::timestamp> timestamp;
  std::optional<std::uint32_t> partition;
};

struct line_syntax {
  std::optional<std::string> key_separator;
  bool headers = false;             // in front, as name:value,name:value, then a tab
  std::optional<std::string> null;  // what stands for null
  bool from_json = false;
  record_representation as;  // what keys and values of lines are
};

/// Both throw failure, whose text says which field is wrong and what was expected; the caller says where.
parsed_record parse_line(std::string_view line, const line_syntax& syntax);
parsed_header parse_header(std::string_view text, char separator, const std::optional<std::string>& null);

}  // namespace leat_tool
