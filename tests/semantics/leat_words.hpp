// The scenarios' words in leat's, which are the same on both engines.
#pragma once

#include "semantics/backend.hpp"

#include <leat/error.hpp>
#include <leat/options.hpp>
#include <leat/types.hpp>

#include <chrono>
#include <cstdint>

namespace semantics {

inline leat::timestamp time(std::int64_t since_1970) { return leat::timestamp(milliseconds(since_1970)); }
inline std::int64_t since_1970(leat::timestamp t) {
  return std::chrono::floor<milliseconds>(t.time_since_epoch()).count();
}

inline outcome outcome_of(leat::errc code) {
  switch (code) {
    case leat::errc::ok: return outcome::ok;
    case leat::errc::fenced: return outcome::fenced;
    case leat::errc::out_of_range: return outcome::out_of_range;
    case leat::errc::too_large: return outcome::too_large;
    default: return outcome::other;
  }
}

inline leat::offset_reset policy(reset_policy p) {
  switch (p) {
    case reset_policy::earliest: return leat::offset_reset::earliest;
    case reset_policy::latest: return leat::offset_reset::latest;
    case reset_policy::none: break;
  }
  return leat::offset_reset::none;
}

}  // namespace semantics
