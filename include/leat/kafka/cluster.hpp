// What a store of leat::kafka is inside: the servers' addresses, and a client that asks them about topics and groups.
//
// Threads    any number at once.
// Cost       each call asks a broker and waits for its answer, for store_options::timeout at most.
#pragma once

#include <leat/error.hpp>
#include <leat/kafka/client.hpp>
#include <leat/kafka/error.hpp>
#include <leat/kafka/message.hpp>
#include <leat/kafka/partition_list.hpp>
#include <leat/os/clock.hpp>
#include <leat/types.hpp>

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace leat::kafka {

struct store_options {
  /// For librdkafka, of every client: {"security.protocol", "ssl"}. They override what leat::kafka sets by itself; what a
  /// consumer's or producer's own options say overrides them.
  property_map properties = {};

  /// How long a call waits for the brokers it asks; then it is errc::unreachable. (default.api.timeout.ms)
  std::chrono::nanoseconds timeout = std::chrono::seconds(60);

  /// Of topics that are created. Unset: what the brokers have as default.replication.factor.
  std::optional<std::uint16_t> replication_factor = std::nullopt;

  /// Told what librdkafka logs; without, nobody is.
  log_function log = nullptr;
};

/// The first offset that can be read, and the one behind the last.
struct watermarks {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};

/// Whole milliseconds, at least `least`, at most what an int holds.
inline int milliseconds_of(std::chrono::nanoseconds t, int least = 0) noexcept {
  constexpr std::int64_t most = std::numeric_limits<int>::max();
  const std::int64_t ms = t.count() / 1'000'000 + (t.count() % 1'000'000 > 0 ? 1 : 0);
  return static_cast<int>(std::clamp<std::int64_t>(ms, least, most));
}

class cluster {
 public:
  using clock = std::chrono::steady_clock;
  using time_point = clock::time_point;

  cluster(std::string servers, store_options options)
      : options_(std::move(options)), asking_(RD_KAFKA_CONSUMER, asking(options_), std::move(servers), context()) {}
  cluster(const cluster&) = delete;
  cluster& operator=(const cluster&) = delete;

  const std::string& servers() const noexcept { return asking_.servers(); }
  const store_options& options() const noexcept { return options_; }
  int timeout() const noexcept { return milliseconds_of(options_.timeout, 1); }
  /// When something that may take so long from now on is to end.
  static time_point within(std::chrono::nanoseconds t) noexcept {
    return os::later(clock::now(), std::max(t, std::chrono::nanoseconds::zero()));
  }
  /// Milliseconds until then, at least one.
  static int left(time_point until) noexcept { return milliseconds_of(until - clock::now(), 1); }

  /// Throws errc::forked.
  rd_kafka_t* handle() const {
    asking_.require_own();
    return asking_.get();
  }

  // --- topics ---

  /// Names, with the number of their partitions; without those that Kafka keeps for itself.
  std::map<std::string, std::uint32_t> topics() const {
    std::map<std::string, std::uint32_t> found;
    const metadata_ptr all = metadata(nullptr, timeout());
    for (int i = 0; i < all->topic_cnt; ++i) {
      const rd_kafka_metadata_topic_t& t = all->topics[i];
      if (t.err != RD_KAFKA_RESP_ERR_NO_ERROR || std::string_view(t.topic).starts_with("__")) continue;
      found[t.topic] = static_cast<std::uint32_t>(t.partition_cnt);
    }
    return found;
  }

  /// Empty: no such topic. Of one that is being made, and has no partitions yet, it waits for them.
  std::optional<std::uint32_t> partitions(const std::string& topic) const {
    return partitions(topic, within(options_.timeout));
  }
  std::optional<std::uint32_t> partitions(const std::string& topic, time_point until) const {
    const topic_ptr name = local(topic);
    for (;;) {
      const metadata_ptr found = metadata(name.get(), left(until));
      const rd_kafka_metadata_topic_t* const t = found->topic_cnt == 0 ? nullptr : &found->topics[0];
      if (t == nullptr || t->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return std::nullopt;
      if (t->err == RD_KAFKA_RESP_ERR_NO_ERROR && t->partition_cnt != 0)
        return static_cast<std::uint32_t>(t->partition_cnt);
      if (t->err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) require(t->err, where(topic));
      if (clock::now() >= until)
        throw error(errc::unreachable, where(topic), "the brokers name none of its partitions");
      std::this_thread::sleep_for(between_looks);
    }
  }
  /// Throws not_found.
  std::uint32_t existing_partitions(const std::string& topic) const {
    return existing_partitions(topic, within(options_.timeout));
  }
  std::uint32_t existing_partitions(const std::string& topic, time_point until) const {
    if (const auto count = partitions(topic, until)) return *count;
    throw error(errc::not_found, where(topic), "no such topic");
  }

  /// Whether one of the brokers is whom librdkafka asks about configurations, and else waits for: its mock cluster has none.
  bool has_controller(const std::string& topic) const {
    const metadata_ptr found = metadata(local(topic).get(), timeout());
    const std::int32_t id = rd_kafka_controllerid(handle(), 0);
    const std::span brokers(found->brokers, static_cast<std::size_t>(found->broker_cnt));
    return std::any_of(brokers.begin(), brokers.end(), [&](const auto& b) { return b.id == id; });
  }

  /// Throws not_found, and invalid_argument for a partition that the topic does not have.
  kafka::watermarks offsets(const topic_partition& p) const { return offsets(p, within(options_.timeout)); }
  kafka::watermarks offsets(const topic_partition& p, time_point until) const {
    std::int64_t start = 0;
    std::int64_t end = 0;
    const auto failure = patiently(until, [&] {
      return rd_kafka_query_watermark_offsets(handle(), p.topic.c_str(), id(p), &start, &end, left(until));
    });
    if (failure != RD_KAFKA_RESP_ERR_NO_ERROR) explain(failure, p, until);
    return {static_cast<std::uint64_t>(start), static_cast<std::uint64_t>(end)};
  }

  /// The first offset with this time or a later one; empty when there is none.
  std::optional<std::uint64_t> offset_for_time(const topic_partition& p, timestamp time) const {
    std::int64_t offset = 0;
    const time_point until = within(options_.timeout);
    const auto failure = patiently(until, [&] {
      partition_list list;
      list.add(p, std::chrono::ceil<std::chrono::milliseconds>(time.time_since_epoch()).count());
      const auto whole = rd_kafka_offsets_for_times(handle(), list.get(), left(until));
      offset = list.entries()[0].offset;
      return whole != RD_KAFKA_RESP_ERR_NO_ERROR ? whole : list.failure();
    });
    if (failure != RD_KAFKA_RESP_ERR_NO_ERROR) explain(failure, p, until);
    return offset < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(offset));
  }

  /// For messages: "localhost:9092/orders".
  std::string where(const std::string& name) const { return servers() + "/" + name; }

  /// Waits until `there` holds, as what one broker has done may take a moment until others know of it.
  template <class Condition>
  void wait_until(Condition&& there, const std::string& name, const char* what) const {
    const time_point until = within(options_.timeout);
    while (!there()) {
      if (clock::now() >= until) throw error(errc::unreachable, where(name), what);
      std::this_thread::sleep_for(between_looks);
    }
  }

  client_context* context() const noexcept { return &context_; }

 private:
  static constexpr std::chrono::milliseconds between_looks{50};

  struct metadata_deleter {
    void operator()(const rd_kafka_metadata_t* m) const noexcept { rd_kafka_metadata_destroy(m); }
  };
  using metadata_ptr = std::unique_ptr<const rd_kafka_metadata_t, metadata_deleter>;
  struct topic_deleter {
    void operator()(rd_kafka_topic_t* t) const noexcept { rd_kafka_topic_destroy(t); }
  };
  using topic_ptr = std::unique_ptr<rd_kafka_topic_t, topic_deleter>;

  /// A consumer: unlike a producer, it makes no topics by asking for them.
  static configuration asking(const store_options& options) {
    configuration conf;
    conf.set(options.properties);
    return conf;
  }

  /// Asks again while a topic that has just been made has no leader yet, or is getting another.
  template <class Ask>
  static rd_kafka_resp_err_t patiently(time_point until, Ask&& ask) {
    for (;;) {
      const rd_kafka_resp_err_t outcome = ask();
      const bool passes =
          outcome == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION || outcome == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
      if (!passes || clock::now() >= until) return outcome;
      std::this_thread::sleep_for(between_looks);
    }
  }

  static std::int32_t id(const topic_partition& p) noexcept { return static_cast<std::int32_t>(p.partition); }

  topic_ptr local(const std::string& topic) const {
    rd_kafka_topic_t* const made = rd_kafka_topic_new(handle(), topic.c_str(), nullptr);
    if (made == nullptr) throw error(errc::name_invalid, where(topic), text_of(rd_kafka_last_error()));
    return topic_ptr(made);
  }

  /// Null: of all topics.
  metadata_ptr metadata(rd_kafka_topic_t* topic, int timeout_ms) const {
    const rd_kafka_metadata_t* found = nullptr;
    require(rd_kafka_metadata(handle(), topic == nullptr ? 1 : 0, topic, &found, timeout_ms), servers(),
            "asking for its topics");
    return metadata_ptr(found);
  }

  [[noreturn]] void explain(rd_kafka_resp_err_t failure, const topic_partition& p, time_point until) const {
    if (errc_of(failure) == errc::not_found) {
      if (const std::uint32_t count = existing_partitions(p.topic, until); p.partition >= count) {
        throw error(errc::invalid_argument, where(p.topic),
                    "partition is " + std::to_string(p.partition) + ", expected 0 to " + std::to_string(count - 1));
      }
    }
    throw_error(failure, where(p.topic), "asking for the offsets of partition " + std::to_string(p.partition));
  }

  const store_options options_;
  mutable client_context context_{options_.log};
  client asking_;
};

}  // namespace leat::kafka
