#include "exit_code.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "recording.hpp"
#include "recording_layout.hpp"
#include "text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <type_traits>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace leat_tool {

namespace {

namespace layout = recording_layout;

/// A field of the description; throws std::invalid_argument, which names it.
template <class T>
T field(const json& d, const char* name, const char* expected) {
  const auto found = d.find(name);
  bool fits = found != d.end();
  if constexpr (std::is_same_v<T, std::string>) {
    fits = fits && found->is_string();
  } else if constexpr (std::is_same_v<T, bool>) {
    fits = fits && found->is_boolean();
  } else {
    fits = fits && found->is_number_unsigned() && found->template get<std::uint64_t>() <= std::numeric_limits<T>::max();
  }
  if (!fits) {
    throw std::invalid_argument(
        fmt::format("{} is {}, expected {}", name, found == d.end() ? "missing" : found->dump(), expected));
  }
  return found->template get<T>();
}

template <class T>
T field_or_null(const json& d, const char* name, const char* expected, T none) {
  const auto found = d.find(name);
  if (found != d.end() && found->is_null()) return none;
  return field<T>(d, name, expected);
}

recorded_topic topic_of(std::string_view text) {
  const json d = json::parse(text, nullptr, false);
  if (!d.is_object()) throw std::invalid_argument("it is not a JSON object");
  recorded_topic t;
  t.name = field<std::string>(d, "topic", "a name");
  t.types.value = field<std::string>(d, "value_type", "a type");
  t.types.key = field<std::string>(d, "key_type", "a type");
  t.types.value_alignment = field<std::uint32_t>(d, "value_alignment", "a power of two");
  t.options.partitions = field<std::uint32_t>(d, "partitions", "a number");
  t.options.segment_bytes = field<std::uint64_t>(d, "segment_bytes", "a number");
  t.options.retention.bytes = field_or_null<std::uint64_t>(d, "retention_bytes", "a number or null", leat::unlimited);
  t.options.retention.time = std::chrono::nanoseconds(
      field_or_null<std::int64_t>(d, "retention_nanoseconds", "a number or null", leat::forever.count()));
  t.options.retention.wait_for_groups = field<bool>(d, "wait_for_groups", "true or false");
  t.options.max_record_bytes = field<std::uint32_t>(d, "max_record_bytes", "a number");
  t.options.single_writer = field<bool>(d, "single_writer", "true or false");
  if (!d.contains("durability")) return t;  // the older recordings
  constexpr const char* durabilities = "none, interval or every";
  try {
    t.options.durability = parse_durability(field<std::string>(d, "durability", durabilities));
  } catch (const std::invalid_argument&) {
    throw std::invalid_argument(fmt::format("durability is {}, expected {}", d["durability"].dump(), durabilities));
  }
  t.options.flush.interval = std::chrono::nanoseconds(
      field_or_null<std::int64_t>(d, "flush_nanoseconds", "a number or null", leat::forever.count()));
  t.options.flush.bytes = field_or_null<std::uint64_t>(d, "flush_bytes", "a number or null", leat::unlimited);
  return t;
}

int open(const std::string& path) {
  const int file = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file >= 0) return file;
  const int reason = errno;
  throw failure(reason == ENOENT ? exit_not_found : exit_error, fmt::format("{}: {}", path, std::strerror(reason)));
}

}  // namespace

recording_reader::recording_reader(const std::string& path)
    : path_(path == "-" ? "standard input" : path), file_(open(path)) {
  try {
    read_header();
  } catch (...) {
    if (file_ != STDIN_FILENO) ::close(file_);
    throw;
  }
}

recording_reader::~recording_reader() {
  if (file_ != STDIN_FILENO) ::close(file_);
}

bool recording_reader::is_seekable() const noexcept {
  struct stat s{};
  return ::fstat(file_, &s) == 0 && S_ISREG(s.st_mode) && file_ != STDIN_FILENO;
}

const recorded_record* recording_reader::next() {
  if (ended_) return nullptr;
  while (rest_.empty()) {
    if (!next_block()) return nullptr;
  }
  parse_record();
  ++records_;
  return &record_;
}

