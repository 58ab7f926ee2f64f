#include <leat/storage/appender.hpp>

#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/partition_files.hpp"

#include <leat/storage/cursor.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace unit_storage_appender {

using leat::errc;
using leat::format::make_slot;
using leat::format::record_kind;
using leat::os::access;
using leat::storage::appender;
using leat::storage::cursor;
using leat::storage::partition;
using leat::storage::pinned_segment;
using leat::storage::pins;
using leat::storage::room;
using leat_tests::append;
using leat_tests::partition_files;

room take(appender& from, std::uint64_t size, std::uint64_t prefix = 0, std::uint64_t alignment = 8) {
  const room r = leat_tests::take_room(from, size, prefix, alignment);
  REQUIRE(r.bytes != nullptr);
  REQUIRE(r.size == size);
  return r;
}

leat::result<std::uint64_t> publish_at(appender& to, std::uint64_t expected, std::uint64_t value = 0) {
  const room r = take(to, 16);
  std::memcpy(r.bytes + 8, &value, 8);
  const auto outcome = to.publish_at(expected, r.bytes, r.size, record_kind::compact, 8);
  if (!outcome) to.give_back(r);
  return outcome;
}

/// Values of the records from the log start on.
std::vector<std::uint64_t> values(partition& p) {
  cursor c(p);
  c.seek(p.start_offset().observe());
  std::array<leat::format::slot_word, 100> words;
  std::vector<std::uint64_t> all;
  for (;;) {
    leat::storage::run run;
    REQUIRE(c.fetch(words, run) == errc::ok);
    if (run.slots.empty()) return all;
    for (const auto word : run.slots) {
      std::uint64_t value = 0;
      std::memcpy(&value, run.bytes + leat::format::slot_position(word) + 8, 8);
      all.push_back(value);
    }
    c.release();
  }
}

std::vector<std::uint64_t> numbers(std::uint64_t begin, std::uint64_t end) {
  std::vector<std::uint64_t> all;
  for (; begin < end; ++begin) all.push_back(begin);
  return all;
}

TEST_CASE("the first append makes the first segment") {
  const partition_files files;
  appender to(files.partition());
  CHECK(files.segments().empty());
  CHECK(append(to, 7).value() == 0);
  CHECK(files.segments().size() == 1);
  CHECK(files.partition().begun().observe() == 1);
  CHECK(values(files.partition()) == std::vector<std::uint64_t>{7});
}

TEST_CASE("room that is taken overlaps with no other room and none is given out twice") {
  const partition_files files;
  appender one(files.partition());
  appender two(files.other_partition());
  std::vector<room> rooms;
  for (int i = 0; i < 40; ++i) {
    rooms.push_back(take(i % 2 == 0 ? one : two, 8u * static_cast<unsigned>(1 + i % 5)));
  }
  for (const room& a : rooms) {
    CHECK(a.position % 8 == 0);
    for (const room& b : rooms) {
      if (&a == &b || a.sequence != b.sequence) continue;
      REQUIRE((a.position + a.size <= b.position || b.position + b.size <= a.position));
    }
  }
}

TEST_CASE("an occasional producer takes small chunks and a busy one large ones") {
  const partition_files files(leat::topic_options{.segment_bytes = 1 << 20});
  appender to(files.partition());
  const auto tail = [&] {
    pinned_segment segment;
    REQUIRE(files.partition().open(0, access::read_only, segment) == partition::opened::pinned);
    return segment->data_tail().approximate() - segment->geometry().data_begin();
  };
  REQUIRE(append(to, 0));
  CHECK(tail() == 256);
  for (std::uint64_t i = 1; i < 1000; ++i) REQUIRE(append(to, i));
  CHECK(tail() >= 16000);
  CHECK(tail() <= 3 * 16000);
}

TEST_CASE("every chunk begins at a multiple of 8 bytes in every segment") {
  for (const std::uint32_t expected : {8u, 16u, 24u, 40u, 56u, 200u}) {
    for (const std::uint64_t segment_bytes : {std::uint64_t{16384}, std::uint64_t{20480}}) {
      CAPTURE(segment_bytes, expected);
      const partition_files files(
          leat::topic_options{.segment_bytes = segment_bytes, .expected_record_bytes = expected});
      appender to(files.partition());
      while (files.partition().begun().observe() < 4) {
        REQUIRE(append(to, 1));
        pinned_segment segment;
        REQUIRE(files.partition().open(files.partition().begun().observe() - 1, access::read_only, segment) ==
                partition::opened::pinned);
        REQUIRE(segment->data_tail().approximate() % 8 == 0);
      }
    }
  }
}

