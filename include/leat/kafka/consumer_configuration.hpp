// leat's consumer options as librdkafka's configuration.
#pragma once

#include <leat/error.hpp>
#include <leat/kafka/client.hpp>
#include <leat/kafka/cluster.hpp>
#include <leat/options.hpp>
#include <leat/os/random.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace leat::kafka {

/// The name of an assignor that librdkafka has. Throws unsupported: its members would have to be asked what they own, and by a
/// function of the program's.
inline std::string strategy_of(const consumer_options& options) {
  if (!options.assignor) return "cooperative-sticky";
  const std::string& name = options.assignor->name;
  for (const char* const known : {"range", "roundrobin", "cooperative-sticky"}) {
    if (name == known) return name;
  }
  throw error(errc::unsupported, options.group,
              "assignor is \"" + name +
                  "\", expected range, roundrobin or cooperative-sticky: librdkafka has no others" +
                  (name == "sticky" ? "; cooperative-sticky comes to the same assignment" : ""));
}

/// librdkafka reads for nobody without the name of a group. This one is never joined, and nothing is committed to it.
inline std::string name_of_no_group() {
  char name[48];
  std::snprintf(name, sizeof name, "leat-without-a-group-%016llx",
                static_cast<unsigned long long>(os::random_bits<std::uint64_t>()));
  return name;
}

/// Throws invalid_argument and unsupported.
inline configuration configuration_of(const consumer_options& options, const cluster& of,
                                      const property_map& properties) {
  using std::chrono::milliseconds;
  constexpr int longest_session = 3'600'000;  // librdkafka's bounds
  constexpr int longest_poll_interval = 86'400'000;
  const int session = std::min(milliseconds_of(options.session_timeout, 1), longest_session);
  const int poll_interval = std::min(milliseconds_of(options.max_poll_interval, 1), longest_poll_interval);

  configuration conf;
  conf.set("isolation.level", "read_uncommitted");
  conf.set(of.options().properties);
  conf.set("group.id", options.group.empty() ? name_of_no_group() : options.group);
  if (!options.group_instance_id.empty()) conf.set("group.instance.id", options.group_instance_id);
  if (!options.client_id.empty()) conf.set("client.id", options.client_id);
  conf.set("partition.assignment.strategy", strategy_of(options));
  conf.set("session.timeout.ms", std::to_string(session));
  conf.set("heartbeat.interval.ms", std::to_string(std::clamp(session / 3, 1, 3000)));
  conf.set("max.poll.interval.ms", std::to_string(std::max(poll_interval, session)));  // librdkafka insists
  conf.set(properties);
  // What is committed and where reading begins is leat::kafka::reader's business.
  conf.set("enable.auto.commit", "false");
  conf.set("enable.auto.offset.store", "false");
  conf.set("auto.offset.reset", "error");
  return conf;
}

}  // namespace leat::kafka
