#include "representation.hpp"

#include "text.hpp"

#include <stdexcept>

namespace leat_tool {

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

json to_json(const std::optional<leat::bytes_view>& bytes, representation as) {
  if (!bytes) return nullptr;
  if (as == representation::hex) return {{"hex", to_hex(*bytes)}};
  if (as == representation::text && is_utf8(as_text(*bytes))) return as_text(*bytes);
  return {{"base64", to_base64(*bytes)}};
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

json to_json(const raw_record& record, const std::string& topic, const record_representation& as) {
  json headers = json::array();
  for (const leat::header& h : record.headers()) {
    headers.push_back(
        {{"name", to_json(as_bytes(h.name), representation::text)}, {"value", to_json(h.value, representation::text)}});
  }
  return {{"topic", topic},
          {"partition", record.partition()},
          {"offset", record.offset()},
          {"timestamp", to_text(record.timestamp())},
          {"key", to_json(record.key_bytes(), as.key)},
          {"value", to_json(record.value_bytes(), as.value)},
          {"headers", std::move(headers)}};
}

}  // namespace leat_tool
