// result<T>: a value, or the reason why there is none.
//
// For what a running program must expect at any call, such as a full device. Ignoring one is a compiler warning; taking
// the value of one that holds an error throws leat::error.
#pragma once

#include <leat/error.hpp>

#include <concepts>
#include <utility>

namespace leat {

namespace detail {

[[noreturn, gnu::cold, gnu::noinline]] inline void throw_no_value(errc code) {
  throw leat::error(code, "result", detail::describe(code));
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

  /// The value; throws leat::error when there is none.
  const T& value() const& {
    require();
    return value_;
  }
  T&& value() && {
    require();
    return std::move(value_);
  }

  /// `record_position at = out.send(...)`: as value().
  operator T() && { return std::move(*this).value(); }
  operator T() const&
    requires std::copy_constructible<T>
  {
    return value();
  }

  T* operator->() {
    require();
    return &value_;
  }
  const T* operator->() const { return &value(); }
  T& operator*() & {
    require();
    return value_;
  }
  const T& operator*() const& { return value(); }

 private:
  [[gnu::always_inline]] void require() const {
    if (code_ != errc::ok) [[unlikely]]
      detail::throw_no_value(code_);
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

  /// Throws leat::error unless it succeeded.
  void value() const {
    if (code_ != errc::ok) detail::throw_no_value(code_);
  }

 private:
  errc code_ = errc::ok;
};

}  // namespace leat
