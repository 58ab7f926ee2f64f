// Stores whose files were damaged or come from somewhere else: a clear error, or nothing is noticed; never a crash, an
// endless loop, or a read outside of the files.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/in_child.hpp"
#include "support/read_all.hpp"
#include "support/temporary_store.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace unit_damage {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using leat::errc;
using leat_tests::code_of;
using leat_tests::in_child;
using leat_tests::little_endian;
using leat_tests::message_of;
using leat_tests::poke;
using leat_tests::read_file;
using leat_tests::write_file;

constexpr std::uint64_t segment_bytes = 16384;

/// A store with a topic "t" of some segments, and what reading it gives.
struct sample {
  leat_tests::temporary_directory place;
  std::string path = place.path() + "/store";
  std::string store_file = path + "/store";
  std::string topic_file = path + "/topics/t/topic";
  std::string first_segment = path + "/topics/t/0000-0000000000000000";
  std::string whole;

  /// Until so many segments have begun.
  explicit sample(std::uint64_t segments = 3) {
    const auto topic = leat::store::open(path).topic<std::string>(
        "t", {.segment_bytes = segment_bytes, .retention = {.bytes = leat::unlimited}});
    leat::producer out{topic};
    for (int i = 0; topic.log()->partition(0).begun().observe() < segments || i < 10; ++i) {
      const std::string value = "value " + std::to_string(i);
      if (i % 3 == 0) {
        REQUIRE(out.send(value));
      } else {
        const leat::header headers[] = {{"h", "x"}, {"n", leat::null}};
        REQUIRE(out.send("key", value + std::string(i < 10 ? 0 : 300, '.'),
                         {.headers = std::span<const leat::header>(headers)}));
      }
    }
    whole = read();
    REQUIRE_THAT(whole, StartsWith("0..") && ContainsSubstring("0=value 0;1=key/value 1/2;"));
  }

  /// All that can be read, record by record, and the error where there is one. Anything but a leat::error gets out.
  std::string read() const {
    std::string said;
    try {
      const auto store = leat::store::open(path, {.mode = leat::open_mode::open});
      const auto topic = store.topic<std::string>("t", {.mode = leat::open_mode::open});
      said += std::to_string(topic.start_offset(0)) + ".." + std::to_string(topic.end_offset(0)) + ": ";
      leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
      for (int polls = 0; polls < 10; ++polls) {
        for (const auto& record : in.poll()) {
          said += std::to_string(record.offset()) + "=";
          if (record.has_key()) said += std::string(record.key()) + "/";
          if (record.has_value()) said += record.value();
          const auto headers = std::ranges::distance(record.headers());
          if (headers != 0) said += "/" + std::to_string(headers);
          said += ";";
        }
      }
    } catch (const leat::error& e) {
      said += "error: " + std::string(e.what());
    }
    return said;
  }

  /// Appends some records; the offset behind them, or the error.
  std::string append(int records = 5) const {
    try {
      const auto store = leat::store::open(path, {.mode = leat::open_mode::open});
      const auto topic = store.topic<std::string>("t", {.mode = leat::open_mode::open});
      leat::producer out{topic};
      std::uint64_t offset = 0;
      for (int i = 0; i < records; ++i) {
        const auto at = out.send(std::string(1000, 'n'));
        if (!at) return "error: value " + leat::make_error_code(at.error()).message();
        offset = at.value().offset;
      }
      return std::to_string(offset + 1);
    } catch (const leat::error& e) {
      return "error: " + std::string(e.what());
    }
  }
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif
#else
constexpr bool sanitized = false;
#endif

/// Keeps a child that runs wild from taking all memory with it.
void limit_memory() {
  if constexpr (!sanitized) {  // sanitizers take address space by the terabyte
    const rlimit limit{std::uint64_t{1} << 30, std::uint64_t{1} << 30};
    ::setrlimit(RLIMIT_AS, &limit);
  }
}

/// The byte at `at` changed by `mask`, for the life of this object.
class flipped {
 public:
  flipped(std::string path, std::uint64_t at, unsigned char mask) : path_(std::move(path)), at_(at) {
    before_ = read_file(path_).substr(at, 1);
    poke(path_, at, std::string(1, static_cast<char>(before_[0] ^ mask)));
  }
  flipped(const flipped&) = delete;
  flipped& operator=(const flipped&) = delete;
  ~flipped() { poke(path_, at_, before_); }

