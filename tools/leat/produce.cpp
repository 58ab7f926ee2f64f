// leat produce: lines become records.
#include "command.hpp"
#include "exit_code.hpp"
#include "line_parser.hpp"
#include "line_reader.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "progress.hpp"
#include "signals.hpp"
#include "store_access.hpp"
#include "text.hpp"
#include "topic_creation.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leat_tool::produce_command {

namespace {

struct options {
  std::string topic;
  std::string file = "-";
  std::optional<std::string> key_separator;
  std::vector<std::string> header;
  bool headers = false;
  std::optional<std::string> null;
  bool from_json = false;
  std::optional<representation> key_format;
  std::optional<representation> value_format;
  std::optional<std::uint64_t> partition;
  std::optional<leat::timestamp> timestamp;
  std::optional<double> rate;
  bool create = true;
  bool quiet = false;
};

struct sent {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t records = 0;
};

/// Keeps to a rate: the n-th record is sent n / rate seconds after the first, at the earliest.
class pace {
 public:
  explicit pace(std::optional<double> rate) : rate_(rate) {}
  void wait() {
    if (!rate_) return;
    const std::chrono::duration<double> due(static_cast<double>(count_++) / *rate_);
    pause_for(std::chrono::duration_cast<std::chrono::nanoseconds>(due - (progress::clock::now() - begin_)));
  }

 private:
  std::optional<double> rate_;
  std::uint64_t count_ = 0;
  progress::clock::time_point begin_ = progress::clock::now();
};

raw_topic open(const settings& common, const options& o) {
  if (!o.create) return open_store(common).raw_topic(o.topic);
  return open_or_create_topic(open_or_create_store(common), o.topic, {}, {});
}

line_syntax syntax_of(const options& o, const raw_topic& topic) {
  line_syntax syntax;
  if (o.key_separator) syntax.key_separator = *o.key_separator;
  syntax.headers = o.headers;
  syntax.null = o.null;
  syntax.from_json = o.from_json;
  if (o.from_json) return syntax;

  // Lines of text are hardly what a topic of another type expects; hexadecimal digits can be.
  const leat::topic_description d = topic.describe();
  if (!o.value_format && !is_text_type(d.value_type)) {
    throw failure(fmt::format("topic {}: its values are \"{}\", not text; say with --value-format what the lines are",
                              o.topic, d.value_type));
  }
  if (o.key_separator && !o.key_format && !is_text_type(d.key_type)) {
    throw failure(fmt::format("topic {}: its keys are \"{}\", not text; say with --key-format what the lines have",
                              o.topic, d.key_type));
  }
  syntax.as.key = o.key_format.value_or(representation::text);
  syntax.as.value = o.value_format.value_or(representation::text);
  return syntax;
}

class sender {
 public:
  sender(const raw_topic& topic, const options& o, std::vector<parsed_header> added)
      : options_(o), topic_(topic), out_(topic, {.wait_for_device = false}), added_(std::move(added)) {}

