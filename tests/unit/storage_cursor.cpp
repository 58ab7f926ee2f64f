#include <leat/storage/cursor.hpp>

#include "support/catch.hpp"
#include "support/partition_files.hpp"

#include <leat/storage/appender.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

namespace unit_storage_cursor {

using leat::errc;
using leat::storage::appender;
using leat::storage::cursor;
using leat::storage::end_offset;
using leat_tests::append;
using leat_tests::partition_files;

/// What one fetch gives: the values, or the error.
struct fetched {
  errc error = errc::ok;
  std::uint64_t first_offset = 0;
  std::vector<std::uint64_t> values;
};

fetched fetch(cursor& from, std::size_t most = 100) {
  std::vector<leat::format::slot_word> words(most);
  leat::storage::run run;
  fetched f;
  f.error = from.fetch(words, run);
  if (f.error != errc::ok) return f;
  f.first_offset = run.first_offset;
  for (const auto word : run.slots) {
    std::uint64_t value = 0;
    std::memcpy(&value, run.bytes + leat::format::slot_position(word) + 8, 8);
    f.values.push_back(value);
  }
  return f;
}

/// Appends 0, 1, 2, ... until so many segments have begun; gives their number.
std::uint64_t fill(const partition_files& files, std::uint64_t segments) {
  appender to(files.partition());
  std::uint64_t sent = end_offset(files.partition());
  while (files.partition().begun().observe() < segments) REQUIRE(append(to, sent++));
  return sent;
}

TEST_CASE("an empty partition is read from 0 alone and gives nothing yet") {
  const partition_files files;
  cursor c(files.partition());
  CHECK(fetch(c).values.empty());
  CHECK(fetch(c).error == errc::ok);
  CHECK_FALSE(c.ready());
  c.seek(1);
  CHECK(fetch(c).error == errc::out_of_range);
  CHECK(end_offset(files.partition()) == 0);
}

TEST_CASE("records are read from the first on as they come") {
  const partition_files files;
  cursor c(files.partition());
  appender to(files.partition());
  CHECK(fetch(c).values.empty());
  REQUIRE(append(to, 0));
  CHECK(c.ready());
  CHECK(fetch(c).values == std::vector<std::uint64_t>{0});
  CHECK_FALSE(c.ready());
  REQUIRE(append(to, 1));
  REQUIRE(append(to, 2));
  CHECK(c.ready());
  CHECK(fetch(c).values == std::vector<std::uint64_t>{1, 2});
  CHECK(c.position() == 3);
  CHECK(fetch(c).values.empty());
}

TEST_CASE("a fetch gives as many as were asked for at most") {
  const partition_files files;
  const std::uint64_t sent = fill(files, 1);
  REQUIRE(sent >= 1);
  appender to(files.partition());
  for (std::uint64_t i = sent; i < 10; ++i) REQUIRE(append(to, i));
  cursor c(files.partition());
  CHECK(fetch(c, 3).values == std::vector<std::uint64_t>{0, 1, 2});
  CHECK(fetch(c, 1).values == std::vector<std::uint64_t>{3});
  CHECK(fetch(c, 100).values.size() == 6);
}

TEST_CASE("every offset of many segments is found") {
  const partition_files files(100);
  const std::uint64_t sent = fill(files, 20);
  CHECK(end_offset(files.partition()) == sent);
  cursor c(files.other_partition());
  for (std::uint64_t offset = 0; offset < sent; offset += 37) {
    c.seek(offset);
    const fetched f = fetch(c, 1);
    REQUIRE(f.error == errc::ok);
    REQUIRE(f.first_offset == offset);
    REQUIRE(f.values == std::vector<std::uint64_t>{offset});
    c.release();
  }
  for (std::uint64_t segment = 0; segment < 20; ++segment) {  // and both sides of each border
    leat::storage::pinned_segment pinned;
    REQUIRE(files.partition().open(segment, leat::os::access::read_only, pinned) ==
            leat::storage::partition::opened::pinned);
    const std::uint64_t base = pinned->base_offset().observe();
    for (const std::uint64_t offset : {base, base + 1, base == 0 ? 0 : base - 1}) {
      c.seek(offset);
      if (offset < sent) REQUIRE(fetch(c, 1).values == std::vector<std::uint64_t>{offset});
    }
  }
  c.seek(sent);
  CHECK(fetch(c).error == errc::ok);
  CHECK(fetch(c).values.empty());
  c.seek(sent + 1);
  CHECK(fetch(c).error == errc::out_of_range);
  c.seek(~std::uint64_t{0});
  CHECK(fetch(c).error == errc::out_of_range);
}

TEST_CASE("all records of many segments are read in order over the borders") {
  const partition_files files(100);
  const std::uint64_t sent = fill(files, 10);
  cursor c(files.other_partition());
  std::uint64_t next = 0;
  while (next < sent) {
    const fetched f = fetch(c);
    REQUIRE(f.error == errc::ok);
    REQUIRE_FALSE(f.values.empty());
    REQUIRE(f.first_offset == next);
    for (const std::uint64_t value : f.values) REQUIRE(value == next++);
    c.release();
  }
}

TEST_CASE("segments without a record are passed over wherever the reading begins") {
  const partition_files files(leat::topic_options{.segment_bytes = 16384, .expected_record_bytes = 1});
  appender to(files.partition());
  const auto empty_segments = [&] {
    for (int i = 0; i < 5; ++i) REQUIRE(to.take(6000, 0, 8) != nullptr);
  };
  empty_segments();
  REQUIRE(append(to, 0));
  cursor follower(files.other_partition());
  CHECK(fetch(follower).values == std::vector<std::uint64_t>{0});
  empty_segments();
  CHECK(fetch(follower).values.empty());
  REQUIRE(append(to, 1));
  empty_segments();
  CHECK(fetch(follower).values == std::vector<std::uint64_t>{1});
  CHECK(fetch(follower).values.empty());
  CHECK(end_offset(files.partition()) == 2);
  for (const std::uint64_t offset : {0u, 1u}) {
    cursor c(files.other_partition());
    c.seek(offset);
    CHECK(fetch(c, 1).values == std::vector<std::uint64_t>{offset});
  }
  cursor end(files.other_partition());
  end.seek(2);
  CHECK(fetch(end).error == errc::ok);
  REQUIRE(append(to, 2));
  CHECK(fetch(end).values == std::vector<std::uint64_t>{2});
}

TEST_CASE("below the log start is out of range and so is beyond the end") {
  const partition_files files(2);
  const std::uint64_t sent = fill(files, 8);
  const std::uint64_t start = files.partition().start_offset().observe();
  REQUIRE(start > 1000);
  cursor c(files.other_partition());
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{1}, start - 1, sent + 1}) {
    CAPTURE(offset);
    c.seek(offset);
    CHECK(fetch(c).error == errc::out_of_range);
    CHECK(fetch(c).error == errc::out_of_range);
    CHECK(c.position() == offset);
  }
  c.seek(start);
  CHECK(fetch(c, 1).values == std::vector<std::uint64_t>{start});
}

