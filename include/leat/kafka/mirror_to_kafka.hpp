// The records of a store to Kafka.
//
// Leat's offsets have no holes, and neither have Kafka's where one idempotent producer without transactions writes: so the
// difference between both stays what it was when the partition was begun, and Kafka's end says what is mirrored. Nothing is
// written down for each record, and nothing is sent twice: behind a death the next mirror asks Kafka for its end.
//
// What could spoil that, and what is done about it:
//
//     a second mirror            the store's group gives it other partitions (mirror_route.hpp)
//     what a killed mirror had   the end must stay where it is for options.settle, while Kafka answers
//     sent, and arrives late
//     others who write there     each acknowledgement names its offset, which must be the expected one; behind a death the
//                                last record on both sides must be the same
//
// Threads    one at a time; librdkafka has threads of its own.
#pragma once

#include <leat/group/subscription.hpp>
#include <leat/kafka/client.hpp>
#include <leat/kafka/message.hpp>
#include <leat/kafka/mirror_route.hpp>

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
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

class mirror_to_kafka {
 public:
  using clock = mirror_route::clock;

  mirror_to_kafka(const leat::store& store, const mirror_options& options)
      : link_(store, options), filter_(options.topics, options.is_pattern, "topics") {
    context_.owner = this;
    rebalance_listener listener;
    listener.assigned = [this](std::span<const topic_partition> list) { take(list); };
    listener.revoked = [this](std::span<const topic_partition> list) { give_up(list); };
    listener.lost = [this](std::span<const topic_partition> list) { lose(list); };
    if (options.is_pattern) {
      link_.in().subscribe_pattern(options.topics.front(), std::move(listener));
    } else {
      link_.in().subscribe(options.topics, std::move(listener));
    }
  }

  /// As close(), but nothing is thrown.
  ~mirror_to_kafka() {
    try {
      close();
    } catch (...) {  // what is not committed is found out by the next mirror
    }
  }
  mirror_to_kafka(const mirror_to_kafka&) = delete;
  mirror_to_kafka& operator=(const mirror_to_kafka&) = delete;

  mirror_link& link() noexcept { return link_; }

  /// Mirrors what there is, or waits for a little while. False: everything that was asked for is mirrored.
  bool step() {
    if (fault_) recover();
    serve(std::chrono::milliseconds(0));
    const bool is_full = in_flight_ >= most_in_flight;
    if (is_full) serve(std::chrono::milliseconds(5));
    open_waiting();
    const bool is_idle = in_flight_ == 0;
    send(link_.in().poll(is_full ? std::chrono::milliseconds(0) : std::chrono::milliseconds(is_idle ? 50 : 5)));
    commit_what_is_due();
    return link_.options().follow || !is_done();
  }

  /// Waits for what is on its way, for options.drain at most, and commits. The partitions pass to other mirrors.
  void close() {
    deadline_ = clock::now() + link_.options().drain;
    link_.in().close();  // gives everything up
    producers_.clear();
  }

  /// Each partition, for those who watch.
  const std::map<topic_partition, std::shared_ptr<mirror_route>>& routes() const noexcept { return view_; }

 private:
  static constexpr std::uint64_t most_in_flight = 200'000;

  struct producer_handle;

  struct route : mirror_route {
    std::uint64_t sent = 0;  // the next record to be handed to librdkafka
    std::uint64_t goal = 0;
    bool blocked = false;
    std::uint64_t limit = 0;  // of a message, as Kafka's topic had it when this was opened
    producer_handle* out = nullptr;
    rd_kafka_topic_t* topic = nullptr;    // of `out`
    std::optional<std::uint64_t> poison;  // the offset of a record that Kafka has refused

    // While it is found out where it goes on.
    std::optional<mirror_state> stored;
    bool known = false;
    std::int64_t end = -1;
    clock::time_point end_since{};
  };

  struct context : client_context {
    mirror_to_kafka* owner = nullptr;
  };

