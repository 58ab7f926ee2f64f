// The worst of worlds, for as long as wished: producers that append in all ways, members of a group that join and leave, readers
// that are no members, all of them killed, stopped (some for longer than they may) and started again; segments so small that
// rolls and recycling happen all the time.
//
// It goes in rounds, each with a fresh store and other options. Everybody writes down what happens to it (campaign_log.hpp);
// when a round is over, campaign_checker.hpp looks through all of it. What it reports names the seed, the record, the lives
// that had to do with it and what they saw. `LEAT_SEED=... LEAT_CAMPAIGN_SECONDS=3600` takes an hour instead of a minute.
//
// Its single-threaded twins are process/history_test.cpp and the unit tests of the group; that nothing grows is soak_test.cpp's.
#include "support/campaign_checker.hpp"
#include "support/group_member.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace leat_tests;
using namespace std::chrono_literals;
using campaign::entry;
using campaign::life;
using campaign::now;
using campaign::what;
using leat::errc;

namespace stress_campaign {

constexpr std::uint32_t members = 6;
constexpr std::uint32_t producers = 3;
constexpr std::uint32_t readers = 2;
constexpr std::uint32_t processes = members + producers + readers;  // slots, in this order
constexpr std::chrono::seconds round_time{14};
constexpr std::chrono::nanoseconds patience_of_group = 150ms;  // max_poll_interval
constexpr std::chrono::nanoseconds session = 100ms;
/// Less by the grain of the coarse clock, and by what a poll does before it is written down.
constexpr auto too_long = static_cast<std::uint64_t>((patience_of_group - std::chrono::nanoseconds(20ms)).count());
constexpr std::uint64_t entries_a_second = 120'000;  // then producers wait: the log of a round lies in memory

enum topic_index : std::uint32_t { kept, recycled };  // retention waits for the group, or does not
constexpr const char* topic_names[] = {"kept", "recycled"};

struct world {
  campaign::book book;
  counter stop;  // 1: nobody disturbs any more, and producers end; 2: the others end
  counter sent;
  counter processed;
  counter leave[processes];
  counter life[processes];
};

/// What is different in each round.
struct setting {
  std::string path;
  std::uint64_t round;
  std::uint32_t partitions_each;
  std::uint64_t segments_kept;
  leat::durability durability;

