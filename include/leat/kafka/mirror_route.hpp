// What both directions of a mirror have in common: the partitions that this mirror has, the group of the store that gives them
// to it and keeps what it knows of them, and the ways to say what happens.
//
// A partition is given to one mirror at a time by the group `mirror.NAME`, whose members hold leases of the kernel: who has
// one is alive, and who is alive keeps it, however long Kafka does not answer.
#pragma once

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/kafka/client.hpp>
#include <leat/kafka/message.hpp>
#include <leat/kafka/mirror_cluster.hpp>
#include <leat/kafka/mirror_map.hpp>
#include <leat/kafka/mirror_options.hpp>
#include <leat/kafka/mirror_state.hpp>
#include <leat/record.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leat::kafka {

using raw_record = leat::record_view<bytes_view, bytes_view>;

/// Milliseconds as a mirror sends them: rounded down. Librdkafka takes 0 for "now", and Kafka nothing before 1970: both become
/// the first millisecond behind.
inline std::int64_t mirrored_milliseconds(timestamp t) noexcept {
  return std::max<std::int64_t>(milliseconds_of(t), 1);
}
/// Kafka's times reach further than leat's.
inline timestamp mirrored_time(std::int64_t milliseconds) noexcept {
  constexpr std::int64_t last = std::numeric_limits<std::int64_t>::max() / 1'000'000;
  return timestamp_of(std::clamp<std::int64_t>(milliseconds, 0, last));
}

/// Whether both are the same record, as far as it can be mirrored.
inline bool is_same_record(const raw_record& here, const rd_kafka_message_t& there) {
  const auto same = [](const std::optional<bytes_view>& a, const std::optional<bytes_view>& b) {
    return a.has_value() == b.has_value() && (!a || std::equal(a->begin(), a->end(), b->begin(), b->end()));
  };
  if (!same(here.key_bytes(), key_of(there)) || !same(here.value_bytes(), value_of(there))) return false;
  const timestamp time = mirrored_time(rd_kafka_message_timestamp(&there, nullptr));
  if (mirrored_milliseconds(here.timestamp()) != mirrored_milliseconds(time)) return false;
  std::vector<header> ours;
  for (const header& h : here.headers()) ours.push_back(h);
  std::size_t i = 0;
  for (const header& h : headers_view(there)) {
    if (i == ours.size()) return false;
    ours[i].name = ours[i].name.substr(0, ours[i].name.find('\0'));  // as far as librdkafka reads it
    if (!(ours[i] == h)) return false;
    ++i;
  }
  return i == ours.size();
}

/// A partition that this mirror has.
struct mirror_route {
  using clock = std::chrono::steady_clock;

  topic_partition at;     // in the store
  topic_partition there;  // in Kafka
  bool open = false;      // else it is found out where it goes on

  /// The next record to be acknowledged by the other side: its offset on both.
  offset_pair next;
  guarantee promise = guarantee::exactly_once;

  std::uint64_t records = 0;  // since it was opened
  std::uint64_t errors = 0;
  std::uint64_t lag = 0;

  offset_pair committed;
  std::uint64_t records_committed = 0;
  clock::time_point committed_at{};
};

/// For messages.
inline std::string where(const mirror_route& r) {
  return "topic " + r.at.topic + ", partition " + std::to_string(r.at.partition) + " (Kafka's " + r.there.topic + ')';
}

class mirror_link {
 public:
  using clock = mirror_route::clock;

  mirror_link(leat::store store, mirror_options options)
      : store_(std::move(store)),
        options_(checked(std::move(options))),
        name_(name_of(options_)),
        group_(mirror_group_prefix + name_),
        cluster_(options_.servers, asking_properties(options_)),
        map_((mirror_map::make(store_, name_), store_), name_),
        in_(store_, consumer_options{.auto_offset_reset = leat::offset_reset::earliest,
                                     .max_poll_records = 2000,
                                     .group = group_,
                                     .client_id = "mirror",
                                     .enable_auto_commit = false,
                                     // Who waits for Kafka is not stuck; who is dead has no lease.
                                     .max_poll_interval = leat::forever}) {}

