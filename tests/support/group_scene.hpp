// One store after another, in each of which something is interrupted; then others must be able to go on with the group.
//
//     group_scene s(place.store("1"));
//     traced_child v([&] { ...; traced_child::mark(); what is interrupted; traced_child::mark(); });
//     ...
//     s.go_on();
#pragma once

#include <leat/admin.hpp>

#include "support/group_member.hpp"
#include "support/moments.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace leat_tests {

/// What a victim was told, and hence what must be kept.
struct victim_page {
  static constexpr unsigned most_partitions = 8;
  counter read[most_partitions];       // it was given the records below
  counter committed[most_partitions];  // and was told that these are committed
  counter lost;
};

/// A store with the topic "log", whose segments wait for groups, and a producer that has known it from the beginning.
class group_scene {
 public:
  static constexpr std::uint32_t partitions = 3;
  static constexpr std::uint64_t keep = 2;
  static constexpr std::size_t large = 5000;  // two records fill a segment

  explicit group_scene(std::string path)
      : path_(std::move(path)),
        store_(leat::store::open(path_)),
        log_(store_.topic<leat::bytes_view>("log", with_waiting())),
        out_(log_, {.max_block = std::chrono::milliseconds(1)}) {
    for (std::uint64_t n = 0; n < 6; ++n) {
      for (std::uint32_t p = 0; p < partitions; ++p) expect(send(p, 64) == leat::errc::ok, "a first send failed");
    }
    // Its producer has looked for groups when there was none.
    leat::storage::topic_context& context = log_.log()->context();
    for (std::uint32_t p = 0; p < partitions; ++p) (void)context.groups.slowest(p, context.revision().observe());
  }
  ~group_scene() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  group_scene(const group_scene&) = delete;
  group_scene& operator=(const group_scene&) = delete;

  const std::string& path() const noexcept { return path_; }
  const topic& log() const noexcept { return log_; }
  victim_page& page() const noexcept { return *page_; }
  leat::admin admin() const { return leat::admin(store_); }

  static leat::consumer_options options() {
    auto o = in_group("g");
    o.enable_auto_commit = false;
    return o;
  }

  /// In the parent: somebody owned everything once and committed a little of it, with metadata or without.
  void somebody_was_here(const std::string& metadata) const {
    consumer in(store_, options());
    in.subscribe({"log"});
    poll_until_whole(in);
    for (std::uint32_t p = 0; p < partitions; ++p)
      expect(bool(in.commit({{"log", p}, 2, metadata})), "a first commit failed");
    in.close();
    for (std::uint32_t p = 0; p < partitions; ++p) page_->committed[p] = page_->read[p] = 2;
  }

  /// Survivors take everything over, commit, read on; nothing is missing and nothing is left. `may_forget`: what was
  /// committed may be gone.
  void go_on(bool may_forget = false) {
    ++survivals_;
    consumer in(store_, options());
    in.subscribe({"log"});
    std::map<std::uint32_t, std::uint64_t> next;
    poll_until_whole(in, [&](const auto& record) { check_record(in, next, record); });
    for (std::uint32_t p = 0; p < partitions; ++p) {
      const std::uint64_t at = in.committed({"log", p}).value_or(leat::committed_offset{}).offset;
      expect(may_forget || (at >= page_->committed[p] && at <= std::max<std::uint64_t>(page_->read[p], 0)), [&] {
        return "partition " + std::to_string(p) + " is committed at " + std::to_string(at) +
               ", the victim was told of " + std::to_string(page_->committed[p]) + " and given the records below " +
               std::to_string(page_->read[p]);
      });
    }
    fill_until_held_back();
    const auto read_all = [&] {
      wait_until("the survivor has read everything", [&] {
        for (const auto& record : in.poll(std::chrono::milliseconds(1))) check_record(in, next, record);
        for (std::uint32_t p = 0; p < partitions; ++p) {
          if (in.position({"log", p}) < log_.end_offset(p)) return false;
        }
        return true;
      });
    };
    read_all();
    expect(bool(in.commit()), "the survivor's commit failed");
    for (std::uint32_t p = 0; p < partitions; ++p) {
      expect(in.committed({"log", p})->offset == log_.end_offset(p), "the survivor's commit is not there");
      page_->committed[p] = page_->read[p] = log_.end_offset(p);
    }
    expect(bool(in.commit({{"log", 0}, log_.end_offset(0), "said by survivor " + std::to_string(survivals_)})),
           "the survivor's commit with metadata failed");
    expect(in.committed({"log", 0})->metadata == "said by survivor " + std::to_string(survivals_),
           "the survivor's metadata is another");
    for (std::uint32_t p = 0; p < partitions; ++p)
      expect(send(p, 64) == leat::errc::ok, "a send behind the commit failed");
    read_all();
    expect(bool(in.commit({{"log", 0}, log_.end_offset(0), "and so on"})),
           "the survivor's commit with metadata failed");
    expect(bool(in.commit()), "the survivor's last commit failed");
    for (std::uint32_t p = 0; p < partitions; ++p) page_->committed[p] = page_->read[p] = log_.end_offset(p);
    in.close();
  }