TEST_CASE("room has the alignment that was asked for at the byte that was asked for") {
  const partition_files files(leat::topic_options{.segment_bytes = 65536});
  appender to(files.partition());
  for (const std::uint64_t alignment : {8u, 16u, 64u, 512u, 4096u}) {
    for (const std::uint64_t prefix : {8u, 24u}) {
      for (int i = 0; i < 5; ++i) {
        CAPTURE(alignment, prefix);
        const room r = take(to, 104, prefix, alignment);
        REQUIRE((r.position + prefix) % alignment == 0);
        REQUIRE(reinterpret_cast<std::uintptr_t>(r.bytes + prefix) % alignment == 0);
        take(to, 8);
      }
    }
  }
}

TEST_CASE("room that is given back is given out again unless something was taken behind it") {
  const partition_files files;
  appender to(files.partition());
  const room first = take(to, 16);
  const room second = take(to, 16);
  to.give_back(first);
  CHECK(take(to, 16).position == second.position + 16);
  const room last = take(to, 24);
  to.give_back(last);
  CHECK(take(to, 8).position == last.position);
}

TEST_CASE("a segment whose data area is full is sealed and the next goes on without a gap") {
  // Fewer bytes than slots: records are twice as large as was expected.
  const partition_files files(leat::topic_options{.segment_bytes = 16384, .expected_record_bytes = 8});
  appender to(files.partition());
  std::uint64_t sent = 0;
  while (files.partition().begun().observe() < 4) {
    REQUIRE(append(to, sent).value() == sent);
    ++sent;
  }
  CHECK(values(files.partition()) == numbers(0, sent));
  pinned_segment first;
  REQUIRE(files.partition().open(0, access::read_only, first) == partition::opened::pinned);
  const std::uint64_t end = first->slots().first_without_record(0);
  CHECK(end < first->slots().size());
  CHECK(first->slots().observe(end) == leat::format::slot_sealed);
  pinned_segment second;
  REQUIRE(files.partition().open(1, access::read_only, second) == partition::opened::pinned);
  CHECK(second->base_offset().observe() == end);
}

TEST_CASE("a segment whose slots are used up needs no seal") {
  const partition_files files(leat::topic_options{.segment_bytes = 16384, .expected_record_bytes = 1000});
  appender to(files.partition());
  std::uint64_t sent = 0;
  while (files.partition().begun().observe() < 4) {
    REQUIRE(append(to, sent).value() == sent);
    ++sent;
  }
  CHECK(values(files.partition()) == numbers(0, sent));
  pinned_segment first;
  REQUIRE(files.partition().open(0, access::read_only, first) == partition::opened::pinned);
  CHECK(first->slots().first_without_record(0) == first->slots().size());
  pinned_segment second;
  REQUIRE(files.partition().open(1, access::read_only, second) == partition::opened::pinned);
  CHECK(second->base_offset().observe() == first->slots().size());
}

TEST_CASE("the successor is in place before it is needed") {
  const partition_files files;
  appender to(files.partition());
  std::uint64_t sent = 0;
  bool prepared = false;
  while (files.partition().begun().observe() < 2) {
    prepared = std::filesystem::exists(files.segment_path(1));
    REQUIRE(append(to, sent++));
  }
  CHECK(prepared);
}

TEST_CASE("a roll to a segment that is there makes no system call") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  SKIP("the sanitizers' runtimes make system calls of their own");
#endif
  const partition_files files;
  const std::string outcome = leat_tests::in_child([&]() -> std::string {
    const auto log = files.open({});  // the child's own
    partition& p = log->partition(0);
    appender to(p);
    std::uint64_t sent = 0;
    while (p.begun().observe() < 8) append(to, sent++).value();
    const std::uint64_t records_each = sent / 7;
    for (std::uint64_t i = 0; i < records_each * 9 / 10; ++i) append(to, sent++).value();
    if (p.begun().observe() != 8) return "the segment ended early";
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) return "no seccomp";
    // From here on any system call but read, write and exit is the end.
    while (p.begun().observe() < 9) append(to, sent++).value();
    constexpr std::string_view said = "rolled";
    (void)!::write(leat_tests::report_descriptor, said.data(), said.size());
    ::syscall(SYS_exit, 0);
    return {};
  });
  CHECK(outcome == "rolled");
}

