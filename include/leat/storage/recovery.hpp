// Recovery: what becomes of a topic's files after the machine has died.
//
// After a power failure the device has each page of a file as it was at some moment since it was last flushed, each name as
// it was or was to be. Below the mark `durable` everything is there. Beyond it the records are checked one by one, and the
// partition is cut at the first that is not whole: what follows was never acknowledged as durable. The segment that was cut
// ends there: what lies in it cannot be taken for a record that is written later, should the power fail again. Whatever nobody in this
// boot can hold any more (owners, sleepers, half-made files) is cleared away.
//
// A topic without durability is only made fit for use: its segments must follow one another; whether the records in them are
// whole nobody can tell.
//
// Processes  the first who opens the topic for writing in a boot, with nobody else present (presence.hpp).
// Crash      a death leaves a topic that is recovered again from the beginning.
// Cost       the headers of the first and last segments, and the records beyond the mark; the others are not read.
#pragma once

#include <leat/os/boot.hpp>
#include <leat/os/clock.hpp>
#include <leat/storage/durability.hpp>
#include <leat/storage/group_offsets.hpp>
#include <leat/storage/partition.hpp>
#include <leat/storage/presence.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace leat::storage {

class partition_recovery {
 public:
  explicit partition_recovery(partition& p)
      : partition_(p), durable_(p.topic().is_durable()), mark_(durable_ ? p.durable().observe() : 0) {}

  /// The offset at which the partition ends from now on. Throws corrupt where what the mark covers is not there.
  std::uint64_t run() {
    list();
    const std::uint64_t first = partition_.start_sequence().observe();
    std::uint64_t last = 0;
    if (!find_marked(first, last)) {
      if (durable_ && (mark_ != 0 || first != 0)) {
        throw error(
            errc::corrupt, path(first),
            "the segment with the records up to offset " + std::to_string(mark_) + ", which were flushed, is missing");
      }
      remove_beyond(std::nullopt);
      settle({0, 0, 0, 0});
      return 0;
    }
    std::uint64_t end = 0;
    for (;; ++last) {
      const std::shared_ptr<const segment> here = sound(last);
      const std::uint64_t count = whole_records(*here);
      end = here->base_offset().observe() + count;
      const std::shared_ptr<const segment> next = sound(last + 1);
      if (next == nullptr || next->base_offset().observe() != end) {
        cut(*here, count, durable_);
        break;
      }
      cut(*here, count, true);
    }
    remove_beyond(last);
    std::uint64_t start = std::min(first, last);
    while (start < last && sound(start) == nullptr) ++start;
    const std::uint64_t base = sound(start)->base_offset().observe();
    if (base > end) {
      throw error(errc::corrupt, path(start),
                  "begins at offset " + std::to_string(base) + ", expected one up to the end of the log, " +
                      std::to_string(end));
    }
    const std::uint64_t start_offset = std::clamp(partition_.start_offset().observe(), base, end);
    settle({start, start_offset, last + 1, end});
    return end;
  }

 private:
  struct extent {
    std::uint64_t start;
    std::uint64_t start_offset;
    std::uint64_t begun;
    std::uint64_t end;
  };

  std::string path(std::uint64_t sequence) const {
    return partition_.topic().directory->path(partition_.name(sequence));
  }

  /// Names that are there; half-made files go.
  void list() {
    os::directory& directory = *partition_.topic().directory;
    for (const std::string& text : directory.list()) {
      const auto name = segment_name::parse(text);
      if (!name || name->partition != partition_.id()) continue;
      if (segment_name::is_temporary(text)) {
        directory.remove(text);
      } else {
        names_.push_back(name->sequence);
      }
    }
    std::sort(names_.begin(), names_.end());
  }

  /// Segment `sequence`, if its file is one that has begun.
  std::shared_ptr<const segment> sound(std::uint64_t sequence) {
    if (!std::binary_search(names_.begin(), names_.end(), sequence)) return nullptr;
    std::shared_ptr<const segment> s = partition_.map_if_segment(partition_.name(sequence));
    if (s == nullptr || !partition_.defect(*s, sequence).empty()) return nullptr;
    return s->has_base() ? s : nullptr;
  }

  /// Where the check begins: the segment with the last record below the mark; where there is none, the first.
  bool find_marked(std::uint64_t first, std::uint64_t& found) {
    auto begin = std::lower_bound(names_.begin(), names_.end(), first);
    // Without flushes the words may be newer than the names: then the log is what there is.
    if (!durable_ && begin == names_.end()) begin = names_.begin();
    const auto has_begun = [&](std::uint64_t s) { return sound(s) != nullptr; };
    if (mark_ == 0) {
      const auto lowest = std::find_if(begin, names_.end(), has_begun);
      if (lowest == names_.end()) return false;
      found = *lowest;
      return true;
    }
    for (auto s = names_.end(); s != begin;) {
      const auto candidate = sound(*--s);
      if (candidate == nullptr || candidate->base_offset().observe() >= mark_) continue;
      found = *s;
      return true;
    }
    return false;
  }

