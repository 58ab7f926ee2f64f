// A subscriber: calls a function for every record, in threads of its own, and commits what has been processed.
//
//     leat::subscriber in{orders, [](const auto& order) { book(order.value()); },
//                         {.consumer = {.group = "ledger"}, .workers = 4, .order = leat::processing_order::by_key}};
//     in.wait();                                       // until somebody stops it; throws what made it stop
//
// A thread polls a consumer, copies the records and deals them out to the workers. Workers complete records in any order;
// what is committed is always a complete prefix: every record below the committed offset has been processed. So each record
// is processed at least once, whoever dies when: those behind the committed offset again, by whoever has the partition next.
//
// Order      Records with equal keys, or of one partition, or none, wait for one another; see processing_order. Equal keys
//            (or one partition) always go to the same worker.
// Failure    A call that throws or returns an error is repeated, `retries` times, and holds up its worker meanwhile. Then the
//            record goes to the dead-letter topic; without one, the subscriber stops, and the record is not committed.
// Rebalance  What is in flight of a partition that passes to another member may finish for `drain_timeout`, and is committed.
//            The rest is dropped: the other member does it. Of a partition that was lost nothing is committed any more.
// Threads    `workers` and one more. The object may be used by any thread, and stopped by any, a worker's included.
// Processes  as a consumer.
// Crash      as a member of a group that dies: what it had not committed is processed again, by others.
// Fork       the child has none of its threads: there, wait() throws forked, and destroying it does nothing.
// Cost       an allocation and a copy of each record, so that a slow worker neither ends with the next poll nor keeps segments
//            from being reused; and two hand-overs between threads. Idle, it sleeps as a consumer does.
#pragma once

#include <leat/async/attempts.hpp>
#include <leat/async/dispatcher.hpp>
#include <leat/async/tenure.hpp>
#include <leat/batch.hpp>
#include <leat/consumer.hpp>
#include <leat/os/clock.hpp>
#include <leat/os/fork.hpp>
#include <leat/os/processor.hpp>
#include <leat/result.hpp>
#include <leat/store.hpp>
#include <leat/subscriber_options.hpp>
#include <leat/topic.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace leat {

template <class Value, class Key = std::string>
class subscriber {
 public:
  using record = record_view<Value, Key>;

  /// Begins at once. `handler` is called with a record, or with a record and a std::stop_token that tells of the end, by several
  /// threads at once where there are several workers. It returns nothing, or an errc or a result: whether it succeeded. The
  /// record is valid until it returns. Throws what a consumer's constructor throws; wrong_type: the dead-letter topic.
  template <class Handler>
  subscriber(const leat::topic<Value, Key>& topic, Handler handler, const subscriber_options& options = {})
      : state_(std::make_unique<state>(topic.log()->store(), consumer<Value, Key>(topic, without_auto_commit(options)),
                                       callable(std::move(handler)), options)) {
    if (is_member(options)) state_->in.subscribe({topic.name()}, state_->listener());
    state_->begin();
  }

  /// The same for several topics with a group.
  template <class Handler>
  subscriber(const leat::store& store, std::vector<std::string> topics, Handler handler,
             const subscriber_options& options)
      : state_(std::make_unique<state>(store.files(), consumer<Value, Key>(store, without_auto_commit(options)),
                                       callable(std::move(handler)), options)) {
    state_->in.subscribe(std::move(topics), state_->listener());
    state_->begin();
  }

  /// Stops, and waits for the end. Not in a handler.
  ~subscriber() {
    if (state_->forked()) {
      (void)state_.release();  // its threads are in the parent
      return;
    }
    state_->stop();
    state_->join();
  }
  subscriber(const subscriber&) = delete;
  subscriber& operator=(const subscriber&) = delete;

  /// No record is taken from now on. What is in flight may finish, see drain_timeout, and is committed. Returns at once.
  void stop() noexcept {
    if (!state_->forked()) state_->stop();
  }

  /// Until it has stopped. Throws what it stopped for, unless that was stop(): what a handler threw (leat::error where it returned
  /// an error) or what a poll or a commit failed with. Not in a handler.
  void wait() { state_->wait(); }
  bool running() const noexcept { return !state_->ended.load(std::memory_order_acquire); }

  /// Taken from the log, and not completed yet.
  std::size_t in_flight() const noexcept { return state_->flight.seen_in_flight(); }

 private:
  using handler_type = typename async::attempts<Value, Key>::handler_type;
  using tenure = async::tenure;
  using clock = std::chrono::steady_clock;

