#include <leat/storage/preparation.hpp>

#include "support/catch.hpp"
#include "support/partition_files.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace unit_storage_preparation {

using leat::os::access;
using leat::storage::appender;
using leat::storage::partition;
using leat::storage::pinned_segment;
using leat::storage::pins;
using leat::storage::preparation;
using leat_tests::append;
using leat_tests::partition_files;
using outcome = preparation::outcome;
using opened = partition::opened;

constexpr std::uint64_t records_in_a_segment = 512;
constexpr std::uint64_t keep_all = 1000;  // nothing is retired but by hand

/// Appends so many full segments and one record; then all preparation is done, and no appender holds a pin.
void fill(const partition_files& files, std::uint64_t segments) {
  appender to(files.partition());
  while (files.partition().begun().observe() < segments + 1) REQUIRE(append(to, 1));
}

/// Makes the segment and begins it behind a sealed predecessor, as a roll does.
void begin_by_hand(const partition_files& files, std::uint64_t sequence, std::uint64_t base) {
  make_segment(files.partition(), sequence);
  pinned_segment segment;
  REQUIRE(files.partition().open(sequence, access::read_write, segment) == opened::pinned);
  segment->begin_at(base);
  files.partition().begun().raise(sequence + 1);
}

/// Mappings of this process of files of the topic that have no name any more.
std::size_t nameless_mappings(const partition_files& files) {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    count += line.find(files.directory()) != line.npos && line.ends_with("(deleted)") ? 1 : 0;
  }
  return count;
}

TEST_CASE("a fresh segment is empty and whole and has the topic's mode") {
  const partition_files files(leat::topic_options{.segment_bytes = 16384, .file_mode = 0640});
  make_segment(files.partition(), 0);
  CHECK(files.segments() == std::set{files.segment_name(0)});
  struct stat s{};
  REQUIRE(::stat(files.segment_path(0).c_str(), &s) == 0);
  CHECK(s.st_size == 16384);
  CHECK(s.st_blocks * 512 >= 16384);  // all of it is really there
  CHECK((s.st_mode & 07777) == 0640);
  pinned_segment segment;
  REQUIRE(files.partition().open(0, access::read_only, segment) == opened::pinned);
  CHECK(segment->base_offset().observe() == leat::format::unset);
  CHECK(segment->data_tail().approximate() == segment->geometry().data_begin());
  CHECK(segment->slots().first_without_record(0) == 0);
  CHECK_FALSE(segment->slots().ends_at(0));
}

TEST_CASE("until it is finished a new file has a temporary name and its death leaves only that") {
  const partition_files files;
  {
    preparation p(files.partition(), 0);
    const auto names = files.segments();
    REQUIRE(names.size() == 1);
    CHECK(leat::storage::segment_name::is_temporary(*names.begin()));
    CHECK(p.target() == 0);
  }
  CHECK(files.segments().empty());
}

TEST_CASE("of two that make the same segment the second finds it in place") {
  const partition_files files;
  preparation one(files.partition(), 0);
  preparation two(files.other_partition(), 0);
  CHECK(one.finish() == outcome::in_place);
  const ino_t inode = leat_tests::inode_of(files.segment_path(0));
  CHECK(two.finish() == outcome::in_place);
  CHECK(leat_tests::inode_of(files.segment_path(0)) == inode);
}

TEST_CASE("a segment is retired once the others hold what is to be kept") {
  const partition_files files(2);
  begin_by_hand(files, 0, 0);
  for (std::uint64_t s = 1; s <= 6; ++s) {
    begin_by_hand(files, s, s * 10);
    CAPTURE(s);
    // The preparation of s leaves as many as are needed beside the oldest: s - 2 and s - 1.
    const std::uint64_t retired = s < 3 ? 0 : s - 2;
    CHECK(files.partition().start_sequence().observe() == retired);
    CHECK(files.partition().start_offset().observe() == retired * 10);
  }
}

TEST_CASE("with no limit nothing is ever retired") {
  const partition_files files(leat::topic_options{.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}});
  fill(files, 6);
  CHECK(files.partition().start_sequence().observe() == 0);
  CHECK(files.segments().size() >= 7);
}

