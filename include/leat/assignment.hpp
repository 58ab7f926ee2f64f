// What an assignor is: it says which member of a group should read which partition.
#pragma once

#include <leat/types.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace leat {

/// A member as an assignor sees it. Member ids are unique.
struct group_member {
  std::string id;
  std::string instance_id;             // static member; empty: dynamic
  std::vector<std::string> topics;     // subscribed topics that exist, sorted
  std::vector<topic_partition> owned;  // what it owns now
};

/// For each member, in the order in which the members were given, its partitions.
using assignment = std::vector<std::vector<topic_partition>>;

/// `partitions` has the number of partitions of each topic; topics to which nobody is subscribed do not matter.
using assignor_function = std::function<assignment(std::span<const group_member> members,
                                                   const std::map<std::string, std::uint32_t>& partitions)>;

/// An assignor with a name: all members of a group use the one of the same name.
struct assignor {
  std::string name;
  assignor_function assign;
};

}  // namespace leat