  /// After a death: what it left is removed at once.
  void tidy() const {
    (void)admin().clean();
    const leat::clean_report again = admin().clean();
    expect(again.topics + again.files + again.members + again.segments == 0, "cleaning finds something twice");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
      const std::string name = entry.path().filename();
      expect(!name.starts_with('~'), [&] { return "this is left: " + entry.path().string(); });
    }
    for (const leat::finding& f : admin().verify("log")) fail("damage: " + f.path + ": " + f.what);
  }

  std::vector<std::uint64_t> committed() const {
    std::vector<std::uint64_t> list;
    const auto offsets = log_.log()->find_group("g");
    for (std::uint32_t p = 0; p < partitions; ++p)
      list.push_back(offsets->committed_position(p).value_or(~std::uint64_t{0}));
    return list;
  }

  // --- the victim, in its process ---

  /// Polls until it has everything; notes what it was given.
  void join(consumer& in) const {
    leat::rebalance_listener listener;
    listener.lost = [this](auto p) { page_->lost += p.size(); };
    in.subscribe({"log"}, listener);
    read(in);
  }
  void read(consumer& in) const {
    poll_until_whole(in, [&](const auto& record) { was_given(record); });
  }
  /// Until it has everything and has read it.
  void read_all(consumer& in) const {
    wait_until("the victim has read everything", [&] {
      for (const auto& record : in.poll(std::chrono::milliseconds(1))) was_given(record);
      for (std::uint32_t p = 0; p < partitions; ++p) {
        if (page_->read[p] < 6) return false;
      }
      return true;
    });
  }

 private:
  /// One that was stopped may be given again what the others have read meanwhile.
  template <class Record>
  void was_given(const Record& record) const {
    counter& read = page_->read[record.partition()];
    read = std::max<std::uint64_t>(read, record.offset() + 1);
  }

  static leat::topic_options with_waiting() {
    leat::topic_options o = tiny(keep, partitions);
    o.retention.wait_for_groups = true;
    return o;
  }

  leat::errc send(std::uint32_t p, std::size_t bytes) {
    const auto made = payload(p, sent_[p], bytes);
    const auto done = out_.send(view(made), {.partition = p});
    if (!done) return done.error();
    ++sent_[p];
    return leat::errc::ok;
  }

  /// A group that reads the topic holds back what it has not committed, whatever has died.
  void fill_until_held_back() {
    for (std::uint32_t p = 0; p < partitions; ++p) {
      leat::errc outcome = leat::errc::ok;
      for (int i = 0; i < 30 && outcome == leat::errc::ok; ++i) outcome = send(p, large);
      expect(outcome == leat::errc::back_pressure, [&] {
        return "retention did not wait for the group in partition " + std::to_string(p) + ", survivor " +
               std::to_string(survivals_) + ": " + leat::make_error_code(outcome).message() + ", log start " +
               std::to_string(log_.start_offset(p)) + ", end " + std::to_string(log_.end_offset(p)) + ", committed " +
               std::to_string(committed()[p]);
      });
    }
  }

  template <class Take>
  static void poll_until_whole(consumer& in, Take take) {
    wait_until("a member has everything", [&] {
      for (const auto& record : in.poll(std::chrono::milliseconds(1))) take(record);
      const auto owned = in.owned();
      return static_cast<std::size_t>(std::ranges::count(owned, "log", &leat::topic_partition::topic)) >= partitions;
    });
  }
  static void poll_until_whole(consumer& in) {
    poll_until_whole(in, [](const auto&) {});
  }

  template <class Record>
  void check_record(consumer& in, std::map<std::uint32_t, std::uint64_t>& next, const Record& record) {
    const std::uint32_t p = record.partition();
    const auto s = read_record(record);
    expect(s && s->producer == p && s->number == record.offset(), "a record is not what was sent to this offset");
    const auto [due, first] = next.try_emplace(p, record.offset());
    if (first) {
      const std::uint64_t latest = std::max<std::uint64_t>(page_->read[p], in.start_offset({"log", p}));
      expect(record.offset() <= latest, [&] {
        return "partition " + std::to_string(p) + ": reading begins at " + std::to_string(record.offset()) + ", but " +
               std::to_string(latest) + " was not read";
      });
    }
    expect(record.offset() == due->second, [&] {
      return "partition " + std::to_string(p) + ": offset " + std::to_string(record.offset()) + " came where " +
             std::to_string(due->second) + " was due";
    });
    ++due->second;
  }

  std::string path_;
  leat::store store_;
  topic log_;
  producer out_;
  shared<victim_page> page_;
  std::uint64_t sent_[partitions] = {};
  unsigned survivals_ = 0;
};

