// Keys and values that are handed to another thread: owned, where a producer's argument refers to what its caller has.
#pragma once

#include <leat/codec.hpp>
#include <leat/types.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace leat::async {

template <class T>
struct owner_of {
  using type = T;
};
template <>
struct owner_of<std::string_view> {
  using type = std::string;
};
template <>
struct owner_of<bytes_view> {
  using type = std::vector<std::byte>;
};

/// What is kept of a T until it is encoded: itself, or what a view of text or bytes refers to.
template <class T>
using owned = typename owner_of<T>::type;

/// An argument that is moved or copied into the record, or leat::null.
template <class T>
class owned_argument {
  template <class U>
  static constexpr bool is_kept = std::convertible_to<U&&, owned<T>>;
  template <class U>
  static constexpr bool is_viewed = !is_kept<U> && std::convertible_to<const U&, typename codec<T>::input>;

 public:
  owned_argument(null_t) noexcept {}
  template <class U>
    requires is_kept<U>
  owned_argument(U&& value) {
    leat::detail::check_argument<std::remove_cvref_t<U>, typename codec<T>::input>(value);
    value_.emplace(std::forward<U>(value));
  }
  template <class U>
    requires is_viewed<U>
  owned_argument(const U& value) {
    leat::detail::check_argument<U, typename codec<T>::input>(value);
    const typename codec<T>::input view = value;
    value_.emplace(view.begin(), view.end());
  }

  std::optional<owned<T>> take() && noexcept { return std::move(value_); }

 private:
  std::optional<owned<T>> value_;
};

/// Bytes that an owned value holds elsewhere, as far as leat can know: all that is reserved, since it was moved here with it.
template <class T>
std::size_t bytes_held(const std::optional<T>& value) noexcept {
  if constexpr (std::same_as<T, std::string>) {
    static const std::size_t in_place = std::string().capacity();
    return value && value->capacity() > in_place ? value->capacity() + 1 : 0;
  } else if constexpr (std::same_as<T, std::vector<std::byte>>) {
    return value ? value->capacity() : 0;
  } else {
    return 0;
  }
}

}  // namespace leat::async
