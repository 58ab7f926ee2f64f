// Damage that fuzzing has found (tests/fuzz) to be misread, to be kept quiet about, or to end a process: each is an error
// that says where, and comes at once.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/in_child.hpp"
#include "support/read_all.hpp"
#include "support/temporary_store.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/group/group_files.hpp>
#include <leat/group/subscription.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace unit_damage_told {

using Catch::Matchers::ContainsSubstring;
using leat::errc;
using leat_tests::code_of;
using leat_tests::failure_of;
using leat_tests::in_child;
using leat_tests::little_endian;
using leat_tests::message_of;
using leat_tests::number_at;
using leat_tests::poke;
using leat_tests::read_file;

constexpr std::uint64_t segment_bytes = 16384;

/// A store with a topic "t" of four segments, and where they begin.
struct sample {
  leat_tests::temporary_directory place;
  std::string path = place.path() + "/store";
  std::string topic_file = path + "/topics/t/topic";
  std::vector<leat::segment_description> segments;

  sample() {
    const auto topic =
        open().topic<std::string>("t", {.segment_bytes = segment_bytes, .retention = {.bytes = leat::unlimited}});
    leat::producer out{topic};
    while (topic.log()->partition(0).begun().observe() < 4) (void)out.send(std::string(300, '.')).value();
    segments = leat::admin(open()).segments({"t", 0});
    REQUIRE(segments.size() == 4);
  }

  leat::store open() const { return leat::store::open(path); }
  leat::topic<std::string> topic() const { return open().topic<std::string>("t"); }
  leat::admin admin() const { return leat::admin(open()); }
  const std::string& file(std::size_t segment) const { return segments.at(segment).path; }

  void set(const std::string& which, std::uint64_t at, std::uint64_t number) const {
    poke(which, at, little_endian(number, 8));
  }

  /// Reads from `from` on; how far it came, and what stopped it.
  struct reading {
    std::uint64_t position = 0;
    std::optional<leat::error> failure;
  };
  reading read(std::uint64_t from, leat::offset_reset policy = leat::offset_reset::none) const {
    reading r;
    r.failure = failure_of([&] {
      leat::consumer in{topic(), {.auto_offset_reset = policy}};
      in.seek({0, from});
      for (int polls = 0; polls < 20; ++polls) {
        for (const auto& record : in.poll()) r.position = record.offset() + 1;
      }
    });
    return r;
  }
};

// --- readers ---

TEST_CASE("a segment whose base offset does not follow the one before it is an error when reading comes to it") {
  const sample s;
  const std::uint64_t base = s.segments[2].base_offset;
  for (const std::uint64_t wrong : {base + 1, base - 1, ~std::uint64_t{0}, std::uint64_t{1} << 40}) {
    CAPTURE(wrong);
    s.set(s.file(2), 128, wrong);
    const auto r = s.read(0);
    CHECK(r.position == base);
    REQUIRE(r.failure.has_value());
    CHECK(r.failure->code() == errc::corrupt);
    CHECK(r.failure->path() == s.file(2));
    CHECK_THAT(r.failure->reason(),
               ContainsSubstring("base offset") || ContainsSubstring("expected " + std::to_string(base)));
  }
}

TEST_CASE("an offset that no segment's base leads to is damage and not out of range") {
  const sample s;
  s.set(s.file(0), 128, 10);
  const auto below = s.read(5);
  REQUIRE(below.failure.has_value());
  CHECK(below.failure->code() == errc::corrupt);
  CHECK(below.failure->path() == s.file(0));
  s.set(s.file(0), 128, 0);

  s.set(s.file(2), 128, std::uint64_t{1} << 40);
  CHECK(s.read(s.segments[2].base_offset + 1).failure->path() == s.file(2));
  s.set(s.file(2), 152, ~(std::uint64_t{1} << 40));
  const auto beyond = s.read(s.segments[2].base_offset + 1);
  REQUIRE(beyond.failure.has_value());
  CHECK(beyond.failure->code() == errc::corrupt);
  CHECK(beyond.failure->path() == s.file(1));
  CHECK(s.read(s.segments[3].end_offset + 1).failure->code() == errc::out_of_range);
}

