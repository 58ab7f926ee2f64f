// Offsets of groups from one side of a mirror to the other, so that consumers can move over: a group that has read up to a
// record here goes on behind the same record there.
//
// Only forward: a group that has come further on the other side already stays there. And not while it has members there.
//
// Processes  works from what a mirror has committed in the store; the mirror may run or not.
#pragma once

#include <leat/admin.hpp>
#include <leat/group/standalone.hpp>
#include <leat/group/subscription.hpp>
#include <leat/kafka/mirror_cluster.hpp>
#include <leat/kafka/mirror_map.hpp>
#include <leat/kafka/mirror_options.hpp>
#include <leat/kafka/mirror_state.hpp>
#include <leat/storage/topic_log.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leat::kafka {

/// What became of the offsets of groups.
struct translation_report {
  std::size_t offsets = 0;           // put forward
  std::vector<std::string> skipped;  // groups that have members on the other side
};

class mirror_groups {
 public:
  /// `mirror`: its name. `pattern`: of the groups' names, a POSIX extended regular expression.
  mirror_groups(const leat::store& store, const mirror_cluster& cluster, const std::string& mirror,
                const std::string& pattern)
      : store_(store), cluster_(cluster), mirror_(mirror), filter_({pattern}, true, "groups") {}

  translation_report to_kafka() const {
    translation_report report;
    const std::vector<place> places = mirrored();
    for (const std::string& group : leat::admin(store_).groups()) {
      if (!is_wanted(group)) continue;
      offsets there;
      for (const place& p : places) {
        while_it_is_there(p, [&] {
          const auto here = p.log->find_group(group);
          const auto committed = here == nullptr ? std::nullopt : here->committed(p.at.partition);
          if (!committed) return;
          const auto offset = p.pairs.to_kafka(std::min(committed->offset, p.state.at.leat));
          if (offset) there[{p.state.topic, p.at.partition}] = {*offset, committed->metadata};
        });
      }
      if (there.empty()) continue;
      const offsets before = cluster_.committed(group);
      std::erase_if(there, [&](const auto& o) {
        const auto found = before.find(o.first);
        return found != before.end() && found->second.first >= o.second.first;
      });
      if (there.empty()) continue;
      try {
        cluster_.commit(group, there);
        report.offsets += there.size();
      } catch (const error& e) {
        if (e.code() != errc::group_not_empty) throw;
        report.skipped.push_back(group);
      }
    }
    return report;
  }

  translation_report to_leat() const {
    translation_report report;
    const std::vector<place> places = mirrored();
    if (places.empty()) return report;
    for (const std::string& group : cluster_.groups()) {
      if (!is_wanted(group)) continue;
      const offsets there = cluster_.committed(group);
      std::optional<leat::group::standalone> committer;
      bool is_skipped = false;
      for (const place& p : places) {
        const auto committed = there.find({p.state.topic, p.at.partition});
        if (committed == there.end()) continue;
        const auto offset = p.pairs.to_leat(std::min(committed->second.first, p.state.at.kafka));
        if (!offset) continue;
        while_it_is_there(p, [&] {
          const auto before = p.log->find_group(group);
          const auto position = before == nullptr ? std::nullopt : before->committed_position(p.at.partition);
          if (position && *position >= *offset) return;
          if (!committer) committer.emplace(store_.files(), group);
          const errc outcome = committer->commit(*p.log, p.at.partition, *offset, committed->second.second);
          if (outcome == errc::fenced) {
            is_skipped = true;
          } else if (outcome != errc::ok) {
            throw error(outcome, "group " + group, "its offsets cannot be set");
          } else {
            ++report.offsets;
          }
        });
      }
      if (committer) committer->acknowledge();
      if (is_skipped) report.skipped.push_back(group);
    }
    return report;
  }

 private:
  using offsets = std::map<topic_partition, std::pair<std::int64_t, std::string>>;

  /// A partition that is mirrored.
  struct place {
    topic_partition at;
    std::shared_ptr<storage::topic_log> log;
    mirror_state state;
    offset_pairs pairs;
  };

  bool is_wanted(const std::string& group) const {
    return filter_.matches(group) && !group.starts_with(mirror_group_prefix);
  }

  /// Between the looks at the topics and the work on them lie calls to Kafka: a topic that was deleted meanwhile is left out.
  template <class Work>
  static void while_it_is_there(const place& p, Work work) {
    try {
      work();
    } catch (const error&) {
      if (!p.log->closed()) throw;
    }
  }

  std::vector<place> mirrored() const {
    std::vector<place> places;
    auto pairs = mirror_map::read(store_, mirror_);
    for (const std::string& name : store_.topics()) {
      const auto log = storage::topic_log::open_untyped(store_.files(), name);
      if (log == nullptr) continue;
      const auto committed = log->find_group(mirror_group_prefix + mirror_);
      if (committed == nullptr) continue;
      for (std::uint32_t id = 0; id < std::min(log->partitions(), committed->capacity()); ++id) {
        place p{{name, id}, log, {}, {}};
        while_it_is_there(p, [&] {
          const auto offset = committed->committed(id);
          const auto state = offset ? parse_mirror_state(offset->metadata) : std::nullopt;
          if (!state) return;
          offset_pairs& known = pairs[{name, id}];
          if (known.all().empty()) known.add(state->at);  // the map has lost it
          p.state = *state;
          p.pairs = known;
          places.push_back(std::move(p));
        });
      }
    }
    return places;
  }

  leat::store store_;
  const mirror_cluster& cluster_;
  std::string mirror_;
  leat::group::topic_filter filter_;
};

}  // namespace leat::kafka
