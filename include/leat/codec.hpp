// codec<T>: how a value or key becomes bytes and comes back.
//
// Built in: trivially copyable types (as they lie in memory; read in place, without a copy), std::string and
// std::string_view, and vectors and spans of std::byte. Anything else is one specialisation:
//
//     template <>
//     struct leat::codec<order> {
//       using input = const order&;                       // what a producer takes
//       using output = order;                             // what a record gives; may refer to the record's bytes
//       static constexpr std::string_view name = "order v1";    // stored with the topic: change it with the layout
//       static std::size_t size(input o);                 // bytes that encode() will write
//       static void encode(input o, std::span<std::byte> into);  // into.size() == size(o)
//       static output decode(leat::bytes_view bytes);     // throws leat::error for bytes that encode() never wrote
//       // optional: static constexpr std::size_t fixed_bytes (every value has them), alignment (of its first byte);
//       //           static bytes_view bytes(input) where the encoding lies in memory already
//     };
#pragma once

#include <leat/error.hpp>
#include <leat/format/copy.hpp>
#include <leat/format/segment.hpp>
#include <leat/storage/type_identity.hpp>
#include <leat/types.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace leat {

template <class T>
struct codec;

/// Types whose bytes are their value. Padding and pointers are the user's business: they are copied as they are.
template <class T>
concept plain = std::is_trivially_copyable_v<T> && std::is_object_v<T> && !std::is_pointer_v<T> &&
                !std::is_array_v<T> && std::same_as<T, std::remove_cv_t<T>>;

namespace detail {

/// T's name as the compiler writes it, without what differs between compilers.
template <class T>
std::string type_name() {
  constexpr std::string_view function = __PRETTY_FUNCTION__;
  constexpr std::size_t begin = function.find("T = ") + 4;
  constexpr std::size_t end = function.find_first_of(";]", begin);
  std::string name(function.substr(begin, end - begin));
  constexpr std::pair<std::string_view, std::string_view> spellings[] = {
      {"long long unsigned int", "unsigned long long"},
      {"long unsigned int", "unsigned long"},
      {"short unsigned int", "unsigned short"},
      {"long long int", "long long"},
      {"long int", "long"},
      {"short int", "short"}};
  for (const auto& [gcc, clang] : spellings) {
    for (auto at = name.find(gcc); at != name.npos; at = name.find(gcc)) name.replace(at, gcc.size(), clang);
  }
  for (const std::string_view noise : {"(anonymous namespace)::", "{anonymous}::", "<unnamed>::", " "}) {
    for (auto at = name.find(noise); at != name.npos; at = name.find(noise)) name.erase(at, noise.size());
  }
  return name;
}

[[noreturn]] inline void throw_wrong_size(std::size_t found, std::size_t expected) {
  throw error(errc::corrupt, "record",
              "it has " + std::to_string(found) + " bytes, expected " + std::to_string(expected));
}

}  // namespace detail

template <plain T>
struct codec<T> {
  using input = std::conditional_t<std::is_arithmetic_v<T> || std::is_enum_v<T>, T, const T&>;
  using output = const T&;
  static constexpr std::size_t fixed_bytes = sizeof(T);
  static constexpr std::size_t alignment = alignof(T);
  static_assert(alignment <= format::page_bytes, "values are aligned to a page at most");

  static std::string name() {
    return detail::type_name<T>() + ", " + std::to_string(sizeof(T)) + " bytes, aligned to " +
           std::to_string(alignof(T));
  }
  static constexpr std::size_t size(input) noexcept { return sizeof(T); }
  static bytes_view bytes(const T& value) noexcept { return std::as_bytes(std::span(&value, 1)); }
  static void encode(input value, std::span<std::byte> into) noexcept {
    format::copy_bytes(into.data(), &value, sizeof(T));
  }
  static output decode(bytes_view bytes) {
    if (bytes.size() != sizeof(T)) [[unlikely]]
      detail::throw_wrong_size(bytes.size(), sizeof(T));
    if constexpr (alignof(T) > format::record_alignment) {
      if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) != 0) [[unlikely]] {
        throw error(errc::corrupt, "record", "it is not aligned to " + std::to_string(alignof(T)) + " bytes");
      }
    }
    return *reinterpret_cast<const T*>(bytes.data());
  }
};

template <>
struct codec<std::string_view> {
  using input = std::string_view;
  using output = std::string_view;
  static constexpr std::string_view name = "string";

  static std::size_t size(input text) noexcept { return text.size(); }
  static bytes_view bytes(input text) noexcept { return std::as_bytes(std::span(text)); }
  static void encode(input text, std::span<std::byte> into) noexcept {
    text.copy(reinterpret_cast<char*>(into.data()), into.size());
  }
  static output decode(bytes_view bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};
template <>
struct codec<std::string> : codec<std::string_view> {};

/// Of other spans, only the pointer would be stored.
template <class T, std::size_t Extent>
struct codec<std::span<T, Extent>>;

template <>
struct codec<bytes_view> {
  using input = bytes_view;
  using output = bytes_view;
  static constexpr std::string_view name = "bytes";