TEST_CASE("a begun segment without a base offset hides only its own records") {
  const sample s;
  s.set(s.file(1), 128, ~std::uint64_t{0});
  CHECK(s.read(0).position == s.segments[1].base_offset);
  CHECK(s.read(s.segments[2].base_offset).position == s.segments[3].end_offset);
  const auto lost = s.read(s.segments[1].base_offset + 1);
  REQUIRE(lost.failure.has_value());
  CHECK(lost.failure->code() == errc::corrupt);
  CHECK(lost.failure->path() == s.file(1));
  s.set(s.file(3), 128, ~std::uint64_t{0});
  CHECK(failure_of([&] { (void)s.topic().end_offset(0); })->path() == s.file(3));
}

TEST_CASE("a free slot in a segment that another follows is an error behind the records before it") {
  const sample s;
  s.set(s.file(1), 4096 + 5 * 8, 0);
  const auto r = s.read(0);
  CHECK(r.position == s.segments[1].base_offset + 5);
  REQUIRE(r.failure.has_value());
  CHECK(r.failure->code() == errc::corrupt);
  CHECK(r.failure->path() == s.file(1));
  CHECK_THAT(r.failure->reason(), ContainsSubstring("slot 5 (offset " + std::to_string(r.position) + ") is free"));
}

TEST_CASE("a log start beyond the end is told to readers that begin there") {
  const sample s;
  s.set(s.topic_file, 4096 + 8, 1'000'000);
  const auto r = s.read(0, leat::offset_reset::earliest);
  REQUIRE(r.failure.has_value());
  CHECK(r.failure->code() == errc::corrupt);
  CHECK(r.failure->path() == s.topic_file);
  CHECK_THAT(r.failure->reason(),
             ContainsSubstring("partition 0 starts at offset 1000000, expected one up to its end"));
}

TEST_CASE("a group is not put anywhere in a partition that starts beyond its end") {
  const sample s;
  s.set(s.topic_file, 4096 + 8, 1'000'000);
  for (const leat::reset_target& to : {leat::reset_target(leat::to_offset{3}), leat::reset_target(leat::shift_by{2})}) {
    const auto failure = failure_of([&] { (void)s.admin().reset_offsets("g", "t", to); });
    REQUIRE(failure.has_value());
    CHECK(failure->code() == errc::corrupt);
    CHECK(failure->path() == s.topic_file);
  }
}

TEST_CASE("very many segments that are said to have begun cost no more than those that there are") {
  const sample s;
  for (const std::uint64_t begun : {std::uint64_t{1} << 40, std::uint64_t{1} << 52}) {
    CAPTURE(begun);
    s.set(s.topic_file, 4096, begun);
    CHECK(in_child(
              [&]() -> std::string {
                const auto findings = s.admin().verify("t");
                if (findings.size() != 2) return "findings: " + std::to_string(findings.size());
                if (findings[0].path != s.file(3)) return findings[0].path;  // it has not ended
                if (findings[1].path != s.path + "/topics/t/0000-0000000000000004") return findings[1].path;
                const auto segments = s.admin().segments({"t", 0});
                if (segments.size() != 5 || segments[4].defect != findings[1].what) return "segments";
                const auto r = s.read(0);
                if (r.position != s.segments[3].end_offset) return "read up to " + std::to_string(r.position);
                return r.failure->path();
              },
              10) == s.file(3));
  }
  s.set(s.topic_file, 4096, (std::uint64_t{1} << 52) + 1);
  const auto refused = failure_of([&] { (void)s.topic().end_offset(0); });
  REQUIRE(refused.has_value());
  CHECK(refused->code() == errc::corrupt);
  CHECK(refused->path() == s.topic_file);
}

