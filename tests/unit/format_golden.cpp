// A store written byte by byte, without the help of leat, as docs/format.md has it.
#include "support/catch.hpp"
#include "support/file_bytes.hpp"
#include "support/temporary_store.hpp"

#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace unit_format_golden {

using leat_tests::little_endian;
using leat_tests::number_at;
using leat_tests::read_file;
using leat_tests::slow_crc32c;
using leat_tests::write_file;

constexpr std::uint64_t segment_bytes = 16384;
constexpr std::uint64_t slot_count = 16;
constexpr std::uint64_t data_begin = 4096 + slot_count * 8;

std::uint64_t fingerprint(std::string_view name) {  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(width, '\0');
  return text;
}

std::string with_checksum(std::string header) { return header + little_endian(slow_crc32c(header), 4); }

std::string topic_id() { return "0123456789abcdef"; }

std::string store_file() {
  return padded(
      with_checksum("leatsto\n" + little_endian(2, 4) + little_endian(0, 4) + "fedcba9876543210" + little_endian(0, 4)),
      4096);
}

std::string topic_file(std::uint64_t begun, std::uint64_t start_offset, std::uint64_t start_sequence) {
  const std::string header =
      "leattop\n" + little_endian(2, 4) + little_endian(1, 4) + topic_id() + little_endian(segment_bytes, 8) +
      little_endian(slot_count, 8) + little_endian(4 * segment_bytes, 8) + little_endian(4096, 4) +
      little_endian(128, 4) + little_endian(0, 4) + little_endian(0, 4) + little_endian(0600, 4) + little_endian(8, 4) +
      little_endian(1'700'000'000'000'000'000, 8) + little_endian(fingerprint("string"), 8) +
      little_endian(fingerprint("string"), 8) + padded("string", 256) + padded("string", 256) + little_endian(0, 4);
  const std::string words = little_endian(0, 8) + little_endian(0, 8) +  // closed, revision
                            little_endian(1, 8) +                        // partitions now
                            little_endian(4 * segment_bytes, 8) +        // retention: bytes,
                            little_endian(~std::uint64_t{0}, 8) +        // nanoseconds: unlimited,
                            little_endian(0, 8);                         // waits for groups: no
  return padded(padded(with_checksum(header), 1024) + words, 4096) +
         padded(little_endian(begun, 8) + little_endian(start_offset, 8) + little_endian(start_sequence, 8) +
                    little_endian(start_sequence, 8),
                256);
}

std::string segment_file(std::uint64_t sequence, std::uint64_t base, const std::string& slots,
                         const std::string& data) {
  const std::string identity =
      with_checksum("leatseg\n" + little_endian(2, 4) + little_endian(0, 4) + topic_id() + little_endian(sequence, 8) +
                    little_endian(segment_bytes, 8) + little_endian(slot_count, 8) + little_endian(0, 4));
  std::string header = padded(identity, 128) + little_endian(base, 8);
  header = padded(header, 144) + little_endian(~std::uint64_t{0}, 8);  // nobody has looked at the timestamps
  header += little_endian(~base, 8);
  header = padded(header, 256) + little_endian(data_begin + data.size(), 8);
  return padded(padded(padded(header, 4096) + slots, data_begin) + data, segment_bytes);
}

std::string compact_record(std::uint64_t timestamp, const std::string& value) {
  return padded(little_endian(timestamp, 8) + value, (8 + value.size() + 7) / 8 * 8);
}

