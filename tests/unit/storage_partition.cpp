#include <leat/storage/partition.hpp>

#include "support/catch.hpp"
#include "support/partition_files.hpp"

#include <leat/storage/preparation.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace unit_storage_partition {

using leat::errc;
using leat::os::access;
using leat::storage::partition;
using leat::storage::pinned_segment;
using leat::storage::segment_name;
using leat_tests::partition_files;
using opened = partition::opened;

std::optional<leat::error> failure_of(auto&& f) {
  try {
    f();
  } catch (const leat::error& e) {
    return e;
  }
  return std::nullopt;
}

TEST_CASE("a segment's name is its partition and its sequence number") {
  CHECK(segment_name{3, 42}.text() == "0003-0000000000000042");
  CHECK(segment_name{1023, 12345678901234567890u}.text() == "1023-12345678901234567890");
  const auto parsed = segment_name::parse("0003-0000000000000042");
  REQUIRE(parsed.has_value());
  CHECK(parsed->partition == 3);
  CHECK(parsed->sequence == 42);
  CHECK(segment_name::parse("0003-0000000000000042~5f2a").has_value());
  CHECK(segment_name::is_temporary("0003-0000000000000042~5f2a"));
  CHECK_FALSE(segment_name::is_temporary("0003-0000000000000042"));
  for (const char* other : {"", "topic", "0003", "0003-", "-5", "x-5", "3-x", "3-5x", "3_5", "99999999999-1",
                            "3-99999999999999999999999"}) {
    CAPTURE(other);
    CHECK_FALSE(segment_name::parse(other).has_value());
  }
}

TEST_CASE("a segment that nobody made is absent and leaves no pin") {
  const partition_files files;
  pinned_segment segment;
  CHECK(files.partition().open(0, access::read_write, segment) == opened::absent);
  CHECK_FALSE(segment);
  CHECK(files.other->partition(0).topic().pins.try_own(0) == leat::storage::pins::refusal::none);
}

TEST_CASE("a segment that is there is pinned until it is let go") {
  const partition_files files;
  make_segment(files.partition(), 0);
  auto& others_pins = files.other_partition().topic().pins;
  {
    pinned_segment segment;
    REQUIRE(files.partition().open(0, access::read_only, segment) == opened::pinned);
    REQUIRE(segment);
    CHECK(segment.sequence() == 0);
    CHECK(segment->header().identity.sequence == 0);
    CHECK(others_pins.try_own(0) == leat::storage::pins::refusal::shared);
    const pinned_segment moved = std::move(segment);
    CHECK(others_pins.try_own(0) == leat::storage::pins::refusal::shared);
  }
  CHECK(others_pins.try_own(0) == leat::storage::pins::refusal::none);
}

TEST_CASE("a segment below the start sequence is retired though its file is still there") {
  const partition_files files;
  make_segment(files.partition(), 0);
  files.partition().start_sequence().raise(1);
  pinned_segment segment;
  CHECK(files.partition().open(0, access::read_only, segment) == opened::retired);
  CHECK_FALSE(segment);
  CHECK(files.other_partition().topic().pins.try_own(0) == leat::storage::pins::refusal::none);
}

TEST_CASE("a segment that somebody recycles is retired") {
  const partition_files files;
  make_segment(files.partition(), 0);
  REQUIRE(files.other_partition().topic().pins.try_own(0) == leat::storage::pins::refusal::none);
  pinned_segment segment;
  CHECK(files.partition().open(0, access::read_only, segment) == opened::retired);
}

TEST_CASE("a mapping is kept for the next opening and for each access") {
  const partition_files files;
  make_segment(files.partition(), 0);
  const auto bytes = [&](access mode) {
    pinned_segment segment;
    REQUIRE(files.partition().open(0, mode, segment) == opened::pinned);
    CHECK(segment->mode() == mode);
    return segment->bytes();
  };
  const auto* const written = bytes(access::read_write);
  const auto* const read = bytes(access::read_only);
  CHECK(written != read);
  CHECK(bytes(access::read_write) == written);
  CHECK(bytes(access::read_only) == read);
}

