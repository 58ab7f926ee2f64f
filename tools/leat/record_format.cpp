#include "record_format.hpp"

#include "text.hpp"

#include <chrono>
#include <stdexcept>

namespace leat_tool {

namespace {

constexpr std::string_view directives = "tpokvshTDKVS";

void append_size(std::string& text, const std::optional<leat::bytes_view>& bytes) {
  text += bytes ? std::to_string(bytes->size()) : "-1";
}

void append_headers(std::string& text, const raw_record& record, std::string_view null) {
  bool first = true;
  for (const leat::header& h : record.headers()) {
    if (!first) text += ',';
    first = false;
    text += h.name;
    text += '=';
    text += h.value ? h.text() : null;
  }
}

}  // namespace

record_format::record_format(std::string_view format) {
  std::string text;
  const auto end_text = [&](char directive) {
    pieces_.push_back({unescape(text), directive});
    text.clear();
  };
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text += format[i];
      continue;
    }
    const char directive = ++i < format.size() ? format[i] : ' ';
    if (directive == '%') {
      text += '%';
    } else if (directives.find(directive) != directives.npos) {
      end_text(directive);
    } else {
      throw std::invalid_argument("one of %t %p %o %k %v %h %T %D %K %V %% where there is a percent sign");
    }
  }
  end_text(0);
}

void record_format::append_to(std::string& text, const raw_record& record, const std::string& topic,
                              const record_representation& as, std::string_view null) const {
  const auto field = [&](const std::optional<leat::bytes_view>& bytes, representation how) {
    if (bytes) {
      append(text, *bytes, how);
    } else {
      text += null;
    }
  };
  for (const piece& p : pieces_) {
    text += p.text;
    switch (p.directive) {
      case 't': text += topic; break;
      case 'p': text += std::to_string(record.partition()); break;
      case 'o': text += std::to_string(record.offset()); break;
      case 'k': field(record.key_bytes(), as.key); break;
      case 'v':
      case 's': field(record.value_bytes(), as.value); break;
      case 'h': append_headers(text, record, null); break;
      case 'T':
        text += std::to_string(
            std::chrono::floor<std::chrono::milliseconds>(record.timestamp()).time_since_epoch().count());
        break;
      case 'D': text += to_text(record.timestamp()); break;
      case 'K': append_size(text, record.key_bytes()); break;
      case 'V':
      case 'S': append_size(text, record.value_bytes()); break;
      default: break;
    }
  }
}

}  // namespace leat_tool
