// Messages that Kafka's client had fetched, taken all at once: a lock for many instead of one for each.
//
// Librdkafka leaves out what was given up before the call; what is given up behind it is for its owner to leave out.
#pragma once

#include <leat/kafka/error.hpp>
#include <leat/kafka/message.hpp>

#include <librdkafka/rdkafka.h>

#include <array>
#include <cstddef>

namespace leat::kafka {

/// What is there now in a consumer's queue: messages, errors, ends of partitions. Destroyed where it is not taken. Never waits.
class message_batch {
 public:
  explicit message_batch(rd_kafka_queue_t* from) {
    const auto count = rd_kafka_consume_batch_queue(from, 0, messages_.data(), messages_.size());
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
