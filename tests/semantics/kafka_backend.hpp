// The scenarios' log, made of leat::kafka: on librdkafka's mock cluster, or on a real Kafka where LEAT_SEMANTICS_BACKEND is
// "broker" and LEAT_KAFKA_BROKERS has its address.
//
// A broker outlives a scenario, so the names of topics and groups get a prefix of their own there, which nobody sees.
#pragma once

#include "semantics/backend.hpp"
#include "semantics/leat_words.hpp"
#include "semantics/member.hpp"
#include "semantics/servant.hpp"
#include "support/mock_cluster.hpp"
#include "support/processes.hpp"
#include "support/read_all.hpp"

#include <leat/kafka/admin.hpp>
#include <leat/kafka/consumer.hpp>
#include <leat/kafka/producer.hpp>
#include <leat/kafka/store.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace semantics {

namespace kafka_side {

using leat::kafka::property_map;

/// Found soon, where a topic is made while somebody is subscribed to it.
inline leat::kafka::store open(const std::string& servers) {
  return leat::kafka::store::open(servers, {.properties = {{"topic.metadata.refresh.interval.ms", "500"}}});
}

class consumer final : public semantics::consumer {
 public:
  consumer(const std::string& servers, std::string prefix, leat::consumer_options options)
      : store_(open(servers)), prefix_(std::move(prefix)), options_(std::move(options)) {}

  void subscribe(const std::vector<std::string>& topics) override {
    if (!in_) in_.emplace(store_, options_);
    const auto note = [this](char what) {
      return [this, what](std::span<const leat::topic_partition> partitions) {
        for (const auto& p : partitions) changes_.push_back(what + theirs(p).topic + "-" + std::to_string(p.partition));
      };
    };
    std::vector<std::string> names;
    for (const auto& t : topics) names.push_back(prefix_ + t);
    in_->subscribe(names, {.assigned = note('+'), .revoked = note('-'), .lost = note('!')});
  }
  void assign(const std::string& name, const std::vector<std::uint32_t>& partitions) override {
    options_.partitions = partitions;
    in_.emplace(store_.topic<std::string>(prefix_ + name, {.mode = leat::open_mode::open}), options_);
  }

  polled poll(milliseconds timeout) override {
    const auto batch = in_->poll(timeout);
    if (batch.error() != leat::errc::ok) return {outcome_of(batch.error()), {}};
    polled result;
    for (const auto& r : batch) {
      record copy{theirs({r.topic(), r.partition()}),   r.offset(), leat_tests::copy_of(r.key_bytes()),
                  leat_tests::copy_of(r.value_bytes()), {},         since_1970(r.timestamp())};
      for (const leat::header& h : r.headers()) {
        copy.headers.emplace_back(std::string(h.name), leat_tests::copy_of(h.value));
      }
      result.records.push_back(std::move(copy));
    }
    return result;
  }

  outcome commit() override { return outcome_of(in_->commit().error()); }
  outcome commit(const offset_to_commit& o) override {
    return outcome_of(in_->commit({ours(o.at), o.offset, o.metadata}).error());
  }

  std::uint64_t position(const topic_partition& p) override { return in_->position(ours(p)); }
  void seek(const topic_partition& p, std::uint64_t offset) override { in_->seek(ours(p), offset); }
  void pause(const topic_partition& p) override { in_->pause(ours(p)); }
  void resume(const topic_partition& p) override { in_->resume(ours(p)); }

  std::vector<topic_partition> owned() override {
    std::vector<topic_partition> list;
    for (const auto& p : in_->owned()) list.push_back(theirs(p));
    return list;
  }
  std::vector<std::string> changes() override { return changes_; }

  void close() override { in_->close(); }

 private:
  leat::topic_partition ours(const topic_partition& p) const { return {prefix_ + p.topic, p.partition}; }
  topic_partition theirs(const leat::topic_partition& p) const { return {p.topic.substr(prefix_.size()), p.partition}; }

  leat::kafka::store store_;
  std::string prefix_;
  leat::consumer_options options_;
  std::vector<std::string> changes_;
  std::optional<leat::kafka::consumer<std::string>> in_;
};

/// A producer in a process of its own.
class producer final : public semantics::producer {
 public:
  producer(const std::string& servers, const std::string& topic)
      : sends_([&servers, &topic]() -> servant::answer_function {
          auto out = std::make_shared<leat::kafka::producer<std::string>>(
              open(servers).topic<std::string>(topic, {.mode = leat::open_mode::open}));
          return [out](const std::string&, const json& about) { return send(*out, about); };
        }) {}

