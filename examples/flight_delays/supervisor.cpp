#include "supervisor.hpp"

#include "consumer.hpp"
#include "producer.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace demo {

using namespace std::chrono_literals;

std::string name_of(role who, std::uint32_t id) {
  return (who == role::producer ? "producer " : "consumer ") + std::to_string(id);
}

namespace {

/// Until a worker is in the middle of its work: between two batches it sleeps, and killing it there would be easy.
void wait_until_busy(const worker_score& score) {
  const std::uint64_t before = score.records.load(std::memory_order_relaxed);
  const auto deadline = steady_clock::now() + 20ms;
  while (score.records.load(std::memory_order_relaxed) == before && steady_clock::now() < deadline) {
  }
}

}  // namespace

supervisor::supervisor(const signal_watch& signals, const workload& work, std::string store_name, scoreboard& board)
    : signals_(signals),
      work_(work),
      store_name_(std::move(store_name)),
      board_(board),
      progress_(board),
      crew_(signals),
      producers_(work.options.producers),
      consumers_(work.options.consumers) {}

void supervisor::run() {
  board_.start_in(100ms);
  start_all();
  plan_kills();
  while (!crew_.empty()) {
    const auto now = progress_.next();
    signals_.wait(kills_.empty() ? now : std::min(now, kills_.back().when));
    crew_.reap();
    if (!kills_.empty() && steady_clock::now() >= kills_.back().when) {
      const planned_kill due = kills_.back();
      kills_.pop_back();
      kill(due);
    }
    if (all_sent()) board_.all_sent.store(true, std::memory_order_relaxed);
    progress_.show();
    if (progress_.stalled_for() > longest_stall) throw std::runtime_error("nothing is sent or counted any more");
  }
  progress_.finish();
}

void supervisor::start_all() {
  for (std::uint32_t id = 0; id < consumers_.size(); ++id) consumers_[id] = start(role::consumer, id);
  for (std::uint32_t id = 0; id < producers_.size(); ++id) producers_[id] = start(role::producer, id);
}

pid_t supervisor::start(role who, std::uint32_t id) {
  return crew_.start(name_of(who, id), [this, who, id] {
    (who == role::producer ? run_producer : run_consumer)(store_name_, work_, id, board_);
  });
}

void supervisor::plan_kills() {
  const auto at = [&](double percent) {
    const std::chrono::duration<double> after(work_.options.seconds * percent / 100);
    return board_.steady_start + std::chrono::duration_cast<steady_clock::duration>(after);
  };
  kills_ = {{at(work_.options.kill_producer_at), role::producer, work_.options.producers / 2},
            {at(work_.options.kill_consumer_at), role::consumer, work_.options.consumers / 2}};
  std::ranges::sort(kills_, std::ranges::greater{}, &planned_kill::when);
}

void supervisor::kill(const planned_kill& plan) {
  pid_t& place = (plan.who == role::producer ? producers_ : consumers_)[plan.id];
  const pid_t dead = place;
  wait_until_busy(score(plan.who, plan.id));
  const auto when = wall_clock() - board_.start;
  if (plan.who == role::consumer) board_.consumer_killed.store(when.count(), std::memory_order_relaxed);
  crew_.kill(dead);
  const std::uint64_t records = score(plan.who, plan.id).records.load(std::memory_order_relaxed);
  deaths_.push_back({plan.who, plan.id, when, records});
  std::string what = name_of(plan.who, plan.id) + " (process " + std::to_string(dead) + ") was killed with SIGKILL; ";
  if (plan.who == role::producer) {
    place = start(plan.who, plan.id);
    what += "process " + std::to_string(place) + " takes its place";
  } else {
    what += "the others take its partitions";
  }
  progress_.say(when, what);
}

bool supervisor::all_sent() const {
  return std::ranges::none_of(producers_, [&](pid_t p) { return crew_.has(p); });
}

worker_score& supervisor::score(role who, std::uint32_t id) const {
  return who == role::producer ? board_.producers[id] : board_.consumers[id];
}

}  // namespace demo