TEST_CASE("every byte of a segment's identity counts") {
  const partition_files files;
  make_segment(files.partition(), 0);
  const std::string sound = leat_tests::read_file(files.segment_path(0));
  for (std::size_t at = 0; at < sizeof(leat::format::segment_identity); ++at) {
    CAPTURE(at);
    std::string changed(1, static_cast<char>(sound[at] ^ 0x10));
    leat_tests::poke(files.segment_path(0), at, changed);
    pinned_segment segment;
    const auto failure = failure_of([&] { files.partition().open(0, access::read_only, segment); });
    REQUIRE(failure.has_value());
    REQUIRE(failure->code() == (at < 8 ? errc::foreign : at < 12 ? errc::wrong_version : errc::corrupt));
    REQUIRE_THAT(failure->what(), Catch::Matchers::ContainsSubstring(files.segment_path(0)));
    REQUIRE_FALSE(segment);
    leat_tests::poke(files.segment_path(0), at, sound.substr(at, 1));
  }
  pinned_segment segment;
  CHECK(files.partition().open(0, access::read_only, segment) == opened::pinned);
}

TEST_CASE("a segment of another place with a sound checksum is refused and both places are named") {
  const partition_files files;
  make_segment(files.partition(), 0);
  const std::string sound = leat_tests::read_file(files.segment_path(0));
  const auto refused = [&](std::size_t at, std::size_t width, std::uint64_t number) {
    std::string identity = sound.substr(0, 60);
    identity.replace(at, width, leat_tests::little_endian(number, width));
    leat_tests::poke(files.segment_path(0), 0,
                     identity + leat_tests::little_endian(leat_tests::slow_crc32c(identity), 4));
    pinned_segment segment;
    const auto failure = failure_of([&] { files.partition().open(0, access::read_only, segment); });
    return failure ? std::string(failure->what()) : "not refused";
  };
  using Catch::Matchers::ContainsSubstring;
  CHECK_THAT(refused(12, 4, 5), ContainsSubstring("belongs to partition 5") && ContainsSubstring("of partition 0"));
  CHECK_THAT(refused(16, 8, 1), ContainsSubstring("belongs to another topic"));
  CHECK_THAT(refused(32, 8, 77), ContainsSubstring("is segment 77") && ContainsSubstring("expected segment 0"));
  CHECK_THAT(refused(40, 8, 32768), ContainsSubstring("sizes differ"));
  CHECK_THAT(refused(48, 8, 1), ContainsSubstring("sizes differ"));
}

TEST_CASE("a segment file of another size is truncated whether it is shorter or longer") {
  for (const off_t bytes : {0, 100, 16383, 16385, 20480}) {
    CAPTURE(bytes);
    const partition_files files;
    make_segment(files.partition(), 0);
    REQUIRE(::truncate(files.segment_path(0).c_str(), bytes) == 0);
    pinned_segment segment;
    const auto failure = failure_of([&] { files.other_partition().open(0, access::read_only, segment); });
    REQUIRE(failure.has_value());
    CHECK(failure->code() == errc::truncated);
    CHECK_THAT(failure->what(), Catch::Matchers::ContainsSubstring(std::to_string(bytes)));
    CHECK_THAT(failure->what(), Catch::Matchers::ContainsSubstring("16384"));
  }
}

TEST_CASE("something else than a file in a segment's place is foreign") {
  const partition_files files;
  const std::string path = files.segment_path(0);
  SECTION("a directory") { std::filesystem::create_directory(path); }
  SECTION("a symbolic link") {
    make_segment(files.partition(), 1);
    std::filesystem::create_symlink(files.segment_path(1), path);
  }
  SECTION("a named pipe") { REQUIRE(::mkfifo(path.c_str(), 0600) == 0); }
  for (const access mode : {access::read_only, access::read_write}) {
    pinned_segment segment;
    const auto failure = failure_of([&] { files.partition().open(0, mode, segment); });
    REQUIRE(failure.has_value());
    CHECK(failure->code() == errc::foreign);
    CHECK_THAT(failure->what(), Catch::Matchers::ContainsSubstring(path));
  }
}

}  // namespace unit_storage_partition
