// The offsets file of a group in a topic, opened: owners and committed offsets of the partitions.
//
// Metadata of a commit is a file of its own, `meta-<id>-<partition>-<committed word>`: complete before the word that leads
// to it is there, removed behind the word that no longer does.
//
// Threads    any number at once.
// Processes  any number. Who may take a partition over is decided above (group/); here it is only done whole.
// Crash      a death in the middle of taking over leaves an owner that is no member, which the next replaces; one in the
//            middle of a commit with metadata leaves a file, which remove_stale_metadata() takes.
// Cost       a commit without metadata: one compare-exchange, no system call. With it: some 40 us of files.
#pragma once

#include <leat/format/offsets_file.hpp>
#include <leat/format/topic_file.hpp>
#include <leat/options.hpp>
#include <leat/os/clock.hpp>
#include <leat/os/directory.hpp>
#include <leat/os/mapping.hpp>
#include <leat/os/random.hpp>
#include <leat/storage/leftovers.hpp>
#include <leat/storage/write_back.hpp>
#include <leat/sync/ownership.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace leat {

/// What a group has committed of a partition: the next offset to read, and what the committer said to it.
struct committed_offset {
  std::uint64_t offset = 0;
  std::string metadata;

  bool operator==(const committed_offset&) const = default;
};

}  // namespace leat

namespace leat::storage {

class group_offsets {
 public:
  static constexpr std::string_view name_prefix = "group-";
  static constexpr std::string_view metadata_prefix = "meta-";
  static constexpr std::size_t max_metadata_bytes = 4096;  // Kafka's offset.metadata.max.bytes

  static std::string file_name(const std::string& group) { return std::string(name_prefix) + group; }

  /// Null when the group has none in this topic. Throws for a file that is not what it should be.
  static std::shared_ptr<group_offsets> open(std::shared_ptr<os::directory> directory,
                                             const format::topic_header& topic, const std::string& group) {
    const auto [file, mode] = os::open_as_permitted(*directory, file_name(group));
    if (!file) return nullptr;
    return std::make_shared<group_offsets>(std::move(directory), topic, group, *file, mode);
  }

  /// Opens it, or makes it for `partitions`.
  static std::shared_ptr<group_offsets> open_or_create(const std::shared_ptr<os::directory>& directory,
                                                       const format::topic_header& topic, const std::string& group,
                                                       std::uint32_t partitions) {
    for (;;) {
      if (auto opened = open(directory, topic, group)) return opened;
      make(*directory, topic, group, partitions);
    }
  }

  group_offsets(std::shared_ptr<os::directory> directory, const format::topic_header& topic, std::string group,
                const os::file& file, os::access mode)
      : directory_(std::move(directory)),
        group_(std::move(group)),
        mapping_(file, format::page_bytes, mode, format::offsets_file_bytes(format::max_partitions)),
        writable_(mode == os::access::read_write),
        file_mode_(topic.file_mode),
        durability_(static_cast<leat::durability>(topic.durability)) {
    const format::offsets_header h = format::fixed_fields(header());
    const auto fail = [&](errc code, const std::string& reason) { throw error(code, file.path(), reason); };
    if (h.magic != format::offsets_magic) fail(errc::foreign, "no offsets file");
    if (h.version != format::version) {
      fail(errc::wrong_version,
           "format version " + std::to_string(h.version) + ", expected " + std::to_string(format::version));
    }
    if (h.checksum != format::header_checksum(h)) fail(errc::corrupt, "the header's checksum does not match");
    if (h.topic != topic.id) fail(errc::corrupt, "belongs to another topic");
    if (h.group[format::group_name_bytes - 1] != 0 || h.group != group_)
      fail(errc::corrupt, "belongs to another group");
    id_ = h.id;
    measure(file);
  }

