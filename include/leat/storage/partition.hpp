// A partition as one process sees it: its shared words, its segments' names, and the way to a pinned segment.
//
// Threads    any number at once; the mutex is held for system calls on this process's own mappings only.
// Processes  steps P1 to P4 of docs/protocol.md are here; R and N are in preparation.hpp.
#pragma once

#include <leat/format/topic_file.hpp>
#include <leat/options.hpp>
#include <leat/os/directory.hpp>
#include <leat/storage/group_registry.hpp>
#include <leat/storage/pins.hpp>
#include <leat/storage/segment.hpp>
#include <leat/storage/segment_cache.hpp>
#include <leat/storage/write_back.hpp>
#include <leat/sync/doorbell.hpp>
#include <leat/sync/words.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leat::storage {

/// What all partitions of an open topic have in common.
struct topic_context {
  std::shared_ptr<os::directory> directory;
  format::topic_header header;        // a checked copy: what the file says later is of no consequence
  const os::mapping& file;            // the topic file
  const format::topic_header& words;  // in it; of them, only those that may change
  bool writable;
  format::segment_geometry geometry;
  sync::bell bell;
  sync::flag closed;
  storage::pins pins;
  group_registry groups;
  write_back to_device{};  // of the topic file

  /// Kafka's rule: the oldest goes while the others are at least retention.bytes, here counted in files.
  std::uint64_t segments_to_keep() const noexcept {
    const std::uint64_t bytes = sync::setting(words.retention_bytes_now).observe();
    if (bytes == unlimited) return unlimited;
    return std::max<std::uint64_t>(1, bytes / header.segment_bytes + (bytes % header.segment_bytes != 0));
  }
  std::uint64_t retention_nanoseconds() const noexcept { return sync::setting(words.retention_nanoseconds).observe(); }
  /// The words of the topic and its partitions are on the device when this returns.
  void flush_words() const {
    const auto bytes = [&] {  // pages behind the end would be a SIGBUS
      const auto status = directory->status("topic");
      return status ? std::min(status->bytes, format::topic_file_bytes(format::max_partitions)) : 0;
    };
    to_device.flush(file, bytes, directory->path("topic"));
  }
  leat::durability durability() const noexcept { return static_cast<leat::durability>(header.durability); }
  bool is_durable() const noexcept { return header.durability != 0; }
  std::uint64_t flush_nanoseconds() const noexcept { return sync::setting(words.flush_nanoseconds).observe(); }
  std::uint64_t flush_bytes() const noexcept { return sync::setting(words.flush_bytes).observe(); }
  bool waits_for_groups() const noexcept { return sync::setting(words.wait_for_groups).observe() != 0; }
  sync::revision revision() const noexcept { return sync::revision(words.revision); }

  /// For a file that is missing, or contradicts the topic's words: damage, unless the topic was deleted. Then its files are
  /// being removed, and a producer that has not noticed may make one anew, with nothing in it.
  [[noreturn]] void throw_damaged(const std::string& name, const std::string& reason) const {
    if (closed.is_set()) throw error(errc::closed, directory->path(""), "the topic was deleted");
    throw error(errc::corrupt, directory->path(name), reason);
  }
};

/// `0003-000000000042`: partition and sequence number of a segment.
struct segment_name {
  std::uint32_t partition;
  std::uint64_t sequence;

  std::string text() const { return padded(partition, 4) + "-" + padded(sequence, 16); }

  /// Empty unless `text` is such a name; a temporary one has a '~' and random digits behind it.
  static std::optional<segment_name> parse(std::string_view text) {
    segment_name name{};
    const char* const begin =
        text.data();  // NOLINT(bugprone-suspicious-stringview-data-usage): its end is given as well
    const char* const end = begin + text.size();
    const auto partition = std::from_chars(begin, end, name.partition);
    if (partition.ec != std::errc{} || partition.ptr == end || *partition.ptr != '-') return std::nullopt;
    const auto sequence = std::from_chars(partition.ptr + 1, end, name.sequence);
    if (sequence.ec != std::errc{} || (sequence.ptr != end && *sequence.ptr != '~')) return std::nullopt;
    return name;
  }
  static bool is_temporary(std::string_view text) noexcept { return text.find('~') != text.npos; }

 private:
  static std::string padded(std::uint64_t n, std::size_t width) {
    std::string digits = std::to_string(n);
    return std::string(width > digits.size() ? width - digits.size() : 0, '0') + digits;
  }
};

class partition {
 public:
  partition(topic_context& topic, std::uint32_t id, const format::partition_words& words)
      : topic_(topic), id_(id), words_(words), cache_(cache_capacity(topic.segments_to_keep())) {}
  partition(const partition&) = delete;
  partition& operator=(const partition&) = delete;

  std::uint32_t id() const noexcept { return id_; }
  topic_context& topic() const noexcept { return topic_; }