  const std::string& group() const noexcept { return group_; }
  const leat::store& store() const noexcept { return store_; }
  const mirror_options& options() const noexcept { return options_; }
  mirror_cluster& cluster() noexcept { return cluster_; }
  mirror_map& map() noexcept { return map_; }
  leat::consumer<bytes_view, bytes_view>& in() noexcept { return in_; }

  /// Kafka's id of the cluster; asked for once. Throws unreachable.
  const std::string& cluster_id() {
    if (cluster_id_.empty()) cluster_id_ = cluster_.id();
    return cluster_id_;
  }

  void tell(mirror_event::kind what, const std::string& text) const {
    if (options_.on_event) options_.on_event({what, text});
  }

  /// Kafka, or the store's room, has gone; told once. ("Going on" likewise.)
  void away(const std::string& why) {
    ++report_.errors;
    if (std::exchange(is_away_, true)) return;
    tell(mirror_event::kind::waiting, why);
  }
  void back() {
    if (std::exchange(is_away_, false)) tell(mirror_event::kind::going_on, "going on");
  }
  bool is_away() const noexcept { return is_away_; }

  mirror_report& report() noexcept { return report_; }

  /// The state of a partition, as it was committed. Empty: it was never mirrored. Throws where it is another mirror's.
  std::optional<mirror_state> state_of(const mirror_route& r) {
    const auto committed = in_.committed(r.at);
    if (!committed) return std::nullopt;
    return require_state(committed->metadata, group_, options_.direction, cluster_id(), r.there.topic);
  }

  /// False: the group has given the partition to another (or was deleted).
  bool commit(mirror_route& r, bool clean) {
    const auto now = clock::now();
    const double seconds = std::chrono::duration<double>(now - r.committed_at).count();
    mirror_state s{.direction = options_.direction,
                   .cluster = cluster_id(),
                   .topic = r.there.topic,
                   .at = r.next,
                   .clean = clean,
                   .promise = r.promise,
                   .records = r.records,
                   .errors = r.errors,
                   .lag = r.lag};
    if (!clean && seconds > 0 && r.committed_at != clock::time_point{}) {
      s.rate = static_cast<std::uint64_t>(static_cast<double>(r.records - r.records_committed) / seconds);
    }
    const auto outcome = in_.commit(leat::partition_offset{r.at, r.next.leat, text_of(s)});
    if (outcome.error() == errc::fenced) return false;
    outcome.value();
    r.committed = r.next;
    r.records_committed = r.records;
    r.committed_at = now;
    return true;
  }

  /// Whether both sides have the same record there, as far as it can be told: what has gone from either side cannot be compared.
  bool is_same(const mirror_route& r, std::uint64_t here, std::int64_t there) {
    if (!peek_) peek_.emplace(options_.servers, options_.properties);
    const message_ptr theirs = peek_->at(r.there, there);
    if (theirs == nullptr) return true;
    leat::consumer<bytes_view, bytes_view> look{
        store_.raw_topic(r.at.topic),
        {.partitions = std::vector{r.at.partition}, .auto_offset_reset = leat::offset_reset::none}};
    look.seek({r.at.partition, here});
    auto batch = look.poll();
    if (batch.error() != errc::ok || batch.empty()) return true;
    return is_same_record(*batch.begin(), *theirs);
  }

  /// Asks Kafka something, though not too often: `question()` may throw unreachable, and is asked again later, ever less often.
  /// False: nobody has answered.
  template <class Question>
  bool ask(const Question& question) {
    constexpr std::chrono::milliseconds interval{50};
    const auto now = clock::now();
    if (now < next_ask_) return true;
    next_ask_ = now + interval;
    try {
      question();
    } catch (const error& e) {
      if (e.code() != errc::unreachable) throw;
      away("waiting for Kafka: " + std::string(e.what()));
      next_ask_ = clock::now() + std::min<clock::duration>(backoff_ *= 2, std::chrono::seconds(5));
      return false;
    }
    back();
    backoff_ = shortest_backoff;
    return true;
  }

