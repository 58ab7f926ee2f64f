// Groups in the worst of worlds: members join, leave, are killed, and are stopped, some for longer than they may.
//
// Everybody writes down what happens to it in one log in shared memory, whose order is that of one counter: an entry is
// made behind what it tells, or, where it says so, before. When all is over, the log is checked:
//
//     one owner    who begins a poll behind another's taking over is given no record of the partition any more, and its
//                  commits fail
//     reason       a partition is only taken from one who gave it up, was killed, or did not poll for too long
//     no gap       what a tenure is given begins where the partition was committed, and follows without a gap; together
//                  nothing is left out, except what retention took where it does not wait for groups
//     committed    never beyond what was processed, never back, and nothing that was acknowledged is undone
//     redelivery   only behind a death or a fencing
//
// LEAT_CHURN_SECONDS makes it longer than its 15 seconds. Its single-threaded twin is in the unit tests of the group.
#include "support/group_member.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <thread>

using namespace leat_tests;
using namespace std::chrono_literals;
using leat::errc;

namespace stress_churn {

constexpr std::uint32_t members = 8;
constexpr std::uint32_t partitions_each = 32;
constexpr std::uint32_t all_partitions = 2 * partitions_each;  // those of "kept", then those of "recycled"
constexpr std::uint64_t most_entries = 4'000'000;
constexpr std::uint32_t most_lives = 100'000;
constexpr std::chrono::nanoseconds patience_of_group = 150ms;  // max_poll_interval
constexpr std::chrono::nanoseconds session = 100ms;
/// Less by the grain of the coarse clock, and by what a poll does before it is written down.
constexpr auto too_long = static_cast<std::uint64_t>((patience_of_group - std::chrono::nanoseconds(20ms)).count());
constexpr std::uint32_t nobody = ~std::uint32_t{0};

// --- what is written down -------------------------------------------------------------------------------------------

enum class what : std::uint32_t {
  none,
  taken,      // from: the position
  revoked,    // from: the position; other: the longest time between two polls so far, ns
  given_up,   // behind the last commit; code: its outcome
  lost,       // other: the longest time between two polls so far, ns
  processed,  // from, to; other: the counter when the poll began
  skipped,    // from, to: retention has taken them
  to_commit,  // from: the offset; before it is tried
  committed,  // from: the offset; code: the outcome; other: where the attempt was written down
  late,       // other: the time between two polls, ns, where it was long
  killed      // before it is done
};

struct entry {
  std::atomic<what> kind;
  std::uint32_t life;
  std::uint32_t partition;
  std::uint32_t epoch;
  std::uint64_t from;
  std::uint64_t to;
  std::uint64_t other;
  std::uint64_t time;
  std::uint32_t code;
};

struct world {
  counter length;
  counter stop;   // 1: nobody disturbs any more; 2: members end
  counter lives;  // numbers given to lives of members
  counter sent;
  counter processed;
  counter leave[members];
  counter life[members];
  counter last_poll[most_lives];  // when it began, ns
  entry entries[most_entries];
};

std::uint64_t now() { return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()); }

std::uint64_t note(world& w, what kind, std::uint32_t life, std::uint32_t partition, std::uint32_t epoch,
                   std::uint64_t from = 0, std::uint64_t to = 0, std::uint64_t other = 0, errc code = errc::ok) {
  const std::uint64_t index = w.length++;
  expect(index < most_entries, "the log is full");
  entry& e = w.entries[index];
  e.life = life;
  e.partition = partition;
  e.epoch = epoch;
  e.from = from;
  e.to = to;
  e.other = other;
  e.time = now();
  e.code = static_cast<std::uint32_t>(code);
  e.kind = kind;
  return index;
}

std::uint32_t index_of(const leat::topic_partition& p) {
  return p.partition + (p.topic == "recycled" ? partitions_each : 0);
}
leat::topic_partition partition_at(std::uint32_t index) {
  return {index < partitions_each ? "kept" : "recycled", index % partitions_each};
}

// --- a member -------------------------------------------------------------------------------------------------------

class member {
 public:
  member(const std::string& path, world& w, std::uint32_t slot, std::uint32_t life)
      : world_(w), slot_(slot), life_(life), random_(1000 + life), store_(leat::store::open(path)) {
    for (const char* const name : {"kept", "recycled"}) {
      logs_.push_back(store_.topic<leat::bytes_view>(name, {.mode = leat::open_mode::open}).log());
    }
  }

