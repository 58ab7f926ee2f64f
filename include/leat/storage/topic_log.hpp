// A topic on its directory, opened: what all handles of a process on a topic share.
//
//   topics/<name>/topic                 options that never change, shared words of the partitions; its bytes are the locks
//   topics/<name>/0003-0000000000000042 segment 42 of partition 3
//
// Processes  any number may open, create and delete the same topic at once: the directory gets its name complete, the first
//            wins, and the others open what it made. (Steps M, O and X of docs/protocol.md; tests/model/topic_life.pml)
// Crash      see leftovers.hpp.
#pragma once

#include <leat/options.hpp>
#include <leat/storage/leftovers.hpp>
#include <leat/storage/partition.hpp>
#include <leat/storage/recovery.hpp>
#include <leat/storage/store_files.hpp>
#include <leat/storage/type_identity.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leat::storage {

class topic_log {
 public:
  static constexpr const char* file_name = "topic";

  /// Opens the topic, or creates it, as options.mode says. Throws wrong_type and conflicting_options with both sides' values.
  static std::shared_ptr<topic_log> open(const std::shared_ptr<store_files>& store, const std::string& name,
                                         const topic_options& options, const type_identity& value,
                                         const type_identity& key) {
    check_name(name, store->topics());
    if (options.mode == open_mode::create) {
      if (!create(*store, name, options, value, key)) {
        throw error(errc::already_exists, store->topics().path(name), "the topic exists");
      }
    }
    for (;;) {
      if (auto directory = store->topics().open_directory(name)) {
        if (auto log = open_directory(store, name, directory)) {
          log->check_type(value, key);
          log->check_options(options);
          return log;
        }
        continue;  // deleted while it was opened
      }
      if (options.mode != open_mode::open_or_create) {
        throw error(errc::not_found, store->topics().path(name), "no such topic");
      }
      create(*store, name, options, value, key);
    }
  }

  /// Opens a topic whatever its type. Null when there is none.
  static std::shared_ptr<topic_log> open_untyped(const std::shared_ptr<store_files>& store, const std::string& name) {
    check_name(name, store->topics());
    while (auto directory = store->topics().open_directory(name)) {
      if (auto log = open_directory(store, name, directory)) return log;
    }
    return nullptr;
  }

  /// False when there is no such topic. In any case nobody works any more on one that had the name: its users get errc::closed.
  static bool remove(store_files& store, const std::string& name) {
    check_name(name, store.topics());
    if (!store.writable()) {
      throw error(errc::permission_denied, store.topics().path(name),
                  "cannot delete a topic of a store opened for reading");
    }
    return delete_directory(store.topics(), name, [&](os::directory& directory) { close(store, directory); });
  }

  /// What dead creators and deleters left, and what is being deleted.
  static std::size_t remove_leftovers(store_files& store) {
    return remove_dead_directories(store.topics(), [&](os::directory& directory) { close(store, directory); });
  }

  static std::vector<std::string> names(const store_files& store) {
    std::vector<std::string> names = store.topics().list();
    std::erase_if(names, [](const std::string& n) { return n.starts_with('~'); });
    std::sort(names.begin(), names.end());
    return names;
  }

  topic_log(std::shared_ptr<store_files> store, std::string name, const std::shared_ptr<os::directory>& directory,
            const format::topic_header& header, os::mapping mapped, os::file locks, bool writable)
      : store_(std::move(store)),
        name_(std::move(name)),
        mapping_(std::move(mapped)),
        writable_(writable),
        context_{directory,
                 header,
                 mapping_,
                 header_in(mapping_),
                 writable,
                 {header.segment_bytes, header.slot_count},
                 store_->bell(),
                 sync::flag(header_in(mapping_).closed),
                 pins(std::move(locks)),
                 group_registry(directory, context_.header)},
        partitions_(format::max_partitions) {
    take_over_partitions();
    presence_ = recover_if_dead(context_, partitions_);
    if (context_.is_durable() && writable_) require_names();
  }

  /// Partitions that were added since; how many there are now.
  std::uint32_t refresh() {
    const std::lock_guard guard(mutex_);
    if (!closed()) take_over_partitions();
    return partitions();
  }

