#include "positions.hpp"

#include "exit_code.hpp"

#include <algorithm>
#include <numeric>

namespace leat_tool {

std::vector<std::uint32_t> choose_partitions(const raw_topic& topic, const std::vector<std::uint32_t>& asked) {
  if (asked.empty()) {
    std::vector<std::uint32_t> all(topic.partitions());
    std::iota(all.begin(), all.end(), 0u);
    return all;
  }
  for (const std::uint32_t p : asked) {
    if (p < topic.partitions()) continue;
    throw failure(exit_not_found,
                  fmt::format("topic {} has partitions 0 to {}, not {}", topic.name(), topic.partitions() - 1, p));
  }
  return asked;
}

std::uint64_t offset_of(const raw_topic& topic, std::uint32_t partition, const place& where) {
  const std::uint64_t start = topic.start_offset(partition);
  const std::uint64_t end = topic.end_offset(partition);
  if (std::holds_alternative<earliest_place>(where)) return start;
  if (std::holds_alternative<latest_place>(where)) return end;
  if (const auto* p = std::get_if<before_end_place>(&where)) return end - std::min(p->records, end - start);
  if (const auto* p = std::get_if<time_place>(&where)) {
    return topic.offset_for_time(partition, p->time).value_or(end);
  }
  const std::uint64_t offset = std::get<offset_place>(where).offset;
  if (offset < start || offset > end) {
    throw failure(fmt::format("topic {}, partition {}: there is no offset {}; it begins at {} and ends at {}",
                              topic.name(), partition, offset, start, end));
  }
  return offset;
}

}  // namespace leat_tool