  /// Joins and leaves until it is told to end.
  void run() {
    while (world_.stop < 2) {
      leat::consumer_options o = in_group("g");
      o.max_poll_interval = patience_of_group;
      o.session_timeout = session;
      o.enable_auto_commit = automatic_ = random_.one_in(2);
      o.auto_commit_interval = std::chrono::milliseconds(1 + random_.roll(20));
      o.max_poll_records = static_cast<std::uint32_t>(1 + random_.roll(300));
      if (slot_ % 4 == 0) o.group_instance_id = "static-" + std::to_string(slot_);
      consumer in(store_, o);
      in_ = &in;
      longest_pause_ = 0;
      world_.last_poll[life_] = now();
      if (random_.one_in(2)) {
        in.subscribe({"kept", "recycled"}, listener());
      } else {
        in.subscribe_pattern("kept|recycled", listener());
      }
      while (world_.stop < 2 && world_.leave[slot_] == 0) turn(in);
      world_.leave[slot_] = 0;
      in.close();
      expect(tenures_.empty(), "a member that has left was not told of all that it gave up");
    }
  }

 private:
  struct tenure {
    std::uint32_t epoch;
    std::uint64_t next;
    std::uint64_t committed;
  };

  void turn(consumer& in) {
    const std::uint64_t begun = world_.length;
    const std::uint64_t time = now();
    const std::uint64_t pause = time - world_.last_poll[life_];
    if (pause >= too_long) note(world_, what::late, life_, 0, 0, 0, 0, pause);
    longest_pause_ = std::max(longest_pause_, pause);
    world_.last_poll[life_] = time;
    const auto batch = in.poll(2ms);
    expect(batch.error() == errc::ok,
           [&] { return "a poll failed: " + std::to_string(static_cast<int>(batch.error())); });
    std::map<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>> runs;
    for (const auto& record : batch) {
      const std::uint32_t p = index_of({std::string(record.topic()), record.partition()});
      expect(read_record(record).has_value(), "a torn record");
      const auto t = tenures_.find(p);
      expect(t != tenures_.end(), [&] { return "a record of a partition that it has not: " + std::to_string(p); });
      if (record.offset() != t->second.next) {
        const std::uint64_t start = logs_[p / partitions_each]->partition(p % partitions_each).start_offset().observe();
        expect(p >= partitions_each && record.offset() > t->second.next && record.offset() <= start, [&] {
          return "no gap: partition " + std::to_string(p) + " offset " + std::to_string(record.offset()) +
                 " came where " + std::to_string(t->second.next) + " was due, the log starts at " +
                 std::to_string(start);
        });
        if (const auto r = runs.find(p); r != runs.end()) process(p, t->second.epoch, r->second, begun);
        runs.erase(p);
        note(world_, what::skipped, life_, p, t->second.epoch, t->second.next, record.offset());
        t->second.next = record.offset();
      }
      const auto [r, first] = runs.try_emplace(p, record.offset(), record.offset());
      r->second.second = ++t->second.next;
    }
    for (const auto& [p, range] : runs) process(p, tenures_.at(p).epoch, range, begun);
    if (!automatic_ && random_.one_in(5)) commit_some(in);
    if (random_.one_in(50)) spin(random_.roll(3'000'000));
  }

  void process(std::uint32_t p, std::uint32_t epoch, std::pair<std::uint64_t, std::uint64_t> range,
               std::uint64_t begun) {
    note(world_, what::processed, life_, p, epoch, range.first, range.second, begun);
    world_.processed += range.second - range.first;
  }

  void commit_some(consumer& in) {
    for (auto& [p, t] : tenures_) {
      if (t.next == t.committed || random_.one_in(3)) continue;
      const std::uint64_t tried = note(world_, what::to_commit, life_, p, t.epoch, t.next);
      const std::string metadata = random_.one_in(4) ? "by life " + std::to_string(life_) : "";
      const auto done = in.commit({partition_at(p), t.next, metadata});
      note(world_, what::committed, life_, p, t.epoch, t.next, 0, tried, done ? errc::ok : done.error());
      if (done) t.committed = t.next;
    }
  }