 private:
  std::string path_;
  std::uint64_t at_;
  std::string before_;
};

TEST_CASE("every byte of a store file's header counts and no other does") {
  const sample s;
  for (std::uint64_t at = 0; at < 400; ++at) {
    CAPTURE(at);
    const flipped damage(s.store_file, at, 0x21);
    const std::string read = s.read();
    if (at < 40) {
      REQUIRE_THAT(read, StartsWith("error: ") && ContainsSubstring(s.store_file));
      REQUIRE(code_of([&] { leat::store::open(s.path); }) == (at < 8    ? errc::foreign
                                                              : at < 12 ? errc::wrong_version
                                                                        : errc::corrupt));
    } else {
      REQUIRE(read == s.whole);
    }
  }
}

TEST_CASE("every byte of a topic file's header counts and of the rest its marks of deletion and number of partitions") {
  const sample s;
  const auto store = leat::store::open(s.path);
  for (std::uint64_t at = 0; at < 4096; at += at < 624 || (at >= 1016 && at < 1080) ? 1 : 13) {
    CAPTURE(at);
    const flipped damage(s.topic_file, at, 0x42);
    const errc code = code_of([&] { (void)store.describe_topic("t"); });
    if (at < 624) {
      REQUIRE(code == (at < 8 ? errc::foreign : at < 12 ? errc::wrong_version : errc::corrupt));
      REQUIRE_THAT(message_of([&] { (void)store.topic<std::string>("t"); }), ContainsSubstring(s.topic_file));
    } else {
      const bool closed = at >= 1024 && at < 1032;
      const bool partitions_now = at >= 1040 && at < 1048;
      REQUIRE(code == (closed || partitions_now ? errc::corrupt : errc::ok));
    }
  }
  CHECK(s.read() == s.whole);
}

TEST_CASE("a topic header with a sound checksum and impossible sizes is corrupt") {
  const sample s;
  const std::string sound = read_file(s.topic_file);
  const auto opened_with = [&](std::size_t at, std::size_t width, std::uint64_t number) {
    std::string header = sound.substr(0, 620);
    header.replace(at, width, little_endian(number, width));
    poke(s.topic_file, 0, header + little_endian(leat_tests::slow_crc32c(header), 4));
    const errc code = code_of([&] { (void)leat::store::open(s.path).describe_topic("t"); });
    poke(s.topic_file, 0, sound.substr(0, 624));
    return code;
  };
  CHECK(opened_with(12, 4, 1) == errc::ok);
  CHECK(opened_with(12, 4, 0) == errc::corrupt);      // partitions
  CHECK(opened_with(12, 4, 1025) == errc::corrupt);   //
  CHECK(opened_with(12, 4, 2) == errc::truncated);    //
  CHECK(opened_with(32, 8, 0) == errc::corrupt);      // segment bytes
  CHECK(opened_with(32, 8, 4096) == errc::corrupt);   //
  CHECK(opened_with(32, 8, 16385) == errc::corrupt);  //
  CHECK(opened_with(32, 8, ~std::uint64_t{0} << 12) == errc::corrupt);
  CHECK(opened_with(40, 8, 0) == errc::corrupt);     // slots
  CHECK(opened_with(40, 8, 1536) == errc::corrupt);  // up to the end of the file
  CHECK(opened_with(40, 8, ~std::uint64_t{0}) == errc::corrupt);
  CHECK(opened_with(40, 8, std::uint64_t{1} << 61) == errc::corrupt);
  CHECK(opened_with(56, 4, 1 << 20) == errc::corrupt);            // the largest record
  CHECK(opened_with(64, 4, 2) == errc::corrupt);                  // timestamps
  CHECK(opened_with(68, 4, 2) == errc::corrupt);                  // single writer
  CHECK(opened_with(76, 4, 0) == errc::corrupt);                  // value alignment
  CHECK(opened_with(76, 4, 24) == errc::corrupt);                 //
  CHECK(opened_with(76, 4, 8192) == errc::corrupt);               //
  CHECK(opened_with(104 + 252, 4, 0x41414141) == errc::corrupt);  // a name without an end
  CHECK(opened_with(360 + 252, 4, 0x41414141) == errc::corrupt);
}

TEST_CASE("another format version is named in the error together with the expected one") {
  const sample s;
  for (const std::string& file : {s.store_file, s.topic_file, s.first_segment}) {
    CAPTURE(file);
    const std::string before = read_file(file).substr(8, 4);
    poke(file, 8, little_endian(leat::format::version + 1, 4));
    CHECK_THAT(s.read(), ContainsSubstring("error: " + file) && ContainsSubstring("unknown format version") &&
                             ContainsSubstring("version " + std::to_string(leat::format::version + 1)));
    poke(file, 8, before);
  }
}

TEST_CASE("a truncated file is told to be so with its size") {
  const sample s;
  for (const std::string& file : {s.store_file, s.topic_file, s.first_segment}) {
    const std::string sound = read_file(file);
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{100}, sound.size() - 1}) {
      CAPTURE(file, bytes);
      write_file(file, sound.substr(0, bytes));
      CHECK_THAT(s.read(), ContainsSubstring("error: " + file) && ContainsSubstring("truncated file") &&
                               ContainsSubstring("has " + std::to_string(bytes) + " bytes"));
    }
    write_file(file, sound);
  }
  CHECK(s.read() == s.whole);
}

