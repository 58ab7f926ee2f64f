// A consumer's part in a group: joins, watches the others, hands over and takes over, commits, leaves.
//
// All of it happens in the consumer's own calls, poll() above all: there is no thread and no coordinator. A poll looks at
// three shared words; when one of them has changed, there is work:
//
//     generation    members or topics have changed: agree on an assignment (group_files.hpp), give up what is another's
//                   now, take what is this one's and free
//     handovers     somebody has released something: take what this one waits for
//     own file      the membership was ended: everything is lost, join again
//
// Every few milliseconds it looks for members without a lease (dead) and members that have not polled in their time
// (stuck), and ends their membership. So a partition is only ever kept from its next owner by the one who has it.
//
// Threads    the consumer's.
// Crash      see group_files.hpp and storage/group_offsets.hpp. Models of it: tests/model/assignment_publish.pml, assignment_topics.pml,
//            handover_commit.pml and group_deletion.pml.
#pragma once

#include <leat/group/assigning.hpp>
#include <leat/group/assignor.hpp>
#include <leat/group/group_files.hpp>
#include <leat/group/subscription.hpp>
#include <leat/options.hpp>
#include <leat/os/fork.hpp>
#include <leat/result.hpp>
#include <leat/storage/reader.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace leat::group {

class participant final : public storage::attendant {
 public:
  participant(std::shared_ptr<storage::store_files> store, storage::reader& reader, const consumer_options& options,
              const storage::type_identity& value, const storage::type_identity& key, subscription::opener open_topic)
      : store_(std::move(store)), reader_(reader), options_(options), open_topic_(std::move(open_topic)) {
    const auto require = [&](bool condition, const char* field, const char* expected) {
      if (condition) return;
      throw error(errc::invalid_argument, store_->groups().path(options_.group.substr(0, 300)),
                  std::string(field) + " is outside its limits, expected " + expected);
    };
    require(options.client_id.size() <= 200, "client_id", "200 bytes at most");
    require(options.group_instance_id.size() <= 249 && options.group_instance_id.find('\n') == std::string::npos,
            "group_instance_id", "one line of 249 bytes at most");
    require(!assignor_.name.empty() && assignor_.name.size() <= 63, "assignor.name", "1 to 63 bytes");
    require(options.max_poll_interval.count() > 0, "max_poll_interval", "more than 0");
    require(options.session_timeout.count() > 0, "session_timeout", "more than 0");
    require(options.auto_commit_interval.count() > 0, "auto_commit_interval", "more than 0");
    const auto limited = [](std::chrono::nanoseconds d) {
      return static_cast<std::uint64_t>(std::min<std::chrono::nanoseconds>(d, std::chrono::hours(24 * 3650)).count());
    };
    profile_.id = (options.client_id.empty() ? "consumer" : options.client_id) + "-" + os::random_name();
    profile_.instance = options.group_instance_id;
    profile_.client = options.client_id;
    profile_.assignor = assignor_.name;
    profile_.value_type = value.fingerprint;
    profile_.key_type = key.fingerprint;
    profile_.value_alignment = value.alignment;
    profile_.max_poll_nanoseconds = limited(options.max_poll_interval);
    profile_.session_nanoseconds = limited(options.session_timeout);
  }

  participant(const participant&) = delete;
  participant& operator=(const participant&) = delete;

  ~participant() override { leave_quietly(); }

  /// In the destructor of a consumer; what fails is left to the others, as after a death.
  void leave_quietly() noexcept {
    try {
      leave();
    } catch (...) {
      member_.reset();
    }
  }

  /// Replaces what it was subscribed to. The next poll joins. What fails while it leaves comes out when it is done.
  void subscribe(std::vector<std::string> topics, bool is_pattern, rebalance_listener listener) {
    require_no_callback();
    subscription next(std::move(topics), is_pattern, *store_, open_topic_);
    all_of_it steps;
    steps.take([&] { leave(); });  // and tells the listener of before
    listener_ = std::move(listener);
    profile_.is_pattern = is_pattern;
    profile_.subscription = next.filter().names();
    subscription_ = std::move(next);
    subscribed_ = true;
    replaced_ = false;
    has_joined_ = false;
    steps.finish();
  }