  /// A producer for topics that take records of the same size.
  struct producer_handle {
    std::unique_ptr<client> rk;
    std::map<std::string, rd_kafka_topic_t*> topics;

    producer_handle() = default;
    ~producer_handle() {
      for (auto& [name, topic] : topics) rd_kafka_topic_destroy(topic);
      if (rk) rd_kafka_purge(rk->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    }
  };

  struct fault {
    rd_kafka_resp_err_t code;
    std::string text;
    std::exception_ptr to_throw = nullptr;  // instead: nothing that another producer could get over
  };

  // --- partitions come and go ---

  void take(std::span<const topic_partition> list) {
    for (const topic_partition& p : list) {
      link_.in().pause(p);  // until it is known where it goes on
      if (!is_mirrored(p.topic)) continue;
      auto r = std::make_shared<route>();
      r->at = p;
      r->there = {link_.options().prefix + p.topic, p.partition};
      routes_[p] = r;
      view_[p] = r;
    }
    link_.report().partitions = routes_.size();
  }

  void give_up(std::span<const topic_partition> list) {
    if (deadline_ == clock::time_point{}) deadline_ = clock::now() + link_.options().drain;
    for (const topic_partition& p : list) {
      const auto found = routes_.find(p);
      if (found == routes_.end()) continue;
      route& r = *found->second;
      if (r.open && !drain(r, deadline_)) abandon();  // before the next one looks: nothing more leaves this process
      if (r.open) link_.commit(r, true);
      forget(p);
    }
    deadline_ = {};
  }

  void lose(std::span<const topic_partition> list) {
    abandon();
    for (const topic_partition& p : list) forget(p);
  }

  void forget(const topic_partition& p) {
    routes_.erase(p);
    view_.erase(p);
    link_.report().partitions = routes_.size();
  }

  /// Gives up what is on its way; every partition is opened again, as behind a death.
  void abandon() {
    producers_.clear();
    in_flight_ = 0;
    fault_.reset();
    for (auto& [at, r] : routes_) {
      if (!r->open) continue;
      r->open = r->known = false;
      r->end = -1;
      link_.in().pause(at);
      link_.commit(*r, false);
    }
  }

  /// False: not everything that was sent is acknowledged.
  bool drain(const route& r, clock::time_point deadline) {
    while (r.open && !fault_ && r.next.leat < r.sent && clock::now() < deadline) {
      serve(std::chrono::milliseconds(20));
    }
    return r.next.leat == r.sent;
  }
  /// The same in the midst of a step: only for so long that the group and the other partitions do not miss it.
  bool drain(const route& r) { return drain(r, clock::now() + std::chrono::milliseconds(50)); }

  // --- where a partition goes on ---

  void open_waiting() {
    if (std::none_of(routes_.begin(), routes_.end(), [](const auto& r) { return !r.second->open; })) return;
    const bool is_answered = link_.ask([&] {
      for (auto& [at, r] : routes_) {
        if (!r->open && is_settled(*r)) open(*r);
      }
    });
    if (is_answered) return;
    for (auto& [at, r] : routes_) r->end = -1;  // what it has not said for a while may have changed meanwhile
  }

  /// Whether Kafka's end of the partition, in r.end, can be relied upon.
  bool is_settled(route& r) {
    if (!r.known) {
      require_topic(r);
      r.stored = link_.state_of(r);
      r.known = true;
    }
    const std::int64_t end = link_.cluster().offsets(r.there.topic, r.there.partition).end;
    const auto now = clock::now();
    if (end != r.end) r.end_since = now;
    r.end = end;
    return !r.stored || r.stored->clean || now - r.end_since >= link_.options().settle;
  }

