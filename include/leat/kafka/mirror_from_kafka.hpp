// The records of Kafka to a store.
//
// Kafka's offsets may have holes (ends of transactions, compaction), leat's have none. Where a hole is, the pair of offsets
// behind it is committed before the record is appended; in between, both go on one by one. So leat's end says which record of
// Kafka's comes next, and a death needs no repair: nothing is appended twice, nothing is left out.
//
// What could spoil that, and what is done about it:
//
//     a second mirror            the store's group gives it other partitions (mirror_route.hpp)
//     others who write there     a record is appended only at the offset that it must have (producer::send_if); at the
//                                beginning the last record on both sides must be the same
//     the death of the machine   in durable topics, records are on the device before a pair is committed that rests on them
//
// Threads    one at a time; librdkafka has threads of its own.
#pragma once

#include <leat/group/subscription.hpp>
#include <leat/kafka/admin_calls.hpp>
#include <leat/kafka/client.hpp>
#include <leat/kafka/message.hpp>
#include <leat/kafka/message_batch.hpp>
#include <leat/kafka/mirror_route.hpp>
#include <leat/producer.hpp>

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace leat::kafka {

class mirror_from_kafka {
 public:
  using clock = mirror_route::clock;

  mirror_from_kafka(const leat::store& store, const mirror_options& options)
      : link_(store, options), filter_(options.topics, options.is_pattern, "topics") {
    context_.owner = this;
    configuration conf;
    conf.set("fetch.wait.max.ms", "100");
    // As far ahead as that: what is fetched faster than it is appended makes librdkafka pause for a second.
    conf.set("queued.min.messages", "1000000");
    conf.set("queued.max.messages.kbytes", "131072");
    conf.set(options.properties);
    conf.set("group.id", link_.group());  // nobody joins it: partitions are given by the store
    conf.set("enable.auto.commit", "false");
    conf.set("enable.auto.offset.store", "false");
    conf.set("auto.offset.reset", "error");
    conf.set("enable.partition.eof", "true");
    rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int code, const char* reason, void* opaque) {
      if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) return;
      auto& self = *static_cast<context*>(static_cast<client_context*>(opaque))->owner;
      try {
        self.link_.away(std::string("waiting for Kafka: ") + reason);
      } catch (...) {  // not through librdkafka: it comes out of receive()
        if (!self.thrown_) self.thrown_ = std::current_exception();
      }
    });
    client_ = std::make_unique<client>(RD_KAFKA_CONSUMER, std::move(conf), options.servers, &context_);
    require(rd_kafka_poll_set_consumer(client_->get()), options.servers);
    queue_.reset(rd_kafka_queue_get_consumer(client_->get()));
  }
  /// As close(), but nothing is thrown.
  ~mirror_from_kafka() {
    try {
      close();
    } catch (...) {  // what is not committed is found out by the next mirror
    }
    queue_.reset();
    rd_kafka_consumer_close(client_->get());
  }
  mirror_from_kafka(const mirror_from_kafka&) = delete;
  mirror_from_kafka& operator=(const mirror_from_kafka&) = delete;

  mirror_link& link() noexcept { return link_; }

  /// Mirrors what there is, or waits for a little while. False: everything that was asked for is mirrored.
  bool step() {
    look_for_topics();
    if (!subscribed_.empty()) {
      const auto batch = link_.in().poll();  // for the group; all is paused
      if (batch.error() != errc::ok) (void)batch.begin();
    }
    open_waiting();
    append_held();
    receive();
    commit_what_is_due();
    return link_.options().follow || !is_done();
  }

  /// Commits. The partitions pass to other mirrors.
  void close() { link_.in().close(); }

  const std::map<topic_partition, std::shared_ptr<mirror_route>>& routes() const noexcept { return view_; }

 private:
  static constexpr std::chrono::seconds look_interval{1};
  static constexpr int most_at_once = 2000;

  struct route : mirror_route {
    std::int64_t goal = 0;         // of a mirror that ends
    std::int64_t seen_end = -1;    // where Kafka's client found the end
    bool paused = false;           // in Kafka's client
    std::deque<message_ptr> held;  // what the store has no room for yet
    leat::producer<bytes_view, bytes_view>* out = nullptr;
  };

  struct context : client_context {
    mirror_from_kafka* owner = nullptr;
  };

  // --- topics ---

  /// Those that were asked for and are there, made in the store where they are not.
  void look_for_topics() {
    const auto now = clock::now();
    if (now < next_look_) return;
    next_look_ = now + look_interval;
    try {
      std::set<std::string> found = subscribed_;
      for (const auto& [name, partitions] : link_.cluster().topics()) {
        if (!filter_.matches(name) || link_.options().prefix + name == link_.options().dead_letter_topic) continue;
        if (checked_[name] != partitions) require_topic(name, partitions);
        checked_[name] = partitions;
        found.insert(link_.options().prefix + name);
      }
      has_looked_ = true;
      link_.back();
      if (found == subscribed_) return;
      subscribed_ = std::move(found);
    } catch (const error& e) {
      if (e.code() != errc::unreachable) throw;
      link_.away("waiting for Kafka: " + std::string(e.what()));
      return;
    }
    rebalance_listener listener;
    listener.assigned = [this](std::span<const topic_partition> list) { take(list); };
    listener.revoked = [this](std::span<const topic_partition> list) { give_up(list, true); };
    listener.lost = [this](std::span<const topic_partition> list) { give_up(list, false); };
    link_.in().subscribe({subscribed_.begin(), subscribed_.end()}, std::move(listener));
  }

  void require_topic(const std::string& name, std::uint32_t partitions) {
    const std::string here = link_.options().prefix + name;
    if (!link_.options().prefix.empty() && !storage::is_legal_name(here)) {
      throw error(errc::name_invalid, here, "a topic's name has " + std::string(storage::legal_names));
    }
    leat::topic_options made = link_.options().leat_options;
    made.partitions = partitions;
    try {
      leat::admin(link_.store()).create_topic(here, made, link_.options().leat_types);
    } catch (const error& e) {
      if (e.code() != errc::already_exists) throw;
    }
    const leat::topic_description d = link_.store().describe_topic(here);
    if (d.partitions.size() != partitions) {
      throw error(errc::conflicting_options, "topic " + here + " of the store",
                  "it has " + std::to_string(d.partitions.size()) + " partitions, expected " +
                      std::to_string(partitions) + " as Kafka's topic " + name + " has");
    }
    if (d.timestamps == timestamp_type::log_append_time) {
      throw error(errc::conflicting_options, "topic " + here + " of the store",
                  "it takes the time of the append, expected the sender's: records would get other timestamps");
    }
  }

  // --- partitions come and go ---

  void take(std::span<const topic_partition> list) {
    for (const topic_partition& p : list) {
      link_.in().pause(p);  // it is written to, not read
      auto r = std::make_shared<route>();
      r->at = p;
      r->there = {p.topic.substr(link_.options().prefix.size()), p.partition};
      routes_[p] = r;
      view_[p] = r;
      by_kafka_[r->there] = r.get();
    }
    last_ = nullptr;
    link_.report().partitions = routes_.size();
  }

  void give_up(std::span<const topic_partition> list, bool is_mine) {
    for (const topic_partition& p : list) {
      const auto found = routes_.find(p);
      if (found == routes_.end()) continue;
      route& r = *found->second;
      if (r.open) {
        (void)stop_reading(r);
        if (is_mine) {
          r.out->flush();
          link_.commit(r, true);
        }
      }
      by_kafka_.erase(r.there);
      view_.erase(p);
      routes_.erase(found);
    }
    last_ = nullptr;
    link_.report().partitions = routes_.size();
  }

  // --- where a partition goes on ---

  void open_waiting() {
    if (std::none_of(routes_.begin(), routes_.end(), [](const auto& r) { return !r.second->open; })) return;
    (void)link_.ask([&] {
      for (auto& [at, r] : routes_) {
        if (!r->open) open(*r);
      }
    });
  }

  void open(route& r) {
    const auto stored = link_.state_of(r);
    const mirror_cluster::range range = link_.cluster().offsets(r.there.topic, r.there.partition);
    auto& out = outs_[r.at.topic];
    if (!out) {
      out.emplace(link_.store().raw_topic(r.at.topic),
                  leat::producer_options{.max_block = std::chrono::nanoseconds(0), .wait_for_device = false});
    }
    r.out = &*out;
    const std::uint64_t end = link_.in().end_offset(r.at);
    r.promise = guarantee::exactly_once;
    bool is_new = true;
    if (!stored) {
      r.next = {end, link_.options().from == leat::offset_reset::latest ? range.end : range.begin};
    } else {
      is_new = !go_on(r, *stored, range, end);
    }
    if (r.next.kafka < range.begin) is_new |= pass_over(r, range.begin);
    r.goal = range.end;
    if (is_new) link_.note(r);
    if (!link_.commit(r, false)) return;  // before anything is appended
    partition_list there;
    there.add(r.there, r.next.kafka);
    require(error_ptr(rd_kafka_incremental_assign(client_->get(), there.get())), r.there.topic, "it cannot be read");
    r.open = true;
    r.seen_end = -1;
    r.paused = false;
    r.held.clear();
    link_.tell(mirror_event::kind::opened,
               r.at.topic + '[' + std::to_string(r.at.partition) + "] from Kafka's offset " +
                   std::to_string(r.next.kafka) + " of " + r.there.topic + ", as " + std::to_string(r.next.leat) +
                   ", " + (r.promise == guarantee::exactly_once ? "exactly once" : "at least once"));
  }

  /// Behind what was mirrored before. False: the difference of the offsets is another one now.
  bool go_on(route& r, const mirror_state& s, const mirror_cluster::range& range, std::uint64_t end) {
    if (end < s.at.leat) {
      throw error(errc::out_of_range, where(r),
                  "it ends at offset " + std::to_string(end) + ", but records up to " + std::to_string(s.at.leat) +
                      " were mirrored to it: they were lost with the machine. To begin anew, delete the group " +
                      link_.group());
    }
    const std::int64_t next = s.at.kafka + static_cast<std::int64_t>(end - s.at.leat);
    if (range.end < next && range.end < s.at.kafka) {
      throw error(errc::out_of_range, where(r),
                  "Kafka's partition ends at offset " + std::to_string(range.end) + ", but records up to " +
                      std::to_string(s.at.kafka) + " were mirrored: it was made anew, or has lost records");
    }
    std::string strange;
    if (s.clean && end != s.at.leat) {
      strange = "it went on from offset " + std::to_string(s.at.leat) + " to " + std::to_string(end) +
                " while nobody mirrored";
    } else if (next > range.end) {
      strange = "it has " + std::to_string(next - range.end) + " records more than Kafka";
    } else if (!is_last_the_same(r, s, end, next, range)) {
      strange = "its last record, at offset " + std::to_string(end - 1) + ", is not the one that was mirrored";
    }
    if (strange.empty() && s.promise == guarantee::exactly_once) {
      r.next = {end, next};
      return true;
    }
    if (!strange.empty()) require_shared(r, strange);
    r.promise = guarantee::at_least_once;
    r.next = {end, s.at.kafka};
    return false;
  }

  bool is_last_the_same(const route& r, const mirror_state& s, std::uint64_t end, std::int64_t next,
                        const mirror_cluster::range& range) {
    if (end == s.at.leat) return true;  // of the last record it is not known which offset it had in Kafka
    if (next - 1 < range.begin || end - 1 < link_.in().start_offset(r.at)) return true;  // gone: nothing to compare
    return link_.is_same(r, end - 1, next - 1);
  }

  void require_shared(const route& r, const std::string& strange) {
    if (!link_.options().shared) {
      throw error(
          errc::mismatched, where(r),
          "somebody else writes to it: " + strange + ". Records can be mirrored at least once there (option `shared`)");
    }
    link_.tell(mirror_event::kind::shared, where(r) + ": somebody else writes there: " + strange + "; at least once");
  }

  /// Records before `begin` have gone from Kafka.
  bool pass_over(route& r, std::int64_t begin) {
    const std::string gone = "Kafka's records from offset " + std::to_string(r.next.kafka) + " to " +
                             std::to_string(begin - 1) + " had gone before they were mirrored";
    if (!link_.options().skip_expired) {
      throw error(errc::out_of_range, where(r), gone + "; they can be skipped (option `skip_expired`)");
    }
    link_.report().skipped += static_cast<std::uint64_t>(begin - r.next.kafka);
    link_.tell(mirror_event::kind::skipped, where(r) + ": " + gone);
    r.next.kafka = begin;
    return true;
  }

  // --- records ---

  void receive() {
    bool has_open = false;
    for (const auto& [at, r] : routes_) has_open |= r->open;
    const auto until = clock::now() + std::chrono::milliseconds(50);  // the group wants to be looked after
    message_ptr first(rd_kafka_consumer_poll(client_->get(), has_open && !is_blocked_ ? 20 : 5));
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    if (first == nullptr) return;
    try {
      receive(std::move(first));
      do {
        message_batch batch(queue_.get());
        if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
        if (batch.empty()) return;
        while (!batch.empty()) receive(batch.take());
      } while (clock::now() < until);
    } catch (...) {  // what has been taken from librdkafka, and is not in the store, must come again
      for (auto& [at, r] : routes_) give_back(*r);
      throw;
    }
  }

  void receive(message_ptr m) {
    const bool has_place = m->rkt != nullptr && m->partition >= 0;
    route* const r = has_place ? route_of(*m) : nullptr;
    switch (m->err) {
      case RD_KAFKA_RESP_ERR_NO_ERROR:
        if (r == nullptr || !r->open || m->offset < r->next.kafka) return;
        if (link_.is_away()) link_.back();
        if (!r->held.empty()) {
          r->held.push_back(std::move(m));
          if (r->held.size() >= static_cast<std::size_t>(most_at_once)) pause(*r);
        } else if (!append(*r, *m)) {
          r->held.push_back(std::move(m));
          is_blocked_ = true;
        }
        return;
      case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (r != nullptr) r->seen_end = m->offset;
        return;
      case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        if (r == nullptr || !r->open) return;
        unassign(*r);  // it is opened again, and seen what has gone
        return;
      default: break;
    }
    if (errc_of(m->err) == errc::unreachable) {
      link_.away("waiting for Kafka: " + std::string(rd_kafka_message_errstr(m.get())));
      return;
    }
    if (r != nullptr) ++r->errors;
    throw_error(m->err, r == nullptr ? link_.options().servers : where(*r), rd_kafka_message_errstr(m.get()));
  }

  /// The route of the message before, mostly.
  route* route_of(const rd_kafka_message_t& m) {
    if (last_ != nullptr && last_topic_ == m.rkt && last_->there.partition == static_cast<std::uint32_t>(m.partition)) {
      return last_;
    }
    const auto found = by_kafka_.find({rd_kafka_topic_name(m.rkt), static_cast<std::uint32_t>(m.partition)});
    last_topic_ = m.rkt;
    last_ = found == by_kafka_.end() ? nullptr : found->second;
    return last_;
  }

  /// False: the store has no room for it now.
  bool append(route& r, const rd_kafka_message_t& m) {
    if (m.offset != r.next.kafka) {  // a hole
      r.next.kafka = m.offset;
      persist(r);
    }
    using argument = leat::producer<bytes_view, bytes_view>::value_argument;
    const auto nullable = [](const std::optional<bytes_view>& b) { return b ? argument(*b) : argument(leat::null); };
    headers_scratch_.clear();
    for (const header& h : headers_view(m)) headers_scratch_.push_back(h);
    const timestamp time = mirrored_time(rd_kafka_message_timestamp(&m, nullptr));
    for (;;) {
      const auto done = r.out->send_if({r.at.partition, r.next.leat}, nullable(key_of(m)), nullable(value_of(m)),
                                       {.timestamp = time, .headers = headers_scratch_});
      switch (done.error()) {
        case errc::ok: break;
        case errc::back_pressure:
        case errc::full:
          link_.away("waiting for room in " + where(r) + ": " + std::string(leat::detail::describe(done.error())));
          r.out->flush();
          link_.commit(r, false);  // retention may wait for this very group
          return false;
        case errc::mismatched: {
          const std::uint64_t end = link_.in().end_offset(r.at);
          const std::string strange =
              "it ends at offset " + std::to_string(end) + ", expected " + std::to_string(r.next.leat);
          if (r.promise == guarantee::exactly_once) require_shared(r, strange);
          r.promise = guarantee::at_least_once;
          r.next.leat = end;
          persist(r);
          continue;
        }
        case errc::too_large: {
          const std::size_t bytes = m.len + m.key_len;
          persist(r);
          link_.dead_letter(where(r) + ", Kafka's offset " + std::to_string(m.offset),
                            "its " + std::to_string(bytes) + " bytes of key and value are more than the topic takes",
                            key_of(m), value_of(m), headers_scratch_, time);
          ++r.next.kafka;
          persist(r);
          return true;
        }
        default:
          throw error(done.error(), where(r),
                      std::string(leat::detail::describe(done.error())) + ": the record with Kafka's offset " +
                          std::to_string(m.offset));
      }
      break;
    }
    ++r.next.leat;
    ++r.next.kafka;
    ++r.records;
    ++link_.report().records;
    link_.report().bytes += m.len + m.key_len;
    return true;
  }

  /// From here on the difference between both sides' offsets is another one: known before the next record is appended.
  void persist(route& r) {
    link_.note(r);
    r.out->flush();
    if (!link_.commit(r, false)) {
      throw error(errc::fenced, where(r), "the group of the mirror has given the partition away");
    }
  }

  void append_held() {
    if (!is_blocked_) return;
    is_blocked_ = false;
    for (auto& [at, r] : routes_) {
      while (!r->held.empty() && append(*r, *r->held.front())) r->held.pop_front();
      if (!r->held.empty()) {
        is_blocked_ = true;
      } else if (r->paused) {
        resume(*r);
      }
    }
    if (!is_blocked_) link_.back();
  }

  void pause(route& r) {
    if (std::exchange(r.paused, true)) return;
    partition_list there;
    there.add(r.there);
    require(rd_kafka_pause_partitions(client_->get(), there.get()), r.there.topic, "it cannot be paused");
  }

  /// By beginning anew: what the client had fetched is not relied upon.
  void resume(route& r) {
    r.paused = false;
    unassign(r);
  }
  /// As behind a death: what is in the store says where it goes on.
  void give_back(route& r) noexcept {
    if (!std::exchange(r.open, false)) return;
    r.held.clear();
    r.paused = false;
    try {
      (void)stop_reading(r);
    } catch (...) {  // it will be assigned anew
    }
  }
  error_ptr stop_reading(const route& r) const {
    partition_list there;
    there.add(r.there);
    return error_ptr(rd_kafka_incremental_unassign(client_->get(), there.get()));
  }
  void unassign(route& r) {
    require(stop_reading(r), r.there.topic, "it cannot be given up");
    r.out->flush();
    link_.commit(r, false);
    r.open = false;
  }

  // --- commits and ends ---

  void commit_what_is_due() {
    const auto now = clock::now();
    if (now < next_commit_) return;
    next_commit_ = now + link_.options().commit_interval;
    std::uint64_t lag = 0;
    guarantee promise = guarantee::exactly_once;
    for (auto& [at, r] : routes_) {
      std::int64_t low = 0;
      std::int64_t high = 0;
      if (r->open && rd_kafka_get_watermark_offsets(client_->get(), r->there.topic.c_str(),
                                                    static_cast<std::int32_t>(r->there.partition), &low,
                                                    &high) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        r->lag = static_cast<std::uint64_t>(std::max(high, r->next.kafka) - r->next.kafka);
      }
      lag += r->lag;
      if (r->promise == guarantee::at_least_once) promise = r->promise;
      if (r->open && link_.is_due(*r)) {
        r->out->flush();
        link_.commit(*r, false);
      }
    }
    link_.report().lag = lag;
    link_.report().promise = promise;
  }

  bool is_done() {
    if (!has_looked_) return false;
    std::size_t wanted = 0;
    for (const std::string& name : subscribed_) wanted += link_.store().raw_topic(name).partitions();
    if (wanted != 0 && routes_.empty()) return false;
    for (const auto& [at, r] : routes_) {
      // Behind the last record there may be a hole.
      if (!r->open || !r->held.empty() || std::max(r->next.kafka, r->seen_end) < r->goal) return false;
    }
    return routes_.size() >= wanted || link_.has_others();
  }

  mirror_link link_;
  group::topic_filter filter_;
  context context_;
  std::exception_ptr thrown_;
  std::unique_ptr<client> client_;
  queue_ptr queue_;                               // of the client
  std::map<std::string, std::uint32_t> checked_;  // Kafka's topics, with their partitions
  std::set<std::string> subscribed_;
  bool has_looked_ = false;
  bool is_blocked_ = false;
  std::map<std::string, std::optional<leat::producer<bytes_view, bytes_view>>> outs_;
  std::map<topic_partition, std::shared_ptr<route>> routes_;
  std::map<topic_partition, std::shared_ptr<mirror_route>> view_;
  std::map<topic_partition, route*> by_kafka_;
  const rd_kafka_topic_t* last_topic_ = nullptr;
  route* last_ = nullptr;
  std::vector<header> headers_scratch_;
  clock::time_point next_look_{};
  clock::time_point next_commit_{};
};

}  // namespace leat::kafka
