// leat topics: list, create, describe, alter, delete, add-partitions, delete-records.
#include "command.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "positions.hpp"
#include "store_access.hpp"
#include "text.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace leat_tool::topics_command {

namespace {

struct nothing {};

struct named {
  std::string topic;
};

struct several {
  std::vector<std::string> topics;
};

leat::timestamp_type parse_timestamps(const std::string& word) {
  if (word == "create") return leat::timestamp_type::create_time;
  if (word == "append") return leat::timestamp_type::log_append_time;
  throw std::invalid_argument("create or append");
}

bool parse_yes_no(const std::string& word) {
  if (word == "yes" || word == "true") return true;
  if (word == "no" || word == "false") return false;
  throw std::invalid_argument("yes or no");
}

mode_t parse_mode(const std::string& text) {
  if (text.empty() || text.size() > 4 || text.find_first_not_of("01234567") != text.npos) {
    throw std::invalid_argument("permission bits in octal digits, as 0640");
  }
  return static_cast<mode_t>(std::stoul(text, nullptr, 8));
}

/// A 32-bit option; the library checks its limits and names them.
std::uint32_t parse_small(const std::string& text) {
  const std::uint64_t number = parse_count(text);
  if (number > 0xffffffff) throw std::invalid_argument("a whole number below 4294967296");
  return static_cast<std::uint32_t>(number);
}
std::uint32_t parse_small_bytes(const std::string& text) {
  const std::uint64_t bytes = parse_bytes(text);
  if (bytes > 0xffffffff) throw std::invalid_argument("a size below 4 GiB");
  return static_cast<std::uint32_t>(bytes);
}

// --- list -------------------------------------------------------------------------------------------------------------

int list(const settings& common, const nothing&) {
  const std::vector<std::string> topics = leat::admin(open_store(common)).topics();
  if (common.json) {
    out().document(topics);
  } else {
    for (const std::string& name : topics) out().print("{}\n", name);
  }
  return exit_ok;
}

// --- create -----------------------------------------------------------------------------------------------------------

struct create_options {
  std::string topic;
  leat::topic_options options;
  leat::topic_types types;
  bool if_not_exists = false;
  bool single_writer = false;
};

int create(const settings& common, const create_options& o) {
  leat::topic_options options = o.options;
  if (o.single_writer) options.single_writer = true;
  try {
    leat::admin(open_or_create_store(common)).create_topic(o.topic, options, o.types);
  } catch (const leat::error& e) {
    if (!o.if_not_exists || e.code() != leat::errc::already_exists) throw;
  }
  return exit_ok;
}

// --- describe ---------------------------------------------------------------------------------------------------------

json to_json(const leat::topic_description& d) {
  json partitions = json::array();
  for (const auto& p : d.partitions) {
    partitions.push_back({{"partition", p.partition},
                          {"start", p.start_offset},
                          {"end", p.end_offset},
                          {"records", p.end_offset - p.start_offset},
                          {"segments", p.segments}});
  }
  return {{"topic", d.name},
          {"value_type", d.value_type},
          {"key_type", d.key_type},
          {"segment_bytes", d.segment_bytes},
          {"retention_bytes", d.retention_bytes == leat::unlimited ? json(nullptr) : json(d.retention_bytes)},
          {"retention_seconds", d.retention_time == leat::forever
                                    ? json(nullptr)
                                    : json(std::chrono::duration<double>(d.retention_time).count())},
          {"wait_for_groups", d.wait_for_groups},
          {"max_record_bytes", d.max_record_bytes},
          {"timestamps", d.timestamps == leat::timestamp_type::create_time ? "create" : "append"},
          {"single_writer", d.single_writer},
          {"file_mode", fmt::format("{:04o}", d.file_mode)},
          {"created", to_text(d.created)},
          {"partitions", std::move(partitions)}};
}

void print(const leat::topic_description& d) {
  out().print("topic            {}\n", d.name);
  out().print("values           {}\n", printable(d.value_type));
  out().print("keys             {}\n", printable(d.key_type));
  out().print("partitions       {}\n", d.partitions.size());
  out().print("segments of      {}\n", bytes_to_text(d.segment_bytes));
  out().print("retention        {} a partition, {}{}\n", bytes_to_text(d.retention_bytes),
              d.retention_time == leat::forever ? "of any age" : to_text(d.retention_time),
              d.wait_for_groups ? ", waits for groups" : "");
  out().print("largest record   {}\n", bytes_to_text(d.max_record_bytes));
  out().print("timestamps       {} time\n", d.timestamps == leat::timestamp_type::create_time ? "create" : "append");
  out().print("writers          {}\n", d.single_writer ? "one a partition" : "any number");
  out().print("mode of files    {:04o}\n", d.file_mode);
  out().print("created          {}\n", to_text(d.created));
  table t({"PARTITION", "START", "END", "RECORDS", "SEGMENTS"});
  for (const auto& p : d.partitions) {
    t.add({std::to_string(p.partition), std::to_string(p.start_offset), std::to_string(p.end_offset),
           std::to_string(p.end_offset - p.start_offset), std::to_string(p.segments)});
  }
  out().write(t.text());
}

int describe(const settings& common, const several& o) {
  const leat::admin admin(open_store(common));
  const auto names = o.topics.empty() ? admin.topics() : o.topics;
  json all = json::array();
  for (const std::string& name : names) {
    const leat::topic_description d = admin.describe_topic(name);
    if (common.json) {
      all.push_back(to_json(d));
    } else {
      if (name != names.front()) out().write("\n");
      print(d);
    }
  }
  if (common.json) out().document(o.topics.size() == 1 ? all[0] : all);
  return exit_ok;
}

// --- alter, delete, add-partitions, delete-records --------------------------------------------------------------------

struct alter_options {
  std::string topic;
  leat::topic_changes changes;
};

int alter(const settings& common, const alter_options& o) {
  if (!o.changes.retention.bytes && !o.changes.retention.time && !o.changes.retention.wait_for_groups) {
    throw failure(exit_usage,
                  "topics alter: nothing to change; give --retention-bytes, --retention-time or --wait-for-groups");
  }
  leat::admin(open_store(common)).alter_topic(o.topic, o.changes);
  return exit_ok;
}

int remove(const settings& common, const several& o) {
  const leat::admin admin(open_store(common));
  int code = exit_ok;
  for (const std::string& name : o.topics) {
    if (admin.delete_topic(name)) continue;
    complain(fmt::format("topic {} in store {}: not found", name, common.store));
    code = exit_not_found;
  }
  return code;
}

struct add_options {
  std::string topic;
  std::uint32_t total = 0;
};

int add_partitions(const settings& common, const add_options& o) {
  leat::admin(open_store(common)).add_partitions(o.topic, o.total);
  return exit_ok;
}

struct records_options {
  std::string topic;
  place before = latest_place{};
  std::vector<std::uint32_t> partitions;
};

int delete_records(const settings& common, const records_options& o) {
  const leat::store store = open_store(common);
  const raw_topic topic = store.raw_topic(o.topic);
  json all = json::array();
  table t({"PARTITION", "START"});
  for (const std::uint32_t p : choose_partitions(topic, o.partitions)) {
    const std::uint64_t before = offset_of(topic, p, o.before);
    const std::uint64_t start = leat::admin(store).delete_records({o.topic, p}, before);
    all.push_back({{"partition", p}, {"start", start}});
    t.add({std::to_string(p), std::to_string(start)});
  }
  if (common.json) {
    out().document(all);
  } else {
    out().write(t.text());
  }
  return exit_ok;
}

// --- the command line -------------------------------------------------------------------------------------------------

void add_retention(CLI::App* c, leat::retention_options& retention) {
  add_parsed(c, "--retention-bytes", retention.bytes, parse_bytes, "Bytes kept in each partition, or unlimited",
             "SIZE");
  add_parsed(c, "--retention-time", retention.time, parse_duration, "How long records are kept, or unlimited",
             "DURATION");
  add_parsed(c, "--wait-for-groups", retention.wait_for_groups, parse_yes_no,
             "Whether retention waits for the slowest group: yes or no", "YES|NO");
}

void add_create(command_line& line, CLI::App* topics) {
  auto o = std::make_shared<create_options>();
  CLI::App* const c = topics->add_subcommand("create", "Make a topic, and the store if it is not there");
  add_argument(c, "NEW-TOPIC", o->topic, "Its name")->required();
  add_parsed(c, "-p,--partitions", o->options.partitions, parse_small, "How many, 1 to 1024; default 1", "NUMBER");
  add_parsed(c, "--segment-bytes", o->options.segment_bytes, parse_bytes, "Size of a segment; default 16 MiB", "SIZE");
  add_retention(c, o->options.retention);
  add_parsed(c, "--max-record-bytes", o->options.max_record_bytes, parse_small_bytes, "Size of the largest record",
             "SIZE");
  add_parsed(c, "--expected-record-bytes", o->options.expected_record_bytes, parse_small_bytes,
             "Size of a usual record; makes good use of segments", "SIZE");
  add_parsed(c, "--timestamps", o->options.timestamps, parse_timestamps,
             "Whose time records have: create (the sender's) or append", "create|append");
  c->add_flag("--single-writer", o->single_writer, "Only one producer at a time for each partition");
  add_parsed(c, "--file-mode", o->options.file_mode, parse_mode, "Permission bits of the files; default 0600", "MODE");
  c->add_option("--value-type", o->types.value, "Type of the values: string (default), bytes, or what describe shows")
      ->type_name("TYPE");
  c->add_option("--key-type", o->types.key, "Type of the keys")->type_name("TYPE");
  add_parsed(c, "--alignment", o->types.value_alignment, parse_small, "Alignment of the values in memory; default 1",
             "NUMBER");
  c->add_flag("--if-not-exists", o->if_not_exists, "Be content if it is there, whatever it is like");
  line.runs(c, o, create);
}

}  // namespace
}  // namespace leat_tool::topics_command

