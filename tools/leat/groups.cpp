// leat groups: list, describe, reset, delete.
#include "command.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "positions.hpp"
#include "store_access.hpp"
#include "text.hpp"

#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leat_tool::groups_command {

namespace {

struct nothing {};

struct several {
  std::vector<std::string> groups;
};

std::string list_of(const std::vector<leat::topic_partition>& partitions) {
  std::string text;
  for (const auto& p : partitions) text += fmt::format("{}{}:{}", text.empty() ? "" : " ", p.topic, p.partition);
  return text.empty() ? "-" : text;
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : printable(text); }

// --- list -------------------------------------------------------------------------------------------------------------

int list(const settings& common, const nothing&) {
  const std::vector<std::string> groups = leat::admin(open_store(common)).groups();
  if (common.json) {
    out().document(groups);
  } else {
    for (const std::string& name : groups) out().print("{}\n", name);
  }
  return exit_ok;
}

// --- describe ---------------------------------------------------------------------------------------------------------

json to_json(const leat::group_offset& o) {
  return {{"topic", o.at.topic},
          {"partition", o.at.partition},
          {"committed", o.committed ? json(*o.committed) : json(nullptr)},
          {"metadata", o.metadata},
          {"start", o.start_offset},
          {"end", o.end_offset},
          {"lag", o.lag},
          {"owner", o.owner.empty() ? json(nullptr) : json(o.owner)}};
}

json to_json(const leat::group_description& d) {
  json members = json::array();
  for (const auto& m : d.members) {
    json partitions = json::array();
    for (const auto& p : m.partitions) partitions.push_back({{"topic", p.topic}, {"partition", p.partition}});
    members.push_back({{"member", m.id},
                       {"instance_id", m.instance_id.empty() ? json(nullptr) : json(m.instance_id)},
                       {"client_id", m.client_id},
                       {"process", m.process},
                       {"alive", m.alive},
                       {"joined", to_text(m.joined)},
                       {"last_poll", to_text(m.last_poll)},
                       {"is_pattern", m.is_pattern},
                       {"subscription", m.subscription},
                       {"partitions", std::move(partitions)}});
  }
  json offsets = json::array();
  for (const auto& o : d.offsets) offsets.push_back(to_json(o));
  json skipped = json::array();
  for (const auto& f : d.skipped) {
    skipped.push_back({{"path", f.path}, {"what", f.what}, {"error", make_error_code(f.code).message()}});
  }
  return {{"group", d.name},
          {"assignor", d.assignor},
          {"rebalances", d.rebalances},
          {"evictions", d.evictions},
          {"fenced_commits", d.fenced_commits},
          {"members", std::move(members)},
          {"offsets", std::move(offsets)},
          {"skipped", std::move(skipped)}};
}

void print(const leat::group_description& d) {
  out().print("group           {}\n", d.name);
  out().print("assignor        {}\n", or_dash(d.assignor));
  out().print("rebalances      {}\n", d.rebalances);
  out().print("evictions       {}\n", d.evictions);
  out().print("fenced commits  {}\n", d.fenced_commits);
  if (!d.members.empty()) {
    table members({"MEMBER", "INSTANCE", "PROCESS", "STATE", "LAST POLL", "SUBSCRIPTION", "PARTITIONS"});
    for (const auto& m : d.members) {
      std::string subscription = m.is_pattern ? "pattern" : "";
      for (const std::string& s : m.subscription) subscription += (subscription.empty() ? "" : " ") + printable(s);
      members.add({printable(m.id), or_dash(m.instance_id), std::to_string(m.process), m.alive ? "alive" : "gone",
                   to_text(m.last_poll), or_dash(subscription), list_of(m.partitions)});
    }
    out().write("\n" + members.text());
  }
  if (!d.offsets.empty()) {
    table offsets({"TOPIC", "PARTITION", "COMMITTED", "START", "END", "LAG", "OWNER"});
    for (const auto& o : d.offsets) {
      offsets.add({o.at.topic, std::to_string(o.at.partition), o.committed ? std::to_string(*o.committed) : "-",
                   std::to_string(o.start_offset), std::to_string(o.end_offset), std::to_string(o.lag),
                   or_dash(o.owner)});
    }
    out().write("\n" + offsets.text());
  }
  for (const auto& f : d.skipped) out().print("\nskipped {}: {}\n", f.path, f.what);
}

int describe(const settings& common, const several& o) {
  const leat::admin admin(open_store(common));
  json all = json::array();
  bool all_seen = true;
  bool is_first = true;
  for_each_of(o.groups, admin.groups(), [&](const std::string& name) {
    const leat::group_description d = admin.describe_group(name);
    all_seen = all_seen && d.skipped.empty();
    if (common.json) return all.push_back(to_json(d));
    if (!std::exchange(is_first, false)) out().write("\n");
    print(d);
  });
  if (common.json) out().document(o.groups.size() == 1 ? all[0] : all);
  return all_seen ? exit_ok : exit_damaged;
}

// --- reset ------------------------------------------------------------------------------------------------------------

struct reset_options {
  std::string group;
  std::string topic;
  std::optional<place> to;
  std::optional<std::int64_t> shift;
  std::vector<std::uint32_t> partitions;
};

std::int64_t parse_shift(const std::string& text) {
  std::int64_t number = 0;
  const std::string_view digits = std::string_view(text).substr(text.starts_with('+') ? 1 : 0);
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (failed != std::errc() || end != digits.data() + digits.size() || digits.empty()) {
    throw std::invalid_argument("a number of records, as 10 or -10");
  }
  return number;
}

/// The target in this partition.
leat::reset_target target_of(const reset_options& o, const raw_topic& topic, std::uint32_t partition) {
  if (o.shift) return leat::shift_by{*o.shift};
  if (std::holds_alternative<earliest_place>(*o.to)) return leat::to_earliest{};
  if (std::holds_alternative<latest_place>(*o.to)) return leat::to_latest{};
  if (const auto* p = std::get_if<time_place>(&*o.to)) return leat::to_time{p->time};
  return leat::to_offset{offset_of(topic, partition, *o.to)};
}

int reset(const settings& common, const reset_options& o) {
  if (o.to.has_value() == o.shift.has_value()) {
    throw failure(exit_usage, "groups reset: expected --to or --shift, one of them");
  }
  const leat::store store = open_store(common);
  const leat::admin admin(store);
  const raw_topic topic = store.raw_topic(o.topic);
  const auto partitions = choose_partitions(topic, o.partitions);
  std::vector<leat::reset_target> targets;  // all of them are known to be possible before the first is used
  for (const std::uint32_t p : partitions) targets.push_back(target_of(o, topic, p));
  json all = json::array();
  table t({"PARTITION", "COMMITTED", "LAG"});
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    for (const auto& offset : admin.reset_offsets(o.group, o.topic, targets[i], {partitions[i]})) {
      all.push_back(to_json(offset));
      t.add({std::to_string(offset.at.partition), std::to_string(offset.committed.value_or(0)),
             std::to_string(offset.lag)});
    }
  }
  if (common.json) {
    out().document(all);
  } else {
    out().write(t.text());
  }
  return exit_ok;
}

