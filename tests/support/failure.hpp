// What leat::error a piece of code throws.
#pragma once

#include <leat/error.hpp>

#include <optional>
#include <string>
#include <utility>

namespace leat_tests {

template <class F>
std::optional<leat::error> failure_of(F&& f) {
  try {
    std::forward<F>(f)();
  } catch (const leat::error& e) {
    return e;
  }
  return std::nullopt;
}

/// ok when it throws none.
template <class F>
leat::errc code_of(F&& f) {
  const auto failure = failure_of(std::forward<F>(f));
  return failure ? static_cast<leat::errc>(failure->code().value()) : leat::errc::ok;
}

/// Its message; "no error" when it throws none.
template <class F>
std::string message_of(F&& f) {
  const auto failure = failure_of(std::forward<F>(f));
  return failure ? failure->what() : "no error";
}

}  // namespace leat_tests
