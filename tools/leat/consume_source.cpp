#include "consume_source.hpp"

#include "exit_code.hpp"
#include "output.hpp"
#include "positions.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <utility>

namespace leat_tool {

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t usual_poll = 500;
constexpr auto longest_wait = 100ms;
constexpr auto commit_interval = 1s;
// A member of a full group gets no partition; after so long it does not wait for one where it is to end at the end.
constexpr auto longest_join = 2s;

leat::consumer_options options_of(const source_options& o, std::uint64_t most) {
  leat::consumer_options options;
  options.max_poll_records = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(most, 1, usual_poll));
  if (o.group.empty()) {
    if (!o.partitions.empty()) options.partitions = o.partitions;  // else also those that are added later
    options.auto_offset_reset = leat::offset_reset::none;          // what is lost is told
    return options;
  }
  const bool earliest = o.from && std::holds_alternative<earliest_place>(*o.from);
  options.auto_offset_reset = earliest ? leat::offset_reset::earliest : leat::offset_reset::latest;
  options.group = o.group;
  options.group_instance_id = o.instance_id;
  options.client_id = "leat-consume";
  options.enable_auto_commit = false;  // it would commit what was read, but what was printed counts
  return options;
}

raw_consumer open(const leat::store& store, const raw_topic& topic, const source_options& o, std::uint64_t most) {
  choose_partitions(topic, o.partitions);  // says which there are
  if (o.group.empty()) return raw_consumer(topic, options_of(o, most));
  return raw_consumer(store, options_of(o, most));
}

}  // namespace

source::source(const leat::store& store, const raw_topic& topic, const source_options& options, std::uint64_t most,
               bool until_end)
    : topic_(topic), options_(options), in_(open(store, topic, options, most)) {
  if (in_group()) {
    leat::rebalance_listener listener;
    listener.revoked = [this](std::span<const leat::topic_partition>) { hand_over(); };
    in_.subscribe({topic.name()}, listener);
    return;
  }
  for (const std::uint32_t p : choose_partitions(topic, options_.partitions)) {
    if (until_end) until_[p] = topic_.end_offset(p);
    in_.seek({p, offset_of(topic_, p, options_.from.value_or(latest_place{}))});
  }
}

std::uint64_t source::take(std::uint64_t most, const std::function<void(const raw_record&)>& use) {
  auto batch = in_.poll();
  if (batch.error() == leat::errc::ok && batch.empty()) {
    flush_and_commit();
    batch = in_.poll(longest_wait);
  }
  if (output_failed_) throw closed_pipe();
  if (batch.error() == leat::errc::out_of_range && !in_group()) {
    skip_what_is_lost();
    return 0;
  }
  std::uint64_t count = 0;
  std::map<std::uint32_t, std::uint64_t> left_over;
  for (const auto& record : batch) {
    const auto end = until_.find(record.partition());
    if (end != until_.end() && record.offset() >= end->second) continue;
    if (count == most) {
      left_over.try_emplace(record.partition(), record.offset());
      continue;
    }
    use(record);
    ++count;
  }
  for (const auto& [partition, offset] : left_over) in_.seek({topic_.name(), partition}, offset);
  if (in_group() && clock::now() - committed_ >= commit_interval) flush_and_commit();
  return count;
}

void source::skip_what_is_lost() {
  for (const std::uint32_t p : in_.assignment()) {
    const std::uint64_t at = in_.position(p);
    const std::uint64_t start = topic_.start_offset(p);
    if (at >= start) continue;
    complain(fmt::format("topic {}, partition {}: retention removed offsets {} to {} before they were read",
                         topic_.name(), p, at, start - 1));
    in_.seek({p, start});
  }
}

bool source::at_end() {
  if (!in_group()) {
    return std::ranges::all_of(until_, [&](const auto& end) { return in_.position(end.first) >= end.second; });
  }
  const auto owned = in_.owned();
  if (owned.empty()) return clock::now() - began_ >= longest_join;
  return std::ranges::all_of(owned, [&](const auto& p) { return in_.lag(p) == 0; });
}

void source::finish() {
  flush_and_commit();
  in_.close();
}

void source::flush_and_commit() {
  try {
    out().flush();
  } catch (...) {
    output_failed_ = true;
    throw;
  }
  if (!in_group()) return;
  committed_ = clock::now();
  // Fenced: the group took a partition away meanwhile, and its new owner prints these records again.
  const auto outcome = in_.commit(positions());
  if (outcome || outcome.error() == leat::errc::fenced) return;
  complain(fmt::format("group {}: cannot commit: {}", options_.group, make_error_code(outcome.error()).message()));
}

/// Also of partitions of which nothing was read yet: what is sent while no member is there shall not be missed.
std::vector<leat::partition_offset> source::positions() {
  std::vector<leat::partition_offset> positions;
  for (const auto& p : in_.owned()) positions.push_back({p, in_.position(p)});
  return positions;
}

/// What the group takes away shall go on where this member ends. Called within polls and when the group is left.
void source::hand_over() noexcept {
  if (output_failed_) return;
  try {
    flush_and_commit();
  } catch (...) {
    output_failed_ = true;  // take() throws it again
  }
}

}  // namespace leat_tool
