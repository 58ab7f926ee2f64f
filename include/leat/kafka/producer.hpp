// A producer of a topic of Kafka's: as leat::producer, without send_if, which Kafka cannot do.
//
//     leat::kafka::producer out{orders};
//     leat::record_position at = out.send("account-42", order);      // acknowledged by all replicas in sync
//
// Threads    one at a time; make one producer for each thread, or an async_producer for all.
// Crash      a record is in the log when send() has returned its offset. One that was on its way when the process died may
//            be, or not.
// Fork       a child must not use its parent's producer: errc::forked.
// Cost       send() waits for the acknowledgement: a round trip to a broker and its replicas. send_batch() and async_producer
//            have many on their way at once.
#pragma once

#include <leat/codec.hpp>
#include <leat/kafka/blocking_sender.hpp>
#include <leat/kafka/loan.hpp>
#include <leat/kafka/topic.hpp>
#include <leat/kafka/values.hpp>
#include <leat/options.hpp>
#include <leat/producer.hpp>
#include <leat/result.hpp>
#include <leat/types.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace leat::kafka {

template <class Value, class Key = std::string>
class producer {
 public:
  using key_argument = leat::detail::nullable<Key>;      // a Key in the form its codec takes, or leat::null
  using value_argument = leat::detail::nullable<Value>;  // likewise; a null value is a tombstone

  /// `properties` are librdkafka's, beside and above the options. `clock` and `wait_for_device` mean nothing to it.
  explicit producer(const kafka::topic<Value, Key>& topic, const producer_options& options = {},
                    const property_map& properties = {})
      : out_(std::make_unique<blocking_sender>(options.max_block, topic.cluster(), topic.name(), options.partitioner,
                                               properties)) {}

  /// All of it as strings, with Kafka's names; those that leat does not know are librdkafka's.
  template <std::same_as<properties> Properties>
  producer(const kafka::topic<Value, Key>& topic, const Properties& p)
      : producer(topic, split_properties<producer_options>(p)) {}

  /// Sends a record without a key.
  result<record_position> send(const value_argument& value, const send_options& options = default_send_options) {
    return send(null, value, options);
  }

  /// Sends a record and waits until it is acknowledged. Values: too_large, closed (no such topic any more), forked,
  /// unreachable (not acknowledged within delivery.timeout.ms; it may be in the log nevertheless), permission_denied,
  /// invalid_argument (no such partition; a timestamp before 1970-01-01 00:00:00.001).
  result<record_position> send(const key_argument& key, const value_argument& value,
                               const send_options& options = default_send_options) {
    return out_->send(encoded<Key>(key, key_scratch_), encoded<Value>(value, value_scratch_), options);
  }

  /// Sends the elements of a range, values or pairs of key and value, and waits for all of them. Those of one partition are
  /// appended in their order. `count` is how many of them, from the first on, are appended: behind one that failed there may be
  /// others, in other partitions, that did not. `positions`, where given, takes those of the first `count`.
  template <std::ranges::input_range Records>
  batch_result send_batch(Records&& records, const send_options& options = default_send_options,
                          std::span<record_position> positions = {}) {
    const blocking_sender::in_flight all(*out_);
    for (auto&& record : records) {
      errc refusal;
      if constexpr (std::convertible_to<decltype(record), value_argument>) {
        refusal = all.send(std::nullopt, encoded<Value>(value_argument(record), value_scratch_), options);
      } else {
        const auto& [key, value] = record;
        refusal = all.send(encoded<Key>(key_argument(key), key_scratch_),
                           encoded<Value>(value_argument(value), value_scratch_), options);
      }
      if (refusal != errc::ok) break;
    }
    all.wait();
    batch_result outcome;
    for (const blocking_sender::report& r : all.reports) {
      if (!r.outcome) {
        outcome.error = r.outcome.error();
        out_->note(r);
        break;
      }
      if (outcome.count < positions.size()) positions[outcome.count] = *r.outcome;
      ++outcome.count;
    }
    return outcome;
  }

  /// Returns at once: what send() and send_batch() have returned is acknowledged.
  void flush() {
    const sender& out = out_->out();
    if (out.forked()) throw error(errc::forked, out.of()->where(out.topic()), "the producer is the parent's");
  }

  /// Room for a value, to be filled in and published. The errors of send() come then.
  result<loan<Value, Key>> claim(const key_argument& key)
    requires(leat::detail::fixed_bytes_of<Value>() != 0)
  {
    return claim(key, leat::detail::fixed_bytes_of<Value>());
  }
  /// The same for a value of `bytes` bytes. invalid_argument: not what every Value has.
  result<loan<Value, Key>> claim(const key_argument& key, std::size_t bytes,
                                 const send_options& options = default_send_options) {
    constexpr std::size_t fixed = leat::detail::fixed_bytes_of<Value>();
    if (fixed != 0 && bytes != fixed) return errc::invalid_argument;
    if (out_->out().forked()) return errc::forked;
    return loan<Value, Key>(*out_, bytes, encoded<Key>(key, key_scratch_), options);
  }

  /// Asks a broker.
  std::uint32_t partitions() const { return out_->out().of()->existing_partitions(out_->out().topic()); }

  /// Of the last send that failed, in librdkafka's words.
  const std::string& last_failure() const noexcept { return out_->last_failure(); }

 private:
  producer(const kafka::topic<Value, Key>& topic, const split_properties<producer_options>& p)
      : producer(topic, p.options, p.rest) {}

  std::unique_ptr<blocking_sender> out_;  // stays where it is when the producer moves: loans lead to it
  std::vector<std::byte> key_scratch_;
  std::vector<std::byte> value_scratch_;
};

template <class Value, class Key>
producer(const topic<Value, Key>&, const producer_options&, const property_map&) -> producer<Value, Key>;
template <class Value, class Key, std::same_as<properties> Properties>
producer(const topic<Value, Key>&, const Properties&) -> producer<Value, Key>;
template <class Value, class Key>
producer(const topic<Value, Key>&, const producer_options&) -> producer<Value, Key>;
template <class Value, class Key>
producer(const topic<Value, Key>&) -> producer<Value, Key>;

}  // namespace leat::kafka
