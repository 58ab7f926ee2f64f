// Options: what a store, topic, producer or consumer can be told. Unset means the default, or, for an existing topic,
// whatever the topic has.
#pragma once

#include <leat/assignment.hpp>
#include <leat/types.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

namespace leat {

enum class open_mode { open_or_create, open, create };

struct store_options {
  open_mode mode = open_mode::open_or_create;

  /// Permission bits of the store's directory and of its own file (which gets them without the x bits); only used when
  /// it is created. A directory that everybody may write is refused.
  mode_t directory_mode = 0700;

  /// Who must own the store's directory: by default the effective user or root. Opening somebody else's store, for
  /// instance to read from it, takes their user id here.
  std::optional<uid_t> owner = std::nullopt;
};

/// Whose clock a record's timestamp is: the sender's (given, or read when it is sent), or always that of the append.
enum class timestamp_type : std::uint32_t { create_time = 0, log_append_time = 1 };

struct retention_options {
  /// Bytes kept in each partition: its oldest segment goes once the others hold at least this much, where a segment
  /// counts with the size of its file. `unlimited` keeps all until the device is full. Default 256 MiB.
  /// (Kafka's retention.bytes.)
  std::optional<std::uint64_t> bytes = std::nullopt;

  /// A segment goes once its largest timestamp is older than this. `forever`, the default, keeps them. (retention.ms.)
  std::optional<std::chrono::nanoseconds> time = std::nullopt;

  /// Segments wait for every group that reads the topic: they go once all of them have committed what they hold. Where
  /// `bytes` would be exceeded, producers wait (producer_options::max_block), and then get errc::back_pressure. Default false.
  std::optional<bool> wait_for_groups = std::nullopt;
};

/// When the records of a topic are on the device, so that they survive the death of the machine. (That of processes they
/// survive at once.)
enum class durability : std::uint32_t {
  none = 0,      // when the kernel likes; what a power failure leaves may have holes that nobody can tell from records
  interval = 1,  // some time after they were appended: flush_options
  every = 2      // before the send returns; those who wait together share one write to the device
};

/// When the producers of a topic with durability::interval flush: at an append, when either is reached. So what is left in
/// the end stays until the producer ends, or somebody calls flush(), or a housekeeper does.
struct flush_options {
  std::optional<std::chrono::nanoseconds> interval = std::nullopt;  // default 1 s (flush.ms)
  std::optional<std::uint64_t> bytes = std::nullopt;                // of one producer in one partition; default 16 MiB
};

/// What of a topic may change after its creation; what is unset stays. (Partitions can be added besides.)
struct topic_changes {
  retention_options retention = {};
  flush_options flush = {};
};

struct topic_options {
  open_mode mode = open_mode::open_or_create;

  std::optional<std::uint32_t> partitions = std::nullopt;     // 1 to 1024; default 1; more can be added later
  std::optional<std::uint64_t> segment_bytes = std::nullopt;  // 16 KiB to 16 GiB in pages of 4 KiB; default 16 MiB
  retention_options retention = {};
  std::optional<std::uint32_t> max_record_bytes =
      std::nullopt;  // framing included; default 1 MiB, or what fits in a segment
  std::optional<std::uint32_t> expected_record_bytes = std::nullopt;  // sizes the slot array; any value is correct
  std::optional<timestamp_type> timestamps = std::nullopt;            // default create_time
  std::optional<bool> single_writer = std::nullopt;                   // default false
  std::optional<mode_t> file_mode = std::nullopt;                     // of the topic's files; default 0600

  /// Default none. Others need a store in files: in shared memory nothing survives the machine.
  std::optional<leat::durability> durability = std::nullopt;
  flush_options flush = {};
};

/// Where a producer takes the time of a record that is sent without a timestamp.
enum class timestamp_source {
  precise,  // CLOCK_REALTIME, nanoseconds: some 20 ns a send
  coarse    // CLOCK_REALTIME_COARSE, the kernel's tick (1 to 10 ms): some 4 ns a send
};

/// Picks a partition, 0 to `partitions` - 1, for a record sent without an explicit one. `key`: empty for a null key.
using partitioner_function = std::function<std::uint32_t(std::optional<bytes_view> key, std::uint32_t partitions)>;

struct producer_options {
  timestamp_source clock = timestamp_source::precise;

  /// How long a send waits for a group where retention does so. (Kafka's max.block.ms.)
  std::chrono::nanoseconds max_block = std::chrono::seconds(60);

  /// Whether a send to a topic with durability::every returns when its record is on the device, or when it is appended: then
  /// flush() waits for all of them.
  bool wait_for_device = true;

  /// Default: Kafka's (murmur2 of the key; sticky for null keys).
  partitioner_function partitioner = nullptr;
};

/// Where to begin when a position lies outside the log, or when none is known. (Kafka's auto.offset.reset.)
enum class offset_reset { latest, earliest, none };

/// What a consumer does while there is nothing to read.
enum class wait_strategy {
  spin,   // look again at once: lowest latency, one core busy
  yield,  // look again after sched_yield()
  block   // spin for a few microseconds, then sleep in the kernel until a producer rings
};

/// What a member of a group wants to be told, within its calls to poll() and close(). Partitions that it keeps are never
/// mentioned.
struct rebalance_listener {
  using callback = std::function<void(std::span<const topic_partition>)>;

  callback assigned;  // read from now on; seek() may follow
  callback revoked;   // given up after this; the last moment to commit
  callback lost;      // somebody else may have them already: a commit would be fenced
};

struct consumer_options {
  /// Partitions to read; unset means all of the topic's, or those that the group assigns.
  std::optional<std::vector<std::uint32_t>> partitions = std::nullopt;
  offset_reset auto_offset_reset = offset_reset::latest;
  wait_strategy wait = wait_strategy::block;
  std::uint32_t max_poll_records = 500;  // from 1 to 2^20; what is outside becomes the nearest

  /// The group that it is a member of; empty: none. With `partitions` it is no member, but begins with what the group has
  /// committed and may commit where no member has the partition. (group.id)
  std::string group = {};

  /// Makes it a static member: after a restart within `session_timeout` it has its partitions again. (group.instance.id)
  std::string group_instance_id = {};
  std::chrono::nanoseconds session_timeout = std::chrono::seconds(45);

  std::string client_id = {};  // the beginning of its member id

  /// Commits at a poll, when the interval is over, and at close what earlier polls have returned. (enable.auto.commit)
  bool enable_auto_commit = true;
  std::chrono::nanoseconds auto_commit_interval = std::chrono::seconds(5);

  /// A member that does not poll for so long loses its partitions to the others. (max.poll.interval.ms)
  std::chrono::nanoseconds max_poll_interval = std::chrono::seconds(300);

  /// Default: cooperative_sticky_assignor(). All members of a group use the same. (partition.assignment.strategy)
  std::optional<leat::assignor> assignor = std::nullopt;
};

}  // namespace leat