TEST_CASE("a cursor follows the log while its segments are recycled") {
  const partition_files files(2);
  appender to(files.partition());
  cursor c(files.other_partition());
  std::uint64_t next = 0;
  for (std::uint64_t sent = 0; sent < 20000; ++sent) {
    REQUIRE(append(to, sent));
    if (sent % 50 != 49) continue;
    for (;;) {
      const fetched f = fetch(c);
      REQUIRE(f.error == errc::ok);
      if (f.values.empty()) break;
      for (const std::uint64_t value : f.values) REQUIRE(value == next++);
      c.release();
    }
    REQUIRE(next == sent + 1);
  }
  CHECK(files.partition().start_sequence().observe() > 20);
  CHECK(files.segments().size() <= 5);
}

TEST_CASE("a cursor reads its segment to the end though it is retired and then it is out of range") {
  const partition_files files(1);
  appender to(files.partition());
  std::uint64_t sent = 0;
  REQUIRE(append(to, sent++));
  cursor c(files.other_partition());
  CHECK(fetch(c, 1).values == std::vector<std::uint64_t>{0});
  while (files.partition().begun().observe() < 8) REQUIRE(append(to, sent++));
  REQUIRE(files.partition().start_offset().observe() > 600);
  std::uint64_t next = 1;
  fetched f;
  while ((f = fetch(c)).error == errc::ok) {
    REQUIRE_FALSE(f.values.empty());
    for (const std::uint64_t value : f.values) REQUIRE(value == next++);
  }
  CHECK(f.error == errc::out_of_range);
  CHECK(next > 300);
  CHECK(next < files.partition().start_offset().observe());
}

