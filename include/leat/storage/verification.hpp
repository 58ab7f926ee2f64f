// Verification: reads everything of a partition that can be read, and says what is wrong with it.
//
// Slots must describe records within the data area, their sizes must fit, no two records may overlap, the segments must
// follow one another without a gap. Records that are appended meanwhile do no harm; of a topic that is deleted meanwhile
// nothing is said.
#pragma once

#include <leat/format/record.hpp>
#include <leat/storage/durability.hpp>
#include <leat/storage/partition.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leat::storage {

namespace verification_detail {

/// Why the parts of a full record do not fit in it; empty: they do.
inline std::string defect_of_full(const std::byte* record, std::uint64_t bytes) {
  const auto& stored = *reinterpret_cast<const format::full_prefix*>(record);
  const std::int32_t value = sync::read_once(stored.value_bytes);
  const std::int32_t key = sync::read_once(stored.key_bytes);
  const std::uint32_t headers = sync::read_once(stored.headers_bytes);
  if (value < format::null_size || key < format::null_size) return "a negative size";
  const auto value_bytes = static_cast<std::uint64_t>(std::max(value, 0));
  const auto key_bytes = static_cast<std::uint64_t>(std::max(key, 0));
  if (format::full_size(value_bytes, key_bytes, headers) > bytes) return "parts that are larger than the record";
  const std::byte* at = record + format::record_layout::key_at(value_bytes) + key_bytes;
  for (std::uint64_t rest = headers; rest != 0;) {
    if (rest < format::header_prefix) return "a header that is cut off";
    std::int32_t sizes[2];
    std::memcpy(sizes, at, sizeof sizes);
    const std::uint64_t name = static_cast<std::uint32_t>(sizes[0]);
    const std::uint64_t content = sizes[1] == format::null_size ? 0 : static_cast<std::uint32_t>(sizes[1]);
    if (format::header_prefix + name + content > rest) return "a header that is larger than the headers";
    at += format::header_prefix + name + content;
    rest -= format::header_prefix + name + content;
  }
  return {};
}

inline void verify_records(const partition& p, const segment& s, std::uint64_t base, std::uint64_t count,
                           const std::string& path, std::vector<finding>& findings) {
  const format::segment_geometry& g = s.geometry();
  std::vector<std::pair<std::uint64_t, std::uint64_t>> places;  // begin and end of each record
  places.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const format::slot_word word = s.slots().observe(i);
    std::string what = "offset " + std::to_string(base + i);
    if (!format::is_sound(word, g.data_begin(), g.segment_bytes)) {
      findings.push_back({path, what += ": the slot does not describe a record within the segment", errc::corrupt});
      continue;
    }
    const std::uint64_t begin = format::slot_position(word);
    const std::uint64_t extent = format::slot_extent(word);
    const bool compact = format::is_kind(word, format::record_kind::compact);
    const std::uint64_t bytes = compact ? format::compact_size(extent) : extent * format::record_alignment;
    if (compact && p.topic().is_durable()) {
      findings.push_back({path, what + ": a record without a checksum in a durable topic", errc::corrupt});
    }
    if (!compact) {
      const std::string defect = defect_of_full(s.bytes() + begin, bytes);
      if (p.topic().is_durable() && !has_its_checksum(p, s, word)) {
        findings.push_back({path, what + ": the record's checksum does not match", errc::corrupt});
      }
      if (!defect.empty()) findings.push_back({path, what += ": the record has " + defect, errc::corrupt});
    }
    places.emplace_back(begin, begin + bytes);
  }
  std::sort(places.begin(), places.end());
  for (std::size_t i = 1; i < places.size(); ++i) {
    if (places[i].first < places[i - 1].second) {
      findings.push_back({path, "two records overlap at byte " + std::to_string(places[i].first), errc::corrupt});
    }
  }
}

/// Slots that hold something behind the first that holds no record, slot `count`.
inline void find_taken_behind(const sync::slot_array& slots, std::uint64_t count, bool ended, const std::string& path,
                              std::vector<finding>& findings) {
  for (std::uint64_t i = count + 1; i < slots.size(); ++i) {
    if (slots.observe(i) == format::slot_free) continue;
    if (!ended && slots.observe(count) != format::slot_free) return;  // records have come meanwhile
    findings.push_back({path,
                        "slot " + std::to_string(i) + " is taken behind " +
                            (ended ? "the end" : "slot " + std::to_string(count) + ", which is free"),
                        errc::corrupt});
    return;
  }
}

}  // namespace verification_detail

inline void verify(partition& p, std::vector<finding>& all) {
  const os::directory& directory = *p.topic().directory;
  partition::extent extent{};
  try {
    extent = p.segments();
  } catch (const error& e) {
    all.push_back({e.path(), e.reason(), errc::corrupt});
    return;
  }
  std::vector<finding> findings;
  std::optional<std::uint64_t> expected_base;
  std::uint64_t next = extent.start;
  const auto look_for_gap = [&](std::uint64_t before) {
    if (next < before) expected_base.reset();
    const std::uint64_t first = std::max(next, p.start_sequence().observe());  // the others are gone meanwhile
    next = before + 1;
    if (first >= before) return;
    findings.push_back({directory.path(p.name(first)), partition::gap(first, before), errc::corrupt});
  };
  for (const std::uint64_t sequence : p.named_segments(extent.start, extent.begun)) {
    look_for_gap(sequence);
    const std::string path = directory.path(p.name(sequence));
    pinned_segment s;
    try {
      if (p.open(sequence, os::access::read_only, s) != partition::opened::pinned) {  // gone meanwhile
        next = sequence;
        continue;
      }
    } catch (const error& e) {
      findings.push_back({path, e.reason(), static_cast<errc>(e.code().value())});
      expected_base.reset();
      continue;
    }
    const std::uint64_t base = s->base_offset().observe();
    if (!s->has_base()) {
      findings.push_back({path, "a segment that has begun has no base offset, or a damaged one", errc::corrupt});
      expected_base.reset();
      continue;
    }
    if (expected_base && base != *expected_base) {
      findings.push_back({path,
                          "begins at offset " + std::to_string(base) + ", expected " + std::to_string(*expected_base),
                          errc::corrupt});
    }
    const bool is_followed = sequence + 1 < p.begun().observe();  // before the slots: it was ended first
    // Not first_without_record(), which searches for the end of what it takes for a prefix.
    const sync::slot_array slots = s->slots();
    std::uint64_t count = 0;
    while (count < slots.size() && slots.observe(count) != format::slot_free &&
           slots.observe(count) != format::slot_sealed) {
      ++count;
    }
    const bool ended = slots.ends_at(count);
    if (!ended && is_followed) {
      findings.push_back({path,
                          "has a free slot at offset " + std::to_string(base + count) + ", but a segment follows it",
                          errc::corrupt});
    } else {
      verification_detail::find_taken_behind(slots, count, ended, path, findings);
    }
    verification_detail::verify_records(p, *s, base, count, path, findings);
    expected_base = base + count;
  }
  look_for_gap(extent.begun);
  if (!p.topic().closed.is_set()) std::move(findings.begin(), findings.end(), std::back_inserter(all));
}

}  // namespace leat::storage
