// Histories: what was written and what was read, and whether the two fit.
//
// Each record carries who wrote it, the how manieth of that producer it is, its own size, and a checksum over bytes that
// follow from those: a read that mixes two records, or sees one half-made, shows.
//
// The properties that a history of a partition must have:
//   dense     its offsets follow one another without a gap
//   whole     each record is one that somebody wrote
//   once      no record occurs twice
//   ordered   one producer's records occur in the order in which they were sent
//   kept      each acknowledged record occurs, at the offset that its producer was told
//   one value per offset: two readers' histories agree where they overlap
#pragma once

#include <leat/leat.hpp>

#include "support/processes.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace leat_tests {

// --- what is written --------------------------------------------------------------------------------------------------

struct stamp {
  std::uint32_t producer = 0;
  std::uint32_t bytes = 0;
  std::uint64_t number = 0;
  std::uint32_t checksum = 0;
  std::uint32_t unused = 0;
};
static_assert(sizeof(stamp) == 24);

/// Fills `into`, of at least sizeof(stamp) bytes, with record `number` of producer `id`.
inline void write_payload(std::span<std::byte> into, std::uint32_t id, std::uint64_t number) {
  stamp s{id, static_cast<std::uint32_t>(into.size()), number, 0, 0};
  std::uint64_t word = (number + 1) * 0x9e3779b97f4a7c15 ^ id;
  for (std::size_t i = sizeof s; i < into.size(); i += sizeof word) {
    word = word * 6364136223846793005 + 1442695040888963407;
    std::memcpy(into.data() + i, &word, std::min(sizeof word, into.size() - i));
  }
  std::memcpy(into.data(), &s, sizeof s);
  s.checksum = leat::format::crc32c(into);
  std::memcpy(into.data() + offsetof(stamp, checksum), &s.checksum, sizeof s.checksum);
}

inline std::vector<std::byte> payload(std::uint32_t id, std::uint64_t number, std::size_t bytes) {
  std::vector<std::byte> made(bytes);
  write_payload(made, id, number);
  return made;
}

/// Empty: nobody wrote that.
inline std::optional<stamp> read_payload(leat::bytes_view bytes) {
  stamp s;
  if (bytes.size() < sizeof s) return std::nullopt;
  thread_local std::vector<std::byte> copy;
  copy.assign(bytes.begin(), bytes.end());
  std::memcpy(&s, copy.data(), sizeof s);
  std::memset(copy.data() + offsetof(stamp, checksum), 0, sizeof s.checksum);
  if (s.bytes != bytes.size() || s.checksum != leat::format::crc32c(copy)) return std::nullopt;
  return s;
}

inline std::string key_of(std::uint32_t id, std::uint64_t number) {
  return "key " + std::to_string(id) + "/" + std::to_string(number);
}

/// The stamp of a record; empty when it, its key or its header "number" is not what its producer wrote.
template <class Record>
std::optional<stamp> read_record(const Record& record) {
  const auto bytes = record.value_bytes();
  if (!bytes) return std::nullopt;
  const std::optional<stamp> s = read_payload(*bytes);
  if (!s) return std::nullopt;
  if (record.has_key() && record.key() != key_of(s->producer, s->number)) return std::nullopt;
  if (const auto header = record.headers().last("number"); header && header->text() != std::to_string(s->number)) {
    return std::nullopt;
  }
  return s;
}

// --- where it is written ----------------------------------------------------------------------------------------------

using topic = leat::topic<leat::bytes_view>;
using producer = leat::producer<leat::bytes_view>;
using consumer = leat::consumer<leat::bytes_view>;

inline constexpr std::uint64_t tiny_segment = 16 * 1024;

/// The smallest segments there are. `keep`: how many retention keeps; 0: all.
inline leat::topic_options tiny(std::uint64_t keep, std::uint32_t partitions = 1) {
  leat::topic_options options;
  options.partitions = partitions;
  options.segment_bytes = tiny_segment;
  options.retention.bytes = keep == 0 ? leat::unlimited : keep * tiny_segment;
  options.expected_record_bytes = 64;
  return options;
}

inline topic open_log(const std::string& store, const leat::topic_options& options) {
  return leat::store::open(store).topic<leat::bytes_view>("log", options);
}
/// As it is.
inline topic open_log(const std::string& store) { return open_log(store, {.mode = leat::open_mode::open}); }

/// Segments begun in a partition since its first.
inline std::uint64_t begun(const topic& t, std::uint32_t partition = 0) {
  return t.log()->partition(partition).begun().observe();
}

/// What is in a topic's directory.
struct log_files {
  std::size_t segments = 0;
  std::size_t temporary = 0;
};
inline log_files files_of(const topic& t) {
  log_files found;
  for (const std::string& name : t.log()->directory().list()) {
    if (name == "topic") continue;
    ++(name.find('~') != name.npos ? found.temporary : found.segments);
  }
  return found;
}

inline leat::bytes_view view(const std::vector<std::byte>& bytes) { return bytes; }

/// Sends record `number` of `id`, of a size between a stamp's and `largest` that follows from the number.
inline std::uint64_t send_numbered(producer& out, std::uint32_t id, std::uint64_t number, std::size_t largest = 120) {
  const std::size_t bytes = sizeof(stamp) + (number * 2654435761u + id) % (largest - sizeof(stamp) + 1);
  const auto made = payload(id, number, bytes);
  return out.send(view(made)).value().offset;
}

// --- what is read -----------------------------------------------------------------------------------------------------

