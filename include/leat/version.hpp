// The version of leat, as macros for the preprocessor (CMake reads them too) and as text.
#pragma once

#include <string_view>

#define LEAT_VERSION_MAJOR 0
#define LEAT_VERSION_MINOR 1
#define LEAT_VERSION_PATCH 0

#define LEAT_VERSION_QUOTE_(number) #number
#define LEAT_VERSION_TEXT_(major, minor, patch) \
  LEAT_VERSION_QUOTE_(major) "." LEAT_VERSION_QUOTE_(minor) "." LEAT_VERSION_QUOTE_(patch)

namespace leat {

/// "major.minor.patch" of these headers.
inline constexpr std::string_view version =
    LEAT_VERSION_TEXT_(LEAT_VERSION_MAJOR, LEAT_VERSION_MINOR, LEAT_VERSION_PATCH);

}  // namespace leat

#undef LEAT_VERSION_TEXT_
#undef LEAT_VERSION_QUOTE_
