#include "representation.hpp"

#include "text.hpp"

#include <stdexcept>

namespace leat_tool {

namespace {

/// A string that is UTF-8. (By hand, as this is done for every field of every record.)
void append_json(std::string& to, std::string_view text) {
  to += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      to += '\\';
      to += c;
    } else if (c == '\n') {
      to += "\\n";
    } else if (c == '\t') {
      to += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      to += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      to += c;
    }
  }
  to += '"';
}

/// null; a string, where it is text and UTF-8; else {"base64": ...} or {"hex": ...}.
void append_json(std::string& to, const std::optional<leat::bytes_view>& bytes, representation as) {
  if (!bytes) {
    to += "null";
  } else if (as == representation::text && is_utf8(as_text(*bytes))) {
    append_json(to, as_text(*bytes));
  } else {
    const bool hex = as == representation::hex;
    to += fmt::format(R"({{"{}":"{}"}})", hex ? "hex" : "base64", hex ? to_hex(*bytes) : to_base64(*bytes));
  }
}

}  // namespace

representation parse_representation(const std::string& word) {
  if (word == "text" || word == "raw") return representation::text;
  if (word == "hex") return representation::hex;
  if (word == "base64") return representation::base64;
  throw std::invalid_argument("text, hex or base64");
}

representation choose_representation(const std::optional<representation>& asked, const std::string& type) {
  if (asked) return *asked;
  return is_text_type(type) ? representation::text : representation::hex;
}

void append(std::string& to, leat::bytes_view bytes, representation as) {
  switch (as) {
    case representation::text: to += as_text(bytes); break;
    case representation::hex: to += to_hex(bytes); break;
    case representation::base64: to += to_base64(bytes); break;
  }
}

std::string bytes_of(std::string_view text, representation as) {
  std::optional<std::string> bytes;
  switch (as) {
    case representation::text: return std::string(text);
    case representation::hex:
      bytes = from_hex(text);
      if (!bytes) throw std::invalid_argument("an even number of hexadecimal digits");
      break;
    case representation::base64:
      bytes = from_base64(text);
      if (!bytes) throw std::invalid_argument("base64, in groups of four characters");
      break;
  }
  return *bytes;
}

std::optional<std::string> bytes_of(const json& field) {
  constexpr const char* expected = R"(null, a string, {"base64": "..."} or {"hex": "..."})";
  if (field.is_null()) return std::nullopt;
  if (field.is_string()) return field.get<std::string>();
  if (!field.is_object() || field.size() != 1 || !field.begin()->is_string()) throw std::invalid_argument(expected);
  const auto& text = field.begin()->get_ref<const std::string&>();
  if (field.begin().key() == "base64") return bytes_of(text, representation::base64);
  if (field.begin().key() == "hex") return bytes_of(text, representation::hex);
  throw std::invalid_argument(expected);
}

void append_json(std::string& to, const raw_record& record, const std::string& topic, const record_representation& as) {
  to += "\"topic\":";
  append_json(to, topic);
  to += fmt::format(R"(,"partition":{},"offset":{},"timestamp":"{}","key":)", record.partition(), record.offset(),
                    to_text(record.timestamp()));
  append_json(to, record.key_bytes(), as.key);
  to += ",\"value\":";
  append_json(to, record.value_bytes(), as.value);
  to += ",\"headers\":[";
  bool first = true;
  for (const leat::header& h : record.headers()) {
    to += first ? "{\"name\":" : ",{\"name\":";
    first = false;
    append_json(to, as_bytes(h.name), representation::text);
    to += ",\"value\":";
    append_json(to, h.value, representation::text);
    to += '}';
  }
  to += ']';
}

}  // namespace leat_tool
