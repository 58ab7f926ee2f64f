// Checks what everybody has written down in a campaign, when all is over. What it looks for, by the names that it reports:
//
//     torn read            somebody was given bytes that nobody wrote
//     two values           an offset holds one record for one reader and another for another, or for the producer that was
//                          told that its record is there
//     duplicate            a record is at two offsets
//     reordered            a producer's records are not in the order in which it sent them
//     lost                 a record was acknowledged, and whoever read its offset's neighbours did not read it
//     skipped poll         what a reader is given does not follow what it was given before, nor did retention take it
//     left out             nobody in the group processed a record
//     two owners           who begins a poll behind another's taking over is given a record of the partition still, or its commit
//                          succeeds; or a tenure is begun twice
//     taken without reason a partition is only taken from one who gave it up, was killed, or did not poll for too long
//     commit moved back    within a tenure, from one to the next, or behind what was acknowledged
//     commit ahead         of what was processed
//     commit failed        otherwise than by fencing
//     redelivered          behind a tenure that ended in good order
//
// Each violation comes with its witnesses: the entries that contradict each other. (After the Kafka workload of Jepsen, which
// looks for the like in Kafka.)
#pragma once

#include "support/campaign_log.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace leat_tests::campaign {

/// What is known otherwise.
struct facts {
  struct partition {
    std::uint64_t start = 0;  // of the log, in the end; behind it everything was read once more
    std::uint64_t end = 0;
    bool waits = false;  // retention waits for the group, so that nothing is taken from it
  };
  std::vector<partition> partitions;
  std::uint64_t too_long = 0;  // between two polls, ns: who is slower may be evicted
  std::function<std::uint64_t(life)> last_poll = [](life) { return std::uint64_t{0}; };
};

struct violation {
  std::string property;
  std::string text;  // with it, and the witnesses
};

class checker {
 public:
  checker(std::span<const entry> log, facts known) : log_(log), known_(std::move(known)) {}

  /// The first dozen.
  std::vector<violation> run() {
    std::vector<std::vector<std::uint64_t>> of_partition(known_.partitions.size());
    for (std::uint64_t i = 0; i < log_.size(); ++i) {
      const entry& e = log_[i];
      if (e.kind == what::none) continue;  // its writer was killed at it
      if (e.kind == what::killed) {
        killed_[e.life] = i;
      } else if (e.kind == what::late) {
        late_[e.life] = i;
      } else {
        of_partition[e.partition].push_back(i);
      }
    }
    for (std::uint32_t p = 0; p < of_partition.size(); ++p) {
      check_records(p, of_partition[p]);
      check_readers(p, of_partition[p]);
      check_group(p, of_partition[p]);
    }
    check_once();
    return std::move(found_);
  }

  std::uint64_t records() const noexcept { return places_.size(); }
  std::uint64_t acknowledged() const noexcept { return acknowledged_; }
  std::uint64_t tenures() const noexcept { return tenures_; }
  std::uint64_t fenced_commits() const noexcept { return fenced_; }
  std::uint64_t redelivered() const noexcept { return redelivered_; }
  std::uint64_t losses() const noexcept { return losses_; }

 private:
  using witnesses = std::initializer_list<std::uint64_t>;

  const entry& at(std::uint64_t i) const { return log_[i]; }

  void report(std::uint32_t p, const std::string& property, const std::string& what, witnesses list) {
    if (found_.size() >= 12) return;
    std::string text = property + ": partition " + std::to_string(p) + ": " + what;
    for (const std::uint64_t i : list) text += "\n    " + text_of(at(i), i, log_[0].time);
    found_.push_back({property, text});
  }

  // --- records: what is at each offset --------------------------------------------------------------------------------

  /// A record, and one entry that says that it is there.
  struct place {
    std::uint64_t producer;
    std::uint64_t number;
    std::uint32_t partition;
    std::uint64_t offset;
    std::uint64_t witness;
  };

