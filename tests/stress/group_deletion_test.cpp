// A group that is deleted and made again all the time, by processes that are killed and stopped wherever they are, while members
// come and go, are killed and stopped, and others commit that are no members.
//
// A witness is a member alone. While it is one, nobody may delete the group: what it has committed stays, its commits are not
// fenced, and nobody else has its partitions. Where it begins is where the group stood, or, if the group was deleted
// since, at the log start, or where one committed who is no member.
//
// crash/group_deletion_test stops and kills a deleter at each system call, with one other at a time; here all are at it at once.
// `LEAT_SEED=... LEAT_CAMPAIGN_SECONDS=600` takes ten minutes.
#include "support/file_bytes.hpp"
#include "support/group_member.hpp"

#include <leat/admin.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

using namespace leat_tests;
using namespace std::chrono_literals;
using leat::errc;

namespace stress_group_deletion {

constexpr std::uint32_t partitions = 3;  // of each topic
constexpr std::array<const char*, 2> topic_names{"one", "another"};
constexpr std::uint32_t places = partitions * topic_names.size();
constexpr std::uint64_t records = 400;     // in each partition
constexpr std::uint64_t of_strangers = 7;  // what those commit that are no members; a witness commits more than that

constexpr std::uint32_t deleters = 3, cleaners = 1, strangers = 2;
constexpr std::uint32_t processes = 1 + deleters + cleaners + strangers;  // slots: the witness is the first

leat::topic_partition partition_at(std::uint32_t place) {
  return {topic_names[place / partitions], place % partitions};
}

struct world {
  counter stop;
  counter lives;         // of witnesses that have ended
  counter deleted_past;  // a deletion began when so many lives had ended, and has removed the group
  counter committed[places];
  counter attempted[places];
  counter commits;
  counter deletions;
  counter begun_anew;  // lives that began at the log start
};

// --- the witness --------------------------------------------------------------------------------------------------------

class witness {
 public:
  witness(world& w, const leat::store& store, std::uint64_t participant)
      : world_(w), store_(store), random_(participant), topics_{topic_names.begin(), topic_names.end()} {}

  /// Joins and leaves until it is told to end.
  void run() {
    while (world_.stop == 0) {
      const std::uint64_t deleted_before = world_.deleted_past;
      const std::uint64_t life = world_.lives;
      leat::consumer_options o = in_group("g");
      o.max_poll_interval = 1h;
      o.max_poll_records = 10;
      o.enable_auto_commit = false;
      if (random_.one_in(3)) o.group_instance_id = "the witness";
      o.session_timeout = 1ms;  // once it is dead, it does not keep others from the group
      consumer in(store_, o);
      in.subscribe(topics_);
      if (!own_all(in)) return;
      mine_.clear();
      look_at_beginning(in, life != 0 && deleted_before >= life);
      for (std::uint64_t laps = random_.roll(30); laps > 0 && world_.stop == 0; --laps) lap(in);
      in.close();
      ++world_.lives;
    }
  }

 private:
  void poll(consumer& in) {
    const auto batch = in.poll(1ms);
    expect(batch.error() == errc::ok, [&] { return std::string("a poll: ") + leat::detail::describe(batch.error()); });
    for (const auto& record : batch) expect(read_payload(record.value()).has_value(), "a record is torn");
  }

  bool own_all(consumer& in) {
    wait_until("a member has all partitions of a group that others delete", [&] {
      poll(in);
      return world_.stop != 0 || in.owned().size() == places;
    });
    return in.owned().size() == places;
  }