TEST_CASE("a file of something else is foreign") {
  const sample s;
  for (const std::string& file : {s.store_file, s.topic_file, s.first_segment}) {
    CAPTURE(file);
    const std::string sound = read_file(file);
    for (const char filling : {'\0', 'x', '\xff'}) {
      write_file(file, std::string(sound.size(), filling));
      CHECK_THAT(s.read(), ContainsSubstring("error: " + file) && ContainsSubstring("not a leat file"));
    }
    write_file(file, sound);
  }
  CHECK(s.read() == s.whole);
}

TEST_CASE("a missing file or directory is named") {
  const sample s;
  const auto without = [&](const std::string& name) {
    const std::string path = s.path + "/" + name;
    std::filesystem::rename(path, s.place.path() + "/aside");
    const std::string said = s.read();
    std::filesystem::rename(s.place.path() + "/aside", path);
    return said;
  };
  CHECK_THAT(without("store"), StartsWith("error: " + s.path) && ContainsSubstring("not found"));
  CHECK_THAT(without("topics"), StartsWith("error: " + s.path + "/topics") && ContainsSubstring("not found"));
  CHECK_THAT(without("topics/t"), StartsWith("error: " + s.path + "/topics/t") && ContainsSubstring("no such topic"));
  CHECK_THAT(without("topics/t/topic"),
             StartsWith("error: " + s.path + "/topics/t") && ContainsSubstring("no topic file"));
  CHECK_THAT(without("topics/t/0000-0000000000000000"), ContainsSubstring("error: " + s.first_segment));
  CHECK_THAT(without("topics/t/0000-0000000000000002"),
             ContainsSubstring("error: ") && ContainsSubstring("0000-0000000000000002"));
  CHECK(s.read() == s.whole);
}

