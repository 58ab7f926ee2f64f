// Kafka's assignors: range, round robin, sticky, cooperative sticky, without rack awareness.
//
// The results are those of the Java client 3.9. Where it goes through a hash map, so that its own result is left to
// chance, an order is chosen here, and said where that happens.
#pragma once

#include <leat/assignment.hpp>
#include <leat/group/numbering.hpp>
#include <leat/group/sticky_assignor.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace leat {
namespace group {

/// Static members by their instance ids, then dynamic ones by their member ids (Kafka's MemberInfo).
inline bool static_members_first(const group_member& a, const group_member& b) {
  if (a.instance_id.empty() != b.instance_id.empty()) return b.instance_id.empty();
  if (a.instance_id != b.instance_id) return a.instance_id < b.instance_id;
  return a.id < b.id;
}

}  // namespace group

/// Each topic by itself: its subscribers get consecutive partitions, the first of them one more where it does not come
/// out even. A member gets the same partitions of topics with equally many partitions and the same subscribers.
/// (org.apache.kafka.clients.consumer.RangeAssignor; a member's topics follow by name.)
inline assignment assign_range(std::span<const group_member> members,
                               const std::map<std::string, std::uint32_t>& partitions) {
  const group::numbering n(members, partitions, group::static_members_first);
  group::numbered_assignment result(n.members());
  for (const auto& topic : n.topics()) {
    const auto subscribers = static_cast<std::uint32_t>(topic.subscribers.size());
    const std::uint32_t each = topic.partitions / subscribers;
    const std::uint32_t with_one_more = topic.partitions % subscribers;
    std::uint32_t next = topic.first;
    for (std::uint32_t i = 0; i < subscribers; ++i) {
      const std::uint32_t end = next + each + (i < with_one_more ? 1 : 0);
      while (next < end) result[topic.subscribers[i]].push_back(next++);
    }
  }
  return n.with_names(result);
}

/// All partitions in order, each to the next member that is subscribed to its topic.
/// (org.apache.kafka.clients.consumer.RoundRobinAssignor)
inline assignment assign_round_robin(std::span<const group_member> members,
                                     const std::map<std::string, std::uint32_t>& partitions) {
  const group::numbering n(members, partitions, group::static_members_first);
  group::numbered_assignment result(n.members());
  std::uint32_t turn = 0;  // a rank, or one past the last
  for (std::uint32_t p = 0; p < n.partitions(); ++p) {
    const auto& subscribers = n.topics()[n.topic_of(p)].subscribers;
    const auto next = std::lower_bound(subscribers.begin(), subscribers.end(), turn);
    const std::uint32_t rank = next == subscribers.end() ? subscribers.front() : *next;
    result[rank].push_back(p);
    turn = rank + 1;
  }
  return n.with_names(result);
}

/// As balanced as the subscriptions allow, and each member keeps what it owns as far as the balance allows.
/// (org.apache.kafka.clients.consumer.StickyAssignor)
///
/// In Kafka generations settle which of two members owns a partition that both claim. Here a partition has one owner;
/// should two claim it nevertheless, the one with the smaller id keeps it.
inline assignment assign_sticky(std::span<const group_member> members,
                                const std::map<std::string, std::uint32_t>& partitions) {
  const group::numbering n(members, partitions, group::smaller_id_first);
  const group::present_owners present(n);
  return n.with_names(group::equal_subscriptions(n) ? group::assign_to_equals(n, present)
                                                    : group::general_sticky_assignor(n, present).assign());
}

/// The same as sticky. (org.apache.kafka.clients.consumer.CooperativeStickyAssignor)
///
/// Kafka's differs in the handing over only: it leaves out partitions that another member still owns, and a second
/// rebalance gives them away once they were revoked. Here a partition passes from hand to hand by its owner word, so
/// the assignment is the target and nothing is left out.
inline assignment assign_cooperative_sticky(std::span<const group_member> members,
                                            const std::map<std::string, std::uint32_t>& partitions) {
  return assign_sticky(members, partitions);
}

/// The assignors by the names that Kafka gives them.
inline assignor range_assignor() { return {"range", assign_range}; }
inline assignor round_robin_assignor() { return {"roundrobin", assign_round_robin}; }
inline assignor sticky_assignor() { return {"sticky", assign_sticky}; }
inline assignor cooperative_sticky_assignor() { return {"cooperative-sticky", assign_cooperative_sticky}; }

}  // namespace leat
