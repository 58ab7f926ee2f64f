// leat's topic options as Kafka's topic configuration, and back.
#pragma once

#include <leat/error.hpp>
#include <leat/kafka/admin_calls.hpp>
#include <leat/kafka/client.hpp>
#include <leat/options.hpp>
#include <leat/types.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace leat::kafka {

namespace detail {

/// -1: no limit. Whole milliseconds, rounded down, as Kafka has no finer ones.
inline std::string retention_text(std::chrono::nanoseconds t) {
  return t == forever ? "-1" : std::to_string(std::chrono::floor<std::chrono::milliseconds>(t).count());
}
inline std::string retention_text(std::uint64_t bytes) { return bytes == unlimited ? "-1" : std::to_string(bytes); }

[[noreturn]] inline void throw_unsupported(const std::string& topic, const char* option, const char* why) {
  throw error(errc::unsupported, topic, std::string(option) + " is set, but " + why);
}

}  // namespace detail

/// What of these a running topic may be told. Throws unsupported for what Kafka cannot do.
inline property_map configuration_of(const topic_changes& changes, const std::string& topic) {
  property_map c;
  if (changes.retention.bytes) c["retention.bytes"] = detail::retention_text(*changes.retention.bytes);
  if (changes.retention.time) c["retention.ms"] = detail::retention_text(*changes.retention.time);
  if (changes.retention.wait_for_groups.value_or(false)) {
    detail::throw_unsupported(topic, "retention.wait_for_groups", "Kafka's retention waits for nobody");
  }
  if (changes.flush.interval) {
    c["flush.ms"] = std::to_string(milliseconds_of(*changes.flush.interval, 1));
  }
  if (changes.flush.bytes)
    detail::throw_unsupported(topic, "flush.bytes", "Kafka counts messages between two flushes, not bytes");
  return c;
}

/// Of a topic that is to be created. What is unset is left to the brokers. `expected_record_bytes` means nothing to Kafka.
inline property_map configuration_of(const topic_options& options, const std::string& topic) {
  property_map c = configuration_of(topic_changes{options.retention, options.flush}, topic);
  if (options.segment_bytes) c["segment.bytes"] = std::to_string(*options.segment_bytes);
  if (options.max_record_bytes) c["max.message.bytes"] = std::to_string(*options.max_record_bytes);
  if (options.timestamps) {
    c["message.timestamp.type"] =
        *options.timestamps == timestamp_type::log_append_time ? "LogAppendTime" : "CreateTime";
  }
  if (options.durability == durability::every) c["flush.messages"] = "1";
  if (options.durability == durability::interval) c.try_emplace("flush.ms", "1000");
  if (options.single_writer.value_or(false))
    detail::throw_unsupported(topic, "single_writer", "any client may write to a topic of Kafka's");
  if (options.file_mode) detail::throw_unsupported(topic, "file_mode", "Kafka's access is a matter of its ACLs");
  return c;
}

/// A whole number among a topic's settings; `otherwise` where there is none, or it is negative.
inline std::uint64_t number_in(const std::map<std::string, topic_setting>& settings, const std::string& name,
                               std::uint64_t otherwise) {
  const auto found = settings.find(name);
  if (found == settings.end() || found->second.value.empty() || found->second.value.front() == '-') return otherwise;
  return std::stoull(found->second.value);
}

}  // namespace leat::kafka
