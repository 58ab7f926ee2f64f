// From errno to leat::error.
#pragma once

#include <leat/error.hpp>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

namespace leat::os {

inline errc classify(int number) noexcept {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EFBIG: return errc::full;
    case ENOENT:
    case ENOTDIR: return errc::not_found;
    case EEXIST: return errc::already_exists;
    case EACCES:
    case EPERM:
    case EROFS: return errc::permission_denied;
    case ENAMETOOLONG: return errc::name_invalid;
    case ELOOP:
    case EISDIR: return errc::foreign;
    case ENOSYS:
    case EOPNOTSUPP: return errc::unsupported;
    default: return errc::system;
  }
}

/// `action` completes "could not ...".
[[noreturn]] inline void throw_errno(int number, std::string path, std::string_view action) {
  throw leat::error(classify(number), std::move(path),
                    "could not " + std::string(action) + ": " + std::strerror(number));
}

}  // namespace leat::os
