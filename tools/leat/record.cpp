// leat record: a topic into a file.
#include "command.hpp"
#include "merged_reader.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "positions.hpp"
#include "progress.hpp"
#include "recording.hpp"
#include "signals.hpp"
#include "store_access.hpp"

#include <memory>
#include <string>
#include <vector>

namespace leat_tool::record_command {

namespace {

struct options {
  std::string topic;
  std::string file;
  place from = earliest_place{};
  std::vector<std::uint32_t> partitions;
  std::uint64_t count = leat::unlimited;
  bool follow = false;
  bool force = false;
  bool quiet = false;
};

int record(const settings& common, const options& o) {
  if (common.json && o.file == "-") throw failure(exit_usage, "--json does not go with a recording on standard output");
  note_signals();
  const raw_topic topic = open_store(common).raw_topic(o.topic);
  merged_reader in(topic, choose_partitions(topic, o.partitions), o.from, !o.follow);
  recording_writer file(o.file, o.force, topic.describe());
  progress display("recorded", !o.quiet);
  while (file.records() < o.count && signal_noted() == 0) {
    if (const auto record = in.next()) {
      file.add(*record);
      display.show(file.records(), file.bytes());
      continue;
    }
    if (!o.follow) break;
    file.flush();
    in.wait(std::chrono::milliseconds(100));
  }
  file.finish();
  display.finish(file.records(), file.bytes());
  if (common.json) {
    out().document({{"topic", o.topic}, {"file", o.file}, {"records", file.records()}, {"file_bytes", file.bytes()}});
  }
  return exit_code_now();
}

}  // namespace
}  // namespace leat_tool::record_command

namespace leat_tool {

void add_record(command_line& line) {
  using namespace record_command;
  auto o = std::make_shared<options>();
  CLI::App* const c = line.app.add_subcommand("record", "Write a topic, or a part of it, to a file");
  add_argument(c, "TOPIC", o->topic, "The topic")->required();
  add_argument(c, "FILE", o->file, "Where to; - is standard output")->required();
  add_parsed(c, "--from", o->from, parse_place,
             "Begin at: earliest (default), latest, an offset, -N for the last N of each partition, or a time",
             "PLACE");
  add_parsed(c, "-p,--partition", o->partitions, parse_partitions, "Only these", "LIST");
  add_parsed(c, "-n,--count", o->count, parse_count, "End after so many records", "NUMBER");
  c->add_flag("-f,--follow", o->follow, "Go on at the end of the topic, until a signal comes");
  c->add_flag("--force", o->force, "Replace the file if it is there");
  c->add_flag("-q,--quiet", o->quiet, "No progress display on a terminal");
  line.runs(c, o, record);
}

}  // namespace leat_tool
