// What can be chosen for an asynchronous producer, and what it says of each record.
#pragma once

#include <leat/options.hpp>
#include <leat/result.hpp>
#include <leat/types.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>

namespace leat {

struct async_producer_options {
  /// What may be queued: handed over, and not completed yet. The bytes are those of the queue's entry, and the capacity of
  /// strings, of vectors of bytes and of headers. What values of other types, callbacks and futures hold elsewhere is not seen:
  /// there, the number of records is the bound. (buffer.memory)
  std::size_t max_queued_records = 100'000;
  std::size_t max_queued_bytes = 32 << 20;

  /// How long handing over waits while the queue is full; then it gives back_pressure. 0: at once. (max.block.ms)
  std::chrono::nanoseconds max_block = std::chrono::seconds(60);

  /// How long after it was handed over a record may wait for groups where retention does so; then it is completed with
  /// back_pressure. Those behind it wait, too. (delivery.timeout.ms)
  std::chrono::nanoseconds delivery_timeout = std::chrono::seconds(120);

  /// Whose the timestamps are that records get which are handed over without.
  timestamp_source clock = timestamp_source::precise;
  partitioner_function partitioner = nullptr;

  /// Told what a callback has thrown, and what a codec or the log has where a callback can only be given a code. In the
  /// sender's thread. What it throws itself is ignored.
  std::function<void(std::exception_ptr)> on_exception = nullptr;
};

/// What becomes of a record: where it is, or why it is not in the log.
using send_outcome = result<record_position>;
using send_callback = std::function<void(const send_outcome&)>;

}  // namespace leat
