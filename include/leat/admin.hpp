// Administration: what an operator does to a store, without joining anything.
//
// Threads    any number at once.
// Processes  any number; each operation is safe beside running producers and consumers.
#pragma once

#include <leat/group/group_files.hpp>
#include <leat/group/standalone.hpp>
#include <leat/storage/appender.hpp>
#include <leat/storage/preparation.hpp>
#include <leat/storage/retention.hpp>
#include <leat/storage/verification.hpp>
#include <leat/store.hpp>
#include <leat/topic.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace leat {

/// What a topic's records are, by the names that describe() gives; for a topic that is made without its C++ types.
struct topic_types {
  std::string value = "string";
  std::string key = "string";
  std::uint32_t value_alignment = 1;
};

struct member_description {
  std::string id;
  std::string instance_id;  // of a static member
  std::string client_id;
  std::uint64_t process;  // its id in its own pid namespace
  bool alive;             // holds its lease
  timestamp joined;
  timestamp last_poll;
  bool is_pattern;
  std::vector<std::string> subscription;  // topics, or one regular expression
  std::vector<topic_partition> partitions;
};

struct group_offset {
  topic_partition at;
  std::optional<std::uint64_t> committed;
  std::string metadata;
  std::uint64_t start_offset;
  std::uint64_t end_offset;
  std::uint64_t lag;  // from what is committed, or where the group began, or the log start, to the end
  std::string owner;  // member id; empty: nobody
};

struct group_description {
  std::string name;
  std::string assignor;      // of its members; empty: it has none
  std::uint64_t rebalances;  // changes of its members, topics or partitions so far
  std::uint64_t evictions;   // members that died or were stuck
  std::uint64_t fenced_commits;
  std::vector<member_description> members;
  std::vector<group_offset> offsets;  // of the topics in which it has committed or owns something
  std::vector<finding> skipped = {};  // what could not be looked at, and why
};

/// Where reset_offsets() puts a group.
struct to_earliest {};
struct to_latest {};
struct to_time {
  timestamp time;  // the first record with this timestamp or a later one, or the end
};
struct to_offset {
  std::uint64_t offset;
};
struct shift_by {
  std::int64_t records;  // from what is committed
};
using reset_target = std::variant<to_earliest, to_latest, to_time, to_offset, shift_by>;

/// A file of a partition's log.
struct segment_description {
  std::uint64_t sequence;
  std::string path;
  std::uint64_t base_offset;
  std::uint64_t end_offset;
  std::uint64_t file_bytes;
  std::uint64_t used_bytes;  // header, slots and what producers have taken of the data area
  bool sealed;
  std::optional<timestamp> largest_timestamp;  // empty: no records
  std::string defect;                          // why it cannot be read, where it cannot; then the rest is not known
};

/// What clean() has removed.
struct clean_report {
  std::size_t topics = 0;             // half made or half deleted
  std::size_t files = 0;              // of dead makers
  std::size_t members = 0;            // without a lease
  std::size_t segments = 0;           // by retention
  std::vector<finding> skipped = {};  // what could not be looked at, and why: all else was cleaned
};

class admin {
 public:
  explicit admin(leat::store store) : store_(std::move(store)), files_(store_.files()) {}

  const leat::store& store() const noexcept { return store_; }

  // --- topics ---

  /// Throws already_exists, and as store::topic() for options that cannot be.
  void create_topic(const std::string& name, topic_options options = {}, const topic_types& types = {}) const {
    options.mode = open_mode::create;
    storage::topic_log::open(files_, name, options, identity(types.value, types.value_alignment),
                             identity(types.key, 1));
  }

  std::vector<std::string> topics() const { return store_.topics(); }
  topic_description describe_topic(const std::string& name) const { return store_.describe_topic(name); }

  /// Running producers and consumers take it over at their next use. Throws invalid_argument.
  void alter_topic(const std::string& name, const topic_changes& changes) const { open(name)->alter(changes); }

  /// Makes it `total` partitions. Keys may go to other partitions from then on, as in Kafka. Throws invalid_argument for
  /// fewer than there are.
  void add_partitions(const std::string& name, std::uint32_t total) const {
    const auto log = open(name);
    if (total < log->partitions()) {
      throw error(errc::invalid_argument, log->path(),
                  "partitions is " + std::to_string(total) + ", expected at least the " +
                      std::to_string(log->partitions()) + " that there are: partitions cannot be taken away");
    }
    log->add_partitions(total);
  }

