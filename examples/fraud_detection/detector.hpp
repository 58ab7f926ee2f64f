// A member of the group that looks for fraud, in a thread of its own.
//
// What it knows of a partition's cards is not stored anywhere: whoever takes the partition over reads the last window
// again. How far back that is, is committed with the offset.
#pragma once

#include "payments.hpp"

#include <leat/leat.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>

namespace fraud {

class detector {
 public:
  detector(const std::string& name, const leat::store& store)
      : alerts_(store.topic<alert>("alerts")),
        in_(store, {.auto_offset_reset = leat::offset_reset::earliest,
                    .group = "fraud",
                    .client_id = name,
                    .enable_auto_commit = false}) {
    const auto forget = [this](std::span<const leat::topic_partition> partitions) {
      for (const auto& p : partitions) owned_.erase(p.partition);
      owns_ = owned_.size();
    };
    const auto begin = [this](std::span<const leat::topic_partition> partitions) {
      for (const auto& p : partitions) take_over(p);
      owns_ = owned_.size();
    };
    in_.subscribe({"payments"}, {.assigned = begin, .revoked = forget, .lost = forget});
    thread_ = std::thread([this] { run(); });
  }
  detector(const detector&) = delete;
  detector& operator=(const detector&) = delete;
  ~detector() { stop(); }

  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }

  std::size_t owns() const { return owns_; }              // partitions
  std::size_t judged() const { return judged_; }          // payments
  std::size_t read_again() const { return read_again_; }  // those that another had judged

  /// Throws what ended the thread.
  void check() const {
    if (failed_) throw std::runtime_error("a detector failed: " + failure_);
  }

 private:
  struct card {
    std::multiset<timestamp> recent;  // payments that may still share a window with one to come
    bool reported = false;
  };
  struct partition {
    leat::topic_partition at;
    std::uint64_t judged_until = 0;  // offset: what is below was judged and is committed
    timestamp latest;                // of the payments' times so far
    std::map<std::string, card> cards;
  };

  void run() {
    try {
      while (!stopping_) {
        for (const auto& record : in_.poll(10ms)) judge(record);
        commit();
      }
      in_.close();
    } catch (const std::exception& e) {
      failure_ = e.what();
      failed_ = true;
    }
  }

  void take_over(const leat::topic_partition& p) {
    partition& mine = owned_[p.partition];
    mine = {.at = p, .judged_until = in_.position(p), .latest = {}, .cards = {}};
    const auto committed = in_.committed(p);
    if (!committed) return;  // the group's first look at it
    mine.latest = timestamp(std::chrono::nanoseconds(std::stoll(committed->metadata)));
    // The earliest payment that can come now, and the window before it.
    const auto from = in_.offset_for_time(p, mine.latest - most_late - window);
    if (from && *from < mine.judged_until) in_.seek(p, *from);
  }

  void judge(const leat::consumer<payment>::batch_type::record& record) {
    partition& mine = owned_.at(record.partition());
    const bool known = record.offset() < mine.judged_until;
    ++(known ? read_again_ : judged_);

    mine.latest = std::max(mine.latest, record.timestamp());
    card& c = mine.cards[std::string(record.key())];
    c.recent.erase(c.recent.begin(), c.recent.lower_bound(mine.latest - most_late - window));
    if (c.recent.empty()) c.reported = false;
    c.recent.insert(record.timestamp());
    if (c.reported || c.recent.size() < too_many) return;

    auto first = c.recent.begin();
    for (auto last = std::next(first, too_many - 1); last != c.recent.end(); ++first, ++last) {
      if (*last - *first > window) continue;
      c.reported = true;
      if (!known) alerts_.send(record.key(), alert{*first, *last}, {.timestamp = *last}).value();
      return;
    }
  }

  /// Behind the alerts: who dies in between leaves alerts that come twice, and none that is missing.
  void commit() {
    for (auto& [number, mine] : owned_) {
      const std::uint64_t position = in_.position(mine.at);
      if (position <= mine.judged_until) continue;
      const auto done = in_.commit({mine.at, position, std::to_string(mine.latest.time_since_epoch().count())});
      if (done) mine.judged_until = position;
      if (!done && done.error() != leat::errc::fenced) done.value();  // throws; if fenced, the next poll calls `lost`
    }
  }

  leat::producer<alert> alerts_;
  std::map<std::uint32_t, partition> owned_;  // lives longer than the consumer, which tells when it leaves
  leat::consumer<payment> in_;
  std::atomic<std::size_t> owns_ = 0;
  std::atomic<std::size_t> judged_ = 0;
  std::atomic<std::size_t> read_again_ = 0;
  std::string failure_;
  std::atomic<bool> failed_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace fraud