  static std::size_t size(input bytes) noexcept { return bytes.size(); }
  static bytes_view bytes(input bytes) noexcept { return bytes; }
  static void encode(input bytes, std::span<std::byte> into) noexcept {
    if (!bytes.empty()) std::memcpy(into.data(), bytes.data(), bytes.size());
  }
  static output decode(bytes_view bytes) noexcept { return bytes; }
};
template <>
struct codec<std::vector<std::byte>> : codec<bytes_view> {};

template <class T>
concept encodable = requires(typename codec<T>::input in, std::span<std::byte> into, bytes_view bytes) {
  { codec<T>::size(in) } -> std::convertible_to<std::size_t>;
  codec<T>::encode(in, into);
  { codec<T>::decode(bytes) } -> std::convertible_to<typename codec<T>::output>;
};

namespace detail {

template <class T>
consteval std::size_t fixed_bytes_of() {
  if constexpr (requires { codec<T>::fixed_bytes; }) return codec<T>::fixed_bytes;
  return 0;
}
template <class T>
consteval std::size_t alignment_of() {
  if constexpr (requires { codec<T>::alignment; }) return codec<T>::alignment;
  return 1;
}
template <class T>
std::string codec_name() {
  if constexpr (requires { codec<T>::name(); }) {
    return std::string(codec<T>::name());
  } else {
    return std::string(codec<T>::name);
  }
}

/// What a topic remembers of T: the codec's name, and its hash as the fingerprint.
template <class T>
storage::type_identity identity_of() {
  storage::type_identity identity;
  identity.name = codec_name<T>();
  identity.fingerprint = storage::fingerprint_of(identity.name);
  identity.alignment = alignment_of<T>();
  identity.fixed_bytes = fixed_bytes_of<T>();
  return identity;
}

/// The same for a subscription: of bytes, any type will do.
template <class T>
storage::type_identity subscribed_identity() {
  storage::type_identity identity = identity_of<T>();
  if constexpr (std::same_as<T, bytes_view>) identity.fingerprint = storage::any_type;
  return identity;
}

/// Where text is taken, a pointer is read up to its zero.
[[noreturn, gnu::cold, gnu::noinline]] inline void throw_null_pointer() {
  throw error(errc::invalid_argument, "record",
              "the text is a null pointer; a key or value that is null is leat::null");
}

/// Whether a number that is a From may not keep its value as a To. Constants cannot be told from variables here, so what
/// literals are, int and double, may become a smaller type of its kind; what is larger may not. (Of signs nothing is said.)
template <class From, class To>
consteval bool narrows() {
  if constexpr (!std::same_as<From, std::remove_cv_t<From>>) return narrows<std::remove_cv_t<From>, To>();
  if constexpr (std::is_enum_v<From> && std::convertible_to<From, To>)
    return narrows<std::underlying_type_t<From>, To>();
  if constexpr (!std::is_arithmetic_v<From> || !std::is_arithmetic_v<To> || std::same_as<From, To>) return false;
  if constexpr (std::same_as<To, bool>) return true;
  if constexpr (std::is_floating_point_v<From> != std::is_floating_point_v<To>) return std::is_floating_point_v<From>;
  constexpr std::size_t literal = std::is_floating_point_v<From> ? sizeof(double) : sizeof(int);
  return sizeof(From) > sizeof(To) && sizeof(From) > literal;
}

/// The checks of an argument U for what takes an Input, beside that the one converts to the other. Throws invalid_argument for text that is a null pointer.
template <class U, class Input>
constexpr void check_argument(const U& value) {
  using taken = std::remove_cvref_t<Input>;
  static_assert(!std::is_null_pointer_v<U>, "a key or value that is null is leat::null, not nullptr");
  static_assert(!std::same_as<taken, bool> || !std::is_pointer_v<std::decay_t<U>>, "a pointer is not sent as a bool");
  static_assert(!narrows<U, taken>(),
                "this number may lose its value as the topic's type; convert it with static_cast");
  if constexpr (std::is_pointer_v<U> && std::same_as<taken, std::string_view>) {
    if (value == nullptr) [[unlikely]]
      throw_null_pointer();
  }
}

/// An argument that is a T, in the form that its codec takes, or null. Where that is a reference, only a T itself (or what
/// derives from it) will do: a converted one would be gone before it is used.
template <class T>
class nullable {
 public:
  using input = typename codec<T>::input;

 private:
  static constexpr bool by_reference = std::is_lvalue_reference_v<input>;
  using kept = std::conditional_t<by_reference, const std::remove_reference_t<input>*, std::remove_cvref_t<input>>;

  template <class U>
  static constexpr bool accepts = [] {
    if constexpr (by_reference) return std::convertible_to<const U*, kept>;
    return std::convertible_to<const U&, input>;
  }();

 public:
  nullable(null_t) noexcept {}
  template <class U>
    requires accepts<U>
  nullable(const U& value) noexcept(!std::is_pointer_v<U>) : kept_(keep(value)), null_(false) {}

  bool is_null() const noexcept { return null_; }

  /// Refers to the argument, or to this.
  const std::remove_reference_t<input>& get() const noexcept {
    if constexpr (by_reference) {
      return *kept_;
    } else {
      return kept_;
    }
  }

 private:
  template <class U>
  static kept keep(const U& value) noexcept(!std::is_pointer_v<U>) {
    check_argument<U, input>(value);
    if constexpr (by_reference) {
      return &value;
    } else {
      return static_cast<kept>(value);
    }
  }

  kept kept_{};
  bool null_ = true;
};

}  // namespace detail
}  // namespace leat
