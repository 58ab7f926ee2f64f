#include "prometheus.hpp"

#include "mirrors.hpp"

#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace leat_tool {

namespace {

using label = std::pair<std::string_view, std::string>;

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '\\' || c == '"') safe += '\\';
    if (c == '\n') {
      safe += "\\n";
    } else {
      safe += c;
    }
  }
  return safe;
}

class exposition {
 public:
  /// All values of a metric follow its head.
  void metric(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP leat_{} {}\n# TYPE leat_{} {}\n", name, help, name, type);
  }
  void value(const std::vector<label>& labels, std::uint64_t value) {
    std::string list;
    for (const auto& [name, text] : labels) {
      list += fmt::format("{}{}=\"{}\"", list.empty() ? "" : ",", name, escaped(text));
    }
    text_ += fmt::format("leat_{}{}{}{} {}\n", name_, list.empty() ? "" : "{", list, list.empty() ? "" : "}", value);
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

struct partition_metric {
  std::string_view name;
  std::string_view type;
  std::string_view help;
  std::uint64_t (*get)(const leat::partition_description&);
  bool of_durable_topics = false;  // of them only
};

constexpr partition_metric partition_metrics[] = {
    {"partition_start_offset", "gauge", "Lowest offset that can be read.",
     [](const auto& p) { return p.start_offset; }},
    {"partition_end_offset", "gauge", "Offset of the next record.", [](const auto& p) { return p.end_offset; }},
    {"partition_segments", "gauge", "Segments that can be read.", [](const auto& p) { return p.segments; }},
    {"partition_appended_bytes_total", "counter", "Bytes appended, framing included.",
     [](const auto& p) { return p.bytes_appended; }},
    {"partition_rolls_total", "counter", "Segments begun after the first.", [](const auto& p) { return p.rolls; }},
    {"partition_fresh_segments_total", "counter", "Segments made of a new file.",
     [](const auto& p) { return p.fresh_segments; }},
    {"partition_recycled_segments_total", "counter", "Segments made of a retired file.",
     [](const auto& p) { return p.recycled_segments; }},
    {"partition_contended_publishes_total", "counter", "Appends that found their first slot taken.",
     [](const auto& p) { return p.contended_publishes; }},
    {"partition_wake_ups_total", "counter", "Times that a producer woke consumers.",
     [](const auto& p) { return p.wake_ups; }},
    {"partition_back_pressure_total", "counter", "Times that a producer waited for a group.",
     [](const auto& p) { return p.back_pressure; }},
    {"partition_flushes_total", "counter", "Times that the partition was written to the device.",
     [](const auto& p) { return p.flushes; }, true},
    {"partition_durable_offset", "gauge", "Records below are on the device.",
     [](const auto& p) { return p.durable_offset; }, true},
};

void add_topics(exposition& e, const sample& s) {
  e.metric("topic_partitions", "gauge", "Partitions of the topic.");
  for (const auto& t : s.topics) e.value({{"topic", t.name}}, t.partitions.size());
  e.metric("topic_segment_bytes", "gauge", "Size of each of the topic's segments.");
  for (const auto& t : s.topics) e.value({{"topic", t.name}}, t.segment_bytes);
  for (const partition_metric& m : partition_metrics) {
    e.metric(m.name, m.type, m.help);
    for (const auto& t : s.topics) {
      if (m.of_durable_topics && !is_durable(t)) continue;
      for (const auto& p : t.partitions) {
        e.value({{"topic", t.name}, {"partition", std::to_string(p.partition)}}, m.get(p));
      }
    }
  }
}

void add_groups(exposition& e, const sample& s) {
  e.metric("group_members", "gauge", "Members of the group that are alive.");
  for (const auto& g : s.groups) {
    std::uint64_t alive = 0;
    for (const auto& m : g.members) alive += m.alive ? 1 : 0;
    e.value({{"group", g.name}}, alive);
  }
  e.metric("group_rebalances_total", "counter", "Rebalances of the group.");
  for (const auto& g : s.groups) e.value({{"group", g.name}}, g.rebalances);
  e.metric("group_fenced_commits_total", "counter", "Commits by members that had lost the partition.");
  for (const auto& g : s.groups) e.value({{"group", g.name}}, g.fenced_commits);
  const auto labels_of = [](const leat::group_description& g, const leat::group_offset& o) {
    return std::vector<label>{{"group", g.name}, {"topic", o.at.topic}, {"partition", std::to_string(o.at.partition)}};
  };
  e.metric("group_committed_offset", "gauge", "Next offset that the group will read.");
  for (const auto& g : s.groups) {
    for (const auto& o : g.offsets) {
      if (o.committed) e.value(labels_of(g, o), *o.committed);
    }
  }
  e.metric("group_lag", "gauge", "Records that the group has not committed.");
  for (const auto& g : s.groups) {
    for (const auto& o : g.offsets) e.value(labels_of(g, o), o.lag);
  }
}

void add_mirrors(exposition& e, const sample& s) {
  const auto mirrors = mirrors_in(s);
  const auto metric = [&](std::string_view name, std::string_view help, auto get) {
    e.metric(name, "gauge", help);
    for (const mirrored_partition& m : mirrors) {
      e.value({{"mirror", m.mirror}, {"topic", m.at.topic}, {"partition", std::to_string(m.at.partition)}}, get(m));
    }
  };
  metric("mirror_lag", "Records that wait to be mirrored.", [](const auto& m) { return m.state.lag; });
  metric("mirror_rate", "Records mirrored a second, lately.", [](const auto& m) { return m.state.rate; });
  metric("mirror_records", "Records mirrored since the mirror began.", [](const auto& m) { return m.state.records; });
  metric("mirror_errors", "Errors since the mirror began.", [](const auto& m) { return m.state.errors; });
  metric("mirror_running", "Whether a mirror that is alive has the partition.",
         [](const auto& m) { return std::uint64_t{m.is_running}; });
  metric("mirror_exactly_once", "Whether each record is mirrored exactly once.",
         [](const auto& m) { return std::uint64_t{m.state.promise == leat::kafka::guarantee::exactly_once}; });
}

}  // namespace

std::string to_prometheus(const sample& s) {
  exposition e;
  e.metric("build_info", "gauge", "The version of the tool.");
  e.value({{"version", std::string(leat::version)}}, 1);
  e.metric("store_free_bytes", "gauge", "Free bytes of the file system of the store.");
  e.value({}, s.free_bytes);
  add_topics(e, s);
  add_groups(e, s);
  add_mirrors(e, s);
  return std::move(e).text();
}

}  // namespace leat_tool
