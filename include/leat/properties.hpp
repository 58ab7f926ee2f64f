// Options as strings, with Kafka's names, for programs that are being ported.
//
//     const leat::properties p{{"group.id", "risk"}, {"auto.offset.reset", "earliest"}, {"enable.auto.commit", "false"}};
//     leat::consumer in{trades, p};               // wherever options are taken
//     leat::consumer_options options = p;         // or mixed with typed ones
//
// What there is no need for without brokers (bootstrap.servers, acks, linger.ms, fetch.*, serializers, ...) is taken and means
// nothing. Everything else that is unknown, or cannot be done, is an error that names the property.
#pragma once

#include <leat/async_producer_options.hpp>
#include <leat/error.hpp>
#include <leat/group/assignor.hpp>
#include <leat/options.hpp>
#include <leat/types.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace leat {

class properties;

/// Sets what the properties say. Throws invalid_argument and unsupported, which name the property. `rest`: takes those that do
/// not say anything about these options, known or not, instead.
inline void apply(const properties& from, consumer_options& to, properties* rest = nullptr);
inline void apply(const properties& from, producer_options& to, properties* rest = nullptr);
inline void apply(const properties& from, async_producer_options& to, properties* rest = nullptr);
inline void apply(const properties& from, topic_options& to, properties* rest = nullptr);

class properties : public std::map<std::string, std::string> {
 public:
  using map::map;

  operator consumer_options() const { return as<consumer_options>(); }
  operator producer_options() const { return as<producer_options>(); }
  operator async_producer_options() const { return as<async_producer_options>(); }
  operator topic_options() const { return as<topic_options>(); }

 private:
  template <class Options>
  Options as() const {
    Options options;
    apply(*this, options);
    return options;
  }
};

