// An asynchronous producer: any number of threads hand records over, and a thread of its own encodes and appends them.
//
//     leat::async_producer out{orders};
//     auto sent = out.send("account-42", std::move(order));             // a future: what producer::send() would give
//     out.send_then("account-42", std::move(other), [](auto at) {...}); // or a callback, in the sender's thread
//     out.flush().value();                                              // what was handed over before is in the log
//
// A producer appends within its caller, for some tens of nanoseconds; whoever can should use one. This one is for records that
// are dear to encode, for callers that must not wait for a group or for a segment, and for many threads that send little.
//
// Threads    any number hand over; one more belongs to it. It sleeps while there is nothing to append.
// Processes  as a producer.
// Crash      what was handed over and is not in the log yet is lost with the process. What was completed is in the log.
// Fork       in the child, every call gives errc::forked, and destroying it does nothing. The parent's goes on.
// Cost       handing over: the record moved into the queue, half a dozen atomic operations, a clock; a future allocates.
//            Waking the sender's thread is a system call. It appends as a producer does, up to 256 records for each look at
//            the queue.
#pragma once

#include <leat/async/admission.hpp>
#include <leat/async/concurrent_queue.hpp>
#include <leat/async/owned.hpp>
#include <leat/async_producer_options.hpp>
#include <leat/headers.hpp>
#include <leat/os/clock.hpp>
#include <leat/os/fork.hpp>
#include <leat/producer.hpp>
#include <leat/result.hpp>
#include <leat/topic.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace leat {

template <class Value, class Key = std::string>
class async_producer {
  struct state;

 public:
  using key_argument = async::owned_argument<Key>;      // moved or copied in; or leat::null
  using value_argument = async::owned_argument<Value>;  // likewise

  /// A thread's own way into the queue, a token: faster for one that sends much. Belongs to one thread at a time, and must be
  /// gone before its async_producer is. Records of one handle, or of one thread without, are appended in their order.
  class handle {
   public:
    std::future<send_outcome> send(value_argument value, const send_options& options = default_send_options) {
      return send(null, std::move(value), options);
    }
    std::future<send_outcome> send(key_argument key, value_argument value,
                                   const send_options& options = default_send_options) {
      return state_->send(&token_, std::move(key), std::move(value), options);
    }
    result<void> send_then(key_argument key, value_argument value, send_callback done,
                           const send_options& options = default_send_options) {
      return state_->send_then(&token_, std::move(key), std::move(value), std::move(done), options);
    }

   private:
    friend class async_producer;
    explicit handle(state& s) : state_(&s), token_(s.queue) {
      if (!token_.valid()) throw std::bad_alloc();
    }

    state* state_;
    moodycamel::ProducerToken token_;
  };

  explicit async_producer(const leat::topic<Value, Key>& topic, async_producer_options options = {})
      : state_(std::make_unique<state>(topic, std::move(options))) {}

  /// As close(). Not in one of its own callbacks.
  ~async_producer() {
    if (state_->forked()) {
      (void)
          state_.release();  // its thread is in the parent: there is nobody to wait for, and locks may be held for ever
      return;
    }
    close();
  }
  async_producer(const async_producer&) = delete;
  async_producer& operator=(const async_producer&) = delete;

  /// Hands a record over. The future gives what producer::send() would: a position, or an error as a value; and where that
  /// would throw (a codec; files that are damaged), get() throws. What is refused, and never queued, is ready at once: closed,
  /// forked, back_pressure (max_block), full (no memory).
  std::future<send_outcome> send(value_argument value, const send_options& options = default_send_options) {
    return send(null, std::move(value), options);
  }
  std::future<send_outcome> send(key_argument key, value_argument value,
                                 const send_options& options = default_send_options) {
    return state_->send(nullptr, std::move(key), std::move(value), options);
  }

  /// The same with a callback, once, in the sender's thread, behind the append; it should be short, and may hand over more
  /// where max_block is 0. Of an exception it is given the code, or invalid_argument where that was none of leat's. Not called
  /// for what is refused: that is returned. Null: nobody wants to know.
  result<void> send_then(key_argument key, value_argument value, send_callback done,
                         const send_options& options = default_send_options) {
    return state_->send_then(nullptr, std::move(key), std::move(value), std::move(done), options);
  }

  /// Throws std::bad_alloc.
  handle make_handle() { return handle(*state_); }