  /// Makes it `total` partitions; there are that many at least when it returns. They are empty.
  void add_partitions(std::uint32_t total) {
    if (total > format::max_partitions) {
      throw error(
          errc::invalid_argument, path(),
          "partitions is " + std::to_string(total) + ", expected at most " + std::to_string(format::max_partitions));
    }
    require_writable("add partitions to");
    auto file = context_.directory->open(file_name, os::access::read_write);
    if (!file) throw error(errc::closed, path(), "the topic was deleted");
    file->reserve(format::topic_file_bytes(total));
    sync::watermark(context_.words.partitions_now).raise(total);
    if (context_.is_durable()) file->sync();
    announce();
    refresh();
  }

  /// Changes what may be changed. Throws invalid_argument before it changes anything.
  void alter(const topic_changes& changes) {
    check_retention(changes.retention, path());
    check_flush(changes.flush, path());
    require_writable("alter");
    const retention_options& r = changes.retention;
    const flush_options& f = changes.flush;
    if (f.interval) sync::setting(context_.words.flush_nanoseconds).set(nanoseconds_of(*f.interval));
    if (f.bytes) sync::setting(context_.words.flush_bytes).set(*f.bytes);
    if (r.bytes) sync::setting(context_.words.retention_bytes_now).set(*r.bytes);
    if (r.time) sync::setting(context_.words.retention_nanoseconds).set(nanoseconds_of(*r.time));
    if (r.wait_for_groups) sync::setting(context_.words.wait_for_groups).set(*r.wait_for_groups ? 1 : 0);
    if (context_.is_durable()) context_.flush_words();
    announce();
  }

  /// Producers and consumers look again: at the partitions, at the groups.
  void announce() const {
    revision().advance();
    store_->topics_revision().advance();
    store_->bell().ring(~std::uint32_t{0});
  }
  sync::revision revision() const noexcept { return context_.revision(); }

  /// Neither deleted nor about to be.
  bool is_there() const { return !closed() && still_named(*store_, name_, directory()); }

  std::uint64_t retention_bytes() const noexcept { return sync::setting(context_.words.retention_bytes_now).observe(); }
  std::chrono::nanoseconds retention_time() const noexcept {
    const std::uint64_t limit = context_.retention_nanoseconds();
    return limit == unlimited ? forever : std::chrono::nanoseconds(static_cast<std::int64_t>(limit));
  }
  bool waits_for_groups() const noexcept { return context_.waits_for_groups(); }
  leat::durability durability() const noexcept { return context_.durability(); }
  std::chrono::nanoseconds flush_interval() const noexcept {
    const std::uint64_t interval = context_.flush_nanoseconds();
    return interval == unlimited ? forever : std::chrono::nanoseconds(static_cast<std::int64_t>(interval));
  }
  std::uint64_t flush_bytes() const noexcept { return context_.flush_bytes(); }
  /// When the topic was recovered after the death of the machine.
  std::optional<timestamp> recovered() const noexcept {
    const std::int64_t at = context_.words.recovered;
    return at == 0 ? std::nullopt : std::optional(timestamp(std::chrono::nanoseconds(at)));
  }

  /// Names of the groups that have offsets in this topic.
  std::vector<std::string> groups() const {
    std::vector<std::string> names;
    for (const std::string& name : directory().list()) {
      if (name.starts_with(group_offsets::name_prefix)) names.push_back(name.substr(group_offsets::name_prefix.size()));
    }
    return names;
  }

  /// The offsets of a group in this topic. Null when it has none. open_group() makes them, and room for all partitions; it
  /// throws closed where the topic was deleted.
  std::shared_ptr<group_offsets> find_group(const std::string& group) const {
    return group_offsets::open(context_.directory, context_.header, group);
  }
  std::shared_ptr<group_offsets> open_group(const std::string& group) {
    require_writable("commit to");
    for (;;) {
      try {
        require_open();
        auto offsets = group_offsets::open_or_create(context_.directory, context_.header, group, partitions());
        if (!offsets->reserve(partitions())) continue;
        revision().advance();  // retention looks for it from now on; also if its maker died here
        return offsets;
      } catch (const error&) {
        require_open();
        throw;
      }
    }
  }