  /// Leaves the group. What it has is committed first where auto commit is on. Reads nothing any more, whatever fails.
  void unsubscribe() {
    require_no_callback();
    subscribed_ = false;
    leave();
  }

  // --- storage::attendant ---

  errc attend(bool due) override {
    if (replaced_) return fail_replaced();
    if (!subscribed_ || busy_) return errc::ok;
    const guard working(busy_);
    const std::int64_t now = os::monotonic_coarse();
    if (member_ == nullptr && !join(now)) return fail_replaced();
    if (!is_member()) [[unlikely]] {
      if (!join_again(now)) return fail_replaced();
    }
    // The coarse clock has ticked, every few milliseconds. Who has slept until due() may be here before it has.
    if (now != polled_ || due) {
      polled_ = now;
      member_->polled(now);
      commit_if_due(now);
      check_tenures();
      watch(now);
      watched_ = clock::now();
      if (now >= next_look_) topics_seen_ = none;
    }
    errc outcome = errc::ok;
    callback_threw_ = false;
    const std::uint64_t generation = group_->generation().observe();
    const std::uint64_t topics = store_->topics_revision().observe();
    try {
      if (has_changed()) [[unlikely]]
        catch_up(now, outcome);
      if (!wanted_.empty() && (handovers_ != group_->handovers().observe() || now >= retry_)) take_over(now);
    } catch (const error& e) {
      if (callback_threw_) throw;
      if (!is_member()) return join_again(now) ? outcome : fail_replaced();  // its files went away with the group
      if (e.code() == errc::full) return go_on_without_room(e, now, generation, topics);
      if (!subscription_.is_losing_a_topic()) throw;
      topics_seen_ = none;  // files went away with a topic: look again
    }
    return outcome;
  }

  clock::time_point due() const noexcept override {
    if (!subscribed_) return clock::time_point::max();
    if (!wanted_.empty()) return watched_ + watch_interval;
    if (peers_.empty()) return watched_ + idle_interval;
    // In a large group each looks less often: all together, they look at a member as often as in a small one.
    return watched_ + watch_interval * std::max<std::size_t>(1, peers_.size() / most_looks);
  }

  bool stirred() const noexcept override {
    if (member_ == nullptr) return subscribed_;
    return !member_->is_current() || group_->is_closed() || has_changed() ||
           (!wanted_.empty() && group_->handovers().observe() != handovers_);
  }

  // --- offsets ---

  /// Everything that polls have returned. fenced: some of it belongs to others now; the rest is committed.
  errc commit() {
    if (member_ != nullptr && !member_->is_current()) {
      return tenures_.empty() && !is_losing_ ? errc::ok : noted(errc::fenced);
    }
    errc outcome = is_losing_ ? noted(errc::fenced) : errc::ok;
    for (tenure& t : tenures_) {
      if (const errc failure = commit_position(t); failure != errc::ok) outcome = failure;
    }
    return outcome;
  }

  /// Behind commits: in durable topics they are on the device, as the topic has it. Throws what the device says.
  void acknowledge() const {
    for (const tenure& t : tenures_) t.offsets->acknowledge(t.log->context().flush_nanoseconds());
  }

  errc commit(const std::string& topic, std::uint32_t partition, std::uint64_t offset, const std::string& metadata) {
    if (topic.empty() && subscription_.logs().size() > 1) {
      throw error(errc::invalid_argument, store_->groups().path(options_.group),
                  "partition " + std::to_string(partition) + " may be of several topics here: name the topic");
    }
    if (member_ == nullptr || !member_->is_current()) return noted(errc::fenced);
    for (tenure& t : tenures_) {
      if ((!topic.empty() && t.log->name() != topic) || t.partition != partition) continue;
      const errc failure = t.offsets->commit(partition, {t.epoch, member_->number()}, offset, metadata);
      if (failure == errc::ok) t.committed = offset;
      return noted(failure);
    }
    return noted(errc::fenced);
  }