  /// After the machine has died: nobody owns anything, nothing that is committed lies beyond `ends`, and what is not whole is
  /// gone. Nobody else has the file open.
  static void recover(const std::shared_ptr<os::directory>& directory, const format::topic_header& topic,
                      const std::string& group, std::span<const std::uint64_t> ends) {
    try {
      const auto offsets = open(directory, topic, group);
      if (offsets == nullptr) return;
      for (std::uint32_t p = 0; p < offsets->capacity(); ++p) {
        offsets->recover(p, p < ends.size() ? ends[p] : 0);
      }
      if (topic.durability != 0) offsets->flush();
      (void)offsets->remove_stale_metadata();  // of commits beyond the end, and of a recovery that was killed
    } catch (const error& e) {
      if (e.code() != errc::foreign && e.code() != errc::corrupt && e.code() != errc::truncated) throw;
      directory->remove(file_name(group));  // cut off in the making: nothing was committed in it
    }
  }

  /// What was committed here is on the device as the topic's durability has it: when this returns, or when it is called the
  /// next time behind the interval, which is `flush_nanoseconds` now. Throws what the device says.
  void acknowledge(std::uint64_t flush_nanoseconds) const {
    if (durability_ == durability::none || !unflushed_.load(std::memory_order_acquire)) return;
    const std::int64_t now = os::monotonic_coarse();
    if (durability_ == durability::interval) {
      std::int64_t last = last_flush_.load(std::memory_order_relaxed);
      if (static_cast<std::uint64_t>(now - last) < flush_nanoseconds) return;
      if (!last_flush_.compare_exchange_strong(last, now, std::memory_order_relaxed)) return;  // another thread does it
    }
    flush();
  }

  void flush() const {
    unflushed_.store(false, std::memory_order_release);  // before: what is committed meanwhile sets it again
    bool names = false;
    try {
      to_device_.flush(
          mapping_, [&] { return format::offsets_file_bytes(capacity()); }, directory_->path(file_name(group_)));
      names = names_changed_.exchange(false, std::memory_order_acq_rel);
      if (names) directory_->sync();
    } catch (const error&) {
      unflushed_.store(true, std::memory_order_release);
      if (names) names_changed_.store(true, std::memory_order_release);
      throw;
    }
  }

  const std::string& group() const noexcept { return group_; }
  bool writable() const noexcept { return writable_; }

  /// Partitions that have words. A topic that got more has room here after reserve().
  std::uint32_t capacity() const noexcept { return capacity_.load(std::memory_order_acquire); }

  /// False when this file is not the group's any more: open it again.
  bool reserve(std::uint32_t partitions) {
    if (partitions <= capacity()) return true;
    auto file = directory_->open(file_name(group_), os::access::read_write);
    if (!file || !is_this(*file)) return false;
    const std::uint64_t before = file->status().bytes;
    file->reserve(format::offsets_file_bytes(partitions));
    if (is_durable()) file->sync();
    if (file->status().bytes < before) throw error(errc::corrupt, file->path(), "the file shrank");
    measure(*file);
    return true;
  }

  format::owner_value owner(std::uint32_t partition) const noexcept { return owner_of(partition).observe(); }

  /// T1 and T2: from nobody, or from a member that is none any more, which `seen` was when it was looked at. The epoch of the
  /// new tenure; empty when another was faster, or the file is going away (is_kept).
  std::optional<std::uint32_t> take(std::uint32_t partition, format::owner_value seen, std::uint32_t member) const {
    if (!is_kept()) return std::nullopt;  // one who tries again and again does not use up epochs
    const format::owner_value mine{seen.epoch + 1, member};
    if (!owner_of(partition).pass(seen, mine)) return std::nullopt;
    if (!begin_epoch(partition, mine)) return std::nullopt;
    // What the last owner committed it may not have flushed; a commit here that finds it done is to hold all the same.
    if (is_durable()) unflushed_.store(true, std::memory_order_release);
    if (!is_kept()) return std::nullopt;
    return mine.epoch;
  }

