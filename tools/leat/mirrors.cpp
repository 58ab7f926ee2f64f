#include "mirrors.hpp"

#include <leat/kafka/mirror_options.hpp>

#include <algorithm>
#include <string_view>

namespace leat_tool {

std::vector<mirrored_partition> mirrors_in(const sample& s) {
  constexpr std::string_view prefix = leat::kafka::mirror_group_prefix;
  std::vector<mirrored_partition> found;
  for (const auto& g : s.groups) {
    if (!g.name.starts_with(prefix)) continue;
    for (const auto& o : g.offsets) {
      auto state = leat::kafka::parse_mirror_state(o.metadata);
      if (!state) continue;
      const bool is_running =
          std::any_of(g.members.begin(), g.members.end(), [&](const auto& m) { return m.alive && m.id == o.owner; });
      // To Kafka, the lag is known from the store, also where nobody mirrors.
      if (state->direction == leat::kafka::mirror_direction::to_kafka) state->lag = o.lag;
      if (!is_running) state->rate = 0;
      found.push_back({g.name.substr(prefix.size()), o.at, is_running, *state});
    }
  }
  return found;
}

json to_json(const std::vector<mirrored_partition>& mirrors) {
  json all = json::array();
  for (const mirrored_partition& m : mirrors) {
    all.push_back({{"mirror", m.mirror},
                   {"direction", std::string(text_of(m.state.direction))},
                   {"topic", m.at.topic},
                   {"partition", m.at.partition},
                   {"kafka_cluster", m.state.cluster},
                   {"kafka_topic", m.state.topic},
                   {"offset", m.state.at.leat},
                   {"kafka_offset", m.state.at.kafka},
                   {"running", m.is_running},
                   {"promise", std::string(text_of(m.state.promise))},
                   {"records", m.state.records},
                   {"rate", m.state.rate},
                   {"lag", m.state.lag},
                   {"errors", m.state.errors}});
  }
  return all;
}

table to_table(const std::vector<mirrored_partition>& mirrors) {
  table t(
      {"MIRROR", "DIRECTION", "TOPIC", "PARTITION", "OFFSET", "KAFKA'S", "LAG", "RATE", "ERRORS", "PROMISE", "STATE"});
  for (const mirrored_partition& m : mirrors) {
    t.add({m.mirror, std::string(text_of(m.state.direction)), m.at.topic, std::to_string(m.at.partition),
           std::to_string(m.state.at.leat), std::to_string(m.state.at.kafka), std::to_string(m.state.lag),
           std::to_string(m.state.rate), std::to_string(m.state.errors), std::string(text_of(m.state.promise)),
           m.is_running    ? "running"
           : m.state.clean ? "ended"
                           : "cut off"});
  }
  return t;
}

}  // namespace leat_tool