  const std::string& name() const noexcept { return name_; }
  const format::topic_header& header() const noexcept { return context_.header; }
  std::string path() const { return directory().path(""); }
  const os::directory& directory() const noexcept { return *context_.directory; }
  std::uint32_t partitions() const noexcept { return count_.load(std::memory_order_acquire); }
  storage::partition& partition(std::uint32_t id) noexcept { return *partitions_[id]; }
  topic_context& context() noexcept { return context_; }
  const std::shared_ptr<store_files>& store() const noexcept { return store_; }
  bool closed() const noexcept { return context_.closed.is_set(); }
  void require_open() const {
    if (closed()) throw error(errc::closed, path(), "the topic was deleted");
  }
  const sync::flag& closed_flag() const noexcept { return context_.closed; }
  const sync::bell& bell() const noexcept { return context_.bell; }

  /// May append: the topic's and the store's files are writable for this process.
  bool writable() const noexcept { return writable_ && store_->writable(); }

  /// May say on the doorbells that it sleeps.
  bool can_arm() const noexcept { return writable_; }

 private:
  static const format::topic_header& header_in(const os::mapping& m) noexcept {
    return *reinterpret_cast<const format::topic_header*>(m.data());
  }
  static std::uint64_t nanoseconds_of(std::chrono::nanoseconds time) noexcept {
    return time == forever ? unlimited : static_cast<std::uint64_t>(time.count());
  }

  static void check_retention(const retention_options& r, const std::string& path) {
    if (r.bytes && *r.bytes == 0) {
      throw error(errc::invalid_argument, path, "retention.bytes is 0, expected a size or leat::unlimited");
    }
    if (r.time && r.time->count() <= 0) {
      throw error(errc::invalid_argument, path,
                  "retention.time is " + std::to_string(r.time->count()) + " ns, expected more, or leat::forever");
    }
  }

  static void check_flush(const flush_options& f, const std::string& path) {
    if (f.bytes && *f.bytes == 0) {
      throw error(errc::invalid_argument, path, "flush.bytes is 0, expected a size or leat::unlimited");
    }
    if (f.interval && f.interval->count() <= 0) {
      throw error(errc::invalid_argument, path,
                  "flush.interval is " + std::to_string(f.interval->count()) + " ns, expected more, or leat::forever");
    }
  }

  void require_writable(const char* action) const {
    if (writable()) return;
    throw error(errc::permission_denied, path(),
                "cannot " + std::string(action) + " a topic that this user may only read");
  }

  /// Before a record in it is acknowledged, the names that lead to the topic are on the device: whoever made it may have died,
  /// or not have come to it yet.
  void require_names() const {
    const sync::flag named(context_.words.named);
    if (named.is_set()) return;
    store_->sync();
    named.set();
  }

  /// Every partition word that is used lies within the file: its size is checked before the count is believed. [partitions]
  void take_over_partitions() {
    const std::uint64_t now = sync::watermark(context_.words.partitions_now).observe();
    const std::uint32_t known = partitions();
    if (now <= known && now >= context_.header.partitions) return;
    const auto status = context_.directory->status(file_name);
    if (!status) return;  // deleted right now
    const bool sound = now >= std::max(known, context_.header.partitions) && now <= format::max_partitions &&
                       status->bytes >= format::topic_file_bytes(static_cast<std::uint32_t>(now));
    if (!sound) {
      throw error(errc::corrupt, directory().path(file_name),
                  "it says that there are " + std::to_string(now) + " partitions, but was made with " +
                      std::to_string(context_.header.partitions) + " and has " + std::to_string(status->bytes) +
                      " bytes");
    }
    for (auto id = known; id < now; ++id) {
      partitions_[id] = std::make_unique<storage::partition>(context_, id, words_in(mapping_, id));
    }
    count_.store(static_cast<std::uint32_t>(now), std::memory_order_release);
  }

  static const format::partition_words& words_in(const os::mapping& m, std::uint32_t id) noexcept {
    return reinterpret_cast<const format::partition_words*>(m.data() + format::page_bytes)[id];
  }

  static void check_name(const std::string& name, const os::directory& topics) {
    if (is_legal_name(name)) return;
    throw error(errc::name_invalid, topics.path(name.substr(0, 300)), "a topic's name has " + std::string(legal_names));
  }

