#include "exit_code.hpp"
#include "output.hpp"
#include "recording.hpp"
#include "recording_layout.hpp"
#include "text.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace leat_tool {

namespace {

namespace layout = recording_layout;

json description_of(const leat::topic_description& d) {
  const auto nanoseconds = [](std::chrono::nanoseconds time) {
    return time == leat::forever ? json(nullptr) : json(time.count());
  };
  const auto bytes = [](std::uint64_t size) { return size == leat::unlimited ? json(nullptr) : json(size); };
  return {{"topic", d.name},
          {"value_type", d.value_type},
          {"key_type", d.key_type},
          {"value_alignment", d.value_alignment},
          {"partitions", d.partitions.size()},
          {"segment_bytes", d.segment_bytes},
          {"retention_bytes", bytes(d.retention_bytes)},
          {"retention_nanoseconds", nanoseconds(d.retention_time)},
          {"wait_for_groups", d.wait_for_groups},
          {"max_record_bytes", d.max_record_bytes},
          {"single_writer", d.single_writer},
          {"durability", to_text(d.durability)},
          {"flush_nanoseconds", nanoseconds(d.flush_interval)},
          {"flush_bytes", bytes(d.flush_bytes)}};
}

template <class Bytes>
std::int32_t size_of(const std::optional<Bytes>& field) {
  return field ? static_cast<std::int32_t>(field->size()) : layout::null_size;
}

int create(const std::string& path, bool replace) {
  if (path == "-") return STDOUT_FILENO;
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (replace ? O_TRUNC : O_EXCL), 0666);
  if (file >= 0) return file;
  const int reason = errno;
  if (reason == EEXIST) throw failure(fmt::format("{}: exists; --force replaces it", path));
  throw failure(fmt::format("{}: {}", path, std::strerror(reason)));
}

}  // namespace

recording_writer::recording_writer(const std::string& path, bool replace, const leat::topic_description& topic)
    : path_(path == "-" ? "standard output" : path), file_(create(path, replace)) {
  const std::string description = description_of(topic).dump(-1, ' ', false, json::error_handler_t::replace);
  std::string header(layout::magic);
  layout::put(header, layout::version);
  layout::put(header, static_cast<std::uint32_t>(description.size()));
  header += description;
  layout::put(header, layout::checksum(header));
  write(header);
}

recording_writer::~recording_writer() {
  if (file_ != STDOUT_FILENO) ::close(file_);
}

void recording_writer::add(const leat::record_view<leat::bytes_view, leat::bytes_view>& record) {
  const auto key = record.key_bytes();
  const auto value = record.value_bytes();
  std::uint32_t headers = 0;
  for ([[maybe_unused]] const auto& h : record.headers()) ++headers;
  layout::put(payload_, record.partition());
  layout::put(payload_, record.offset());
  layout::put(payload_, static_cast<std::int64_t>(record.timestamp().time_since_epoch().count()));
  layout::put(payload_, size_of(key));
  layout::put(payload_, size_of(value));
  layout::put(payload_, headers);
  for (const auto& h : record.headers()) {
    layout::put(payload_, static_cast<std::uint32_t>(h.name.size()));
    layout::put(payload_, size_of(h.value));
    payload_ += h.name;
    payload_ += h.text();
  }
  if (key) payload_ += as_text(*key);
  if (value) payload_ += as_text(*value);
  ++records_;
  if (payload_.size() >= layout::usual_block_bytes) flush();
}

void recording_writer::flush() {
  if (payload_.empty()) return;
  block(layout::kind_records, payload_);
  payload_.clear();
}

void recording_writer::finish() {
  flush();
  std::string end;
  layout::put(end, records_);
  block(layout::kind_end, end);
}

void recording_writer::block(std::uint32_t kind, std::string_view payload) {
  std::string header;
  layout::put(header, kind);
  layout::put(header, static_cast<std::uint32_t>(payload.size()));
  layout::put(header, layout::checksum(payload));
  layout::put(header, layout::checksum(header));
  write(header);
  write(payload);
}

void recording_writer::write(std::string_view bytes) {
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      const int reason = errno;
      throw failure(fmt::format("{}: {}", path_, std::strerror(reason)));
    }
  }
}

}  // namespace leat_tool
