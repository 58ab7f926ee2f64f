// How bytes are written down: keys, values and header values, in text and in JSON.
#pragma once

#include "output.hpp"
#include "store_access.hpp"

#include <leat/leat.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace leat_tool {

enum class representation { text, hex, base64 };

/// `text` (or `raw`), `hex`, `base64`. Throws std::invalid_argument for others.
representation parse_representation(const std::string& word);

/// What was asked for, or: text for strings and bytes, hexadecimal digits for other types.
representation choose_representation(const std::optional<representation>& asked, const std::string& type);

/// Appends bytes in that form.
void append(std::string& to, leat::bytes_view bytes, representation as);

/// The bytes that a text in that form stands for. Throws std::invalid_argument.
std::string bytes_of(std::string_view text, representation as);

/// The bytes of a field as append_json() writes it; empty: null. Throws std::invalid_argument.
std::optional<std::string> bytes_of(const json& field);

/// How the fields of a topic's records are shown.
struct record_representation {
  representation key = representation::text;
  representation value = representation::text;
};

/// Appends the whole record, as `consume --json` prints it and `produce --from-json` reads it: the members of an object,
/// without its braces.
void append_json(std::string& to, const raw_record& record, const std::string& topic, const record_representation& as);

}  // namespace leat_tool
