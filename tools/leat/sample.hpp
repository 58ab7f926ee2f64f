// What a store is like at one moment, and what has happened between two of them: for stat and top.
#pragma once

#include "store_access.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace leat_tool {

struct sample {
  std::chrono::steady_clock::time_point taken;
  std::vector<leat::topic_description> topics;
  std::vector<leat::group_description> groups;
  std::uint64_t free_bytes = 0;  // of the file system
};

/// All topics and groups, or these topics. What is deleted meanwhile is left out; throws not_found for one that was named.
sample take_sample(const leat::store& store, const std::vector<std::string>& topics);

std::uint64_t records_in(const leat::topic_description& topic);
/// Of the segments that can be read.
std::uint64_t bytes_in(const leat::topic_description& topic);
/// Ever appended.
std::uint64_t records_ever(const leat::topic_description& topic);
std::uint64_t bytes_ever(const leat::topic_description& topic);

/// Records that a group has committed, all its partitions together, and those that it has not.
std::uint64_t committed_by(const leat::group_description& group);
std::uint64_t lag_of(const leat::group_description& group);

/// How much a count grows, a second.
class rates {
 public:
  /// The rate of `name` since the last call for it; 0 the first time.
  double of(const std::string& name, std::chrono::steady_clock::time_point now, std::uint64_t count);

 private:
  std::map<std::string, std::pair<std::chrono::steady_clock::time_point, std::uint64_t>> last_;
};

}  // namespace leat_tool
