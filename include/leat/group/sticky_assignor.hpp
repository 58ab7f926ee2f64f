// The two algorithms of the sticky assignors: one for members with equal subscriptions, and a general one.
//
// Both are those of org.apache.kafka.clients.consumer.internals.AbstractStickyAssignor 3.9. They differ in what they
// achieve: with equal subscriptions the numbers of partitions differ by at most one, and as few as possible move; in
// general partitions are moved one by one to the least loaded subscriber until none can improve the balance.
#pragma once

#include <leat/group/numbering.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

namespace leat::group {

inline bool smaller_id_first(const group_member& a, const group_member& b) { return a.id < b.id; }

template <class Key>
void sort_by_key(std::vector<std::uint32_t>& numbers, Key key) {
  std::sort(numbers.begin(), numbers.end(), [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
}

inline bool equal_subscriptions(const numbering& n) {
  return std::all_of(n.topics().begin(), n.topics().end(),
                     [&](const auto& topic) { return topic.subscribers.size() == n.members(); });
}

/// What the members own now, as far as it exists and they are still subscribed to it.
struct present_owners {
  numbered_assignment of;     // in the order in which a member lists them
  bool unsubscribed = false;  // a member owns a partition of a topic that it has left to others

  explicit present_owners(const numbering& n) : of(n.members()) {
    std::vector<bool> owned(n.partitions());
    for (std::uint32_t rank = 0; rank < n.members(); ++rank) {
      for (const topic_partition& listed : n.member(rank).owned) {
        const auto p = n.find(listed);
        if (!p) continue;
        const auto& subscribers = n.topics()[n.topic_of(*p)].subscribers;
        if (!std::binary_search(subscribers.begin(), subscribers.end(), rank)) {
          unsubscribed = true;
        } else if (!owned[*p]) {
          owned[*p] = true;
          of[rank].push_back(*p);
        }
      }
    }
  }
};

/// For members with equal subscriptions. Ranks are by id.
inline numbered_assignment assign_to_equals(const numbering& n, const present_owners& present) {
  numbered_assignment result(n.members());
  if (n.members() == 0) return result;
  const std::size_t fewest = n.partitions() / n.members();
  std::size_t one_more = n.partitions() % n.members();  // how many may still get one more

  // Each keeps what it owns, up to its share; who lists partitions of a small number keeps those. Which of several
  // members keep one more is left to the order of a hash map in Kafka; the largest ids first is the order of its tests.
  std::vector<bool> kept(n.partitions());
  std::vector<std::uint32_t> below;  // members with less than the fewest
  std::vector<std::uint32_t> at;     // members with the fewest, of which some get one more
  for (std::uint32_t rank = n.members(); rank-- > 0;) {
    std::vector<std::uint32_t>& mine = result[rank];
    mine = present.of[rank];
    sort_by_key(mine, [&](std::uint32_t p) { return std::pair(n.within_topic(p), n.topic_of(p)); });
    if (mine.size() < fewest) {
      below.push_back(rank);
    } else if (mine.size() > fewest && one_more > 0) {
      mine.resize(fewest + 1);
      --one_more;
    } else {
      mine.resize(fewest);
      at.push_back(rank);
    }
    for (const std::uint32_t p : mine) kept[p] = true;
  }
  std::reverse(below.begin(), below.end());
  std::reverse(at.begin(), at.end());

  // The others go in turn to the members below the fewest, and then one each to those who have the fewest: first to
  // who had them from the beginning, then to who was filled up, in the order in which that happened.
  std::size_t turn = 0;
  std::size_t next_at = 0;
  for (std::uint32_t p = 0; p < n.partitions(); ++p) {
    if (kept[p]) continue;
    if (below.empty()) {
      result[at[next_at++]].push_back(p);
      continue;
    }
    if (turn == below.size()) turn = 0;
    const std::uint32_t rank = below[turn];
    result[rank].push_back(p);
    if (result[rank].size() < fewest) {
      ++turn;
    } else {
      below.erase(below.begin() + static_cast<std::ptrdiff_t>(turn));
      at.push_back(rank);
    }
  }
  return result;
}

/// For members whose subscriptions differ. Ranks are by id.
class general_sticky_assignor {
 public:
  /// Passes over the partitions in which Kafka's rule against swaps holds, see improve(). Random groups need up to 11.
  static constexpr int most_swap_free_passes = 100;

  general_sticky_assignor(const numbering& n, const present_owners& present,
                          int swap_free_passes = most_swap_free_passes)
      : n_(n),
        unsubscribed_(present.unsubscribed),
        swap_free_passes_(swap_free_passes),
        now_(n),
        origin_(n.partitions(), nobody) {
    for (std::uint32_t rank = 0; rank < n.members(); ++rank) {
      for (const std::uint32_t p : present.of[rank]) now_.give(p, rank);
    }
  }

  numbered_assignment assign() {
    const bool initial =
        std::all_of(now_.owner.begin(), now_.owner.end(), [](std::uint32_t owner) { return owner == nobody; });
    std::vector<std::uint32_t> movable = partitions_by_subscribers();
    std::vector<std::uint32_t> unowned;
    std::copy_if(movable.begin(), movable.end(), std::back_inserter(unowned),
                 [&](auto p) { return now_.owner[p] == nobody; });
    for (const std::uint32_t p : unowned) now_.give(p, least_loaded_subscriber(p));

    const auto has_one_subscriber = [&](std::uint32_t p) { return subscribers(p).size() == 1; };
    std::erase_if(movable, has_one_subscriber);
    std::erase_if(unowned, has_one_subscriber);
    const holders before = now_;
    if (!unsubscribed_) improve(unowned);
    const bool moved = improve(movable);
    if (!initial && moved && imbalance(now_) >= imbalance(before)) now_ = before;
    return lists();
  }

 private:
  static constexpr std::uint32_t nobody = std::numeric_limits<std::uint32_t>::max();

  struct holders {
    explicit holders(const numbering& n) : owner(n.partitions(), nobody), since(n.partitions()), count(n.members()) {}

    void give(std::uint32_t partition, std::uint32_t rank) {
      if (owner[partition] != nobody) --count[owner[partition]];
      owner[partition] = rank;
      since[partition] = ++given;
      ++count[rank];
    }

    std::vector<std::uint32_t> owner;  // of each partition
    std::vector<std::uint64_t> since;  // when it got the partition
    std::vector<std::uint32_t> count;  // of each member's partitions
    std::uint64_t given = 0;
  };

  const std::vector<std::uint32_t>& subscribers(std::uint32_t p) const {
    return n_.topics()[n_.topic_of(p)].subscribers;
  }

  std::uint32_t least_loaded_subscriber(std::uint32_t p) const {
    const std::vector<std::uint32_t>& all = subscribers(p);
    return *std::min_element(all.begin(), all.end(),
                             [&](std::uint32_t a, std::uint32_t b) { return now_.count[a] < now_.count[b]; });
  }

  /// The topics with the fewest subscribers first, as they leave the least choice.
  std::vector<std::uint32_t> partitions_by_subscribers() const {
    std::vector<std::uint32_t> all(n_.partitions());
    std::iota(all.begin(), all.end(), 0u);
    sort_by_key(all, [&](std::uint32_t p) { return std::pair(subscribers(p).size(), p); });
    return all;
  }

  /// Moves partitions to their least loaded subscribers until that makes no difference. Says whether any moved.
  ///
  /// A move from a member to one with at least two fewer lowers the sum of the squares of the counts, so that this would
  /// end by itself. But instead_of() may take the partition from a third member, which may raise the sum, and there are
  /// groups for which that goes on for ever. Members must not hang, so the rule is dropped after a number of passes.
  bool improve(const std::vector<std::uint32_t>& partitions) {
    bool any = false;
    int pass = 0;
    for (bool moved = true; moved; ++pass) {
      moved = false;
      for (const std::uint32_t p : partitions) {
        const std::uint32_t to = least_loaded_subscriber(p);
        if (now_.count[now_.owner[p]] <= now_.count[to] + 1) continue;
        move(pass < swap_free_passes_ ? instead_of(p, to) : p, to);
        any = moved = true;
      }
    }
    return any;
  }

  /// Where a partition of the topic has moved the other way before, that one goes back and `p` stays.
  std::uint32_t instead_of(std::uint32_t p, std::uint32_t to) const {
    const std::uint32_t from = origin_[p] != nobody ? origin_[p] : now_.owner[p];
    const auto opposite = moved_.find({n_.topic_of(p), to, from});
    return opposite == moved_.end() ? p : *opposite->second.begin();  // any of them in Kafka
  }

  void move(std::uint32_t p, std::uint32_t to) {
    const std::uint32_t from = now_.owner[p];
    const std::uint32_t topic = n_.topic_of(p);
    std::uint32_t origin = from;
    if (origin_[p] != nobody) {
      origin = origin_[p];
      const auto record = moved_.find({topic, origin, from});
      record->second.erase(p);
      if (record->second.empty()) moved_.erase(record);
    }
    origin_[p] = nobody;
    if (origin != to) {
      moved_[{topic, origin, to}].insert(p);
      origin_[p] = origin;
    }
    now_.give(p, to);
  }

  /// The differences of all pairs, added up; without the members that alone are subscribed to all they have.
  std::uint64_t imbalance(const holders& h) const {
    std::vector<bool> shares(n_.members());
    for (const auto& topic : n_.topics()) {
      if (topic.subscribers.size() == 1) continue;
      for (const std::uint32_t rank : topic.subscribers) shares[rank] = true;
    }
    std::vector<std::uint64_t> counts;
    for (std::uint32_t rank = 0; rank < n_.members(); ++rank) {
      if (shares[rank]) counts.push_back(h.count[rank]);
    }
    std::sort(counts.begin(), counts.end());
    std::uint64_t sum = 0;
    std::uint64_t smaller = 0;  // all before, added up
    for (std::size_t i = 0; i < counts.size(); ++i) {
      sum += counts[i] * i - smaller;
      smaller += counts[i];
    }
    return sum;
  }

  numbered_assignment lists() const {
    std::vector<std::uint32_t> all = partitions_by_subscribers();
    sort_by_key(all, [&](std::uint32_t p) { return now_.since[p]; });
    numbered_assignment result(n_.members());
    for (const std::uint32_t p : all) result[now_.owner[p]].push_back(p);
    return result;
  }

  const numbering& n_;
  const bool unsubscribed_;
  const int swap_free_passes_;
  holders now_;
  std::vector<std::uint32_t> origin_;  // whose a partition was before it moved; nobody: it has not moved
  std::map<std::array<std::uint32_t, 3>, std::set<std::uint32_t>> moved_;  // topic, from, to: what moved so
};

}  // namespace leat::group