namespace detail {

[[noreturn]] inline void throw_property(errc code, const std::string& name, const std::string& value,
                                        const std::string& expected) {
  throw error(code, name, "is \"" + value + "\", expected " + expected);
}

/// A whole number from `least` to `most`.
inline std::int64_t number_of(const std::string& name, const std::string& value, std::int64_t least,
                              std::int64_t most) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (failure != std::errc() || end != value.data() + value.size() || number < least || number > most) {
    throw_property(errc::invalid_argument, name, value,
                   "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return number;
}
inline constexpr std::int64_t most_milliseconds = std::numeric_limits<std::int64_t>::max() / 1'000'000;

inline std::chrono::nanoseconds milliseconds_in(const std::string& name, const std::string& value,
                                                std::int64_t least = 0) {
  return std::chrono::milliseconds(
      number_of(name, value, least, std::numeric_limits<std::int32_t>::max()));  // as Kafka has it
}
inline bool truth_of(const std::string& name, const std::string& value) {
  if (value == "true") return true;
  if (value == "false") return false;
  throw_property(errc::invalid_argument, name, value, "true or false");
}

/// By its short name or that of its Java class; of a list, the first.
inline assignor assignor_named(const std::string& name, const std::string& value) {
  std::string_view first = std::string_view(value).substr(0, value.find(','));
  while (!first.empty() && first.back() == ' ') first.remove_suffix(1);
  constexpr std::string_view package = "org.apache.kafka.clients.consumer.";
  if (first.starts_with(package)) first.remove_prefix(package.size());
  if (first == "range" || first == "RangeAssignor") return range_assignor();
  if (first == "roundrobin" || first == "RoundRobinAssignor") return round_robin_assignor();
  if (first == "sticky" || first == "StickyAssignor") return sticky_assignor();
  if (first == "cooperative-sticky" || first == "CooperativeStickyAssignor") return cooperative_sticky_assignor();
  throw_property(errc::invalid_argument, name, value,
                 "range, roundrobin, sticky or cooperative-sticky, or the names of Kafka's classes for them");
}

template <class Options>
struct property_setter {
  std::string_view name;
  void (*set)(Options& to, const std::string& name, const std::string& value);
};

inline std::span<const property_setter<consumer_options>> setters(const consumer_options&) {
  using o = consumer_options;
  using text = const std::string&;
  static constexpr property_setter<o> all[] = {
      {"group.id", [](o& to, text, text v) { to.group = v; }},
      {"group.instance.id", [](o& to, text, text v) { to.group_instance_id = v; }},
      {"client.id", [](o& to, text, text v) { to.client_id = v; }},
      {"auto.offset.reset",
       [](o& to, text n, text v) {
         if (v == "latest") {
           to.auto_offset_reset = offset_reset::latest;
         } else if (v == "earliest") {
           to.auto_offset_reset = offset_reset::earliest;
         } else if (v == "none") {
           to.auto_offset_reset = offset_reset::none;
         } else {
           throw_property(errc::invalid_argument, n, v, "latest, earliest or none");
         }
       }},
      {"enable.auto.commit", [](o& to, text n, text v) { to.enable_auto_commit = truth_of(n, v); }},
      {"auto.commit.interval.ms", [](o& to, text n, text v) { to.auto_commit_interval = milliseconds_in(n, v); }},
      {"max.poll.records",
       [](o& to, text n, text v) {
         to.max_poll_records = static_cast<std::uint32_t>(number_of(n, v, 1, std::numeric_limits<std::int32_t>::max()));
       }},
      {"max.poll.interval.ms", [](o& to, text n, text v) { to.max_poll_interval = milliseconds_in(n, v, 1); }},
      {"session.timeout.ms", [](o& to, text n, text v) { to.session_timeout = milliseconds_in(n, v, 1); }},
      {"partition.assignment.strategy", [](o& to, text n, text v) { to.assignor = assignor_named(n, v); }}};
  return all;
}

inline std::span<const property_setter<producer_options>> setters(const producer_options&) {
  using o = producer_options;
  using text = const std::string&;
  static constexpr property_setter<o> all[] = {
      {"max.block.ms", [](o& to, text n, text v) { to.max_block = milliseconds_in(n, v); }}};
  return all;
}

inline std::span<const property_setter<async_producer_options>> setters(const async_producer_options&) {
  using o = async_producer_options;
  using text = const std::string&;
  static constexpr property_setter<o> all[] = {
      {"max.block.ms", [](o& to, text n, text v) { to.max_block = milliseconds_in(n, v); }},
      {"delivery.timeout.ms", [](o& to, text n, text v) { to.delivery_timeout = milliseconds_in(n, v, 1); }},
      {"buffer.memory", [](o& to, text n, text v) {
         to.max_queued_bytes = static_cast<std::size_t>(number_of(n, v, 1, std::numeric_limits<std::int64_t>::max()));
       }}};
  return all;
}

inline std::span<const property_setter<topic_options>> setters(const topic_options&) {
  using o = topic_options;
  using text = const std::string&;
  static constexpr property_setter<o> all[] = {
      {"num.partitions",
       [](o& to, text n, text v) { to.partitions = static_cast<std::uint32_t>(number_of(n, v, 1, 1'000'000)); }},
      {"retention.ms",
       [](o& to, text n, text v) {
         const std::int64_t ms = number_of(n, v, -1, most_milliseconds);
         to.retention.time = ms < 0 ? forever : std::chrono::nanoseconds(std::chrono::milliseconds(ms));
       }},
      {"retention.bytes",
       [](o& to, text n, text v) {
         const std::int64_t bytes = number_of(n, v, -1, std::numeric_limits<std::int64_t>::max());
         to.retention.bytes = bytes < 0 ? unlimited : static_cast<std::uint64_t>(bytes);
       }},
      {"segment.bytes",
       [](o& to, text n, text v) {
         to.segment_bytes = static_cast<std::uint64_t>(number_of(n, v, 1, std::numeric_limits<std::int64_t>::max()));
       }},
      {"max.message.bytes",
       [](o& to, text n, text v) {
         to.max_record_bytes = static_cast<std::uint32_t>(number_of(n, v, 1, std::numeric_limits<std::int32_t>::max()));
       }},
      {"message.timestamp.type",
       [](o& to, text n, text v) {
         if (v == "CreateTime") {
           to.timestamps = timestamp_type::create_time;
         } else if (v == "LogAppendTime") {
           to.timestamps = timestamp_type::log_append_time;
         } else {
           throw_property(errc::invalid_argument, n, v, "CreateTime or LogAppendTime");
         }
       }},
      {"flush.ms",
       [](o& to, text n, text v) {
         if (!to.durability) to.durability = durability::interval;
         to.flush.interval = std::chrono::milliseconds(number_of(n, v, 1, most_milliseconds));
       }},
      {"flush.messages",
       [](o& to, text n, text v) {
         if (v != "1") throw_property(errc::unsupported, n, v, "1: records are flushed each, or by time (flush.ms)");
         to.durability = durability::every;
       }},
      {"cleanup.policy", [](o&, text n, text v) {
         if (v != "delete") throw_property(errc::unsupported, n, v, "delete: there is no compaction");
       }}};
  return all;
}

/// What is about brokers, connections and Java; of no meaning where there are none.
inline bool means_nothing_without_brokers(std::string_view name) {
  static constexpr std::array names{"acks",
                                    "allow.auto.create.topics",
                                    "batch.size",
                                    "bootstrap.servers",
                                    "check.crcs",
                                    "client.dns.lookup",
                                    "client.id",
                                    "client.rack",
                                    "compression.type",
                                    "connections.max.idle.ms",
                                    "default.api.timeout.ms",
                                    "delivery.timeout.ms",
                                    "enable.idempotence",
                                    "exclude.internal.topics",
                                    "heartbeat.interval.ms",
                                    "isolation.level",
                                    "key.deserializer",
                                    "key.serializer",
                                    "linger.ms",
                                    "max.in.flight.requests.per.connection",
                                    "max.partition.fetch.bytes",
                                    "max.request.size",
                                    "metadata.max.age.ms",
                                    "min.insync.replicas",
                                    "receive.buffer.bytes",
                                    "reconnect.backoff.max.ms",
                                    "reconnect.backoff.ms",
                                    "replication.factor",
                                    "request.timeout.ms",
                                    "retries",
                                    "retry.backoff.ms",
                                    "security.protocol",
                                    "send.buffer.bytes",
                                    "socket.connection.setup.timeout.max.ms",
                                    "socket.connection.setup.timeout.ms",
                                    "value.deserializer",
                                    "value.serializer"};
  for (const std::string_view prefix : {"fetch.", "sasl.", "ssl."}) {
    if (name.starts_with(prefix)) return true;
  }
  return std::ranges::find(names, name) != names.end();
}

/// There are choices to be wrong about also where they mean nothing.
inline void check_choice(const std::string& name, const std::string& value) {
  if (name == "acks" && value != "all" && value != "-1" && value != "0" && value != "1")
    throw_property(errc::invalid_argument, name, value, "all, -1, 0 or 1");
  if (name == "isolation.level" && value != "read_uncommitted" && value != "read_committed")
    throw_property(errc::invalid_argument, name, value, "read_uncommitted or read_committed");
}

template <class Options>
void apply_all(const properties& from, Options& to, properties* rest) {
  const auto known = setters(to);
  for (const auto& [name, value] : from) {
    check_choice(name, value);
    if (const auto setter = std::ranges::find(known, name, &property_setter<Options>::name); setter != known.end()) {
      setter->set(to, name, value);
    } else if (rest != nullptr) {
      rest->emplace(name, value);
    } else if (!means_nothing_without_brokers(name)) {
      std::string names;
      for (const auto& [n, set] : known) names.append(names.empty() ? "" : ", ").append(n);
      throw error(errc::invalid_argument, name,
                  "there is no such property here; expected one of " + names + ", or one that only brokers know");
    }
  }
}

}  // namespace detail

inline void apply(const properties& from, consumer_options& to, properties* rest) { detail::apply_all(from, to, rest); }
inline void apply(const properties& from, producer_options& to, properties* rest) { detail::apply_all(from, to, rest); }
inline void apply(const properties& from, async_producer_options& to, properties* rest) {
  detail::apply_all(from, to, rest);
}
inline void apply(const properties& from, topic_options& to, properties* rest) { detail::apply_all(from, to, rest); }

}  // namespace leat
