// Prints the worked dump of docs/format.md: the bytes that leat writes for four records and a commit. Called with the path of that file,
// as the test does, it checks instead that the dump stands there as it is printed. What differs in each run (identifiers,
// the time of creation, checksums over them) is printed as `..`.
#include <leat/leat.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <stdlib.h>

namespace {

struct scratch {
  std::string path = (std::filesystem::temp_directory_path() / "leat-format-XXXXXX").string();
  scratch() {
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary directory");
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

class dump {
 public:
  void file(const std::string& name, const std::string& path) {
    bytes_ = read(path);
    out_ << (out_.str().empty() ? "" : "\n") << name << ", " << bytes_.size() << " bytes\n";
    end_ = 0;
  }

  /// Bytes [at, at + size), 16 a line, with a note in the first. What was passed over since the last must be 0.
  void bytes(std::size_t at, std::size_t size, std::string_view note, bool varies = false) {
    if (std::any_of(bytes_.begin() + static_cast<std::ptrdiff_t>(end_),
                    bytes_.begin() + static_cast<std::ptrdiff_t>(at), [](char c) { return c != 0; })) {
      throw std::runtime_error("bytes before " + std::to_string(at) + " are neither 0 nor shown");
    }
    if (at > end_) out_ << "    ...\n";
    for (std::size_t line = at; line < at + size; line += 16) {
      char text[32];
      std::snprintf(text, sizeof text, "%06zx ", line);
      out_ << text;
      for (std::size_t i = line; i < line + 16; ++i) {
        if (i >= at + size) {
          out_ << "   ";
        } else if (varies) {
          out_ << " ..";
        } else {
          std::snprintf(text, sizeof text, " %02x", static_cast<unsigned>(static_cast<unsigned char>(bytes_[i])));
          out_ << text;
        }
      }
      if (line == at) out_ << "  " << note;
      out_ << '\n';
    }
    end_ = at + size;
  }

  /// The rest of the file must be 0.
  void nothing_more() {
    if (bytes_.find_first_not_of('\0', end_) != std::string::npos)
      throw std::runtime_error("there are bytes not shown");
    if (end_ < bytes_.size()) out_ << "    ...\n";
  }

  std::string text() const { return out_.str(); }

 private:
  std::string bytes_;
  std::size_t end_ = 0;
  std::ostringstream out_;
};

std::string dump_of_a_store() {
  const scratch directory;
  const leat::store store = leat::store::open(directory.path + "/store");
  const leat::topic_options options{
      .segment_bytes = 16384, .retention = {.bytes = 65536}, .max_record_bytes = 4096, .expected_record_bytes = 64};
  const auto topic = store.topic<std::string>("words", options);
  leat::producer out{topic};
  const auto at = [](int n) { return leat::timestamp(std::chrono::nanoseconds(n)); };
  out.send("hello", {.timestamp = at(1)}).value();
  const std::vector<leat::header> headers{{"n", "7"}, {"m", leat::null}};
  out.send("key", "value", {.timestamp = at(2), .headers = headers}).value();
  out.send("key", leat::null, {.timestamp = at(3)}).value();
  out.send("", {.timestamp = at(4)}).value();
  leat::consumer in{topic,
                    {.partitions = {{0}}, .auto_offset_reset = leat::offset_reset::earliest, .group = "readers"}};
  in.commit({{"words", 0}, 3}).value();

  dump d;
  d.file("store", store.path() + "/store");
  d.bytes(0, 8, "magic \"leatsto\\n\"");
  d.bytes(8, 8, "version 2; reserved");
  d.bytes(16, 16, "id of the store", true);
  d.bytes(32, 4, "reserved");
  d.bytes(36, 4, "checksum of the 36 bytes before", true);
  d.bytes(64, 8, "topics_revision 1: a topic was made");
  d.bytes(72, 16, "boot", true);
  d.bytes(256, 4, "bell");
  d.nothing_more();

  d.file("topics/words/topic", store.path() + "/topics/words/topic");
  d.bytes(0, 8, "magic \"leattop\\n\"");
  d.bytes(8, 8, "version 2; partitions 1");
  d.bytes(16, 16, "id of the topic", true);
  d.bytes(32, 16, "segment_bytes 16384; slot_count 170");
  d.bytes(48, 16, "retention_bytes 65536; max_record_bytes 4096; expected_record_bytes 64");
  d.bytes(64, 16, "timestamps 0: create_time; single_writer 0; file_mode 0600; value_alignment 8");
  d.bytes(80, 8, "created, nanoseconds since 1970", true);
  d.bytes(88, 16, "fingerprints of \"string\", of the value and of the key");
  d.bytes(104, 16, "value_name \"string\", 256 bytes");
  d.bytes(360, 16, "key_name \"string\", 256 bytes");
  d.bytes(616, 4, "durability 0: none");
  d.bytes(620, 4, "checksum of the 620 bytes before", true);
  d.bytes(1024, 16, "closed 0; revision 1: a group has begun to commit");
  d.bytes(1040, 16, "partitions_now 1; retention_bytes_now 65536");
  d.bytes(1056, 16, "retention_nanoseconds: unlimited; wait_for_groups 0");
  d.bytes(1072, 16, "flush_nanoseconds 1 s; flush_bytes 16777216");
  d.bytes(1088, 16, "boot", true);
  d.bytes(1104, 16, "recovered 0: never; named 0");
  d.bytes(4096, 16, "partition 0: begun 1: segment 0; start_offset 0");
  d.bytes(4112, 16, "start_sequence 0; reclaimed 0");
  d.bytes(4128, 16, "deleted 0; durable 0");
  d.bytes(4144, 16, "recovered_end 0; flush_bell 0; flush_alarm 0");
  d.bytes(4160, 16, "bytes_appended 0: not counted yet; fresh_segments 1");
  d.bytes(4176, 16, "recycled_segments 0; contended_publishes 0");
  d.bytes(4192, 16, "wake_ups 0; back_pressure 0");
  d.bytes(4208, 8, "flushes 0");
  d.bytes(4224, 4, "doorbell 0: nobody sleeps");
  d.nothing_more();

  d.file("topics/words/0000-0000000000000000", store.path() + "/topics/words/0000-0000000000000000");
  d.bytes(0, 8, "magic \"leatseg\\n\"");
  d.bytes(8, 8, "version 2; partition 0");
  d.bytes(16, 16, "id of the topic", true);
  d.bytes(32, 16, "sequence 0; segment_bytes 16384");
  d.bytes(48, 12, "slot_count 170; reserved");
  d.bytes(60, 4, "checksum of the 60 bytes before", true);
  d.bytes(128, 16, "base_offset 0; abandoned 0");
  d.bytes(144, 16, "largest_timestamp: not known; base_check");
  d.bytes(256, 8, "data_tail 5760: the first chunk is 256 bytes");
  d.bytes(4096, 8, "slot 0: compact, 5 bytes of value, at 0x2b0 * 8 = 0x1580");
  d.bytes(4104, 8, "slot 1: full, 0x7 * 8 = 56 bytes, at 0x2b2 * 8 = 0x1590");
  d.bytes(4112, 8, "slot 2: full, 0x4 * 8 = 32 bytes, at 0x2b9 * 8 = 0x15c8");
  d.bytes(4120, 8, "slot 3: compact, 0 bytes of value, at 0x2bd * 8 = 0x15e8");
  d.bytes(4128, 8, "slot 4: free");
  d.bytes(0x1580, 16, "record 0: timestamp 1; \"hello\"; padding");
  d.bytes(0x1590, 16, "record 1: timestamp 2; value 5 bytes; key 3 bytes");
  d.bytes(0x15a0, 8, "  headers 19 bytes; no checksum");
  d.bytes(0x15a8, 8, "  \"value\"; padding");
  d.bytes(0x15b0, 3, "  \"key\"");
  d.bytes(0x15b3, 10, "  header: name 1 byte, value 1 byte, \"n\", \"7\"");
  d.bytes(0x15bd, 9, "  header: name 1 byte, value null, \"m\"");
  d.bytes(0x15c8, 16, "record 2: timestamp 3; value null; key 3 bytes");
  d.bytes(0x15d8, 8, "  headers 0 bytes; no checksum");
  d.bytes(0x15e0, 8, "  \"key\"; padding");
  d.bytes(0x15e8, 8, "record 3: timestamp 4; no bytes");
  d.nothing_more();

  d.file("topics/words/group-readers", store.path() + "/topics/words/group-readers");
  d.bytes(0, 8, "magic \"leatoff\\n\"");
  d.bytes(8, 8, "version 2; reserved");
  d.bytes(16, 16, "id of the topic", true);
  d.bytes(32, 16, "id of the file", true);
  d.bytes(48, 16, "group \"readers\", 256 bytes");
  d.bytes(304, 4, "reserved");
  d.bytes(308, 4, "checksum of the 308 bytes before", true);
  d.bytes(512, 16, "partition 0: owner: nobody; committed 3");
  d.bytes(528, 8, "begun: nowhere");
  d.nothing_more();

  d.file("groups/readers/group", store.path() + "/groups/readers/group");
  d.bytes(0, 8, "magic \"leatgrp\\n\"");
  d.bytes(8, 8, "version 2; reserved");
  d.bytes(16, 16, "id of the group", true);
  d.bytes(32, 16, "name \"readers\", 256 bytes");
  d.bytes(288, 4, "reserved");
  d.bytes(292, 4, "checksum of the 292 bytes before", true);
  d.bytes(512, 16, "generation 0; handovers 0");
  d.bytes(576, 16, "members_made 0; evictions 0");
  d.bytes(592, 8, "fenced_commits 0");
  d.nothing_more();
  return d.text();
}

/// The block below the mark in the document.
std::string block_of(const std::string& document) {
  const std::string mark = "<!-- dump: docs/snippets/format_dump.cpp -->\n```text\n";
  const std::string text = read(document);
  const auto begin = text.find(mark);
  const auto end = begin == text.npos ? text.npos : text.find("```", begin + mark.size());
  if (end == text.npos) throw std::runtime_error(document + " has no dump");
  return text.substr(begin + mark.size(), end - begin - mark.size());
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string written = dump_of_a_store();
  if (argc < 2) {
    std::cout << written;
    return 0;
  }
  if (written == block_of(argv[1])) return 0;
  std::cerr << argv[1] << " has another dump than what leat writes, which is:\n\n" << written;
  return 1;
} catch (const std::exception& e) {
  std::cerr << "format_dump: " << e.what() << '\n';
  return 1;
}