TEST_CASE("something else in the place of a file or directory is foreign") {
  const sample s;
  const auto replaced = [&](const std::string& name, const std::function<void(const std::string&)>& make) {
    const std::string path = s.path + "/" + name;
    std::filesystem::rename(path, s.place.path() + "/aside");
    make(path);
    const std::string said = s.read();
    std::filesystem::remove_all(path);
    std::filesystem::rename(s.place.path() + "/aside", path);
    return said;
  };
  const std::pair<const char*, std::function<void(const std::string&)>> kinds[] = {
      {"directory", [](const std::string& path) { std::filesystem::create_directory(path); }},
      {"link", [&](const std::string& path) { std::filesystem::create_symlink(s.place.path() + "/aside", path); }},
      {"dangling link", [](const std::string& path) { std::filesystem::create_symlink("nowhere", path); }},
      {"pipe", [](const std::string& path) { ::mkfifo(path.c_str(), 0600); }}};
  for (const auto& [kind, make] : kinds) {
    CAPTURE(kind);
    for (const char* file :
         {"store", "topics/t/topic", "topics/t/0000-0000000000000000", "topics/t/0000-0000000000000002"}) {
      CAPTURE(file);
      CHECK_THAT(replaced(file, make),
                 ContainsSubstring("error: " + s.path + "/" + file) && ContainsSubstring("not a leat file"));
    }
    if (std::string(kind) == "directory") continue;
    for (const char* directory : {"topics", "topics/t"}) {
      CAPTURE(directory);
      CHECK_THAT(replaced(directory, make),
                 ContainsSubstring("error: " + s.path + "/" + directory) && ContainsSubstring("not a leat file"));
    }
  }
  CHECK(s.read() == s.whole);
}

TEST_CASE("whatever stands in a partition's words a reader gets an error or records and comes to an end") {
  const sample s;
  const std::string sound = read_file(s.topic_file);
  const char* const names[] = {"begun", "start_offset", "start_sequence", "reclaimed"};
  for (std::uint64_t word = 0; word < 4; ++word) {
    for (const std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{4}, std::uint64_t{1000},
          std::uint64_t{1} << 40, std::uint64_t{1} << 52, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
      CAPTURE(names[word], value);
      poke(s.topic_file, 4096 + word * 8, little_endian(value, 8));
      const std::string said = in_child(
          [&] {
            limit_memory();
            return s.read();
          },
          2);
      CHECK_THAT(said, StartsWith("error: ") || ContainsSubstring(".."));
      poke(s.topic_file, 4096, sound.substr(4096));
    }
  }
  CHECK(s.read() == s.whole);
}

TEST_CASE("whatever stands in a partition's words a producer gets an error or appends and comes to an end") {
  const char* const names[] = {"begun", "start_offset", "start_sequence", "reclaimed"};
  for (std::uint64_t word = 0; word < 4; ++word) {
    for (const std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{4}, std::uint64_t{1000},
          std::uint64_t{1} << 40, std::uint64_t{1} << 52, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
      CAPTURE(names[word], value);
      const sample s(2);
      poke(s.topic_file, 4096 + word * 8, little_endian(value, 8));
      const std::string said = in_child(
          [&] {
            limit_memory();
            return s.append(30);
          },
          2);
      CHECK_THAT(said, StartsWith("error: ") || Catch::Matchers::Matches("[0-9]+"));
    }
  }
}

TEST_CASE("a log that claims to have retired very many segments is appended to or refused at once") {
  const sample s(1);
  constexpr std::uint64_t sequence = std::uint64_t{1} << 40;
  std::string identity = read_file(s.first_segment).substr(0, 60);
  identity.replace(32, 8, little_endian(sequence, 8));
  poke(s.first_segment, 0, identity + little_endian(leat_tests::slow_crc32c(identity), 4));
  std::filesystem::rename(s.first_segment, s.path + "/topics/t/" + leat::storage::segment_name{0, sequence}.text());
  poke(s.topic_file, 4096, little_endian(sequence + 1, 8));
  poke(s.topic_file, 4096 + 16, little_endian(sequence, 8));
  const std::string said = in_child(
      [&] {
        limit_memory();
        return s.append(60);
      },
      2);
  CHECK_THAT(said, StartsWith("error: ") || Catch::Matchers::Matches("[0-9]+"));
}