  /// Waits until everything that was handed over before is appended, or has failed, and its callback has returned. What others
  /// hand over meanwhile is not waited for. invalid_argument: in a callback, which would wait for itself. forked.
  result<void> flush() {
    if (state_->forked()) return errc::forked;
    if (state_->in_own_thread()) return errc::invalid_argument;
    state_->gate.flush();
    return {};
  }

  /// From now on, handing over gives closed, also to those who wait for room. Returns when everything that was accepted is
  /// completed; in a callback, at once. Records that meet back pressure may take their delivery_timeout.
  void close() noexcept { state_->close(); }

  /// Handed over, and not completed.
  std::size_t queued_records() const noexcept { return state_->gate.records(); }
  std::size_t queued_bytes() const noexcept { return state_->gate.bytes(); }

 private:
  struct fate {
    send_outcome outcome = errc::invalid_argument;
    std::exception_ptr thrown = nullptr;
  };

  /// A record on its way.
  struct envelope {
    std::optional<async::owned<Key>> key;
    std::optional<async::owned<Value>> value;
    std::vector<std::byte> headers;  // encoded
    std::optional<std::uint32_t> partition;
    std::optional<leat::timestamp> timestamp;
    std::int64_t deadline = 0;  // monotonic_coarse()
    async::admission::ticket ticket;
    std::variant<std::monostate, send_callback, std::promise<send_outcome>> done;
    fate became;
  };
  static_assert(std::is_nothrow_move_constructible_v<envelope> && std::is_nothrow_move_assignable_v<envelope>,
                "keys and values are moved between threads, which must not throw");

  static constexpr std::size_t most_at_a_time = 256;

  struct state {
    state(const leat::topic<Value, Key>& topic, async_producer_options&& o)
        : options(std::move(o)),
          out(topic,
              {.clock = options.clock, .max_block = {}, .wait_for_device = false, .partitioner = options.partitioner}),
          waits_for_device(topic.log()->durability() == durability::every),
          gate(options.max_queued_records, options.max_queued_bytes),
          batch(most_at_a_time),
          sender([this] { work(); }) {}

    bool forked() const noexcept { return os::fork_generation() != generation; }
    /// Whose sender this thread is.
    static const state*& at_work() noexcept {
      thread_local const state* whose = nullptr;
      return whose;
    }
    bool in_own_thread() const noexcept { return at_work() == this; }

    // --- in the threads of those who send ---

    std::future<send_outcome> send(moodycamel::ProducerToken* token, key_argument&& key, value_argument&& value,
                                   const send_options& how) {
      std::promise<send_outcome> promise;
      std::future<send_outcome> future = promise.get_future();
      envelope e;
      e.done = std::move(promise);
      if (const errc refusal = hand_over(token, e, std::move(key), std::move(value), how); refusal != errc::ok) {
        std::get<std::promise<send_outcome>>(e.done).set_value(refusal);
      }
      return future;
    }

    result<void> send_then(moodycamel::ProducerToken* token, key_argument&& key, value_argument&& value,
                           send_callback&& callback, const send_options& how) {
      envelope e;
      if (callback) e.done = std::move(callback);
      return hand_over(token, e, std::move(key), std::move(value), how);
    }

    errc hand_over(moodycamel::ProducerToken* token, envelope& e, key_argument&& key, value_argument&& value,
                   const send_options& how) {
      if (forked()) return errc::forked;
      e.key = std::move(key).take();
      e.value = std::move(value).take();
      e.headers.resize(how.headers.encoded_size());
      how.headers.encode(e.headers.data());
      e.partition = how.partition;
      e.timestamp = how.timestamp ? *how.timestamp : now();
      const std::size_t bytes = sizeof e + async::bytes_held(e.key) + async::bytes_held(e.value) + e.headers.capacity();
      if (const errc refusal = gate.enter(bytes, options.max_block, e.ticket); refusal != errc::ok) {
        if (gate.closed()) wake_up.signal();  // whyever it was refused, it may have been the last that was inside
        return refusal;
      }
      e.deadline = later(os::monotonic_coarse(), options.delivery_timeout);
      const async::admission::ticket ticket = e.ticket;
      const bool queued = token != nullptr ? queue.enqueue(*token, std::move(e)) : queue.enqueue(std::move(e));
      if (!queued) gate.leave(ticket);  // no memory; nothing was moved
      wake_up.signal();
      return queued ? errc::ok : errc::full;
    }