  static bool is_member(const subscriber_options& o) { return !o.consumer.group.empty() && !o.consumer.partitions; }

  static consumer_options without_auto_commit(const subscriber_options& o) {
    consumer_options c = o.consumer;
    c.enable_auto_commit = false;  // it would commit what was polled, not what was processed
    return c;
  }

  template <class Handler>
  static handler_type callable(Handler handler) {
    return [handler = std::move(handler)](const record& r, [[maybe_unused]] const std::stop_token& stopping) mutable {
      const auto call = [&]() -> decltype(auto) {
        if constexpr (std::invocable<Handler&, const record&, std::stop_token>) {
          return handler(r, stopping);
        } else {
          return handler(r);
        }
      };
      using returned = decltype(call());
      if constexpr (std::is_void_v<returned>) {
        call();
        return errc::ok;
      } else if constexpr (std::same_as<std::remove_cvref_t<returned>, errc>) {
        return call();
      } else {
        return call().error();
      }
    };
  }

  struct state {
    state(const std::shared_ptr<storage::store_files>& store, consumer<Value, Key>&& c, handler_type&& handler,
          const subscriber_options& o)
        : options(o),
          files(store),
          attempts(store, std::move(handler), options, stopping.get_token()),
          flight(options),
          in(std::move(c)) {}

    ~state() { join(); }

    void begin() {
      try {
        flight.begin([this](const record& r, tenure& of) { return process(r, of); });
        poller = std::thread([this] { poll_on(); });
      } catch (...) {
        flight.end();
        throw;
      }
      stopped_by_token.emplace(options.stop, [this] { stop(); });
    }

    bool forked() const noexcept { return os::fork_generation() != generation; }

    // --- in any thread ---

    void stop() noexcept {
      stopping.request_stop();
      wake_poller();
      attempts.wake();
    }

    /// The poller looks at what it may have been woken for between noting the bell and waiting.
    void wake_poller() const noexcept {
      if (files->writable()) files->bell().ring(~std::uint32_t{0});
    }

    void join() noexcept {
      stopped_by_token.reset();
      const std::lock_guard one_at_a_time(joining);
      if (poller.joinable()) poller.join();
    }

