// What a subscriber has in flight: copies what was polled, deals it out to the workers, and knows what is complete.
//
// Here are decided the order in which records are processed (who goes to the same worker, in one lane), how many are in flight,
// and how far those of a partition run ahead of the first that is not complete. What does not fit is sought back to, and read
// once more.
//
// Threads    that of the poller, but for seen_in_flight().
#pragma once

#include <leat/async/kept_record.hpp>
#include <leat/async/tenure.hpp>
#include <leat/async/worker_pool.hpp>
#include <leat/batch.hpp>
#include <leat/consumer.hpp>
#include <leat/partitioner.hpp>
#include <leat/record.hpp>
#include <leat/subscriber_options.hpp>
#include <leat/types.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace leat::async {

template <class Value, class Key>
class dispatcher {
 public:
  using record = record_view<Value, Key>;

  explicit dispatcher(const subscriber_options& options)
      : options_(options), pool_(workers(), options.order == processing_order::none ? 1 : workers()) {}

  /// `process` is called in the workers' threads, and gives whether the record counts as processed.
  void begin(std::function<bool(const record&, tenure&)> process) {
    pool_.begin([process = std::move(process)](const task& t) {
      return completion{t.of, t.number, t.bytes, process(t.kept.view(t.of->at.topic), *t.of)};
    });
  }
  /// All that was dealt out is done before. Of that, take_completions() still tells.
  void end() noexcept { pool_.end(); }

  /// Deals a poll's records out to the workers, as far as the bounds allow. False: there were none.
  bool deal_out(consumer<Value, Key>& in, const batch<Value, Key>& polled) {
    bool any = false;
    std::vector<const tenure*> full;  // partitions of which something is left
    tenure* of = nullptr;
    const std::string* topic = nullptr;
    // Those of the partition whose record was refused last come first, or others would take its room for ever.
    const tenure* const waiting = refused_.of;
    for (const bool first : {true, false}) {
      if (first && waiting == nullptr) continue;
      of = nullptr;
      for (const record& r : polled) {  // throws what the poll failed with
        any = true;
        if (of == nullptr || topic != &r.topic() || of->at.partition != r.partition()) {
          topic = &r.topic();
          of = &tenure_of(r);
        }
        if (waiting != nullptr && first != (of == waiting)) continue;
        if (of->paused) continue;
        if (of->prefix.size() >= most_ahead()) {
          pause(in, *of, r.offset());
          continue;
        }
        const std::size_t bytes = r.extent();
        if (!full.empty() || !has_room_for(bytes)) {
          if (full.empty()) refused_ = {of, bytes};
          if (std::ranges::find(full, of) == full.end()) {  // from here on, it is read once more
            in.seek(of->at, r.offset());
            full.push_back(of);
          }
          continue;
        }
        if (of == refused_.of) refused_ = {};
        task t{of, of->prefix.add(r.offset()), bytes, kept_record<Value, Key>(r)};
        ++of->in_flight;
        ++in_flight_;
        in_flight_bytes_ += bytes;
        pool_.deal(lane_of(*of, r), std::move(t));
      }
    }
    seen_in_flight_.store(in_flight_, std::memory_order_relaxed);
    pool_.hand_over();
    if (!full.empty()) crowded_ = true;
    return any;
  }

  /// Those that had run too far ahead, when half of that is complete.
  void resume(consumer<Value, Key>& in) {
    if (!any_paused_) return;
    any_paused_ = false;
    for (tenure* const t : tenures()) {
      if (t->paused && t->prefix.size() <= most_ahead() / 2) {
        in.resume(t->at);
        t->paused = false;
      }
      any_paused_ = any_paused_ || t->paused;
    }
  }
  bool is_paused(const topic_partition& p) const {
    return any_paused_ &&
           std::ranges::any_of(tenures_, [&](const auto& t) { return t->paused && !t->ended && t->at == p; });
  }

  void take_completions() {
    const bool any = pool_.take([this](const completion& c) {
      --in_flight_;
      in_flight_bytes_ -= c.bytes;
      --c.of->in_flight;
      if (!c.processed) return;
      c.of->prefix.complete(c.number);
      progressed_ = true;
    });
    if (any) seen_in_flight_.store(in_flight_, std::memory_order_relaxed);
    if (refused_.of != nullptr && refused_.of->ended) refused_ = {};
    std::erase_if(tenures_, [](const auto& t) { return t->ended && t->in_flight == 0; });
  }
  void wait_for_completions(std::chrono::microseconds at_most) {
    pool_.wait(at_most);
    take_completions();
  }