  leat::rebalance_listener listener() {
    leat::rebalance_listener l;
    l.assigned = [this](std::span<const leat::topic_partition> list) {
      for (const auto& at : list) {
        const std::uint32_t p = index_of(at);
        expect(!tenures_.contains(p), "a partition was assigned twice");
        const std::uint64_t position = in_->position(at);
        const std::uint32_t epoch = epoch_of(at);
        tenures_[p] = {epoch, position, position};
        if (epoch != 0) note(world_, what::taken, life_, p, epoch, position);
      }
    };
    l.revoked = [this](std::span<const leat::topic_partition> list) {
      for (const auto& at : list) {
        const std::uint32_t p = index_of(at);
        const tenure t = tenures_.at(p);
        const std::uint64_t pause = std::max<std::uint64_t>(longest_pause_, now() - world_.last_poll[life_]);
        note(world_, what::revoked, life_, p, t.epoch, t.next, 0, pause);
        const std::uint64_t tried = note(world_, what::to_commit, life_, p, t.epoch, t.next);
        const auto done = in_->commit({at, t.next});
        note(world_, what::committed, life_, p, t.epoch, t.next, 0, tried, done ? errc::ok : done.error());
        note(world_, what::given_up, life_, p, t.epoch, t.next, 0, 0, done ? errc::ok : done.error());
        tenures_.erase(p);
      }
    };
    l.lost = [this](std::span<const leat::topic_partition> list) {
      const std::uint64_t pause = std::max<std::uint64_t>(longest_pause_, now() - world_.last_poll[life_]);
      for (const auto& at : list) {
        const std::uint32_t p = index_of(at);
        note(world_, what::lost, life_, p, tenures_.at(p).epoch, 0, 0, pause);
        tenures_.erase(p);
      }
      longest_pause_ = 0;
    };
    return l;
  }

  /// The epoch of its tenure, if it is its own still; 0 where it was fenced since.
  std::uint32_t epoch_of(const leat::topic_partition& at) {
    const auto owner = logs_[at.topic == "recycled" ? 1 : 0]->find_group("g")->owner(at.partition);
    if (number_ == 0 || owner.member != number_) {
      const auto files = leat::group::group_files::open(store_.files(), "g");
      number_ = 0;
      for (const auto& m : files->members()) {
        if (m->id() == in_->member_id()) number_ = m->number();
      }
    }
    return owner.member == number_ && number_ != 0 ? owner.epoch : 0;
  }

  world& world_;
  const std::uint32_t slot_;
  const std::uint32_t life_;
  dice random_;
  leat::store store_;
  std::vector<std::shared_ptr<leat::storage::topic_log>> logs_;
  consumer* in_ = nullptr;
  bool automatic_ = false;
  std::uint32_t number_ = 0;
  std::uint64_t longest_pause_ = 0;
  std::map<std::uint32_t, tenure> tenures_;
};

void send_for_ever(const std::string& path, world& w, std::uint32_t id) {
  const leat::store store = leat::store::open(path);
  std::vector<producer> out;
  for (const char* const name : {"kept", "recycled"}) {
    out.emplace_back(store.topic<leat::bytes_view>(name, {.mode = leat::open_mode::open}),
                     leat::producer_options{.max_block = 2ms});
  }
  dice random(10 + id);
  std::uint64_t numbers[2] = {};
  while (w.stop == 0) {
    // Not further ahead than the members can follow, so that the group stays near the end of the log.
    if (w.sent > w.processed + 20'000) {
      std::this_thread::yield();
      continue;
    }
    const std::uint64_t topic = random.roll(2);
    const auto partition = static_cast<std::uint32_t>(random.roll(partitions_each));
    for (std::uint64_t n = 1 + random.roll(30); n != 0 && w.stop == 0; --n) {
      const auto made = payload(id, numbers[topic], sizeof(stamp) + random.roll(200));
      const auto done = out[topic].send(view(made), {.partition = partition});
      if (!done) {
        expect(topic == 0 && done.error() == errc::back_pressure, "a send failed");
        break;
      }
      ++numbers[topic];
      ++w.sent;
    }
  }
}

// --- the check ------------------------------------------------------------------------------------------------------

class checker {
 public:
  explicit checker(const world& w) : world_(w), length_(std::min<std::uint64_t>(w.length, most_entries)) {}

  std::vector<std::string> run(const std::vector<std::uint64_t>& ends) {
    std::vector<std::vector<std::uint64_t>> of_partition(all_partitions);
    for (std::uint64_t i = 0; i < length_; ++i) {
      const entry& e = world_.entries[i];
      if (e.kind == what::none) continue;  // its writer was killed at it
      if (e.kind == what::killed) {
        killed_[e.life] = i;
      } else if (e.kind == what::late) {
        late_[e.life] = i;
      } else if (e.epoch != 0) {
        of_partition[e.partition].push_back(i);
      }
    }
    for (std::uint32_t p = 0; p < all_partitions && found_.size() < 12; ++p) check(p, of_partition[p], ends[p]);
    return found_;
  }