  std::vector<topic_partition> owned() const {
    std::vector<topic_partition> list;
    for (const tenure& t : tenures_) list.push_back({t.log->name(), t.partition});
    return list;
  }

  const std::string& member_id() const noexcept { return profile_.id; }
  std::uint64_t generation() const noexcept { return member_ == nullptr ? 0 : generation_; }

 private:
  static constexpr std::chrono::milliseconds watch_interval{4};
  static constexpr std::chrono::milliseconds idle_interval{100};
  static constexpr std::size_t most_looks = 16;  // members that one look of one process takes in
  static constexpr std::int64_t retry_after = 5'000'000;
  // Whoever makes or deletes a topic may die before telling of it.
  static constexpr std::int64_t look_after = 1'000'000'000;
  static constexpr std::int64_t look_for_room_after = 100'000'000;
  static constexpr std::uint64_t none = ~std::uint64_t{0};

  /// A partition that this member has, in its tenure.
  struct tenure {
    std::shared_ptr<storage::topic_log> log;
    std::shared_ptr<storage::group_offsets> offsets;
    std::uint32_t partition;
    std::uint32_t epoch;
    std::uint64_t committed;  // what is committed, as far as this member knows
    storage::reader::assigned* reading;
  };

  /// A callback that polls must not work on what is being worked on.
  class guard {
   public:
    explicit guard(bool& busy) noexcept : busy_(busy) { busy_ = true; }
    ~guard() { busy_ = false; }
    guard(const guard&) = delete;
    guard& operator=(const guard&) = delete;

   private:
    bool& busy_;
  };

  /// Steps that are all to be taken, whatever fails. The first failure is thrown at the end.
  class all_of_it {
   public:
    template <class Step>
    void take(Step step) {
      try {
        step();
      } catch (...) {
        if (!thrown_) thrown_ = std::current_exception();
      }
    }
    void finish() const {
      if (thrown_) std::rethrow_exception(thrown_);
    }

   private:
    std::exception_ptr thrown_;
  };

  void require_no_callback() const {
    if (!busy_) return;
    throw error(errc::invalid_argument, store_->groups().path(options_.group),
                "a callback of a rebalance cannot subscribe or leave");
  }

  // --- joining and leaving ---

  bool is_member() const { return member_->is_current() && !group_->is_closed(); }

  /// Its membership, or its group, has ended. False as for join().
  bool join_again(std::int64_t now) {
    replaced_ = member_->is_replaced();
    lose();
    return !replaced_ && join(now);
  }

  /// False when it is replaced: it has been a member before, and another has its instance id meanwhile.
  bool join(std::int64_t now) {
    for (;;) {
      group_ = group_files::open_or_create(store_, options_.group);
      if (!group_->writable()) {
        throw error(errc::permission_denied, group_->path(), "the group cannot be joined with this user's permissions");
      }
      const std::uint32_t number = group_->next_number();  // before the look at the others: see replace_twins()
      const auto members = group_->members();
      for (const auto& m : members) {
        const member_profile other = m->profile();
        if (other.assignor != profile_.assignor && m->is_alive(now)) {
          throw error(
              errc::conflicting_options, group_->path(),
              "the group uses the assignor " + other.assignor + ", but " + profile_.assignor + " was asked for");
        }
      }
      member_ = come_back(members, now);
      if (replaced_) return false;
      if (member_ == nullptr) member_ = group_->join(profile_, number);
      if (member_ != nullptr && !profile_.instance.empty()) replace_twins(number);
      if (replaced_) return false;
      if (member_ != nullptr) break;
    }
    agreed_generation_ = generation_ = generation_seen_ = none;
    topics_seen_ = none;
    polled_ = 0;
    has_joined_ = true;
    return true;
  }

