// What the scenarios in this folder need of a log: the part that leat and Apache Kafka have in common.
//
// A scenario is written once, against these classes, and says what it has seen as text; so it can be run against
// anything that implements them, and the texts compared. Whatever implements them must bear with:
//
//   - rebalances take their time: scenarios wait for what must come to pass and never count polls
//   - times are milliseconds since 1970
//   - a topic keeps everything for ever unless its options say otherwise, whatever its records' timestamps
//   - keys go where Kafka's default partitioner (murmur2) has them; a send is acknowledged before the next
//   - a commit is synchronous
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace semantics {

using bytes = std::optional<std::string>;  // empty: null
using header_list = std::vector<std::pair<std::string, bytes>>;
using std::chrono::milliseconds;

struct topic_partition {
  std::string topic;
  std::uint32_t partition = 0;

  auto operator<=>(const topic_partition&) const = default;
};

struct record {
  topic_partition at;
  std::uint64_t offset = 0;
  bytes key;
  bytes value;
  header_list headers;
  std::int64_t timestamp = 0;
};

/// A record to send.
struct message {
  bytes key = std::nullopt;
  bytes value = std::nullopt;
  std::int64_t timestamp = 1;                             // not 0: librdkafka takes that for now
  std::optional<std::uint32_t> partition = std::nullopt;  // empty: as the partitioner has it
  header_list headers = {};
};

struct placed {
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;
};

struct topic_options {
  std::uint32_t partitions = 1;
  std::optional<std::uint64_t> segment_bytes = std::nullopt;
  std::optional<std::uint64_t> retention_bytes = std::nullopt;
  std::optional<milliseconds> retention_time = std::nullopt;
  bool compacted = false;  // as soon and as much as it can be
};

/// What a call came to. In Kafka `fenced` has many names: CommitFailed, IllegalGeneration, UnknownMemberId, RebalanceInProgress
/// (the member has been left out) and FencedInstanceId.
enum class outcome { ok, fenced, out_of_range, too_large, other };

struct polled {
  outcome code = outcome::ok;
  std::vector<record> records;
};

enum class reset_policy { latest, earliest, none };

struct consumer_options {
  std::string group = {};
  std::string client_id = {};
  std::string instance_id = {};
  reset_policy reset = reset_policy::earliest;
  bool auto_commit = false;
  milliseconds auto_commit_interval = std::chrono::seconds(5);
  std::string assignor = "cooperative-sticky";  // or range, roundrobin, sticky
  /// Of a member that is dead, or a static one that has left, until the others get its partitions.
  std::optional<milliseconds> session_timeout = std::nullopt;    // empty: backend::shortest_interval()
  std::optional<milliseconds> max_poll_interval = std::nullopt;  // empty: never over while a scenario runs
  std::uint32_t max_poll_records = 500;
};

struct offset_to_commit {
  topic_partition at;
  std::uint64_t offset = 0;
  std::string metadata = {};
};

struct committed_offset {
  std::uint64_t offset = 0;
  std::string metadata;
};

/// A consumer. Scenarios have it in a process of its own, see member.hpp.
class consumer {
 public:
  virtual ~consumer() = default;

  virtual void subscribe(const std::vector<std::string>& topics) = 0;
  /// Reads these partitions, and is no member.
  virtual void assign(const std::string& topic, const std::vector<std::uint32_t>& partitions) = 0;

  virtual polled poll(milliseconds timeout) = 0;

  /// What polls have returned.
  virtual outcome commit() = 0;
  virtual outcome commit(const offset_to_commit& offset) = 0;

  virtual std::uint64_t position(const topic_partition& p) = 0;
  virtual void seek(const topic_partition& p, std::uint64_t offset) = 0;
  virtual void pause(const topic_partition& p) = 0;
  virtual void resume(const topic_partition& p) = 0;

  virtual std::vector<topic_partition> owned() = 0;
  /// What became of its partitions since it was made: "+orders-0" was assigned, "-orders-0" revoked, "!orders-0" lost.
  virtual std::vector<std::string> changes() = 0;

  virtual void close() = 0;
};

class producer {
 public:
  virtual ~producer() = default;
  /// Throws when it fails.
  virtual placed send(const message& m) = 0;
};

/// The first offset that can be read, and the one behind the last.
struct watermarks {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};

/// A group as an operator sees it.
struct group_view {
  std::vector<std::string> members;               // client ids of those that live, sorted
  std::map<topic_partition, std::string> owners;  // client ids
};

/// What not all of them can do.
enum class ability {
  delete_records,
  retain,
  compact,
  find_times,
  describe_groups,
  static_members,
  commit_by_itself_behind_a_death,
  sticky_assignor
};

class backend {
 public:
  virtual ~backend() = default;

  virtual void create_topic(const std::string& name, const topic_options& options) = 0;
  virtual std::unique_ptr<producer> make_producer(const std::string& topic) = 0;
  /// Called in the child process in which the consumer is to live.
  virtual std::unique_ptr<consumer> make_consumer(const consumer_options& options) = 0;

  virtual watermarks offsets(const topic_partition& p) = 0;
  virtual std::optional<std::uint64_t> offset_for_time(const topic_partition& p, std::int64_t timestamp) = 0;
  /// Records below `before`.
  virtual void delete_records(const topic_partition& p, std::uint64_t before) = 0;
  /// Has retention look at the topic, where that does not happen by itself.
  virtual void apply_retention(const std::string& topic) = 0;

  virtual std::optional<committed_offset> committed(const std::string& group, const topic_partition& p) = 0;
  /// Empty: nobody can tell but the members themselves.
  virtual std::optional<group_view> describe(const std::string& group) = 0;

  /// The shortest session time-out and poll interval that it takes.
  virtual milliseconds shortest_interval() const = 0;
  /// For how long a poll waits where a scenario looks around after each.
  virtual milliseconds moment() const = 0;

  /// Why not; empty: it can.
  virtual std::string cannot(ability what) const = 0;
};

}  // namespace semantics