TEST_CASE("a taken slot behind a free one at the end of the log is found") {
  const sample s;
  const std::uint64_t records = s.segments[3].end_offset - s.segments[3].base_offset;
  REQUIRE(s.admin().verify("t").empty());
  s.set(s.file(3), 4096 + (records + 2) * 8, number_at(read_file(s.file(3)), 4096, 8));
  const auto findings = s.admin().verify("t");
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].path == s.file(3));
  CHECK_THAT(findings[0].what, ContainsSubstring("slot " + std::to_string(records + 2) + " is taken behind slot " +
                                                 std::to_string(records) + ", which is free"));
}

TEST_CASE("a segment that was cut off after it was mapped is refused when it is opened again") {
  const sample s;
  const auto topic = s.topic();
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::none}};
  in.seek({0, 0});
  REQUIRE(in.poll().size() > 1);
  in.seek_to_end();
  (void)in.poll();
  std::filesystem::resize_file(s.file(0), 4096);
  in.seek({0, 0});
  const std::string said = in_child([&] {
    const auto again = s.topic();
    leat::consumer first{again, {.auto_offset_reset = leat::offset_reset::none}};
    first.seek({0, s.segments[3].base_offset});
    (void)first.poll();
    return message_of([&] { (void)leat::storage::end_offset(again.log()->partition(0)); });
  });
  CHECK(said == "no error");
  const auto failure = failure_of([&] { (void)in.poll().begin(); });
  REQUIRE(failure.has_value());
  CHECK(failure->code() == errc::truncated);
  CHECK(failure->path() == s.file(0));
}

TEST_CASE("a value and headers that are damaged are told with their record") {
  const leat_tests::temporary_directory place;
  const std::string path = place.path() + "/store";
  const auto numbers = leat::store::open(path).topic<std::uint64_t>("n", {.segment_bytes = segment_bytes});
  leat::producer out{numbers};
  const leat::header headers[] = {{"h", "x"}};
  (void)out.send(std::uint64_t{1}).value();
  (void)out.send(leat::null, 2, {.headers = std::span<const leat::header>(headers)}).value();
  const std::string segment = path + "/topics/n/0000-0000000000000000";
  poke(segment, 4096 + 4, std::string(1, '\7'));
  const std::uint64_t second = (number_at(read_file(segment), 4096 + 8, 8) & 0xffffffff) * 8;
  poke(segment, second + 24 + 8, "\x7f");  // the header's name
  leat::consumer in{numbers, {.auto_offset_reset = leat::offset_reset::earliest}};
  const auto batch = in.poll();
  REQUIRE(batch.size() == 2);
  auto record = batch.begin();
  CHECK_THAT(message_of([&] { (void)(*record).value(); }),
             ContainsSubstring("topic n, partition 0, offset 0, value: it has 7 bytes, expected 8"));
  ++record;
  CHECK_THAT(message_of([&] { (void)(*record).headers().begin(); }),
             ContainsSubstring("topic n, partition 0, offset 1: ") && ContainsSubstring("headers are damaged"));
}

// --- topic files ---

TEST_CASE("a topic file that would make its users' files programs of root is refused") {
  const sample s;
  const std::string sound = read_file(s.topic_file);
  for (const std::uint64_t mode : {04600u, 02600u, 01600u, 0700u, 0610u, 0400u, 0200u, 0100600u}) {
    CAPTURE(mode);
    std::string header = sound.substr(0, 620);
    header.replace(72, 4, little_endian(mode, 4));
    poke(s.topic_file, 0, header + little_endian(leat_tests::slow_crc32c(header), 4));
    CHECK(code_of([&] { (void)s.topic(); }) == errc::corrupt);
  }
}

// --- groups ---

/// A store with a topic "t" and a group "g" that a static member has left for a while.
struct group_sample {
  leat_tests::temporary_directory place;
  std::string path = place.path() + "/store";
  std::string group_file = path + "/groups/g/group";
  std::string member_file = path + "/groups/g/member-0000000001";

  group_sample() {
    (void)open().topic<int>("t");
    auto in = member("first");
    (void)in.poll().begin();
  }
  leat::store open() const { return leat::store::open(path); }
  leat::consumer<int> member(const std::string& instance) const {
    leat::consumer<int> in{open(),
                           {.group = "g", .group_instance_id = instance, .session_timeout = std::chrono::hours(1)}};
    in.subscribe({"t"});
    return in;
  }
  void mend(std::size_t checksum_at, const std::string& file) const {
    poke(file, checksum_at, little_endian(leat_tests::slow_crc32c(read_file(file).substr(0, checksum_at)), 4));
  }
};

