// A store whose topics are in a Kafka cluster: as leat::store.
//
//     leat::kafka::store::open("localhost:9092")
//     leat::kafka::store::open("a:9093,b:9093", {.properties = {{"security.protocol", "ssl"}}})
//
// Threads    copies share one state; any number of threads may use them at once.
#pragma once

#include <leat/error.hpp>
#include <leat/kafka/admin_calls.hpp>
#include <leat/kafka/cluster.hpp>
#include <leat/kafka/topic.hpp>
#include <leat/kafka/topic_configuration.hpp>
#include <leat/kafka/values.hpp>
#include <leat/options.hpp>
#include <leat/types.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace leat::kafka {

class store {
 public:
  /// `servers`: some brokers' addresses, "host:port,host:port" (bootstrap.servers). Throws leat::error: unreachable, and
  /// invalid_argument for properties that librdkafka does not take.
  static store open(const std::string& servers, store_options options = {}) {
    auto of = std::make_shared<kafka::cluster>(servers, std::move(options));
    (void)of->topics();  // so that servers which are not there are noticed here, as a store is that cannot be opened
    return store(std::move(of));
  }

  /// Opens or creates a topic, as `options.mode` says. Options that are set must be those of an existing topic.
  /// Throws leat::error: conflicting_options, not_found, already_exists, name_invalid, unsupported, unreachable, ...
  template <class Value, class Key = std::string>
  kafka::topic<Value, Key> topic(const std::string& name, const topic_options& options = {}) const {
    open_topic(name, options);
    return kafka::topic<Value, Key>(cluster_, name);
  }

  /// The same with strings, and Kafka's names; those that leat does not know are the topic's configuration, too.
  template <class Value, class Key = std::string, std::same_as<properties> Properties>
  kafka::topic<Value, Key> topic(const std::string& name, const Properties& p) const {
    properties others;
    topic_options options;
    apply(p, options, &others);
    open_topic(name, options, others);
    return kafka::topic<Value, Key>(cluster_, name);
  }

  /// An existing topic: values and keys are bytes. Throws not_found.
  kafka::topic<bytes_view, bytes_view> raw_topic(const std::string& name) const {
    return topic<bytes_view, bytes_view>(name, {.mode = open_mode::open});
  }

  /// Names of the topics, sorted; without Kafka's own.
  std::vector<std::string> topics() const {
    std::vector<std::string> names;
    for (const auto& [name, partitions] : cluster_->topics()) names.push_back(name);
    return names;
  }

  /// Throws not_found.
  topic_description describe_topic(const std::string& name) const { return describe(*cluster_, name); }

  /// False when there is no such topic. Its users get errc::closed, sooner or later.
  bool remove_topic(const std::string& name) const {
    if (!cluster_->partitions(name)) return false;
    try {
      delete_topic(*cluster_, name);
    } catch (const error& e) {
      if (e.code() == errc::not_found) return false;
      throw;
    }
    cluster_->wait_until([&] { return !cluster_->partitions(name); }, name, "the topic is deleted, but still seen");
    return true;
  }

  /// The servers' addresses.
  std::string path() const { return cluster_->servers(); }

  const std::shared_ptr<kafka::cluster>& cluster() const noexcept { return cluster_; }

 private:
  explicit store(std::shared_ptr<kafka::cluster> of) : cluster_(std::move(of)) {}

  void open_topic(const std::string& name, const topic_options& options, const property_map& others = {}) const {
    property_map wanted = configuration_of(options, cluster_->where(name));
    wanted.insert(others.begin(), others.end());
    const std::uint32_t partitions = options.partitions.value_or(1);
    const auto replication = cluster_->options().replication_factor;
    const auto open_existing = [&] {
      const auto existing = cluster_->partitions(name);
      if (existing) {
        require_same(name, options, *existing, wanted);
      } else if (options.mode == open_mode::open) {
        throw error(errc::not_found, cluster_->where(name), "no such topic");
      }
      return existing.has_value();
    };
    const auto create = [&] {
      try {
        create_topic(*cluster_, name, partitions, replication ? *replication : -1, wanted);
        return true;
      } catch (const error& e) {
        if (e.code() != errc::already_exists || options.mode == open_mode::create) throw;
        return false;  // somebody else was faster, and not all brokers know of it yet
      }
    };
    bool created = false;
    cluster_->wait_until(
        [&] {
          if (options.mode != open_mode::create && open_existing()) return true;
          created = create();
          return created;
        },
        name, "the topic cannot be created, since it exists, and is not seen");
    if (!created) return;
    cluster_->wait_until([&] { return cluster_->partitions(name) == partitions; }, name,
                         "the topic is created, but not seen yet");
  }

  void require_same(const std::string& name, const topic_options& options, std::uint32_t partitions,
                    const property_map& wanted) const {
    const auto conflict = [&](const std::string& what, const std::string& have, const std::string& want) {
      throw error(errc::conflicting_options, cluster_->where(name),
                  what + " of the existing topic is " + have + ", and " + want + " was asked for");
    };
    if (options.partitions && *options.partitions != partitions)
      conflict("partitions", std::to_string(partitions), std::to_string(*options.partitions));
    if (wanted.empty()) return;
    const auto settings = describe_configuration(*cluster_, name);
    for (const auto& [key, value] : wanted) {
      const auto found = settings.find(key);
      const std::string have = found == settings.end() ? "unknown" : found->second.value;
      if (have != value) conflict(key, have, value);
    }
  }

  std::shared_ptr<kafka::cluster> cluster_;
};

}  // namespace leat::kafka