/// Makes the store below `root`; one partition whose segments 0 to 6 are gone and whose offsets begin at 1000.
std::string written_by_hand(const std::string& root) {
  const std::string store = root + "/by-hand";
  const std::string topic = store + "/topics/golden";
  std::filesystem::create_directories(topic);
  std::filesystem::create_directory(store + "/groups");
  ::chmod(store.c_str(), 0700);

  // Full: timestamp, sizes of value, key and headers, checksum, value, key at a multiple of 8, headers.
  const std::string headers = little_endian(5, 4) + little_endian(2, 4) + "trace" + "7f" +  //
                              little_endian(1, 4) + little_endian(0xffffffff, 4) + "n";
  const std::string full =
      padded(little_endian(11, 8) + little_endian(3, 4) + little_endian(2, 4) + little_endian(headers.size(), 4) +
                 little_endian(0, 4) + "abc" + padded("", 5) + "k1" + headers,
             64);
  const std::string tombstone = padded(little_endian(12, 8) + little_endian(0xffffffff, 4) + little_endian(1, 4) +
                                           little_endian(0, 4) + little_endian(0, 4) + "k",
                                       32);
  const std::string first = compact_record(10, "hello");
  const std::uint64_t at_full = data_begin + first.size();
  const std::uint64_t at_tombstone = at_full + full.size();
  const std::string slots =
      little_endian(std::uint64_t{1} << 56 | std::uint64_t{5} << 32 | data_begin / 8, 8) +
      little_endian(std::uint64_t{2} << 56 | std::uint64_t{full.size() / 8} << 32 | at_full / 8, 8) +
      little_endian(std::uint64_t{2} << 56 | std::uint64_t{tombstone.size() / 8} << 32 | at_tombstone / 8, 8) +
      little_endian(std::uint64_t{0xff} << 56, 8);
  write_file(store + "/store", store_file());
  write_file(topic + "/topic", topic_file(9, 1000, 7));
  write_file(topic + "/0000-0000000000000007", segment_file(7, 1000, slots, first + full + tombstone));
  write_file(topic + "/0000-0000000000000008",
             segment_file(8, 1003, little_endian(std::uint64_t{1} << 56 | data_begin / 8, 8), compact_record(13, "")));
  return store;
}

