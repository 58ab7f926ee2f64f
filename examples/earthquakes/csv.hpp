// CSV files with quoted fields.
#pragma once

#include <charconv>
#include <cstddef>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace seismic {

/// The fields of a line of CSV; those in quotes may have commas and doubled quotes.
inline std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  if (quoted) throw std::runtime_error("a quote is not closed: " + line);
  return fields;
}

template <class Number>
Number number(const std::string& field) {
  Number value{};
  const char* const end = field.data() + field.size();
  if (std::from_chars(field.data(), end, value).ptr == end && !field.empty()) return value;
  throw std::runtime_error("expected a number, not '" + field + "'");
}

/// Calls `row` with the fields of each line but the first.
template <class Row>
void read_csv(const std::string& path, std::size_t columns, Row row) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) throw std::runtime_error("cannot read " + path);
  for (int at = 2; std::getline(file, line); ++at) {
    const std::vector<std::string> fields = fields_of(line);
    if (fields.size() != columns) throw std::runtime_error(path + ", line " + std::to_string(at) + ": other columns");
    row(fields);
  }
}

}  // namespace seismic