  /// False when there is none. Its users get errc::closed at their next call; what groups committed goes with it.
  bool delete_topic(const std::string& name) const { return store_.remove_topic(name); }

  /// Records below `before` (at most the end) are gone for readers. The new log start.
  std::uint64_t delete_records(const topic_partition& p, std::uint64_t before) const {
    const auto log = open_to_write(p.topic);
    return storage::delete_records(detail::partition_of(*log, p.partition), before);
  }

  /// Removes the segments that retention lets go; how many. Also the one that is written, where all its records have
  /// expired: nobody else does that for a topic without producers. (A single writer's partition only while it has none.)
  std::size_t apply_retention(const std::string& name) const {
    const auto log = open_to_write(name);
    std::uint64_t retired = 0;
    for (std::uint32_t id = 0; id < log->partitions(); ++id) {
      storage::partition& p = log->partition(id);
      const std::uint64_t before = p.start_sequence().observe();
      if (storage::all_expired(p)) (void)storage::appender(p).end_segment();
      storage::retire_expired(p);
      storage::reclaim(p);
      retired += p.start_sequence().observe() - before;
    }
    return retired;
  }

  /// Everything that is in the topic now is on the device when this returns, where the topic is durable. Throws what the
  /// device says.
  void flush(const std::string& name) const {
    const auto log = open_to_write(name);
    if (log->durability() == durability::none) return;
    for (std::uint32_t id = 0; id < log->partitions(); ++id) {
      const errc outcome = storage::make_durable(log->partition(id), storage::end_offset(log->partition(id)));
      if (outcome == errc::closed) throw error(errc::closed, log->path(), "the topic was deleted");
    }
  }

  std::optional<std::uint64_t> offset_for_time(const topic_partition& p, timestamp time) const {
    const auto log = open(p.topic);
    return storage::offset_for_time(detail::partition_of(*log, p.partition), time.time_since_epoch().count());
  }

  /// The segments that can be read, from the oldest to the one that is written. Looks at every record's timestamp once.
  std::vector<segment_description> segments(const topic_partition& p) const {
    const auto log = open(p.topic);
    storage::partition& partition = detail::partition_of(*log, p.partition);
    std::vector<segment_description> list;
    auto [next, begun] = partition.segments();
    std::vector<std::uint64_t> sequences = partition.named_segments(next, begun);
    sequences.push_back(begun);  // which shows whether the last is missing
    for (const std::uint64_t sequence : sequences) {
      next = std::max(next, partition.start_sequence().observe());  // the others are gone meanwhile
      if (next < sequence) {                                        // a gap is described as one
        list.push_back({next, log->directory().path(partition.name(next)), 0, 0, 0, 0, false, std::nullopt,
                        storage::partition::gap(next, sequence)});
      }
      next = sequence + 1;
      if (sequence == begun) break;
      const std::string path = log->directory().path(partition.name(sequence));
      storage::pinned_segment s;
      std::uint64_t base = 0;
      try {
        if (partition.open(sequence, partition.mode(), s) != storage::partition::opened::pinned) continue;
        base = partition.base_of(s);
      } catch (const error& e) {
        list.push_back({sequence, path, 0, 0, 0, 0, false, std::nullopt, e.reason()});
        continue;
      }
      const std::uint64_t count = s->slots().first_without_record(0);
      const std::int64_t largest = storage::largest_timestamp(*s);
      list.push_back({sequence,
                      path,
                      base,
                      base + count,
                      s->geometry().segment_bytes,
                      std::min(s->data_tail().approximate(), s->geometry().segment_bytes),
                      s->slots().ends_at(count),
                      largest == storage::no_timestamp ? std::nullopt
                                                       : std::optional(timestamp(std::chrono::nanoseconds(largest))),
                      {}});
    }
    log->require_open();  // else what is missing is not damage
    return list;
  }

  /// Reads everything of a topic that can be read; what is wrong with it, in the order of partitions and segments.
  std::vector<finding> verify(const std::string& name) const {
    const auto log = open(name);
    std::vector<finding> findings;
    for (std::uint32_t id = 0; id < log->partitions(); ++id) storage::verify(log->partition(id), findings);
    log->require_open();
    return findings;
  }