  sync::watermark begun() const noexcept { return sync::watermark(words_.begun); }
  sync::watermark start_offset() const noexcept { return sync::watermark(words_.start_offset); }
  sync::watermark start_sequence() const noexcept { return sync::watermark(words_.start_sequence); }
  sync::watermark reclaimed() const noexcept { return sync::watermark(words_.reclaimed); }
  /// Records below were deleted by hand; a reader stops at once.
  sync::watermark deleted() const noexcept { return sync::watermark(words_.deleted); }
  /// Records below are on the device. What was written before the mark was raised this far is there.
  sync::watermark durable() const noexcept { return sync::watermark(words_.durable); }
  sync::bell flush_bell() const noexcept { return sync::bell(words_.flush_bell); }
  sync::alarm flush_alarm() const noexcept { return sync::alarm(words_.flush_alarm); }
  /// Who asks the device for this partition's segments holds it: see flush().
  std::mutex& device() const noexcept { return device_; }
  /// Where the checksum of a record at `position` of segment `sequence` says that it lies.
  format::record_place place(std::uint64_t sequence, std::uint64_t position) const noexcept {
    return {topic_.header.id, sequence, id_, position};
  }
  const format::partition_words& words() const noexcept { return words_; }
  sync::doorbell doorbell() const noexcept { return {words_.doorbell, words_.counters.wake_ups}; }
  const format::partition_counters& counters() const noexcept { return words_.counters; }

  /// How this process maps what it only looks at.
  os::access mode() const noexcept { return topic_.writable ? os::access::read_write : os::access::read_only; }

  /// The segments there are, from the first that is not retired to the last begun. Throws corrupt for words that cannot be.
  struct extent {
    std::uint64_t start;
    std::uint64_t begun;
  };
  extent segments() const {
    const std::uint64_t start = start_sequence().observe();  // before begun, which only grows
    const std::uint64_t begun = this->begun().observe();
    if ((start < begun && begun <= most_segments) || (start == 0 && begun == 0)) return {start, begun};
    throw error(errc::corrupt, topic_.directory->path("topic"),
                "partition " + std::to_string(id_) + " starts at segment " + std::to_string(start) + " and " +
                    std::to_string(begun) + " have begun, expected a start below that, and 2^52 at most");
  }