  /// A static member takes its place again, and whoever had it is fenced. Null: it has none.
  ///
  /// That is for the first join of a subscription only: one that was ended, having stood still perhaps, is older than whoever
  /// has the instance id since, and lives. It is the replaced one, and leaves the place alone.
  std::shared_ptr<member_file> come_back(const std::vector<std::shared_ptr<member_file>>& members, std::int64_t now) {
    if (profile_.instance.empty()) return nullptr;
    const auto whose = has_joined_ ? member_file::whose::nobodys : member_file::whose::anybodys;
    const auto is_taken = [&](const member_file& m) { return whose == member_file::whose::nobodys && m.has_lease(); };
    for (const auto& m : members) {
      member_profile before = m->profile();
      if (before.instance != profile_.instance) continue;
      const std::uint64_t life = m->incarnation().observe();  // before the look, which is to be one at this life
      replaced_ = is_taken(*m);
      if (replaced_) return nullptr;
      std::string id = std::exchange(before.id, profile_.id);
      if (before == profile_ && m->take_over(now, whose)) {
        profile_.id = std::move(id);
        return m;
      }
      if (m->evict(life, format::replaced)) {  // it comes back as somebody else
        group_->forget(*m);
        continue;
      }
      replaced_ = is_taken(*m);  // by one who has come back since the look above
      if (replaced_) return nullptr;
    }
    return nullptr;
  }

  /// J4. Others of the same instance id that have joined at the same moment saw this one as little as it saw them. Each looks again
  /// when its file is there, so the later of two sees the other, and the one with the larger number stays; `number` is what this one
  /// was given before it looked for a place. It is no member behind it where another stays.
  void replace_twins(std::uint32_t number) {
    for (const auto& m : group_->members()) {
      if (m->number() == member_->number() || m->profile().instance != profile_.instance) continue;
      for (;;) {
        const std::uint64_t life = m->incarnation().observe();  // before the look
        if (m->is_evicted()) break;
        if (m->number() > member_->number() && m->has_lease()) {
          replaced_ = m->number() > number;  // else it came before this one, which has an older one's place: join again
          if (member_->leave()) group_->forget(*member_);
          member_.reset();
          return;
        }
        if (m->evict(life, format::replaced)) group_->forget(*m);
        if (m->incarnation().observe() == life) break;  // this user may not end it
      }
    }
  }

  /// Gives everything up in good order. It is no member any more behind it, also where it throws.
  void leave() {
    if (member_ == nullptr) return;
    if (os::fork_generation() != fork_generation_) {  // the child of a fork: the membership is its parent's
      member_.reset();
      return;
    }
    const guard working(busy_);
    all_of_it steps;
    if (member_->is_current()) {
      if (options_.enable_auto_commit) {
        steps.take([&] {
          commit();
          acknowledge();
        });
      }
      steps.take([&] { tell(listener_.revoked, owned()); });
      if (!member_->is_static())
        steps.take([&] { end_membership(); });  // a static one may come back, and finds all as it was
    } else {
      steps.take([&] { tell_lost(owned()); });
    }
    reset();
    steps.finish();
  }

  void end_membership() {
    const bool alone = is_alone();
    for (const tenure& t : tenures_) {
      if (alone) t.offsets->end(t.partition, t.epoch);
      t.offsets->release(t.partition, t.epoch, member_->number());
    }
    if (member_->leave()) group_->forget(*member_);
  }

  /// What it had belongs to others, or soon will.
  void lose() {
    const std::vector<topic_partition> gone = owned();
    reset();
    tell_lost(gone);
  }

  void reset() {
    reader_.release();
    for (const tenure& t : tenures_) reader_.drop(*t.log, t.partition);
    tenures_.clear();
    wanted_.clear();
    peers_.clear();
    subscription_.forget();
    offsets_.clear();
    if (member_ != nullptr) member_->rest();
    member_.reset();
  }

  errc fail_replaced() {
    return reader_.fail(errc::fenced, store_->groups().path(options_.group),
                        "another member with the instance id " + profile_.instance + " has taken this one's place");
  }

