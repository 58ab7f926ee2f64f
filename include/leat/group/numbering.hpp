// The numbering that the assignors work with: ranks, places and numbers instead of names.
#pragma once

#include <leat/assignment.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leat::group {

/// For each member, in the order of its rank, the numbers of its partitions.
using numbered_assignment = std::vector<std::vector<std::uint32_t>>;

/// An assignor's input with numbers for names: a member has a rank, a topic its place among the subscribed topics in
/// the order of their names, and a partition a number, counted through these topics.
class numbering {
 public:
  struct subscribed_topic {
    std::string_view name;
    std::uint32_t partitions;
    std::uint32_t first;                     // the number of its partition 0
    std::vector<std::uint32_t> subscribers;  // ranks, ascending, at least one
  };

  /// Ranks the members by `before`. Keeps references to both arguments.
  numbering(std::span<const group_member> members, const std::map<std::string, std::uint32_t>& partitions,
            bool (*before)(const group_member&, const group_member&))
      : members_(members), by_rank_(members.size()) {
    std::iota(by_rank_.begin(), by_rank_.end(), std::size_t{0});
    std::sort(by_rank_.begin(), by_rank_.end(),
              [&](std::size_t a, std::size_t b) { return before(members_[a], members_[b]); });
    find_subscribers(partitions);
    for (std::uint32_t t = 0; t < topics_.size(); ++t) {
      topics_[t].first = static_cast<std::uint32_t>(topic_of_.size());
      topic_of_.insert(topic_of_.end(), topics_[t].partitions, t);
    }
  }

  std::uint32_t members() const noexcept { return static_cast<std::uint32_t>(by_rank_.size()); }
  const group_member& member(std::uint32_t rank) const { return members_[by_rank_[rank]]; }

  const std::vector<subscribed_topic>& topics() const noexcept { return topics_; }

  std::uint32_t partitions() const noexcept { return static_cast<std::uint32_t>(topic_of_.size()); }
  std::uint32_t topic_of(std::uint32_t partition) const { return topic_of_[partition]; }
  std::uint32_t within_topic(std::uint32_t partition) const { return partition - topics_[topic_of(partition)].first; }

  /// The number of a partition; nothing if it does not exist or nobody is subscribed to its topic.
  std::optional<std::uint32_t> find(const topic_partition& p) const {
    const auto topic =
        std::lower_bound(topics_.begin(), topics_.end(), p.topic,
                         [](const subscribed_topic& t, const std::string& name) { return t.name < name; });
    if (topic == topics_.end() || topic->name != p.topic || p.partition >= topic->partitions) return std::nullopt;
    return topic->first + p.partition;
  }

  assignment with_names(const numbered_assignment& numbers) const {
    assignment named(members_.size());
    for (std::uint32_t rank = 0; rank < members(); ++rank) {
      std::vector<topic_partition>& list = named[by_rank_[rank]];
      list.reserve(numbers[rank].size());
      for (const std::uint32_t p : numbers[rank]) {
        list.push_back({std::string(topics_[topic_of(p)].name), within_topic(p)});
      }
    }
    return named;
  }

 private:
  void find_subscribers(const std::map<std::string, std::uint32_t>& partitions) {
    std::map<std::string_view, subscribed_topic> found;
    for (std::uint32_t rank = 0; rank < members(); ++rank) {
      for (const std::string& name : member(rank).topics) {
        const auto known = partitions.find(name);
        if (known == partitions.end() || known->second == 0) continue;
        subscribed_topic& topic =
            found.try_emplace(known->first, subscribed_topic{known->first, known->second, 0, {}}).first->second;
        if (topic.subscribers.empty() || topic.subscribers.back() != rank) topic.subscribers.push_back(rank);
      }
    }
    topics_.reserve(found.size());
    for (auto& [name, topic] : found) topics_.push_back(std::move(topic));
  }

  std::span<const group_member> members_;
  std::vector<std::size_t> by_rank_;  // places in members_
  std::vector<subscribed_topic> topics_;
  std::vector<std::uint32_t> topic_of_;
};

}  // namespace leat::group