TEST_CASE("every byte of a segment's identity counts and the words behind it never lead outside") {
  const sample s;
  for (std::uint64_t at = 0; at < 384; ++at) {
    CAPTURE(at);
    const flipped damage(s.first_segment, at, 0x84);
    const std::string read = s.read();
    const bool is_base = (at >= 128 && at < 136) || (at >= 152 && at < 160);
    if (at < 64 || is_base) {
      REQUIRE_THAT(read, ContainsSubstring("error: " + s.first_segment));
    } else if (at < 128 || at >= 144) {
      REQUIRE(read == s.whole);  // the tail of the data area is the producers' affair
    } else {
      REQUIRE_THAT(read, StartsWith("error: ") || ContainsSubstring(".."));
    }
  }
}

TEST_CASE("records before a damaged slot are read and then an error says where") {
  const sample s(1);
  const std::string before = s.whole.substr(0, s.whole.find("6="));
  const std::string until_six = before.substr(before.find(": "));
  const std::string sound = read_file(s.first_segment).substr(4096 + 6 * 8, 8);
  for (std::uint64_t byte = 0; byte < 8; ++byte) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      CAPTURE(byte, bit);
      const flipped damage(s.first_segment, 4096 + 6 * 8 + byte, static_cast<unsigned char>(1u << bit));
      const std::string read = s.read();
      REQUIRE_THAT(read, ContainsSubstring(until_six));
      if (byte == 7 && bit != 0) {  // a kind that there is not
        REQUIRE_THAT(read, ContainsSubstring("error: " + s.first_segment) && ContainsSubstring("slot 6 (offset 6)") &&
                               ContainsSubstring("damaged file"));
      }
    }
  }
  poke(s.first_segment, 4096 + 6 * 8, sound);
  CHECK(s.read() == s.whole);
}

TEST_CASE("records before one with a damaged prefix are read and the error says which it is") {
  const sample s(1);
  // Record 7 is a full one.
  const std::uint64_t word = leat_tests::number_at(read_file(s.first_segment), 4096 + 7 * 8, 8);
  REQUIRE(word >> 56 == 2);
  const std::uint64_t position = (word & 0xffffffff) * 8;
  const std::string start = s.whole.substr(s.whole.find(": "), s.whole.find("7=") - s.whole.find(": "));
  for (std::uint64_t at = position + 8; at < position + 20; ++at) {
    for (const int mask : {0x01, 0x10, 0x80, 0xff}) {
      CAPTURE(at - position, mask);
      const flipped damage(s.first_segment, at, static_cast<unsigned char>(mask));
      const std::string read = s.read();
      REQUIRE_THAT(read, ContainsSubstring(start));
      if (mask == 0x80 || mask == 0xff) {
        REQUIRE_THAT(read, ContainsSubstring("error: ") &&
                               (ContainsSubstring("partition 0, offset 7") ||
                                ContainsSubstring("headers are damaged") || ContainsSubstring("7=")));
      }
    }
  }
}

TEST_CASE("a value that is not what the type's codec writes is an error when it is read") {
  const leat_tests::temporary_directory place;
  const std::string path = place.path() + "/store";
  {
    leat::producer out{leat::store::open(path).topic<std::uint64_t>("t", {.segment_bytes = segment_bytes})};
    REQUIRE(out.send(std::uint64_t{1}));
  }
  // The extent of the compact record becomes 7.
  poke(path + "/topics/t/0000-0000000000000000", 4096 + 4, std::string(1, '\7'));
  leat::consumer in{leat::store::open(path).topic<std::uint64_t>("t"),
                    {.auto_offset_reset = leat::offset_reset::earliest}};
  const auto batch = in.poll();
  REQUIRE(batch.size() == 1);
  CHECK(code_of([&] { (void)(*batch.begin()).value(); }) == errc::corrupt);
  CHECK_THAT(message_of([&] { (void)(*batch.begin()).value(); }), ContainsSubstring("has 7 bytes, expected 8"));
}