  bool is_alone() const {
    const std::int64_t now = os::monotonic_coarse();
    const auto members = group_->members();
    return std::none_of(members.begin(), members.end(),
                        [&](const auto& m) { return m->number() != member_->number() && m->is_alive(now); });
  }

  // --- the others ---

  void watch(std::int64_t now) {
    const std::size_t looks = std::min(peers_.size(), most_looks);
    for (std::size_t i = 0; i < looks; ++i) {
      if (next_peer_ >= peers_.size()) next_peer_ = 0;
      member_file& peer = *peers_[next_peer_++];
      const auto [what, life] = peer.look(now);
      if (what == member_file::state::alive) continue;
      if (what != member_file::state::evicted) {
        if (!peer.evict(life)) continue;  // the next look says what became of it
        group_->evictions().add(1);
      }
      group_->forget(peer);
      std::erase_if(peers_, [&](const auto& p) { return p.get() == &peer; });
      return;  // the generation has advanced
    }
  }

  // --- catching up ---

  bool has_changed() const noexcept {
    return group_->generation().observe() != generation_seen_ || store_->topics_revision().observe() != topics_seen_;
  }

  /// The device has no room for a file that the group's agreement needs. What this member has stays its own until it gives it up,
  /// so it reads on; it is told once, and looks for room from time to time, and when something changes again.
  [[gnu::cold]] errc go_on_without_room(const error& why, std::int64_t now, std::uint64_t generation,
                                        std::uint64_t topics) {
    generation_seen_ = generation;
    topics_seen_ = topics;
    const std::int64_t look = now + look_for_room_after;
    next_look_ = now >= next_look_ ? look : std::min(next_look_, look);
    if (std::exchange(lacks_room_, true)) return errc::ok;
    return reader_.fail(errc::full, why.path(), why.reason());
  }

  /// Takes over what has changed: members, topics, or both. Only a whole catching-up counts as done; should something throw in
  /// the middle, the next poll does all of it again. `outcome` is closed when a topic that it was subscribed to by name was
  /// deleted.
  ///
  /// The topics are looked at behind the assignment: one that it rests on may not be announced yet, and what this member is
  /// to have of a topic it does not know would be nobody's. (tests/model/assignment_topics.pml)
  void catch_up(std::int64_t now, errc& outcome) {
    const std::uint64_t seen = store_->topics_revision().observe();
    if (group_->generation().observe() != agreed_generation_) adopt_assignment();
    const auto gone = subscription_.remove_deleted();
    if (!gone.empty() && !profile_.is_pattern) {
      outcome = reader_.fail(errc::closed, gone.back()->path(), "the topic was deleted");
    }
    const bool rests_on_gone = std::ranges::any_of(gone, [&](const auto& log) { return rests_on(*log); });
    if (rests_on_gone) group_->advance_generation_from(agreed_generation_);
    std::erase_if(offsets_, [&](const auto& o) { return !subscription_.has(o.first); });
    drop([&](const tenure& t) { return !subscription_.has(t.log); });
    subscription_.look(*store_, open_topic_);
    if (!subscription_.is_covered_by(agreed_.topics)) group_->advance_generation_from(agreed_generation_);
    all_of_it steps;  // whatever cannot be begun or taken: others do not wait for what is theirs
    steps.take([&] { begin_new_partitions(); });
    std::vector<topic_partition> target = agreed_.of_members[member_->number()];
    std::erase_if(target, [&](const topic_partition& p) {
      const auto log = subscription_.logs().find(p.topic);
      return log == subscription_.logs().end() || p.partition >= log->second->partitions();
    });
    if (generation_ != agreed_generation_) {
      give_up_all_but(target);
      release_what_is_left_over(target);
    }
    std::set<topic_partition> has;  // there may be thousands
    for (const tenure& t : tenures_) has.insert({t.log->name(), t.partition});
    std::erase_if(target, [&](const topic_partition& p) { return has.contains(p) || is_unbegun(p.topic); });
    wanted_ = std::move(target);
    steps.take([&] { take_over(now); });
    steps.finish();
    const bool has_begun = std::none_of(subscription_.logs().begin(), subscription_.logs().end(),
                                        [&](const auto& log) { return is_unbegun(log.first); });
    topics_seen_ = seen;
    generation_ = generation_seen_ = agreed_generation_;
    next_look_ = now + (has_begun ? look_after : retry_after);
    lacks_room_ = false;
  }

