// A topic of Kafka's, with the type of its values and keys: as leat::topic.
//
// Kafka keeps bytes and does not know of what: that a topic has another type is not noticed before a record is read.
//
// Threads    copies share one state; any number of threads may use them at once.
// Cost       each question is put to a broker.
#pragma once

#include <leat/codec.hpp>
#include <leat/kafka/admin_calls.hpp>
#include <leat/kafka/cluster.hpp>
#include <leat/kafka/topic_configuration.hpp>
#include <leat/options.hpp>
#include <leat/types.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leat::kafka {

struct partition_description {
  std::uint32_t partition;
  std::uint64_t start_offset;  // lowest offset that can be read
  std::uint64_t end_offset;    // of the next record
};

struct topic_description {
  std::string name;
  std::uint64_t segment_bytes;
  std::uint64_t retention_bytes;            // a partition; leat::unlimited
  std::chrono::nanoseconds retention_time;  // leat::forever
  std::uint32_t max_record_bytes;
  timestamp_type timestamps;
  std::vector<partition_description> partitions;
  property_map configuration;  // all of it, as Kafka has it
};

/// Throws not_found.
inline topic_description describe(const cluster& of, const std::string& name) {
  const std::uint32_t partitions = of.existing_partitions(name);
  const auto settings = describe_configuration(of, name);
  const auto retention = number_in(settings, "retention.ms", unlimited);
  const auto type = settings.find("message.timestamp.type");
  topic_description d{.name = name,
                      .segment_bytes = number_in(settings, "segment.bytes", 0),
                      .retention_bytes = number_in(settings, "retention.bytes", unlimited),
                      .retention_time = retention > static_cast<std::uint64_t>(forever.count()) / 1'000'000
                                            ? forever
                                            : std::chrono::milliseconds(retention),
                      .max_record_bytes = static_cast<std::uint32_t>(number_in(settings, "max.message.bytes", 0)),
                      .timestamps = type != settings.end() && type->second.value == "LogAppendTime"
                                        ? timestamp_type::log_append_time
                                        : timestamp_type::create_time,
                      .partitions = {},
                      .configuration = {}};
  for (const auto& [key, setting] : settings) d.configuration[key] = setting.value;
  for (std::uint32_t p = 0; p < partitions; ++p) {
    const watermarks w = of.offsets({name, p});
    d.partitions.push_back({p, w.start, w.end});
  }
  return d;
}

template <class Value, class Key = std::string>
class topic {
  static_assert(encodable<Value> && encodable<Key>, "a topic's value and key need a codec, see leat/codec.hpp");

 public:
  topic(std::shared_ptr<kafka::cluster> of, std::string name) : cluster_(std::move(of)), name_(std::move(name)) {}

  const std::string& name() const noexcept { return name_; }
  std::uint32_t partitions() const { return cluster_->existing_partitions(name_); }

  /// The log start: lowest offset that can be read.
  std::uint64_t start_offset(std::uint32_t partition) const { return cluster_->offsets({name_, partition}).start; }
  /// The offset of the next record: one more than the last.
  std::uint64_t end_offset(std::uint32_t partition) const { return cluster_->offsets({name_, partition}).end; }

  /// The first offset whose timestamp is `at` or later, also where timestamps go back; empty when there is none.
  std::optional<std::uint64_t> offset_for_time(std::uint32_t partition, timestamp at) const {
    return cluster_->offset_for_time({name_, partition}, at);
  }

  topic_description describe() const { return kafka::describe(*cluster_, name_); }

  const std::shared_ptr<kafka::cluster>& cluster() const noexcept { return cluster_; }

 private:
  std::shared_ptr<kafka::cluster> cluster_;
  std::string name_;
};

}  // namespace leat::kafka