TEST_CASE("a spare is recycled: its file gets the next name and all its slots are free") {
  const partition_files files(1);
  fill(files, 3);
  const std::uint64_t begun = files.partition().begun().observe();
  // The next to be retired and recycled is the start sequence, unless a spare is left.
  std::set<ino_t> inodes;
  for (const std::string& name : files.segments()) inodes.insert(leat_tests::inode_of(files.directory() + "/" + name));
  make_segment(files.partition(), begun);
  make_segment(files.partition(), begun + 1);
  CHECK(inodes.contains(leat_tests::inode_of(files.segment_path(begun))));
  pinned_segment segment;
  REQUIRE(files.partition().open(begun, access::read_only, segment) == opened::pinned);
  for (std::uint64_t i = 0; i < segment->slots().size(); ++i) REQUIRE(segment->slots().observe(i) == 0);
  CHECK(segment->base_offset().observe() == leat::format::unset);
  CHECK(segment->data_tail().approximate() == segment->geometry().data_begin());
  CHECK(segment->header().identity.sequence == begun);
}

TEST_CASE("of several spares one is recycled and the others make room") {
  const partition_files files(keep_all);
  for (std::uint64_t s = 0; s < 5; ++s) begin_by_hand(files, s, s * 10);
  files.partition().start_sequence().raise(3);
  make_segment(files.partition(), 5);
  for (std::uint64_t s = 0; s < 3; ++s) CHECK_FALSE(std::filesystem::exists(files.segment_path(s)));
  CHECK(files.segments().size() == 3);
  CHECK(files.partition().reclaimed().observe() == 3);
}

TEST_CASE("clearing goes on in slices until there is nothing left") {
  const partition_files files(keep_all);
  begin_by_hand(files, 0, 0);
  {
    pinned_segment first;
    REQUIRE(files.partition().open(0, access::read_write, first) == opened::pinned);
    const auto word = leat::format::make_slot(leat::format::record_kind::compact, first->geometry().data_begin(), 8);
    for (std::uint64_t i = 0; i < 100; ++i) first->slots().try_publish(i, word);
    first->slots().try_seal(100);
  }
  begin_by_hand(files, 1, 100);
  begin_by_hand(files, 2, 100);
  files.partition().start_sequence().raise(1);
  const ino_t spare = leat_tests::inode_of(files.segment_path(0));
  preparation p(files.partition(), 3);
  CHECK_FALSE(p.advance(50));
  CHECK_FALSE(p.advance(50));
  CHECK(p.advance(50));
  CHECK(p.finish() == outcome::in_place);
  CHECK(leat_tests::inode_of(files.segment_path(3)) == spare);
  CHECK_FALSE(std::filesystem::exists(files.segment_path(0)));
  CHECK(files.partition().reclaimed().observe() == 1);
}

TEST_CASE("a spare that somebody has pinned loses its name and its readers keep it") {
  const partition_files files(1);
  fill(files, 1);
  pinned_segment reader;
  REQUIRE(files.other_partition().open(0, access::read_only, reader) == opened::pinned);
  const ino_t inode = leat_tests::inode_of(files.segment_path(0));
  const leat::format::slot_word word = reader->slots().observe(5);
  REQUIRE(word != 0);
  fill(files, 6);
  CHECK(files.partition().start_sequence().observe() > 0);
  CHECK_FALSE(std::filesystem::exists(files.segment_path(0)));
  for (const std::string& name : files.segments()) CHECK(leat_tests::inode_of(files.directory() + "/" + name) != inode);
  CHECK(reader->slots().observe(5) == word);
  CHECK(reader->abandoned().is_set());
}

TEST_CASE("a spare whose recycler is at work or was stopped is left to it") {
  const partition_files files(keep_all);
  begin_by_hand(files, 0, 0);
  begin_by_hand(files, 1, 10);
  begin_by_hand(files, 2, 20);
  files.partition().start_sequence().raise(1);
  REQUIRE(files.other_partition().topic().pins.try_own(0) == pins::refusal::none);
  const ino_t spare = leat_tests::inode_of(files.segment_path(0));
  make_segment(files.partition(), 3);
  CHECK(leat_tests::inode_of(files.segment_path(0)) == spare);
  CHECK(leat_tests::inode_of(files.segment_path(3)) != spare);
  CHECK(files.partition().reclaimed().observe() == 0);
}