  void open(route& r) {
    const auto log = link_.store().raw_topic(r.at.topic);
    const std::uint64_t start = log.start_offset(r.at.partition);
    const std::uint64_t end = log.end_offset(r.at.partition);
    r.promise = guarantee::exactly_once;
    bool is_new = true;
    if (!r.stored) {
      r.next = {link_.options().from == leat::offset_reset::latest ? end : start, r.end};
    } else {
      is_new = !go_on(r, start, end);
    }
    if (r.next.leat < start) {  // maybe all that was left: then no record will show it
      skip(r, r.next.leat, start);
      r.next.leat = start;
      is_new = true;
    }
    r.sent = r.next.leat;
    r.goal = end;
    r.limit = limit_of(r.there.topic);
    r.out = &producer_with(r.limit);
    r.topic = topic_of(*r.out, r.there.topic);
    if (is_new) link_.note(r);
    if (!link_.commit(r, false)) return;  // before anything is sent
    r.open = true;
    link_.in().seek(r.at, r.sent);
    link_.in().resume(r.at);
    link_.tell(mirror_event::kind::opened,
               r.at.topic + '[' + std::to_string(r.at.partition) + "] from offset " + std::to_string(r.next.leat) +
                   ", as Kafka's " + std::to_string(r.next.kafka) + " of " + r.there.topic + ", " +
                   (r.promise == guarantee::exactly_once ? "exactly once" : "at least once"));
  }

  /// Behind what was mirrored before. False: the difference of the offsets is another one now.
  bool go_on(route& r, std::uint64_t start, std::uint64_t end) {
    const mirror_state& s = *r.stored;
    if (r.end < s.at.kafka) {
      throw error(errc::out_of_range, where(r),
                  "Kafka's partition ends at offset " + std::to_string(r.end) + ", but records up to " +
                      std::to_string(s.at.kafka) +
                      " were mirrored to it: it was made anew, or has lost records. To begin anew, delete the group " +
                      link_.group());
    }
    const std::uint64_t next = s.at.leat + static_cast<std::uint64_t>(r.end - s.at.kafka);
    std::string strange;
    if (s.clean && r.end != s.at.kafka) {
      strange = "it went on from offset " + std::to_string(s.at.kafka) + " to " + std::to_string(r.end) +
                " while nobody mirrored";
    } else if (next > end) {
      strange = "it has " + std::to_string(next - end) + " records more than the store";
    } else if (!is_last_the_same(r, next, start)) {
      strange = "its last record, at offset " + std::to_string(r.end - 1) + ", is not the one that was mirrored";
    }
    if (strange.empty() && s.promise == guarantee::exactly_once) {
      r.next = {next, r.end};
      return true;
    }
    if (!strange.empty()) require_shared(r, strange);
    r.promise = guarantee::at_least_once;
    r.next = {s.at.leat, r.end};
    return false;
  }

  bool is_last_the_same(const route& r, std::uint64_t next, std::uint64_t start) {
    // Before the pair may lie a dead letter, or what had gone: of the last record it is not known which offset it has here.
    if (next == r.stored->at.leat) return true;
    if (next - 1 < start) return true;  // gone from the store: nothing to compare
    return link_.is_same(r, next - 1, r.end - 1);
  }

  static error unshared(const route& r, const std::string& strange) {
    return error(errc::mismatched, where(r),
                 "somebody else writes to Kafka's partition: " + strange +
                     ". Records can be mirrored at least once there (option `shared`)");
  }
  void require_shared(const route& r, const std::string& strange) {
    if (!link_.options().shared) throw unshared(r, strange);
    link_.tell(mirror_event::kind::shared, where(r) + ": somebody else writes there: " + strange + "; at least once");
  }

