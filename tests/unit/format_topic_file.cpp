#include <leat/format/topic_file.hpp>

#include "support/catch.hpp"
#include "support/file_bytes.hpp"

#include <cstddef>
#include <string>

namespace unit_format_topic_file {

using namespace leat::format;

TEST_CASE("a topic's header has the bytes that it has had since version 2") {
  topic_header h{};
  h.magic = topic_magic;
  h.version = version;
  h.partitions = 3;
  for (std::uint8_t i = 0; i < 16; ++i) h.id[i] = static_cast<std::uint8_t>(0xc0 + i);
  h.segment_bytes = 0x4000;
  h.slot_count = 90;
  h.retention_bytes = 0x10000;
  h.max_record_bytes = 1000;
  h.expected_record_bytes = 128;
  h.timestamps = 1;
  h.single_writer = 1;
  h.file_mode = 0640;
  h.value_alignment = 8;
  h.created = 1'700'000'000'123'456'789;
  h.value_type = 0x0102030405060708;
  h.key_type = 0x1112131415161718;
  h.value_name[0] = 'V';
  h.key_name[0] = 'K';
  h.checksum = header_checksum(h);

  std::string expected = leat_tests::from_hex(
      "6c656174746f700a"  // "leattop\n"
      "02000000"
      "03000000"                          // version, partitions
      "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"  // id
      "0040000000000000"                  // segment bytes
      "5a00000000000000"                  // slots
      "0000010000000000"                  // retention bytes
      "e8030000"
      "80000000"  // largest record, expected record
      "01000000"
      "01000000"  // timestamps, single writer
      "a0010000"
      "08000000"            // file mode, value alignment
      "15cd853dfe9c9717"    // created
      "0807060504030201"    // value type
      "1817161514131211");  // key type
  REQUIRE(expected.size() == 104);
  expected += 'V' + std::string(255, '\0') + 'K' + std::string(255, '\0') + std::string(4, '\0');
  expected += leat_tests::little_endian(leat_tests::slow_crc32c(expected), 4);
  expected.resize(page_bytes, '\0');
  CHECK(leat_tests::text_of(std::as_bytes(std::span(&h, 1))) == expected);
}

TEST_CASE("what may change of a topic are the words from 1024 on") {
  CHECK(offsetof(topic_header, closed) == 1024);
  CHECK(offsetof(topic_header, revision) == 1032);
  CHECK(offsetof(topic_header, partitions_now) == 1040);
  CHECK(offsetof(topic_header, retention_bytes_now) == 1048);
  CHECK(offsetof(topic_header, retention_nanoseconds) == 1056);
  CHECK(offsetof(topic_header, wait_for_groups) == 1064);
}

TEST_CASE("the words of the partitions are 256 bytes each behind the first page") {
  CHECK(offsetof(partition_words, begun) == 0);
  CHECK(offsetof(partition_words, start_offset) == 8);
  CHECK(offsetof(partition_words, start_sequence) == 16);
  CHECK(offsetof(partition_words, reclaimed) == 24);
  CHECK(offsetof(partition_words, deleted) == 32);
  CHECK(offsetof(partition_words, counters) == 64);
  CHECK(offsetof(partition_counters, bytes_appended) == 0);
  CHECK(offsetof(partition_counters, fresh_segments) == 8);
  CHECK(offsetof(partition_counters, recycled_segments) == 16);
  CHECK(offsetof(partition_counters, contended_publishes) == 24);
  CHECK(offsetof(partition_counters, wake_ups) == 32);
  CHECK(offsetof(partition_counters, back_pressure) == 40);
  CHECK(offsetof(partition_words, doorbell) == 128);
  CHECK(topic_file_bytes(1) == 4096 + 256);
  CHECK(topic_file_bytes(max_partitions) == 4096 + 1024 * 256);
}

TEST_CASE("of a header in use only what is fixed is copied") {
  topic_header shared{};
  shared.partitions = 7;
  shared.key_name[0] = 'k';
  shared.checksum = leat::format::header_checksum(shared);
  shared.closed = 1;  // from here on it may change at any time
  shared.wait_for_groups = 1;
  const topic_header copy = leat::format::fixed_fields(shared);
  CHECK(copy.partitions == 7);
  CHECK(copy.key_name[0] == 'k');
  CHECK(copy.checksum == leat::format::header_checksum(copy));
  CHECK(copy.closed == 0);
  CHECK(copy.wait_for_groups == 0);
}

}  // namespace unit_format_topic_file
