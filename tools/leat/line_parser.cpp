#include "line_parser.hpp"

#include "exit_code.hpp"
#include "parse.hpp"
#include "text.hpp"

#include <algorithm>

namespace leat_tool {

namespace {

constexpr char headers_end = '\t';

std::optional<std::string> field(std::string_view text, const char* name, representation as,
                                 const std::optional<std::string>& null) {
  if (null && text == *null) return std::nullopt;
  try {
    return bytes_of(text, as);
  } catch (const std::invalid_argument& e) {
    throw failure(fmt::format("{}: expected {}", name, e.what()));
  }
}

std::optional<std::string> json_field(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::nullopt;
  try {
    return bytes_of(*found);
  } catch (const std::invalid_argument& e) {
    throw failure(fmt::format("{}: expected {}", name, e.what()));
  }
}

std::vector<parsed_header> json_headers(const json& object) {
  std::vector<parsed_header> headers;
  const auto found = object.find("headers");
  if (found == object.end()) return headers;
  if (!found->is_array()) throw failure("headers: expected an array");
  for (const json& h : *found) {
    if (!h.is_object()) throw failure(R"(headers: expected objects, as {"name": "trace", "value": "7f3a"})");
    auto name = json_field(h, "name");
    if (!name) throw failure("headers: expected a name in each");
    headers.push_back({std::move(*name), json_field(h, "value")});
  }
  return headers;
}

parsed_record parse_json(std::string_view line) {
  const json object = json::parse(line, nullptr, false);
  if (!object.is_object()) throw failure("expected a JSON object, as `leat consume --json` prints it");
  parsed_record record;
  record.key = json_field(object, "key");
  record.value = json_field(object, "value");
  record.headers = json_headers(object);
  if (const auto time = object.find("timestamp"); time != object.end() && !time->is_null()) {
    if (!time->is_string()) throw failure("timestamp: expected a string");
    try {
      record.timestamp = parse_time(time->get<std::string>());
    } catch (const std::invalid_argument& e) {
      throw failure(fmt::format("timestamp: expected {}", e.what()));
    }
  }
  if (const auto partition = object.find("partition"); partition != object.end() && !partition->is_null()) {
    if (!partition->is_number_unsigned() || partition->get<std::uint64_t>() >= 1024) {
      throw failure("partition: expected a number from 0 to 1023");
    }
    record.partition = partition->get<std::uint32_t>();
  }
  return record;
}

}  // namespace

parsed_header parse_header(std::string_view text, char separator, const std::optional<std::string>& null) {
  const std::size_t at = text.find(separator);
  if (at == text.npos) throw failure(fmt::format("header \"{}\": expected name{}value", text, separator));
  const std::string_view value = text.substr(at + 1);
  if (null && value == *null) return {std::string(text.substr(0, at)), std::nullopt};
  return {std::string(text.substr(0, at)), std::string(value)};
}

parsed_record parse_line(std::string_view line, const line_syntax& syntax) {
  if (syntax.from_json) return parse_json(line);
  parsed_record record;
  if (syntax.headers) {
    const std::size_t end = line.find(headers_end);
    if (end == line.npos) throw failure("headers: expected them in front, as name:value,name:value, and a tab behind");
    std::string_view list = line.substr(0, end);
    while (!list.empty()) {
      const std::size_t comma = std::min(list.find(','), list.size());
      record.headers.push_back(parse_header(list.substr(0, comma), ':', syntax.null));
      list.remove_prefix(std::min(comma + 1, list.size()));
    }
    line.remove_prefix(end + 1);
  }
  if (syntax.key_separator) {
    const std::size_t end = line.find(*syntax.key_separator);
    if (end == line.npos) throw failure(fmt::format("key: expected it in front of a \"{}\"", *syntax.key_separator));
    record.key = field(line.substr(0, end), "key", syntax.as.key, syntax.null);
    line.remove_prefix(end + syntax.key_separator->size());
  }
  record.value = field(line, "value", syntax.as.value, syntax.null);
  return record;
}

}  // namespace leat_tool