/// Something that may be interrupted.
struct group_operation {
  std::string name;
  std::function<void(group_scene&)> before = [](group_scene&) {};                    // in the parent
  std::function<void(const group_scene&, consumer&)> prepare = [](auto&, auto&) {};  // in the victim
  std::function<void(group_scene&)> meanwhile = [](group_scene&) {};                 // in the parent, before it acts
  std::function<void(const group_scene&, consumer&)> act;
  std::function<void(group_scene&)> behind = [](group_scene&) {};  // in the parent: before others go on
  bool may_forget = false;
};

inline void note_commits(const group_scene& s) {
  for (std::uint32_t p = 0; p < group_scene::partitions; ++p) s.page().committed[p] = s.page().read[p].load();
}

/// Commits what it read, all of it, partition by partition with metadata or at once without.
inline void commit_all(const group_scene& s, consumer& in, const std::string& metadata) {
  if (metadata.empty()) {
    if (in.commit()) note_commits(s);
    return;
  }
  for (std::uint32_t p = 0; p < group_scene::partitions; ++p) {
    const std::uint64_t to = s.page().read[p];
    if (in.commit({{"log", p}, to, metadata})) s.page().committed[p] = to;
  }
}

inline group_operation taking_over(const std::string& metadata) {
  return {
      .name = metadata.empty() ? "joining and taking over" : "joining and taking over what was committed with metadata",
      .before = [metadata](group_scene& s) { s.somebody_was_here(metadata); },
      .act = [](const group_scene& s, consumer& in) { s.join(in); }};
}
inline group_operation committing(const std::string& metadata) {
  return {.name = metadata.empty() ? "committing" : "committing with metadata",
          .prepare =
              [](const group_scene& s, consumer& in) {
                s.join(in);
                s.read_all(in);
              },
          .act = [metadata](const group_scene& s, consumer& in) { commit_all(s, in, metadata); }};
}

/// A victim at the mark before it acts. Another mark comes behind; what comes behind that is `after`.
template <class After>
traced_child make_victim(const group_scene& s, const group_operation& o, const leat::consumer_options& options,
                         After after) {
  return traced_child([&s, &o, options, after] {
    const leat::store store = leat::store::open(s.path());
    consumer in(store, options);
    o.prepare(s, in);
    traced_child::mark();
    o.act(s, in);
    traced_child::mark();
    after(in);
  });
}

/// How many system calls, or instructions, an operation takes.
inline unsigned count_moments(const std::string& path, const group_operation& o, bool instructions) {
  group_scene s(path);
  o.before(s);
  traced_child v = make_victim(s, o, group_scene::options(), [](consumer&) {});
  v.to_mark();
  o.meanwhile(s);
  unsigned count = 0;
  while ((instructions ? v.step() : v.to_system_call()) == traced_child::state::stepping) ++count;
  v.kill();
  return count;
}

}  // namespace leat_tests