  /// False when it was not this member's any more.
  bool release(std::uint32_t partition, std::uint32_t epoch, std::uint32_t member) const noexcept {
    return owner_of(partition).pass({epoch, member}, {epoch, 0});
  }

  /// C1. fenced: the tenure `mine` has ended. too_large: the metadata. invalid_argument: an offset of more than 52 bits.
  errc commit(std::uint32_t partition, format::owner_value mine, std::uint64_t offset,
              std::string_view metadata = {}) const {
    if (owner(partition) != mine) return errc::fenced;
    return replace(partition, mine.epoch, offset, metadata);
  }

  /// The same for one who is no member, where the owner that was looked at, `seen`, is nobody or is no member any more: a
  /// tenure that is left is ended first, so that it cannot undo this commit. fenced: a member has taken the partition, or
  /// another such commit was faster: look again. closed: the file is going away (is_kept); what was committed may be gone with it.
  errc commit_unowned(std::uint32_t partition, format::owner_value seen, std::uint64_t offset,
                      std::string_view metadata = {}) const {
    if (!is_kept()) return errc::closed;  // one who tries again and again does not use up epochs
    const bool is_begun = committed_of(partition).observe().epoch == (seen.epoch & format::commit_value::epoch_mask);
    errc failure = errc::fenced;
    if (seen.member != 0 || !is_begun || !metadata.empty()) {
      failure = commit_apart(partition, seen, offset, metadata);
    } else if (owner(partition) == seen) {
      failure = replace(partition, seen.epoch, offset, metadata);
    }
    return failure != errc::ok || is_kept() ? failure : errc::closed;
  }

  /// Empty when nothing is committed.
  std::optional<committed_offset> committed(std::uint32_t partition) const {
    if (partition >= capacity()) return std::nullopt;
    for (;;) {
      const format::commit_value c = committed_of(partition).observe();
      if (c.offset == format::commit_value::none) return std::nullopt;
      if (!c.has_metadata) return committed_offset{c.offset, {}};
      if (auto text = text_of(partition, c)) return committed_offset{c.offset, std::move(*text)};
    }
  }
  /// Without the metadata: no system call.
  std::optional<std::uint64_t> committed_position(std::uint32_t partition) const noexcept {
    if (partition >= capacity()) return std::nullopt;
    const std::uint64_t offset = committed_of(partition).observe().offset;
    return offset == format::commit_value::none ? std::nullopt : std::optional(offset);
  }

  /// Where the group began to read, for as long as nothing is committed. Empty: it has not.
  std::optional<std::uint64_t> begun(std::uint32_t partition) const noexcept {
    const std::uint64_t offset = begun_of(partition).observe().offset;
    return offset == format::commit_value::none ? std::nullopt : std::optional(offset);
  }
  /// Where the group has not begun, it begins at `offset`, while `is_due()`: for nobody in particular. As with clear(), one who is
  /// stopped and is not due any more changes nothing.
  template <class IsDue>
  void begin_for_all(std::uint32_t partition, std::uint64_t offset, IsDue is_due) const {
    format::commit_value seen = begun_of(partition).observe();
    if (seen.offset == format::commit_value::none && is_due())
      begun_of(partition).replace(seen, {seen.epoch, false, offset});
  }
  /// Begins where the group began; where it has not, it begins at `offset`, if that is given. The mark is that of the tenure
  /// `mine` from now on: a former owner cannot take it away any more. Where that tenure is over nothing is marked, since the group
  /// may be deleted, and the next group of its name would begin there.
  std::optional<std::uint64_t> begin(std::uint32_t partition, format::owner_value mine,
                                     std::optional<std::uint64_t> offset) const noexcept {
    const sync::commit_word word = begun_of(partition);
    format::commit_value seen = word.observe();
    for (;;) {
      const std::optional<std::uint64_t> from = seen.offset == format::commit_value::none ? offset : seen.offset;
      // Between the look and the exchange, as in T2: Y2 ends the tenure first, and then begins another epoch in this word.
      if (!from || owner(partition) != mine) return from;
      if (word.replace(seen, {mine.epoch & format::commit_value::epoch_mask, false, *from})) return from;
    }
  }
  /// The group ends here in good order, and the tenure `epoch` is the last: whoever comes next begins anew.
  void end(std::uint32_t partition, std::uint32_t epoch) const noexcept {
    format::commit_value seen = begun_of(partition).observe();
    if (seen.epoch == (epoch & format::commit_value::epoch_mask))
      begun_of(partition).replace(seen, {seen.epoch, false, format::commit_value::none});
  }