TEST_CASE("a store written byte by byte by hand is read") {
  const leat_tests::temporary_directory root;
  const auto store = leat::store::open(written_by_hand(root.path()), {.mode = leat::open_mode::open});
  CHECK(store.topics() == std::vector<std::string>{"golden"});
  const leat::topic_description described = store.describe_topic("golden");
  CHECK(described.value_type == "string");
  CHECK(described.segment_bytes == segment_bytes);
  CHECK(described.created.time_since_epoch() == std::chrono::seconds(1'700'000'000));
  REQUIRE(described.partitions.size() == 1);
  CHECK(described.partitions[0].start_offset == 1000);
  CHECK(described.partitions[0].end_offset == 1004);

  const auto topic = store.topic<std::string>("golden");
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  std::vector<leat::record_view<std::string>> records;
  for (const auto& record : in.poll()) records.push_back(record);
  REQUIRE(records.size() == 3);
  CHECK(records[0].offset() == 1000);
  CHECK(records[0].value() == "hello");
  CHECK_FALSE(records[0].has_key());
  CHECK(records[0].timestamp().time_since_epoch().count() == 10);
  CHECK(records[1].offset() == 1001);
  CHECK(records[1].value() == "abc");
  CHECK(records[1].key() == "k1");
  std::vector<leat::header> headers(records[1].headers().begin(), records[1].headers().end());
  CHECK(headers == std::vector<leat::header>{{"trace", "7f"}, {"n", leat::null}});
  CHECK_FALSE(records[2].has_value());
  CHECK(records[2].key() == "k");
  for (const auto& record : in.poll()) {
    CHECK(record.offset() == 1003);
    CHECK(record.value().empty());
  }
  CHECK(in.position(0) == 1004);
}

TEST_CASE("a store written byte by byte by hand is appended to") {
  const leat_tests::temporary_directory root;
  const std::string path = written_by_hand(root.path());
  const auto store = leat::store::open(path);
  const auto topic = store.topic<std::string>("golden");
  leat::producer out{topic};
  CHECK(out.send("more", {.timestamp = leat::timestamp(std::chrono::nanoseconds(14))}).value().offset == 1004);
  const std::string segment = read_file(path + "/topics/golden/0000-0000000000000008");
  const std::uint64_t slot = number_at(segment, 4096 + 8, 8);
  CHECK(slot >> 56 == 1);
  CHECK((slot >> 32 & 0xffffff) == 4);
  const std::size_t position = (slot & 0xffffffff) * 8;
  CHECK(position >= data_begin + 8);
  CHECK(segment.substr(position, 12) == little_endian(14, 8) + "more");
}

TEST_CASE("what leat writes are the bytes that are written by hand") {
  auto temporary = leat_tests::temporary_store::on_disk();
  const auto topic = temporary.store.topic<std::string>("golden", {.segment_bytes = segment_bytes});
  leat::producer out{topic};
  const auto at = [](int n) { return leat::timestamp(std::chrono::nanoseconds(n)); };
  REQUIRE(out.send("hello", {.timestamp = at(10)}));
  REQUIRE(out.send("k1", "abc", {.timestamp = at(11), .headers = {{"trace", "7f"}, {"n", leat::null}}}));
  REQUIRE(out.send("k", leat::null, {.timestamp = at(12)}));

  const std::string store = read_file(temporary.file("store"));
  CHECK(store.size() == 4096);
  CHECK(store.substr(0, 12) == "leatsto\n" + little_endian(2, 4));
  CHECK(number_at(store, 36, 4) == slow_crc32c(store.substr(0, 36)));

  const std::string words = read_file(temporary.file("topics/golden/topic"));
  CHECK(words.size() == 4096 + 256);
  CHECK(words.substr(0, 12) == "leattop\n" + little_endian(2, 4));
  CHECK(number_at(words, 620, 4) == slow_crc32c(words.substr(0, 620)));
  CHECK(number_at(words, 1024, 8) == 0);  // closed
  CHECK(number_at(words, 1040, 8) == 1);  // partitions now
  CHECK(number_at(words, 1048, 8) == number_at(words, 48, 8));
  CHECK(number_at(words, 1056, 8) == ~std::uint64_t{0});  // retention by time
  CHECK(number_at(words, 1064, 8) == 0);                  // waits for groups
  CHECK(number_at(words, 4096, 8) == 1);                  // begun
  const std::uint64_t slots = number_at(words, 40, 8);

  const std::string segment = read_file(temporary.file("topics/golden/0000-0000000000000000"));
  REQUIRE(segment.size() == segment_bytes);
  CHECK(segment.substr(0, 64) ==
        with_checksum("leatseg\n" + little_endian(2, 4) + little_endian(0, 4) + words.substr(16, 16) +
                      little_endian(0, 8) + little_endian(segment_bytes, 8) + little_endian(slots, 8) +
                      little_endian(0, 4)));
  CHECK(number_at(segment, 128, 8) == 0);
  CHECK(number_at(segment, 144, 8) == ~std::uint64_t{0});  // largest timestamp: not asked for yet
  CHECK(number_at(segment, 152, 8) == ~std::uint64_t{0});
  const std::uint64_t begin = (4096 + slots * 8 + 63) / 64 * 64;
  CHECK(number_at(segment, 256, 8) >= begin + 16 + 64 + 32);
  CHECK(number_at(segment, 4096, 8) == (std::uint64_t{1} << 56 | std::uint64_t{5} << 32 | begin / 8));
  CHECK(segment.substr(begin, 13) == little_endian(10, 8) + "hello");
  const std::string full = segment.substr((number_at(segment, 4104, 8) & 0xffffffff) * 8, 58);
  CHECK(number_at(segment, 4104, 8) >> 32 == (2u << 24 | 64 / 8));
  CHECK(full == little_endian(11, 8) + little_endian(3, 4) + little_endian(2, 4) + little_endian(24, 4) +
                    little_endian(0, 4) + "abc" + std::string(5, '\0') + "k1" + little_endian(5, 4) +
                    little_endian(2, 4) + "trace7f" + little_endian(1, 4) + little_endian(0xffffffff, 4) + "n");
  CHECK(number_at(segment, 4112, 8) >> 32 == (2u << 24 | 32 / 8));
  CHECK(number_at(segment, 4120, 8) == 0);
}

}  // namespace unit_format_golden
