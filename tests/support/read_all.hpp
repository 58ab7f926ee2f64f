// Everything in a partition, read from the log start.
#pragma once

#include <leat/consumer.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leat_tests {

/// A copy of a record, for comparing.
struct record_copy {
  std::uint64_t offset = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  std::int64_t timestamp = 0;

  bool operator==(const record_copy&) const = default;
};

inline std::optional<std::string> copy_of(const std::optional<leat::bytes_view>& bytes) {
  if (!bytes) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

template <class Value, class Key>
record_copy copy_of(const leat::record_view<Value, Key>& record) {
  record_copy copy{.offset = record.offset(),
                   .key = copy_of(record.key_bytes()),
                   .value = copy_of(record.value_bytes()),
                   .headers = {},
                   .timestamp = record.timestamp().time_since_epoch().count()};
  for (const leat::header& h : record.headers()) copy.headers.emplace_back(std::string(h.name), copy_of(h.value));
  return copy;
}

template <class Value, class Key>
std::vector<record_copy> read_all(const leat::topic<Value, Key>& topic, std::uint32_t partition = 0) {
  leat::consumer in{topic, {.partitions = {{partition}}, .auto_offset_reset = leat::offset_reset::earliest}};
  std::vector<record_copy> all;
  const std::uint64_t end = topic.end_offset(partition);
  while (in.position(partition) < end) {
    for (const auto& record : in.poll()) all.push_back(copy_of(record));
  }
  return all;
}

/// Only the values.
template <class Value, class Key>
std::vector<std::string> values_of(const leat::topic<Value, Key>& topic, std::uint32_t partition = 0) {
  std::vector<std::string> values;
  for (const record_copy& record : read_all(topic, partition)) values.push_back(record.value.value_or("null"));
  return values;
}

}  // namespace leat_tests