  /// Its first commits are looked at as well: what it finds committed may have come behind a deletion only by a stranger.
  void look_at_beginning(consumer& in, bool was_deleted) {
    bool anew = true;
    for (std::uint32_t p = 0; p < places; ++p) {
      const auto found = in.committed(partition_at(p));
      if (!found || found->offset == of_strangers) {
        world_.attempted[p] = world_.committed[p] = 0;
        continue;
      }
      anew = false;
      const bool is_known = found->offset == world_.committed[p] || found->offset == world_.attempted[p];
      expect(is_known && !was_deleted, [&] {
        return "partition " + std::to_string(p) + " begins at offset " + std::to_string(found->offset) +
               (was_deleted ? ", though the group was deleted since" : ", which nobody committed last") + "; it was " +
               std::to_string(world_.committed[p]);
      });
      world_.attempted[p] = world_.committed[p] = found->offset;  // known for good, should it be killed at its next
    }
    if (anew) ++world_.begun_anew;
  }

  void lap(consumer& in) {
    for (std::uint32_t p = 0; p < places; ++p) {
      if (random_.one_in(3)) continue;
      const std::uint64_t offset = of_strangers + 1 + random_.roll(records - of_strangers);
      world_.attempted[p] = offset;
      const std::string metadata = random_.one_in(4) ? "of " + std::to_string(offset) : "";
      const auto done = in.commit({partition_at(p), offset, metadata});
      expect(done.error() == errc::ok,
             [&] { return std::string("a commit: ") + leat::detail::describe(done.error()); });
      world_.committed[p] = offset;
      mine_[p] = {offset, metadata};
      ++world_.commits;
    }
    for (std::uint64_t looks = random_.roll(20); looks > 0; --looks) {
      poll(in);
      expect(in.owned().size() == places, "a member that lives has lost a partition");
      for (const auto& [p, c] : mine_) {
        const auto is = in.committed(partition_at(p));
        expect(is && is->offset == c.first && is->metadata == c.second, [&, &c = c, p = p] {
          return "offset " + std::to_string(c.first) + " was committed in partition " + std::to_string(p) +
                 " by a member that lives; now it is " + (is ? std::to_string(is->offset) : "nothing");
        });
      }
    }
  }

  world& world_;
  leat::store store_;
  dice random_;
  std::vector<std::string> topics_;
  std::map<std::uint32_t, std::pair<std::uint64_t, std::string>> mine_;
};

// --- the others ---------------------------------------------------------------------------------------------------------

void delete_it(world& w, const leat::store& store) {
  const leat::admin admin(store);
  while (w.stop == 0) {
    const std::uint64_t lives = w.lives;
    try {
      if (!admin.delete_group("g")) continue;
      ++w.deletions;
      std::uint64_t seen = w.deleted_past;
      while (seen < lives && !w.deleted_past.compare_exchange_weak(seen, lives)) {
      }
    } catch (const leat::error& e) {
      if (e.code() != errc::group_not_empty) throw;
    }
  }
}

void clean(world& w, const leat::store& store) {
  const leat::admin admin(store);
  while (w.stop == 0) {
    for (const leat::finding& f : admin.clean().skipped) fail("clean: " + f.path + ": " + f.what);
    for (const std::string& group : admin.groups()) {
      try {
        expect(admin.describe_group(group).rebalances < 1'000'000,
               "the description of a group has the mark of its deletion");
      } catch (const leat::error& e) {
        if (e.code() != errc::not_found) throw;
      }
    }
  }
}

/// Commits without being a member, where no member has the partition.
void commit_as_stranger(world& w, const leat::store& store, std::uint64_t participant) {
  dice random(participant);
  while (w.stop == 0) {
    const auto p = static_cast<std::uint32_t>(random.roll(places));
    leat::consumer_options o = in_group("g");
    o.partitions = {{p % partitions}};
    consumer in(store.topic<leat::bytes_view>(topic_names[p / partitions]), o);
    for (std::uint64_t laps = random.roll(5); laps > 0; --laps) {
      try {
        const auto done = in.commit({{"", p % partitions}, of_strangers, random.one_in(3) ? "a stranger's" : ""});
        expect(done || done.error() == errc::fenced,
               [&] { return std::string("a stranger's commit: ") + leat::detail::describe(done.error()); });
      } catch (const leat::error& e) {
        if (e.code() != errc::closed) throw;  // the file of offsets is going away
      }
    }
  }
}

// --- all together -------------------------------------------------------------------------------------------------------

class scene {
 public:
  scene() : random_(1) {
    for (const char* const name : topic_names) {
      producer out(make_topic(place_.store(), name, partitions));
      for (std::uint64_t n = 0; n < records; ++n) send_to_all(out, partitions, n);
    }
    for (std::uint32_t slot = 0; slot < processes; ++slot) children_.push_back(start(slot));
  }

