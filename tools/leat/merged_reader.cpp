#include "merged_reader.hpp"

#include "output.hpp"
#include "positions.hpp"

#include <memory>

namespace leat_tool {

merged_reader::merged_reader(const raw_topic& topic, const std::vector<std::uint32_t>& partitions, const place& from,
                             bool until_end)
    : topic_(topic), bell_(topic, {.partitions = partitions}) {
  for (const std::uint32_t p : partitions) {
    lane l{p, until_end ? topic.end_offset(p) : leat::unlimited, nullptr, std::nullopt, {}};
    const leat::consumer_options options{.partitions = std::vector{p}, .auto_offset_reset = leat::offset_reset::none};
    l.in = std::make_unique<raw_consumer>(topic, options);
    l.in->seek({p, offset_of(topic, p, from)});
    lanes_.push_back(std::move(l));
  }
}

std::optional<raw_record> merged_reader::next() {
  if (last_ != nullptr) ++last_->at;
  last_ = nullptr;
  std::optional<raw_record> first;
  for (lane& l : lanes_) {
    const auto record = head(l);
    if (!record || (first && first->timestamp() <= record->timestamp())) continue;
    first = record;
    last_ = &l;
  }
  return first;
}

void merged_reader::wait(std::chrono::nanoseconds timeout) {
  // It follows the same partitions, from later on: what wakes it is in the lanes, too.
  if (bell_.poll(timeout).error() == leat::errc::out_of_range) bell_.seek_to_end();
}

std::optional<raw_record> merged_reader::head(lane& l) {
  if (!l.batch || l.at == l.batch->end()) {
    if (l.in->position(l.partition) >= l.until) return std::nullopt;
    l.batch.emplace(l.in->poll());
    while (l.batch->error() == leat::errc::out_of_range) {  // again, where retention goes on meanwhile
      const std::uint64_t at = l.in->position(l.partition);
      const std::uint64_t start = topic_.start_offset(l.partition);
      if (start > at) {
        complain(fmt::format("topic {}, partition {}: retention removed offsets {} to {} before they were read",
                             topic_.name(), l.partition, at, start - 1));
      }
      l.in->seek({l.partition, start});
      l.batch.emplace(l.in->poll());
      if (start <= at) break;  // not for what retention removed: if it is out of range still, begin() says so
    }
    l.at = l.batch->begin();
    if (l.at == l.batch->end()) return std::nullopt;
  }
  const raw_record record = *l.at;
  if (record.offset() >= l.until) return std::nullopt;
  return record;
}

}  // namespace leat_tool