  /// Something was processed since the last call.
  bool take_progress() noexcept { return std::exchange(progressed_, false); }

  /// What was counted, but not dealt out for an exception, does not come back. Behind end().
  void forget_in_flight() noexcept {
    in_flight_ = in_flight_bytes_ = 0;
    for (const auto& t : tenures_) t->in_flight = 0;
    seen_in_flight_.store(0, std::memory_order_relaxed);
  }

  bool is_empty() const noexcept { return in_flight_ == 0; }
  std::size_t seen_in_flight() const noexcept { return seen_in_flight_.load(std::memory_order_relaxed); }

  /// From where the bounds were met until half is free again, so that it is not at every record, and what was refused fits.
  bool is_full() noexcept {
    crowded_ = crowded_ || !has_room_for(1);
    crowded_ = crowded_ && in_flight_ != 0 &&
               (in_flight_ > options_.max_in_flight / 2 || in_flight_bytes_ > options_.max_in_flight_bytes / 2 ||
                !has_room_for(refused_.bytes));
    return crowded_;
  }
  /// What is_full() said last, or will say.
  bool is_crowded() const noexcept { return crowded_; }

  /// Those that have not ended.
  std::vector<tenure*> tenures() const {
    std::vector<tenure*> all;
    for (const auto& t : tenures_) {
      if (!t->ended) all.push_back(t.get());
    }
    return all;
  }
  std::vector<tenure*> tenures(std::span<const topic_partition> of) const {
    std::vector<tenure*> found = tenures();
    std::erase_if(found, [&](const tenure* t) { return std::ranges::find(of, t->at) == of.end(); });
    return found;
  }

 private:
  struct task {
    tenure* of = nullptr;
    std::uint64_t number = 0;
    std::size_t bytes = 0;
    kept_record<Value, Key> kept;
  };
  struct completion {
    tenure* of = nullptr;
    std::uint64_t number = 0;
    std::size_t bytes = 0;
    bool processed = false;
  };

  std::size_t workers() const noexcept { return std::max<std::size_t>(1, options_.workers); }

  std::size_t most_ahead() const noexcept { return std::max<std::size_t>(1, options_.max_ahead); }

  /// From `offset` on, the partition is read when it is resumed.
  void pause(consumer<Value, Key>& in, tenure& t, std::uint64_t offset) {
    in.seek(t.at, offset);
    in.pause(t.at);
    t.paused = any_paused_ = true;
    if (refused_.of == &t) refused_ = {};
  }

  tenure& tenure_of(const record& r) {
    for (const auto& t : tenures_) {
      if (!t->ended && t->at.partition == r.partition() && t->at.topic == r.topic()) return *t;
    }
    tenures_.push_back(std::make_unique<tenure>(r.topic(), r.partition(), r.offset()));
    return *tenures_.back();
  }

  std::size_t lane_of(const tenure& of, const record& r) const {
    if (pool_.lanes() == 1) return 0;
    if (options_.order == processing_order::by_key) {
      // Scattered once more: the same hash has chosen the partition, so its remainder says little here.
      if (const auto key = readable([&] { return r.key_bytes(); }))
        return (std::uint64_t{murmur2(*key)} * 0x9e3779b97f4a7c15 >> 32) % pool_.lanes();
    }
    return (std::hash<std::string>()(of.at.topic) + of.at.partition) % pool_.lanes();
  }

  bool has_room_for(std::size_t bytes) const noexcept {
    return in_flight_ == 0 ||
           (in_flight_ < options_.max_in_flight && in_flight_bytes_ + bytes <= options_.max_in_flight_bytes);
  }

  const subscriber_options& options_;
  std::vector<std::unique_ptr<tenure>> tenures_;
  std::size_t in_flight_ = 0;
  std::size_t in_flight_bytes_ = 0;
  std::atomic<std::size_t> seen_in_flight_{0};
  bool crowded_ = false;
  bool progressed_ = false;
  bool any_paused_ = false;
  struct {
    const tenure* of = nullptr;  // null: none
    std::size_t bytes = 0;
  } refused_;                           // the first record that did not fit
  worker_pool<task, completion> pool_;  // last: its workers look at the tenures
};

}  // namespace leat::async