  void disturb(std::chrono::nanoseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(
          std::chrono::microseconds(random_.roll(5'000)));  // the pace of what it does to others
      resume(false);
      const auto slot = static_cast<std::uint32_t>(random_.roll(processes));
      const bool stands = stopped_.contains(slot);
      if (!stands) expect(children_[slot].running(), "a process ended early");
      if (random_.one_in(3)) {
        children_[slot].kill();
        stopped_.erase(slot);
        if (slot == 0) ++world_->lives;
        children_[slot] = start(slot);
        ++kills;
      } else if (!stands && stopped_.size() < processes / 2) {
        children_[slot].stop();
        stopped_[slot] = std::chrono::steady_clock::now() + std::chrono::microseconds(random_.roll(60'000));
        ++stops;
      }
    }
  }

  /// Everybody ends; then the group is deleted once more, and nothing of it is left.
  void end() {
    world_->stop = 1;
    resume(true);
    for (child& c : children_) c.join();
    const leat::admin admin(leat::store::open(place_.store()));
    (void)admin.clean();
    (void)admin.delete_group("g");
    expect(admin.groups().empty(), "the group is there though it was deleted");
    expect(names_in(place_.store() + "/groups").empty(), "something is left among the groups");
    for (const char* const name : topic_names) {
      for (const std::string& file : names_in(place_.store() + "/topics/" + name)) {
        expect(file == "topic" || leat::storage::segment_name::parse(file),
               [&] { return file + " is left in " + name; });
      }
    }
  }

  const world& counted() const noexcept { return *world_; }
  std::uint64_t kills = 0;
  std::uint64_t stops = 0;

 private:
  child start(std::uint32_t slot) {
    return child([this, slot, participant = ++participants_] {
      ::alarm(0);  // the watchdog's is enough
      const leat::store store = leat::store::open(place_.store());
      if (slot == 0) return witness(*world_, store, participant).run();
      if (slot <= deleters) return delete_it(*world_, store);
      if (slot <= deleters + cleaners) return clean(*world_, store);
      commit_as_stranger(*world_, store, participant);
    });
  }

  void resume(bool everybody) {
    for (auto s = stopped_.begin(); s != stopped_.end();) {
      if (everybody || std::chrono::steady_clock::now() >= s->second) {
        children_[s->first].resume();
        s = stopped_.erase(s);
      } else {
        ++s;
      }
    }
  }

  shared_place place_;
  shared<world> world_;
  dice random_;
  std::uint64_t participants_ = 1;
  std::vector<child> children_;                                             // by slot
  std::map<std::uint32_t, std::chrono::steady_clock::time_point> stopped_;  // until when
};

TEST_CASE(
    "a group that is deleted and made again by processes that are killed and stopped keeps what its members commit") {
  const char* const given = std::getenv("LEAT_CAMPAIGN_SECONDS");
  const std::chrono::seconds time(given != nullptr ? std::strtoul(given, nullptr, 10) : 10);
  watchdog dog(static_cast<unsigned>(time.count()) + 180);
  INFO("LEAT_SEED=" << seed());
  scene s;
  s.disturb(time);
  s.end();
  const world& w = s.counted();
  WARN("seed " << seed() << ": " << w.lives << " lives of members, " << w.begun_anew << " of them from the beginning, "
               << w.commits << " commits, " << w.deletions << " deletions, " << s.kills << " kills, " << s.stops
               << " stops");
  CHECK(w.deletions > 0);
  CHECK(w.commits > 0);
}

}  // namespace stress_group_deletion
