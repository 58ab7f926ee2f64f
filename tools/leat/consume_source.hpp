// Where `leat consume` gets its records: some partitions read alone, or what a group gives this member.
#pragma once

#include "parse.hpp"
#include "store_access.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace leat_tool {

struct source_options {
  std::string group;
  std::string instance_id;
  std::optional<place> from;
  std::vector<std::uint32_t> partitions;  // empty: all
};

class source {
 public:
  /// `most`: that will be taken in all. `until_end`: what comes later than now does not matter.
  source(const leat::store& store, const raw_topic& topic, const source_options& options, std::uint64_t most,
         bool until_end);
  source(const source&) = delete;
  source& operator=(const source&) = delete;

  /// Hands over up to `most` records; waits a moment for them, after all output was flushed. What was flushed is committed
  /// now and then.
  std::uint64_t take(std::uint64_t most, const std::function<void(const raw_record&)>& use);

  /// Whether everything that was there at the beginning, or that the group gives, was taken.
  bool at_end();

  /// Flushes, commits and leaves the group.
  void finish();

 private:
  using clock = std::chrono::steady_clock;

  bool in_group() const noexcept { return !options_.group.empty(); }
  void skip_what_is_lost();
  void flush_and_commit();
  std::vector<leat::partition_offset> positions();
  void hand_over() noexcept;

  raw_topic topic_;
  source_options options_;
  raw_consumer in_;
  std::map<std::uint32_t, std::uint64_t> until_;  // without a group: where at_end() is
  bool output_failed_ = false;                    // then nothing is committed any more
  clock::time_point began_ = clock::now();
  clock::time_point committed_ = began_;
};

}  // namespace leat_tool
