#include "sample.hpp"

#include "store_access.hpp"

#include <numeric>

#include <sys/statvfs.h>

namespace leat_tool {

namespace {

template <class Range, class Get>
std::uint64_t sum(const Range& range, Get get) {
  std::uint64_t total = 0;
  for (const auto& element : range) total += get(element);
  return total;
}

}  // namespace

sample take_sample(const leat::store& store, const std::vector<std::string>& topics) {
  const leat::admin admin(store);
  sample s;
  s.taken = std::chrono::steady_clock::now();
  for_each_of(topics, admin.topics(), [&](const std::string& name) { s.topics.push_back(admin.describe_topic(name)); });
  for_each_of({}, admin.groups(), [&](const std::string& name) { s.groups.push_back(admin.describe_group(name)); });
  struct statvfs file_system{};
  if (::statvfs(store.path().c_str(), &file_system) == 0) {
    s.free_bytes = static_cast<std::uint64_t>(file_system.f_bavail) * file_system.f_frsize;
  }
  return s;
}

std::uint64_t records_in(const leat::topic_description& topic) {
  return sum(topic.partitions, [](const auto& p) { return p.end_offset - p.start_offset; });
}
std::uint64_t bytes_in(const leat::topic_description& topic) {
  return topic.segment_bytes * sum(topic.partitions, [](const auto& p) { return p.segments; });
}
std::uint64_t records_ever(const leat::topic_description& topic) {
  return sum(topic.partitions, [](const auto& p) { return p.end_offset; });
}
std::uint64_t bytes_ever(const leat::topic_description& topic) {
  return sum(topic.partitions, [](const auto& p) { return p.bytes_appended; });
}

std::uint64_t committed_by(const leat::group_description& group) {
  return sum(group.offsets, [](const auto& o) { return o.committed.value_or(0); });
}
std::uint64_t lag_of(const leat::group_description& group) {
  return sum(group.offsets, [](const auto& o) { return o.lag; });
}

double rates::of(const std::string& name, std::chrono::steady_clock::time_point now, std::uint64_t count) {
  const auto [at, is_new] = last_.try_emplace(name, now, count);
  const auto [before, had] = std::exchange(at->second, {now, count});
  if (is_new || now <= before || count < had) return 0;
  return static_cast<double>(count - had) / std::chrono::duration<double>(now - before).count();
}

}  // namespace leat_tool
