#include "line_parser.hpp"

#include "exit_code.hpp"
#include "parse.hpp"
#include "text.hpp"

#include <algorithm>
#include <initializer_list>

#include <fmt/ranges.h>

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

/// A misspelt field would else be taken for one that is not there, and its record for a tombstone.
void check_names(const json& object, const std::string& where, std::initializer_list<std::string_view> known) {
  for (const auto& member : object.items()) {
    if (std::ranges::find(known, member.key()) != known.end()) continue;
    throw failure(fmt::format("{}\"{}\": there is no such field, expected {}", where, member.key(),
                              fmt::join(known.begin(), known.end(), ", ")));
  }
}

/// Whether it is there and not null.
template <class Check>
bool has(const json& object, const char* name, const char* expected, Check is_expected) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return false;
  if (!is_expected(*found)) throw failure(fmt::format("{}: expected {}", name, expected));
  return true;
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
    check_names(h, "headers: ", {"name", "value"});
    auto name = json_field(h, "name");
    if (!name) throw failure("headers: expected a name in each");
    headers.push_back({std::move(*name), json_field(h, "value")});
  }
  return headers;
}

parsed_record parse_json(std::string_view line) {
  const json object = json::parse(line, nullptr, false);
  if (!object.is_object()) throw failure("expected a JSON object, as `leat consume --json` prints it");
  check_names(object, "", {"topic", "partition", "offset", "timestamp", "key", "value", "headers", "kind"});
  // What a record that was read has, too, and one that is sent gets.
  has(object, "topic", "a string", [](const json& j) { return j.is_string(); });
  has(object, "offset", "a number", [](const json& j) { return j.is_number_unsigned(); });
  has(object, "kind", R"("record", of what `leat dump` prints)", [](const json& j) { return j == "record"; });

  parsed_record record;
  record.key = json_field(object, "key");
  record.value = json_field(object, "value");
  record.headers = json_headers(object);
  if (has(object, "timestamp", "a string", [](const json& j) { return j.is_string(); })) {
    try {
      record.timestamp = parse_time(object["timestamp"].get<std::string>());
    } catch (const std::invalid_argument& e) {
      throw failure(fmt::format("timestamp: expected {}", e.what()));
    }
  }
  const auto is_partition = [](const json& j) { return j.is_number_unsigned() && j.get<std::uint64_t>() < 1024; };
  if (has(object, "partition", "a number from 0 to 1023", is_partition)) {
    record.partition = object["partition"].get<std::uint32_t>();
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