TEST_CASE("a spare that a dead recycler has half cleared is cleared from its first slot to its last") {
  // The dead one has freed the seal and some slots in front of it, so nothing tells any longer how many were used.
  for (const std::uint64_t used : {std::uint64_t{40}, records_in_a_segment - 1, records_in_a_segment}) {
    for (const std::uint64_t left : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{20}}) {
      CAPTURE(used, left);
      const partition_files files(keep_all);
      begin_by_hand(files, 0, 0);
      {
        pinned_segment first;
        REQUIRE(files.partition().open(0, access::read_write, first) == opened::pinned);
        const auto slots = first->slots();
        const auto word =
            leat::format::make_slot(leat::format::record_kind::compact, first->geometry().data_begin(), 8);
        for (std::uint64_t i = 0; i < std::min(used, slots.size()); ++i) slots.try_publish(i, word);
        if (used < slots.size()) slots.try_seal(used);
        slots.clear(left, slots.size());
      }
      begin_by_hand(files, 1, 100);
      begin_by_hand(files, 2, 100);
      files.partition().start_sequence().raise(1);
      const ino_t spare = leat_tests::inode_of(files.segment_path(0));
      make_segment(files.partition(), 3);
      REQUIRE(leat_tests::inode_of(files.segment_path(3)) == spare);
      pinned_segment segment;
      REQUIRE(files.partition().open(3, access::read_only, segment) == opened::pinned);
      for (std::uint64_t i = 0; i < segment->slots().size(); ++i) REQUIRE(segment->slots().observe(i) == 0);
    }
  }
}

TEST_CASE("a spare without its seal is cleared to its last slot wherever a free one lies") {
  const partition_files files(keep_all);
  begin_by_hand(files, 0, 0);
  {
    pinned_segment first;
    REQUIRE(files.partition().open(0, access::read_write, first) == opened::pinned);
    const auto word = leat::format::make_slot(leat::format::record_kind::compact, first->geometry().data_begin(), 8);
    for (const std::uint64_t i : {0u, 1u, 2u, 9u, 300u, 511u}) first->slots().try_publish(i, word);
  }
  begin_by_hand(files, 1, 100);
  begin_by_hand(files, 2, 100);
  files.partition().start_sequence().raise(1);
  make_segment(files.partition(), 3);
  CHECK_FALSE(std::filesystem::exists(files.segment_path(0)));
  pinned_segment segment;
  REQUIRE(files.partition().open(3, access::read_only, segment) == opened::pinned);
  for (std::uint64_t i = 0; i < segment->slots().size(); ++i) REQUIRE(segment->slots().observe(i) == 0);
}

TEST_CASE("a spare with the header of its next life but its old name is a spare still") {
  // Somebody died between N3 and N5.
  const partition_files files(keep_all);
  begin_by_hand(files, 0, 0);
  begin_by_hand(files, 1, 10);
  begin_by_hand(files, 2, 20);
  files.partition().start_sequence().raise(1);
  {
    pinned_segment blocked;
    preparation died(files.partition(), 3);
    make_segment(files.other_partition(), 3);  // so that its rename finds the name taken
    CHECK(died.finish() == outcome::in_place);
  }
  CHECK(std::filesystem::exists(files.segment_path(0)));
  const ino_t spare = leat_tests::inode_of(files.segment_path(0));
  pinned_segment next;
  begin_by_hand(files, 3, 30);
  make_segment(files.partition(), 4);
  CHECK(leat_tests::inode_of(files.segment_path(4)) == spare);
  CHECK(files.partition().open(4, access::read_only, next) == opened::pinned);
}

TEST_CASE("a spare that is no segment file any more is thrown away") {
  const partition_files files(keep_all);
  begin_by_hand(files, 0, 0);
  begin_by_hand(files, 1, 10);
  begin_by_hand(files, 2, 20);
  files.partition().start_sequence().raise(1);
  const auto fresh = files.open({});  // has not mapped it yet
  REQUIRE(::truncate(files.segment_path(0).c_str(), 100) == 0);
  make_segment(fresh->partition(0), 3);
  CHECK_FALSE(std::filesystem::exists(files.segment_path(0)));
  pinned_segment segment;
  CHECK(files.partition().open(3, access::read_only, segment) == opened::pinned);
}

TEST_CASE("a segment that was retired before it got its name is late and gets none") {
  const partition_files files(keep_all);
  begin_by_hand(files, 0, 0);
  preparation slow(files.partition(), 1);
  begin_by_hand(files, 1, 10);
  begin_by_hand(files, 2, 20);
  begin_by_hand(files, 3, 30);
  files.partition().start_sequence().raise(2);
  CHECK(slow.finish() == outcome::late);
}

