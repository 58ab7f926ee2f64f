// The format of `consume --format`: directives, and text between them.
//
//     %t topic    %p partition   %o offset      %k key     %v or %s value   %h headers, as name=value,name=value
//     %T timestamp in milliseconds since 1970   %D the same as date and time, UTC, with nanoseconds
//     %K, %V or %S bytes of key and value, -1 for null     %% a percent sign     \n \t \r \0 \\ \xHH
#pragma once

#include "representation.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace leat_tool {

class record_format {
 public:
  /// Throws std::invalid_argument, which names the directive that is none.
  explicit record_format(std::string_view format);

  void append_to(std::string& text, const raw_record& record, const std::string& topic, const record_representation& as,
                 std::string_view null) const;

 private:
  /// A text, and the directive behind it; 0: none.
  struct piece {
    std::string text;
    char directive = 0;
  };
  std::vector<piece> pieces_;
};

}  // namespace leat_tool