  /// What the group may still want to read begins here; empty when it has not begun.
  std::optional<std::uint64_t> hold(std::uint32_t partition) const noexcept {
    if (const auto offset = committed_position(partition)) return offset;
    return partition < capacity() ? begun(partition) : std::nullopt;
  }

  /// What retention keeps for the group begins here; empty: nothing. A partition that was added, and of which nobody has had
  /// anything since, is kept from its beginning, where the group has a place in the topic: its members are to share it out yet.
  std::optional<std::uint64_t> keeps_from(std::uint32_t partition) const noexcept {
    if (const auto offset = hold(partition)) return offset;
    const std::uint64_t known = shared_out().observe();
    const bool is_untouched = partition >= capacity() || owner(partition) == format::owner_value{};
    if (known == 0 || partition < known || !is_untouched) return std::nullopt;
    for (std::uint32_t p = 0; p < std::min<std::uint64_t>(known, capacity()); ++p) {
      if (hold(p)) return 0;
    }
    return std::nullopt;
  }
  /// The group's members have shared out this many partitions, and those whom they were given to have had them.
  sync::watermark shared_out() const noexcept { return sync::watermark(header().shared_out); }

  /// Removes the metadata files that no committed word leads to, nor will. How many there were.
  std::size_t remove_stale_metadata() const {
    std::size_t removed = 0;
    const std::string prefix = metadata_prefix_of();
    for (const std::string& name : directory_->list()) {
      if (!name.starts_with(prefix) || name.size() != prefix.size() + 21) continue;
      const auto partition = static_cast<std::uint32_t>(std::strtoul(name.c_str() + prefix.size(), nullptr, 10));
      const auto word = format::commit_value::of(std::strtoull(name.c_str() + prefix.size() + 5, nullptr, 16));
      if (partition >= capacity() || name != metadata_name(partition, word)) continue;
      // Perhaps in the making: of the tenure that may commit, or of one behind it up to the owner's.
      const std::uint32_t first = committed_of(partition).observe().epoch;
      const auto behind = [&](std::uint32_t epoch) { return (epoch - first) & format::commit_value::epoch_mask; };
      if (behind(word.epoch) <= behind(owner(partition).epoch)) continue;
      removed += directory_->remove(name) ? 1 : 0;
    }
    return removed;
  }

  /// Removes the metadata of files that are gone. How many there were.
  static std::size_t remove_lost_metadata(os::directory& directory) {
    std::vector<std::string> found;
    for (std::string& name : directory.list()) {
      if (name.starts_with(metadata_prefix)) found.push_back(std::move(name));
    }
    if (found.empty()) return 0;
    std::set<std::string> prefixes;  // of the files that there are, which are looked for behind their metadata
    for (const std::string& name : directory.list()) {
      if (!name.starts_with(name_prefix)) continue;
      const auto file = directory.open(name, os::access::read_only);
      if (const auto id = file ? id_in(*file) : std::nullopt) prefixes.insert(metadata_prefix_of(*id));
    }
    std::size_t removed = 0;
    for (const std::string& name : found) {
      const std::size_t id_end = name.find('-', metadata_prefix.size());
      if (id_end == name.npos || prefixes.contains(name.substr(0, id_end + 1))) continue;
      removed += directory.remove(name) ? 1 : 0;
    }
    return removed;
  }