TEST_CASE("what was fetched stays as it is until it is released however far the log moves on") {
  const partition_files files(1);
  appender to(files.partition());
  std::uint64_t sent = 0;
  while (files.partition().begun().observe() < 2) REQUIRE(append(to, sent++));
  cursor c(files.other_partition());
  std::vector<leat::storage::run> runs;
  std::vector<std::vector<leat::format::slot_word>> words;
  std::uint64_t read = 0;
  while (read < sent) {  // from both segments
    words.emplace_back(100);
    leat::storage::run run;
    REQUIRE(c.fetch(words.back(), run) == errc::ok);
    read += run.slots.size();
    runs.push_back(run);
  }
  for (int i = 0; i < 10000; ++i) REQUIRE(append(to, 999'999'999));
  std::uint64_t next = 0;
  for (const auto& run : runs) {
    for (const auto word : run.slots) {
      std::uint64_t value = 0;
      std::memcpy(&value, run.bytes + leat::format::slot_position(word) + 8, 8);
      REQUIRE(value == next++);
    }
  }
  CHECK(next == sent);
  c.release();
}

TEST_CASE("a slot that describes no record within the segment is an error behind the records before it") {
  const auto after_damage = [](std::uint64_t word) {
    const partition_files files;
    appender to(files.partition());
    for (std::uint64_t i = 0; i < 10; ++i) REQUIRE(append(to, i));
    leat_tests::poke(files.segment_path(0), 4096 + 6 * 8, leat_tests::little_endian(word, 8));
    cursor c(files.other_partition());
    const fetched before = fetch(c);
    CHECK(before.error == errc::ok);
    CHECK(before.values == std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5});
    const fetched damaged = fetch(c);
    CHECK(fetch(c).error == damaged.error);
    CHECK(c.position() == 6);
    if (damaged.error == errc::corrupt) {
      CHECK_THAT(c.defect(), Catch::Matchers::ContainsSubstring("slot 6 (offset 6)"));
      CHECK(c.file_path() == files.segment_path(0));
    }
    return damaged.error;
  };
  using leat::format::make_slot;
  using leat::format::record_kind;
  const std::uint64_t data_begin = 4096 + 512 * 8;
  CHECK(after_damage(make_slot(record_kind::compact, data_begin - 8, 8)) == errc::corrupt);  // in the slots
  CHECK(after_damage(make_slot(record_kind::compact, 0, 8)) == errc::corrupt);               // in the header
  CHECK(after_damage(make_slot(record_kind::compact, 16384, 0)) == errc::corrupt);           // behind the end
  CHECK(after_damage(make_slot(record_kind::compact, 16376, 1)) == errc::corrupt);           // over the end
  CHECK(after_damage(make_slot(record_kind::compact, 8192, 0xffffff)) == errc::corrupt);     // far over the end
  CHECK(after_damage(make_slot(record_kind::compact, leat::format::max_position, 8)) == errc::corrupt);
  CHECK(after_damage(make_slot(record_kind::full, 16368, 3)) == errc::corrupt);           // over the end
  CHECK(after_damage(make_slot(record_kind::full, 8192, 2)) == errc::corrupt);            // less than its prefix
  CHECK(after_damage(make_slot(static_cast<record_kind>(3), 8192, 1)) == errc::corrupt);  // of no kind
  CHECK(after_damage(make_slot(static_cast<record_kind>(0), 8192, 1)) == errc::corrupt);
  CHECK(after_damage(leat::format::slot_sealed | 1) == errc::corrupt);  // nearly a seal
  CHECK(after_damage(1) == errc::corrupt);
}

TEST_CASE("the last possible record of a segment is sound") {
  const partition_files files;
  appender to(files.partition());
  REQUIRE(append(to, 0));
  leat_tests::poke(files.segment_path(0), 4096,
                   leat_tests::little_endian(leat::format::make_slot(leat::format::record_kind::compact, 16368, 8), 8));
  cursor c(files.other_partition());
  CHECK(fetch(c).values == std::vector<std::uint64_t>{0});
}

TEST_CASE("a missing segment in the middle of the log is an error that names it") {
  const partition_files files(100);
  fill(files, 6);
  std::filesystem::remove(files.segment_path(3));
  const auto failure = [](auto&& f) -> std::optional<leat::error> {
    try {
      f();
    } catch (const leat::error& e) {
      return e;
    }
    return std::nullopt;
  };
  cursor c(files.other_partition());
  std::optional<leat::error> met;
  for (int i = 0; i < 100 && !met; ++i) {
    met = failure([&] { fetch(c); });
    c.release();
  }
  REQUIRE(met.has_value());
  CHECK(met->code() == errc::corrupt);
  CHECK(met->path() == files.segment_path(3));
}

}  // namespace unit_storage_cursor