    leat::timestamp now() const noexcept {
      return leat::timestamp(
          std::chrono::nanoseconds(options.clock == timestamp_source::coarse ? os::realtime_coarse() : os::realtime()));
    }
    static std::int64_t later(std::int64_t from, std::chrono::nanoseconds by) noexcept {
      return by.count() < std::numeric_limits<std::int64_t>::max() - from ? from + by.count()
                                                                          : std::numeric_limits<std::int64_t>::max();
    }

    void close() noexcept {
      if (forked()) return;
      gate.close();
      wake_up.signal();
      if (in_own_thread()) return;
      const std::lock_guard one_at_a_time(closing);
      if (sender.joinable()) sender.join();
    }

    // --- in the sender's thread ---

    // Each record comes with a signal, and is in the queue before it; a signal without a record only makes it look. So there
    // are never fewer signals than records, and none is left behind.
    void work() noexcept {
      at_work() = this;
      moodycamel::ConsumerToken token(queue);
      while (!gate.is_through()) {
        const auto signals = static_cast<std::size_t>(wake_up.waitMany(most_at_a_time));
        const std::size_t count = queue.try_dequeue_bulk(token, batch.begin(), signals);
        if (count == 0) continue;
        async::admission::tickets left;
        for (std::size_t i = 0; i < count; ++i) {
          left.add(batch[i].ticket);
          append(batch[i]);
          if (!waits_for_device) complete(batch[i]);
        }
        if (waits_for_device) {  // one call of the device for all of them
          attempt(flushed, [&] { out.flush(); });
          for (std::size_t i = 0; i < count; ++i) {
            if (flushed.thrown && batch[i].became.outcome) batch[i].became = flushed;
            complete(batch[i]);
          }
        }
        gate.leave(left);
      }
    }

    template <class Action>
    static void attempt(fate& became, Action action) noexcept {
      became.thrown = nullptr;
      try {
        action();
      } catch (const error& what) {
        became = {static_cast<errc>(what.code().value()), std::current_exception()};
      } catch (...) {
        became = {errc::invalid_argument, std::current_exception()};
      }
    }

    void append(envelope& e) noexcept {
      attempt(e.became, [&] { e.became.outcome = send_until_deadline(e); });
    }

    void complete(envelope& done) noexcept {
      envelope e = std::exchange(done, envelope());
      const auto& [outcome, thrown] = e.became;
      if (auto* const promise = std::get_if<std::promise<send_outcome>>(&e.done)) {
        thrown ? promise->set_exception(thrown) : promise->set_value(outcome);
        return;
      }
      if (thrown) tell(thrown);
      if (const auto* const callback = std::get_if<send_callback>(&e.done)) {
        try {
          (*callback)(outcome);
        } catch (...) {
          tell(std::current_exception());
        }
      }
    }

    /// Its producer never waits, so that what is waited for here is the record's own deadline.
    send_outcome send_until_deadline(const envelope& e) {
      send_options how{.partition = e.partition, .timestamp = e.timestamp, .headers = {}};
      if (!e.headers.empty()) {
        const headers_view list(e.headers);
        headers.assign(list.begin(), list.end());
        how.headers = headers;
      }
      using producer_type = leat::producer<Value, Key>;
      const auto key =
          e.key ? typename producer_type::key_argument(*e.key) : typename producer_type::key_argument(null);
      const auto value =
          e.value ? typename producer_type::value_argument(*e.value) : typename producer_type::value_argument(null);
      for (std::chrono::microseconds nap{20};; nap = std::min(2 * nap, std::chrono::microseconds(1000))) {
        const send_outcome outcome = out.send(key, value, how);
        if (outcome.error() != errc::back_pressure || os::monotonic_coarse() >= e.deadline) return outcome;
        std::this_thread::sleep_for(nap);
      }
    }

    void tell(const std::exception_ptr& what) const noexcept {
      if (!options.on_exception) return;
      try {
        options.on_exception(what);
      } catch (...) {
      }
    }

    const async_producer_options options;
    const std::uint32_t generation = os::fork_generation();
    producer<Value, Key> out;
    const bool waits_for_device;
    fate flushed;
    async::admission gate;
    moodycamel::ConcurrentQueue<envelope> queue;
    moodycamel::LightweightSemaphore wake_up;
    std::vector<envelope> batch;
    std::vector<header> headers;
    std::mutex closing;
    std::thread sender;  // last: it uses all of this
  };

  std::unique_ptr<state> state_;
};

template <class Value, class Key>
async_producer(const topic<Value, Key>&, async_producer_options) -> async_producer<Value, Key>;
template <class Value, class Key>
async_producer(const topic<Value, Key>&) -> async_producer<Value, Key>;

}  // namespace leat