  std::uint64_t tenures() const noexcept { return tenures_; }
  std::uint64_t fenced_commits() const noexcept { return fenced_; }
  std::uint64_t redelivered() const noexcept { return redelivered_; }
  std::uint64_t losses() const noexcept { return losses_; }

 private:
  struct tenure {
    std::uint64_t taken = 0;
    std::uint32_t life = nobody;
    std::uint64_t from = 0;
    std::uint64_t next = 0;
    std::optional<std::uint64_t> revoked;
    std::optional<std::uint64_t> given_up;
    std::optional<std::uint64_t> lost;
    errc last_commit = errc::ok;
    std::uint64_t acknowledged = 0;
  };

  const entry& at(std::uint64_t i) const { return world_.entries[i]; }

  void report(std::uint32_t p, const std::string& what, std::initializer_list<std::uint64_t> witnesses) {
    std::ostringstream text;
    text << "partition " << p << ": " << what;
    for (const std::uint64_t i : witnesses) {
      const entry& e = at(i);
      text << "\n    #" << i << " kind " << static_cast<unsigned>(e.kind.load()) << " life " << e.life << " epoch "
           << e.epoch << " from " << e.from << " to " << e.to << " other " << e.other << " code " << e.code << " at "
           << (e.time - world_.entries[0].time) / 1000 << " us";
    }
    found_.push_back(text.str());
  }

  void check(std::uint32_t p, const std::vector<std::uint64_t>& log, std::uint64_t end) {
    std::map<std::uint32_t, tenure> by_epoch;
    for (const std::uint64_t i : log) {
      const entry& e = at(i);
      if (e.kind != what::taken) continue;
      tenure t;
      t.taken = i;
      t.life = e.life;
      t.from = t.next = e.from;
      if (!by_epoch.emplace(e.epoch, t).second)
        report(p, "one owner: an epoch was taken twice", {by_epoch[e.epoch].taken, i});
    }
    tenures_ += by_epoch.size();
    const auto taken_later = [&](std::uint32_t epoch) {
      const auto later = by_epoch.upper_bound(epoch);
      return later == by_epoch.end() ? nullptr : &later->second;
    };
    std::map<std::uint64_t, std::uint64_t> covered;  // begin -> end
    std::uint64_t processed = 0;                     // the highest
    for (const std::uint64_t i : log) {
      const entry& e = at(i);
      const auto found = by_epoch.find(e.epoch);
      if (found == by_epoch.end()) {
        report(p, "an epoch that nobody took", {i});
        continue;
      }
      tenure& t = found->second;
      const tenure* const later = taken_later(e.epoch);
      switch (e.kind) {
        case what::taken:
          if (e.from > processed) {
            // Where retention does not wait, the group may have begun anew at the log start.
            if (p < partitions_each)
              report(p, "committed: beyond what was processed up to " + std::to_string(processed), {i});
          }
          break;
        case what::processed:
        case what::skipped:
          if (e.kind == what::processed && later != nullptr && e.other > later->taken) {
            report(p, "one owner: a poll that began behind another's taking over gave records", {later->taken, i});
          }
          if (e.from != t.next) report(p, "no gap: " + std::to_string(t.next) + " was due", {t.taken, i});
          t.next = e.to;
          if (e.kind == what::processed && e.from < processed) redelivered_ += std::min(processed, e.to) - e.from;
          processed = std::max(processed, e.to);
          covered[e.from] = std::max(covered[e.from], e.to);
          break;
        case what::revoked: t.revoked = i; break;
        case what::given_up:
          t.given_up = i;
          t.last_commit = static_cast<errc>(e.code);
          break;
        case what::lost:
          t.lost = i;
          ++losses_;
          break;
        case what::committed:
          if (e.code != 0) {
            ++fenced_;
            if (static_cast<errc>(e.code) != errc::fenced) report(p, "a commit failed otherwise than by fenced", {i});
            break;
          }
          if (later != nullptr && e.other > later->taken) {
            report(p, "one owner: a commit behind another's taking over succeeded", {later->taken, e.other, i});
          }
          if (e.from < t.acknowledged) report(p, "committed: went back", {i});
          t.acknowledged = std::max(t.acknowledged, e.from);
          break;
        default: break;
      }
    }
    check_successions(p, by_epoch);
    std::uint64_t reached = 0;
    for (const auto& [from, to] : covered) {
      if (from > reached) {
        report(p,
               "no gap: nobody processed the records from " + std::to_string(reached) + " to " + std::to_string(from),
               {});
        return;
      }
      reached = std::max(reached, to);
    }
    if (reached != end) {
      report(p, "no gap: the end is " + std::to_string(end) + ", processed is up to " + std::to_string(reached), {});
    }
  }

