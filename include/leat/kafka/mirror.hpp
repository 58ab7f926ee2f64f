// A mirror: topics of a store to a Kafka cluster, or of a cluster to a store, for as long as it runs.
//
//     leat::kafka::mirror m{store, {.servers = "localhost:9092", .topics = {"trades"}}};
//     m.run([&] { return stop.load(); });
//
// Partition goes to partition, with keys, values, headers and timestamps (of which Kafka keeps milliseconds), each record
// exactly once, whoever is killed when: mirror_to_kafka.hpp and mirror_from_kafka.hpp say how, and what else it takes.
//
// Threads    one at a time; librdkafka has threads of its own.
// Processes  mirrors of one name share the partitions; when one dies, others, or the next, go on where it was.
// Crash      nothing is left to repair. To Kafka, the next mirror waits (mirror_options::settle) until nothing of the dead one
//            is on its way.
// Fork       a child must not use its parent's mirror.
// Cost       a record: a copy on either side, and some 300 ns of librdkafka; a commit (40 us) a partition every 200 ms.
#pragma once

#include <leat/kafka/mirror_from_kafka.hpp>
#include <leat/kafka/mirror_groups.hpp>
#include <leat/kafka/mirror_options.hpp>
#include <leat/kafka/mirror_to_kafka.hpp>
#include <leat/store.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace leat::kafka {

class mirror {
 public:
  /// Throws leat::error: invalid_argument for options that cannot be. Whether Kafka answers is seen later.
  mirror(const leat::store& store, const mirror_options& options) {
    if (options.direction == mirror_direction::to_kafka) {
      to_.emplace(store, options);
    } else {
      from_.emplace(store, options);
    }
    if (!options.groups.empty()) groups_.emplace(store, link().cluster(), name_of(options), options.groups);
  }

  /// Until `stop` says so, which is asked every 50 ms or so, or everything is mirrored (options.follow). Ends in good order.
  ///
  /// Throws what cannot be got over by waiting, above all: out_of_range (records had gone, or the other side has lost some),
  /// mismatched (somebody else writes there), too_large (a record that the other side does not take), conflicting_options
  /// (another number of partitions, for instance), permission_denied, closed.
  void run(const std::function<bool()>& stop = {}) {
    while (!(stop && stop()) && step()) {
    }
    close();
  }

  /// The same in pieces: mirrors what there is, or waits for a little while. False: everything is mirrored.
  bool step() {
    const bool goes_on = to_ ? to_->step() : from_->step();
    if (groups_) translate_when_due(!goes_on);
    return goes_on;
  }

  /// Commits, and leaves the partitions to other mirrors.
  void close() {
    to_ ? to_->close() : from_->close();
    if (groups_ && std::exchange(has_translated_, false)) translate_when_due(true);
  }

  mirror_report report() { return link().report(); }

  mirror_link& link() noexcept { return to_ ? to_->link() : from_->link(); }

 private:
  void translate_when_due(bool now) {
    if (!now && clock::now() < next_translation_) return;
    next_translation_ = clock::now() + link().options().group_interval;
    try {
      const bool is_to = to_.has_value();
      for (const std::string& group : (is_to ? groups_->to_kafka() : groups_->to_leat()).skipped) {
        if (!skipped_.insert(group).second) continue;
        link().tell(mirror_event::kind::groups_skipped,
                    "the offsets of group " + group + " are not translated: it has members on the other side");
      }
      has_translated_ = true;
    } catch (const error& e) {
      if (e.code() != errc::unreachable) throw;
      link().away("waiting for Kafka: " + std::string(e.what()));
    }
  }

  using clock = std::chrono::steady_clock;

  std::optional<mirror_to_kafka> to_;
  std::optional<mirror_from_kafka> from_;
  std::optional<mirror_groups> groups_;
  bool has_translated_ = false;
  std::set<std::string> skipped_;
  clock::time_point next_translation_{};
};

}  // namespace leat::kafka