  /// The topic in Kafka, with as many partitions.
  void require_topic(const route& r) {
    if (!checked_.insert(r.at.topic).second) return;
    try {
      const leat::topic_description d = link_.store().describe_topic(r.at.topic);
      auto partitions = link_.cluster().partitions(r.there.topic);
      if (!partitions) {
        auto config = link_.options().kafka_config;
        if (d.max_record_bytes > usual_limit) {
          config.try_emplace("max.message.bytes", std::to_string(d.max_record_bytes + framing));
        }
        link_.cluster().create_topic(r.there.topic, static_cast<std::uint32_t>(d.partitions.size()),
                                     link_.options().replication_factor, config);
        partitions = link_.cluster().partitions(r.there.topic);
      }
      if (partitions && *partitions != d.partitions.size()) {
        throw error(errc::conflicting_options, "Kafka's topic " + r.there.topic,
                    "it has " + std::to_string(*partitions) + " partitions, expected " +
                        std::to_string(d.partitions.size()) + " as topic " + r.at.topic + " of the store has");
      }
      if (!partitions) throw error(errc::unreachable, r.there.topic, "the topic was made, but is not known yet");
      if (link_.options().max_message_bytes != 0) return;
      if (const auto times = link_.cluster().setting(r.there.topic, "message.timestamp.type");
          times == "LogAppendTime") {
        throw error(errc::conflicting_options, "Kafka's topic " + r.there.topic,
                    "message.timestamp.type is LogAppendTime, expected CreateTime: records would get other timestamps");
      }
    } catch (...) {
      checked_.erase(r.at.topic);
      throw;
    }
  }

  // --- sending ---