  /// Ends every tenure, and the group has committed nothing and begun nowhere in this topic; while `is_due()`.
  ///
  /// Each word is exchanged for what was seen in it before is_due() was asked. So one who was stopped, and is not due when it
  /// goes on, changes nothing: those who did the work meanwhile have begun another epoch everywhere.
  template <class IsDue>
  void clear(IsDue is_due) const {
    for (std::uint32_t p = 0; p < capacity();) {
      const format::owner_value tenure = owner(p);
      format::commit_value committed = committed_of(p).observe();
      format::commit_value begun = begun_of(p).observe();
      if (!is_due()) return;
      const format::owner_value nobody{tenure.epoch + 1, 0};
      if (!owner_of(p).pass(tenure, nobody)) continue;
      const format::commit_value nothing{nobody.epoch & format::commit_value::epoch_mask, false,
                                         format::commit_value::none};
      const format::commit_value before = committed;
      if (!committed_of(p).replace(committed, nothing)) continue;
      if (before.has_metadata) directory_->remove(metadata_name(p, before));
      if (!begun_of(p).replace(begun, nothing)) continue;
      ++p;
    }
    (void)remove_stale_metadata();
    if (is_durable()) flush();
  }

  /// Removes the file if nothing stands in it. False when something does, when another is at it, and when the group has
  /// another file by now.
  ///
  /// Whoever puts something into the file looks behind it whether somebody wants to take its name away (is_kept).
  bool remove_if_unused() {
    const auto file = try_own_name();
    if (!file) return false;
    removal().raise();
    measure(*file);  // behind it: who makes room for more partitions sees it, or is seen
    for (std::uint32_t p = 0; p < capacity(); ++p) {
      if (owner(p).member == 0 && committed_of(p).observe().offset == format::commit_value::none &&
          begun_of(p).observe().offset == format::commit_value::none) {
        continue;
      }
      removal().lower();
      return false;
    }
    const bool removed =
        directory_->remove(file_name(group_));  // first: no word of a file leads to metadata that is gone
    for (const std::string& name : directory_->list()) {
      if (name.starts_with(metadata_prefix_of())) directory_->remove(name);
    }
    if (is_durable()) directory_->sync();
    return removed;
  }

  /// Behind putting something into the file. False when the file has lost its name, or somebody is about to find out whether
  /// it can: open it again and do it again. Only one who is stopped in the middle of remove_if_unused() holds others up here.
  bool is_kept() const {
    if (!removal().is_raised()) [[likely]]
      return true;
    const auto file = try_own_name();  // until the word is lowered
    if (!file) return false;
    removal().lower();  // who raised it is dead, or has lowered it since
    return true;
  }

 private:
  /// The right to take the name away: a lock on the file, which goes with what is returned, or with its holder. Empty where
  /// another has it, and where the group has another file by now; while one has it, the name leads to this file.
  [[nodiscard]] std::optional<os::file> try_own_name() const {
    auto file = directory_->open(file_name(group_), os::access::read_write);
    if (!file || !file->try_own()) return std::nullopt;
    const auto named = directory_->open(file_name(group_), os::access::read_only);
    return named && is_this(*named) ? std::move(file) : std::nullopt;
  }
  bool is_this(const os::file& file) const { return id_in(file) == id_; }
  /// Empty where it can be none.
  static std::optional<format::unique_id> id_in(const os::file& file) {
    if (file.status().bytes < sizeof(format::offsets_header)) return std::nullopt;
    const os::mapping page(file, sizeof(format::offsets_header), os::access::read_only);
    return reinterpret_cast<const format::offsets_header*>(page.data())->id;
  }
  sync::removal_word removal() const noexcept { return sync::removal_word(header().removal); }

  bool is_durable() const noexcept { return durability_ != durability::none; }

