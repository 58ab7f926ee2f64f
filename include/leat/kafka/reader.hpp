// What consumers of leat::kafka have in common: a client that reads, a position in each partition that it has, and the group's
// rebalances.
//
// librdkafka fetches; what is read next, what is committed, and what happens where nothing is committed or the offset is out of
// range is decided here, so that it is as in leat and in Kafka's Java client: nothing is stored or committed at hand-over, and
// librdkafka's own auto.offset.reset is "error".
//
// Threads    one at a time. Rebalances come within poll() and close(), in the thread of the caller.
#pragma once

#include <leat/error.hpp>
#include <leat/kafka/admin_calls.hpp>
#include <leat/kafka/client.hpp>
#include <leat/kafka/cluster.hpp>
#include <leat/kafka/error.hpp>
#include <leat/kafka/fetched.hpp>
#include <leat/kafka/message.hpp>
#include <leat/kafka/partition_list.hpp>
#include <leat/options.hpp>
#include <leat/os/clock.hpp>
#include <leat/types.hpp>

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace leat::kafka {

class reader {
 public:
  /// A partition that it reads.
  struct place {
    std::optional<std::uint64_t>
        position;            // the next offset to hand out; empty: what is committed, or as the policy has it
    std::uint64_t next = 0;  // behind what the present poll has gathered
    std::optional<std::uint64_t> committed;  // by this consumer
    bool paused = false;
    bool to_seek = false;       // librdkafka reads somewhere else
    bool out_of_range = false;  // and the policy is none
  };

  reader(std::shared_ptr<cluster> of, consumer_options options, configuration conf)
      : cluster_(std::move(of)),
        options_(std::move(options)),
        context_(std::make_unique<callback_context>(client_context{cluster_->options().log}, this)),
        may_be_cooperative_(conf.get("partition.assignment.strategy").find("cooperative") != std::string::npos),
        client_(RD_KAFKA_CONSUMER, with_callbacks(std::move(conf)), cluster_->servers(), context_.get()),
        next_auto_commit_(clock::now() + interval()) {
    require(rd_kafka_poll_set_consumer(client_.get()), cluster_->servers());
  }
  ~reader() { close_quietly(); }
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;

  const cluster& of() const noexcept { return *cluster_; }
  bool forked() const noexcept { return client_.forked(); }
  bool is_member() const noexcept { return member_; }
  rd_kafka_t* handle() const {
    client_.require_own();
    return client_.get();
  }

  // --- what it reads ---

  void subscribe(const std::vector<std::string>& topics, rebalance_listener listener) {
    require_no_listener(cannot_subscribe);
    require_open();
    partition_list list(topics.size());
    for (const std::string& t : topics) {
      rd_kafka_topic_partition_list_add(list.get(), t.c_str(), RD_KAFKA_PARTITION_UA);
    }
    require(rd_kafka_subscribe(handle(), list.get()), options_.group, "subscribing");
    member_ = true;
    listener_ = std::move(listener);
  }
  void unsubscribe() {
    require_no_listener(cannot_subscribe);
    require(rd_kafka_unsubscribe(handle()), options_.group, "unsubscribing");
  }

  /// Without a group's help. Those that it reads already keep their position; of the others, those in `beginnings` begin there.
  /// Should it throw, it reads what it read before.
  void assign(const std::vector<topic_partition>& partitions,
              const std::map<topic_partition, std::uint64_t>& beginnings = {}) {
    require_open();
    std::map<topic_partition, place> wanted;
    std::vector<topic_partition> fresh;
    for (const topic_partition& p : partitions) {
      const auto known = places_.find(p);
      const auto [there, is_new] = wanted.try_emplace(p, known == places_.end() ? place() : known->second);
      if (!is_new || known != places_.end()) continue;
      if (const auto begin = beginnings.find(p); begin != beginnings.end()) {
        there->second.position = begin->second;
      } else {
        fresh.push_back(p);
      }
    }
    forget_last();
    places_.swap(wanted);
    try {
      find_positions(fresh);
    } catch (...) {
      places_.swap(wanted);
      throw;
    }
    to_assign_ = true;
  }

  std::vector<topic_partition> partitions() const {
    std::vector<topic_partition> all;
    for (const auto& [p, at] : places_) all.push_back(p);
    return all;
  }
  /// Throws invalid_argument.
  place& at(const topic_partition& p) {
    if (const auto found = places_.find(p); found != places_.end()) return found->second;
    throw error(errc::invalid_argument, of().where(p.topic),
                "partition " + std::to_string(p.partition) + " is not among those that this consumer reads");
  }

  // --- reading ---

  const fetched& records() const noexcept { return records_; }
  const std::string& last_failure() const noexcept { return last_failure_; }

  /// Alignment of values and keys whose codec reads them in place.
  void align(std::size_t values, std::size_t keys) noexcept { records_.align(values, keys); }

  errc poll(std::chrono::nanoseconds timeout) {
    if (forked()) return errc::forked;
    require_no_listener("a listener cannot poll: its consumer is within a poll, or closes");
    records_.clear();
    if (closed_) return errc::ok;
    if (fatal_ != errc::ok) return fatal_;
    auto_commit();
    if (to_assign_) assign_places();
    if (postponed_.code != errc::ok) {
      last_failure_ = std::move(postponed_.text);
      return std::exchange(postponed_.code, errc::ok);
    }
    if (out_of_range() && !told_) {  // every other time, so that the other partitions are read, too
      told_ = true;
      last_failure_ = "the offset is out of range, or there is none, and the reset policy is none";
      return errc::out_of_range;
    }
    errc outcome = errc::ok;
    try {
      outcome = gather(told_ ? std::chrono::nanoseconds::zero() : timeout);
    } catch (...) {  // what a listener has thrown: what was gathered is read again
      for (auto& [p, at] : places_) at.to_seek = std::exchange(at.next, 0) != 0 || at.to_seek;
      records_.clear();
      throw;
    }
    told_ = false;
    for (auto& [p, at] : places_) {
      if (at.next != 0) at.position = std::exchange(at.next, 0);
    }
    return outcome;
  }

  /// From now on polls say why there is nothing more.
  void end(errc why, std::string text) {
    fatal_ = why;
    last_failure_ = std::move(text);
  }

  /// The next offset to hand out. Seeking beyond all that Kafka has leads to the greatest.
  std::uint64_t position(const topic_partition& p) {
    place& there = at(p);
    if (!there.position) find_positions({p});
    if (!there.position)
      throw error(errc::out_of_range, of().where(p.topic), "nothing is committed, and the reset policy is none");
    return *there.position;
  }
  void seek(const topic_partition& p, std::uint64_t offset) {
    place& there = at(p);
    // A listener's, within a poll: what that has gathered is not handed out, and not where it goes on.
    if (std::exchange(there.next, 0) != 0) records_.drop(p);
    there.position = std::min(offset, greatest_offset);  // beyond lie librdkafka's words for begin, end, ...
    there.to_seek = true;
    there.out_of_range = false;
  }
  void pause(const topic_partition& p, bool paused) {
    client_.require_own();
    at(p).paused = paused;
    if (!to_assign_) pause_as_wanted({p});
  }

  // --- commits ---

  /// Of all that it has.
  errc commit() {
    partition_list list(places_.size());
    for (const auto& [p, at] : places_) {
      if (at.position) list.add(p, static_cast<std::int64_t>(*at.position), std::string());
    }
    return commit(list);
  }
  errc commit(const topic_partition& p, std::uint64_t offset, const std::string& metadata) {
    if (!places_.contains(p)) return errc::fenced;
    if (offset > greatest_offset) return errc::invalid_argument;
    constexpr std::size_t most_metadata = 4096;  // offset.metadata.max.bytes
    if (metadata.size() > most_metadata) return errc::too_large;
    partition_list list;
    list.add(p, static_cast<std::int64_t>(offset), metadata);
    return commit(list);
  }

  struct committed_position {
    std::uint64_t offset;
    std::string metadata;
  };
  std::optional<committed_position> committed(const topic_partition& p) const {
    partition_list list;
    list.add(p);
    ask_for_committed(list);
    const auto& entry = list.entries()[0];
    if (entry.offset < 0) return std::nullopt;
    return committed_position{static_cast<std::uint64_t>(entry.offset),
                              std::string(static_cast<const char*>(entry.metadata), entry.metadata_size)};
  }

  std::string member_id() const {
    char* const id = rd_kafka_memberid(handle());
    if (id == nullptr) return {};
    std::string copy = id;
    rd_kafka_mem_free(client_.get(), id);
    return copy;
  }

  /// Commits where that is automatic, and leaves the group. Throws what a listener throws.
  void close() {
    require_no_listener(cannot_subscribe);
    if (std::exchange(closed_, true) || forked()) return;
    records_.clear();
    if (!member_ && options_.enable_auto_commit && !options_.group.empty()) (void)commit();
    const bool destructible = is_destructible();
    const auto failure = rd_kafka_consumer_close(client_.get());
    if (!destructible) {
      client_.leave();
      [[maybe_unused]] const auto* const stays = context_.release();  // for those threads
    }
    places_.clear();
    rethrow();
    if (failure != RD_KAFKA_RESP_ERR__FATAL) require(failure, options_.group, "leaving the group");
  }
  void close_quietly() noexcept {
    try {
      close();
    } catch (...) {  // who wants to know calls close()
    }
  }

 private:
  using clock = std::chrono::steady_clock;

  struct callback_context : client_context {
    reader* self;
    callback_context(client_context base, reader* r) : client_context(std::move(base)), self(r) {}
  };

  static reader& self(void* context) noexcept {
    return *static_cast<callback_context*>(static_cast<client_context*>(context))->self;
  }

  static configuration with_callbacks(configuration conf) {
    rd_kafka_conf_set_rebalance_cb(
        conf.get(), [](rd_kafka_t*, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* partitions,
                       void* context) { self(context).rebalance(what, partitions); });
    rd_kafka_conf_set_offset_commit_cb(
        conf.get(), [](rd_kafka_t*, rd_kafka_resp_err_t failure, rd_kafka_topic_partition_list_t* offsets,
                       void* context) { self(context).auto_committed(failure, offsets); });
    return conf;
  }

  std::chrono::nanoseconds interval() const noexcept {
    return std::min<std::chrono::nanoseconds>(options_.auto_commit_interval, std::chrono::hours(24 * 365));
  }

  void require_open() const {
    if (closed_) throw error(errc::closed, cluster_->servers(), "the consumer is closed");
  }
  /// Librdkafka waits, without an end, for the rebalance that a listener is told of.
  void require_no_listener(const char* what) const {
    if (in_listener_) throw error(errc::invalid_argument, options_.group, what);
  }
  void rethrow() {
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  }

  // --- rebalances, called by librdkafka within a poll or close ---

  /// The group's, of the assignor that it has chosen: as soon as it has let this member in.
  bool is_cooperative() const {
    const char* const protocol = rd_kafka_rebalance_protocol(client_.get());
    return protocol != nullptr && std::string_view(protocol) == "COOPERATIVE";
  }

  /// Before 2.3, librdkafka ends the process when a client is destroyed that a cooperative group has let in, but never assigned
  /// anything, not even nothing (its issue 4312). It should be about to: it is waited for, a little.
  bool is_destructible() {
    constexpr int mended = 0x02030000;
    if (!member_ || !may_be_cooperative_ || rd_kafka_version() >= mended) return true;
    const clock::time_point deadline = clock::now() + longest_wait;
    while (is_being_let_in() && clock::now() < deadline &&
           rd_kafka_fatal_error(client_.get(), nullptr, 0) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      (void)message_ptr(rd_kafka_consumer_poll(client_.get(), 10));
    }
    if (assigned_) return true;
    // What has no id yet is not let in any more. What has one, and has asked to be let in, may still be: librdkafka unsubscribes
    // it when that is answered.
    (void)rd_kafka_unsubscribe(client_.get());
    return !is_being_let_in();
  }
  /// Its id comes with the group's first answer, before it is let in; the protocol when it is.
  bool is_being_let_in() const { return !assigned_ && (is_cooperative() || !member_id().empty()); }

  void rebalance(rd_kafka_resp_err_t what, const rd_kafka_topic_partition_list_t* partitions) noexcept {
    const bool by_parts = is_cooperative();
    try {
      const std::vector<topic_partition> names = partition_list::names_of(partitions);
      if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        assigned_ = true;
        take(names, by_parts);
      } else if (what == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        give_up(names);
        by_parts ? void(error_ptr(rd_kafka_incremental_unassign(client_.get(), partitions)))
                 : void(rd_kafka_assign(client_.get(), nullptr));
      } else {
        places_.clear();
        forget_last();
        rd_kafka_assign(client_.get(), nullptr);
        throw_error(what, options_.group, "the group's assignment failed");
      }
    } catch (...) {
      if (!thrown_) thrown_ = std::current_exception();
    }
  }

  void take(const std::vector<topic_partition>& names, bool by_parts) {
    for (const topic_partition& p : names) places_.try_emplace(p);
    forget_last();
    guarded([&] { find_positions(names); });
    tell(listener_.assigned, names);
    const partition_list list = where_to_read(names);
    if (by_parts) {
      const error_ptr failure(rd_kafka_incremental_assign(client_.get(), list.get()));
      if (failure != nullptr)
        throw error(errc_of(rd_kafka_error_code(failure.get())), options_.group, rd_kafka_error_string(failure.get()));
    } else {
      require(rd_kafka_assign(client_.get(), list.get()), options_.group, "taking partitions over");
    }
    pause_as_wanted(names);
  }

  void give_up(const std::vector<topic_partition>& names) {
    const bool lost = rd_kafka_assignment_lost(client_.get()) != 0;
    for (const topic_partition& p : names) {
      records_.drop(p);  // gathered, and not handed out: the next owner's
      if (const auto found = places_.find(p); found != places_.end()) found->second.next = 0;
    }
    if (!lost && options_.enable_auto_commit) guarded([&] { (void)commit(); });
    tell(lost ? listener_.lost : listener_.revoked, names);
    for (const topic_partition& p : names) places_.erase(p);
    forget_last();
  }

  void tell(const rebalance_listener::callback& listener, const std::vector<topic_partition>& names) noexcept {
    if (!listener || names.empty()) return;
    in_listener_ = true;
    guarded([&] { listener(names); });
    in_listener_ = false;
  }

  /// What a listener throws comes out of the poll; the rebalance goes on.
  template <class Action>
  void guarded(Action action) noexcept {
    try {
      action();
    } catch (...) {
      if (!thrown_) thrown_ = std::current_exception();
    }
  }

  // --- positions ---

  /// What is committed, or what the policy says.
  void find_positions(const std::vector<topic_partition>& names) {
    partition_list list(names.size());
    for (const topic_partition& p : names) list.add(p);
    if (!options_.group.empty() && !names.empty()) ask_for_committed(list);
    for (const auto& entry : list.entries()) {
      const topic_partition p = partition_list::name_of(entry);
      place& there = at(p);
      there.to_seek = true;
      if (entry.offset >= 0) {
        there.position = static_cast<std::uint64_t>(entry.offset);
      } else {
        reset(p, there);
      }
    }
  }
  void ask_for_committed(partition_list& list) const {
    require(rd_kafka_committed(handle(), list.get(), cluster_->timeout()), options_.group,
            "asking for what is committed");
    require(list.failure(), options_.group, "asking for what is committed");
  }
  void reset(const topic_partition& p, place& there) {
    there.to_seek = true;
    if (options_.auto_offset_reset == offset_reset::none) {
      there.out_of_range = true;
      return;
    }
    there.next = 0;
    const watermarks w = cluster_->offsets(p);
    there.position = options_.auto_offset_reset == offset_reset::earliest ? w.start : w.end;
  }
  bool out_of_range() const noexcept {
    return std::any_of(places_.begin(), places_.end(),
                       [](const auto& entry) { return entry.second.out_of_range && !entry.second.paused; });
  }

  /// Positions as librdkafka takes them; from then on it reads there.
  partition_list where_to_read(const std::vector<topic_partition>& names) {
    partition_list list(names.size());
    for (const topic_partition& p : names) {
      place& there = at(p);
      there.to_seek = false;
      list.add(p, there.position ? static_cast<std::int64_t>(*there.position) : RD_KAFKA_OFFSET_STORED);
    }
    return list;
  }
  void assign_places() {
    const std::vector<topic_partition> names = partitions();
    require(rd_kafka_assign(client_.get(), where_to_read(names).get()), cluster_->servers(), "reading partitions");
    to_assign_ = false;
    pause_as_wanted(names);
  }

  /// librdkafka remembers what is paused, also of partitions that have gone and come back.
  void pause_as_wanted(const std::vector<topic_partition>& names) {
    partition_list to_pause(names.size());
    partition_list to_resume(names.size());
    for (const topic_partition& p : names) {
      if (at(p).paused) {
        paused_.insert(p);
        to_pause.add(p);
      } else if (paused_.erase(p) != 0) {
        to_resume.add(p);
      }
    }
    if (!to_pause.empty()) rd_kafka_pause_partitions(client_.get(), to_pause.get());
    if (!to_resume.empty()) rd_kafka_resume_partitions(client_.get(), to_resume.get());
  }

  /// Where a position has changed, librdkafka is told. A partition that it has not begun to read, or has given up after an
  /// error, cannot be moved, and is begun anew.
  void seek_places() {
    std::vector<topic_partition> unknown;  // it could not be found out when they came, nor when librdkafka asked
    for (const auto& [p, at] : places_) {
      if (at.to_seek && !at.out_of_range && !at.position) unknown.push_back(p);
    }
    if (!unknown.empty()) find_positions(unknown);
    partition_list list;
    for (const auto& [p, at] : places_) {
      if (at.to_seek && !at.out_of_range && at.position) list.add(p, static_cast<std::int64_t>(*at.position));
    }
    if (list.empty()) return;
    (void)error_ptr(rd_kafka_seek_partitions(client_.get(), list.get(), 1000));
    std::vector<topic_partition> anew;
    for (const auto& entry : list.entries()) {
      const topic_partition p = partition_list::name_of(entry);
      if (entry.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        at(p).to_seek = false;
      } else if (entry.err != RD_KAFKA_RESP_ERR__TIMED_OUT) {
        anew.push_back(p);
      }
    }
    if (!anew.empty()) begin_anew(anew);
  }
  void begin_anew(const std::vector<topic_partition>& names) {
    const bool by_parts = member_ && is_cooperative();
    if (!by_parts) return assign_places();
    const partition_list list = where_to_read(names);
    require(error_ptr(rd_kafka_incremental_unassign(client_.get(), list.get())), options_.group);
    require(error_ptr(rd_kafka_incremental_assign(client_.get(), list.get())), options_.group);
    pause_as_wanted(names);
  }

  // --- gathering ---

  errc gather(std::chrono::nanoseconds timeout) {
    const clock::time_point deadline = os::later(clock::now(), timeout);
    errc outcome = errc::ok;
    for (;;) {
      seek_places();
      const auto left = std::max(deadline - clock::now(), std::chrono::nanoseconds::zero());
      message_ptr first(rd_kafka_consumer_poll(
          client_.get(), milliseconds_of(std::min<std::chrono::nanoseconds>(left, longest_wait))));
      if (first != nullptr) outcome = accept(first);
      if (thrown_) postpone(outcome);
      rethrow();
      if (outcome != errc::ok || !records_.empty() || left == left.zero()) break;
    }
    while (outcome == errc::ok && !records_.empty() && records_.size() < options_.max_poll_records) {
      message_ptr more(rd_kafka_consumer_poll(client_.get(), 0));
      const bool none = more == nullptr;
      if (!none) outcome = accept(more);
      if (thrown_) postpone(outcome);
      rethrow();
      if (none) break;
    }
    if (records_.empty()) return outcome;
    postpone(outcome);
    return errc::ok;
  }
  /// Librdkafka tells most errors once. One that lasts is said by poll() itself.
  void postpone(errc outcome) {
    if (outcome == errc::ok || outcome == errc::out_of_range || fatal_ != errc::ok) return;
    postponed_ = {outcome, last_failure_};
  }

  errc accept(message_ptr& m) {
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) return fail(*m);
    place* const there = find(*m);
    if (there == nullptr) return errc::ok;  // it has been given up meanwhile
    const auto offset = static_cast<std::uint64_t>(m->offset);
    if (there->paused) there->to_seek = true;  // it is to be read again
    if (there->to_seek) return errc::ok;
    if (there->position && offset < std::max(*there->position, there->next)) return errc::ok;
    there->next = offset + 1;
    records_.add(std::move(m), *last_name_);
    return errc::ok;
  }

  place* find(const rd_kafka_message_t& m) {
    if (m.rkt == last_topic_ && m.partition == last_partition_) return last_place_;
    const auto found =
        places_.find(topic_partition{rd_kafka_topic_name(m.rkt), static_cast<std::uint32_t>(m.partition)});
    if (found == places_.end()) return nullptr;
    last_topic_ = m.rkt;
    last_partition_ = m.partition;
    last_name_ = &found->first.topic;
    return last_place_ = &found->second;
  }
  void forget_last() noexcept { last_topic_ = nullptr; }

  /// What librdkafka says instead of a record.
  errc fail(const rd_kafka_message_t& m) {
    switch (m.err) {
      case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:     // a rebalance tells the listener
      case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:  // it is read once it is there; end() says when it was deleted
      case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
      case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: return errc::ok;
      case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      case RD_KAFKA_RESP_ERR__NO_OFFSET:
      case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        if (place* const there = m.rkt == nullptr ? nullptr : find(m)) {
          if (there->to_seek) return errc::ok;  // it is about to leave that offset
          // It was told a place since: this is of the time when it had none.
          if (there->position && m.offset < 0) return errc::ok;
          reset({rd_kafka_topic_name(m.rkt), static_cast<std::uint32_t>(m.partition)}, *there);
          if (there->out_of_range) told_ = true;
        }
        break;
      default: break;
    }
    last_failure_ = rd_kafka_message_errstr(&m);
    if (m.err == RD_KAFKA_RESP_ERR__FATAL || m.err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
      char reason[512] = {};
      const auto why = rd_kafka_fatal_error(client_.get(), reason, sizeof reason);
      if (reason[0] != 0) last_failure_ = reason;
      return fatal_ = errc_of(m.err == RD_KAFKA_RESP_ERR__FATAL ? why : m.err);
    }
    const errc code = errc_of(m.err);
    if (code == errc::out_of_range) return out_of_range() ? code : errc::ok;
    return code == errc::unreachable || code == errc::fenced ? errc::ok : code;  // librdkafka tries again
  }

  // --- commits ---

  /// Synchronous. While the group is being rebalanced the broker asks for patience, which ends with the group's own.
  errc commit(const partition_list& list) {
    if (forked()) return errc::forked;
    if (fatal_ != errc::ok) return fatal_;
    if (list.empty()) return errc::ok;
    const auto start = clock::now();
    const auto deadline = cluster::within(cluster_->options().timeout);
    const auto end_of_patience = std::min(deadline, start + patience);
    for (;;) {
      if (member_ && rd_kafka_assignment_lost(client_.get()) != 0) return errc::fenced;
      const auto code = commit_once(list, deadline);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      const bool passes = code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS || errc_of(code) == errc::unreachable;
      if (!passes || clock::now() >= end_of_patience) {
        last_failure_ = text_of(code);
        return code == RD_KAFKA_RESP_ERR__FATAL ? errc_of(rd_kafka_fatal_error(client_.get(), nullptr, 0))
                                                : errc_of(code);
      }
      std::this_thread::sleep_for(between_tries);
    }
    for (const auto& entry : list.entries()) {
      const auto found = places_.find(partition_list::name_of(entry));
      if (found != places_.end()) found->second.committed = static_cast<std::uint64_t>(entry.offset);
    }
    return errc::ok;
  }

  /// rd_kafka_commit() would wait without a bound. What is late is on its way, and may be committed nevertheless.
  rd_kafka_resp_err_t commit_once(const partition_list& list, clock::time_point until) {
    const queue_ptr answers(rd_kafka_queue_new(client_.get()));
    const auto refusal = rd_kafka_commit_queue(client_.get(), list.get(), answers.get(), nullptr, nullptr);
    if (refusal != RD_KAFKA_RESP_ERR_NO_ERROR) return refusal;
    const event_ptr answer(rd_kafka_queue_poll(answers.get(), cluster::left(until)));
    if (answer == nullptr) return RD_KAFKA_RESP_ERR__TIMED_OUT;
    const auto failure = rd_kafka_event_error(answer.get());
    if (failure != RD_KAFKA_RESP_ERR_NO_ERROR) return failure;
    return partition_list::failure_of(rd_kafka_event_topic_partition_list(answer.get()));
  }

  /// What earlier polls have returned, when the interval is over. Not waited for.
  void auto_commit() {
    if (!options_.enable_auto_commit || options_.group.empty() || clock::now() < next_auto_commit_) return;
    next_auto_commit_ = clock::now() + interval();
    partition_list list(places_.size());
    for (auto& [p, at] : places_) {
      if (!at.position || at.committed == at.position) continue;
      list.add(p, static_cast<std::int64_t>(*at.position), std::string());
      at.committed = at.position;
    }
    if (!list.empty()) (void)rd_kafka_commit(client_.get(), list.get(), 1);
  }
  /// Should it have failed, a later one repeats it.
  void auto_committed(rd_kafka_resp_err_t failure, const rd_kafka_topic_partition_list_t* offsets) noexcept {
    for (const auto& entry : partition_list::entries_of(offsets)) {
      if (failure == RD_KAFKA_RESP_ERR_NO_ERROR && entry.err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      for (auto& [p, at] : places_) {
        if (p.topic == entry.topic && static_cast<std::int32_t>(p.partition) == entry.partition) at.committed.reset();
      }
    }
  }

  static constexpr const char* cannot_subscribe = "a listener cannot subscribe or leave";
  static constexpr std::uint64_t greatest_offset = std::numeric_limits<std::int64_t>::max();
  static constexpr std::chrono::milliseconds longest_wait{1000};
  static constexpr std::chrono::milliseconds between_tries{20};
  static constexpr std::chrono::seconds patience{10};

  std::shared_ptr<cluster> cluster_;
  const consumer_options options_;
  rebalance_listener listener_;
  std::unique_ptr<callback_context> context_;
  std::map<topic_partition, place> places_;
  std::set<topic_partition> paused_;  // what librdkafka takes for paused
  fetched records_;
  std::string last_failure_;
  struct {
    errc code = errc::ok;
    std::string text;
  } postponed_;  // came behind records, which were handed out first
  std::exception_ptr thrown_;
  errc fatal_ = errc::ok;
  const bool may_be_cooperative_;  // as the assignors have it that it knows
  bool member_ = false;
  bool assigned_ = false;  // the group has once said what is its
  bool in_listener_ = false;
  bool closed_ = false;
  bool to_assign_ = false;  // librdkafka does not know of all places
  bool told_ = false;       // the last poll has said that one is out of range
  // Of the last message: those of one partition come together.
  const rd_kafka_topic_t* last_topic_ = nullptr;
  std::int32_t last_partition_ = 0;
  const std::string* last_name_ = nullptr;
  place* last_place_ = nullptr;
  client client_;
  clock::time_point next_auto_commit_;
};

}  // namespace leat::kafka
