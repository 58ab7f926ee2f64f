// Verification: each kind of damage that is planted in a file is found, with its place.
#include <leat/admin.hpp>

#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/media.hpp"

#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace unit_verification {

using Catch::Matchers::ContainsSubstring;
using leat::errc;
using leat::finding;
using leat_tests::little_endian;
using leat_tests::number_at;
using leat_tests::poke;
using leat_tests::read_file;
using leat_tests::temporary_store;

/// A topic of two partitions; the first has three segments, whose records with an even offset are compact, the others full.
struct sample {
  temporary_store temporary = temporary_store::on_disk();
  std::vector<leat::segment_description> segments;

  sample() {
    const auto topic = temporary.store.topic<std::string>(
        "t", {.partitions = 2, .segment_bytes = 16384, .retention = {.bytes = leat::unlimited}});
    leat::producer out{topic};
    const auto send_two = [&] {
      REQUIRE(out.send("a value", {.partition = 0}));
      REQUIRE(out.send("key", "value", {.partition = 0, .headers = {{"name", "content"}, {"n", leat::null}}}));
    };
    while (topic.log()->partition(0).begun().observe() < 3) send_two();
    for (int i = 0; i < 8; ++i) send_two();
    REQUIRE(out.send("other", {.partition = 1}));
    segments = leat::admin{temporary.store}.segments({"t", 0});
    REQUIRE(segments.size() == 3);
    REQUIRE(verify().empty());
  }

  /// By one who opens the store anew, as files that are mapped already would stay so.
  std::vector<finding> verify() const { return leat::admin{leat::store::open(temporary.path())}.verify("t"); }

  /// The only finding.
  finding found() const {
    const auto all = verify();
    for (const finding& f : all) UNSCOPED_INFO(f.path << ": " << f.what);
    REQUIRE(all.size() == 1);
    return all[0];
  }

  const std::string& path(std::size_t segment) const { return segments[segment].path; }
  static std::uint64_t slot_at(std::uint64_t index) { return 4096 + 8 * index; }
  std::uint64_t slot(std::size_t segment, std::uint64_t index) const {
    return number_at(read_file(path(segment)), slot_at(index), 8);
  }
  void set_slot(std::size_t segment, std::uint64_t index, std::uint64_t word) const {
    poke(path(segment), slot_at(index), little_endian(word, 8));
  }
};

TEST_CASE("a sound topic has nothing to be found also while it is written to") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<std::string>("t", {.segment_bytes = 16384, .retention = {.bytes = 32768}});
  const leat::admin admin{temporary.store};
  CHECK(admin.verify("t").empty());
  leat::producer out{topic};
  for (int i = 0; i < 3000; ++i) {
    REQUIRE(out.send("key", std::string(static_cast<std::size_t>(i % 200), 'v')));
    if (i % 100 == 0) REQUIRE(admin.verify("t").empty());
  }
  admin.delete_records({"t", 0}, topic.end_offset(0) - 5);
  CHECK(admin.verify("t").empty());
  CHECK(leat_tests::code_of([&] { (void)admin.verify("absent"); }) == errc::not_found);
}

TEST_CASE("a slot that describes no record in the segment is found") {
  const sample s;
  const std::uint64_t sound = s.slot(1, 4);
  for (const std::uint64_t word : {(sound & ~std::uint64_t{0xffffffff}) | 1,             // in the header
                                   (sound & ~std::uint64_t{0xffffffff}) | 16384 / 8,     // beyond the end
                                   sound | std::uint64_t{0xffffff} << 32,                // longer than the rest
                                   (sound & 0xffffffffffffff) | std::uint64_t{7} << 56,  // of no kind
                                   std::uint64_t{1}}) {
    CAPTURE(word);
    s.set_slot(1, 4, word);
    const finding f = s.found();
    CHECK(f.path == s.path(1));
    CHECK(f.code == errc::corrupt);
    CHECK_THAT(f.what, ContainsSubstring("offset " + std::to_string(s.segments[1].base_offset + 4) + ": the slot"));
  }
  s.set_slot(1, 4, sound);
  CHECK(s.verify().empty());
}

TEST_CASE("a full record whose parts do not fit in it is found") {
  const sample s;
  const std::uint64_t index = 1;
  const std::uint64_t at = (s.slot(0, index) & 0xffffffff) * 8;
  const std::string sound = read_file(s.path(0)).substr(at, 64);
  const auto damaged = [&](std::uint64_t where, std::uint64_t number) {
    poke(s.path(0), at + where, little_endian(number, 4));
    const finding f = s.found();
    poke(s.path(0), at, sound);
    CHECK(f.path == s.path(0));
    CHECK_THAT(f.what, ContainsSubstring("offset " + std::to_string(index) + ": the record has"));
    return f.what;
  };
  CHECK_THAT(damaged(8, 1000), ContainsSubstring("larger than the record"));         // value
  CHECK_THAT(damaged(8, 0xfffffffe), ContainsSubstring("negative"));                 // less than null
  CHECK_THAT(damaged(12, 1000), ContainsSubstring("larger than the record"));        // key
  CHECK_THAT(damaged(12, 0x80000000), ContainsSubstring("negative"));                //
  CHECK_THAT(damaged(16, 1000), ContainsSubstring("larger than the record"));        // headers
  CHECK_THAT(damaged(16, 5), ContainsSubstring("a header that is cut off"));         //
  CHECK_THAT(damaged(32 + 3, 10000), ContainsSubstring("larger than the headers"));  // the first header's name
  CHECK_THAT(damaged(32 + 3 + 4, 10000), ContainsSubstring("larger than the headers"));
  CHECK(s.verify().empty());
}