  /// The bytes of the largest message that Kafka's topic takes.
  std::uint64_t limit_of(const std::string& topic) {
    const auto clamped = [](std::uint64_t bytes) { return std::clamp<std::uint64_t>(bytes, 1000, 1'000'000'000); };
    if (link_.options().max_message_bytes != 0) return clamped(link_.options().max_message_bytes);
    const auto told = link_.cluster().setting(topic, "max.message.bytes");
    return told ? clamped(std::strtoull(told->c_str(), nullptr, 10)) : usual_limit;
  }

  producer_handle& producer_with(std::uint64_t limit) {
    auto& handle = producers_[limit];
    if (handle == nullptr) {
      handle = std::make_unique<producer_handle>();
      configuration conf;
      conf.set("linger.ms", "5");
      conf.set("queue.buffering.max.messages", std::to_string(most_in_flight + 10'000));
      conf.set("queue.buffering.max.kbytes", "131072");
      conf.set(link_.options().properties);
      // What the guarantee rests on: in order, without a hole, for as long as it takes.
      conf.set("enable.idempotence", "true");
      conf.set("enable.gapless.guarantee", "true");
      conf.set("message.timeout.ms", "0");
      conf.set("message.max.bytes", std::to_string(limit));
      rd_kafka_conf_set_dr_msg_cb(conf.get(), [](rd_kafka_t*, const rd_kafka_message_t* m, void* opaque) {
        auto& self = *static_cast<context*>(static_cast<client_context*>(opaque))->owner;
        self.guarded([&] { self.delivered(*m); });
      });
      rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t* rk, int code, const char* reason, void* opaque) {
        auto& self = *static_cast<context*>(static_cast<client_context*>(opaque))->owner;
        self.guarded([&] { self.failed(rk, code, reason); });
      });
      handle->rk = std::make_unique<client>(RD_KAFKA_PRODUCER, std::move(conf), link_.options().servers, &context_);
    }
    return *handle;
  }

  static rd_kafka_topic_t* topic_of(producer_handle& handle, const std::string& name) {
    auto& topic = handle.topics[name];
    if (topic == nullptr) topic = rd_kafka_topic_new(handle.rk->get(), name.c_str(), nullptr);
    if (topic == nullptr) throw_error(rd_kafka_last_error(), name, "it cannot be sent to");
    return topic;
  }

  void send(leat::consumer<bytes_view, bytes_view>::batch_type batch) {
    try {
      send_all(batch);
    } catch (...) {  // what was not sent is read again by whoever goes on nevertheless
      for (auto& [at, r] : routes_) r->blocked = true;
      read_blocked_again();
      throw;
    }
    read_blocked_again();
  }

  void send_all(leat::consumer<bytes_view, bytes_view>::batch_type& batch) {
    route* r = nullptr;
    const std::string* name = nullptr;
    for (const auto& record : batch) {
      if (r == nullptr || name != &record.topic() || r->at.partition != record.partition()) {
        name = &record.topic();
        const auto found = routes_.find({*name, record.partition()});
        r = found == routes_.end() ? nullptr : found->second.get();
      }
      if (r == nullptr || !r->open || r->blocked || fault_) continue;
      if (record.offset() < r->sent) continue;
      const bool is_next = record.offset() == r->sent || pass_over(*r, record.offset());
      if (!is_next || !send(*r, record)) r->blocked = true;
    }
  }

  void read_blocked_again() {
    for (auto& [at, r] : routes_) {
      if (std::exchange(r->blocked, false) && r->open) link_.in().seek(at, r->sent);
    }
  }

  /// False: later.
  bool send(route& r, const raw_record& record) {
    if (r.poison == record.offset()) return refuse(r, record, "Kafka has refused it: it is too large");
    const raw_bytes key(record.key_bytes());
    const raw_bytes value(record.value_bytes());
    std::array<rd_kafka_vu_t, 8> with;
    std::size_t count = 0;
    const auto part = [&](rd_kafka_vtype_t type) -> auto& {
      with[count].vtype = type;
      return with[count++].u;
    };
    part(RD_KAFKA_VTYPE_RKT).rkt = r.topic;
    part(RD_KAFKA_VTYPE_PARTITION).i32 = static_cast<std::int32_t>(r.there.partition);
    part(RD_KAFKA_VTYPE_MSGFLAGS).i = RD_KAFKA_MSG_F_COPY;
    part(RD_KAFKA_VTYPE_VALUE).mem = {const_cast<void*>(value.data), value.size};
    part(RD_KAFKA_VTYPE_KEY).mem = {const_cast<void*>(key.data), key.size};
    part(RD_KAFKA_VTYPE_TIMESTAMP).i64 = mirrored_milliseconds(record.timestamp());
    part(RD_KAFKA_VTYPE_OPAQUE).ptr = &r;
    headers_ptr headers;
    if (!record.headers().empty()) {
      headers_scratch_.clear();
      for (const header& h : record.headers()) headers_scratch_.push_back(h);
      headers = headers_to_send(headers_scratch_);
      part(RD_KAFKA_VTYPE_HEADERS).headers = headers.get();
    }
    const error_ptr failure(rd_kafka_produceva(r.out->rk->get(), with.data(), count));
    if (failure == nullptr) {
      [[maybe_unused]] const auto* const given_away = headers.release();  // it is the message's by now
      ++r.sent;
      ++in_flight_;
      link_.report().bytes += key.size + value.size;
      return true;
    }
    if (rd_kafka_fatal_error(r.out->rk->get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      failed(r.out->rk->get(), RD_KAFKA_RESP_ERR__FATAL, "");  // of a record before; perhaps not told yet
      return false;
    }
    switch (const auto code = rd_kafka_error_code(failure.get())) {
      case RD_KAFKA_RESP_ERR__QUEUE_FULL: return false;
      case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return refuse(r, record,
                      "its " + std::to_string(key.size + value.size) +
                          " bytes of key and value are more than Kafka's topic takes (max.message.bytes)");
      default: throw_error(code, where(r), "the record at offset " + std::to_string(record.offset()));
    }
  }

  /// A record that Kafka does not take. What is before it is acknowledged first, so that the offsets are known.
  bool refuse(route& r, const raw_record& record, const std::string& why) {
    if (!drain(r)) return false;
    link_.commit(r, false);
    std::vector<header> headers;
    for (const header& h : record.headers()) headers.push_back(h);
    link_.dead_letter(where(r) + ", offset " + std::to_string(record.offset()), why, record.key_bytes(),
                      record.value_bytes(), std::move(headers), record.timestamp());
    r.poison.reset();
    move_to(r, record.offset() + 1);
    return true;
  }

  /// Records before `offset` have gone. False: later.
  bool pass_over(route& r, std::uint64_t offset) {
    if (!drain(r)) return false;
    skip(r, r.sent, offset);
    move_to(r, offset);
    return true;
  }
  void skip(const route& r, std::uint64_t from, std::uint64_t to) {
    const std::string gone = std::to_string(to - from) + " records from offset " + std::to_string(from) +
                             " had gone before they were mirrored";
    if (!link_.options().skip_expired) {
      throw error(errc::out_of_range, where(r), gone + "; they can be skipped (option `skip_expired`)");
    }
    link_.report().skipped += to - from;
    link_.tell(mirror_event::kind::skipped, where(r) + ": " + gone);
  }

  /// The next record to be mirrored is another one; nothing is on its way. Committed before it is sent.
  void move_to(route& r, std::uint64_t offset) {
    r.sent = r.next.leat = offset;
    link_.note(r);
    link_.commit(r, false);
  }

  // --- what Kafka says ---

  void serve(std::chrono::milliseconds wait) {
    for (auto& [limit, handle] : producers_) rd_kafka_poll(handle->rk->get(), static_cast<int>(wait.count()));
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  }
  /// In a callback of librdkafka's, through which nothing is thrown: it comes out of serve().
  template <class Action>
  void guarded(const Action& action) noexcept {
    try {
      action();
    } catch (...) {
      if (!thrown_) thrown_ = std::current_exception();
    }
  }

  void delivered(const rd_kafka_message_t& m) {
    route& r = *static_cast<route*>(m._private);
    --in_flight_;
    if (m.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (m.err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || m.err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) return;
      if (fault_ && !is_waiting_for_cause()) return;
      if (fault_ && m.err == RD_KAFKA_RESP_ERR__FATAL) return;  // one behind that which was refused
      ++r.errors;
      if (m.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) r.poison = r.next.leat;
      fault_ =
          fault{m.err, where(r) + ", offset " + std::to_string(r.next.leat) + ": " + rd_kafka_err2str(m.err), nullptr};
      return;
    }
    if (fault_) return;
    if (m.offset >= 0 && m.offset != r.next.kafka) misplaced(r, m.offset);
    if (fault_) return;  // it is not where it belongs: nothing behind it counts
    ++r.next.leat;
    ++r.next.kafka;
    ++r.records;
    ++link_.report().records;
    if (link_.is_away()) link_.back();
  }

  /// A record of ours has got another offset than it would have if nobody else had written.
  void misplaced(route& r, std::int64_t offset) {
    if (r.promise == guarantee::exactly_once) {
      const std::string strange = "the record with offset " + std::to_string(r.next.leat) + " has become Kafka's " +
                                  std::to_string(offset) + ", expected " + std::to_string(r.next.kafka);
      if (!link_.options().shared) {
        fault_ = fault{RD_KAFKA_RESP_ERR_INVALID_RECORD, "", std::make_exception_ptr(unshared(r, strange))};
        return;
      }
      require_shared(r, strange);
      r.promise = guarantee::at_least_once;
    }
    r.next.kafka = offset;
    link_.note(r);
  }

  void failed(rd_kafka_t* rk, int code, const char* reason) {
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
      char text[512];
      const auto cause = rd_kafka_fatal_error(rk, text, sizeof text);
      if (!fault_) fault_ = fault{cause, text, nullptr};
    } else if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
      link_.away(std::string("waiting for Kafka: ") + reason);
    }
  }

  /// Once a record is refused, librdkafka fails all that is on its way, and says so before it says which it was.
  bool is_waiting_for_cause() const noexcept { return fault_ && fault_->code == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE; }

  /// Behind a failure that this producer cannot go on from: as behind a death, but for what is known.
  void recover() {
    const auto deadline = clock::now() + std::chrono::seconds(1);
    while (is_waiting_for_cause() && in_flight_ != 0 && clock::now() < deadline) serve(std::chrono::milliseconds(20));
    const fault f = *std::exchange(fault_, std::nullopt);
    if (f.to_throw) std::rethrow_exception(f.to_throw);
    const bool is_refused = f.code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    const bool may_go_on =
        is_refused ? is_limit_another_now() || !link_.options().dead_letter_topic.empty() : is_passing(f.code);
    abandon();
    if (!may_go_on) throw error(errc_of(f.code), "Kafka", f.text);
    ++link_.report().errors;
  }

  /// Kafka refuses whole batches. One that was made for another limit says nothing of its first record, which was blamed.
  bool is_limit_another_now() {
    bool is_another = false;
    for (auto& [at, r] : routes_) {
      if (!r->poison) continue;
      try {
        if (limit_of(r->there.topic) == r->limit) continue;
      } catch (const error& e) {
        if (e.code() != errc::unreachable) throw;
      }
      r->poison.reset();
      is_another = true;
    }
    return is_another;
  }

  /// What another producer may get over.
  static bool is_passing(rd_kafka_resp_err_t code) noexcept {
    switch (code) {
      case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
      case RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
      case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
      case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING:
      case RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER:
      case RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE:
      case RD_KAFKA_RESP_ERR__INCONSISTENT:
      case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
      case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT: return true;
      default: return errc_of(code) == errc::unreachable;
    }
  }

  // --- commits and ends ---

  void commit_what_is_due() {
    std::uint64_t lag = 0;
    guarantee promise = guarantee::exactly_once;
    const auto now = clock::now();
    if (now < next_commit_) return;
    next_commit_ = now + link_.options().commit_interval;
    for (auto& [at, r] : routes_) {
      r->lag = std::max(link_.in().end_offset(at), r->next.leat) - r->next.leat;
      lag += r->lag;
      if (r->promise == guarantee::at_least_once) promise = r->promise;
      if (r->open && link_.is_due(*r)) link_.commit(*r, false);
    }
    link_.report().lag = lag;
    link_.report().promise = promise;
  }

  bool is_done() {
    if (fault_ || routes_.empty() != wanted().empty()) return false;
    for (const auto& [at, r] : routes_) {
      if (!r->open) return false;
      if (r->next.leat >= r->goal) continue;
      const std::uint64_t start = link_.in().start_offset(at);  // all that was left may have gone meanwhile
      if (r->sent < start) pass_over(*r, start);
      return false;
    }
    return routes_.size() >= wanted().size() || link_.has_others();
  }

  /// All partitions of the topics that it was asked for.
  std::vector<topic_partition> wanted() const {
    std::vector<topic_partition> all;
    for (const std::string& name : link_.store().topics()) {
      if (!is_mirrored(name)) continue;
      const std::uint32_t count = link_.store().raw_topic(name).partitions();
      for (std::uint32_t id = 0; id < count; ++id) all.push_back({name, id});
    }
    return all;
  }
  bool is_mirrored(const std::string& name) const {
    return filter_.matches(name) && !name.starts_with("__") && name != link_.options().dead_letter_topic;  // leat's own
  }

  static constexpr std::uint64_t usual_limit = 1'048'588;  // Kafka's default of max.message.bytes
  static constexpr std::uint64_t framing = 1024;

  mirror_link link_;
  group::topic_filter filter_;
  context context_;
  std::set<std::string> checked_;
  std::map<topic_partition, std::shared_ptr<route>> routes_;
  std::map<topic_partition, std::shared_ptr<mirror_route>> view_;
  std::vector<header> headers_scratch_;
  std::uint64_t in_flight_ = 0;
  std::optional<fault> fault_;
  std::exception_ptr thrown_;
  clock::time_point deadline_{};
  clock::time_point next_commit_{};
  std::map<std::uint64_t, std::unique_ptr<producer_handle>>
      producers_;  // by their limit; ends before what it reports to
};

}  // namespace leat::kafka