  /// Null when the topic vanished meanwhile.
  static std::shared_ptr<topic_log> open_directory(const std::shared_ptr<store_files>& store, const std::string& name,
                                                   const std::shared_ptr<os::directory>& directory) {
    auto [file, mode] = os::open_as_permitted(*directory, file_name);
    if (!file) {
      if (!still_named(*store, name, *directory)) return nullptr;
      throw error(errc::foreign, directory->path(""), "no topic: there is no topic file in it");
    }
    os::mapping page(*file, format::page_bytes, mode);
    const format::topic_header header = format::fixed_fields(header_in(page));
    verify(header, file->path());
    os::mapping mapped(*file, format::topic_file_bytes(header.partitions), mode,
                       format::topic_file_bytes(format::max_partitions));
    // The locks have an open file description of their own: a mapping holds on to the one it was made from, also in the
    // child of a fork, and the locks would live as long.
    std::optional<os::file> locks = directory->open(file_name, mode);
    if (!locks) return nullptr;  // deleted right now
    auto log = std::make_shared<topic_log>(store, name, directory, header, std::move(mapped), std::move(*locks),
                                           mode == os::access::read_write);
    if (!log->closed()) return log;
    if (!still_named(*store, name, log->directory())) return nullptr;
    throw error(errc::corrupt, log->path(), "the topic is marked as deleted, but has its name");
  }

  /// A topic that is deleted loses its name before anything else.
  static bool still_named(const store_files& store, const std::string& name, const os::directory& directory) {
    return store.topics().leads_to(name, directory);
  }

  /// Everything in the header that is relied upon later.
  static void verify(const format::topic_header& h, const std::string& path) {
    const auto fail = [&](errc code, const std::string& reason) { throw error(code, path, reason); };
    if (h.magic != format::topic_magic) fail(errc::foreign, "no topic file");
    if (h.version != format::version) {
      fail(errc::wrong_version,
           "format version " + std::to_string(h.version) + ", expected " + std::to_string(format::version));
    }
    if (h.checksum != format::header_checksum(h)) fail(errc::corrupt, "the header's checksum does not match");
    const bool sound = h.partitions >= 1 && h.partitions <= format::max_partitions &&
                       h.segment_bytes >= min_segment_bytes && h.segment_bytes <= max_segment_bytes &&
                       h.segment_bytes % format::page_bytes == 0 && h.slot_count >= 1 &&
                       h.slot_count < h.segment_bytes / 8 &&
                       format::segment_geometry{h.segment_bytes, h.slot_count}.data_begin() < h.segment_bytes &&
                       std::has_single_bit(h.value_alignment) && h.value_alignment <= format::page_bytes &&
                       h.max_record_bytes <= largest_record(h) && h.timestamps <= 1 && h.single_writer <= 1 &&
                       h.durability <= static_cast<std::uint32_t>(durability::every) && is_file_mode(h.file_mode) &&
                       h.value_name[format::type_name_bytes - 1] == 0 && h.key_name[format::type_name_bytes - 1] == 0;
    if (!sound) fail(errc::corrupt, "the header's fields contradict each other");
  }

  /// The new files of a topic get it, whoever makes them: a stranger's topic must not make root's programs.
  static constexpr bool is_file_mode(std::uint32_t mode) noexcept {
    return (mode & ~0666u) == 0 && (mode & 0600u) == 0600u;
  }

  static constexpr std::uint64_t min_segment_bytes = 4 * format::page_bytes;
  static constexpr std::uint64_t max_segment_bytes = std::uint64_t{16} << 30;
  static constexpr std::uint64_t default_segment_bytes = std::uint64_t{16} << 20;
  static constexpr std::uint64_t default_retention_bytes = std::uint64_t{256} << 20;
  static constexpr std::uint32_t default_max_record_bytes = 1 << 20;  // Kafka's max.message.bytes is 1 MiB and 12
  static constexpr std::uint32_t default_expected_record_bytes = 128;
  static constexpr std::chrono::seconds default_flush_interval{1};
  static constexpr std::uint64_t default_flush_bytes = std::uint64_t{16} << 20;

  /// The largest record that fits in a segment of its own, padding for its alignment included.
  static std::uint64_t largest_record(const format::topic_header& h) noexcept {
    const std::uint64_t data = format::segment_geometry{h.segment_bytes, h.slot_count}.data_bytes();
    const std::uint64_t padding = h.value_alignment;
    return data <= padding ? 0 : std::min((data - padding) & ~std::uint64_t{7}, format::max_record_bytes);
  }