void recording_reader::read_header() {
  std::string header;
  const std::size_t fixed = layout::magic.size() + 8;
  const bool complete = read(header, fixed);
  if (!header.starts_with(layout::magic.substr(0, header.size())) || header.empty()) {
    throw failure(fmt::format("{}: not a leat recording: it does not begin with \"leatrec\"", path_));
  }
  if (!complete) fail("truncated within its header");
  std::string_view numbers = std::string_view(header).substr(layout::magic.size());
  std::uint32_t version = 0;
  std::uint32_t size = 0;
  layout::take(numbers, version);
  layout::take(numbers, size);
  if (version != layout::version) {
    throw failure(fmt::format("{}: a recording of version {}, expected {}", path_, version, layout::version));
  }
  if (size > layout::most_description_bytes) fail(fmt::format("damaged: its description has {} bytes", size));
  if (!read(header, size + sizeof(std::uint32_t))) fail("truncated within its header");
  const std::string_view checked = std::string_view(header).substr(0, fixed + size);
  std::string_view stored = std::string_view(header).substr(fixed + size);
  std::uint32_t sum = 0;
  layout::take(stored, sum);
  if (sum != layout::checksum(checked)) fail("damaged: the checksum of its header is wrong");
  try {
    topic_ = topic_of(checked.substr(fixed));
  } catch (const std::invalid_argument& e) {
    fail(fmt::format("its description: {}", e.what()));
  }
}

/// False at the end of the recording.
bool recording_reader::next_block() {
  const std::uint64_t begin = at_;
  std::string header;
  if (!read(header, layout::block_header_bytes)) {
    fail(fmt::format("truncated after {} records: its end is missing", records_));
  }
  std::string_view numbers = header;
  std::uint32_t kind = 0;
  std::uint32_t size = 0;
  std::uint32_t payload_sum = 0;
  std::uint32_t header_sum = 0;
  layout::take(numbers, kind);
  layout::take(numbers, size);
  layout::take(numbers, payload_sum);
  layout::take(numbers, header_sum);
  if (header_sum != layout::checksum(std::string_view(header).substr(0, 12)) ||
      (kind != layout::kind_records && kind != layout::kind_end)) {
    fail(fmt::format("damaged after {} records: there is no block at byte {}", records_, begin));
  }
  payload_.clear();
  if (!read(payload_, size))
    fail(fmt::format("truncated after {} records, within the block at byte {}", records_, begin));
  if (payload_sum != layout::checksum(payload_)) {
    fail(fmt::format("damaged after {} records: the checksum of the block at byte {} is wrong", records_, begin));
  }
  rest_ = payload_;
  if (kind == layout::kind_records) return true;

  std::uint64_t expected = 0;
  if (!layout::take(rest_, expected) || expected != records_) {
    fail(fmt::format("damaged: it has {} records, expected {}", records_, expected));
  }
  ended_ = true;
  return false;
}

/// Appends so many bytes; false where the file ends before. Memory is only taken as bytes come.
bool recording_reader::read(std::string& into, std::size_t bytes) {
  constexpr std::size_t piece = 1 << 20;
  while (bytes > 0) {
    const std::size_t had = into.size();
    const std::size_t most = std::min(bytes, piece);
    into.resize(had + most);
    const ssize_t count = ::read(file_, into.data() + had, most);
    const int reason = errno;
    into.resize(had + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) return false;
    if (count < 0 && reason != EINTR) throw failure(fmt::format("{}: {}", path_, std::strerror(reason)));
    if (count < 0) continue;
    bytes -= static_cast<std::size_t>(count);
    at_ += static_cast<std::uint64_t>(count);
  }
  return true;
}

void recording_reader::parse_record() {
  // The checksum was right, so what does not fit was written so.
  const auto require = [&](bool fits) {
    if (!fits) fail(fmt::format("damaged after {} records: the sizes in the next do not fit", records_));
  };
  const auto text = [&](std::int32_t size) -> std::optional<std::string_view> {
    if (size == layout::null_size) return std::nullopt;
    std::string_view bytes;
    require(size >= 0 && layout::take(rest_, bytes, static_cast<std::size_t>(size)));
    return bytes;
  };
  std::int64_t time = 0;
  std::int32_t key = 0;
  std::int32_t value = 0;
  std::uint32_t headers = 0;
  require(layout::take(rest_, record_.partition) && layout::take(rest_, record_.offset) && layout::take(rest_, time) &&
          layout::take(rest_, key) && layout::take(rest_, value) && layout::take(rest_, headers));
  record_.timestamp = leat::timestamp(std::chrono::nanoseconds(time));
  record_.headers.clear();
  for (std::uint32_t i = 0; i < headers; ++i) {
    std::uint32_t name_size = 0;
    std::int32_t value_size = 0;
    recorded_header h;
    require(layout::take(rest_, name_size) && layout::take(rest_, value_size) &&
            layout::take(rest_, h.name, name_size));
    h.value = text(value_size);
    record_.headers.push_back(h);
  }
  record_.key = text(key);
  record_.value = text(value);
}

void recording_reader::fail(const std::string& reason) const {
  throw failure(exit_damaged, fmt::format("{}: {}", path_, reason));
}

}  // namespace leat_tool
