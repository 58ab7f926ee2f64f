// A topic with one partition, on files that a test can look at and change: for tests of what lies below the public face.
#pragma once

#include "support/file_bytes.hpp"
#include "support/temporary_store.hpp"

#include <leat/codec.hpp>
#include <leat/storage/appender.hpp>
#include <leat/storage/topic_log.hpp>
#include <leat/store.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <string>

namespace leat_tests {

/// Values are std::uint64_t, so 16 bytes a record. `log` and `other` are opened one by one, so their locks count against
/// each other as those of two processes do.
struct partition_files {
  temporary_store temporary = temporary_store::on_disk();
  std::shared_ptr<leat::storage::topic_log> log;
  std::shared_ptr<leat::storage::topic_log> other;

  explicit partition_files(const leat::topic_options& options) : log(open(options)), other(open({})) {}
  /// Segments of 16 KiB with room for 512 records, of which `keep` are kept beside the active one.
  explicit partition_files(std::uint64_t keep = 2)
      : partition_files(leat::topic_options{.segment_bytes = 16384, .retention = {.bytes = keep * 16384}}) {}

  std::shared_ptr<leat::storage::topic_log> open(const leat::topic_options& options) const {
    return temporary.store.topic<std::uint64_t>("numbers", options).log();
  }

  leat::storage::partition& partition() const { return log->partition(0); }
  leat::storage::partition& other_partition() const { return other->partition(0); }

  std::string directory() const { return temporary.file("topics/numbers"); }
  std::string segment_path(std::uint64_t sequence) const { return directory() + "/" + segment_name(sequence); }
  static std::string segment_name(std::uint64_t sequence) { return leat::storage::segment_name{0, sequence}.text(); }

  /// Names of the segments' files, temporary ones included.
  std::set<std::string> segments() const {
    std::set<std::string> names = names_in(directory());
    names.erase("topic");
    return names;
  }
};

/// Room for `size` bytes, to be published or given back; all zero. Without bytes where there is none.
inline leat::storage::room take_room(leat::storage::appender& from, std::uint64_t size, std::uint64_t prefix = 0,
                                     std::uint64_t alignment = 8) {
  std::byte* const bytes = from.take(size, prefix, alignment);
  if (bytes == nullptr) return {};
  const leat::storage::room room = from.lend(bytes, size);
  from.lent_back(room);
  std::memset(bytes, 0, size);
  return room;
}

/// Appends `value` as a compact record.
inline leat::result<std::uint64_t> append(leat::storage::appender& to, std::uint64_t value) {
  const leat::storage::room room = take_room(to, 16, 8);
  if (room.bytes == nullptr) return to.failure();
  std::memcpy(room.bytes + 8, &value, 8);
  const auto offset = to.publish(room, leat::format::record_kind::compact, 8);
  to.ring();
  return offset;
}

}  // namespace leat_tests
