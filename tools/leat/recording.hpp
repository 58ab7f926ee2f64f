// Recordings: the records of a topic in a file, exactly. docs/tool.md has the format, byte by byte.
//
//     "leatrec\n"  version  size of the description  description (JSON)  CRC-32C of all that
//     blocks:      kind  size of the payload  CRC-32C of the payload  CRC-32C of these three  payload
//
// The last block says how many records there are, so a recording that was cut anywhere is known as such.
#pragma once

#include <leat/leat.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leat_tool {

/// What a recording knows of its topic.
struct recorded_topic {
  std::string name;
  leat::topic_options options;
  leat::topic_types types;
};

struct recorded_header {
  std::string_view name;
  std::optional<std::string_view> value;  // empty: null
};

/// A record of a recording; refers to the reader's buffer.
struct recorded_record {
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;  // that it had
  leat::timestamp timestamp;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<recorded_header> headers;
};

class recording_writer {
 public:
  /// Makes the file; `-` is standard output. Throws failure, also where the file exists, unless it may be replaced.
  recording_writer(const std::string& path, bool replace, const leat::topic_description& topic);
  recording_writer(const recording_writer&) = delete;
  recording_writer& operator=(const recording_writer&) = delete;
  ~recording_writer();

  void add(const leat::record_view<leat::bytes_view, leat::bytes_view>& record);
  /// Writes what was kept back.
  void flush();
  /// Writes the end, without which the recording counts as truncated.
  void finish();

  std::uint64_t records() const noexcept { return records_; }
  std::uint64_t bytes() const noexcept { return bytes_; }  // of the file

 private:
  void block(std::uint32_t kind, std::string_view payload);
  void write(std::string_view bytes);

  std::string path_;
  int file_;
  std::string payload_;
  std::uint64_t records_ = 0;
  std::uint64_t bytes_ = 0;
};

class recording_reader {
 public:
  /// `-` is standard input. Throws failure: no such file, foreign, another version, damaged.
  explicit recording_reader(const std::string& path);
  recording_reader(const recording_reader&) = delete;
  recording_reader& operator=(const recording_reader&) = delete;
  ~recording_reader();

  const recorded_topic& topic() const noexcept { return topic_; }

  /// The next record, valid until the next call; nullptr at the end. Throws failure where the file is damaged or truncated.
  const recorded_record* next();

  std::uint64_t records() const noexcept { return records_; }  // that next() has returned
  /// Whether the file can be read twice.
  bool is_seekable() const noexcept;

 private:
  void read_header();
  bool next_block();
  bool read(std::string& into, std::size_t bytes);
  void parse_record();
  [[noreturn]] void fail(const std::string& reason) const;

  std::string path_;
  int file_;
  recorded_topic topic_;
  std::string payload_;
  std::string_view rest_;  // of the payload
  recorded_record record_;
  std::uint64_t records_ = 0;
  std::uint64_t at_ = 0;  // in the file, behind what was read
  bool ended_ = false;
};

}  // namespace leat_tool