  static void make(os::directory& directory, const format::topic_header& topic, const std::string& group,
                   std::uint32_t partitions) {
    remove_dead_temporaries(directory);  // of makers who were killed here before
    const std::string temporary = temporary_name(new_prefix);
    os::file file = directory.create(temporary, topic.file_mode);
    try {
      file.try_own();
      const std::uint64_t bytes = format::offsets_file_bytes(partitions);
      file.reserve(bytes);
      const os::mapping mapped(file, bytes, os::access::read_write);
      format::offsets_header header{};
      header.magic = format::offsets_magic;
      header.version = format::version;
      header.topic = topic.id;
      header.id = os::random_bits<format::unique_id>();
      group.copy(header.group, format::group_name_bytes - 1);
      header.checksum = format::header_checksum(header);
      std::memcpy(mapped.data(), &header, sizeof header);
      if (topic.durability != 0) file.sync();
      if (directory.rename(temporary, file_name(group)) == os::rename_result::exists) directory.remove(temporary);
    } catch (const error&) {
      directory.remove(temporary);
      throw;
    }
  }

  void recover(std::uint32_t partition, std::uint64_t end) const {
    const auto limited = [&](const sync::commit_word& word) {
      format::commit_value seen = word.observe();
      if (seen.offset == format::commit_value::none) return;
      const bool keeps_text = seen.offset <= end && seen.has_metadata && has_metadata_of(partition, seen);
      const format::commit_value next{seen.epoch, keeps_text, std::min(seen.offset, end)};
      if (next != seen) word.replace(seen, next);
    };
    limited(committed_of(partition));
    limited(begun_of(partition));
    format::owner_value seen = owner(partition);
    if (seen == format::owner_value{} && committed_of(partition).observe().epoch == 0) return;  // no member ever had it
    const format::owner_value nobody{seen.epoch + 1, 0};
    if (owner_of(partition).pass(seen, nobody)) begin_epoch(partition, nobody);
  }
  bool has_metadata_of(std::uint32_t partition, format::commit_value c) const {
    try {
      return read_metadata(partition, c).has_value();
    } catch (const error&) {
      return false;
    }
  }

  const format::offset_words& words(std::uint32_t partition) const noexcept {
    return reinterpret_cast<const format::offset_words*>(mapping_.data() + sizeof(format::offsets_header))[partition];
  }
  sync::owner_word owner_of(std::uint32_t p) const noexcept { return sync::owner_word(words(p).owner); }
  sync::commit_word begun_of(std::uint32_t p) const noexcept { return sync::commit_word(words(p).begun); }
  sync::commit_word committed_of(std::uint32_t p) const noexcept { return sync::commit_word(words(p).committed); }
  const format::offsets_header& header() const noexcept {
    return *reinterpret_cast<const format::offsets_header*>(mapping_.data());
  }

  void measure(const os::file& file) {
    const std::uint64_t bytes = std::min(file.status().bytes, format::offsets_file_bytes(format::max_partitions));
    const auto count =
        static_cast<std::uint32_t>((bytes - sizeof(format::offsets_header)) / sizeof(format::offset_words));
    capacity_.store(std::min(count, format::max_partitions), std::memory_order_release);
  }

  /// T2. False when `mine` has been replaced meanwhile.
  bool begin_epoch(std::uint32_t partition, format::owner_value mine) const {
    const sync::commit_word word = committed_of(partition);
    const std::uint32_t epoch = mine.epoch & format::commit_value::epoch_mask;
    format::commit_value seen = word.observe();
    while (seen.epoch != epoch) {
      if (owner(partition) != mine) return false;
      const format::commit_value next{epoch, seen.has_metadata, seen.offset};
      if (seen.has_metadata) {
        const auto text = text_of(partition, seen);
        if (!text) {
          seen = word.observe();
          continue;
        }
        write_metadata(partition, next, *text);
      }
      const format::commit_value before = seen;
      if (word.replace(seen, next)) {
        if (before.has_metadata) {
          directory_->remove(metadata_name(partition, before));
          tidy_metadata();
        }
        return owner(partition) == mine;
      }
      if (next.has_metadata) directory_->remove(metadata_name(partition, next));
    }
    return owner(partition) == mine;
  }

