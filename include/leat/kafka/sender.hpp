// What producers of leat::kafka have in common: a client that sends to one topic, and is told what became of each record.
//
// Each record that is handed over is reported once, by way of its delivery_report, to whoever polls.
//
// Threads    any number may hand over and poll.
#pragma once

#include <leat/error.hpp>
#include <leat/headers.hpp>
#include <leat/kafka/admin_calls.hpp>
#include <leat/kafka/client.hpp>
#include <leat/kafka/cluster.hpp>
#include <leat/kafka/error.hpp>
#include <leat/kafka/message.hpp>
#include <leat/kafka/topic_configuration.hpp>
#include <leat/options.hpp>
#include <leat/producer.hpp>
#include <leat/result.hpp>
#include <leat/types.hpp>

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

namespace leat::kafka {

/// What the acknowledgement of a record finds behind its message.
class delivery_report {
 public:
  virtual void delivered(const result<record_position>& outcome, rd_kafka_resp_err_t why) noexcept = 0;

 protected:
  ~delivery_report() = default;
};

class sender {
 public:
  /// `properties` override what is set here and what the store has. Throws invalid_argument.
  sender(std::shared_ptr<cluster> of, std::string topic, partitioner_function partitioner,
         const property_map& properties = {})
      : cluster_(std::move(of)),
        name_(std::move(topic)),
        partitioner_(std::move(partitioner)),
        client_(RD_KAFKA_PRODUCER, as_the_java_client(*cluster_, name_, partitioner_ != nullptr, properties),
                cluster_->servers(), cluster_->context()) {
    rd_kafka_topic_conf_t* conf = nullptr;
    if (partitioner_) {
      conf = rd_kafka_default_topic_conf_dup(client_.get());
      rd_kafka_topic_conf_set_partitioner_cb(conf, choose_partition);
      rd_kafka_topic_conf_set_opaque(conf, this);
    }
    topic_.reset(rd_kafka_topic_new(client_.get(), name_.c_str(), conf));
    if (topic_ == nullptr) {
      if (conf != nullptr) rd_kafka_topic_conf_destroy(conf);
      throw error(errc::name_invalid, cluster_->where(name_), text_of(rd_kafka_last_error()));
    }
    know_partitions();
  }
  ~sender() {
    if (client_.forked()) {
      [[maybe_unused]] const auto* const of_the_parent = topic_.release();
    }
  }
  sender(const sender&) = delete;
  sender& operator=(const sender&) = delete;

  const std::shared_ptr<cluster>& of() const noexcept { return cluster_; }
  const std::string& topic() const noexcept { return name_; }
  bool forked() const noexcept { return client_.forked(); }

  /// Hands a record over, which is copied. Unless that is ok, nothing is reported. back_pressure: librdkafka's queue is full;
  /// poll and try again. invalid_argument: no such partition, or a time that Kafka does not have.
  errc hand_over(const std::optional<bytes_view>& key, const std::optional<bytes_view>& value, const send_options& how,
                 delivery_report& report) {
    if (forked()) return errc::forked;
    std::int64_t time = 0;  // librdkafka's word for now
    if (how.timestamp) {
      time = milliseconds_of(*how.timestamp);
      if (time <= 0) return errc::invalid_argument;
    }
    constexpr std::uint32_t most_partitions = 0x7fffffff;
    if (how.partition && *how.partition > most_partitions) return errc::invalid_argument;
    const std::int32_t partition = how.partition ? static_cast<std::int32_t>(*how.partition) : RD_KAFKA_PARTITION_UA;
    headers_ptr headers = headers_to_send(how.headers);
    const raw_bytes k(key);
    const raw_bytes v(value);
    const auto code =
        headers == nullptr
            ? rd_kafka_producev(client_.get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_PARTITION(partition),
                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(k.data, k.size),
                                RD_KAFKA_V_VALUE(const_cast<void*>(v.data), v.size), RD_KAFKA_V_TIMESTAMP(time),
                                RD_KAFKA_V_OPAQUE(&report), RD_KAFKA_V_END)
            : rd_kafka_producev(client_.get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_PARTITION(partition),
                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(k.data, k.size),
                                RD_KAFKA_V_VALUE(const_cast<void*>(v.data), v.size), RD_KAFKA_V_TIMESTAMP(time),
                                RD_KAFKA_V_HEADERS(headers.get()), RD_KAFKA_V_OPAQUE(&report), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      refusal_ = code;
      return errc_of_a_send(client_.get(), code);
    }
    [[maybe_unused]] const auto* const given = headers.release();  // the message's by now
    return errc::ok;
  }

  /// Tells those whose records were acknowledged, or have failed; waits for the first of them.
  void poll(std::chrono::milliseconds timeout) { rd_kafka_poll(client_.get(), static_cast<int>(timeout.count())); }

  /// Where a record could not even be handed over: why, in librdkafka's words.
  std::string explain(rd_kafka_resp_err_t code) const {
    if (code != RD_KAFKA_RESP_ERR__FATAL) return text_of(code);
    char reason[512] = {};
    rd_kafka_fatal_error(client_.get(), reason, sizeof reason);
    return reason;
  }
  rd_kafka_resp_err_t last_refusal() const noexcept { return refusal_; }

