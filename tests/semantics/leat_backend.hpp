// The scenarios' log, made of leat: a store in shared memory, opened by each process for itself.
#pragma once

#include "semantics/backend.hpp"
#include "semantics/leat_words.hpp"
#include "support/processes.hpp"
#include "support/read_all.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/group/assignor.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace semantics {

namespace leat_side {

using topic = leat::topic<std::string>;

inline topic open(const leat::store& store, const std::string& name) {
  return store.topic<std::string>(name, {.mode = leat::open_mode::open});
}

inline leat::topic_partition at(const topic_partition& p) { return {p.topic, p.partition}; }

inline leat::assignor assignor_of(const std::string& name) {
  for (const auto& a : {leat::range_assignor(), leat::round_robin_assignor(), leat::sticky_assignor(),
                        leat::cooperative_sticky_assignor()}) {
    if (a.name == name) return a;
  }
  throw std::runtime_error("no assignor " + name);
}

class producer final : public semantics::producer {
 public:
  explicit producer(const topic& t) : out_(t) {}

  placed send(const message& m) override {
    std::vector<leat::header> headers;
    for (const auto& [name, value] : m.headers) {
      headers.push_back(value ? leat::header(name, std::string_view(*value)) : leat::header(name, leat::null));
    }
    const leat::record_position sent =
        out_.send(argument(m.key), argument(m.value),
                  {.partition = m.partition, .timestamp = time(m.timestamp), .headers = headers});
    return {sent.partition, sent.offset};
  }

 private:
  using to_send = leat::producer<std::string>::value_argument;

  static to_send argument(const bytes& b) { return b ? to_send(std::string_view(*b)) : to_send(leat::null); }

  leat::producer<std::string> out_;
};

class consumer final : public semantics::consumer {
 public:
  consumer(const std::string& store, const leat::consumer_options& options)
      : store_(leat::store::open(store)), options_(options) {}

  void subscribe(const std::vector<std::string>& topics) override {
    if (!in_) in_.emplace(store_, options_);
    const auto note = [this](char what) {
      return [this, what](std::span<const leat::topic_partition> partitions) {
        for (const auto& p : partitions) changes_.push_back(what + p.topic + "-" + std::to_string(p.partition));
      };
    };
    in_->subscribe(topics, {.assigned = note('+'), .revoked = note('-'), .lost = note('!')});
  }
  void assign(const std::string& name, const std::vector<std::uint32_t>& partitions) override {
    options_.partitions = partitions;
    in_.emplace(open(store_, name), options_);
  }

  polled poll(milliseconds timeout) override {
    const auto batch = in_->poll(timeout);
    if (batch.error() != leat::errc::ok) return {outcome_of(batch.error()), {}};
    polled result;
    for (const auto& r : batch) {
      record copy{{r.topic(), r.partition()},           r.offset(), leat_tests::copy_of(r.key_bytes()),
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
    return outcome_of(in_->commit({at(o.at), o.offset, o.metadata}).error());
  }

  std::uint64_t position(const topic_partition& p) override { return in_->position(at(p)); }
  void seek(const topic_partition& p, std::uint64_t offset) override { in_->seek(at(p), offset); }
  void pause(const topic_partition& p) override { in_->pause(at(p)); }
  void resume(const topic_partition& p) override { in_->resume(at(p)); }

  std::vector<topic_partition> owned() override {
    std::vector<topic_partition> list;
    for (const auto& p : in_->owned()) list.push_back({p.topic, p.partition});
    return list;
  }
  std::vector<std::string> changes() override { return changes_; }

  void close() override { in_->close(); }

 private:
  leat::store store_;
  leat::consumer_options options_;
  std::vector<std::string> changes_;
  std::optional<leat::consumer<std::string>> in_;
};

}  // namespace leat_side

class leat_backend final : public backend {
 public:
  void create_topic(const std::string& name, const topic_options& options) override {
    leat::topic_options o{.mode = leat::open_mode::create, .partitions = options.partitions};
    o.segment_bytes = options.segment_bytes;
    o.retention.bytes = options.retention_bytes.value_or(leat::unlimited);
    o.retention.time = options.retention_time ? std::chrono::nanoseconds(*options.retention_time) : leat::forever;
    (void)store_.topic<std::string>(name, o);
  }
  std::unique_ptr<producer> make_producer(const std::string& topic) override {
    return std::make_unique<leat_side::producer>(leat_side::open(store_, topic));
  }

  std::unique_ptr<consumer> make_consumer(const consumer_options& options) override {
    leat::consumer_options o;
    o.auto_offset_reset = policy(options.reset);
    o.max_poll_records = options.max_poll_records;
    o.group = options.group;
    o.group_instance_id = options.instance_id;
    o.session_timeout = options.session_timeout.value_or(shortest_interval());
    o.client_id = options.client_id;
    o.enable_auto_commit = options.auto_commit;
    o.auto_commit_interval = options.auto_commit_interval;
    o.max_poll_interval = options.max_poll_interval.value_or(std::chrono::hours(1));
    o.assignor = leat_side::assignor_of(options.assignor);
    return std::make_unique<leat_side::consumer>(place_.store(), o);
  }

  watermarks offsets(const topic_partition& p) override {
    const auto topic = leat_side::open(store_, p.topic);
    return {topic.start_offset(p.partition), topic.end_offset(p.partition)};
  }
  std::optional<std::uint64_t> offset_for_time(const topic_partition& p, std::int64_t timestamp) override {
    return admin_.offset_for_time(leat_side::at(p), time(timestamp));
  }
  void delete_records(const topic_partition& p, std::uint64_t before) override {
    admin_.delete_records(leat_side::at(p), before);
  }
  void apply_retention(const std::string& topic) override { admin_.apply_retention(topic); }

  std::optional<committed_offset> committed(const std::string& group, const topic_partition& p) override {
    leat::consumer<std::string> observer(leat_side::open(store_, p.topic),
                                         {.partitions = {{p.partition}}, .group = group, .enable_auto_commit = false});
    const auto found = observer.committed(p.partition);
    return found ? std::optional(committed_offset{found->offset, found->metadata}) : std::nullopt;
  }

  std::optional<group_view> describe(const std::string& group) override {
    group_view view;
    const auto names = admin_.groups();
    if (std::ranges::find(names, group) == names.end()) return view;
    const leat::group_description found = admin_.describe_group(group);
    for (const auto& m : found.members) {
      if (!m.alive) continue;
      view.members.push_back(m.client_id);
      for (const auto& p : m.partitions) view.owners[{p.topic, p.partition}] = m.client_id;
    }
    std::ranges::sort(view.members);
    return view;
  }

  milliseconds shortest_interval() const override { return milliseconds(300); }
  milliseconds moment() const override { return milliseconds(2); }

  std::string cannot(ability what) const override {
    return what == ability::compact ? "leat has no compaction" : std::string();
  }

 private:
  leat_tests::shared_place place_;
  leat::store store_ = leat::store::open(place_.store());
  leat::admin admin_{store_};
};

}  // namespace semantics
