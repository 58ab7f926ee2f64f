// Items, and those that a user looked at last.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

namespace shop {

inline constexpr std::uint16_t items_in_theme = 6;
inline constexpr std::array<const char*, 24> items{"tent",   "stove",   "lamp",   "rope",   "map",    "sleeping bag",
                                                   "flour",  "yeast",   "whisk",  "tin",    "scales", "rolling pin",
                                                   "guitar", "strings", "capo",   "tuner",  "stand",  "metronome",
                                                   "tyre",   "pump",    "saddle", "helmet", "lock",   "bell"};

struct click {
  std::uint16_t item;
};

/// The last items that a user looked at, the latest first.
struct recent_items {
  std::array<std::uint16_t, 4> item{};
  std::uint16_t count = 0;

  std::span<const std::uint16_t> all() const { return std::span(item).first(count); }

  void add(std::uint16_t looked_at) {
    const auto end = item.begin() + std::min<std::ptrdiff_t>(count, std::ssize(item) - 1);
    const auto known = std::find(item.begin(), item.begin() + count, looked_at);
    const bool is_new = known == item.begin() + count;
    std::rotate(item.begin(), is_new ? end : known, (is_new ? end : known) + 1);
    item[0] = looked_at;
    if (is_new && count < item.size()) ++count;
  }
};

struct item_pair {
  std::uint16_t one, other;
  auto operator<=>(const item_pair&) const = default;
};

item_pair pair_of(std::uint16_t a, std::uint16_t b) { return {std::min(a, b), std::max(a, b)}; }

}  // namespace shop
