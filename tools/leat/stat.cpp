// leat stat: figures of topics and groups, for people, programs and Prometheus.
#include "command.hpp"
#include "exit_code.hpp"
#include "mirrors.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "prometheus.hpp"
#include "sample.hpp"
#include "text.hpp"

#include <memory>
#include <string>
#include <vector>

namespace leat_tool::stat_command {

namespace {

struct options {
  std::vector<std::string> topics;
  bool prometheus = false;
};

json to_json(const sample& s) {
  json topics = json::array();
  for (const auto& t : s.topics) {
    json partitions = json::array();
    for (const auto& p : t.partitions) {
      partitions.push_back({{"partition", p.partition},
                            {"start", p.start_offset},
                            {"end", p.end_offset},
                            {"segments", p.segments},
                            {"appended_bytes", p.bytes_appended},
                            {"rolls", p.rolls},
                            {"fresh_segments", p.fresh_segments},
                            {"recycled_segments", p.recycled_segments},
                            {"contended_publishes", p.contended_publishes},
                            {"wake_ups", p.wake_ups},
                            {"back_pressure", p.back_pressure},
                            {"flushes", p.flushes}});
      if (is_durable(t)) partitions.back()["durable"] = p.durable_offset;
    }
    topics.push_back({{"topic", t.name},
                      {"records", records_in(t)},
                      {"segment_bytes", t.segment_bytes},
                      {"bytes", bytes_in(t)},
                      {"appended_records", records_ever(t)},
                      {"appended_bytes", bytes_ever(t)},
                      {"partitions", std::move(partitions)}});
  }
  json groups = json::array();
  for (const auto& g : s.groups) {
    groups.push_back({{"group", g.name},
                      {"members", g.members.size()},
                      {"lag", lag_of(g)},
                      {"rebalances", g.rebalances},
                      {"fenced_commits", g.fenced_commits}});
  }
  return {{"free_bytes", s.free_bytes},
          {"topics", std::move(topics)},
          {"groups", std::move(groups)},
          {"mirrors", leat_tool::to_json(mirrors_in(s))}};
}

void print(const sample& s) {
  table topics({"TOPIC", "PARTITIONS", "RECORDS", "SEGMENTS OF", "MEMORY", "APPENDED", "ROLLS", "RECYCLED", "CONTENDED",
                "WAKE-UPS", "BACK PRESSURE", "FLUSHES"});
  for (const auto& t : s.topics) {
    leat::partition_description sum{};
    for (const auto& p : t.partitions) {
      sum.rolls += p.rolls;
      sum.recycled_segments += p.recycled_segments;
      sum.contended_publishes += p.contended_publishes;
      sum.wake_ups += p.wake_ups;
      sum.back_pressure += p.back_pressure;
      sum.flushes += p.flushes;
    }
    topics.add({t.name, std::to_string(t.partitions.size()), std::to_string(records_in(t)),
                bytes_to_text(t.segment_bytes), bytes_to_text(bytes_in(t)), bytes_to_text(bytes_ever(t)),
                std::to_string(sum.rolls), std::to_string(sum.recycled_segments),
                std::to_string(sum.contended_publishes), std::to_string(sum.wake_ups),
                std::to_string(sum.back_pressure), std::to_string(sum.flushes)});
  }
  out().write(topics.text());
  if (!s.groups.empty()) {
    table groups({"GROUP", "MEMBERS", "LAG", "REBALANCES", "FENCED"});
    for (const auto& g : s.groups) {
      groups.add({g.name, std::to_string(g.members.size()), std::to_string(lag_of(g)), std::to_string(g.rebalances),
                  std::to_string(g.fenced_commits)});
    }
    out().write("\n" + groups.text());
  }
  const auto mirrors = mirrors_in(s);
  if (!mirrors.empty()) out().write("\n" + to_table(mirrors).text());
  out().print("\nfree on the file system: {}\n", bytes_to_text(s.free_bytes));
}

int stat(const settings& common, const options& o) {
  const sample s = take_sample(open_store(common), o.topics);
  if (o.prometheus) {
    out().write(to_prometheus(s));
  } else if (common.json) {
    out().document(to_json(s));
  } else {
    print(s);
  }
  return exit_ok;
}

}  // namespace
}  // namespace leat_tool::stat_command

namespace leat_tool {

void add_stat(command_line& line) {
  using namespace stat_command;
  auto o = std::make_shared<options>();
  CLI::App* const c = line.app.add_subcommand("stat", "Print figures of topics and groups");
  add_argument(c, "TOPIC", o->topics, "Only these");
  c->add_flag("--prometheus", o->prometheus, "In Prometheus' text exposition format");
  line.runs(c, o, stat);
}

}  // namespace leat_tool