  std::uint32_t partitions() const noexcept {
    return 2 * partitions_each;
  }  // those of "kept", then those of "recycled"
  std::uint32_t index_of(const leat::topic_partition& p) const {
    return p.partition + (p.topic == topic_names[recycled] ? partitions_each : 0);
  }
  leat::topic_partition partition_at(std::uint32_t index) const {
    return {topic_names[index / partitions_each], index % partitions_each};
  }
  std::vector<topic> open() const {
    const leat::store store = leat::store::open(path);
    std::vector<topic> both;
    for (const char* const name : topic_names) {
      both.push_back(store.topic<leat::bytes_view>(name, {.mode = leat::open_mode::open}));
    }
    return both;
  }
  std::uint64_t dice_of(life l) const noexcept { return 1'000'000 * (round + 1) + l; }
};

/// What a record says of itself.
template <class Record>
entry entry_of(const Record& record, life reader, std::uint32_t partition, std::uint32_t epoch) {
  const auto s = read_record(record);
  return {.kind = what::read,
          .code = static_cast<std::uint16_t>(s ? 0 : 1),
          .life = reader,
          .partition = partition,
          .epoch = epoch,
          .from = record.offset(),
          .to = s ? s->number : 0,
          .other = s ? s->producer : 0};
}

// --- a member -------------------------------------------------------------------------------------------------------

class member {
 public:
  member(world& w, const setting& s, std::uint32_t slot, life l)
      : world_(w), setting_(s), slot_(slot), life_(l), random_(s.dice_of(l)), store_(leat::store::open(s.path)) {
    for (const topic& t : s.open()) logs_.push_back(t.log());
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
      last_poll() = now();
      if (random_.one_in(2)) {
        in.subscribe({topic_names[kept], topic_names[recycled]}, listener());
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

  counter& last_poll() { return world_.book.last_poll[life_]; }

  std::uint64_t note(what kind, std::uint32_t p, std::uint32_t epoch, std::uint64_t from, std::uint64_t to = 0,
                     std::uint64_t other = 0, errc code = errc::ok) {
    return world_.book.note({.kind = kind,
                             .code = static_cast<std::uint16_t>(code),
                             .life = life_,
                             .partition = p,
                             .epoch = epoch,
                             .from = from,
                             .to = to,
                             .other = other});
  }

  void turn(consumer& in) {
    const std::uint64_t begun = world_.book.length;
    const std::uint64_t time = now();
    const std::uint64_t pause = time - last_poll();
    if (pause >= too_long) note(what::late, 0, 0, 0, 0, pause);
    longest_pause_ = std::max(longest_pause_, pause);
    last_poll() = time;
    const auto batch = in.poll(2ms);
    expect(batch.error() == errc::ok,
           [&] { return "a poll failed: " + std::to_string(static_cast<int>(batch.error())); });
    std::map<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>> runs;
    for (const auto& record : batch) {
      const std::uint32_t p = setting_.index_of({std::string(record.topic()), record.partition()});
      const auto t = tenures_.find(p);
      expect(t != tenures_.end(), [&] { return "a record of a partition that it has not: " + std::to_string(p); });
      given_.push_back(entry_of(record, life_, p, t->second.epoch));
      if (record.offset() != t->second.next && was_skipped(p, t->second.next, record.offset())) {
        if (const auto r = runs.find(p); r != runs.end()) process(p, t->second.epoch, r->second, begun);
        runs.erase(p);
        note(what::skipped, p, t->second.epoch, t->second.next, record.offset());
        t->second.next = record.offset();
      }
      const auto [r, first] = runs.try_emplace(p, record.offset(), record.offset());
      r->second.second = t->second.next = record.offset() + 1;
    }
    world_.book.note(given_);
    given_.clear();
    for (const auto& [p, range] : runs) process(p, tenures_.at(p).epoch, range, begun);
    if (!automatic_ && random_.one_in(5)) commit_some(in);
    if (random_.one_in(50)) spin(random_.roll(3'000'000));
  }

  /// By retention, where it does not wait.
  bool was_skipped(std::uint32_t p, std::uint64_t due, std::uint64_t came) const {
    const std::uint32_t each = setting_.partitions_each;
    return p >= each && came > due && came <= logs_[recycled]->partition(p % each).start_offset().observe();
  }

  void process(std::uint32_t p, std::uint32_t epoch, std::pair<std::uint64_t, std::uint64_t> range,
               std::uint64_t begun) {
    note(what::processed, p, epoch, range.first, range.second, begun);
    world_.processed += range.second - range.first;
  }

  /// The outcome.
  errc commit(consumer& in, std::uint32_t p, std::uint32_t epoch, std::uint64_t to, const std::string& metadata = {}) {
    const std::uint64_t tried = note(what::to_commit, p, epoch, to);
    const auto done = in.commit({setting_.partition_at(p), to, metadata});
    const errc outcome = done ? errc::ok : done.error();
    note(what::committed, p, epoch, to, 0, tried, outcome);
    return outcome;
  }

  void commit_some(consumer& in) {
    for (auto& [p, t] : tenures_) {
      if (t.next == t.committed || random_.one_in(3)) continue;
      const std::string metadata = random_.one_in(4) ? "by life " + std::to_string(life_) : "";
      if (commit(in, p, t.epoch, t.next, metadata) == errc::ok) t.committed = t.next;
    }
  }

  leat::rebalance_listener listener() {
    leat::rebalance_listener l;
    l.assigned = [this](std::span<const leat::topic_partition> list) {
      for (const auto& at : list) {
        const std::uint32_t p = setting_.index_of(at);
        expect(!tenures_.contains(p), "a partition was assigned twice");
        const std::uint64_t position = in_->position(at);
        const std::uint32_t epoch = epoch_of(at);
        tenures_[p] = {epoch, position, position};
        if (epoch != 0) note(what::taken, p, epoch, position);
      }
    };
    l.revoked = [this](std::span<const leat::topic_partition> list) {
      for (const auto& at : list) {
        const std::uint32_t p = setting_.index_of(at);
        const tenure t = tenures_.at(p);
        note(what::revoked, p, t.epoch, t.next, 0, pause());
        const errc outcome = commit(*in_, p, t.epoch, t.next);
        note(what::given_up, p, t.epoch, t.next, 0, 0, outcome);
        tenures_.erase(p);
      }
    };
    l.lost = [this](std::span<const leat::topic_partition> list) {
      const std::uint64_t longest = pause();
      for (const auto& at : list) {
        const std::uint32_t p = setting_.index_of(at);
        note(what::lost, p, tenures_.at(p).epoch, 0, 0, longest);
        tenures_.erase(p);
      }
      longest_pause_ = 0;
    };
    return l;
  }
  std::uint64_t pause() { return std::max<std::uint64_t>(longest_pause_, now() - last_poll()); }

  /// The epoch of its tenure, if it is its own still; 0 where it was fenced since.
  std::uint32_t epoch_of(const leat::topic_partition& at) {
    const auto owner = logs_[at.topic == topic_names[recycled] ? recycled : kept]->find_group("g")->owner(at.partition);
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
  const setting& setting_;
  const std::uint32_t slot_;
  const life life_;
  dice random_;
  leat::store store_;
  std::vector<std::shared_ptr<leat::storage::topic_log>> logs_;
  consumer* in_ = nullptr;
  bool automatic_ = false;
  std::uint32_t number_ = 0;
  std::uint64_t longest_pause_ = 0;
  std::map<std::uint32_t, tenure> tenures_;
  std::vector<entry> given_;
};

// --- a producer -----------------------------------------------------------------------------------------------------

/// Sends in all ways. Its records are numbered over everything that it sends, whatever the partition.
class sender {
 public:
  sender(world& w, const setting& s, life l)
      : world_(w), setting_(s), life_(l), random_(s.dice_of(l)), topics_(s.open()) {
    for (const topic& t : topics_) out_.emplace_back(t, leat::producer_options{.max_block = 2ms});
  }

  void run() {
    const std::uint64_t begin = world_.book.begun();
    while (world_.stop == 0) {
      // Not further ahead than the members can follow, so that the group stays near the end of the log; and not faster than
      // can be written down.
      const std::uint64_t allowed = (now() - begin) / 1000 * entries_a_second / 1'000'000;
      if (world_.sent > world_.processed + 10'000 || world_.book.length > allowed + 20'000) {
        std::this_thread::sleep_for(50us);
        continue;
      }
      const auto t = static_cast<topic_index>(random_.roll(2));
      const auto partition = static_cast<std::uint32_t>(random_.roll(setting_.partitions_each));
      for (std::uint64_t n = 1 + random_.roll(20); n != 0 && world_.stop == 0; --n) {
        const errc outcome = send(t, partition);
        world_.book.note(told_);
        world_.sent += told_.size();
        told_.clear();
        if (outcome == errc::ok || outcome == errc::mismatched) continue;
        expect(t == kept && outcome == errc::back_pressure,
               [&] { return "a send failed: " + leat::make_error_code(outcome).message(); });
        break;
      }
    }
  }

 private:
  static constexpr std::size_t most_in_batch = 10;

  errc send(topic_index t, std::uint32_t p) {
    producer& out = out_[t];
    const std::size_t bytes = sizeof(stamp) + random_.roll(random_.one_in(10) ? 4000 : 200);
    switch (random_.roll(6)) {
      case 0: {  // built in its place, or given up
        auto loan = out.claim(leat::null, bytes, {.partition = p});
        if (!loan) return loan.error();
        write_payload(loan->bytes(), life_, number_);
        if (random_.one_in(20)) return errc::ok;
        return told(t, loan->publish());
      }
      case 1: {
        std::array<std::vector<std::byte>, most_in_batch> made;
        std::array<leat::bytes_view, most_in_batch> views;
        std::array<leat::record_position, most_in_batch> at;
        const std::size_t count = 1 + random_.roll(most_in_batch);
        for (std::size_t i = 0; i < count; ++i) {
          made[i] = payload(life_, number_ + i, sizeof(stamp) + random_.roll(100));
          views[i] = made[i];
        }
        const auto done = out.send_batch(std::span(views).first(count), {.partition = p}, std::span(at).first(count));
        for (std::size_t i = 0; i < done.count; ++i) told(t, at[i]);
        return done.error;
      }
      case 2: {  // only where the log ends
        const auto made = payload(life_, number_, bytes);
        return told(t, out.send_if({p, topics_[t].end_offset(p)}, key_of(life_, number_), view(made)));
      }
      case 3: {
        const auto made = payload(life_, number_, bytes);
        return told(t, out.send(key_of(life_, number_), view(made)));
      }
      default: {
        const auto made = payload(life_, number_, bytes);
        return told(t, out.send(view(made), {.partition = p}));
      }
    }
  }

  void told(topic_index t, leat::record_position at) {
    told_.push_back({.kind = what::sent,
                     .life = life_,
                     .partition = at.partition + t * setting_.partitions_each,
                     .from = number_++,
                     .to = at.offset});
  }
  errc told(topic_index t, const leat::result<leat::record_position>& done) {
    if (!done) return done.error();
    told(t, *done);
    return errc::ok;
  }

  world& world_;
  const setting& setting_;
  const life life_;
  dice random_;
  std::vector<topic> topics_;
  std::vector<producer> out_;
  std::uint64_t number_ = 0;
  std::vector<entry> told_;
};

// --- a reader that is no member -----------------------------------------------------------------------------------------

/// Follows two partitions of each topic from the log start.
void follow(world& w, const setting& s, life l) {
  dice random(s.dice_of(l));
  const std::vector<topic> topics = s.open();
  std::vector<consumer> in;
  std::map<std::uint32_t, std::uint64_t> next;
  for (const topic& t : topics) {
    const auto first = static_cast<std::uint32_t>(random.roll(s.partitions_each));
    in.emplace_back(t, leat::consumer_options{.partitions = {{first, (first + 1) % s.partitions_each}},
                                              .auto_offset_reset = leat::offset_reset::earliest});
  }
  std::vector<entry> made;
  while (w.stop < 2) {
    const std::size_t t = random.roll(in.size());
    made.clear();
    std::map<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>> runs;
    const auto end_run = [&](std::uint32_t p) {
      if (const auto r = runs.extract(p); !r.empty()) {
        made.push_back(
            {.kind = what::polled, .life = l, .partition = p, .from = r.mapped().first, .to = r.mapped().second});
      }
    };
    for (const auto& record : in[t].poll(2ms)) {
      const std::uint32_t p = record.partition() + static_cast<std::uint32_t>(t) * s.partitions_each;
      made.push_back(entry_of(record, l, p, 0));
      const auto [due, first] = next.try_emplace(p, record.offset());
      if (record.offset() > due->second && record.offset() <= topics[t].start_offset(record.partition())) {
        end_run(p);
        made.push_back({.kind = what::skipped, .life = l, .partition = p, .from = due->second, .to = record.offset()});
      }
      runs.try_emplace(p, record.offset(), record.offset()).first->second.second = due->second = record.offset() + 1;
    }
    while (!runs.empty()) end_run(runs.begin()->first);
    w.book.note(made);
  }
}

// --- a round ------------------------------------------------------------------------------------------------------------

struct totals {
  std::uint64_t entries = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t records = 0;
  std::uint64_t kills = 0;
  std::uint64_t stops = 0;
  std::uint64_t tenures = 0;
  std::uint64_t losses = 0;
  std::uint64_t fenced = 0;
  std::uint64_t redelivered = 0;
  std::uint64_t segments = 0;

  std::string text() const {
    return std::to_string(entries) + " entries, " + std::to_string(acknowledged) + " records acknowledged, " +
           std::to_string(records) + " seen, " + std::to_string(segments) + " segments, " + std::to_string(kills) +
           " kills, " + std::to_string(stops) + " stops, " + std::to_string(tenures) + " tenures, " +
           std::to_string(losses) + " lost, " + std::to_string(fenced) + " fenced commits, " +
           std::to_string(redelivered) + " records redelivered";
  }
};

class campaign_round {
 public:
  explicit campaign_round(std::uint64_t round) : random_(1'000'000 * (round + 1)) {
    setting_.round = round;
    setting_.partitions_each = static_cast<std::uint32_t>(2 + random_.roll(random_.one_in(2) ? 4 : 30));
    setting_.segments_kept = 2 + random_.roll(4);
    setting_.durability = random_.one_in(3) ? leat::durability::every : leat::durability::none;
    // A store with durable topics is not to look as if it lay in memory.
    setting_.path = (setting_.durability == leat::durability::none ? "" : "/dev/..") + place_.store();
    const leat::store store = leat::store::open(setting_.path);
    for (const topic_index t : {kept, recycled}) {
      leat::topic_options o = tiny(setting_.segments_kept + (t == recycled ? 3 : 0), setting_.partitions_each);
      o.retention.wait_for_groups = t == kept;
      o.durability = setting_.durability;
      topics_.push_back(store.topic<leat::bytes_view>(topic_names[t], o));
    }
    world_->book.note({.kind = what::none});  // when it began
    for (std::uint32_t slot = 0; slot < members; ++slot) children_.push_back(start(slot));
    // Retention waits for a group from its beginning on: what went before is nobody's loss.
    wait_until("the group has begun everywhere", [&] {
      for (std::uint32_t p = 0; p < setting_.partitions(); ++p) {
        expect(children_[p % members].running(), "a member ended early");
        const auto offsets = offsets_of(p);
        if (offsets == nullptr || !offsets->hold(p % setting_.partitions_each)) return false;
      }
      return true;
    });
    for (std::uint32_t slot = members; slot < processes; ++slot) children_.push_back(start(slot));
    committed_.resize(setting_.partitions());
  }

  std::string options() const {
    return "round " + std::to_string(setting_.round) + ": 2 x " + std::to_string(setting_.partitions_each) +
           " partitions, " + std::to_string(setting_.segments_kept) + " segments kept, " +
           (setting_.durability == leat::durability::none ? "not durable" : "durable");
  }

  void disturb(std::chrono::nanoseconds time) {
    world& w = *world_;
    const std::uint64_t end = now() + static_cast<std::uint64_t>(time.count());
    while (now() < end && w.book.length < campaign::most_entries / 2) {
      std::this_thread::sleep_for(
          std::chrono::microseconds(random_.roll(10'000)));  // the pace of what it does to others
      resume_due(false);
      look_at_commits();
      const auto slot = static_cast<std::uint32_t>(random_.roll(processes));
      const bool stands = stopped_.contains(slot);
      if (stands && !random_.one_in(4)) continue;  // few are killed while they stand still
      if (!stands) expect(children_[slot].running(), "a process ended early");
      switch (random_.roll(4)) {
        case 0:
          if (slot < members) w.leave[slot] = 1;
          break;
        case 1:
          ++kills_;
          w.book.note({.kind = what::killed, .life = static_cast<life>(w.life[slot].load())});
          children_[slot].kill();
          stopped_.erase(slot);
          children_[slot] = start(slot);
          break;
        default:
          if (stands || stopped_.size() >= processes / 2) break;
          ++stops_;
          children_[slot].stop();
          stopped_[slot] = now() + (random_.one_in(3) ? 2 : 1) * random_.roll(200'000'000);
      }
    }
  }

  /// Producers end; the group processes and commits everything; then the others end, and everything is read once more.
  void end() {
    world& w = *world_;
    w.stop = 1;
    resume_due(true);
    for (std::uint32_t slot = members; slot < members + producers; ++slot) children_[slot].join();
    for (std::uint32_t p = 0; p < setting_.partitions(); ++p) {
      ends_.push_back(topics_[p / setting_.partitions_each].end_offset(p % setting_.partitions_each));
    }
    const std::uint64_t begin = now();
    wait_until("the group has processed everything", [&] {
      look_at_commits();
      for (std::uint32_t slot = 0; slot < members; ++slot) expect(children_[slot].running(), "a member ended early");
      return committed_ == ends_ || now() > begin + 2'000'000'000;  // the rest they commit when they leave
    });
    w.stop = 2;
    for (child& c : children_) c.join();
    look_at_commits();
    read_all();
  }

  /// What is wrong with it.
  std::string check(totals& sum) const {
    campaign::facts known{.partitions = {}, .too_long = too_long, .last_poll = [&](life l) -> std::uint64_t {
                            return world_->book.last_poll[l];
                          }};
    for (std::uint32_t p = 0; p < setting_.partitions(); ++p) {
      const topic& t = topics_[p / setting_.partitions_each];
      const std::uint32_t id = p % setting_.partitions_each;
      known.partitions.push_back({t.start_offset(id), ends_[p], p < setting_.partitions_each});
      sum.segments += begun(t, id);
    }
    const auto entries = world_->book.entries();
    campaign::checker c(entries, known);
    std::string text;
    for (const campaign::violation& v : c.run()) text += v.text + "\n";
    if (committed_ != ends_) text += "the group has not committed everything\n";
    sum.entries += entries.size();
    sum.acknowledged += c.acknowledged();
    sum.records += c.records();
    sum.kills += kills_;
    sum.stops += stops_;
    sum.tenures += c.tenures();
    sum.losses += c.losses();
    sum.fenced += c.fenced_commits();
    sum.redelivered += c.redelivered();
    return text;
  }

 private:
  child start(std::uint32_t slot) {
    world& w = *world_;
    const life l = w.book.begin_life();
    w.life[slot] = l;
    return child([&w, this, slot, l] {
      ::alarm(0);  // the watchdog's is enough
      if (slot < members) {
        member(w, setting_, slot, l).run();
      } else if (slot < members + producers) {
        sender(w, setting_, l).run();
      } else {
        follow(w, setting_, l);
      }
    });
  }

  std::shared_ptr<leat::storage::group_offsets> offsets_of(std::uint32_t p) const {
    return topics_[p / setting_.partitions_each].log()->find_group("g");
  }

  void look_at_commits() {
    for (std::uint32_t p = 0; p < setting_.partitions(); ++p) {
      const auto offsets = offsets_of(p);
      const std::uint64_t is =
          offsets == nullptr ? 0 : offsets->committed_position(p % setting_.partitions_each).value_or(0);
      expect(is >= committed_[p], [&] {
        return "commit moved back: partition " + std::to_string(p) + ", from " + std::to_string(committed_[p]) +
               " to " + std::to_string(is);
      });
      committed_[p] = is;
    }
  }

  void resume_due(bool everybody) {
    for (auto s = stopped_.begin(); s != stopped_.end();) {
      if (everybody || now() >= s->second) {
        children_[s->first].resume();
        s = stopped_.erase(s);
      } else {
        ++s;
      }
    }
  }

  void read_all() {
    std::vector<entry> made;
    for (std::uint32_t p = 0; p < setting_.partitions(); ++p) {
      const std::uint32_t id = p % setting_.partitions_each;
      const topic& t = topics_[p / setting_.partitions_each];
      consumer in(t, {.partitions = {{id}}, .auto_offset_reset = leat::offset_reset::earliest});
      made.clear();
      read_up_to(in, id, ends_[p],
                 [&](const auto& record) { made.push_back(entry_of(record, campaign::supervisor, p, 0)); });
      world_->book.note(made);
    }
  }

  shared_place place_;
  setting setting_;
  shared<world> world_;
  dice random_;
  std::vector<topic> topics_;
  std::vector<child> children_;                     // by slot
  std::map<std::uint32_t, std::uint64_t> stopped_;  // until when
  std::vector<std::uint64_t> committed_;
  std::vector<std::uint64_t> ends_;
  std::uint64_t kills_ = 0;
  std::uint64_t stops_ = 0;
};

TEST_CASE("no record is lost or doubled and no partition has two owners whoever is killed and stopped") {
  const char* const given = std::getenv("LEAT_CAMPAIGN_SECONDS");
  const std::chrono::seconds time(given != nullptr ? std::strtoul(given, nullptr, 10) : 56);
  INFO("LEAT_SEED=" << seed());
  const auto begin = std::chrono::steady_clock::now();
  totals sum;
  for (std::uint64_t round = 0; std::chrono::steady_clock::now() - begin < time; ++round) {
    watchdog dog(240);
    campaign_round r(round);
    INFO(r.options());
    const auto left = begin + time - std::chrono::steady_clock::now();
    r.disturb(std::clamp<std::chrono::nanoseconds>(left, 3s, round_time));
    r.end();
    const std::string found = r.check(sum);
    if (!found.empty()) CHECK(found == "");
    if (given != nullptr) {
      std::printf("%s; so far %s\n", r.options().c_str(), sum.text().c_str());
      std::fflush(stdout);
    }
  }
  INFO(sum.text());
  CHECK(sum.tenures > 100);
  CHECK(sum.kills > 5);
  CHECK(sum.losses > 0);
  CHECK(sum.redelivered > 0);
  CHECK(sum.records > 1000);
}

}  // namespace stress_campaign