  static std::string record(std::uint64_t producer, std::uint64_t number) {
    return "record " + std::to_string(number) + " of life " + std::to_string(producer);
  }

  void check_records(std::uint32_t p, const std::vector<std::uint64_t>& entries) {
    std::vector<std::uint64_t> reads;
    std::vector<std::uint64_t> sends;
    for (const std::uint64_t i : entries) {
      if (at(i).kind == what::sent) sends.push_back(i);
      if (at(i).kind != what::read) continue;
      if (at(i).code != 0)
        report(p, "torn read", "at offset " + std::to_string(at(i).from), {i});
      else
        reads.push_back(i);
    }
    std::ranges::stable_sort(reads, {}, [&](std::uint64_t i) { return at(i).from; });
    const std::size_t first = places_.size();
    for (const std::uint64_t i : reads) {
      const entry& e = at(i);
      if (places_.size() == first || places_.back().offset != e.from) {
        places_.push_back({e.other, e.to, p, e.from, i});
      } else if (const place& same = places_.back(); same.producer != e.other || same.number != e.to) {
        report(p, "two values",
               "offset " + std::to_string(e.from) + " is " + record(same.producer, same.number) + " and " +
                   record(e.other, e.to),
               {same.witness, i});
      }
    }
    const std::span<const place> here(places_.begin() + static_cast<std::ptrdiff_t>(first), places_.end());
    check_order(p, here);
    check_sends(p, sends, here);
  }

  void check_order(std::uint32_t p, std::span<const place> here) {
    std::map<std::uint64_t, const place*> last;
    for (const place& it : here) {
      const place*& before = last[it.producer];
      if (before != nullptr && it.number < before->number) {
        report(p, "reordered", record(it.producer, it.number) + " comes behind " + std::to_string(before->number),
               {before->witness, it.witness});
      }
      before = &it;
    }
  }

  void check_sends(std::uint32_t p, const std::vector<std::uint64_t>& sends, std::span<const place> here) {
    const facts::partition& log = known_.partitions[p];
    std::map<life, std::uint64_t> last;
    std::map<std::uint64_t, std::uint64_t> told;  // at which offset -> witness; of what nobody has read
    for (const std::uint64_t i : sends) {
      const entry& e = at(i);
      ++acknowledged_;
      if (const auto before = last.find(e.life); before != last.end() && e.to <= at(before->second).to) {
        report(p, "reordered", "a producer was told offsets that do not grow", {before->second, i});
      }
      last[e.life] = i;
      const auto there = std::ranges::lower_bound(here, e.to, {}, &place::offset);
      if (there != here.end() && there->offset == e.to) {
        if (there->producer != e.life || there->number != e.from) {
          report(p, "two values",
                 "offset " + std::to_string(e.to) + " is " + record(there->producer, there->number) + ", but " +
                     record(e.life, e.from) + " was acknowledged there",
                 {i, there->witness});
        }
      } else if (log.waits || e.to >= log.start) {
        report(p, "lost", record(e.life, e.from) + " was acknowledged at offset " + std::to_string(e.to), {i});
      } else if (const auto [same, inserted] = told.try_emplace(e.to, i); !inserted) {
        report(p, "two values", "two records were acknowledged at offset " + std::to_string(e.to), {same->second, i});
      }
    }
  }

  /// Over all partitions.
  void check_once() {
    std::ranges::sort(places_, {},
                      [](const place& r) { return std::tuple(r.producer, r.number, r.partition, r.offset); });
    for (std::size_t i = 1; i < places_.size(); ++i) {
      const place& a = places_[i - 1];
      const place& b = places_[i];
      if (a.producer != b.producer || a.number != b.number) continue;
      report(b.partition, "duplicate", record(a.producer, a.number) + " is there twice", {a.witness, b.witness});
    }
  }

  // --- readers that are no members ------------------------------------------------------------------------------------

