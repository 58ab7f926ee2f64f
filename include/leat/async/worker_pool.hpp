// Worker threads: tasks are dealt out to them in lanes, and come back, done, in any order.
//
//     worker_pool<task, done> pool(workers, lanes);
//     pool.begin([](const task& t) { return done{...}; });  // called in the workers' threads
//     pool.deal(lane, task{...});
//     pool.hand_over();                                     // what was dealt begins
//     pool.take([](const done& d) {...});                   // what has come back
//
// The tasks of a lane begin in the order in which they were dealt; where it has one worker, each when the one before is done.
//
// Threads    one deals out and takes back; `workers` more belong to it.
// Cost       a hand-over to another thread for each task, and one for each that comes back; a system call where a worker sleeps.
#pragma once

#include <leat/async/concurrent_queue.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace leat::async {

template <class Task, class Done>
class worker_pool {
 public:
  /// Worker i serves lane i % lanes. There are no more lanes than workers.
  worker_pool(std::size_t workers, std::size_t lanes) {
    for (std::size_t i = 0; i < lanes; ++i) {
      lanes_.push_back(std::make_unique<lane>());
      require(lanes_.back()->token);
    }
    tokens_.reserve(workers);
    for (std::size_t i = 0; i < workers; ++i) require(tokens_.emplace_back(done_));
  }
  ~worker_pool() { end(); }
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  void begin(std::function<Done(const Task&)> work) {
    work_ = std::move(work);
    try {
      for (std::size_t i = 0; i < tokens_.size(); ++i) {
        workers_.emplace_back([this, i] { serve(*lanes_[i % lanes_.size()], tokens_[i]); });
      }
    } catch (...) {
      end();
      throw;
    }
  }

  /// What was handed over is done first. Of that, take() still tells.
  void end() noexcept {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      lane& to = *lanes_[i % lanes_.size()];
      while (!to.queue.enqueue(to.token, std::nullopt)) std::this_thread::yield();  // no memory
      to.filled.signal();
    }
    for (std::thread& w : workers_) w.join();
    workers_.clear();
  }

  std::size_t lanes() const noexcept { return lanes_.size(); }

  void deal(std::size_t to, Task&& task) { lanes_[to]->dealt.emplace_back(std::move(task)); }

  /// Throws std::bad_alloc; then some lanes do not have what was dealt to them.
  void hand_over() {
    for (const auto& l : lanes_) {
      if (l->dealt.empty()) continue;
      const std::size_t count = l->dealt.size();
      if (!l->queue.enqueue_bulk(l->token, std::make_move_iterator(l->dealt.begin()), count)) throw std::bad_alloc();
      l->dealt.clear();
      l->filled.signal(static_cast<moodycamel::LightweightSemaphore::ssize_t>(count));
    }
  }

  /// False: nothing has come back.
  template <class Each>
  bool take(const Each& each) {
    Done taken[64];
    bool any = false;
    while (const std::size_t count = done_.try_dequeue_bulk(taken, std::size(taken))) {
      for (const Done& d : std::span(taken, count)) each(d);
      any = true;
    }
    return any;
  }

  /// Until something has come back.
  void wait(std::chrono::microseconds at_most) {
    // Of two exchanges of one word, one is the first: either this sees what came, or the worker sees that it is awaited.
    awaited_.exchange(true, std::memory_order_acq_rel);
    if (done_.size_approx() == 0) came_.wait(at_most.count());
    awaited_.store(false, std::memory_order_relaxed);
  }

 private:
  struct lane {
    moodycamel::ConcurrentQueue<std::optional<Task>> queue;  // nullopt: a worker is to end
    moodycamel::LightweightSemaphore filled;
    moodycamel::ProducerToken token{queue};
    std::vector<std::optional<Task>> dealt;  // and not handed over yet
  };

  /// A queue that has no memory for a token gives one of which nothing can be done.
  static void require(const moodycamel::ProducerToken& token) {
    if (!token.valid()) throw std::bad_alloc();
  }

  void serve(lane& from, const moodycamel::ProducerToken& to) noexcept {
    for (std::optional<Task> t;;) {
      from.filled.wait();
      while (!from.queue.try_dequeue(t)) std::this_thread::yield();  // it is there: others take theirs at this moment
      if (!t) return;
      const Done done = work_(*t);
      t.reset();
      while (!done_.enqueue(to, done)) std::this_thread::yield();  // no memory
      if (awaited_.exchange(false, std::memory_order_acq_rel)) came_.signal();
    }
  }

  std::function<Done(const Task&)> work_;
  std::vector<std::unique_ptr<lane>> lanes_;
  moodycamel::ConcurrentQueue<Done> done_;
  std::vector<moodycamel::ProducerToken> tokens_;  // one for each worker
  moodycamel::LightweightSemaphore came_;
  std::atomic<bool> awaited_{false};  // for `came_`
  std::vector<std::thread> workers_;
};

}  // namespace leat::async