  static format::topic_header header_for(const topic_options& options, const type_identity& value,
                                         const type_identity& key, const std::string& path) {
    const auto require = [&](bool condition, const std::string& reason) {
      if (!condition) throw error(errc::invalid_argument, path, reason);
    };
    format::topic_header h{};
    h.magic = format::topic_magic;
    h.version = format::version;
    h.id = os::random_bits<format::unique_id>();
    h.partitions = options.partitions.value_or(1);
    require(
        h.partitions >= 1 && h.partitions <= format::max_partitions,
        "partitions is " + std::to_string(h.partitions) + ", expected 1 to " + std::to_string(format::max_partitions));
    h.segment_bytes = options.segment_bytes.value_or(default_segment_bytes);
    require(h.segment_bytes >= min_segment_bytes && h.segment_bytes <= max_segment_bytes &&
                h.segment_bytes % format::page_bytes == 0,
            "segment_bytes is " + std::to_string(h.segment_bytes) + ", expected a multiple of " +
                std::to_string(format::page_bytes) + " from " + std::to_string(min_segment_bytes) + " to " +
                std::to_string(max_segment_bytes));
    h.retention_bytes = options.retention.bytes.value_or(default_retention_bytes);
    check_retention(options.retention, path);
    h.partitions_now = h.partitions;
    h.retention_bytes_now = h.retention_bytes;
    h.retention_nanoseconds = nanoseconds_of(options.retention.time.value_or(forever));
    h.wait_for_groups = options.retention.wait_for_groups.value_or(false) ? 1 : 0;
    h.value_alignment = std::max<std::uint32_t>(value.alignment, format::record_alignment);
    h.expected_record_bytes = options.expected_record_bytes.value_or(
        expected_record_bytes(value, options.durability.value_or(durability::none) != durability::none));
    require(h.expected_record_bytes >= 1, "expected_record_bytes is 0");
    h.slot_count = format::segment_geometry::for_records(h.segment_bytes, h.expected_record_bytes).slot_count;
    const std::uint64_t largest = largest_record(h);
    h.max_record_bytes = options.max_record_bytes.value_or(
        static_cast<std::uint32_t>(std::min<std::uint64_t>(default_max_record_bytes, largest)));
    require(h.max_record_bytes >= 1 && h.max_record_bytes <= largest,
            "max_record_bytes is " + std::to_string(h.max_record_bytes) + ", expected 1 to " + std::to_string(largest) +
                ", the largest record that fits in a segment of " + std::to_string(h.segment_bytes) + " bytes");
    h.timestamps = static_cast<std::uint32_t>(options.timestamps.value_or(timestamp_type::create_time));
    h.single_writer = options.single_writer.value_or(false) ? 1 : 0;
    h.file_mode = options.file_mode.value_or(0600);
    require(is_file_mode(h.file_mode), "file_mode is not a file's mode with at least 0600");
    h.durability = static_cast<std::uint32_t>(options.durability.value_or(durability::none));
    check_flush(options.flush, path);
    h.flush_nanoseconds = nanoseconds_of(options.flush.interval.value_or(default_flush_interval));
    h.flush_bytes = options.flush.bytes.value_or(default_flush_bytes);
    h.boot = os::current_boot();
    h.created = os::realtime();
    h.value_type = value.fingerprint;
    h.key_type = key.fingerprint;
    value.name.copy(h.value_name, format::type_name_bytes - 1);
    key.name.copy(h.key_name, format::type_name_bytes - 1);
    h.checksum = format::header_checksum(h);
    return h;
  }

