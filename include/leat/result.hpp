// result<T>: a value, or the reason why there is none.
//
// For what a running program must expect at any call, such as a full device. Ignoring one is a compiler warning; taking
// the value of one that holds an error throws leat::error.
#pragma once

#include <leat/error.hpp>

#include <concepts>
#include <source_location>
#include <string>
#include <utility>

namespace leat {

namespace detail {

/// What to look at, or to do, for codes that calls return; where the code alone does not say it.
inline const char* advise(errc code) noexcept {
  switch (code) {
    case errc::full: return "make room, or let retention keep less";
    case errc::back_pressure: return "see to the group that has not committed, or to what keeps a queue full";
    case errc::out_of_range: return "seek to an offset that the log has";
    case errc::closed: return "open it anew, or end";
    case errc::too_large: return "see topic_options::max_record_bytes; the metadata of a commit has 4096 bytes at most";
    case errc::mismatched: return "read what has come in between, and decide again";
    case errc::not_the_writer: return "a single-writer partition takes from the first to send, while that lives";
    case errc::forked: return "a child opens its own";
    case errc::fenced: return "go on polling";
    case errc::invalid_argument:
      return "a partition that is not there, a value outside its limits, or a loan that is gone";
    default: return "";
  }
}

/// `asked`: the place of the call, where it is known; nothing else is, of what failed.
[[noreturn, gnu::cold, gnu::noinline]] inline void throw_no_value(errc code,
                                                                  const std::source_location* asked = nullptr) {
  std::string where = "result";
  if (asked != nullptr) where += std::string(" at ") + asked->file_name() + ":" + std::to_string(asked->line());
  const std::string advice = advise(code);
  throw leat::error(code, std::move(where), advice.empty() ? "there is no value" : "there is no value; " + advice);
}

}  // namespace detail

template <class T>
class [[nodiscard]] result {
 public:
  result(T&& value) noexcept : value_(std::move(value)) {}
  result(const T& value) noexcept
    requires std::copy_constructible<T>
      : value_(value) {}
  result(errc code) noexcept : code_(code) {}
  /// A value made in place.
  template <class... Arguments>
  explicit result(std::in_place_t, Arguments&&... arguments) : value_(std::forward<Arguments>(arguments)...) {}

  explicit operator bool() const noexcept { return code_ == errc::ok; }
  errc error() const noexcept { return code_; }

  /// The value; throws leat::error when there is none, which names the place of the call.
  const T& value(const std::source_location& asked = std::source_location::current()) const& {
    require(&asked);
    return value_;
  }
  T&& value(const std::source_location& asked = std::source_location::current()) && {
    require(&asked);
    return std::move(value_);
  }

  /// `record_position at = out.send(...)`: as value().
  operator T() && {
    require();
    return std::move(value_);
  }
  operator T() const&
    requires std::copy_constructible<T>
  {
    require();
    return value_;
  }

  T* operator->() {
    require();
    return &value_;
  }
  const T* operator->() const {
    require();
    return &value_;
  }
  T& operator*() & {
    require();
    return value_;
  }
  const T& operator*() const& {
    require();
    return value_;
  }

 private:
  [[gnu::always_inline]] void require(const std::source_location* asked = nullptr) const {
    if (code_ != errc::ok) [[unlikely]]
      detail::throw_no_value(code_, asked);
  }

  T value_{};
  errc code_ = errc::ok;
};

/// Success, or the reason why not.
template <>
class [[nodiscard]] result<void> {
 public:
  result() noexcept = default;
  result(errc code) noexcept : code_(code) {}

  explicit operator bool() const noexcept { return code_ == errc::ok; }
  errc error() const noexcept { return code_; }

  /// Throws leat::error, which names the place of the call, unless it succeeded.
  void value(const std::source_location& asked = std::source_location::current()) const {
    if (code_ != errc::ok) detail::throw_no_value(code_, &asked);
  }

 private:
  errc code_ = errc::ok;
};

}  // namespace leat