  /// Those of the segments [begin, end) that have a file, in order. Lists the directory: however many a damaged word says
  /// that there are, it costs no more than what is there.
  std::vector<std::uint64_t> named_segments(std::uint64_t begin, std::uint64_t end) const {
    std::vector<std::uint64_t> found;
    for (const std::string& text : topic_.directory->list()) {
      const auto name = segment_name::parse(text);
      const bool ours = name && name->partition == id_ && !segment_name::is_temporary(text);
      if (ours && name->sequence >= begin && name->sequence < end) found.push_back(name->sequence);
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  /// What is to be said where the files of the segments from `first` on, and below `before`, are not there.
  static std::string gap(std::uint64_t first, std::uint64_t before) {
    if (first + 1 == before) return "the segment is missing";
    return "all segments before segment " + std::to_string(before) + " are missing";
  }

  /// Offset of the first slot of a segment that has begun. Throws corrupt where it has none, or closed.
  std::uint64_t base_of(const pinned_segment& begun) const {
    if (begun->has_base()) return begun->base_offset().observe();
    topic_.throw_damaged(name(begun.sequence()), "a segment that has begun has no base offset, or a damaged one");
  }

  std::uint32_t wake_mask() const noexcept { return sync::wake_mask(topic_.header.id[0], id_); }

  std::string name(std::uint64_t sequence) const { return segment_name{id_, sequence}.text(); }
  std::uint64_t lock(std::uint64_t sequence) const noexcept { return lock_byte(id_, sequence); }

  enum class opened { pinned, absent, retired };

  /// Pins segment `sequence`. (P1 to P4.) absent: nobody made it yet. Throws for a damaged file.
  opened open(std::uint64_t sequence, os::access mode, pinned_segment& into) {
    if (!topic_.pins.try_pin(lock(sequence))) return opened::retired;  // P1
    pinned_segment pinned(topic_.pins, lock(sequence), sequence);
    std::shared_ptr<const segment> mapped = map(name(sequence), mode);  // P2
    // P3, after P2: a name that was retired before it was opened may lead to a late file, see N5.
    if (start_sequence().observe() > sequence) return opened::retired;
    if (mapped == nullptr) return opened::absent;
    verify(*mapped, sequence);  // P4
    pinned.attach(std::move(mapped));
    into = std::move(pinned);
    return opened::pinned;
  }

  /// Maps the file of this name, or finds it mapped. Null when there is none. Without a pin, it may be anything.
  std::shared_ptr<const segment> map(const std::string& file_name, os::access mode) {
    const std::lock_guard guard(mutex_);
    const auto status = topic_.directory->status(file_name);
    if (!status) return nullptr;
    if (auto mapped = cache_.find(*status, mode)) {
      if (!is_whole(*status)) throw_not_whole(*status, topic_.directory->path(file_name));  // or a page is a SIGBUS
      return mapped;
    }
    std::optional<os::file> file = topic_.directory->open(file_name, mode);
    if (!file) return nullptr;
    return keep(*file, mode);
  }

  /// For writing. Null for an absent file, and for one that cannot be a segment of this topic whatever happened to it.
  std::shared_ptr<const segment> map_if_segment(const std::string& file_name) {
    try {
      return map(file_name, os::access::read_write);
    } catch (const error& e) {
      if (e.code() == errc::truncated || e.code() == errc::foreign) return nullptr;
      throw;
    }
  }

  /// The retired names that may still lead to a file, as far as this process knows. What it has dealt with it does not look
  /// at again, even while a stopped process keeps `reclaimed` back; and where there are many, it looks which have a file.
  std::vector<std::uint64_t> retired_names() {
    constexpr std::uint64_t many = 64;
    const std::lock_guard guard(mutex_);
    const std::uint64_t end = segments().start;
    const std::uint64_t begin = std::max(listed_, reclaimed().observe());
    if (begin < end && end - begin > many) {
      const std::vector<std::uint64_t> named = named_segments(begin, end);
      retired_.insert(retired_.end(), named.begin(), named.end());
      std::sort(retired_.begin(), retired_.end());
    } else {
      for (std::uint64_t r = begin; r < end; ++r) retired_.push_back(r);
    }
    listed_ = std::max(listed_, end);
    return retired_;
  }
  void name_is_gone(std::uint64_t r) {
    const std::lock_guard guard(mutex_);
    std::erase(retired_, r);
    // Those below were gone by `reclaimed` when this process first listed them, or it has dealt with them.
    reclaimed().raise(retired_.empty() ? listed_ : retired_.front());
  }

  /// Maps a file that this process has just made.
  std::shared_ptr<const segment> map(const os::file& made) {
    const std::lock_guard guard(mutex_);
    return keep(made, os::access::read_write);
  }

  /// Why `s` is not segment `sequence` of this partition; empty when it is.
  std::string defect(const segment& s, std::uint64_t sequence) const {
    const format::segment_identity h = s.header().identity;  // one copy, so that what is checked cannot change
    if (h.magic != format::segment_magic) return "no segment file";
    if (h.version != format::version)
      return "format version " + std::to_string(h.version) + ", expected " + std::to_string(format::version);
    if (h.checksum != format::header_checksum(h)) return "the header's checksum does not match";
    if (h.topic != topic_.header.id) return "belongs to another topic";
    if (h.partition != id_) return "belongs to partition " + std::to_string(h.partition);
    if (h.sequence != sequence) return "is segment " + std::to_string(h.sequence);
    if (h.segment_bytes != topic_.geometry.segment_bytes || h.slot_count != topic_.geometry.slot_count) {
      return "sizes differ from the topic's";
    }
    return {};
  }

 private:
  void verify(const segment& s, std::uint64_t sequence) const {
    const std::string found = defect(s, sequence);
    if (found.empty()) return;
    const errc code = s.header().identity.magic != format::segment_magic ? errc::foreign
                      : s.header().identity.version != format::version   ? errc::wrong_version
                                                                         : errc::corrupt;
    throw error(code, topic_.directory->path(name(sequence)),
                found + "; expected segment " + std::to_string(sequence) + " of partition " + std::to_string(id_));
  }

  std::shared_ptr<const segment> keep(const os::file& f, os::access mode) {
    const os::file_status status = f.status();
    if (!is_whole(status)) throw_not_whole(status, f.path());
    auto mapped = std::make_shared<const segment>(os::mapping(f, status.bytes, mode), status, topic_.geometry, mode);
    cache_.keep(mapped);
    return mapped;
  }

  bool is_whole(const os::file_status& s) const noexcept { return s.bytes == topic_.geometry.segment_bytes; }
  [[noreturn]] void throw_not_whole(const os::file_status& status, const std::string& path) const {
    throw error(errc::truncated, path,
                "the file has " + std::to_string(status.bytes) + " bytes, expected " +
                    std::to_string(topic_.geometry.segment_bytes));
  }

  /// The files in circulation (those kept, one prepared, some spare), each mapped for reading and for writing. A log that
  /// keeps more than some is not in steady state, so a bound does no harm.
  static std::size_t cache_capacity(std::uint64_t segments_to_keep) noexcept {
    return static_cast<std::size_t>(2 * (std::min<std::uint64_t>(segments_to_keep, 60) + 4));
  }

  static constexpr std::uint64_t most_segments = std::uint64_t{1} << 52;  // each has a byte for its lock

  topic_context& topic_;
  const std::uint32_t id_;
  const format::partition_words& words_;
  std::mutex mutex_;
  mutable std::mutex device_;
  segment_cache cache_;
  std::uint64_t listed_ = 0;            // all retired names below are in retired_, or gone
  std::vector<std::uint64_t> retired_;  // usually empty
};

}  // namespace leat::storage