  void check_readers(std::uint32_t p, const std::vector<std::uint64_t>& entries) {
    std::map<life, std::uint64_t> last;
    for (const std::uint64_t i : entries) {
      const entry& e = at(i);
      if (e.kind != what::polled && (e.kind != what::skipped || e.epoch != 0)) continue;
      if (const auto before = last.find(e.life); before != last.end() && e.from != at(before->second).to) {
        report(p, "skipped poll", "offset " + std::to_string(at(before->second).to) + " was due", {before->second, i});
      }
      last[e.life] = i;
    }
  }

  // --- the group ------------------------------------------------------------------------------------------------------

  struct tenure {
    std::uint64_t taken = 0;
    campaign::life life = 0;
    std::uint64_t from = 0;
    std::uint64_t next = 0;
    std::uint64_t last = 0;  // entry of what was given to it
    std::optional<std::uint64_t> revoked;
    std::optional<std::uint64_t> given_up;
    std::optional<std::uint64_t> lost;
    leat::errc last_commit = leat::errc::ok;
    std::uint64_t acknowledged = 0;
    std::uint64_t acknowledging = 0;  // its entry
  };
  using tenures_by_epoch = std::map<std::uint32_t, tenure>;

  void check_group(std::uint32_t p, const std::vector<std::uint64_t>& entries) {
    tenures_by_epoch by_epoch;
    bool has_members = false;
    for (const std::uint64_t i : entries) {
      const entry& e = at(i);
      if (e.kind != what::taken || e.epoch == 0) continue;
      has_members = true;
      tenure t;
      t.taken = t.last = t.acknowledging = i;
      t.life = e.life;
      t.from = t.next = e.from;
      if (const auto [same, inserted] = by_epoch.emplace(e.epoch, t); !inserted)
        report(p, "two owners", "a tenure was begun twice", {same->second.taken, i});
    }
    if (!has_members) return;
    tenures_ += by_epoch.size();
    std::map<std::uint64_t, std::uint64_t> covered;  // begin -> end
    std::uint64_t processed = 0;                     // the highest
    for (const std::uint64_t i : entries) {
      if (at(i).epoch != 0) check_entry(p, i, by_epoch, covered, processed);
    }
    check_successions(p, by_epoch);
    std::uint64_t reached = 0;
    for (const auto& [from, to] : covered) {
      if (from > reached) {
        report(p, "left out",
               "nobody processed the records from " + std::to_string(reached) + " to " + std::to_string(from), {});
        return;
      }
      reached = std::max(reached, to);
    }
    if (reached != known_.partitions[p].end) {
      report(
          p, "left out",
          "the end is " + std::to_string(known_.partitions[p].end) + ", processed is up to " + std::to_string(reached),
          {});
    }
  }