  /// Where this mirror has not all partitions that were asked for: whether another, which is alive, has the rest.
  bool has_others() const {
    const auto members = leat::admin(store_).describe_group(group_).members;
    return std::count_if(members.begin(), members.end(), [](const auto& m) { return m.alive; }) > 1;
  }

  bool is_due(const mirror_route& r) const {
    return (r.next != r.committed || r.records != r.records_committed) &&
           clock::now() - r.committed_at >= options_.commit_interval;
  }

  /// The first thing that is known of a partition, or another difference between both sides' offsets from here on.
  void note(const mirror_route& r) { map_.add(r.at, r.next); }

  /// Keeps a record that the other side does not take. Empty options: throws, naming it.
  void dead_letter(const std::string& where, const std::string& why, const std::optional<bytes_view>& key,
                   const std::optional<bytes_view>& value, std::vector<header> headers, timestamp time) {
    if (options_.dead_letter_topic.empty()) {
      throw error(errc::too_large, where, why + "; it can go to a topic for dead letters instead (dead_letter_topic)");
    }
    if (!dead_) {
      dead_.emplace(store_.topic<bytes_view, bytes_view>(options_.dead_letter_topic));
    }
    headers.emplace_back("leat.mirror.record", std::string_view(where));
    headers.emplace_back("leat.mirror.reason", std::string_view(why));
    using argument = leat::producer<bytes_view, bytes_view>::value_argument;
    const auto nullable = [](const std::optional<bytes_view>& b) { return b ? argument(*b) : argument(leat::null); };
    leat::send_options options{.timestamp = time, .headers = headers};
    auto kept = dead_->send(nullable(key), nullable(value), options);
    if (kept.error() == errc::too_large)
      kept = dead_->send(nullable(key), leat::null, options);  // at least what it was
    (void)kept.value();
    ++report_.dead_letters;
    tell(mirror_event::kind::dead_letter, where + ": " + why + "; kept in topic " + options_.dead_letter_topic);
  }

 private:
  static constexpr std::chrono::milliseconds shortest_backoff{100};

  /// Throws before anything is made.
  static mirror_options checked(mirror_options o) {
    if (o.servers.empty()) {
      throw error(errc::invalid_argument, "servers", "expected Kafka's brokers, as in \"localhost:9092\"");
    }
    if (o.topics.empty()) throw error(errc::invalid_argument, "topics", "expected one at least, or a pattern");
    if (o.is_pattern) return o;
    const bool is_to = o.direction == mirror_direction::to_kafka;
    for (const std::string& name : o.topics) {
      if (name.starts_with("__")) {  // Kafka's __consumer_offsets, a mirror's map: neither direction looks at these
        throw error(errc::invalid_argument, "topics",
                    name + " is not mirrored; expected a name that does not begin with \"__\"");
      }
      if ((is_to ? name : o.prefix + name) != o.dead_letter_topic) continue;
      throw error(errc::invalid_argument, "dead_letter_topic",
                  "expected another topic than " + name + ", which is mirrored");
    }
    return o;
  }

  /// Where a partition ends: to Kafka, behind everything that is there; from Kafka, behind what is committed.
  static property_map asking_properties(const mirror_options& o) {
    property_map properties = o.properties;
    if (o.direction == mirror_direction::to_kafka) properties["isolation.level"] = "read_uncommitted";
    return properties;
  }

  leat::store store_;
  mirror_options options_;
  std::string name_;
  std::string group_;
  mirror_cluster cluster_;
  std::string cluster_id_;
  mirror_map map_;
  leat::consumer<bytes_view, bytes_view> in_;
  std::optional<leat::producer<bytes_view, bytes_view>> dead_;
  std::optional<record_peek> peek_;
  mirror_report report_;
  bool is_away_ = false;
  clock::time_point next_ask_{};
  clock::duration backoff_ = shortest_backoff;
};

}  // namespace leat::kafka
