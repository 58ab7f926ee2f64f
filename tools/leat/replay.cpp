// leat replay: a recording into a topic.
#include "command.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "progress.hpp"
#include "recording.hpp"
#include "signals.hpp"
#include "store_access.hpp"
#include "text.hpp"
#include "topic_creation.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace leat_tool::replay_command {

namespace {

struct options {
  std::string file;
  std::string topic;
  double speed = 1;  // 0: as fast as possible
  bool now = false;
  bool partial = false;
  bool quiet = false;
};

double parse_speed(const std::string& text) {
  if (text == "original") return 1;
  if (text == "max") return 0;
  try {
    return parse_positive(text);
  } catch (const std::invalid_argument&) {
    throw std::invalid_argument("original, max, or a factor above 0");
  }
}

/// Looks at everything before anything is sent, where the file can be read twice.
void check(const options& o) {
  if (o.partial || o.file == "-") return;
  recording_reader file(o.file);
  if (!file.is_seekable()) return;
  while (file.next() != nullptr && signal_noted() == 0) continue;
}

/// The topic to send to, which can take all that was recorded.
raw_topic open(const settings& common, const options& o, const recorded_topic& recorded) {
  const std::string& name = o.topic.empty() ? recorded.name : o.topic;
  const raw_topic topic = open_or_create_topic(open_or_create_store(common), name, recorded.options, recorded.types);
  const leat::topic_description d = topic.describe();
  const auto must_equal = [&](const char* what, const auto& found, const auto& expected) {
    if (found == expected) return;
    throw failure(fmt::format("topic {}: its {} {}, but the recording's {}", name, what, found, expected));
  };
  must_equal("values are", d.value_type, recorded.types.value);
  must_equal("keys are", d.key_type, recorded.types.key);
  if (d.partitions.size() < recorded.options.partitions) {
    throw failure(fmt::format("topic {} has {} partitions, but the recording {}", name, d.partitions.size(),
                              *recorded.options.partitions));
  }
  if (d.timestamps == leat::timestamp_type::log_append_time && !o.now) {
    throw failure(fmt::format("topic {} gives records the time of their append; --now accepts that", name));
  }
  return topic;
}

/// When records are due: as far apart as their timestamps, or `speed` times nearer.
class schedule {
 public:
  explicit schedule(double speed) : speed_(speed) {}
  void wait_for(leat::timestamp time) {
    if (speed_ == 0) return;
    if (!first_) first_ = time;
    const auto due = std::chrono::duration<double, std::nano>(static_cast<double>((time - *first_).count()) / speed_);
    const auto left = due - (progress::clock::now() - begin_);
    if (left.count() > 0) {
      progress::clear();
      pause_for(std::chrono::duration_cast<std::chrono::nanoseconds>(left));
    }
  }

 private:
  double speed_;
  std::optional<leat::timestamp> first_;
  progress::clock::time_point begin_ = progress::clock::now();
};

void send(raw_producer& to, const recorded_record& record, const options& o, const std::string& topic) {
  const auto argument = [](const std::optional<std::string_view>& field) -> raw_producer::value_argument {
    if (!field) return leat::null;
    return as_bytes(*field);
  };
  std::vector<leat::header> headers;
  for (const recorded_header& h : record.headers) {
    headers.push_back(h.value ? leat::header(h.name, *h.value) : leat::header(h.name, leat::null));
  }
  leat::send_options how;
  how.partition = record.partition;
  if (!o.now) how.timestamp = record.timestamp;
  how.headers = leat::header_list(headers);
  const auto at = to.send(argument(record.key), argument(record.value), how);
  if (!at) {
    throw failure(fmt::format("topic {}: record {} of partition {}: {}", topic, record.offset, record.partition,
                              make_error_code(at.error()).message()));
  }
}

int replay(const settings& common, const options& o) {
  note_signals();
  check(o);
  recording_reader file(o.file);
  const raw_topic topic = open(common, o, file.topic());
  raw_producer to(topic, {.wait_for_device = false});
  progress display("sent", !o.quiet);
  schedule schedule(o.speed);
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  int code = exit_ok;
  try {
    while (const recorded_record* record = file.next()) {
      schedule.wait_for(record->timestamp);
      if (signal_noted() != 0) break;
      send(to, *record, o, topic.name());
      ++records;
      bytes += (record->key ? record->key->size() : 0) + (record->value ? record->value->size() : 0);
      display.show(records, bytes);
    }
  } catch (const failure& e) {
    if (!o.partial || e.code() != exit_damaged) throw;
    complain(fmt::format("{}; what is before that was sent", e.what()));
    code = exit_damaged;
  }
  to.flush();
  display.finish(records, bytes);
  if (common.json) {
    out().document({{"topic", topic.name()}, {"file", o.file}, {"records", records}, {"bytes", bytes}});
  }
  return code != exit_ok ? code : exit_code_now();
}

}  // namespace
}  // namespace leat_tool::replay_command

namespace leat_tool {

void add_replay(command_line& line) {
  using namespace replay_command;
  auto o = std::make_shared<options>();
  CLI::App* const c = line.app.add_subcommand("replay", "Send what record wrote to a file");
  add_argument(c, "FILE", o->file, "The recording; - is standard input")->required();
  add_argument(c, "TOPIC", o->topic, "Where to; default: the topic of the same name. It is made if it is not there");
  add_parsed(c, "--speed", o->speed, parse_speed,
             "original (default): as far apart as the records' timestamps are; a factor; or max: as fast as possible",
             "SPEED");
  c->add_flag("--now", o->now, "Give the records the present time; default: the timestamps that they had");
  c->add_flag("--partial", o->partial, "Send what is sound of a damaged or truncated recording");
  c->add_flag("-q,--quiet", o->quiet, "No progress display on a terminal");
  line.runs(c, o, replay);
}

}  // namespace leat_tool
