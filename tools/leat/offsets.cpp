// leat offsets: where partitions begin and end, what a group has committed, and which offset a time has.
#include "command.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "positions.hpp"
#include "store_access.hpp"
#include "text.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace leat_tool::offsets_command {

namespace {

struct options {
  std::string topic;
  std::string group;
  std::optional<leat::timestamp> time;
  std::vector<std::uint32_t> partitions;
};

std::string text_of(const std::optional<std::uint64_t>& offset) { return offset ? std::to_string(*offset) : "-"; }
json json_of(const std::optional<std::uint64_t>& offset) { return offset ? json(*offset) : json(nullptr); }

/// What is known of the group in the partition; null where it has neither read nor committed in the topic.
const leat::group_offset* offset_in(const leat::group_description& group, const leat::topic_partition& at) {
  const auto found = std::ranges::find(group.offsets, at, &leat::group_offset::at);
  return found == group.offsets.end() ? nullptr : &*found;
}

int offsets(const settings& common, const options& o) {
  const leat::store store = open_store(common);
  const raw_topic topic = store.raw_topic(o.topic);
  const leat::admin admin(store);
  std::optional<leat::group_description> group;
  if (!o.group.empty()) group = admin.describe_group(o.group);

  std::vector<std::string> head{"PARTITION", "START", "END"};
  if (group) head.insert(head.end(), {"COMMITTED", "LAG"});
  if (o.time) head.push_back("AT TIME");
  table t(head);
  json all = json::array();
  for (const std::uint32_t p : choose_partitions(topic, o.partitions)) {
    const std::uint64_t start = topic.start_offset(p);
    const std::uint64_t end = topic.end_offset(p);
    std::vector<std::string> row{std::to_string(p), std::to_string(start), std::to_string(end)};
    json object{{"partition", p}, {"start", start}, {"end", end}};
    if (group) {
      std::optional<std::uint64_t> committed, lag;
      if (const leat::group_offset* const known = offset_in(*group, {o.topic, p})) {
        committed = known->committed;
        const std::uint64_t from = known->end_offset - known->lag;  // also where nothing is committed
        lag = end - std::min(std::max(from, start), end);
      }
      row.insert(row.end(), {text_of(committed), text_of(lag)});
      object["committed"] = json_of(committed);
      object["lag"] = json_of(lag);
    }
    if (o.time) {
      const auto offset = topic.offset_for_time(p, *o.time);
      row.push_back(text_of(offset));
      object["at_time"] = json_of(offset);
    }
    t.add(std::move(row));
    all.push_back(std::move(object));
  }
  if (common.json) {
    out().document(all);
  } else {
    out().write(t.text());
  }
  return exit_ok;
}

}  // namespace
}  // namespace leat_tool::offsets_command

namespace leat_tool {

void add_offsets(command_line& line) {
  using namespace offsets_command;
  auto o = std::make_shared<options>();
  CLI::App* const c = line.app.add_subcommand("offsets", "Print where partitions begin and end");
  add_argument(c, "TOPIC", o->topic, "The topic")->required();
  c->add_option("-g,--group", o->group, "Also what this group has committed, and its lag")->type_name("GROUP");
  add_parsed(c, "--time", o->time, parse_time, "Also the first offset whose timestamp is this or later", "TIME");
  add_parsed(c, "-p,--partition", o->partitions, parse_partitions, "Only these", "LIST");
  line.runs(c, o, offsets);
}

}  // namespace leat_tool