// --- delete -----------------------------------------------------------------------------------------------------------

int remove(const settings& common, const several& o) {
  const leat::admin admin(open_store(common));
  int code = exit_ok;
  for (const std::string& name : o.groups) {
    if (admin.delete_group(name)) continue;
    complain(fmt::format("group {} in store {}: not found", name, common.store));
    code = exit_not_found;
  }
  return code;
}

}  // namespace
}  // namespace leat_tool::groups_command

namespace leat_tool {

void add_groups(command_line& line) {
  using namespace groups_command;
  CLI::App* const groups = line.app.add_subcommand("groups", "List, describe, reset and delete consumer groups");
  groups->require_subcommand(1);

  line.runs(groups->add_subcommand("list", "Print the names of the groups"), std::make_shared<nothing>(), list);
  {
    auto o = std::make_shared<several>();
    CLI::App* const c = groups->add_subcommand("describe", "Print members, owners, committed offsets and lag");
    add_argument(c, "GROUP", o->groups, "Only these");
    line.runs(c, o, describe);
  }
  {
    auto o = std::make_shared<reset_options>();
    CLI::App* const c = groups->add_subcommand("reset", "Put a group without live members somewhere else in a topic");
    add_argument(c, "GROUP", o->group, "The group; it is made if it is not there")->required();
    add_argument(c, "TOPIC", o->topic, "In which topic")->required();
    add_parsed(c, "--to", o->to, parse_place,
               "There: earliest, latest, an offset, -N for N before the end of each partition, or a time", "PLACE");
    add_parsed(c, "--shift", o->shift, parse_shift, "So many records on, or back, from what is committed", "NUMBER");
    add_parsed(c, "-p,--partition", o->partitions, parse_partitions, "Only in these", "LIST");
    line.runs(c, o, reset);
  }
  {
    auto o = std::make_shared<several>();
    CLI::App* const c = groups->add_subcommand("delete", "Delete groups without live members, and what they committed");
    add_argument(c, "GROUP", o->groups, "The groups")->required();
    line.runs(c, o, remove);
  }
}

}  // namespace leat_tool
