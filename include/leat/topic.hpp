// A topic: a partitioned log of values of one type, opened.
//
// Threads    copies share one state; any number of threads may use them at once.
// Processes  any number may have the same topic open.
// Cost       opening maps one file; segments are mapped when they are used.
#pragma once

#include <leat/codec.hpp>
#include <leat/storage/cursor.hpp>
#include <leat/storage/times.hpp>
#include <leat/storage/topic_log.hpp>
#include <leat/types.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leat {

struct partition_description {
  std::uint32_t partition;
  std::uint64_t start_offset;  // lowest offset that can be read
  std::uint64_t end_offset;    // of the next record
  std::uint64_t segments;      // with records that can be read, the one that is written included
  std::uint64_t rolls;         // segments begun after the first
  // Counted by the producers now and then, see docs/format.md.
  std::uint64_t bytes_appended;  // framing included
  std::uint64_t fresh_segments;
  std::uint64_t recycled_segments;
  std::uint64_t contended_publishes;
  std::uint64_t wake_ups;
  std::uint64_t back_pressure;
  std::uint64_t flushes;
  std::uint64_t durable_offset;                // records below are on the device; 0 in topics without durability
  std::optional<std::uint64_t> recovered_end;  // where it ended when it was recovered after the death of the machine
};

struct topic_description {
  std::string name;
  std::string value_type;
  std::string key_type;
  std::uint64_t segment_bytes;
  std::uint64_t retention_bytes;            // a partition; leat::unlimited
  std::chrono::nanoseconds retention_time;  // leat::forever
  bool wait_for_groups;
  std::uint32_t max_record_bytes;
  timestamp_type timestamps;
  bool single_writer;
  std::uint32_t value_alignment;
  mode_t file_mode;
  leat::durability durability;
  std::chrono::nanoseconds flush_interval;  // of durability::interval; leat::forever
  std::uint64_t flush_bytes;                // likewise; leat::unlimited
  leat::timestamp created;
  std::optional<leat::timestamp> recovered;  // when that was last; empty: never
  std::vector<partition_description> partitions;
};

namespace detail {

inline storage::partition& partition_of(storage::topic_log& log, std::uint32_t partition) {
  if (partition < log.partitions() || partition < log.refresh()) return log.partition(partition);
  throw error(errc::invalid_argument, log.path(),
              "partition is " + std::to_string(partition) + ", expected 0 to " + std::to_string(log.partitions() - 1));
}

inline topic_description describe(storage::topic_log& log) {
  const format::topic_header& h = log.header();
  topic_description d{.name = log.name(),
                      .value_type = h.value_name,
                      .key_type = h.key_name,
                      .segment_bytes = h.segment_bytes,
                      .retention_bytes = log.retention_bytes(),
                      .retention_time = log.retention_time(),
                      .wait_for_groups = log.waits_for_groups(),
                      .max_record_bytes = h.max_record_bytes,
                      .timestamps = static_cast<timestamp_type>(h.timestamps),
                      .single_writer = h.single_writer != 0,
                      .value_alignment = h.value_alignment,
                      .file_mode = h.file_mode,
                      .durability = log.durability(),
                      .flush_interval = log.flush_interval(),
                      .flush_bytes = log.flush_bytes(),
                      .created = leat::timestamp(std::chrono::nanoseconds(h.created)),
                      .recovered = log.recovered(),
                      .partitions = {}};
  for (std::uint32_t id = 0; id < log.partitions(); ++id) {
    storage::partition& p = log.partition(id);
    const format::partition_counters& c = p.counters();
    const auto count = [](const std::uint64_t& word) { return sync::counter(word).approximate(); };
    const std::uint64_t start = p.start_offset().observe();
    const auto [first, begun] = p.segments();
    const std::uint64_t durable = p.durable().observe();  // before the end
    d.partitions.push_back({id, start, storage::end_offset(p), begun - first, begun == 0 ? 0 : begun - 1,
                            count(c.bytes_appended), count(c.fresh_segments), count(c.recycled_segments),
                            count(c.contended_publishes), count(c.wake_ups), count(c.back_pressure), count(c.flushes),
                            durable, log.recovered() ? std::optional(count(p.words().recovered_end)) : std::nullopt});
  }
  return d;
}

}  // namespace detail

template <class Value, class Key = std::string>
class topic {
  static_assert(encodable<Value> && encodable<Key>, "a topic's value and key need a codec, see leat/codec.hpp");
  static_assert(detail::alignment_of<Key>() <= format::record_alignment, "keys are aligned to 8 bytes at most");

 public:
  explicit topic(std::shared_ptr<storage::topic_log> log) : log_(std::move(log)) {}

  const std::string& name() const noexcept { return log_->name(); }
  std::uint32_t partitions() const noexcept { return log_->partitions(); }

  /// The log start: lowest offset that can be read.
  std::uint64_t start_offset(std::uint32_t partition) const {
    return detail::partition_of(*log_, partition).start_offset().observe();
  }
  /// The offset of the next record: one more than the last.
  std::uint64_t end_offset(std::uint32_t partition) const {
    return storage::end_offset(detail::partition_of(*log_, partition));
  }

  /// The first offset whose timestamp is `at` or later, also where timestamps go back; empty when there is none.
  /// Cost: looks once at every record of a segment of which nobody has asked yet.
  std::optional<std::uint64_t> offset_for_time(std::uint32_t partition, timestamp at) const {
    return storage::offset_for_time(detail::partition_of(*log_, partition), at.time_since_epoch().count());
  }

  topic_description describe() const { return detail::describe(*log_); }

  const std::shared_ptr<storage::topic_log>& log() const noexcept { return log_; }

 private:
  std::shared_ptr<storage::topic_log> log_;
};

}  // namespace leat