/// Checks one partition's records as they come, and throws at the first that is wrong.
class stream_check {
 public:
  explicit stream_check(std::uint64_t first = 0) : next_(first) {}

  template <class Record>
  void add(const Record& record) {
    expect(record.offset() == next_, [&] {
      return "dense: offset " + std::to_string(record.offset()) + " came where " + std::to_string(next_) + " was due";
    });
    ++next_;
    const std::optional<stamp> s = read_record(record);
    expect(s.has_value(), [&] { return "whole: nobody wrote the record at offset " + std::to_string(next_ - 1); });
    std::uint64_t& due = due_[s->producer];
    expect(s->number == due, [&] {
      return "once and ordered: record " + std::to_string(s->number) + " of producer " + std::to_string(s->producer) +
             " came at offset " + std::to_string(next_ - 1) + " where " + std::to_string(due) + " was due";
    });
    ++due;
  }

  std::uint64_t next_offset() const noexcept { return next_; }

  /// Records read of this producer.
  std::uint64_t count(std::uint32_t id) const {
    const auto found = due_.find(id);
    return found == due_.end() ? 0 : found->second;
  }

 private:
  std::uint64_t next_;
  std::unordered_map<std::uint32_t, std::uint64_t> due_;
};

/// Reads a partition until the position is `end`, which the log has reached; throws when a reader comes to a stand before.
template <class Take>
void read_up_to(consumer& in, std::uint32_t partition, std::uint64_t end, Take take) {
  while (in.position(partition) < end) {
    const auto batch = in.poll(std::chrono::seconds(10));
    for (const auto& record : batch) take(record);
    expect(!batch.empty(), [&] {
      return "kept: a reader stands at offset " + std::to_string(in.position(partition)) +
             " and sees nothing, but the end is " + std::to_string(end);
    });
  }
}

class history {
 public:
  struct entry {
    std::uint64_t offset = 0;
    std::uint32_t producer = 0;
    std::uint64_t number = 0;
    bool whole = false;

    bool operator==(const entry&) const = default;
  };

  /// A reader saw this.
  void saw(std::uint32_t partition, const entry& e) { seen_[partition].push_back(e); }
  template <class Record>
  void saw(const Record& record) {
    const auto s = read_record(record);
    saw(record.partition(), {record.offset(), s ? s->producer : 0, s ? s->number : 0, s.has_value()});
  }

  /// A producer was told that its record is there.
  void acknowledged(std::uint32_t id, std::uint64_t number, leat::record_position at) {
    acknowledged_[{id, number}] = at;
  }

  /// Reads a partition from its start to its present end.
  void read_all(const topic& t, std::uint32_t partition = 0) {
    consumer in(t, {.partitions = {{partition}}, .auto_offset_reset = leat::offset_reset::earliest});
    const std::uint64_t end = t.end_offset(partition);
    read_up_to(in, partition, end, [&](const auto& record) { saw(record); });
  }

  std::size_t size(std::uint32_t partition = 0) const {
    const auto found = seen_.find(partition);
    return found == seen_.end() ? 0 : found->second.size();
  }

  /// What is wrong with it; the first dozen.
  std::vector<std::string> violations() const {
    std::vector<std::string> found;
    const auto report = [&](const std::string& what) {
      if (found.size() < 12) found.push_back(what);
    };
    std::map<std::pair<std::uint32_t, std::uint64_t>, leat::record_position> where;
    for (const auto& [partition, entries] : seen_) {
      std::map<std::uint32_t, std::uint64_t> last;
      for (std::size_t i = 0; i < entries.size(); ++i) {
        const entry& e = entries[i];
        const std::string at = " at offset " + std::to_string(e.offset) + " of partition " + std::to_string(partition);
        if (i != 0 && e.offset != entries[i - 1].offset + 1) report("dense: a gap or step back" + at);
        if (!e.whole) {
          report("whole: nobody wrote the record" + at);
          continue;
        }
        const std::string who = "record " + std::to_string(e.number) + " of producer " + std::to_string(e.producer);
        if (!where.try_emplace({e.producer, e.number}, leat::record_position{partition, e.offset}).second) {
          report("once: " + who + " comes again" + at);
        }
        const auto [before, first] = last.try_emplace(e.producer, e.number);
        if (!first && e.number < before->second) report("ordered: " + who + " comes late" + at);
        before->second = e.number;
      }
    }
    for (const auto& [record, at] : acknowledged_) {
      const auto there = where.find(record);
      const std::string who =
          "record " + std::to_string(record.second) + " of producer " + std::to_string(record.first);
      if (there == where.end()) {
        report("kept: " + who + " is lost");
      } else if (there->second != at) {
        report("kept: " + who + " is at offset " + std::to_string(there->second.offset) + ", its producer was told " +
               std::to_string(at.offset));
      }
    }
    return found;
  }

  /// One value per offset: whether this reader and another saw the same wherever both looked.
  bool agrees_with(const history& other) const {
    for (const auto& [partition, entries] : seen_) {
      const auto theirs = other.seen_.find(partition);
      if (theirs == other.seen_.end()) continue;
      std::unordered_map<std::uint64_t, entry> by_offset;
      for (const entry& e : theirs->second) by_offset[e.offset] = e;
      for (const entry& e : entries) {
        const auto same = by_offset.find(e.offset);
        if (same != by_offset.end() && !(same->second == e)) return false;
      }
    }
    return true;
  }

 private:
  std::map<std::uint32_t, std::vector<entry>> seen_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, leat::record_position> acknowledged_;
};

}  // namespace leat_tests
