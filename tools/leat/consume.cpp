// leat consume: records become lines.
#include "command.hpp"
#include "consume_source.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "positions.hpp"
#include "record_format.hpp"
#include "representation.hpp"
#include "signals.hpp"
#include "store_access.hpp"
#include "text.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace leat_tool::consume_command {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

struct options {
  std::string topic;
  source_options source;
  std::optional<std::uint64_t> count;
  bool follow = true;
  bool wait = true;
  std::optional<std::chrono::nanoseconds> idle;
  std::optional<std::string> format;
  std::optional<std::string> key_separator;
  bool headers = false;
  std::string null = "null";
  std::optional<representation> key_format;
  std::optional<representation> value_format;
};

void check(const options& o) {
  if (o.source.group.empty() && !o.source.instance_id.empty()) {
    throw failure(exit_usage, "--instance-id says who a member of a group is: --group is missing");
  }
  if (o.source.group.empty()) return;
  if (!o.source.partitions.empty()) {
    throw failure(exit_usage, "--partition does not go with --group, which gives out the partitions");
  }
  const auto& from = o.source.from;
  if (from && !std::holds_alternative<earliest_place>(*from) && !std::holds_alternative<latest_place>(*from)) {
    throw failure(exit_usage, "--from with --group is earliest or latest; `leat groups reset` moves a group");
  }
}

/// Writes records as the options say.
class writer {
 public:
  writer(const settings& common, const options& o)
      : json_(common.json), null_(o.null), topic_(o.topic), format_(format_of(o)) {}

  /// How keys and values are shown depends on what they are.
  void look_at(const leat::topic_description& d, const options& o) {
    std::optional<representation> key = o.key_format;
    std::optional<representation> value = o.value_format;
    if (const auto word = preset_of(o)) {
      if (!key) key = word;
      if (!value) value = word;
    }
    // In JSON, what is neither a string nor bytes should look the same in every record, whatever its bytes are.
    as_.key = choose_representation(key, d.key_type);
    as_.value = choose_representation(value, d.value_type);
    if (json_ && !key && !is_text_type(d.key_type)) as_.key = representation::base64;
    if (json_ && !value && !is_text_type(d.value_type)) as_.value = representation::base64;
  }

  void write(const raw_record& record) {
    text_.clear();
    if (json_) {
      text_ += '{';
      append_json(text_, record, topic_, as_);
      text_ += "}\n";
      return out().write(text_);
    }
    format_.append_to(text_, record, topic_, as_, null_);
    out().write(text_);
  }

 private:
  /// `--format hex` and the like: the default line, with keys and values in that form.
  static std::optional<representation> preset_of(const options& o) {
    if (!o.format || o.format->find('%') != o.format->npos) return std::nullopt;
    try {
      return parse_representation(*o.format);
    } catch (const std::invalid_argument&) {
      return std::nullopt;
    }
  }

  static record_format format_of(const options& o) {
    if (o.format && !preset_of(o)) {
      try {
        return record_format(*o.format);
      } catch (const std::invalid_argument& e) {
        throw failure(exit_usage, fmt::format("--format \"{}\": expected {}", *o.format, e.what()));
      }
    }
    std::string format = o.headers ? "%h\\t" : "";
    if (o.key_separator) {
      format += "%k";
      for (const char c : *o.key_separator)
        format += c == '%' ? std::string("%%") : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    return record_format(format + (preset_of(o) && *o.format == "raw" ? "%v" : "%v\\n"));
  }

  bool json_;
  std::string null_;
  std::string topic_;
  record_format format_;
  record_representation as_;
  std::string text_;
};

int consume(const settings& common, const options& o) {
  check(o);
  writer w(common, o);
  note_signals();
  bool waited = false;
  std::optional<raw_topic> topic;
  if (o.wait) {
    topic = wait_for_topic(common, o.topic, waited);
    if (!topic) return exit_code_now();
  } else {
    topic = open_store(common).raw_topic(o.topic);
  }

  w.look_at(topic->describe(), o);
  source_options how = o.source;
  // Nothing that was sent to a topic that was waited for shall be missed.
  if (waited && !how.from) how.from = earliest_place{};
  source from(open_store(common), *topic, how, o.count.value_or(leat::unlimited), !o.follow);

  std::uint64_t left = o.count.value_or(leat::unlimited);
  clock::time_point last = clock::now();
  while (left > 0 && signal_noted() == 0) {
    const std::uint64_t taken = from.take(left, [&](const raw_record& record) { w.write(record); });
    if (taken > 0) {
      left -= taken;
      last = clock::now();
      continue;
    }
    if (!o.follow && from.at_end()) break;
    if (o.idle && clock::now() - last >= *o.idle) break;
    out().check();
  }
  from.finish();
  return exit_code_now();
}

}  // namespace
}  // namespace leat_tool::consume_command

namespace leat_tool {

void add_consume(command_line& line) {
  using namespace consume_command;
  auto o = std::make_shared<options>();
  CLI::App* const c = line.app.add_subcommand("consume", "Print the records of a topic, and follow it");
  add_argument(c, "TOPIC", o->topic, "The topic")->required();
  c->add_option("-g,--group", o->source.group, "Read as a member of this group, and commit")->type_name("GROUP");
  c->add_option("--instance-id", o->source.instance_id, "Be this static member of the group")->type_name("NAME");
  add_parsed(c, "--from", o->source.from, parse_place,
             "Begin at: earliest, latest (default), an offset, -N for the last N of each partition, or a time; with a "
             "group: where nothing is committed",
             "PLACE");
  add_parsed(c, "-p,--partition", o->source.partitions, parse_partitions, "Only these", "LIST");
  add_parsed(c, "-n,--count", o->count, parse_count, "End after so many records", "NUMBER");
  add_switch(c, "--follow", o->follow, true, "Go on at the end of the topic (default)");
  add_switch(c, "-e,--no-follow", o->follow, false, "End where the topic ends");
  add_switch(c, "--wait", o->wait, true, "Wait for a topic that is not there (default)");
  add_switch(c, "--no-wait", o->wait, false, "Fail where the topic is not there");
  add_parsed(c, "--idle", o->idle, parse_duration, "End when no record came for so long", "DURATION");
  CLI::Option* const format =
      c->add_option("--format", o->format,
                    "How a record is printed: %t topic, %p partition, %o offset, %k key, %v value, %h headers, %T "
                    "milliseconds since 1970, %D date and time, %K and %V bytes of key and value, \\n, \\t; or hex, "
                    "base64, text, raw")
          ->type_name("FORMAT");
  add_parsed(c, "-k,--key-separator", o->key_separator, unescape, "Print key, this, and value", "TEXT")
      ->excludes(format);
  c->add_flag("--headers", o->headers, "Print headers and a tab in front")->excludes(format);
  c->add_option("--null", o->null, "What is printed for null (default: null)")->type_name("TEXT");
  add_parsed(c, "--key-format", o->key_format, parse_representation, "How keys are printed: text, hex or base64",
             "FORMAT");
  add_parsed(c, "--value-format", o->value_format, parse_representation, "How values are printed: text, hex or base64",
             "FORMAT");
  line.runs(c, o, consume);
}

}  // namespace leat_tool