  placed send(const message& m) override {
    json headers = json::array();
    for (const auto& [name, value] : m.headers) headers.push_back({name, to_json_or_null(value)});
    const json sent = sends_.call("send", {to_json_or_null(m.key), to_json_or_null(m.value), m.timestamp,
                                           m.partition ? json(*m.partition) : json(), headers});
    return {sent.at(0).get<std::uint32_t>(), sent.at(1).get<std::uint64_t>()};
  }

 private:
  using to_send = leat::kafka::producer<std::string>::value_argument;

  static json send(leat::kafka::producer<std::string>& out, const json& about) {
    const auto argument = [](const bytes& b) { return b ? to_send(std::string_view(*b)) : to_send(leat::null); };
    const bytes key = bytes_of(about.at(0));
    const bytes value = bytes_of(about.at(1));
    std::vector<std::pair<std::string, bytes>> texts;
    for (const json& h : about.at(4)) texts.emplace_back(h.at(0).get<std::string>(), bytes_of(h.at(1)));
    std::vector<leat::header> headers;
    for (const auto& [name, text] : texts) {
      headers.push_back(text ? leat::header(name, std::string_view(*text)) : leat::header(name, leat::null));
    }
    leat::send_options how{.timestamp = time(about.at(2).get<std::int64_t>()), .headers = headers};
    if (!about.at(3).is_null()) how.partition = about.at(3).get<std::uint32_t>();
    const auto sent = out.send(argument(key), argument(value), how);
    if (!sent) throw std::runtime_error("a send failed: " + out.last_failure());
    return json::array({sent->partition, sent->offset});
  }

  servant sends_;
};

/// What the scenario asks beside its members and producers; with the mock cluster, where there is no other.
inline servant::answer_function answers(const std::string& address, const std::string& prefix) {
  struct place {
    std::optional<leat_tests::mock_cluster> mock;
    std::optional<leat::kafka::admin> admin;
  };
  const auto there = std::make_shared<place>();
  if (address.empty()) there->mock.emplace();
  there->admin.emplace(open(address.empty() ? there->mock->servers() : address));
  return [there, prefix](const std::string& verb, const json& about) -> json {
    const leat::kafka::admin& admin = *there->admin;
    const auto at = [&](const json& p) {
      return leat::topic_partition{prefix + p.at(0).get<std::string>(), p.at(1).get<std::uint32_t>()};
    };
    if (verb == "servers") return admin.store().path();
    if (verb == "create topic") {
      const auto name = prefix + about.at(0).get<std::string>();
      leat::topic_options o{.partitions = about.at(1).get<std::uint32_t>()};
      if (there->mock) {
        there->mock->create_topic(name, *o.partitions);
        return {};
      }
      if (!about.at(2).is_null()) o.segment_bytes = about.at(2).get<std::uint64_t>();
      o.retention.bytes = about.at(3).is_null() ? leat::unlimited : about.at(3).get<std::uint64_t>();
      o.retention.time = about.at(4).is_null()
                             ? leat::forever
                             : std::chrono::nanoseconds(milliseconds(about.at(4).get<std::int64_t>()));
      admin.create_topic(name, o);
      if (about.at(5).get<bool>()) {
        leat::kafka::alter_configuration(*admin.store().cluster(), name,
                                         {{"cleanup.policy", "compact"}, {"min.cleanable.dirty.ratio", "0"}});
      }
      return {};
    }
    if (verb == "offsets") {
      const auto topic = admin.store().raw_topic(at(about).topic);
      const auto p = at(about).partition;
      return json::array({topic.start_offset(p), topic.end_offset(p)});
    }
    if (verb == "offset for time") {
      const auto found = admin.offset_for_time(at(about.at(0)), time(about.at(1).get<std::int64_t>()));
      return found ? json(*found) : json();
    }
    if (verb == "delete records") return admin.delete_records(at(about.at(0)), about.at(1).get<std::uint64_t>());
    if (verb == "committed") {
      const auto p = at(about.at(1));
      leat::kafka::consumer<leat::bytes_view, leat::bytes_view> observer(
          admin.store().raw_topic(p.topic), {.partitions = {{p.partition}},
                                             .group = prefix + about.at(0).get<std::string>(),
                                             .enable_auto_commit = false});
      const auto found = observer.committed(p);
      return found ? json::array({found->offset, found->metadata}) : json();
    }
    if (verb == "describe") {
      const auto group = prefix + about.get<std::string>();
      json members = json::array();
      json owners = json::array();
      const auto names = admin.groups();
      if (std::ranges::find(names, group) == names.end()) return json::array({members, owners});
      for (const auto& m : admin.describe_group(group).members) {
        members.push_back(m.client_id);
        for (const auto& p : m.partitions) owners.push_back({p.topic.substr(prefix.size()), p.partition, m.client_id});
      }
      return json::array({members, owners});
    }
    throw std::runtime_error("nobody knows how to " + verb);
  };
}

}  // namespace kafka_side

