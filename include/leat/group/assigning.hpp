// Computing the assignment of a group: from its members' files, the topics that there are, and who owns what.
#pragma once

#include <leat/assignment.hpp>
#include <leat/group/group_files.hpp>
#include <leat/group/subscription.hpp>
#include <leat/storage/topic_log.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace leat::group {

namespace assigning_detail {

using open_topics = std::map<std::string, std::shared_ptr<storage::topic_log>>;

/// The topics that a member can read of those it asks for: they exist, and have its types, no less aligned. `path`: of its file.
inline std::vector<std::string> topics_of(const member_profile& member, const std::vector<std::string>& names,
                                          const std::shared_ptr<storage::store_files>& store, const std::string& path,
                                          open_topics& opened) {
  const topic_filter asked(member.subscription, member.is_pattern, path);
  const auto fits = [](std::uint64_t type, std::uint64_t has) { return type == storage::any_type || type == has; };
  std::vector<std::string> topics;
  for (const std::string& name : names) {
    if (!asked.matches(name)) continue;
    auto known = opened.find(name);
    if (known == opened.end()) known = opened.emplace(name, storage::topic_log::open_untyped(store, name)).first;
    if (known->second == nullptr) continue;  // deleted meanwhile
    const format::topic_header& h = known->second->header();
    if (!fits(member.value_type, h.value_type) || !fits(member.key_type, h.key_type)) continue;
    if (member.value_alignment <= h.value_alignment) topics.push_back(name);
  }
  return topics;
}

/// Throws invalid_argument for what an assignor must not return.
inline void require_sound(const assignment& assigned, std::size_t members,
                          const std::map<std::string, std::uint32_t>& topics, const std::string& path,
                          const std::string& assignor_name) {
  if (assigned.size() != members) {
    throw error(errc::invalid_argument, path,
                "the assignor " + assignor_name + " returned " + std::to_string(assigned.size()) + " lists for " +
                    std::to_string(members) + " members");
  }
  std::set<topic_partition> given;
  for (const auto& list : assigned) {
    for (const topic_partition& p : list) {
      const auto topic = topics.find(p.topic);
      if (topic != topics.end() && p.partition < topic->second && given.insert(p).second) continue;
      throw error(errc::invalid_argument, path,
                  "the assignor " + assignor_name + " gave away partition " + std::to_string(p.partition) + " of " +
                      p.topic + ", which is not there or was given before");
    }
  }
}

}  // namespace assigning_detail

/// One view of the group, and what the assignor makes of it. Cost: opens the files of all members and topics.
inline agreed_assignment compute_assignment(const group_files& group,
                                            const std::shared_ptr<storage::store_files>& store, const assignor& how) {
  agreed_assignment result;
  std::vector<group_member> members;
  std::vector<std::uint32_t> numbers;
  assigning_detail::open_topics opened;
  const std::vector<std::string> names = storage::topic_log::names(*store);
  for (const auto& file : group.members()) {
    const member_profile profile = file->profile();
    members.push_back(
        {profile.id, profile.instance, assigning_detail::topics_of(profile, names, store, file->path(), opened), {}});
    numbers.push_back(file->number());
  }
  std::map<std::string, std::uint32_t> partitions;
  for (const auto& [name, log] : opened) {
    if (log == nullptr) continue;
    const counted_topic& counted = result.topics[name] = subscription::counted(*log);
    partitions[name] = counted.partitions;
    const auto offsets = log->find_group(group.name());
    if (offsets == nullptr) continue;
    for (std::uint32_t id = 0; id < std::min(log->partitions(), offsets->capacity()); ++id) {
      const auto owner = std::find(numbers.begin(), numbers.end(), offsets->owner(id).member);
      if (owner == numbers.end()) continue;
      members[static_cast<std::size_t>(owner - numbers.begin())].owned.push_back({name, id});
    }
  }
  assignment assigned = how.assign(members, partitions);
  assigning_detail::require_sound(assigned, members.size(), partitions, group.path(), how.name);
  for (std::size_t i = 0; i < assigned.size(); ++i) result.of_members[numbers[i]] = std::move(assigned[i]);
  return result;
}

}  // namespace leat::group