TEST_CASE("no pin is left behind a roll when the next chunk is taken") {
  const partition_files files(100);
  appender to(files.partition());
  std::uint64_t sent = 0;
  while (files.partition().begun().observe() < 3) REQUIRE(append(to, sent++));
  for (int i = 0; i < 100; ++i) REQUIRE(append(to, sent++));
  pins& others = files.other->partition(0).topic().pins;
  const auto refusal = [&](std::uint64_t sequence) { return others.try_own(files.partition().lock(sequence)); };
  CHECK(refusal(0) == pins::refusal::none);
  CHECK(refusal(1) == pins::refusal::none);
  CHECK(refusal(2) == pins::refusal::shared);
  for (const std::uint64_t sequence : {0U, 1U}) others.disown(files.partition().lock(sequence));
}

TEST_CASE("an appender that has the next segment pinned and falls behind goes on at the end") {
  const partition_files files(1);
  appender slow(files.partition());
  appender fast(files.other_partition());
  std::uint64_t sent = 0;
  // To the last quarter, so that the slow one pins the next when it is there.
  while (sent < 450) REQUIRE(append(fast, sent++));
  for (; sent < 480; ++sent) REQUIRE(append(slow, sent));
  REQUIRE(files.partition().begun().observe() == 1);
  REQUIRE(files.other->partition(0).topic().pins.try_own(files.partition().lock(1)) == pins::refusal::shared);
  while (files.partition().begun().observe() < 8) REQUIRE(append(fast, sent++));
  const std::uint64_t start = files.partition().start_offset().observe();
  REQUIRE(files.partition().start_sequence().observe() > 1);
  for (const std::uint64_t end = sent + 100; sent < end; ++sent) REQUIRE(append(slow, sent).value() == sent);
  CHECK(values(files.partition()) == numbers(start, sent));
}

TEST_CASE("a filled record that meets the seal is copied to the next segment") {
  const partition_files files(10);
  appender slow(files.partition());
  appender fast(files.other_partition());
  const std::uint64_t value = 4711;
  const room r = take(slow, 16);
  std::memcpy(r.bytes + 8, &value, 8);
  std::uint64_t sent = 0;
  while (files.partition().begun().observe() < 4) REQUIRE(append(fast, sent++));
  CHECK(slow.publish(r, record_kind::compact, 8).value() == sent);
  auto expected = numbers(0, sent);
  expected.push_back(value);
  CHECK(values(files.partition()) == expected);
}

TEST_CASE("a filled record is appended though its segment was retired and recycled meanwhile") {
  const partition_files files(1);
  appender slow(files.partition());
  appender fast(files.other_partition());
  const std::uint64_t value = 4711;
  const room r = take(slow, 16);
  std::memcpy(r.bytes + 8, &value, 8);
  std::uint64_t sent = 0;
  while (files.partition().begun().observe() < 10) REQUIRE(append(fast, sent++));
  CHECK(files.partition().start_sequence().observe() > 5);
  CHECK(slow.publish(r, record_kind::compact, 8).value() == sent);
  CHECK(values(files.partition()).back() == value);
  CHECK(append(slow, 1).value() == sent + 1);
}

TEST_CASE("segments without a record are passed over") {
  // A segment is sealed at slot 0 where one producer takes all of it for a record that does not come.
  const partition_files files(leat::topic_options{.segment_bytes = 16384, .expected_record_bytes = 1});
  appender one(files.partition());
  appender two(files.other_partition());
  std::uint64_t sent = 0;
  for (int i = 0; i < 6; ++i) {
    take(two, 6000);
    take(two, 6000);  // does not fit any more: seals and rolls
  }
  CHECK(files.partition().begun().observe() > 4);
  CHECK(append(one, sent++).value() == 0);
  CHECK(append(two, sent++).value() == 1);
  CHECK(values(files.partition()) == numbers(0, 2));
  CHECK(leat::storage::end_offset(files.partition()) == 2);
}

TEST_CASE("a record that fits in no rest of a segment is appended in the next") {
  const partition_files files(leat::topic_options{.segment_bytes = 16384, .expected_record_bytes = 4000});
  appender to(files.partition());
  for (int i = 0; i < 5; ++i) {
    const room r = take(to, 8000);
    CHECK(r.sequence == static_cast<std::uint64_t>(i));
    CHECK(to.publish(r, record_kind::compact, 7992).value() == static_cast<std::uint64_t>(i));
  }
}