namespace leat_tool {

void add_topics(command_line& line) {
  using namespace topics_command;
  CLI::App* const topics = line.app.add_subcommand("topics", "List, make, describe, change and delete topics");
  topics->require_subcommand(1);

  line.runs(topics->add_subcommand("list", "Print the names of the topics"), std::make_shared<nothing>(), list);
  add_create(line, topics);
  {
    auto o = std::make_shared<several>();
    CLI::App* const c = topics->add_subcommand("describe", "Print what topics are like, all of them or some");
    add_argument(c, "TOPIC", o->topics, "The topics");
    line.runs(c, o, describe);
  }
  {
    auto o = std::make_shared<alter_options>();
    CLI::App* const c = topics->add_subcommand("alter", "Change the retention of a topic");
    add_argument(c, "TOPIC", o->topic, "The topic")->required();
    add_retention(c, o->changes.retention);
    line.runs(c, o, alter);
  }
  {
    auto o = std::make_shared<several>();
    CLI::App* const c = topics->add_subcommand("delete", "Delete topics with all their records");
    add_argument(c, "TOPIC", o->topics, "The topics")->required();
    line.runs(c, o, remove);
  }
  {
    auto o = std::make_shared<add_options>();
    CLI::App* const c = topics->add_subcommand("add-partitions", "Give a topic more partitions");
    add_argument(c, "TOPIC", o->topic, "The topic")->required();
    add_parsed(c, "TOTAL", o->total, parse_small, "How many it has then", "NUMBER")->required();
    line.runs(c, o, add_partitions);
  }
  {
    auto o = std::make_shared<records_options>();
    CLI::App* const c = topics->add_subcommand("delete-records", "Delete the records at the front of a topic");
    add_argument(c, "TOPIC", o->topic, "The topic")->required();
    add_parsed(c, "--before", o->before, parse_place,
               "Those before this place: an offset, latest (all), -N (all but the last N), or a time", "PLACE")
        ->required();
    add_parsed(c, "-p,--partition", o->partitions, parse_partitions, "Only of these", "LIST");
    line.runs(c, o, delete_records);
  }
}

}  // namespace leat_tool
