// A producer that does not wait: as leat::async_producer, over Kafka. Many records are on their way at once.
//
//     leat::kafka::async_producer out{orders};
//     auto done = out.send("account-42", order);                        // a future
//     out.send_then("account-42", order, [](const auto& outcome) {...});   // a callback
//     out.flush();
//
// Threads    any number at once. Callbacks come in a thread of its own, one after the other.
// Order      what one thread hands over for one partition is appended in that order, also where a broker has to be asked again.
// Fork       a child must not use its parent's producer: errc::forked.
#pragma once

#include <leat/async/admission.hpp>
#include <leat/async_producer_options.hpp>
#include <leat/kafka/producer.hpp>
#include <leat/kafka/sender.hpp>
#include <leat/kafka/topic.hpp>
#include <leat/options.hpp>
#include <leat/producer.hpp>
#include <leat/result.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace leat::kafka {

using leat::async_producer_options;
using leat::send_callback;
using leat::send_outcome;

template <class Value, class Key = std::string>
class async_producer {
  struct state;

 public:
  using key_argument = leat::detail::nullable<Key>;      // encoded at once; or leat::null
  using value_argument = leat::detail::nullable<Value>;  // likewise

  /// For programs that have one for each thread on shared memory; here it is the producer itself.
  class handle {
   public:
    std::future<send_outcome> send(const value_argument& value, const send_options& options = default_send_options) {
      return send(null, value, options);
    }
    std::future<send_outcome> send(const key_argument& key, const value_argument& value,
                                   const send_options& options = default_send_options) {
      return state_->send(key, value, options);
    }
    result<void> send_then(const key_argument& key, const value_argument& value, send_callback done,
                           const send_options& options = default_send_options) {
      return state_->send_then(key, value, std::move(done), options);
    }

   private:
    friend class async_producer;
    explicit handle(state& s) noexcept : state_(&s) {}
    state* state_;
  };

  /// `clock` means nothing to it. `properties` are librdkafka's: {"linger.ms", "5"} makes larger batches.
  explicit async_producer(const kafka::topic<Value, Key>& topic, async_producer_options options = {},
                          const property_map& properties = {})
      : state_(std::make_unique<state>(topic, std::move(options), properties)) {}

  /// All of it as strings, with Kafka's names; those that leat does not know are librdkafka's.
  template <std::same_as<properties> Properties>
  async_producer(const kafka::topic<Value, Key>& topic, const Properties& p)
      : async_producer(topic, split_properties<async_producer_options>(p)) {}

  /// As close(). Not in one of its own callbacks.
  ~async_producer() {
    if (state_->out.forked()) {
      (void)state_.release();  // its thread is in the parent
      return;
    }
    close();
  }
  async_producer(const async_producer&) = delete;
  async_producer& operator=(const async_producer&) = delete;

  /// Hands a record over; the future gives what producer::send() would. What is refused is ready at once: closed, forked,
  /// back_pressure (max_block), and what send() refuses. Throws what a codec throws.
  std::future<send_outcome> send(const value_argument& value, const send_options& options = default_send_options) {
    return send(null, value, options);
  }
  std::future<send_outcome> send(const key_argument& key, const value_argument& value,
                                 const send_options& options = default_send_options) {
    return state_->send(key, value, options);
  }

  /// The same with a callback, once, in its own thread; it should be short, and may hand over more where max_block is 0. Not
  /// called for what is refused: that is returned. Null: nobody wants to know.
  result<void> send_then(const key_argument& key, const value_argument& value, send_callback done,
                         const send_options& options = default_send_options) {
    return state_->send_then(key, value, std::move(done), options);
  }

  handle make_handle() { return handle(*state_); }

  /// Waits until everything that was handed over before is acknowledged, or has failed, and its callback has returned.
  /// invalid_argument: in a callback, which would wait for itself. forked.
  result<void> flush() {
    if (state_->out.forked()) return errc::forked;
    if (state_->in_own_thread()) return errc::invalid_argument;
    state_->gate.flush();
    return {};
  }

  /// From now on, handing over gives closed, also to those who wait for room. Returns when everything that was accepted is
  /// completed; in a callback, at once. Records may take their delivery_timeout.
  void close() noexcept { state_->close(); }

  /// Handed over, and not completed.
  std::size_t queued_records() const noexcept { return state_->gate.records(); }
  std::size_t queued_bytes() const noexcept { return state_->gate.bytes(); }

 private:
  async_producer(const kafka::topic<Value, Key>& topic, const split_properties<async_producer_options>& p)
      : async_producer(topic, p.options, p.rest) {}