  void check_successions(std::uint32_t p, const std::map<std::uint32_t, tenure>& by_epoch) {
    const tenure* before = nullptr;
    for (const auto& [epoch, t] : by_epoch) {
      if (before != nullptr) {
        if (t.from < before->from) report(p, "committed: went back between two tenures", {before->taken, t.taken});
        if (t.from < before->acknowledged) {
          report(p, "committed: what was acknowledged, " + std::to_string(before->acknowledged) + ", is undone",
                 {before->taken, t.taken});
        }
        const bool in_order = before->given_up && before->last_commit == errc::ok;
        if (in_order && t.from != before->next) {
          report(p, "redelivery: behind a tenure that ended in good order with " + std::to_string(before->next),
                 {before->taken, *before->given_up, t.taken});
        }
        // One that was stopped behind its taking over writes it down late.
        if (t.taken > before->taken && !had_reason(*before, t)) {
          const auto killed = killed_.find(before->life);
          report(p,
                 "reason: a partition was taken from one who had it and was well; it polled last at " +
                     std::to_string((world_.last_poll[before->life] - at(0).time) / 1000) + " us",
                 {before->taken, before->revoked.value_or(before->taken), before->lost.value_or(before->taken),
                  killed == killed_.end() ? before->taken : killed->second, t.taken});
        }
      }
      before = &t;
    }
  }

  /// Whether the owner before had given it up, was dead, or had not polled for too long.
  bool had_reason(const tenure& before, const tenure& t) const {
    // One that was stopped behind its look at its membership gives up what is another's already; its commit is fenced.
    if (before.revoked) return *before.revoked < t.taken || at(*before.revoked).other >= too_long;
    if (before.lost && at(*before.lost).other >= too_long) return true;
    const auto killed = killed_.find(before.life);
    if (killed == killed_.end()) return false;
    if (killed->second < t.taken) return true;
    // It was killed later, and could not say any more that it had lost the partition.
    const auto late = late_.find(before.life);
    return (late != late_.end() && late->second > before.taken) ||
           world_.last_poll[before.life] + too_long <= at(t.taken).time;
  }

  const world& world_;
  const std::uint64_t length_;
  std::map<std::uint32_t, std::uint64_t> killed_;
  std::map<std::uint32_t, std::uint64_t> late_;  // the last of each
  std::vector<std::string> found_;
  std::uint64_t tenures_ = 0;
  std::uint64_t fenced_ = 0;
  std::uint64_t redelivered_ = 0;
  std::uint64_t losses_ = 0;
};

// --- the test -------------------------------------------------------------------------------------------------------

std::chrono::seconds duration() {
  const char* const given = std::getenv("LEAT_CHURN_SECONDS");
  return std::chrono::seconds(given != nullptr ? std::strtoul(given, nullptr, 10) : 15);
}

