#include <leat/sync/slot_array.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <vector>

namespace unit_sync_slot_array {

using leat::format::slot_free;
using leat::format::slot_sealed;
using leat::sync::slot_array;

constexpr std::uint64_t record = leat::format::make_slot(leat::format::record_kind::compact, 4096, 1);

/// `records` records, then perhaps a seal, then free slots.
std::vector<std::uint64_t> words(std::uint64_t size, std::uint64_t records, bool sealed) {
  std::vector<std::uint64_t> all(size, slot_free);
  for (std::uint64_t i = 0; i < records; ++i) all[i] = record;
  if (sealed && records < size) all[records] = slot_sealed;
  return all;
}

TEST_CASE("a free slot takes a record and keeps it") {
  std::vector<std::uint64_t> all(4);
  const slot_array slots(all.data(), all.size());
  CHECK(slots.size() == 4);
  CHECK(slots.observe(0) == slot_free);
  CHECK(slots.try_publish(0, record) == slot_free);
  CHECK(slots.observe(0) == record);
  CHECK(slots.try_publish(0, record + 1) == record);
  CHECK(slots.observe(0) == record);
  CHECK(all == std::vector<std::uint64_t>{record, 0, 0, 0});
}

TEST_CASE("what the only producer publishes is a record as any other") {
  std::vector<std::uint64_t> all(2);
  const slot_array slots(all.data(), all.size());
  slots.publish_alone(0, record);
  CHECK(slots.observe(0) == record);
  CHECK(slots.try_publish(0, record + 1) == record);
  CHECK(slots.first_without_record(0) == 1);
  CHECK(slots.try_seal(1) == slot_free);
  CHECK(all == std::vector<std::uint64_t>{record, slot_sealed});
}

TEST_CASE("a seal keeps records out and a record keeps the seal out") {
  std::vector<std::uint64_t> all(2);
  const slot_array slots(all.data(), all.size());
  CHECK(slots.try_publish(0, record) == slot_free);
  CHECK(slots.try_seal(0) == record);
  CHECK(slots.try_seal(1) == slot_free);
  CHECK(slots.try_seal(1) == slot_sealed);
  CHECK(slots.try_publish(1, record) == slot_sealed);
  CHECK(all == std::vector<std::uint64_t>{record, slot_sealed});
}

TEST_CASE("the first slot without a record is found from wherever the search begins") {
  for (const std::uint64_t size : {0u, 1u, 2u, 3u, 7u, 8u, 9u, 31u, 64u, 100u}) {
    for (std::uint64_t records = 0; records <= size; ++records) {
      for (const bool sealed : {false, true}) {
        const auto all = words(size, records, sealed);
        const slot_array slots(all.data(), all.size());
        for (std::uint64_t from = 0; from <= records; ++from) {
          CAPTURE(size, records, sealed, from);
          REQUIRE(slots.first_without_record(from) == records);
        }
      }
    }
  }
}

TEST_CASE("an array ends at its seal or at its last slot and nowhere else") {
  for (const std::uint64_t size : {1u, 2u, 8u, 13u}) {
    for (std::uint64_t records = 0; records <= size; ++records) {
      CAPTURE(size, records);
      const auto open = words(size, records, false);
      CHECK(slot_array(open.data(), size).ends_at(records) == (records == size));
      const auto sealed = words(size, records, true);
      CHECK(slot_array(sealed.data(), size).ends_at(records));
    }
  }
}

TEST_CASE("an array without slots is at its end") {
  const slot_array none;
  CHECK(none.size() == 0);
  CHECK(none.first_without_record(0) == 0);
  CHECK(none.ends_at(0));
}

TEST_CASE("clearing frees the slots of its range alone") {
  auto all = words(6, 5, true);
  const slot_array slots(all.data(), all.size());
  slots.clear(4, 6);
  CHECK(all == words(6, 4, false));
  slots.clear(0, 2);
  CHECK(all == std::vector<std::uint64_t>{0, 0, record, record, 0, 0});
  slots.clear(3, 3);
  CHECK(all == std::vector<std::uint64_t>{0, 0, record, record, 0, 0});
}

}  // namespace unit_sync_slot_array
