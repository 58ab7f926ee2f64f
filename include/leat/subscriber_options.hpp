// What can be chosen for a subscriber, and what it tells of attempts that fail.
#pragma once

#include <leat/options.hpp>
#include <leat/types.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <stop_token>
#include <string>

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

  /// How many records of a partition may be taken from the first on that is not completed. Where it takes long, and others of
  /// the partition need not wait for it, they run ahead; they could not be committed, and would be processed again by the
  /// next who has the partition. From there on the partition waits, until half of them may be committed. The others go on.
  std::size_t max_ahead = 100'000;

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

}  // namespace leat
