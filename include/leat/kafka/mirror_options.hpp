// What a mirror is told, and what it tells. See mirror.hpp.
#pragma once

#include <leat/admin.hpp>
#include <leat/options.hpp>
#include <leat/types.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace leat::kafka {

enum class mirror_direction { to_kafka, from_kafka };

/// What a mirror promises of a partition.
enum class guarantee {
  exactly_once,   // each record is on the other side once, whoever was killed when
  at_least_once,  // others write there, too: what was on its way when the mirror was killed is there twice
};

/// Something that whoever runs a mirror wants to know.
struct mirror_event {
  enum class kind {
    opened,         // a partition is mirrored from now on
    waiting,        // Kafka does not answer, or the store has no room: it is tried again
    going_on,       // it does again
    skipped,        // records had gone before they could be mirrored
    dead_letter,    // a record that the other side does not take
    shared,         // another one writes there: at least once from now on
    groups_skipped  // a group's offsets are not translated: it has members on the other side
  };
  kind what;
  std::string text;
};

struct mirror_options {
  mirror_direction direction = mirror_direction::to_kafka;

  std::string servers = {};  // bootstrap.servers
  /// librdkafka's, for all of its clients. What the guarantee rests on cannot be changed.
  std::map<std::string, std::string> properties = {};

  /// Topics of the side that is mirrored; or one POSIX extended regular expression that their whole names match, those that
  /// are made later, too. A topic that is not there yet is waited for.
  std::vector<std::string> topics = {};
  bool is_pattern = false;
  std::string prefix = {};  // put before the names on the other side

  /// What the mirror keeps in the store is called after it: the group `mirror.NAME` and the topic `__mirror.NAME`. Default
  /// "to-kafka" and "from-kafka". Mirrors of one name share the partitions.
  std::string name = {};

  /// Where it begins in partitions that it has not mirrored yet.
  leat::offset_reset from = leat::offset_reset::earliest;
  /// False: ends when everything is mirrored that was there when it began.
  bool follow = true;

  /// Topics that are made: in Kafka, with these of its settings; in the store, with these options and types.
  std::map<std::string, std::string> kafka_config = {};
  std::int32_t replication_factor = -1;  // -1: the cluster's default
  /// The largest message of Kafka's topics; 0: Kafka is asked for their settings. (A mock cluster does not answer that.)
  std::uint64_t max_message_bytes = 0;
  leat::topic_options leat_options = {};
  leat::topic_types leat_types = {};

  /// Records that had gone (retention) before they were mirrored are skipped, and counted; else they are an error.
  bool skip_expired = false;
  /// Others may write to the other side: then it is at least once. Else they are an error as soon as they are seen.
  bool shared = false;
  /// A topic of the store for records that are too large for the other side; empty: such a record is an error, which names it.
  std::string dead_letter_topic = {};

  /// Groups whose offsets are translated for the other side: a POSIX extended regular expression; empty: none.
  std::string groups = {};
  std::chrono::nanoseconds group_interval = std::chrono::seconds(5);

  std::chrono::nanoseconds commit_interval = std::chrono::milliseconds(200);
  /// To Kafka, behind a mirror that was killed: how long the partition's end must stay where it is, while Kafka answers, until
  /// nothing of the dead one can be on its way any more.
  std::chrono::nanoseconds settle = std::chrono::seconds(2);
  /// How long the end of a mirror waits for what is on its way. What is left is settled by the next one.
  std::chrono::nanoseconds drain = std::chrono::seconds(10);

  std::function<void(const mirror_event&)> on_event = nullptr;
};

/// What a mirror has done since it began.
struct mirror_report {
  std::uint64_t records = 0;  // acknowledged by the other side
  std::uint64_t bytes = 0;    // of keys and values
  std::uint64_t skipped = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t errors = 0;  // of Kafka's, after which it was tried again
  std::uint64_t lag = 0;     // records that wait to be mirrored, as far as is known
  std::size_t partitions = 0;
  guarantee promise = guarantee::exactly_once;  // of all its partitions
};

inline std::string name_of(const mirror_options& o) {
  if (!o.name.empty()) return o.name;
  return o.direction == mirror_direction::to_kafka ? "to-kafka" : "from-kafka";
}

inline constexpr const char* mirror_group_prefix = "mirror.";
inline constexpr const char* mirror_topic_prefix = "__mirror.";

}  // namespace leat::kafka