  /// How many records from the first on are there.
  std::uint64_t whole_records(const segment& s) const {
    const sync::slot_array slots = s.slots();
    if (!durable_) return slots.first_without_record(0);
    const std::uint64_t base = s.base_offset().observe();
    std::uint64_t count = std::min(mark_ > base ? mark_ - base : 0, slots.size());
    if (const std::uint64_t there = slots.first_without_record(0); there < count) {
      throw error(errc::corrupt, path(s.header().identity.sequence),
                  "the records up to offset " + std::to_string(mark_) + " were flushed, but offset " +
                      std::to_string(base + there) + " has none");
    }
    while (count < slots.size() && is_whole(s, slots.observe(count))) ++count;
    return count;
  }

  bool is_whole(const segment& s, format::slot_word word) const {
    return format::is_sound(word, s.geometry().data_begin(), s.geometry().segment_bytes) &&
           format::is_kind(word, format::record_kind::full) && has_its_checksum(partition_, s, word);
  }

  /// Behind `count` records nothing is left but the seal, where it is to be there or was.
  void cut(const segment& s, std::uint64_t count, bool to_be_sealed) {
    const sync::slot_array slots = s.slots();
    if (!durable_ && to_be_sealed && slots.ends_at(count)) return;
    const bool sealed = count < slots.size() && (to_be_sealed || slots.observe(count) == format::slot_sealed);
    if (sealed && slots.observe(count) != format::slot_sealed) {
      slots.clear(count, count + 1);
      slots.try_seal(count);
    }
    for (std::uint64_t i = count + (sealed ? 1 : 0); i < slots.size(); ++i) {
      if (slots.observe(i) != format::slot_free) slots.clear(i, i + 1);
    }
    s.header().largest_timestamp = format::unset;
    std::uint64_t tail = s.geometry().data_begin();
    for (std::uint64_t i = 0; i < count; ++i) {
      const format::slot_word word = slots.observe(i);
      if (!format::is_sound(word, tail, s.geometry().segment_bytes)) continue;  // or it lies below
      tail = std::max(tail, format::slot_position(word) + format::record_bytes(word));
    }
    s.header().data_tail = sealed || count == slots.size() ? s.geometry().segment_bytes : tail;
    if (durable_) s.flush(path(s.header().identity.sequence));
  }

  void remove_beyond(std::optional<std::uint64_t> last) {
    for (const std::uint64_t sequence : names_) {
      if (last && sequence <= *last) continue;
      const std::string name = partition_.name(sequence);
      if (const auto s = partition_.map_if_segment(name)) s->abandoned().set();
      partition_.topic().directory->remove(name);
    }
  }

  void settle(const extent& e) const {
    const format::partition_words& w = partition_.words();
    const auto set = [](const std::uint64_t& word, std::uint64_t value) { sync::setting(word).set(value); };
    set(w.reclaimed, std::min(e.start, partition_.reclaimed().observe()));
    set(w.deleted, std::min(e.end, partition_.deleted().observe()));
    set(w.start_offset, e.start_offset);
    set(w.start_sequence, e.start);
    set(w.begun, e.begun);
    set(w.recovered_end, e.end);
    const sync::alarm alarm = partition_.flush_alarm();
    alarm.lower(alarm.raise().value);
    if (!durable_) return;
    partition_.topic().directory->sync();
    set(w.durable, e.end);
  }

  partition& partition_;
  const bool durable_;
  const std::uint64_t mark_;
  std::vector<std::uint64_t> names_;
};

/// Recovers the topic if nobody has had it open since the machine died. What it gives is to be kept as long as it is open.
template <class Partitions>
presence recover_if_dead(topic_context& topic, const Partitions& partitions) {
  if (topic.directory->is_volatile()) return {};  // it would be gone
  const std::string path = topic.directory->path("topic");
  if (topic.is_durable() && os::current_boot() == os::unknown_boot) {
    throw error(errc::unsupported, path,
                "a durable topic needs /proc/sys/kernel/random/boot_id, to see that the machine was started anew");
  }
  const auto is_current = [&] { return topic.words.boot == os::current_boot(); };
  if (!topic.writable && !is_current()) {
    if (!topic.is_durable() || topic.pins.is_pinned_by_another(presence_byte)) return {};
    throw error(errc::permission_denied, path,
                "the machine was started anew, and somebody who may write to the topic must open it first");
  }
  return presence::enter(topic.pins, path, is_current, [&] {
    std::vector<std::uint64_t> ends;
    for (const auto& p : partitions) {
      if (p == nullptr) break;
      ends.push_back(partition_recovery(*p).run());
    }
    remove_dead_temporaries(*topic.directory);
    for (const std::string& name : topic.directory->list()) {
      if (!name.starts_with(group_offsets::name_prefix)) continue;
      group_offsets::recover(topic.directory, topic.header, name.substr(group_offsets::name_prefix.size()), ends);
    }
    auto& words = const_cast<format::topic_header&>(topic.words);
    words.recovered = os::realtime();
    if (topic.is_durable()) topic.flush_words();
    words.boot = os::current_boot();
    if (topic.is_durable()) topic.flush_words();
  });
}

}  // namespace leat::storage