  /// That of the present generation, which it computes where nobody has.
  void adopt_assignment() {
    for (;;) {
      const std::uint64_t generation = group_->generation().observe();
      auto found = group_->assignment(generation);
      if (!found) {
        group_->publish(generation, compute_assignment(*group_, store_, assignor_));
        found = group_->assignment(generation);
      }
      if (group_->generation().observe() != generation || !found) continue;
      peers_ = group_->members();
      std::erase_if(peers_, [&](const auto& m) { return m->number() == member_->number(); });
      agreed_ = std::move(*found);
      agreed_generation_ = generation;
      return;
    }
  }

  bool rests_on(const storage::topic_log& log) const {
    const auto found = agreed_.topics.find(log.name());
    return found != agreed_.topics.end() && found->second.id == format::text_of(log.header().id);
  }

  /// `latest` is what was sent since this member was there, so all of what came later.
  void begin_new_partitions() {
    subscription_.for_new_partitions([&](storage::topic_log& log, std::uint32_t id) {
      if (options_.auto_offset_reset != offset_reset::latest) return true;
      const auto offsets = log.open_group(options_.group);
      offsets->begin_for_all(id, log.partition(id).start_offset().observe(), [&] { return !group_->is_closed(); });
      return offsets->is_kept();
    });
  }

  /// That could not be noted.
  bool is_unbegun(const std::string& topic) const {
    return subscription_.has_new_partitions(*subscription_.logs().at(topic));
  }

  /// What others, or nobody, have now.
  template <class Gone>
  void drop(Gone is_gone) {
    std::vector<topic_partition> gone;
    for (const tenure& t : tenures_) {
      if (!is_gone(t)) continue;
      gone.push_back({t.log->name(), t.partition});
      reader_.drop(*t.log, t.partition);
    }
    std::erase_if(tenures_, is_gone);
    tell_lost(gone);
  }

  /// A tenure may be ended from outside: the group's offsets are deleted with the group, for instance.
  void check_tenures() {
    const auto ended = [&](const tenure& t) {
      return t.offsets->owner(t.partition) != format::owner_value{t.epoch, member_->number()};
    };
    for (const tenure& t : tenures_) {
      if (!ended(t)) continue;
      offsets_.erase(t.log);
      wanted_.push_back({t.log->name(), t.partition});
    }
    drop(ended);
  }

  static bool is(const tenure& t, const topic_partition& p) {
    return t.partition == p.partition && t.log->name() == p.topic;
  }

  /// Releases what is another's from now on.
  void give_up_all_but(const std::vector<topic_partition>& target) {
    std::vector<topic_partition> leaving;
    const std::set<topic_partition> kept(target.begin(), target.end());
    for (const tenure& t : tenures_) {
      topic_partition p{t.log->name(), t.partition};
      if (!kept.contains(p)) leaving.push_back(std::move(p));
    }
    if (leaving.empty()) return;
    const auto goes = [&](const tenure& t) {
      return std::any_of(leaving.begin(), leaving.end(), [&](const topic_partition& p) { return is(t, p); });
    };
    for (tenure& t : tenures_) {
      if (goes(t) && options_.enable_auto_commit) commit_position(t);
    }
    std::exception_ptr thrown;
    try {
      tell(listener_.revoked, leaving);
    } catch (...) {
      thrown = std::current_exception();  // others wait for them all the same
    }
    for (const tenure& t : tenures_) {
      if (!goes(t)) continue;
      t.offsets->release(t.partition, t.epoch, member_->number());
      reader_.drop(*t.log, t.partition);
    }
    std::erase_if(tenures_, goes);
    group_->announce_handover();
    if (thrown) std::rethrow_exception(thrown);
  }

