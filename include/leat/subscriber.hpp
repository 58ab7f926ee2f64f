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

#include <leat/async/completed_prefix.hpp>
#include <leat/async/concurrent_queue.hpp>
#include <leat/async/kept_record.hpp>
#include <leat/consumer.hpp>
#include <leat/os/clock.hpp>
#include <leat/os/fork.hpp>
#include <leat/partitioner.hpp>
#include <leat/producer.hpp>
#include <leat/result.hpp>
#include <leat/store.hpp>
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
#include <list>
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

/// Which records are processed one after the other, in the order of their offsets.
enum class processing_order {
  by_partition,  // those of one partition
  by_key,        // those of one partition with equal keys; those without a key, as by_partition
  none           // any may overtake any
};

/// An attempt to process a record that failed.
struct failed_attempt {
  const std::string& topic;
  record_position at;
  std::uint32_t attempt;                // 1, 2, ...
  const std::string& what;              // of the exception, or of the error that was returned
  const std::exception_ptr& exception;  // null: an error was returned
};

struct subscriber_options {
  /// Of the consumer that it polls: the group, where to begin, how many a poll takes. enable_auto_commit is not looked at.
  consumer_options consumer = {};

  std::size_t workers = 4;
  processing_order order = processing_order::by_partition;

  /// What may be in flight: taken from the log, and not completed. A larger record is taken where nothing else is in flight.
  std::size_t max_in_flight = 1000;
  std::size_t max_in_flight_bytes = 16 << 20;

  /// How often what has been processed is committed, at most. 0: at once.
  std::chrono::nanoseconds commit_interval = std::chrono::milliseconds(100);

  /// A record that failed is tried again so many times, after `backoff`, then twice as long, up to max_backoff.
  std::uint32_t retries = 5;
  std::chrono::nanoseconds backoff = std::chrono::milliseconds(100);
  std::chrono::nanoseconds max_backoff = std::chrono::seconds(10);

  /// Where a record goes that failed for good, with its key, value, headers and timestamp, and four headers more:
  /// leat.dead_letter.topic, .partition, .offset and .error. Made in the same store where it is not there. Empty: stop.
  std::string dead_letter_topic = {};

  /// How long what is in flight may take when a partition is given up, or at the end. Calls that run are not broken off: at the
  /// end they are waited for, else they go on, and do not count.
  std::chrono::nanoseconds drain_timeout = std::chrono::seconds(1);

  /// Stops it, as stop() does.
  std::stop_token stop = {};