TEST_CASE("a static member that was lost at an impossible time has all its time to come back") {
  const group_sample s;
  const std::uint64_t two_hours_before = ~std::uint64_t{0} - 7'200'000'000'000;
  for (const std::uint64_t since : {two_hours_before, std::uint64_t{1} << 63, (std::uint64_t{1} << 63) - 1}) {
    CAPTURE(since);
    poke(s.member_file, 1048, little_endian(since, 8));
    auto other = s.member("second");
    (void)other.poll().begin();
    CHECK(leat::admin(s.open()).describe_group("g").members.size() == 2);
    other.close();
  }
}

TEST_CASE("an incarnation that is no byte of a file is damage and names the member's file") {
  const group_sample s;
  for (const std::uint64_t life : {std::uint64_t{0}, std::uint64_t{1} << 63, ~std::uint64_t{2}}) {
    CAPTURE(life);
    poke(s.member_file, 1024, little_endian(life, 8));
    for (const auto& failure : {failure_of([&] { (void)leat::admin(s.open()).describe_group("g"); }),
                                failure_of([&] { (void)s.member("first").poll().begin(); })}) {
      REQUIRE(failure.has_value());
      CHECK(failure->code() == errc::corrupt);
      CHECK(failure->path() == s.member_file);
    }
  }
}

TEST_CASE("a group that has run out of numbers says so instead of giving one twice") {
  const group_sample s;
  for (const std::uint64_t made : {~std::uint64_t{0}, (std::uint64_t{1} << 32) - 1, std::uint64_t{1} << 40}) {
    CAPTURE(made);
    poke(s.group_file, 576, little_endian(made, 8));
    const auto failure = failure_of([&] { (void)s.member("new").poll().begin(); });
    REQUIRE(failure.has_value());
    CHECK(failure->code() == errc::corrupt);
    CHECK(failure->path() == s.group_file);
  }
}

TEST_CASE("an assignment of a size that none has is refused before it is looked at") {
  const group_sample s;
  const std::string name = s.path + "/groups/g/assignment-1";
  for (const auto& entry : std::filesystem::directory_iterator(s.path + "/groups/g")) {
    if (entry.path().filename().string().starts_with("assignment-")) {
      std::filesystem::resize_file(entry.path(), std::uint64_t{1} << 38);
    }
  }
  const std::string said = in_child([&] { return message_of([&] { (void)s.member("first").poll().begin(); }); }, 10);
  CHECK_THAT(said, ContainsSubstring("/groups/g/assignment-") && ContainsSubstring("274877906944 bytes, expected"));
}

TEST_CASE("an expression that would take the process with it is refused") {
  const auto refusal = [](const std::string& expression) {
    return in_child([&] { return message_of([&] { leat::group::topic_filter({expression}, true, "place"); }); }, 10);
  };
  const auto many = [](std::size_t count, const char* what) {
    std::string text;
    while (count-- != 0) text += what;
    return text;
  };
  CHECK_THAT(refusal(many(100'000, "(") + "a" + many(100'000, ")")), ContainsSubstring("1000 bytes"));
  CHECK_THAT(refusal("(a*)(a*)(a*)(a*)\\1\\2\\3\\4b"), ContainsSubstring("back-reference"));
  for (const char* expression : {"(a{1,1000}){1,1000}", "((a|b)*){224}{200}", "a{32767}", "((a{30}){30}){30}",
                                 "(((a[{]){250}[{]){250}[{]){250}", "(((a[^]{]){250}[[:alpha:]{]){250}\\{){250}"}) {
    CAPTURE(expression);
    CHECK_THAT(refusal(expression), ContainsSubstring("repetitions are too many"));
  }
  for (const std::string& expression :
       {std::string("[a-z]{1,249}\\.[a-z]{1,249}"), std::string("[0-9]{4}-[0-9]{2}"), std::string("(a|b)*[]{}]+"),
        many(499, "(") + "a" + many(499, ")"), std::string("[[:alpha:]]{3}\\\\1")}) {
    CAPTURE(expression);
    CHECK(refusal(expression) == "no error");
  }
}