  /// A record on its way. Owns itself, once librdkafka has it.
  struct envelope final : delivery_report {
    void delivered(const result<record_position>& outcome, rd_kafka_resp_err_t) noexcept override {
      const std::unique_ptr<envelope> self(this);
      if (auto* const promise = std::get_if<std::promise<send_outcome>>(&done)) {
        promise->set_value(outcome);
      } else if (const auto* const callback = std::get_if<send_callback>(&done)) {
        try {
          (*callback)(outcome);
        } catch (...) {
          from->tell(std::current_exception());
        }
      }
      from->gate.leave(ticket);
    }
    state* from = nullptr;
    async::admission::ticket ticket;
    std::variant<std::monostate, send_callback, std::promise<send_outcome>> done;
  };

  struct state {
    state(const kafka::topic<Value, Key>& topic, async_producer_options&& o, const property_map& properties)
        : options(std::move(o)),
          out(topic.cluster(), topic.name(), options.partitioner, with_limits(options, properties)),
          gate(options.max_queued_records, options.max_queued_bytes),
          poller([this] { work(); }) {}

    /// The gate is the bound; librdkafka's own queue is to take whatever passes it.
    static property_map with_limits(const async_producer_options& o, const property_map& properties) {
      property_map all{{"queue.buffering.max.messages", "0"},
                       {"queue.buffering.max.kbytes", "2147483647"},
                       {"delivery.timeout.ms", std::to_string(milliseconds_of(o.delivery_timeout, 1))}};
      for (const auto& [name, value] : properties) all[name] = value;
      return all;
    }

    static const state*& at_work() noexcept {
      thread_local const state* whose = nullptr;
      return whose;
    }
    bool in_own_thread() const noexcept { return at_work() == this; }

    std::future<send_outcome> send(const key_argument& key, const value_argument& value, const send_options& how) {
      auto e = std::make_unique<envelope>();
      std::promise<send_outcome> promise;
      std::future<send_outcome> future = promise.get_future();
      e->done = std::move(promise);
      if (const errc refusal = hand_over(e, key, value, how); refusal != errc::ok) {
        std::get<std::promise<send_outcome>>(e->done).set_value(refusal);
      }
      return future;
    }
    result<void> send_then(const key_argument& key, const value_argument& value, send_callback&& callback,
                           const send_options& how) {
      auto e = std::make_unique<envelope>();
      if (callback) e->done = std::move(callback);
      return hand_over(e, key, value, how);
    }

    errc hand_over(std::unique_ptr<envelope>& e, const key_argument& key, const value_argument& value,
                   const send_options& how) {
      if (out.forked()) return errc::forked;
      std::vector<std::byte> key_scratch;
      std::vector<std::byte> value_scratch;
      const auto key_bytes = encoded<Key>(key, key_scratch);
      const auto value_bytes = encoded<Value>(value, value_scratch);
      const std::size_t bytes = sizeof(envelope) + (key_bytes ? key_bytes->size() : 0) +
                                (value_bytes ? value_bytes->size() : 0) + how.headers.encoded_size();
      e->from = this;
      if (const errc refusal = gate.enter(bytes, options.max_block, e->ticket); refusal != errc::ok) return refusal;
      const errc refusal = out.hand_over(key_bytes, value_bytes, how, *e);
      if (refusal != errc::ok) {
        gate.leave(e->ticket);
        return refusal;
      }
      (void)e.release();
      return errc::ok;
    }

    void work() noexcept {
      at_work() = this;
      while (!gate.is_through()) out.poll(std::chrono::milliseconds(10));
    }

    void close() noexcept {
      if (out.forked()) return;
      gate.close();
      if (in_own_thread()) return;
      const std::lock_guard one_at_a_time(closing);
      if (poller.joinable()) poller.join();
    }

    void tell(const std::exception_ptr& what) const noexcept {
      if (!options.on_exception) return;
      try {
        options.on_exception(what);
      } catch (...) {
      }
    }

    const async_producer_options options;
    sender out;
    async::admission gate;
    std::mutex closing;
    std::thread poller;  // last: it uses all of this
  };

  std::unique_ptr<state> state_;
};

template <class Value, class Key>
async_producer(const topic<Value, Key>&, async_producer_options, const property_map&) -> async_producer<Value, Key>;
template <class Value, class Key, std::same_as<properties> Properties>
async_producer(const topic<Value, Key>&, const Properties&) -> async_producer<Value, Key>;
template <class Value, class Key>
async_producer(const topic<Value, Key>&, async_producer_options) -> async_producer<Value, Key>;
template <class Value, class Key>
async_producer(const topic<Value, Key>&) -> async_producer<Value, Key>;

}  // namespace leat::kafka