  /// Told of each attempt that failed, in the worker's thread. What it throws is ignored.
  std::function<void(const failed_attempt&)> on_failure = nullptr;
};

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
  std::size_t in_flight() const noexcept { return state_->in_flight_seen.load(std::memory_order_relaxed); }

 private:
  using handler_type = std::function<errc(const record&, std::stop_token)>;
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

  /// A partition as long as it is read.
  struct tenure {
    tenure(std::string topic, std::uint32_t partition, std::uint64_t offset)
        : at{std::move(topic), partition}, prefix(offset), committed(offset) {}

    const topic_partition at;
    async::completed_prefix prefix;  // this and what follows belong to the thread that polls
    std::uint64_t committed;
    std::size_t in_flight = 0;
    bool ended = false;
    std::atomic<bool> hurried{false};  // no more attempts: it is about to end
    std::atomic<bool> dropped{false};  // what has not begun yet does not begin
  };

  struct task {
    tenure* of = nullptr;  // null: the worker is to end
    std::uint64_t number = 0;
    std::size_t bytes = 0;
    async::kept_record<Value, Key> kept;
  };

  enum class outcome { processed, dropped, failed };

  struct completion {
    tenure* of = nullptr;
    std::uint64_t number = 0;
    std::size_t bytes = 0;
    outcome what = outcome::processed;
  };

  /// What one worker does, or all of them where there is no order.
  struct lane {
    moodycamel::ConcurrentQueue<task> queue;
    moodycamel::LightweightSemaphore filled;
    moodycamel::ProducerToken token{queue};
    std::vector<task> dealt;  // of the present poll
  };

  struct state {
    state(const std::shared_ptr<storage::store_files>& store, consumer<Value, Key>&& c, handler_type&& h,
          const subscriber_options& o)
        : options(o), handler(std::move(h)), files(store), in(std::move(c)) {
      const std::size_t workers_wanted = std::max<std::size_t>(1, options.workers);
      for (std::size_t i = 0; i < (options.order == processing_order::none ? 1 : workers_wanted); ++i) {
        lanes.push_back(std::make_unique<lane>());
      }
      if (options.dead_letter_topic.empty()) return;
      storage::topic_log::open(store, options.dead_letter_topic, {}, detail::identity_of<Value>(),
                               detail::identity_of<Key>());
      auto as_bytes = storage::topic_log::open_untyped(store, options.dead_letter_topic);
      if (as_bytes == nullptr)
        throw error(errc::not_found, store->topics().path(options.dead_letter_topic), "no such topic");
      dead_letters.emplace(leat::topic<bytes_view, bytes_view>(std::move(as_bytes)));
    }

    ~state() { join(); }

    void begin() {
      try {
        for (std::size_t i = 0; i < std::max<std::size_t>(1, options.workers); ++i) {
          workers.emplace_back([this, &from = *lanes[i % lanes.size()]] { work(from); });
        }
        poller = std::thread([this] { poll_on(); });
      } catch (...) {
        end_workers();
        throw;
      }
      stopped_by_token.emplace(options.stop, [this] { stop(); });
    }

    bool forked() const noexcept { return os::fork_generation() != generation; }

    // --- in any thread ---

    void stop() noexcept {
      stopping.request_stop();
      wake_poller();
      wake_attempts();
    }

    /// The poller looks at what it may have been woken for between noting the bell and waiting.
    void wake_poller() const noexcept {
      if (files->writable()) files->bell().ring(~std::uint32_t{0});
    }
    /// Those who wait before the next attempt.
    void wake_attempts() noexcept {
      {
        const std::lock_guard behind_the_look(mutex);
      }
      changed.notify_all();
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

    // --- the poller ---

    void poll_on() noexcept {
      try {
        while (!stopping.stop_requested()) {
          take_completions();
          commit_if_due();
          if (is_full()) {
            wait_for_room();
          } else if (!deal_out(in.poll())) {
            rest();
          }
        }
        drain(everything());
      } catch (...) {
        fail(std::current_exception());
        stopping.request_stop();
        for (const auto& t : tenures) t->dropped = true;
        wake_attempts();
      }
      end_workers();
      attempt([this] {
        take_completions();
        forget_in_flight();  // what was counted, but not dealt out for an exception
        for (const auto& t : tenures) commit(*t);
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

    /// Deals a poll's records out to the workers, as far as the bounds allow. False: there were none.
    bool deal_out(const batch<Value, Key>& polled) {
      bool any = false;
      std::vector<const tenure*> full;  // partitions of which something is left
      tenure* of = nullptr;
      const std::string* topic = nullptr;
      // Those of the partition whose record was refused last come first, or others would take its room for ever.
      const tenure* const waiting = refused.of;
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
          const std::size_t bytes = r.extent();
          if (!full.empty() || !has_room_for(bytes)) {
            if (full.empty()) refused = {of, bytes};
            if (std::ranges::find(full, of) == full.end()) {  // from here on, it is read once more
              in.seek(of->at, r.offset());
              full.push_back(of);
            }
            continue;
          }
          if (of == refused.of) refused = {};
          task t{of, of->prefix.add(r.offset()), bytes, async::kept_record<Value, Key>(r)};
          ++of->in_flight;
          ++in_flight;
          in_flight_bytes += bytes;
          lanes[lane_of(*of, r)]->dealt.push_back(std::move(t));
        }
      }
      in_flight_seen.store(in_flight, std::memory_order_relaxed);
      for (const auto& l : lanes) {
        if (l->dealt.empty()) continue;
        const std::size_t count = l->dealt.size();
        if (!l->queue.enqueue_bulk(l->token, std::make_move_iterator(l->dealt.begin()), count)) throw std::bad_alloc();
        l->dealt.clear();
        l->filled.signal(static_cast<moodycamel::LightweightSemaphore::ssize_t>(count));
      }
      if (!full.empty()) crowded = true;
      if (any) looks = 0;
      return any;
    }

    tenure& tenure_of(const record& r) {
      for (const auto& t : tenures) {
        if (!t->ended && t->at.partition == r.partition() && t->at.topic == r.topic()) return *t;
      }
      tenures.push_back(std::make_unique<tenure>(r.topic(), r.partition(), r.offset()));
      return *tenures.back();
    }

    std::size_t lane_of(const tenure& of, const record& r) const {
      if (lanes.size() == 1) return 0;
      if (options.order == processing_order::by_key) {
        // Scattered once more: the same hash has chosen the partition, so its remainder says little here.
        if (const auto key = readable([&] { return r.key_bytes(); }))
          return (std::uint64_t{murmur2(*key)} * 0x9e3779b97f4a7c15 >> 32) % lanes.size();
      }
      return (std::hash<std::string>()(of.at.topic) + of.at.partition) % lanes.size();
    }

    /// Null also where a record is damaged: its handler finds that out, and what becomes of it is its failure's policy.
    template <class Part>
    static std::optional<bytes_view> readable(Part part) {
      try {
        return part();
      } catch (const error&) {
        return std::nullopt;
      }
    }

    void forget_in_flight() noexcept {
      in_flight = in_flight_bytes = 0;
      for (const auto& t : tenures) t->in_flight = 0;
      in_flight_seen.store(0, std::memory_order_relaxed);
    }

    bool has_room_for(std::size_t bytes) const noexcept {
      return in_flight == 0 ||
             (in_flight < options.max_in_flight && in_flight_bytes + bytes <= options.max_in_flight_bytes);
    }
    /// From where the bounds were met until half is free again, so that it is not at every record, and what was refused fits.
    bool is_full() noexcept {
      crowded = crowded || !has_room_for(1);
      crowded = crowded && in_flight != 0 &&
                (in_flight > options.max_in_flight / 2 || in_flight_bytes > options.max_in_flight_bytes / 2 ||
                 !has_room_for(refused.bytes));
      return crowded;
    }

    /// Nothing is taken, but a member of a group goes on polling.
    void wait_for_room() {
      const bool member = is_member(options);
      if (member) {
        pause(true);
        deal_out(in.poll());  // what has just come is not paused yet
        pause(false);
      }
      wait_for_completions(member ? std::chrono::milliseconds(4) : std::chrono::milliseconds(100));
    }
    void pause(bool paused) {
      for (const topic_partition& p : in.owned()) paused ? in.pause(p) : in.resume(p);
    }

    /// Nothing to read: looks again a few times, then sleeps until a producer rings, a member is due, or a commit is.
    void rest() {
      if (++looks < looks_before_sleep) return os::pause();
      const storage::reader::vigil v = in.begin_vigil();
      if (v.over || stopping.stop_requested()) return;
      clock::time_point until = std::min(v.until, next_commit);
      if (in_flight != 0)
        until = std::min(until, later(clock::now(), std::max(options.commit_interval, shortest_rest)));
      if (v.rings) {
        files->bell().wait(v.noted, v.mask, until);
      } else {
        std::this_thread::sleep_until(until);
      }
    }

    void take_completions() {
      completion taken[64];
      while (const std::size_t count = completed.try_dequeue_bulk(taken, std::size(taken))) {
        for (const completion& c : std::span(taken, count)) {
          --in_flight;
          in_flight_bytes -= c.bytes;
          --c.of->in_flight;
          if (c.what == outcome::processed) c.of->prefix.complete(c.number);
          if (c.what == outcome::processed && next_commit == clock::time_point::max() && commits()) {
            next_commit = std::max(clock::now(), later(last_commit, options.commit_interval));
          }
        }
        in_flight_seen.store(in_flight, std::memory_order_relaxed);
      }
      if (refused.of != nullptr && refused.of->ended) refused = {};
      std::erase_if(tenures, [](const auto& t) { return t->ended && t->in_flight == 0; });
    }
    void wait_for_completions(std::chrono::microseconds at_most) {
      // Of two exchanges of one word, one is the first: either this sees the completion, or the worker sees that it is awaited.
      awaited.exchange(true, std::memory_order_acq_rel);
      if (completed.size_approx() == 0) room.wait(at_most.count());
      awaited.store(false, std::memory_order_relaxed);
      take_completions();
    }

    // --- commits ---

    bool commits() const noexcept { return !options.consumer.group.empty(); }

    void commit_if_due() {
      if (next_commit == clock::time_point::max() || clock::now() < next_commit) return;
      for (const auto& t : tenures) commit(*t);
      last_commit = clock::now();
      next_commit = clock::time_point::max();
    }

    void commit(tenure& t) {
      if (t.ended || !commits() || t.prefix.next() == t.committed) return;
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
      const auto named = [this](std::span<const topic_partition> list) {
        std::vector<tenure*> found;
        for (const auto& t : tenures) {
          if (!t->ended && std::ranges::find(list, t->at) != list.end()) found.push_back(t.get());
        }
        return found;
      };
      return {.assigned =
                  [this](std::span<const topic_partition> list) {
                    if (!crowded) return;
                    for (const topic_partition& p : list) in.pause(p);
                  },
              .revoked = [this, named](std::span<const topic_partition> list) { let_go(named(list)); },
              .lost =
                  [this, named](std::span<const topic_partition> list) {
                    for (tenure* const t : named(list)) {
                      t->dropped = true;
                      t->ended = true;
                    }
                    wake_attempts();
                  }};
    }

    std::vector<tenure*> everything() {
      std::vector<tenure*> all;
      for (const auto& t : tenures) {
        if (!t->ended) all.push_back(t.get());
      }
      return all;
    }

    /// What is in flight of these may finish, for a time. The rest is dropped.
    void drain(const std::vector<tenure*>& leaving) {
      for (tenure* const t : leaving) t->hurried = true;
      wake_attempts();
      const clock::time_point begin = clock::now();
      const auto time_is_up = [&] { return clock::now() - begin >= options.drain_timeout; };
      const auto at_work = [](const tenure* t) { return t->in_flight != 0; };
      take_completions();
      while (std::ranges::any_of(leaving, at_work) && !time_is_up()) wait_for_completions(std::chrono::milliseconds(5));
      for (tenure* const t : leaving) t->dropped = true;
    }

    void let_go(const std::vector<tenure*>& leaving) {
      drain(leaving);
      for (tenure* const t : leaving) commit(*t);
      for (tenure* const t : leaving) t->ended = true;
    }

    // --- the workers ---

    void work(lane& from) noexcept {
      moodycamel::ProducerToken to(completed);
      for (task t;;) {
        from.filled.wait();
        while (!from.queue.try_dequeue(t)) std::this_thread::yield();  // it is there: others take theirs at this moment
        if (t.of == nullptr) return;
        const completion c{t.of, t.number, t.bytes, process(t)};
        if (c.what != outcome::processed) t.of->dropped = true;  // those behind it must not overtake it
        t = task();
        while (!completed.enqueue(to, c)) std::this_thread::yield();  // no memory
        if (awaited.exchange(false, std::memory_order_acq_rel)) room.signal();
        if (c.what == outcome::failed) {
          stopping.request_stop();
          wake_poller();
          wake_attempts();
        }
      }
    }

    void end_workers() noexcept {
      for (std::size_t i = 0; i < workers.size(); ++i) {
        lane& to = *lanes[i % lanes.size()];
        while (!to.queue.enqueue(to.token, task())) std::this_thread::yield();  // no memory
        to.filled.signal();
      }
      for (std::thread& w : workers) w.join();
      workers.clear();
    }

    outcome process(const task& t) noexcept {
      try {
        const record r = t.kept.view(t.of->at.topic);
        auto backoff = options.backoff;
        for (std::uint32_t attempt = 1;; ++attempt) {
          if (t.of->dropped.load(std::memory_order_acquire)) return outcome::dropped;
          const std::optional<attempt_failure> failed = try_handler(r);
          if (!failed) return outcome::processed;
          tell({t.of->at.topic, r.position(), attempt, failed->what, failed->thrown});
          if (attempt > options.retries) return give_up(r, *failed);
          if (!wait_before_next(*t.of, backoff)) return outcome::dropped;
          backoff =
              std::min(backoff > options.max_backoff / 2 ? options.max_backoff : backoff * 2, options.max_backoff);
        }
      } catch (...) {  // no memory
        fail(std::current_exception());
        return outcome::failed;
      }
    }

    struct attempt_failure {
      std::string what;
      std::exception_ptr thrown;  // null: `returned` was returned
      errc returned = errc::ok;
    };

    std::optional<attempt_failure> try_handler(const record& r) {
      try {
        const errc returned = handler(r, stopping.get_token());
        if (returned == errc::ok) return std::nullopt;
        return attempt_failure{detail::describe(returned), nullptr, returned};
      } catch (const std::exception& e) {
        return attempt_failure{e.what(), std::current_exception()};
      } catch (...) {
        return attempt_failure{"an exception of unknown type", std::current_exception()};
      }
    }

    void tell(const failed_attempt& f) const noexcept {
      if (!options.on_failure) return;
      try {
        options.on_failure(f);
      } catch (...) {
      }
    }

    /// False: it is not to be tried again.
    bool wait_before_next(const tenure& t, std::chrono::nanoseconds backoff) {
      const auto ends = [&] { return stopping.stop_requested() || t.hurried || t.dropped; };
      const clock::time_point until = later(clock::now(), backoff);
      std::unique_lock lock(mutex);
      return !changed.wait_until(lock, until, ends);
    }

    outcome give_up(const record& r, const attempt_failure& failed) {
      if (!dead_letters) {
        fail(failed.thrown ? failed.thrown : std::make_exception_ptr(error(failed.returned, where(r), failed.what)));
        return outcome::failed;
      }
      try {
        bury(r, failed.what);
        return outcome::processed;
      } catch (...) {
        fail(std::current_exception());
        return outcome::failed;
      }
    }

    std::string where(const record& r) const {
      return files->topics().path(r.topic()) + ", partition " + std::to_string(r.partition()) + ", offset " +
             std::to_string(r.offset());
    }

    void bury(const record& r, const std::string& what) {
      const std::string partition = std::to_string(r.partition());
      const std::string offset = std::to_string(r.offset());
      std::vector<header> headers;
      try {
        for (const header& h : r.headers()) headers.push_back(h);
      } catch (const error&) {  // damaged: those before that are kept
      }
      headers.emplace_back("leat.dead_letter.topic", std::string_view(r.topic()));
      headers.emplace_back("leat.dead_letter.partition", std::string_view(partition));
      headers.emplace_back("leat.dead_letter.offset", std::string_view(offset));
      headers.emplace_back("leat.dead_letter.error", std::string_view(what));
      using argument = typename producer<bytes_view, bytes_view>::key_argument;
      const auto or_null = [](const std::optional<bytes_view>& b) { return b ? argument(*b) : argument(null); };
      const std::lock_guard one_at_a_time(burying);
      const auto sent = dead_letters->send(or_null(readable([&] { return r.key_bytes(); })),
                                           or_null(readable([&] { return r.value_bytes(); })),
                                           {.timestamp = r.timestamp(), .headers = headers});
      if (!sent) {
        throw error(sent.error(), files->topics().path(options.dead_letter_topic), "the dead letter could not be sent");
      }
    }

    /// Not beyond what the clock can say: intervals may be leat::forever.
    static clock::time_point later(clock::time_point from, std::chrono::nanoseconds by) noexcept {
      return by < clock::time_point::max() - from ? from + by : clock::time_point::max();
    }

    static constexpr int looks_before_sleep = 100;
    static constexpr std::chrono::nanoseconds shortest_rest = std::chrono::milliseconds(1);

    const subscriber_options options;
    const std::uint32_t generation = os::fork_generation();
    handler_type handler;
    const std::shared_ptr<storage::store_files> files;
    std::optional<producer<bytes_view, bytes_view>> dead_letters;
    std::mutex burying;

    std::vector<std::unique_ptr<lane>> lanes;
    moodycamel::ConcurrentQueue<completion> completed;
    moodycamel::LightweightSemaphore room;
    std::atomic<bool> awaited{false};  // the poller waits for `room`

    // Of the poller.
    std::vector<std::unique_ptr<tenure>> tenures;
    std::size_t in_flight = 0;
    std::size_t in_flight_bytes = 0;
    bool crowded = false;
    struct {
      const tenure* of = nullptr;  // null: none
      std::size_t bytes = 0;
    } refused;  // the first record that did not fit
    int looks = 0;
    clock::time_point next_commit = clock::time_point::max();  // max: nothing to commit
    clock::time_point last_commit{};

    std::atomic<std::size_t> in_flight_seen{0};
    std::stop_source stopping;
    std::mutex mutex;  // of `changed` and `failure`
    std::condition_variable changed;
    std::exception_ptr failure;
    std::atomic<bool> ended{false};
    consumer<Value, Key> in;  // behind all that its listener uses, which its destructor may call once more
    std::mutex joining;
    std::vector<std::thread> workers;
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