  // --- groups ---

  /// Names of the groups, sorted: those with members, and those that have committed.
  std::vector<std::string> groups() const {
    std::vector<std::string> names = group_names();
    std::erase_if(names, [this](const std::string& n) { return is_being_deleted(n); });
    return names;
  }

  /// Throws not_found. It is made anew where the group has changed meanwhile, a few times.
  group_description describe_group(const std::string& name) const {
    constexpr int looks = 10;
    for (int i = 1;; ++i) {
      const auto files = open_group(name);
      group_description d = describe_group(*files);
      const std::uint64_t generation = files->generation().observe();
      if (files->is_closed()) continue;  // its mark comes before all else
      if (generation == d.rebalances || i >= looks) return d;
    }
  }

  /// Puts the group somewhere else in these partitions of a topic, or in all of them; the new offsets, which lie within the log:
  /// one below its start or beyond its end becomes that. Throws group_not_empty while it has live members, as Kafka does, and
  /// invalid_argument (no such partition).
  std::vector<group_offset> reset_offsets(const std::string& name, const std::string& topic, const reset_target& target,
                                          std::vector<std::uint32_t> partitions = {}) const {
    const auto log = open_to_write(topic);
    require_empty(*group::group_files::open_or_create(files_, name));
    if (partitions.empty()) {
      for (std::uint32_t id = 0; id < log->partitions(); ++id) partitions.push_back(id);
    }
    for (const std::uint32_t id : partitions) detail::partition_of(*log, id);
    const auto offsets = log->open_group(name);
    group::standalone committer(files_, name);
    std::vector<group_offset> result;
    for (const std::uint32_t id : partitions) {
      storage::partition& p = log->partition(id);
      const std::uint64_t start = p.start_offset().observe();
      const std::uint64_t end = storage::end_offset(p);
      const std::uint64_t to = resolve(target, p, start, end, offsets->committed_position(id));
      if (const errc failure = committer.commit(*log, id, to); failure != errc::ok) {
        throw error(errc::group_not_empty, files_->groups().path(name), "a member has joined and has the partition");
      }
      result.push_back({{topic, id}, to, {}, start, end, end - std::min(end, to), {}});
    }
    committer.acknowledge();
    return result;
  }

  /// Deletes a group with all that it has committed; false when there is none. Throws group_not_empty; permission_denied, or
  /// foreign (something else lies among the group's files), and nothing was done; and, when all the rest is done, what is wrong
  /// with a topic that could not be looked at. Should another who deletes it stand still in the middle, an empty file of
  /// offsets may be left to clean().
  bool delete_group(const std::string& name) const {
    bool found = false;
    if (const auto files = group::group_files::open(files_, name)) {
      files->begin_deletion([&] { require_empty(*files); });
      found = true;  // though another may finish it
    }
    std::vector<finding> skipped;
    if (group::group_files::finish_deletion(files_, name, skipped).was_due) {
      found = true;
    } else if (!found && is_orphan(name, skipped)) {
      found = group::group_files::remove_orphan(files_, name, skipped).was_due;
    }
    if (!skipped.empty()) throw error(skipped.front().code, skipped.front().path, skipped.front().what);
    return found;
  }

  // --- what the dead have left ---

  /// Removes what dead creators, deleters, producers and members have left. Safe at any time.
  clean_report clean() const {
    clean_report report;
    report.files += storage::remove_dead_temporaries(files_->directory());
    report.topics += storage::topic_log::remove_leftovers(*files_) + group::group_files::remove_dead_groups(*files_);
    each_topic(report.skipped, [&](storage::topic_log& log) {
      if (log.writable()) clean_topic(log, report);
    });
    for (const std::string& name : group_names()) {
      going_on(report.skipped, files_->groups().path(name), [&] { clean_group(name, report); });
    }
    return report;
  }