TEST_CASE("two slots for one record are found") {
  const sample s;
  s.set_slot(1, 6, s.slot(1, 4));
  const finding f = s.found();
  CHECK(f.path == s.path(1));
  CHECK_THAT(f.what, ContainsSubstring("overlap at byte " + std::to_string((s.slot(1, 4) & 0xffffffff) * 8)));
}

TEST_CASE("a free slot in the middle of the log is found") {
  const sample s;
  s.set_slot(0, 10, 0);
  const auto all = s.verify();
  REQUIRE(all.size() == 2);  // and the next segment does not begin where this one ends now
  CHECK_THAT(all[0].what, ContainsSubstring("free slot at offset 10"));
  CHECK(all[0].path == s.path(0));
  CHECK_THAT(all[1].what, ContainsSubstring("expected 10"));
  CHECK(all[1].path == s.path(1));
}

TEST_CASE("a seal in the middle of a segment is found by what stands behind it") {
  const sample s;
  s.set_slot(2, 1, std::uint64_t{0xff} << 56);
  const finding f = s.found();
  CHECK(f.path == s.path(2));
  CHECK_THAT(f.what, ContainsSubstring("slot 2 is taken behind the end"));
}

TEST_CASE("a base offset that does not follow is found") {
  const sample s;
  poke(s.path(1), 128, little_endian(s.segments[1].base_offset + 1, 8));
  CHECK_THAT(s.found().what, ContainsSubstring("a damaged one"));
  poke(s.path(1), 152, little_endian(~(s.segments[1].base_offset + 1), 8));
  const auto all = s.verify();
  REQUIRE_FALSE(all.empty());
  CHECK(all[0].path == s.path(1));
  CHECK_THAT(all[0].what, ContainsSubstring("begins at offset " + std::to_string(s.segments[1].base_offset + 1) +
                                            ", expected " + std::to_string(s.segments[1].base_offset)));
  poke(s.path(1), 128, little_endian(~std::uint64_t{0}, 8));
  CHECK_THAT(s.found().what, ContainsSubstring("no base offset"));
}

TEST_CASE("a missing segment is found and the rest is looked at") {
  const sample s;
  const std::uint64_t sound = s.slot(2, 0);
  std::filesystem::remove(s.path(1));
  CHECK(s.found().path == s.path(1));
  CHECK(s.found().code == errc::corrupt);
  s.set_slot(2, 0, sound | std::uint64_t{0xffffff} << 32);
  const auto all = s.verify();
  REQUIRE(all.size() == 2);
  CHECK(all[1].path == s.path(2));
}

TEST_CASE("a segment's header that is damaged is found with its reason") {
  const sample s;
  const std::string sound = read_file(s.path(1));
  const std::pair<std::uint64_t, errc> places[] = {{0, errc::foreign},  {8, errc::wrong_version}, {12, errc::corrupt},
                                                   {16, errc::corrupt}, {32, errc::corrupt},      {60, errc::corrupt}};
  for (const auto& [at, code] : places) {
    CAPTURE(at);
    poke(s.path(1), at, std::string(1, static_cast<char>(sound[at] ^ 0x21)));
    const finding f = s.found();
    CHECK(f.path == s.path(1));
    CHECK(f.code == code);
    CHECK_FALSE(f.what.empty());
    poke(s.path(1), at, sound.substr(at, 1));
  }
  std::filesystem::resize_file(s.path(1), 10000);
  CHECK(s.found().code == errc::truncated);
  leat_tests::write_file(s.path(1), sound);
  CHECK(s.verify().empty());
}

TEST_CASE("words of a partition that contradict each other are found and the other partitions looked at") {
  const sample s;
  const std::string topic_file = s.temporary.file("topics/t/topic");
  poke(topic_file, 4096 + 16, little_endian(9, 8));  // starts at a segment that has not begun
  const auto first = s.verify();
  REQUIRE(first.size() == 1);
  CHECK(first[0].path == topic_file);
  CHECK_THAT(first[0].what, ContainsSubstring("partition 0 starts at segment 9"));
  std::filesystem::remove(s.temporary.file("topics/t/0001-0000000000000000"));
  CHECK(s.verify().size() == 2);
}

}  // namespace unit_verification
