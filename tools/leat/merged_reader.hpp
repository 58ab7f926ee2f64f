// The records of several partitions as one stream, in the order of their timestamps as far as partitions keep to it: within
// a partition, offsets decide.
#pragma once

#include "parse.hpp"
#include "store_access.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace leat_tool {

class merged_reader {
 public:
  /// From a place on; `until_end`: what is there now, and nothing that comes later.
  merged_reader(const raw_topic& topic, const std::vector<std::uint32_t>& partitions, const place& from,
                bool until_end);

  /// The next record that is there, valid until the next call; empty: none.
  std::optional<raw_record> next();

  /// Waits until there may be one, `timeout` at most.
  void wait(std::chrono::nanoseconds timeout);

 private:
  /// A partition, and what was polled of it.
  struct lane {
    std::uint32_t partition;
    std::uint64_t until;
    std::unique_ptr<raw_consumer> in;
    std::optional<raw_consumer::batch_type> batch;
    raw_consumer::batch_type::iterator at;
  };

  std::optional<raw_record> head(lane& l);

  raw_topic topic_;
  std::vector<lane> lanes_;
  lane* last_ = nullptr;  // whose record next() returned
  raw_consumer bell_;
};

}  // namespace leat_tool