  /// A static member that has come back may have owned what is another's now, and knows nothing of it.
  void release_what_is_left_over(const std::vector<topic_partition>& target) {
    bool released = false;
    for (const auto& [name, log] : subscription_.logs()) {
      const auto offsets = log->find_group(options_.group);
      if (offsets == nullptr) continue;
      for (std::uint32_t id = 0; id < std::min(log->partitions(), offsets->capacity()); ++id) {
        const format::owner_value owner = offsets->owner(id);
        if (owner.member != member_->number()) continue;
        const topic_partition p{name, id};
        const bool known = std::any_of(tenures_.begin(), tenures_.end(), [&](const tenure& t) { return is(t, p); });
        const bool wanted = std::find(target.begin(), target.end(), p) != target.end();
        if (!known && !wanted && offsets->release(id, owner.epoch, owner.member)) released = true;
      }
    }
    if (released) group_->announce_handover();
  }

  /// Takes what it waits for and is free: nobody's, or that of one who is no member any more.
  void take_over(std::int64_t now) {
    retry_ = now + retry_after;
    handovers_ = group_->handovers().observe();  // before the looks: what is released behind them is seen next time
    std::vector<topic_partition> taken;
    std::vector<topic_partition> rest;
    std::exception_ptr thrown;
    for (const topic_partition& p : wanted_) {
      try {
        (try_take(p) ? taken : rest).push_back(p);
      } catch (...) {
        thrown = std::current_exception();  // a damaged file of one partition does not keep this member from the others
        rest.push_back(p);
      }
    }
    wanted_ = std::move(rest);
    note_shared_out();
    tell(listener_.assigned, taken);
    if (thrown) std::rethrow_exception(thrown);
  }

  /// Behind the last member's taking over, retention need not keep what was added for whoever gets it. (An assignor may leave
  /// partitions out: nobody gets those.)
  void note_shared_out() const {
    for (const auto& [log, offsets] : offsets_) {
      const auto topic = agreed_.topics.find(log->name());
      if (offsets == nullptr || topic == agreed_.topics.end() || !rests_on(*log)) continue;
      const std::uint64_t known = offsets->shared_out().observe();
      const std::uint32_t count = std::min(topic->second.partitions, offsets->capacity());
      if (known >= count) continue;
      const bool is_had = std::all_of(agreed_.of_members.begin(), agreed_.of_members.end(), [&](const auto& member) {
        return std::all_of(member.second.begin(), member.second.end(), [&](const topic_partition& p) {
          return p.topic != log->name() || p.partition < known || p.partition >= count ||
                 offsets->owner(p.partition) != format::owner_value{};
        });
      });
      if (is_had) offsets->shared_out().raise(count);
    }
  }

  bool try_take(const topic_partition& p) {
    const auto& log = subscription_.logs().at(p.topic);
    auto& offsets = offsets_[log];
    if (offsets == nullptr || offsets->capacity() < log->partitions()) offsets = log->open_group(options_.group);
    const format::owner_value seen = offsets->owner(p.partition);
    if (seen.member != 0 && seen.member != member_->number() && group_->is_member(seen.member)) return false;
    // The owner may be a member of the next group of this name. Where it is none, what was seen is older than that group, and T1 fails.
    if (!member_->is_current() || group_->is_closed()) return false;
    const auto epoch = offsets->take(p.partition, seen, member_->number());
    if (!epoch) {
      offsets = nullptr;  // perhaps it is not the group's any more
      return false;
    }
    // Ended meanwhile, or with its group: it would be nobody's otherwise until somebody looks.
    if (!member_->is_current() || group_->is_closed()) {
      offsets->release(p.partition, *epoch, member_->number());
      return false;
    }
    std::uint64_t committed = none;
    tenures_.reserve(tenures_.size() + 1);
    storage::reader::assigned& reading = begin_reading(log, *offsets, p.partition, *epoch, committed);
    tenures_.push_back({log, offsets, p.partition, *epoch, committed, &reading});
    return true;
  }

