// The map of offsets between both sides of a mirror: the topic `__mirror.NAME` of the store, which has a record for each pair
// of offsets from which on the difference between both is another one.
//
//     key    TOPIC:PARTITION, of the store
//     value  LEAT KAFKA, two offsets
//
// One record a partition, where nobody else writes and Kafka's offsets have no holes.
//
// Processes  any number may write and read it.
// Crash      a pair may be there twice, or without the records behind it, which then come under the next pair.
#pragma once

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/kafka/mirror_options.hpp>
#include <leat/kafka/mirror_state.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace leat::kafka {

/// The pairs of one partition, in the order in which they were found.
class offset_pairs {
 public:
  void add(const offset_pair& pair) {
    // What was begun and not gone on with, before a death, is replaced.
    while (!pairs_.empty() && (pairs_.back().leat >= pair.leat || pairs_.back().kafka >= pair.kafka)) pairs_.pop_back();
    pairs_.push_back(pair);
  }

  /// Where a reader of leat that has come to `offset` goes on in Kafka. Empty: before all that is known. What is not there (dead
  /// letters) goes on behind it.
  std::optional<std::int64_t> to_kafka(std::uint64_t offset) const {
    const auto next = std::upper_bound(pairs_.begin(), pairs_.end(), offset,
                                       [](std::uint64_t o, const offset_pair& p) { return o < p.leat; });
    if (next == pairs_.begin()) return std::nullopt;
    const offset_pair& from = *std::prev(next);
    const std::int64_t to = from.kafka + static_cast<std::int64_t>(offset - from.leat);
    return next == pairs_.end() ? to : std::min(to, next->kafka);
  }

  /// Where a reader of Kafka that has come to `offset` goes on in leat. What is in a hole goes on behind it.
  std::optional<std::uint64_t> to_leat(std::int64_t offset) const {
    const auto next = std::upper_bound(pairs_.begin(), pairs_.end(), offset,
                                       [](std::int64_t o, const offset_pair& p) { return o < p.kafka; });
    if (next == pairs_.begin()) return std::nullopt;
    const offset_pair& from = *std::prev(next);
    const std::uint64_t to = from.leat + static_cast<std::uint64_t>(offset - from.kafka);
    return next == pairs_.end() ? to : std::min(to, next->leat);
  }

  const std::vector<offset_pair>& all() const noexcept { return pairs_; }

 private:
  std::vector<offset_pair> pairs_;
};

class mirror_map {
 public:
  static std::string topic_of(const std::string& mirror) { return mirror_topic_prefix + mirror; }

  mirror_map(const leat::store& store, const std::string& mirror)
      : topic_(store.topic<std::string>(topic_of(mirror))), out_(topic_) {}

  /// The topic, where it is not there yet.
  static void make(const leat::store& store, const std::string& mirror) {
    try {
      leat::admin(store).create_topic(topic_of(mirror), {.segment_bytes = 256 << 10, .retention = {.bytes = 4 << 20}});
    } catch (const error& e) {
      if (e.code() != errc::already_exists) throw;
    }
  }

  void add(const topic_partition& at, const offset_pair& pair) {
    const std::string text = std::to_string(pair.leat) + ' ' + std::to_string(pair.kafka);
    (void)out_.send(key_of(at), text).value();
  }

  /// Of all partitions.
  std::map<topic_partition, offset_pairs> read() const { return read(topic_); }

  /// Empty where there is no such mirror.
  static std::map<topic_partition, offset_pairs> read(const leat::store& store, const std::string& mirror) {
    try {
      return read(store.topic<std::string>(topic_of(mirror), {.mode = open_mode::open}));
    } catch (const error& e) {
      if (e.code() != errc::not_found) throw;
      return {};
    }
  }

 private:
  static std::string key_of(const topic_partition& at) { return at.topic + ':' + std::to_string(at.partition); }

  static std::map<topic_partition, offset_pairs> read(const leat::topic<std::string>& from) {
    std::map<topic_partition, offset_pairs> found;
    leat::consumer in{from, {.auto_offset_reset = offset_reset::earliest}};
    const std::uint64_t end = from.end_offset(0);
    while (in.position(0) < end) {
      for (const auto& record : in.poll()) {
        const std::string_view key = record.key();
        const std::size_t colon = key.rfind(':');
        std::istringstream number{std::string(key.substr(std::min(key.size(), colon + 1)))};
        std::istringstream offsets{std::string(record.value())};
        topic_partition at{std::string(key.substr(0, colon)), 0};
        offset_pair pair;
        if (colon == key.npos || !(number >> at.partition) || !(offsets >> pair.leat >> pair.kafka)) {
          throw error(errc::corrupt, "topic " + from.name(),
                      "the record at offset " + std::to_string(record.offset()) +
                          " is no pair of offsets: expected the key TOPIC:PARTITION and the value LEAT KAFKA");
        }
        found[at].add(pair);
      }
    }
    return found;
  }

  leat::topic<std::string> topic_;
  leat::producer<std::string> out_;
};

}  // namespace leat::kafka