 private:
  /// What throws is noted, so that one file that is damaged or another's does not keep all others from their turn.
  template <class Work>
  static void going_on(std::vector<finding>& skipped, const std::string& path, Work work) {
    try {
      work();
    } catch (const error& e) {
      skipped.push_back({e.path().empty() ? path : e.path(), e.reason(), static_cast<errc>(e.code().value())});
    }
  }
  /// Those that were deleted meanwhile.
  template <class Work>
  std::vector<std::string> each_topic(std::vector<finding>& skipped, Work work) const {
    std::vector<std::string> gone;
    for (const std::string& name : topics()) {
      const auto before = static_cast<std::ptrdiff_t>(skipped.size());
      std::shared_ptr<storage::topic_log> log;
      going_on(skipped, files_->topics().path(name), [&] {
        log = storage::topic_log::open_untyped(files_, name);
        if (log != nullptr) work(*log);
      });
      const bool is_gone = log != nullptr ? log->closed() : !files_->topics().status(name);
      if (!is_gone) continue;
      skipped.erase(skipped.begin() + before, skipped.end());
      gone.push_back(name);
    }
    return gone;
  }

  std::vector<std::string> group_names() const {
    std::vector<std::string> names = files_->groups().list();
    std::erase_if(names, [](const std::string& n) { return n.starts_with('~'); });
    std::sort(names.begin(), names.end());
    return names;
  }
  bool is_being_deleted(const std::string& name) const {
    try {
      return group::group_files::open(files_, name) == nullptr;
    } catch (const error&) {
      return false;  // damaged, or not to be read: it is there all the same
    }
  }

  void clean_topic(storage::topic_log& log, clean_report& report) const {
    report.files += storage::remove_dead_temporaries(*log.context().directory);
    report.files += storage::group_offsets::remove_lost_metadata(*log.context().directory);
    for (std::uint32_t id = 0; id < log.partitions(); ++id) {
      storage::partition& p = log.partition(id);
      report.files += storage::remove_leftovers(p);
      report.segments += storage::reclaim(p);
    }
    for (const std::string& group : log.groups()) {
      const auto offsets = log.find_group(group);
      if (offsets == nullptr) continue;
      report.files += offsets->remove_stale_metadata();
      // Without its directory, which a power failure may have taken, a group has what it committed all the same.
      if (files_->groups().open_directory(group) == nullptr && offsets->remove_if_unused()) {
        ++report.files;
        log.revision().advance();
      }
    }
  }
  void clean_group(const std::string& name, clean_report& report) const {
    const auto files = group::group_files::open(files_, name);
    if (files == nullptr && files_->writable()) {
      report.files += group::group_files::finish_deletion(files_, name, report.skipped).files;
    }
    if (files == nullptr || !files->writable()) return;
    const std::int64_t now = os::monotonic_coarse();
    for (const auto& m : files->members()) {
      const auto [what, life] = m->look(now);
      if (what != group::member_file::state::dead || !m->evict(life)) continue;
      files->evictions().add(1);
      files->forget(*m);
      ++report.members;
    }
    report.files += files->remove_leftovers();
  }

  /// Whether something is left in the topics of a group that has no files of its own.
  bool is_orphan(const std::string& name, std::vector<finding>& skipped) const {
    bool found = false;
    each_topic(skipped, [&](storage::topic_log& log) {
      if (log.find_group(name) != nullptr) found = true;
    });
    return found;
  }

  static timestamp time_of(std::int64_t nanoseconds) { return timestamp(std::chrono::nanoseconds(nanoseconds)); }