  /// From what is committed; else from where the group began; else from where the reset policy says.
  storage::reader::assigned& begin_reading(const std::shared_ptr<storage::topic_log>& log,
                                           const storage::group_offsets& offsets, std::uint32_t id, std::uint32_t epoch,
                                           std::uint64_t& committed) {
    if (const auto position = offsets.committed_position(id)) {
      committed = *position;
      return reader_.add(log, id, position);
    }
    const format::owner_value mine{epoch, member_->number()};
    auto from = offsets.begin(id, mine, std::nullopt);
    if (!from) from = offsets.begin(id, mine, reader_.by_policy(log->partition(id)));
    return reader_.add(log, id, from);
  }

  // --- commits ---

  errc commit_position(tenure& t) {
    if (!t.reading->positioned) return errc::ok;
    const std::uint64_t position = t.reading->cursor.position();
    if (position == t.committed) return errc::ok;
    const errc failure = t.offsets->commit(t.partition, {t.epoch, member_->number()}, position);
    if (failure == errc::ok) t.committed = position;
    return noted(failure);
  }

  errc noted(errc failure) const {
    if (failure == errc::fenced && group_ != nullptr) group_->fenced_commits().add(1);
    return failure;
  }

  /// Java's rule: at a poll, when the interval is over, what earlier polls returned.
  void commit_if_due(std::int64_t now) {
    if (!options_.enable_auto_commit || now < next_commit_) return;
    const bool is_due = next_commit_ != 0;
    if (is_due) commit();
    next_commit_ = now + std::min<std::int64_t>(options_.auto_commit_interval.count(), std::int64_t{1} << 60);
    if (is_due) acknowledge();
  }

  /// What it had read of them can be committed no more: a commit of everything says so.
  void tell_lost(const std::vector<topic_partition>& gone) {
    const guard losing(is_losing_);
    tell(listener_.lost, gone);
  }

  void tell(const std::function<void(std::span<const topic_partition>)>& callback,
            const std::vector<topic_partition>& partitions) {
    if (!callback || partitions.empty()) return;
    try {
      callback(partitions);
    } catch (...) {
      callback_threw_ = true;
      throw;
    }
  }

  std::shared_ptr<storage::store_files> store_;
  storage::reader& reader_;
  const consumer_options options_;
  const assignor assignor_ = options_.assignor.value_or(cooperative_sticky_assignor());
  subscription::opener open_topic_;
  const std::uint32_t fork_generation_ = os::fork_generation();
  member_profile profile_;
  subscription subscription_;
  rebalance_listener listener_;
  bool subscribed_ = false;
  bool busy_ = false;
  bool callback_threw_ = false;  // since the last look at what has changed
  bool replaced_ = false;
  bool is_losing_ = false;   // and tells the listener
  bool has_joined_ = false;  // with this subscription

  std::shared_ptr<group_files> group_;
  std::shared_ptr<member_file> member_;
  std::vector<std::shared_ptr<member_file>> peers_;
  std::size_t next_peer_ = 0;
  agreed_assignment agreed_;
  std::uint64_t agreed_generation_ = none;  // that of agreed_
  std::uint64_t generation_ = none;         // the last that it has followed in all
  std::uint64_t generation_seen_ = none;    // the last that it has tried to follow, as far as there was room
  bool lacks_room_ = false;                 // and has been told so
  std::uint64_t handovers_ = 0;
  std::uint64_t topics_seen_ = none;
  std::int64_t next_look_ = 0;
  std::int64_t polled_ = 0;
  clock::time_point watched_{};
  std::int64_t retry_ = 0;
  std::int64_t next_commit_ = 0;
  std::map<std::shared_ptr<storage::topic_log>, std::shared_ptr<storage::group_offsets>> offsets_;
  std::vector<tenure> tenures_;
  std::vector<topic_partition> wanted_;
};

}  // namespace leat::group