  static errc check(std::uint64_t offset, std::string_view metadata) noexcept {
    if (offset >= format::commit_value::none) return errc::invalid_argument;
    return metadata.size() > max_metadata_bytes ? errc::too_large : errc::ok;
  }

  /// A commit in a tenure of nobody that is this commit's alone. Others that are no members may commit at the same time, and the
  /// same offset: in a common tenure the word, and so the name of the metadata, could come back to what another is about to
  /// remove.
  errc commit_apart(std::uint32_t partition, format::owner_value seen, std::uint64_t offset,
                    std::string_view metadata) const {
    if (const errc wrong = check(offset, metadata); wrong != errc::ok) return wrong;
    const format::owner_value nobody{seen.epoch + 1, 0};
    const format::commit_value next{nobody.epoch & format::commit_value::epoch_mask, !metadata.empty(), offset};
    std::optional<os::file> text;
    std::string temporary;
    // Before the tenure begins: others that commit end it, and none of two would come to an end if it lasted.
    if (next.has_metadata) temporary = prepare_metadata(metadata, text);
    const bool is_mine = owner_of(partition).pass(seen, nobody);
    if (next.has_metadata && !is_mine) directory_->remove(temporary);
    if (!is_mine) return errc::fenced;
    if (next.has_metadata && !name_metadata(temporary, partition, next)) return errc::fenced;
    const sync::commit_word word = committed_of(partition);
    format::commit_value before = word.observe();
    do {
      if (owner(partition) == nobody) continue;
      if (next.has_metadata) directory_->remove(metadata_name(partition, next));
      return errc::fenced;
    } while (!word.replace(before, next));
    if (is_durable()) unflushed_.store(true, std::memory_order_release);
    if (before.has_metadata && before != next) directory_->remove(metadata_name(partition, before));
    if (next.has_metadata) tidy_metadata();
    return errc::ok;
  }

  errc replace(std::uint32_t partition, std::uint32_t full_epoch, std::uint64_t offset,
               std::string_view metadata) const {
    if (const errc wrong = check(offset, metadata); wrong != errc::ok) return wrong;
    const std::uint32_t epoch = full_epoch & format::commit_value::epoch_mask;
    const sync::commit_word word = committed_of(partition);
    const format::commit_value next{epoch, !metadata.empty(), offset};
    format::commit_value seen = word.observe();
    if (seen.epoch != epoch) return errc::fenced;
    if (next.has_metadata) write_metadata(partition, next, metadata);
    while (seen != next && !word.replace(seen, next)) {
      if (seen.epoch == epoch) continue;
      if (next.has_metadata) directory_->remove(metadata_name(partition, next));
      return errc::fenced;
    }
    if (is_durable()) [[unlikely]]
      unflushed_.store(true, std::memory_order_release);
    if (seen.has_metadata && seen != next) [[unlikely]]
      directory_->remove(metadata_name(partition, seen));
    if (next.has_metadata) [[unlikely]]
      tidy_metadata();
    return errc::ok;
  }

  static std::string metadata_prefix_of(const format::unique_id& id) {
    return std::string(metadata_prefix) + format::text_of(id) + "-";
  }
  std::string metadata_prefix_of() const { return metadata_prefix_of(id_); }
  std::string metadata_name(std::uint32_t partition, format::commit_value c) const {
    char tail[32];
    std::snprintf(tail, sizeof tail, "%04u-%016llx", partition, static_cast<unsigned long long>(c.word()));
    return metadata_prefix_of() + tail;
  }