  static storage::type_identity identity(const std::string& name, std::uint32_t alignment) {
    if (name.empty()) throw error(errc::invalid_argument, "topic_types", "the name of a type is empty");
    if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > format::page_bytes) {
      throw error(errc::invalid_argument, "topic_types",
                  "alignment is " + std::to_string(alignment) + ", expected a power of two up to " +
                      std::to_string(format::page_bytes));
    }
    return {storage::fingerprint_of(name), name, alignment, 0};
  }

  std::shared_ptr<storage::topic_log> open(const std::string& name) const {
    if (auto log = storage::topic_log::open_untyped(files_, name)) return log;
    throw error(errc::not_found, files_->topics().path(name), "no such topic");
  }
  std::shared_ptr<storage::topic_log> open_to_write(const std::string& name) const {
    auto log = open(name);
    if (log->writable()) return log;
    throw error(errc::permission_denied, log->path(), "the topic cannot be written to with this user's permissions");
  }
  std::shared_ptr<group::group_files> open_group(const std::string& name) const {
    if (auto files = group::group_files::open(files_, name)) return files;
    throw error(errc::not_found, files_->groups().path(name), "no such group");
  }

  void require_empty(const group::group_files& files) const {
    for (const auto& m : files.members()) {
      for (std::uint64_t life = m->incarnation().observe(); !m->is_evicted();) {
        if (m->has_lease()) {
          throw error(errc::group_not_empty, files.path(), "member " + m->id() + " is alive; stop it first");
        }
        if (m->evict(life)) {  // dead, or a static member that will not find its place again
          files.evictions().add(1);
          files.forget(*m);
          break;
        }
        const std::uint64_t before = std::exchange(life, m->incarnation().observe());
        if (life == before) break;  // this user may not write to its file; else a static member has come back
      }
    }
  }

  group_description describe_group(const group::group_files& files) const {
    const std::string& name = files.name();
    group_description d{
        name, {}, files.generation().observe(), files.evictions().approximate(), files.fenced_commits().approximate(),
        {},   {}};
    const auto members = files.members();
    for (const auto& m : members) {
      const group::member_profile p = m->profile();
      const bool alive = m->has_lease();
      if (alive || d.assignor.empty()) d.assignor = p.assignor;
      d.members.push_back({p.id,
                           p.instance,
                           p.client,
                           m->process(),
                           alive,
                           time_of(m->created()),
                           time_of(m->last_poll()),
                           p.is_pattern,
                           p.subscription,
                           {}});
    }
    const std::vector<std::string> gone = each_topic(d.skipped, [&](storage::topic_log& log) {
      if (const auto offsets = log.find_group(name)) describe_offsets(log, *offsets, members, d);
    });
    for (const std::string& topic : gone) {
      std::erase_if(d.offsets, [&](const group_offset& o) { return o.at.topic == topic; });
      for (member_description& m : d.members) {
        std::erase_if(m.partitions, [&](const topic_partition& p) { return p.topic == topic; });
      }
    }
    return d;
  }

  static void describe_offsets(storage::topic_log& log, const storage::group_offsets& offsets,
                               const std::vector<std::shared_ptr<group::member_file>>& members, group_description& d) {
    for (std::uint32_t id = 0; id < std::min(log.partitions(), offsets.capacity()); ++id) {
      storage::partition& p = log.partition(id);
      const auto committed = offsets.committed(id);
      const std::uint64_t start = p.start_offset().observe();
      const std::uint64_t end = storage::end_offset(p);
      const std::uint64_t from = committed ? committed->offset : offsets.begun(id).value_or(start);
      const std::uint64_t lag = end - std::min(std::max(from, start), end);
      group_offset o{{log.name(), id}, std::nullopt, {}, start, end, lag, {}};
      if (committed) {
        o.committed = committed->offset;
        o.metadata = committed->metadata;
      }
      const std::uint32_t owner = offsets.owner(id).member;
      for (std::size_t i = 0; i < members.size(); ++i) {
        if (owner == 0 || members[i]->number() != owner) continue;
        o.owner = d.members[i].id;
        d.members[i].partitions.push_back(o.at);
      }
      d.offsets.push_back(std::move(o));
    }
  }

  static std::uint64_t resolve(const reset_target& target, storage::partition& p, std::uint64_t start,
                               std::uint64_t end, std::optional<std::uint64_t> committed) {
    if (start > end) {
      throw error(errc::corrupt, p.topic().directory->path(storage::topic_log::file_name),
                  "partition " + std::to_string(p.id()) + " starts at offset " + std::to_string(start) +
                      ", expected one up to its end, " + std::to_string(end));
    }
    const auto within = [&](std::uint64_t offset) { return std::clamp(offset, start, end); };
    if (std::holds_alternative<to_earliest>(target)) return start;
    if (std::holds_alternative<to_latest>(target)) return end;
    if (const auto* time = std::get_if<to_time>(&target)) {
      return storage::offset_for_time(p, time->time.time_since_epoch().count()).value_or(end);
    }
    if (const auto* offset = std::get_if<to_offset>(&target)) return within(offset->offset);
    const std::int64_t shift = std::get<shift_by>(target).records;
    const std::uint64_t from = committed.value_or(start);
    if (shift >= 0) return within(from + std::min(static_cast<std::uint64_t>(shift), end));
    const std::uint64_t back = static_cast<std::uint64_t>(-(shift + 1)) + 1;
    return within(from - std::min(from, back));
  }

  leat::store store_;
  std::shared_ptr<storage::store_files> files_;
};

}  // namespace leat