    void wait() {
      if (forked()) throw error(errc::forked, files->path(), "the subscriber belongs to the parent process");
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return ended.load(std::memory_order_acquire); });
      if (failure) std::rethrow_exception(failure);
    }

    void fail(std::exception_ptr what) noexcept {
      const std::lock_guard guard(mutex);
      if (!failure) failure = std::move(what);
    }

    // --- the workers ---

    bool process(const record& r, tenure& of) noexcept {
      const auto verdict = attempts.process(r, of);
      if (verdict.what == async::outcome::processed) return true;
      of.dropped = true;  // those behind it must not overtake it
      if (verdict.what == async::outcome::failed) {
        fail(verdict.why);
        stop();
      }
      return false;
    }

    // --- the poller ---

    void poll_on() noexcept {
      try {
        while (!stopping.stop_requested()) {
          flight.take_completions();
          commit_if_due();
          flight.resume(in);
          if (flight.is_full()) {
            wait_for_room();
          } else if (!deal_out()) {
            rest();
          }
        }
        drain(flight.tenures());
      } catch (...) {
        fail(std::current_exception());
        stopping.request_stop();
        for (tenure* const t : flight.tenures()) t->dropped = true;
        attempts.wake();
      }
      flight.end();
      attempt([this] {
        flight.take_completions();
        flight.forget_in_flight();
        for (tenure* const t : flight.tenures()) commit(*t);
      });
      attempt([this] { in.close(); });
      {
        const std::lock_guard guard(mutex);
        ended.store(true, std::memory_order_release);
      }
      changed.notify_all();
    }

    template <class Action>
    void attempt(Action action) noexcept {
      try {
        action();
      } catch (...) {
        fail(std::current_exception());
      }
    }

    bool deal_out() {
      const bool any = flight.deal_out(in, in.poll());
      if (any) looks = 0;
      return any;
    }

    /// Nothing is taken, but a member of a group goes on polling.
    void wait_for_room() {
      const bool member = is_member(options);
      if (member) {
        pause(true);
        deal_out();  // what has just come is not paused yet
        pause(false);
      }
      flight.wait_for_completions(member ? std::chrono::milliseconds(4) : std::chrono::milliseconds(100));
    }
    void pause(bool paused) {
      for (const topic_partition& p : in.owned()) paused || flight.is_paused(p) ? in.pause(p) : in.resume(p);
    }

    /// Nothing to read: looks again a few times, then sleeps until a producer rings, a member is due, or a commit is.
    void rest() {
      if (++looks < looks_before_sleep) return os::pause();
      const storage::reader::vigil v = in.begin_vigil();
      if (v.over || stopping.stop_requested()) return;
      clock::time_point until = std::min(v.until, next_commit);
      if (!flight.is_empty()) {
        until = std::min(until, os::later(clock::now(), std::max(options.commit_interval, shortest_rest)));
      }
      if (v.rings) {
        files->bell().wait(v.noted, v.mask, until);
      } else {
        std::this_thread::sleep_until(until);
      }
    }

    // --- commits ---

    bool commits() const noexcept { return !options.consumer.group.empty(); }

    void commit_if_due() {
      if (flight.take_progress() && commits() && next_commit == clock::time_point::max()) {
        next_commit = std::max(clock::now(), os::later(last_commit, options.commit_interval));
      }
      if (next_commit == clock::time_point::max() || clock::now() < next_commit) return;
      for (tenure* const t : flight.tenures()) commit(*t);
      last_commit = clock::now();
      next_commit = clock::time_point::max();
    }

    void commit(tenure& t) {
      if (!commits() || t.prefix.next() == t.committed) return;
      const auto done = in.commit(partition_offset{t.at, t.prefix.next(), {}});
      if (done) {
        t.committed = t.prefix.next();
      } else if (done.error() == errc::fenced && is_member(options)) {
        t.dropped = true;  // another has it; the next poll tells so
      } else {
        throw error(done.error(), files->topics().path(t.at.topic), "what was processed cannot be committed");
      }
    }

    // --- partitions that go ---

    rebalance_listener listener() {
      return {.assigned =
                  [this](std::span<const topic_partition> list) {
                    if (!flight.is_crowded()) return;
                    for (const topic_partition& p : list) in.pause(p);
                  },
              .revoked = [this](std::span<const topic_partition> list) { let_go(flight.tenures(list)); },
              .lost =
                  [this](std::span<const topic_partition> list) {
                    for (tenure* const t : flight.tenures(list)) {
                      t->dropped = true;
                      t->ended = true;
                    }
                    attempts.wake();
                  }};
    }

    /// What is in flight of these may finish, for a time. The rest is dropped.
    void drain(const std::vector<tenure*>& leaving) {
      for (tenure* const t : leaving) t->hurried = true;
      attempts.wake();
      const clock::time_point begin = clock::now();
      const auto time_is_up = [&] { return clock::now() - begin >= options.drain_timeout; };
      const auto at_work = [](const tenure* t) { return t->in_flight != 0; };
      flight.take_completions();
      while (std::ranges::any_of(leaving, at_work) && !time_is_up()) {
        flight.wait_for_completions(std::chrono::milliseconds(5));
      }
      for (tenure* const t : leaving) t->dropped = true;
    }

    void let_go(const std::vector<tenure*>& leaving) {
      drain(leaving);
      for (tenure* const t : leaving) commit(*t);
      for (tenure* const t : leaving) t->ended = true;
    }

    static constexpr int looks_before_sleep = 100;
    static constexpr std::chrono::nanoseconds shortest_rest = std::chrono::milliseconds(1);

    const subscriber_options options;
    const std::uint32_t generation = os::fork_generation();
    const std::shared_ptr<storage::store_files> files;
    std::stop_source stopping;
    std::mutex mutex;  // of `changed` and `failure`
    std::condition_variable changed;
    std::exception_ptr failure;
    std::atomic<bool> ended{false};

    async::attempts<Value, Key> attempts;
    async::dispatcher<Value, Key> flight;  // its workers make the attempts

    // Of the poller.
    int looks = 0;
    clock::time_point next_commit = clock::time_point::max();  // max: nothing to commit
    clock::time_point last_commit{};

    consumer<Value, Key> in;  // behind all that its listener uses, which its destructor may call once more
    std::mutex joining;
    std::thread poller;
    std::optional<std::stop_callback<std::function<void()>>> stopped_by_token;
  };

  std::unique_ptr<state> state_;
};

template <class Value, class Key, class Handler>
subscriber(const topic<Value, Key>&, Handler, const subscriber_options&) -> subscriber<Value, Key>;
template <class Value, class Key, class Handler>
subscriber(const topic<Value, Key>&, Handler) -> subscriber<Value, Key>;

}  // namespace leat