TEST_CASE("a record is published at the expected offset or not at all") {
  const partition_files files;
  appender one(files.partition());
  appender two(files.other_partition());
  CHECK(publish_at(one, 1).error() == errc::mismatched);
  CHECK(publish_at(one, 0).value() == 0);
  CHECK(publish_at(one, 0).error() == errc::mismatched);
  CHECK(publish_at(two, 1).value() == 1);
  CHECK(publish_at(one, 1).error() == errc::mismatched);
  CHECK(publish_at(one, 2).value() == 2);
  CHECK(publish_at(two, 7).error() == errc::mismatched);
  CHECK(values(files.partition()).size() == 3);
}

TEST_CASE("the room of a record that is refused is given back once, also behind the end of its segment") {
  for (const bool behind_the_end : {false, true}) {
    const partition_files files(10);
    appender to(files.partition());
    REQUIRE(append(to, 0));
    const std::uint64_t old_segment = take(to, 16).sequence;
    std::uint64_t end = 1;
    if (behind_the_end) {
      appender fast(files.other_partition());
      while (files.partition().begun().observe() < 3) REQUIRE(append(fast, end++));
    }
    const room refused = take(to, 64);
    std::uint64_t where = refused.position;
    if (behind_the_end) {  // it is carried to the last segment, to a chunk that begins where the room ends that others took
      pinned_segment last;
      REQUIRE(files.partition().open(2, access::read_only, last) == partition::opened::pinned);
      where = last->data_tail().approximate();
    }
    const auto outcome = to.publish_at(end + 1, refused.bytes, refused.size, record_kind::compact, 56);
    REQUIRE(outcome.error() == errc::mismatched);
    const room one = take(to, 64);
    const room two = take(to, 64);
    CHECK((one.sequence != old_segment) == behind_the_end);
    CHECK(one.position == where);
    CHECK(two.bytes == one.bytes + 64);  // twice would give out the same again
    REQUIRE(to.publish_at(end + 1, two.bytes, two.size, record_kind::compact, 56).error() == errc::mismatched);
    CHECK(take(to, 64).bytes == two.bytes);
    CHECK(to.publish(one, record_kind::compact, 56).value() == end);
  }
}

TEST_CASE("a durable record that is refused at another offset is not signed and leaves its room") {
  const partition_files files(leat::topic_options{.segment_bytes = 16384, .durability = leat::durability::every});
  appender to(files.partition());
  const room refused = leat_tests::take_room(to, 64);
  CHECK(to.publish_at(7, refused.bytes, refused.size, record_kind::full, 8).error() == errc::mismatched);
  CHECK(reinterpret_cast<const leat::format::full_prefix*>(refused.bytes)->checksum == 0);
  const room again = leat_tests::take_room(to, 64);
  CHECK(again.bytes == refused.bytes);
  CHECK(to.publish_at(0, again.bytes, again.size, record_kind::full, 8).value() == 0);
  CHECK(reinterpret_cast<const leat::format::full_prefix*>(again.bytes)->checksum != 0);
}

TEST_CASE("an appender that fell behind by several segments publishes at the end that it expects") {
  const partition_files files(10);
  appender slow(files.partition());
  appender fast(files.other_partition());
  std::uint64_t sent = 0;
  REQUIRE(append(slow, sent++));
  while (files.partition().begun().observe() < 3) REQUIRE(append(fast, sent++));
  REQUIRE(append(fast, sent++));
  CHECK(publish_at(slow, sent - 1).error() == errc::mismatched);
  const auto at = publish_at(slow, sent);
  REQUIRE(at);
  CHECK(*at == sent);
  CHECK(append(fast, 1).value() == sent + 1);
}

TEST_CASE("publishing at an expected offset goes over the end of a segment") {
  const partition_files files(10);
  appender to(files.partition());
  for (std::uint64_t i = 0; i < 2000; ++i) {
    REQUIRE(publish_at(to, i + 1).error() == errc::mismatched);
    REQUIRE(publish_at(to, i, i).value() == i);
  }
  CHECK(files.partition().begun().observe() > 3);
  CHECK(values(files.partition()) == numbers(0, 2000));
}