  /// A topic that is not there was there when the producer was made.
  static errc errc_of_a_send(rd_kafka_t* handle, rd_kafka_resp_err_t code) noexcept {
    switch (code) {
      case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: return errc::invalid_argument;
      case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
      case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: return errc::closed;
      case RD_KAFKA_RESP_ERR__FATAL: return errc_of(rd_kafka_fatal_error(handle, nullptr, 0));
      default: return errc_of(code);
    }
  }

 private:
  /// The defaults of Kafka's Java client where librdkafka's differ, the store's properties, and those of this producer.
  static configuration as_the_java_client(const cluster& of, const std::string& topic, bool own_partitioner,
                                          const property_map& properties) {
    const std::uint64_t limit = largest_batch(of, topic);
    configuration conf;
    conf.set("enable.idempotence", "true");
    conf.set("acks", "all");
    conf.set("partitioner", "murmur2_random");
    conf.set("linger.ms", "0");
    conf.set("delivery.timeout.ms", "120000");
    conf.set("message.max.bytes", "1000000000");  // the topic decides
    if (limit == 0) conf.set("batch.size", "16384");
    conf.set(of.options().properties);
    conf.set(properties);
    // A broker refuses a batch that is larger than the topic allows, and librdkafka does not divide it, as Java's client does.
    if (limit != 0 && std::stoull(conf.get("batch.size")) > limit) conf.set("batch.size", std::to_string(limit));
    const std::string stickiness = "sticky.partitioning.linger.ms";
    if (own_partitioner) {
      conf.set(stickiness, "0");  // else it is not asked for records without a key
    } else if (!properties.contains(stickiness) && !of.options().properties.contains(stickiness)) {
      const double linger = std::stod(conf.get("linger.ms"));  // with none, librdkafka is not sticky by itself
      conf.set(stickiness, std::to_string(static_cast<int>(std::clamp(2 * linger, 10., 900'000.))));
    }
    rd_kafka_conf_set_dr_msg_cb(conf.get(), report);
    return conf;
  }

  /// Of the topic, as its brokers have it; 0 where they do not say, as to those who may write, and no more.
  static std::uint64_t largest_batch(const cluster& of, const std::string& topic) {
    try {
      return of.has_controller(topic) ? number_in(describe_configuration(of, topic), "max.message.bytes", 0) : 0;
    } catch (const error&) {
      return 0;
    }
  }

  static void report(rd_kafka_t* rk, const rd_kafka_message_t* m, void*) noexcept {
    auto* const to = static_cast<delivery_report*>(m->_private);
    if (to == nullptr) return;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      to->delivered(record_position{static_cast<std::uint32_t>(m->partition), static_cast<std::uint64_t>(m->offset)},
                    m->err);
    } else {
      to->delivered(errc_of_a_send(rk, m->err), m->err);
    }
  }

  /// In the thread that hands over, since the topic's partitions are known.
  static std::int32_t choose_partition(const rd_kafka_topic_t*, const void* key, std::size_t key_size,
                                       std::int32_t partitions, void* opaque, void*) noexcept {
    try {
      const auto bytes =
          key == nullptr ? std::nullopt : std::optional(bytes_view(static_cast<const std::byte*>(key), key_size));
      const std::uint32_t chosen =
          static_cast<sender*>(opaque)->partitioner_(bytes, static_cast<std::uint32_t>(partitions));
      return chosen < static_cast<std::uint32_t>(partitions) ? static_cast<std::int32_t>(chosen) : partitions;
    } catch (...) {
      return partitions;  // none has this number, so that the send gives invalid_argument
    }
  }

  /// So that the first record is not sent before its partition can be chosen or refused.
  void know_partitions() {
    const rd_kafka_metadata_t* found = nullptr;
    require(rd_kafka_metadata(client_.get(), 0, topic_.get(), &found, cluster_->timeout()), cluster_->where(name_));
    rd_kafka_metadata_destroy(found);
  }

  struct topic_deleter {
    void operator()(rd_kafka_topic_t* t) const noexcept { rd_kafka_topic_destroy(t); }
  };

  std::shared_ptr<cluster> cluster_;
  std::string name_;
  partitioner_function partitioner_;
  client client_;
  std::unique_ptr<rd_kafka_topic_t, topic_deleter> topic_;  // ends before the client, also where the constructor throws
  std::atomic<rd_kafka_resp_err_t> refusal_ = RD_KAFKA_RESP_ERR_NO_ERROR;
};

/// A key or value as bytes: those of the argument where its codec can show them, else in `scratch`.
template <class T, class Argument, class Scratch>
std::optional<bytes_view> encoded(const Argument& argument, Scratch& scratch) {
  if (argument.is_null()) return std::nullopt;
  if constexpr (requires { codec<T>::bytes(argument.get()); }) {
    return codec<T>::bytes(argument.get());
  } else {
    scratch.resize(codec<T>::size(argument.get()));
    codec<T>::encode(argument.get(), scratch);
    return bytes_view(scratch);
  }
}

}  // namespace leat::kafka
