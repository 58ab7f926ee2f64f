// leat topics: list, create, describe, alter, delete, add-partitions, delete-records, flush.
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
#include <utility>
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

json limit(std::uint64_t bytes) { return bytes == leat::unlimited ? json(nullptr) : json(bytes); }
json seconds(std::chrono::nanoseconds time) {
  return time == leat::forever ? json(nullptr) : json(std::chrono::duration<double>(time).count());
}

json to_json(const leat::topic_description& d) {
  const bool durable = is_durable(d);
  json partitions = json::array();
  for (const auto& p : d.partitions) {
    json one{{"partition", p.partition},
             {"start", p.start_offset},
             {"end", p.end_offset},
             {"records", p.end_offset - p.start_offset},
             {"segments", p.segments}};
    if (durable) one["durable"] = p.durable_offset;
    if (p.recovered_end) one["recovered_end"] = *p.recovered_end;
    partitions.push_back(std::move(one));
  }
  return {{"topic", d.name},
          {"value_type", d.value_type},
          {"key_type", d.key_type},
          {"segment_bytes", d.segment_bytes},
          {"retention_bytes", limit(d.retention_bytes)},
          {"retention_seconds", seconds(d.retention_time)},
          {"wait_for_groups", d.wait_for_groups},
          {"max_record_bytes", d.max_record_bytes},
          {"timestamps", d.timestamps == leat::timestamp_type::create_time ? "create" : "append"},
          {"single_writer", d.single_writer},
          {"file_mode", fmt::format("{:04o}", d.file_mode)},
          {"durability", to_text(d.durability)},
          {"flush_interval_seconds", seconds(d.flush_interval)},
          {"flush_bytes", limit(d.flush_bytes)},
          {"created", to_text(d.created)},
          {"recovered", d.recovered ? json(to_text(*d.recovered)) : json(nullptr)},
          {"partitions", std::move(partitions)}};
}

std::string durability_of(const leat::topic_description& d) {
  const std::string name(to_text(d.durability));
  if (d.durability != leat::durability::interval) return name;
  return fmt::format("{}: flushed every {}, or {} of a producer", name, to_text(d.flush_interval),
                     bytes_to_text(d.flush_bytes));
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
  out().print("durability       {}\n", durability_of(d));
  out().print("created          {}\n", to_text(d.created));
  if (d.recovered) out().print("recovered        {}\n", to_text(*d.recovered));
  std::vector<std::string> head{"PARTITION", "START", "END", "RECORDS", "SEGMENTS"};
  if (is_durable(d)) head.emplace_back("DURABLE");
  if (d.recovered) head.emplace_back("RECOVERED END");
  table t(head);
  for (const auto& p : d.partitions) {
    std::vector<std::string> row{std::to_string(p.partition), std::to_string(p.start_offset),
                                 std::to_string(p.end_offset), std::to_string(p.end_offset - p.start_offset),
                                 std::to_string(p.segments)};
    if (is_durable(d)) row.push_back(std::to_string(p.durable_offset));
    if (d.recovered) row.push_back(p.recovered_end ? std::to_string(*p.recovered_end) : "-");
    t.add(std::move(row));
  }
  out().write(t.text());
}

int describe(const settings& common, const several& o) {
  const leat::admin admin(open_store(common));
  json all = json::array();
  bool is_first = true;
  for_each_of(o.topics, admin.topics(), [&](const std::string& name) {
    const leat::topic_description d = admin.describe_topic(name);
    if (common.json) return all.push_back(to_json(d));
    if (!std::exchange(is_first, false)) out().write("\n");
    print(d);
  });
  if (common.json) out().document(o.topics.size() == 1 ? all[0] : all);
  return exit_ok;
}

// --- alter, delete, add-partitions, delete-records, flush --------------------------------------------------------------------

struct alter_options {
  std::string topic;
  leat::topic_changes changes;
};

int alter(const settings& common, const alter_options& o) {
  const leat::retention_options& retention = o.changes.retention;
  const leat::flush_options& flush = o.changes.flush;
  if (!retention.bytes && !retention.time && !retention.wait_for_groups && !flush.interval && !flush.bytes) {
    throw failure(exit_usage,
                  "topics alter: nothing to change; give --retention-bytes, --retention-time, --wait-for-groups, "
                  "--flush-interval or --flush-bytes");
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

/// Those that were named, or all that are durable.
std::vector<std::string> topics_to_flush(const leat::admin& admin, const std::vector<std::string>& named) {
  std::vector<std::string> topics;
  for_each_of(named, admin.topics(), [&](const std::string& name) {
    if (is_durable(admin.describe_topic(name))) {
      topics.push_back(name);
    } else if (!named.empty()) {
      throw failure(fmt::format("topic {}: its durability is none, so there is nothing that could be flushed", name));
    }
  });
  return topics;
}

int flush(const settings& common, const several& o) {
  const leat::admin admin(open_store(common));
  json all = json::array();
  table t({"TOPIC", "PARTITION", "DURABLE"});
  const std::vector<std::string> durable = topics_to_flush(admin, o.topics);  // before the first is flushed
  for_each_of(o.topics, durable, [&](const std::string& name) {
    admin.flush(name);
    for (const auto& p : admin.describe_topic(name).partitions) {
      all.push_back({{"topic", name}, {"partition", p.partition}, {"durable", p.durable_offset}});
      t.add({name, std::to_string(p.partition), std::to_string(p.durable_offset)});
    }
  });
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

void add_flush(CLI::App* c, leat::flush_options& flush) {
  add_parsed(c, "--flush-interval", flush.interval, parse_duration,
             "With interval: flush once so much time has passed since the last; default 1s", "DURATION");
  add_parsed(c, "--flush-bytes", flush.bytes, parse_bytes,
             "With interval: or once a producer has appended so much; default 16 MiB", "SIZE");
}

void add_create(command_line& line, CLI::App* topics) {
  auto o = std::make_shared<create_options>();
  CLI::App* const c = topics->add_subcommand("create", "Make a topic, and the store if it is not there");
  add_argument(c, "NEW-TOPIC", o->topic, "Its name")->required();
  add_parsed(c, "-p,--partitions", o->options.partitions, parse_small, "How many, 1 to 1024; default 1", "NUMBER");
  add_parsed(c, "--segment-bytes", o->options.segment_bytes, parse_bytes, "Size of a segment; default 16 MiB", "SIZE");
  add_retention(c, o->options.retention);
  add_parsed(c, "--durability", o->options.durability, parse_durability,
             "When records are on the device: none (default), interval (some time later) or every (before a send "
             "returns); needs a store at a path",
             "none|interval|every");
  add_flush(c, o->options.flush);
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
    CLI::App* const c = topics->add_subcommand("alter", "Change the retention of a topic, or when it is flushed");
    add_argument(c, "TOPIC", o->topic, "The topic")->required();
    add_retention(c, o->changes.retention);
    add_flush(c, o->changes.flush);
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
  {
    auto o = std::make_shared<several>();
    CLI::App* const c = topics->add_subcommand("flush", "Write what is in durable topics to the device, now");
    add_argument(c, "TOPIC", o->topics, "The topics; default: all that are durable");
    line.runs(c, o, flush);
  }
}

}  // namespace leat_tool