class kafka_backend final : public backend {
 public:
  /// `address`: of a broker; empty: the mock cluster.
  explicit kafka_backend(const std::string& address)
      : is_mock_(address.empty()),
        prefix_(is_mock_ ? std::string() : fresh_prefix()),
        admin_([&] { return kafka_side::answers(address, prefix_); }),
        servers_(admin_.call("servers").get<std::string>()) {}

  void create_topic(const std::string& name, const topic_options& options) override {
    const auto number = [](const auto& n) { return n ? json(*n) : json(); };
    admin_.call("create topic",
                {name, options.partitions, number(options.segment_bytes), number(options.retention_bytes),
                 options.retention_time ? json(options.retention_time->count()) : json(), options.compacted});
  }
  std::unique_ptr<producer> make_producer(const std::string& topic) override {
    return std::make_unique<kafka_side::producer>(servers_, prefix_ + topic);
  }

  std::unique_ptr<consumer> make_consumer(const consumer_options& options) override {
    leat::consumer_options o;
    o.auto_offset_reset = policy(options.reset);
    o.max_poll_records = options.max_poll_records;
    o.group = options.group.empty() ? std::string() : prefix_ + options.group;
    o.group_instance_id = options.instance_id;
    o.session_timeout = options.session_timeout.value_or(shortest_interval());
    o.client_id = options.client_id;
    o.enable_auto_commit = options.auto_commit;
    o.auto_commit_interval = options.auto_commit_interval;
    o.max_poll_interval = options.max_poll_interval.value_or(std::chrono::hours(1));
    o.assignor = leat::assignor{options.assignor, nullptr};
    return std::make_unique<kafka_side::consumer>(servers_, prefix_, std::move(o));
  }

  watermarks offsets(const topic_partition& p) override {
    const json found = admin_.call("offsets", p);
    return {found.at(0).get<std::uint64_t>(), found.at(1).get<std::uint64_t>()};
  }
  std::optional<std::uint64_t> offset_for_time(const topic_partition& p, std::int64_t timestamp) override {
    const json found = admin_.call("offset for time", {p, timestamp});
    return found.is_null() ? std::nullopt : std::optional(found.get<std::uint64_t>());
  }
  void delete_records(const topic_partition& p, std::uint64_t before) override {
    admin_.call("delete records", {p, before});
  }
  void apply_retention(const std::string&) override {}  // a broker does by itself

  std::optional<committed_offset> committed(const std::string& group, const topic_partition& p) override {
    const json found = admin_.call("committed", {group, p});
    if (found.is_null()) return std::nullopt;
    return committed_offset{found.at(0).get<std::uint64_t>(), found.at(1).get<std::string>()};
  }

  std::optional<group_view> describe(const std::string& group) override {
    if (is_mock_) return std::nullopt;
    const json found = admin_.call("describe", group);
    group_view view;
    view.members = found.at(0).get<std::vector<std::string>>();
    std::ranges::sort(view.members);
    for (const json& o : found.at(1)) {
      view.owners[{o.at(0).get<std::string>(), o.at(1).get<std::uint32_t>()}] = o.at(2).get<std::string>();
    }
    return view;
  }

  milliseconds shortest_interval() const override { return std::chrono::seconds(3); }
  milliseconds moment() const override { return milliseconds(20); }

  std::string cannot(ability what) const override {
    if (what == ability::sticky_assignor) return "librdkafka has no eager sticky assignor";
    if (!is_mock_) return {};
    switch (what) {
      case ability::delete_records: return "the mock cluster of librdkafka 2.0.2 cannot delete records";
      case ability::retain: return "the mock cluster of librdkafka 2.0.2 has no retention by segments";
      case ability::compact: return "the mock cluster of librdkafka 2.0.2 has no compaction";
      case ability::find_times: return "the mock cluster of librdkafka 2.0.2 finds no offsets for times";
      case ability::describe_groups: return "the mock cluster of librdkafka 2.0.2 does not describe groups";
      case ability::static_members: return "the mock cluster of librdkafka 2.0.2 knows no static members";
      case ability::commit_by_itself_behind_a_death:
        return "on the mock cluster of librdkafka 2.0.2 this commit is never seen; why is not known, on a real broker "
               "it is";
      default: return {};
    }
  }

 private:
  static std::string fresh_prefix() {
    std::random_device random;
    char text[40];
    std::snprintf(text, sizeof text, "s%08x%08x.", random(), random());
    return text;
  }

  bool is_mock_;
  std::string prefix_;
  servant admin_;
  std::string servers_;
};

}  // namespace semantics