TEST_CASE("a producer that meets damaged segments gets an error or appends whole records") {
  const sample s(2);
  const auto outcome = [&](std::uint64_t at, unsigned char mask) {
    const std::string copy = s.place.path() + "/copy";
    std::filesystem::remove_all(copy);
    std::filesystem::copy(s.path, copy, std::filesystem::copy_options::recursive);
    const std::string segment = copy + "/topics/t/0000-0000000000000001";
    const flipped damage(segment, at, mask);
    return in_child(
        [&]() -> std::string {
          limit_memory();
          try {
            const auto topic = leat::store::open(copy).topic<std::string>("t");
            leat::producer out{topic};
            for (int i = 0; i < 20; ++i) {
              const auto position = out.send("whole" + std::string(500, '.'));
              if (!position) return "error value";
              leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::none}};
              in.seek(position.value());
              for (const auto& record : in.poll()) {
                if (record.value() != "whole" + std::string(500, '.')) return "not whole";
              }
            }
            return "appended";
          } catch (const leat::error& e) {
            return "error";
          }
        },
        5);
  };
  for (std::uint64_t at = 0; at < 384; at += at >= 128 && at < 136 ? 1 : at >= 256 && at < 264 ? 1 : 16) {
    for (const int mask : {0x01, 0x80, 0xff}) {
      CAPTURE(at, mask);
      CHECK_THAT(outcome(at, static_cast<unsigned char>(mask)),
                 StartsWith("error") || Catch::Matchers::Equals("appended"));
    }
  }
  for (std::uint64_t slot = 0; slot < 30; slot += 3) {
    for (std::uint64_t byte = 0; byte < 8; byte += 7) {
      CAPTURE(slot, byte);
      CHECK_THAT(outcome(4096 + slot * 8 + byte, 0xff), StartsWith("error") || Catch::Matchers::Equals("appended"));
    }
  }
}

TEST_CASE("a segment with a damaged header hides only its own records") {
  const sample s(4);
  const auto topic = leat::store::open(s.path).topic<std::string>("t");
  const auto segments = leat::admin(leat::store::open(s.path)).segments({"t", 0});
  REQUIRE(segments.size() == 4);
  poke(s.path + "/topics/t/0000-0000000000000001", 32, little_endian(77, 8));

  const auto first_read_at = [&](std::uint64_t offset) {
    const auto fresh = leat::store::open(s.path).topic<std::string>("t");  // nothing of it is mapped yet
    leat::consumer in{fresh, {.auto_offset_reset = leat::offset_reset::none}};
    in.seek({0, offset});
    return (*in.poll().begin()).offset();
  };
  CHECK(first_read_at(0) == 0);
  CHECK(first_read_at(segments[0].end_offset - 1) == segments[0].end_offset - 1);
  CHECK(first_read_at(segments[2].base_offset) == segments[2].base_offset);
  CHECK(first_read_at(segments[3].base_offset) == segments[3].base_offset);
  for (const std::uint64_t lost : {segments[1].base_offset, segments[1].end_offset - 1}) {
    const auto failure = leat_tests::failure_of([&] { (void)first_read_at(lost); });
    REQUIRE(failure.has_value());
    CHECK(failure->code() == errc::corrupt);
    CHECK_THAT(failure->path(), ContainsSubstring("0000-0000000000000001"));
  }

  const auto described = leat::admin(leat::store::open(s.path)).segments({"t", 0});
  REQUIRE(described.size() == 4);
  CHECK_FALSE(described[1].defect.empty());
  CHECK(described[2].defect.empty());
  CHECK(described[2].base_offset == segments[2].base_offset);
}

}  // namespace unit_damage