TEST_CASE("a segment with room that was lent stays pinned until all of it is back") {
  const partition_files files(10);
  appender to(files.partition());
  const auto& others = files.other_partition();
  const room one = to.lend(take(to, 16).bytes, 16);
  const room two = to.lend(take(to, 16).bytes, 16);
  while (files.partition().begun().observe() < 3) REQUIRE(append(to, 1));
  CHECK(others.topic().pins.try_own(others.lock(0)) == pins::refusal::shared);
  to.lent_back(one);
  CHECK(others.topic().pins.try_own(others.lock(0)) == pins::refusal::shared);
  to.lent_back(two);
  CHECK(others.topic().pins.try_own(others.lock(0)) == pins::refusal::none);
}

TEST_CASE("a hostile data tail is an error and never a write outside") {
  for (const std::uint64_t tail :
       {std::uint64_t{0}, std::uint64_t{8}, std::uint64_t{4096}, std::uint64_t{8193}, ~std::uint64_t{0},
        ~std::uint64_t{0} - 255, std::uint64_t{16384}, std::uint64_t{16383}, std::uint64_t{1} << 40}) {
    CAPTURE(tail);
    const partition_files files;
    {
      appender first(files.partition());
      REQUIRE(append(first, 1));
    }
    leat_tests::poke(files.segment_path(0), 256, leat_tests::little_endian(tail, 8));
    appender to(files.other_partition());
    try {
      const room r = leat_tests::take_room(to, 64);
      if (r.bytes != nullptr) {
        CHECK(r.position >= 8192);
        CHECK(r.position + r.size <= 16384);
      }
    } catch (const leat::error& e) {
      CHECK(e.code() == errc::corrupt);
      CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring("the data tail is"));
    }
  }
}

TEST_CASE("of two appenders to a single-writer partition the first is the writer until it goes") {
  const partition_files files(leat::topic_options{.segment_bytes = 16384, .single_writer = true});
  std::optional<appender> first(files.partition());
  appender second(files.other_partition());
  appender third(files.partition());  // in the same process, on the same handle
  REQUIRE(append(*first, 0));
  CHECK(append(second, 1).error() == errc::not_the_writer);
  CHECK(append(third, 1).error() == errc::not_the_writer);
  for (std::uint64_t i = 1; i < 2000; ++i) REQUIRE(append(*first, i).value() == i);
  CHECK(append(second, 1).error() == errc::not_the_writer);
  first.reset();
  CHECK(append(second, 2000).value() == 2000);
  CHECK(append(third, 1).error() == errc::not_the_writer);
  CHECK(values(files.partition()).back() == 2000);
}

TEST_CASE("a single writer leaves the seal of its predecessor, who died before the roll") {
  const partition_files files(leat::topic_options{.segment_bytes = 16384, .single_writer = true});
  const std::uint64_t records = GENERATE(as<std::uint64_t>{}, 0, 1, 7, 511);
  CAPTURE(records);
  {
    appender before(files.partition());
    if (records == 0) REQUIRE(take(before, 16).bytes != nullptr);
    for (std::uint64_t i = 0; i < records; ++i) REQUIRE(append(before, i).value() == i);
  }
  pinned_segment first;
  REQUIRE(files.partition().open(0, access::read_write, first) == partition::opened::pinned);
  REQUIRE(first->slots().try_seal(records) == leat::format::slot_free);
  appender after(files.other_partition());
  for (std::uint64_t i = records; i < records + 600; ++i) REQUIRE(append(after, i).value() == i);
  CHECK(first->slots().observe(records) == leat::format::slot_sealed);
  CHECK(values(files.partition()) == numbers(0, records + 600));
}

TEST_CASE("an append rings for a sleeper and only for one") {
  for (const bool single_writer : {false, true}) {
    const partition_files files(leat::topic_options{.segment_bytes = 16384, .single_writer = single_writer});
    appender to(files.partition());
    const auto& bell = files.log->bell();
    REQUIRE(append(to, 0));
    const std::uint32_t quiet = bell.note();
    REQUIRE(append(to, 1));
    CHECK(bell.note() == quiet);
    files.partition().doorbell().arm();
    REQUIRE(append(to, 2));
    CHECK(bell.note() == quiet + 1);
    REQUIRE(append(to, 3));
    CHECK(bell.note() == quiet + 1);
  }
}

}  // namespace unit_storage_appender