TEST_CASE("no record is lost and no partition has two owners whoever joins and leaves and is killed and is stopped") {
  const std::chrono::seconds time = duration();
  watchdog dog(static_cast<unsigned>(time.count()) + 150);
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  const leat::store store = leat::store::open(place.store());
  std::vector<topic> topics;
  for (const bool waits : {true, false}) {
    leat::topic_options o = tiny(waits ? 3 : 6, partitions_each);
    o.retention.wait_for_groups = waits;
    topics.push_back(store.topic<leat::bytes_view>(waits ? "kept" : "recycled", o));
  }
  shared<world> page;
  world& w = *page;
  dice random(4);

  const auto start = [&](std::uint32_t slot) {
    const auto life = static_cast<std::uint32_t>(++w.lives);
    if (life >= most_lives) fail("too many lives");
    w.life[slot] = life;
    return child([&, slot, life] {
      ::alarm(0);  // the watchdog's is enough
      member(place.store(), w, slot, life).run();
    });
  };
  std::vector<child> group;
  for (std::uint32_t slot = 0; slot < members; ++slot) group.push_back(start(slot));
  // Retention waits for a group from its beginning on: what went before is nobody's loss.
  wait_until("the group has begun everywhere", [&] {
    for (std::uint32_t p = 0; p < all_partitions; ++p) {
      const auto offsets = topics[p / partitions_each].log()->find_group("g");
      if (offsets == nullptr || !offsets->hold(p % partitions_each)) return false;
    }
    return true;
  });
  std::vector<child> producers;
  for (std::uint32_t id = 0; id < 2; ++id) {
    producers.emplace_back([&, id] {
      ::alarm(0);
      send_for_ever(place.store(), w, id);
    });
  }

  std::vector<std::uint64_t> committed(all_partitions, 0);
  const auto look_at_commits = [&] {
    for (std::uint32_t p = 0; p < all_partitions; ++p) {
      const auto offsets = topics[p / partitions_each].log()->find_group("g");
      const std::uint64_t is = offsets == nullptr ? 0 : offsets->committed_position(p % partitions_each).value_or(0);
      INFO("partition " << p);
      if (is < committed[p]) REQUIRE(is >= committed[p]);  // went back
      committed[p] = is;
    }
  };

  const std::uint64_t begin = now();
  const std::uint64_t end = begin + static_cast<std::uint64_t>(std::chrono::nanoseconds(time).count());
  std::map<std::uint32_t, std::uint64_t> stopped;  // until when
  const auto resume_due = [&](bool everybody) {
    for (auto s = stopped.begin(); s != stopped.end();) {
      if (everybody || now() >= s->second) {
        group[s->first].resume();
        s = stopped.erase(s);
      } else {
        ++s;
      }
    }
  };
  unsigned kills = 0;
  unsigned stops = 0;
  while (now() < end && w.length < most_entries / 2) {
    spin(random.roll(10'000'000));
    resume_due(false);
    look_at_commits();
    for (child& p : producers) REQUIRE(p.running());
    const auto slot = static_cast<std::uint32_t>(random.roll(members));
    if (stopped.contains(slot)) {
      if (!random.one_in(4)) continue;  // few are killed while they stand still
    } else {
      REQUIRE(group[slot].running());
    }
    switch (random.roll(4)) {
      case 0: w.leave[slot] = 1; break;
      case 1:
        ++kills;
        note(w, what::killed, static_cast<std::uint32_t>(w.life[slot]), 0, 0);
        group[slot].kill();
        stopped.erase(slot);
        group[slot] = start(slot);
        break;
      default:
        if (stopped.size() >= members / 2 || stopped.contains(slot)) break;
        ++stops;
        group[slot].stop();
        stopped[slot] = now() + (random.one_in(3) ? 2 : 1) * random.roll(200'000'000);
        break;
    }
  }
  w.stop = 1;
  for (child& p : producers) p.join();
  resume_due(true);
  std::vector<std::uint64_t> ends;
  for (std::uint32_t p = 0; p < all_partitions; ++p)
    ends.push_back(topics[p / partitions_each].end_offset(p % partitions_each));
  const auto deadline = now() + 60'000'000'000;
  for (bool all_there = false; !all_there && now() < deadline;) {
    look_at_commits();
    for (child& m : group) REQUIRE(m.running());
    all_there = committed == ends;
    std::this_thread::yield();
    if (!all_there && now() > end + 2'000'000'000) w.stop = 2;  // what they have read they commit when they leave
    if (w.stop == 2) break;
  }
  w.stop = 2;
  for (child& m : group) m.join();
  look_at_commits();
  CHECK(committed == ends);

  checker check(w);
  const std::vector<std::string> found = check.run(ends);
  INFO("LEAT_SEED=" << seed() << ", " << w.length << " entries, " << w.sent << " records, " << kills << " kills, "
                    << stops << " stops, " << check.tenures() << " tenures, " << check.losses() << " lost, "
                    << check.fenced_commits() << " fenced commits, " << check.redelivered() << " records redelivered");
  std::string text;
  for (const std::string& f : found) text += f + "\n";
  CHECK(text == "");
  CHECK(check.tenures() > 100);
  CHECK(kills > 5);
  CHECK(check.losses() > 0);
  CHECK(check.redelivered() > 0);
  if (std::getenv("LEAT_CHURN_SECONDS") != nullptr) {
    WARN(w.length << " entries, " << w.sent << " records, " << kills << " kills, " << stops << " stops, "
                  << check.tenures() << " tenures, " << check.losses() << " lost, " << check.fenced_commits()
                  << " fenced commits, " << check.redelivered() << " records redelivered");
  }
}

}  // namespace stress_churn