  void send(const parsed_record& record) {
    std::vector<leat::header> headers;
    const auto add = [&](const parsed_header& h) {
      headers.push_back(h.value ? leat::header(h.name, *h.value) : leat::header(h.name, leat::null));
    };
    std::ranges::for_each(record.headers, add);
    std::ranges::for_each(added_, add);

    leat::send_options how;
    how.headers = leat::header_list(headers);
    how.timestamp = options_.timestamp ? options_.timestamp : record.timestamp;
    if (options_.partition) {
      how.partition = static_cast<std::uint32_t>(std::min<std::uint64_t>(*options_.partition, 0xffffffff));
    } else {
      how.partition = record.partition;
    }
    const auto at = out_.send(argument(record.key), argument(record.value), how);
    if (!at) fail(at.error(), how);

    sent& p = partitions[at->partition];
    if (p.records++ == 0) p.first = at->offset;
    p.last = at->offset;
    ++records;
    bytes += (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  }

  /// What was sent is on the device when this returns, where the topic is durable. Throws what the device says.
  void flush() { out_.flush(); }

  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // of keys and values
  std::map<std::uint32_t, sent> partitions;

 private:
  static raw_producer::value_argument argument(const std::optional<std::string>& field) {
    if (!field) return leat::null;
    return as_bytes(*field);
  }

  [[noreturn]] void fail(leat::errc code, const leat::send_options& how) const {
    if (code == leat::errc::invalid_argument && how.partition) {
      throw failure(exit_not_found, fmt::format("topic {} has partitions 0 to {}, not {}", options_.topic,
                                                topic_.partitions() - 1, *how.partition));
    }
    if (code == leat::errc::too_large) {
      throw failure(fmt::format("the record is larger than topic {} allows, which is {} bytes", options_.topic,
                                topic_.describe().max_record_bytes));
    }
    throw failure(fmt::format("topic {}: {}", options_.topic, make_error_code(code).message()));
  }

  const options& options_;
  raw_topic topic_;
  raw_producer out_;
  std::vector<parsed_header> added_;
};

void report(const settings& common, const options& o, const sender& s, double seconds) {
  if (!common.json) return;
  json partitions = json::array();
  for (const auto& [id, p] : s.partitions) {
    partitions.push_back({{"partition", id}, {"records", p.records}, {"first", p.first}, {"last", p.last}});
  }
  out().document({{"topic", o.topic},
                  {"records", s.records},
                  {"bytes", s.bytes},
                  {"seconds", seconds},
                  {"partitions", std::move(partitions)}});
}

std::vector<parsed_header> headers_of(const options& o) {
  std::vector<parsed_header> headers;
  try {
    for (const std::string& text : o.header) headers.push_back(parse_header(text, '=', o.null));
  } catch (const failure& e) {
    throw failure(exit_usage, e.what());
  }
  return headers;
}

int produce(const settings& common, const options& o) {
  note_signals();
  std::vector<parsed_header> added = headers_of(o);
  line_reader lines(o.file);
  const raw_topic topic = open(common, o);
  const line_syntax syntax = syntax_of(o, topic);
  sender s(topic, o, std::move(added));
  const bool flushes_every = topic.log()->durability() == leat::durability::every;
  progress display("sent", !o.quiet);
  pace pace(o.rate);
  while (const auto line = lines.next()) {
    pace.wait();
    if (signal_noted() != 0) break;
    try {
      s.send(parse_line(*line, syntax));
    } catch (const failure& e) {
      throw failure(e.code(), fmt::format("{}, line {}: {}", lines.name(), lines.number(), e.what()));
    }
    if (flushes_every && lines.is_drained()) s.flush();  // those that have come together share a call of the device
    display.show(s.records, s.bytes);
  }
  s.flush();
  display.finish(s.records, s.bytes);
  report(common, o, s, display.seconds());
  return exit_code_now();
}

}  // namespace
}  // namespace leat_tool::produce_command

namespace leat_tool {

void add_produce(command_line& line) {
  using namespace produce_command;
  auto o = std::make_shared<options>();
  CLI::App* const c = line.app.add_subcommand("produce", "Send lines to a topic, which is made if it is not there");
  add_argument(c, "TOPIC", o->topic, "Where to")->required();
  add_argument(c, "FILE", o->file, "Whose lines; - is standard input, the default");
  add_parsed(c, "-k,--key-separator", o->key_separator, unescape, "Each line is a key, this, and a value", "TEXT");
  c->add_option("-H,--header", o->header, "A header for every record; may be given again")->type_name("NAME=VALUE");
  c->add_flag("--headers", o->headers, "Each line begins with headers, name:value,name:value, and a tab");
  c->add_option("--null", o->null, "A key, value or header value that is this text is null")->type_name("TEXT");
  c->add_flag("--from-json", o->from_json, "Each line is a JSON object as consume --json prints it");
  add_parsed(c, "--key-format", o->key_format, parse_representation, "What the keys are: text, hex or base64",
             "FORMAT");
  add_parsed(c, "--value-format", o->value_format, parse_representation, "What the values are: text, hex or base64",
             "FORMAT");
  add_parsed(c, "-p,--partition", o->partition, parse_count, "Send to this partition", "NUMBER");
  add_parsed(c, "--timestamp", o->timestamp, parse_time, "The timestamp of every record; default: now", "TIME");
  add_parsed(c, "--rate", o->rate, parse_positive, "At most so many records a second", "NUMBER");
  add_switch(c, "--no-create", o->create, false, "Do not make the topic, or the store, if it is not there");
  c->add_flag("-q,--quiet", o->quiet, "No progress display on a terminal");
  line.runs(c, o, produce);
}

}  // namespace leat_tool
