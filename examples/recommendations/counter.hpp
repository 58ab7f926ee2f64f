// A member of the group that counts what is looked at together.
#pragma once

#include "items.hpp"
#include "table.hpp"

#include <leat/leat.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace shop {

inline constexpr std::uint32_t partitions = 4;

using recent_table = table<std::string, recent_items>;
using together_table = table<item_pair, std::uint32_t>;

struct topics {
  explicit topics(const leat::store& store)
      : clicks(store.topic<click>("clicks", {.partitions = partitions, .segment_bytes = 256 << 10})),
        recent(store.topic<change<recent_items>>("recent-items", changelog_options)),
        together(store.topic<change<std::uint32_t>, item_pair>("looked-at-together", changelog_options)) {}

  /// Nothing of them may go: they are the state.
  static inline const leat::topic_options changelog_options{
      .partitions = partitions, .segment_bytes = 256 << 10, .retention = {.bytes = leat::unlimited}};

  leat::topic<click> clicks;
  recent_table::changelog recent;
  together_table::changelog together;
};

/// A member of the group that counts.
class counter {
 public:
  counter(const leat::store& store, const topics& t)
      : topics_(t),
        in_(store, {.auto_offset_reset = leat::offset_reset::earliest,
                    .group = "recommendations",
                    .enable_auto_commit = false}) {
    const auto restore = [this](std::span<const leat::topic_partition> assigned) {
      for (const auto& p : assigned) {
        const std::uint64_t clicks = in_.position(p);  // what the group has committed
        states_.try_emplace(p.partition, topics_, p.partition, clicks);
      }
    };
    const auto forget = [this](std::span<const leat::topic_partition> gone) {
      for (const auto& p : gone) states_.erase(p.partition);
    };
    in_.subscribe({"clicks"}, {.assigned = restore, .revoked = forget, .lost = forget});
  }

  std::size_t owns() const { return states_.size(); }

  /// How many clicks it has counted. The changes come before the commit, so that none is missing.
  std::size_t count(bool and_commit = true) {
    const auto clicks = in_.poll();
    for (const auto& record : clicks) {
      state& mine = states_.at(record.partition());
      const std::string user(record.key());
      const std::uint16_t item = record.value().item;
      recent_items recent = mine.recent[user];
      for (const std::uint16_t before : recent.all()) {
        if (before == item) continue;
        const item_pair both = pair_of(before, item);
        mine.together.set(both, mine.together[both] + 1, record.offset());
      }
      recent.add(item);
      mine.recent.set(user, recent, record.offset());
    }
    if (and_commit) in_.commit().value();
    return clicks.size();
  }

 private:
  struct state {
    state(const topics& t, std::uint32_t partition, std::uint64_t clicks)
        : recent(t.recent, partition, clicks), together(t.together, partition, clicks) {}

    recent_table recent;
    together_table together;
  };

  const topics& topics_;
  std::map<std::uint32_t, state> states_;  // by partition; lives longer than the consumer, which tells when it leaves
  leat::consumer<click> in_;
};

}  // namespace shop