TEST_CASE("another member's expression that cannot be is told with that member's file") {
  const group_sample s;
  {
    leat::consumer<int> in{s.open(),
                           {.group = "g", .group_instance_id = "pattern", .session_timeout = std::chrono::hours(1)}};
    in.subscribe_pattern("aaaaaaaaaaaa");
    (void)in.poll().begin();
  }
  const std::string file = s.path + "/groups/g/member-0000000002";
  poke(file, 1088, "a{32767}");
  const std::string said = in_child([&] { return message_of([&] { (void)s.member("third").poll().begin(); }); }, 10);
  CHECK_THAT(said, ContainsSubstring(file) && ContainsSubstring("no regular expression"));
}

// --- durable topics ---

TEST_CASE("a send that waits for the device comes to an end where the log has got shorter meanwhile") {
  const leat_tests::temporary_directory place;
  const std::string path = place.path() + "/store";
  const auto topic = leat::store::open(path).topic<std::string>(
      "t",
      {.segment_bytes = segment_bytes, .retention = {.bytes = leat::unlimited}, .durability = leat::durability::every});
  leat::producer out{topic};
  while (topic.log()->partition(0).begun().observe() < 2) (void)out.send(std::string(300, '.')).value();
  const std::string last = path + "/topics/t/0000-0000000000000001";
  for (const std::uint64_t wrong : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
    CAPTURE(wrong);
    poke(last, 128, little_endian(wrong, 8));
    const std::string said = in_child(
        [&] {
          leat::producer mine{leat::store::open(path).topic<std::string>("t")};
          (void)mine.send("first");  // from which on it knows the base offset
          return std::string("sent");
        },
        10);
    CHECK_THAT(said, ContainsSubstring("exception: " + path + "/topics/t/") && ContainsSubstring("damaged file"));
  }
}

TEST_CASE("a topic whose segments do not follow one another is recovered or refused with the file") {
  const leat::durability how = GENERATE(leat::durability::none, leat::durability::every);
  const leat_tests::temporary_directory place;
  const std::string path = place.path() + "/store";
  {
    const auto topic = leat::store::open(path).topic<std::string>(
        "t", {.segment_bytes = segment_bytes, .retention = {.bytes = leat::unlimited}, .durability = how});
    leat::producer out{topic};
    while (topic.log()->partition(0).begun().observe() < 3) (void)out.send(std::string(300, '.')).value();
  }
  const std::string folder = path + "/topics/t/";
  poke(folder + "topic", offsetof(leat::format::topic_header, boot), std::string(16, 'b'));
  const std::string sound_topic = read_file(folder + "topic");
  for (std::uint64_t segment = 0; segment < 3; ++segment) {
    const std::string file = folder + leat::storage::segment_name{0, segment}.text();
    const std::string sound = read_file(file);
    for (const std::uint64_t base : {std::uint64_t{1000}, std::uint64_t{1} << 40, ~std::uint64_t{1}}) {
      CAPTURE(segment, base);
      poke(file, 128, little_endian(base, 8));
      const std::string copy = place.path() + "/copy";
      std::filesystem::remove_all(copy);
      std::filesystem::copy(path, copy, std::filesystem::copy_options::recursive);
      const std::string said = in_child([&]() -> std::string {
        const auto topic = leat::store::open(copy).topic<std::string>("t");
        return std::to_string(topic.start_offset(0)) + " to " + std::to_string(topic.end_offset(0));
      });
      CHECK_THAT(said, ContainsSubstring(" to ") || (ContainsSubstring("exception: " + copy + "/topics/t/0000-") &&
                                                     ContainsSubstring("damaged file")));
      leat_tests::write_file(file, sound);
    }
  }
}

}  // namespace unit_damage_told