  /// What the committed word `c` leads to; empty where another is committed by now. Throws corrupt where it leads to nothing, or
  /// closed, where that is so since the topic was deleted.
  std::optional<std::string> text_of(std::uint32_t partition, format::commit_value c) const {
    constexpr int looks = 100;  // between two of them the word may have been another, and come back
    for (int i = 0; i < looks; ++i) {
      if (auto text = read_metadata(partition, c)) return text;
      if (committed_of(partition).observe() != c) return std::nullopt;
    }
    if (is_topic_deleted()) throw error(errc::closed, directory_->path(""), "the topic was deleted");
    throw error(errc::corrupt, directory_->path(metadata_name(partition, c)), "the metadata of a commit is missing");
  }
  bool is_topic_deleted() const {
    const auto file = directory_->open("topic", os::access::read_only);
    if (!file) return true;
    if (file->status().bytes < format::page_bytes) return false;  // damaged
    const os::mapping page(*file, format::page_bytes, os::access::read_only);
    return sync::flag(reinterpret_cast<const format::topic_header*>(page.data())->closed).is_set();
  }

  std::optional<std::string> read_metadata(std::uint32_t partition, format::commit_value c) const {
    const auto file = directory_->open(metadata_name(partition, c), os::access::read_only);
    if (!file) return std::nullopt;
    const std::uint64_t bytes = file->status().bytes;
    if (bytes == 0 || bytes > max_metadata_bytes) {
      throw error(
          errc::corrupt, file->path(),
          "metadata of " + std::to_string(bytes) + " bytes, expected 1 to " + std::to_string(max_metadata_bytes));
    }
    const os::mapping mapped(*file, bytes, os::access::read_only);
    return std::string(reinterpret_cast<const char*>(mapped.data()), bytes);
  }

  void write_metadata(std::uint32_t partition, format::commit_value c, std::string_view text) const {
    for (;;) {
      std::optional<os::file> file;
      if (name_metadata(prepare_metadata(text, file), partition, c)) return;
    }
  }

  /// False when it was taken for a dead maker's before it was owned.
  bool name_metadata(const std::string& temporary, std::uint32_t partition, format::commit_value c) const {
    try {
      if (!directory_->replace(temporary, metadata_name(partition, c))) return false;
      names_changed_.store(true, std::memory_order_release);
      return true;
    } catch (const error&) {
      directory_->remove(temporary);
      throw;
    }
  }

  /// Behind a commit: what killed committers had left is of tenures that are over now.
  void tidy_metadata() const {
    if (!tidied_names_.exchange(true, std::memory_order_relaxed)) (void)remove_stale_metadata();
  }

  /// Writes it under a temporary name, which it gives. `owned`: for as long as it is not to be taken for a dead maker's.
  std::string prepare_metadata(std::string_view text, std::optional<os::file>& owned) const {
    if (!tidied_.exchange(true, std::memory_order_relaxed)) remove_dead_temporaries(*directory_);
    const std::string temporary = temporary_name(new_prefix);
    try {
      owned.emplace(directory_->create(temporary, file_mode_));
    } catch (const error&) {
      if (is_topic_deleted()) throw error(errc::closed, directory_->path(""), "the topic was deleted");
      throw;
    }
    os::file& file = *owned;
    try {
      file.try_own();
      file.reserve(text.size());
      std::memcpy(os::mapping(file, text.size(), os::access::read_write).data(), text.data(), text.size());
      if (is_durable()) file.sync();
    } catch (const error&) {
      directory_->remove(temporary);
      throw;
    }
    return temporary;
  }

  std::shared_ptr<os::directory> directory_;
  std::string group_;
  os::mapping mapping_;
  bool writable_;
  mode_t file_mode_;
  leat::durability durability_;
  format::unique_id id_{};
  write_back to_device_;
  mutable std::atomic<bool> tidied_{false};          // what killed committers had left is removed: else it is ever more
  mutable std::atomic<bool> tidied_names_{false};    // and what they had given a name
  mutable std::atomic<bool> unflushed_{false};       // something was committed since the last flush
  mutable std::atomic<std::int64_t> last_flush_{0};  // os::monotonic_coarse
  mutable std::atomic<bool> names_changed_{
      true};  // since the last flush; also whoever made the file may not have synced
  std::atomic<std::uint32_t> capacity_{0};
};

}  // namespace leat::storage