TEST_CASE("a file whose temporary name was taken for a leftover is made again") {
  const partition_files files;
  preparation p(files.partition(), 0);
  for (const std::string& name : files.segments()) std::filesystem::remove(files.directory() + "/" + name);
  CHECK(p.finish() == outcome::source_gone);
  make_segment(files.partition(), 0);
  CHECK(files.segments() == std::set{files.segment_name(0)});
}

TEST_CASE("a new file that has lost its temporary name is not kept mapped") {
  const partition_files files;
  {
    preparation p(files.partition(), 0);
    REQUIRE(files.segments().size() == 1);
    std::filesystem::remove(files.directory() + "/" + *files.segments().begin());
    REQUIRE(p.finish() == outcome::source_gone);
  }
  REQUIRE(nameless_mappings(files) == 1);
  make_segment(files.partition(), 0);
  CHECK(files.partition().map(files.segment_name(0), access::read_write) != nullptr);
  CHECK(nameless_mappings(files) == 0);
}

TEST_CASE("a spare that loses its name while it is recycled is kept mapped by nobody") {
  const partition_files files(1);
  fill(files, 3);
  const std::uint64_t next = files.partition().begun().observe() + 1;
  const std::set<std::string> before = files.segments();
  {
    preparation p(files.partition(), next);
    REQUIRE(files.segments() == before);  // it took a spare
    const std::string source = files.segment_name(files.partition().start_sequence().observe() - 1);
    REQUIRE(before.contains(source));
    REQUIRE(files.other_partition().map(source, access::read_write) != nullptr);
    // As one does who found it pinned, and looks at it only now.
    std::filesystem::remove(files.directory() + "/" + source);
    REQUIRE(p.finish() == outcome::source_gone);
  }
  REQUIRE(nameless_mappings(files) == 2);
  make_segment(files.partition(), next);
  CHECK(files.partition().map(files.segment_name(next), access::read_write) != nullptr);
  CHECK(files.other_partition().map(files.segment_name(next), access::read_write) != nullptr);
  CHECK(nameless_mappings(files) == 0);
}

TEST_CASE("a late name that is removed with what dead producers left is kept mapped by nobody") {
  const partition_files files;
  begin_by_hand(files, 0, 0);
  begin_by_hand(files, 1, 10);
  files.partition().start_sequence().raise(1);
  files.partition().reclaimed().raise(1);
  remove_leftovers(files.other_partition());
  REQUIRE_FALSE(std::filesystem::exists(files.segment_path(0)));
  CHECK(files.partition().map(files.segment_name(1), access::read_write) != nullptr);
  CHECK(files.other_partition().map(files.segment_name(1), access::read_write) != nullptr);
  CHECK(nameless_mappings(files) == 0);
}

TEST_CASE("what dead producers left is removed and what the living make is not") {
  const partition_files files;
  begin_by_hand(files, 0, 0);
  begin_by_hand(files, 1, 10);
  const preparation alive(files.other_partition(), 2);
  files.partition().start_sequence().raise(1);
  std::filesystem::rename(files.segment_path(0), files.directory() + "/kept");
  files.partition().reclaimed().raise(1);
  leat_tests::write_file(files.segment_path(2) + "~dead", "");
  leat_tests::write_file(files.segment_path(0), "a late name");
  leat_tests::write_file(files.directory() + "/0001-0000000000000000~dead", "another partition's");
  REQUIRE(files.segments().size() == 6);
  remove_leftovers(files.partition());
  const auto left = files.segments();
  CHECK(left.size() == 4);
  CHECK(left.contains("kept"));
  CHECK(left.contains(files.segment_name(1)));
  CHECK(left.contains("0001-0000000000000000~dead"));
  CHECK_FALSE(left.contains(files.segment_name(0)));
}

TEST_CASE("a late name that somebody has pinned is left alone") {
  const partition_files files;
  begin_by_hand(files, 0, 0);
  pinned_segment reader;
  REQUIRE(files.other_partition().open(0, access::read_only, reader) == opened::pinned);
  files.partition().start_sequence().raise(1);
  files.partition().reclaimed().raise(1);
  remove_leftovers(files.partition());
  CHECK(std::filesystem::exists(files.segment_path(0)));
}

TEST_CASE("a producer removes leftovers when it first appends") {
  const partition_files files;
  leat_tests::write_file(files.segment_path(7) + "~dead", "");
  appender to(files.partition());
  CHECK(files.segments().size() == 1);
  REQUIRE(append(to, 1));
  CHECK(files.segments() == std::set{files.segment_name(0)});
}

}  // namespace unit_storage_preparation