  void check_entry(std::uint32_t p, std::uint64_t i, tenures_by_epoch& by_epoch,
                   std::map<std::uint64_t, std::uint64_t>& covered, std::uint64_t& processed) {
    const entry& e = at(i);
    const auto found = by_epoch.find(e.epoch);
    if (found == by_epoch.end()) return report(p, "two owners", "a tenure that nobody has begun", {i});
    tenure& t = found->second;
    const auto next = by_epoch.upper_bound(e.epoch);
    const tenure* const later = next == by_epoch.end() ? nullptr : &next->second;
    switch (e.kind) {
      case what::taken:
        if (e.from <= processed) break;
        if (known_.partitions[p].waits) {
          report(p, "commit ahead", "of what was processed, up to " + std::to_string(processed), {i});
        } else {  // retention overtook the group, which begins anew at the log start: nobody is left to say that he skipped it
          covered[processed] = std::max(covered[processed], e.from);
          processed = e.from;
        }
        break;
      case what::processed:
      case what::skipped:
        if (e.kind == what::processed && later != nullptr && e.other > later->taken) {
          report(p, "two owners", "a poll that began behind another's taking over gave records", {later->taken, i});
        }
        if (e.from != t.next) report(p, "skipped poll", "offset " + std::to_string(t.next) + " was due", {t.last, i});
        t.next = e.to;
        t.last = i;
        if (e.kind == what::processed && e.from < processed) redelivered_ += std::min(processed, e.to) - e.from;
        processed = std::max(processed, e.to);
        covered[e.from] = std::max(covered[e.from], e.to);
        break;
      case what::revoked: t.revoked = i; break;
      case what::given_up:
        t.given_up = i;
        t.last_commit = static_cast<leat::errc>(e.code);
        break;
      case what::lost:
        t.lost = i;
        ++losses_;
        break;
      case what::committed:
        if (e.code != 0) {
          ++fenced_;
          if (static_cast<leat::errc>(e.code) != leat::errc::fenced)
            report(p, "commit failed", "otherwise than by fencing", {i});
          break;
        }
        if (later != nullptr && e.other > later->taken) {
          report(p, "two owners", "a commit behind another's taking over succeeded", {later->taken, e.other, i});
        }
        if (e.from < t.acknowledged) report(p, "commit moved back", "within a tenure", {t.acknowledging, i});
        if (e.from >= t.acknowledged) t.acknowledging = i;
        t.acknowledged = std::max(t.acknowledged, e.from);
        break;
      default: break;
    }
  }

  void check_successions(std::uint32_t p, const tenures_by_epoch& by_epoch) {
    const tenure* before = nullptr;
    for (const auto& [epoch, t] : by_epoch) {
      if (before != nullptr) {
        if (t.from < before->from) report(p, "commit moved back", "between two tenures", {before->taken, t.taken});
        if (t.from < before->acknowledged) {
          report(p, "commit moved back", "what was acknowledged is undone",
                 {before->taken, before->acknowledging, t.taken});
        }
        const bool in_order = before->given_up && before->last_commit == leat::errc::ok;
        if (in_order && t.from != before->next) {
          report(p, "redelivered", "behind a tenure that ended in good order with " + std::to_string(before->next),
                 {before->taken, *before->given_up, t.taken});
        }
        // One that was stopped behind its taking over writes it down late.
        if (t.taken > before->taken && !had_reason(*before, t)) {
          const auto killed = killed_.find(before->life);
          report(p, "taken without reason",
                 "from one who had it and was well; it polled last at " +
                     std::to_string((known_.last_poll(before->life) - at(0).time) / 1000) + " us",
                 {before->taken, before->revoked.value_or(before->taken), before->lost.value_or(before->taken),
                  killed == killed_.end() ? before->taken : killed->second, t.taken});
        }
      }
      before = &t;
    }
  }

  /// Whether the owner before had given it up, was dead, or had not polled for too long.
  bool had_reason(const tenure& before, const tenure& t) const {
    const std::uint64_t too_long = known_.too_long;
    // One that was stopped behind its look at its membership gives up what is another's already; its commit is fenced.
    if (before.revoked) return *before.revoked < t.taken || at(*before.revoked).other >= too_long;
    if (before.lost && at(*before.lost).other >= too_long) return true;
    const auto killed = killed_.find(before.life);
    if (killed == killed_.end()) return false;
    if (killed->second < t.taken) return true;
    // It was killed later, and could not say any more that it had lost the partition.
    const auto late = late_.find(before.life);
    return (late != late_.end() && late->second > before.taken) ||
           known_.last_poll(before.life) + too_long <= at(t.taken).time;
  }

  const std::span<const entry> log_;
  const facts known_;
  std::map<life, std::uint64_t> killed_;
  std::map<life, std::uint64_t> late_;  // the last of each
  std::vector<place> places_;
  std::vector<violation> found_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t tenures_ = 0;
  std::uint64_t fenced_ = 0;
  std::uint64_t redelivered_ = 0;
  std::uint64_t losses_ = 0;
};

}  // namespace leat_tests::campaign