  static std::uint32_t expected_record_bytes(const type_identity& value, bool is_durable) noexcept {
    if (value.fixed_bytes == 0) return default_expected_record_bytes;
    const std::uint64_t bytes =
        is_durable ? format::full_size(value.fixed_bytes, 0, 0) : format::compact_size(value.fixed_bytes);
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, 1u << 30));
  }

  /// False when a topic of this name exists already.
  static bool create(store_files& store, const std::string& name, const topic_options& options,
                     const type_identity& value, const type_identity& key) {
    if (!store.writable()) {
      throw error(errc::permission_denied, store.topics().path(name),
                  "cannot create a topic in a store opened for reading");
    }
    remove_leftovers(store);
    remove_dead_temporaries(store.directory());  // of one who made the store at the same time as another, and died
    const format::topic_header header = header_for(options, value, key, store.topics().path(name));
    const bool is_durable = header.durability != 0;
    if (is_durable && store.topics().is_volatile()) {
      throw error(
          errc::invalid_argument, store.topics().path(name),
          "durability is asked for in a store in memory, which is gone with the machine; expected a store in files");
    }
    const mode_t directory_mode = header.file_mode | ((header.file_mode & 0444) >> 2);  // who may read may enter
    const bool made = make_directory(store.topics(), name, directory_mode, [&](os::directory& directory) {
      os::file file = directory.create(file_name, header.file_mode);
      const std::uint64_t bytes = format::topic_file_bytes(header.partitions);
      file.reserve(bytes);
      const os::mapping mapped(file, bytes, os::access::read_write);
      std::memcpy(mapped.data(), &header, sizeof header);
      if (!is_durable) return;
      file.sync();
      directory.sync();
    });
    if (!made) return false;
    store.topics_revision().advance();
    store.bell().ring(~std::uint32_t{0});
    return true;
  }

  /// Tells the users of a topic that has lost its name. [close]
  static void close(store_files& store, os::directory& directory) {
    const auto file = directory.open(file_name, os::access::read_write);
    if (!file || file->status().bytes < format::page_bytes) return;
    const os::mapping page(*file, format::page_bytes, os::access::read_write);
    sync::flag(header_in(page).closed).set();
    sync::revision(header_in(page).revision).advance();
    store.topics_revision().advance();
    store.bell().ring(~std::uint32_t{0});
    if (header_in(page).durability != 0) store.topics().sync();  // it does not come back with the next boot
  }

  void check_type(const type_identity& value, const type_identity& key) const {
    const auto check = [&](const char* what, const type_identity& mine, std::uint64_t theirs, const char* their_name) {
      if (mine.fingerprint == theirs || mine.fingerprint == any_type) return;
      throw error(errc::wrong_type, path(),
                  std::string(what) + " type is " + their_name + " in the topic, but " + mine.name + " here");
    };
    check("value", value, header().value_type, header().value_name);
    if (value.alignment > header().value_alignment) {
      throw error(errc::wrong_type, path(),
                  "values are aligned to " + std::to_string(header().value_alignment) + " bytes in the topic, but to " +
                      std::to_string(value.alignment) + " here");
    }
    check("key", key, header().key_type, header().key_name);
  }

  void check_options(const topic_options& o) const {
    const format::topic_header& h = header();
    check_option("partitions", o.partitions, partitions());
    check_option("segment_bytes", o.segment_bytes, h.segment_bytes);
    check_option("retention.bytes", o.retention.bytes, retention_bytes());
    if (o.retention.time) {
      check_option("retention.time (ns)", std::optional(nanoseconds_of(*o.retention.time)),
                   context_.retention_nanoseconds());
    }
    if (o.retention.wait_for_groups) {
      check_option("retention.wait_for_groups", std::optional<std::uint32_t>(*o.retention.wait_for_groups),
                   static_cast<std::uint32_t>(waits_for_groups()));
    }
    check_option("max_record_bytes", o.max_record_bytes, h.max_record_bytes);
    check_option("expected_record_bytes", o.expected_record_bytes, h.expected_record_bytes);
    if (o.timestamps) {
      check_option("timestamps", std::optional(static_cast<std::uint32_t>(*o.timestamps)), h.timestamps);
    }
    if (o.durability) {
      check_option("durability", std::optional(static_cast<std::uint32_t>(*o.durability)), h.durability);
    }
    if (o.flush.interval) {
      check_option("flush.interval (ns)", std::optional(nanoseconds_of(*o.flush.interval)),
                   context_.flush_nanoseconds());
    }
    check_option("flush.bytes", o.flush.bytes, flush_bytes());
    if (o.single_writer) check_option("single_writer", std::optional<std::uint32_t>(*o.single_writer), h.single_writer);
    check_option("file_mode", o.file_mode, h.file_mode);
  }

  template <class Asked, class Has>
  void check_option(const char* option, const std::optional<Asked>& asked, const Has& has) const {
    if (!asked || *asked == has) return;
    throw error(errc::conflicting_options, path(),
                std::string(option) + " is " + std::to_string(has) + " in the topic, but " + std::to_string(*asked) +
                    " was asked for");
  }

  std::shared_ptr<store_files> store_;
  std::string name_;
  os::mapping mapping_;
  bool writable_;
  topic_context context_;
  presence presence_;  // ends before the context's locks do
  std::mutex mutex_;   // over the taking over of partitions
  std::atomic<std::uint32_t> count_{0};
  std::vector<std::unique_ptr<storage::partition>> partitions_;  // the first count_ are there
};

}  // namespace leat::storage
