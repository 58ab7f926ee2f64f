// A consumer: reads a topic from where it stands.
//
// Threads    one at a time; make one consumer for each thread.
// Processes  any number. Needs no more than permission to read; then it cannot be woken, and looks every millisecond at
//            least while it waits.
// Crash      nothing is left; what it was reading is given free by the kernel.
// Fork       a child must not use its parent's consumer: errc::forked.
// Cost       a poll with records at hand: some 10 ns, and one or two for each record. System calls only where a segment ends
//            and to sleep.
#pragma once

#include <leat/batch.hpp>
#include <leat/options.hpp>
#include <leat/storage/reader.hpp>
#include <leat/topic.hpp>

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

namespace leat {

template <class Value, class Key = std::string>
class consumer {
 public:
  using batch_type = batch<Value, Key>;

  /// Reads all partitions unless the options name some, each from where auto_offset_reset says: `latest` is what is sent
  /// after this call. Throws leat::error for a partition that the topic does not have.
  explicit consumer(const leat::topic<Value, Key>& topic, const consumer_options& options = {})
      : reader_(topic.log(), options) {}

  /// Up to max_poll_records records, which are there or come within `timeout`; empty when none came. The records of one
  /// partition are in order. Ends the life of the batch before.
  batch_type poll(std::chrono::nanoseconds timeout = std::chrono::nanoseconds::zero()) {
    const errc outcome = reader_.poll(timeout);
    return batch_type(reader_, outcome);
  }

  /// Reads these partitions from now on. Those that it read before keep their position, others begin as the reset policy
  /// says. Ends the life of the last batch.
  void assign(const std::vector<std::uint32_t>& partitions) { reader_.assign(partitions); }
  std::vector<std::uint32_t> assignment() const { return reader_.assignment(); }

  /// The next poll begins there. An offset outside the log meets the reset policy then.
  void seek(record_position to) { reader_.seek(to.partition, to.offset); }
  void seek_to_beginning() { reader_.seek_to_beginning(); }
  void seek_to_end() { reader_.seek_to_end(); }

  /// The next offset to read: one more than the last that was returned.
  std::uint64_t position(std::uint32_t partition) { return reader_.position(partition); }

  /// Records between position() and the end.
  std::uint64_t lag(std::uint32_t partition) { return reader_.lag(partition); }

  std::uint64_t start_offset(std::uint32_t partition) const {
    return detail::partition_of(reader_.log(), partition).start_offset().observe();
  }
  std::uint64_t end_offset(std::uint32_t partition) const {
    return storage::end_offset(detail::partition_of(reader_.log(), partition));
  }

  /// A paused partition is not read, and keeps its position.
  void pause(std::uint32_t partition) { reader_.set_paused(partition, true); }
  void resume(std::uint32_t partition) { reader_.set_paused(partition, false); }
  bool paused(std::uint32_t partition) { return reader_.paused(partition); }

 private:
  storage::reader reader_;
};

template <class Value, class Key>
consumer(const topic<Value, Key>&, const consumer_options&) -> consumer<Value, Key>;
template <class Value, class Key>
consumer(const topic<Value, Key>&) -> consumer<Value, Key>;

}  // namespace leat
