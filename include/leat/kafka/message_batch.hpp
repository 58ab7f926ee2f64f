// Messages that Kafka's client had fetched, taken all at once: a lock for many instead of one for each.
//
// Librdkafka leaves out what was given up before the call; what is given up behind it is for its owner to leave out.
#pragma once

#include <leat/error.hpp>
#include <leat/kafka/error.hpp>
#include <leat/kafka/message.hpp>

#include <librdkafka/rdkafka.h>

#include <array>
#include <cstddef>
#include <memory>

namespace leat::kafka {

/// A client's queue of messages, errors and ends of partitions.
class message_queue {
 public:
  explicit message_queue(rd_kafka_t* consumer) : queue_(rd_kafka_queue_get_consumer(consumer)) {
    if (queue_ == nullptr) throw error(errc::invalid_argument, "librdkafka's client", "it is no consumer");
  }
  rd_kafka_queue_t* get() const noexcept { return queue_.get(); }

 private:
  struct deleter {
    void operator()(rd_kafka_queue_t* q) const noexcept { rd_kafka_queue_destroy(q); }
  };
  std::unique_ptr<rd_kafka_queue_t, deleter> queue_;
};

/// What is there now, and is destroyed where it is not taken. Never waits.
class message_batch {
 public:
  explicit message_batch(const message_queue& from) {
    const auto count = rd_kafka_consume_batch_queue(from.get(), 0, messages_.data(), messages_.size());
    if (count < 0) throw_error(rd_kafka_last_error(), "librdkafka's client", "messages cannot be taken");
    end_ = static_cast<std::size_t>(count);
  }
  ~message_batch() {
    while (!empty()) take();
  }
  message_batch(const message_batch&) = delete;
  message_batch& operator=(const message_batch&) = delete;

  bool empty() const noexcept { return next_ == end_; }
  /// The next one.
  message_ptr take() noexcept { return message_ptr(messages_[next_++]); }

 private:
  std::array<rd_kafka_message_t*, 500> messages_;
  std::size_t next_ = 0;
  std::size_t end_ = 0;
};

}  // namespace leat::kafka
