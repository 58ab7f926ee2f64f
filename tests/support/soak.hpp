// The parts of a soak test: producers, members and auditors that work for as long as they are told, and what they share.
//
// A producer is a slot with lives: when it is killed, another life of the same slot begins. In each partition a life numbers
// its records 0, 1, 2, ..., so that whoever reads the whole partition sees at once what is lost, doubled or out of order, with
// no memory of what was read; and what a life was acknowledged it can compare.
#pragma once

#include "../../bench/support/clock.hpp"
#include "../../bench/support/histogram.hpp"
#include "support/history.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace leat_tests::soak {

inline constexpr std::uint32_t partitions = 8;
inline constexpr std::uint64_t segment_bytes = 64 * 1024;
inline constexpr std::uint64_t segments_kept = 4;
inline constexpr std::uint32_t slots = 8;             // of producers
inline constexpr std::uint32_t lives_known = 256;     // of each slot, the last
inline constexpr std::uint64_t offsets_known = 4096;  // of each slot in each partition, the last that were acknowledged
inline constexpr unsigned workers = 16;               // who measure latencies

enum topic_index : std::uint32_t { kept, recycled, durable, topic_count };
inline constexpr std::array<const char*, topic_count> topic_names{"kept", "recycled", "durable"};

inline constexpr std::chrono::milliseconds patience_of_group{
    200};  // max_poll_interval: those who stand still longer are evicted

enum class operation : std::uint32_t { send, poll, count };
enum window : std::uint32_t { first_tenth, last_tenth, window_count, no_window };

struct acknowledgements {
  counter count[lives_known];     // of each life
  counter offset[offsets_known];  // of the record with this number, of the present life
};

struct world {
  counter stop;  // 1: producers end; 2: the others end, when they have read everything
  std::atomic<std::uint32_t> window{no_window};
  counter life[slots];  // the present one
  acknowledgements acknowledged[topic_count][slots][partitions];
  counter processed[topic_count][partitions];  // by the group: the next offset behind the highest
  counter committed[topic_count][partitions];  // to the group, and acknowledged
  counter sent[topic_count];
  counter audited[topic_count];
  counter compared;     // with the offset that their producer was told
  counter read;         // by the group
  counter assignments;  // of partitions to members
  counter overtaken;    // gaps that retention has made where it waits for nobody
  counter openings;     // by those who open anew
  bench::histogram latencies[workers][topic_count][static_cast<std::uint32_t>(operation::count)][window_count];
};

/// Where a worker's latencies are counted; those who may be killed measure none.
class stopwatch {
 public:
  stopwatch(world& w, std::optional<unsigned> worker) : world_(w), worker_(worker) {}

  template <class Work>
  auto time(topic_index t, operation o, Work&& work) {
    const std::int64_t begin = bench::now();
    auto result = work();
    ended_ = {t, o, static_cast<std::uint64_t>(bench::now() - begin)};
    return result;
  }
  /// Counts what was timed last.
  void count() {
    const std::uint32_t w = world_.window;
    if (worker_ && w != no_window) {
      world_.latencies[*worker_][ended_.topic][static_cast<std::uint32_t>(ended_.what)][w].record(ended_.nanoseconds);
    }
  }

 private:
  struct ended {
    topic_index topic;
    operation what;
    std::uint64_t nanoseconds;
  };
  world& world_;
  const std::optional<unsigned> worker_;
  ended ended_{};
};

inline topic open_topic(const std::string& store, topic_index t) {
  return leat::store::open(store).topic<leat::bytes_view>(topic_names[t], {.mode = leat::open_mode::open});
}

// --- a producer -------------------------------------------------------------------------------------------------------

struct producer_role {
  std::string store;
  std::vector<topic_index> topics;
  std::uint32_t slot;
  std::optional<unsigned> worker = std::nullopt;       // whose latencies count
  std::uint64_t opens_anew_after = ~std::uint64_t{0};  // turns
  bool waits_for_device = true;
};

class producing {
 public:
  producing(world& w, producer_role role)
      : world_(w),
        role_(std::move(role)),
        life_(w.life[role_.slot]),
        random_(1'000'000 * (role_.slot + 1) + life_),
        watch_(w, role_.worker) {}

  void run() {
    while (world_.stop == 0) {
      std::vector<producer> out;
      for (const topic_index t : role_.topics) {
        out.emplace_back(open_topic(role_.store, t), leat::producer_options{.max_block = std::chrono::milliseconds(20),
                                                                            .wait_for_device = role_.waits_for_device});
      }
      for (std::uint64_t n = 0; n < role_.opens_anew_after && world_.stop == 0; ++n) {
        const std::size_t i = random_.roll(out.size());
        turn(out[i], role_.topics[i]);
      }
      if (role_.opens_anew_after != ~std::uint64_t{0}) ++world_.openings;
    }
  }

 private:
  void turn(producer& out, topic_index t) {
    const auto p = static_cast<std::uint32_t>(random_.roll(partitions));
    const std::size_t bytes = sizeof(stamp) + random_.roll(random_.one_in(20) ? 4000 : 300);
    const std::uint32_t id = static_cast<std::uint32_t>(life_ << 8) | role_.slot;
    std::uint64_t& number = numbers_[t][p];
    leat::errc outcome = leat::errc::ok;
    switch (random_.roll(4)) {
      case 0: {
        auto loan = out.claim(leat::null, bytes, {.partition = p});
        if (!loan) {
          outcome = loan.error();
          break;
        }
        write_payload(loan->bytes(), id, number);
        const auto done = loan->publish();
        if (done) acknowledge(t, *done);
        outcome = done ? leat::errc::ok : done.error();
        break;
      }
      case 1: {
        const std::size_t count = 1 + random_.roll(most_in_batch);
        std::array<leat::bytes_view, most_in_batch> views;
        std::array<leat::record_position, most_in_batch> at;
        for (std::size_t i = 0; i < count; ++i) {
          batch_[i].resize(sizeof(stamp) + random_.roll(200));
          write_payload(batch_[i], id, number + i);
          views[i] = batch_[i];
        }
        const auto done = out.send_batch(std::span(views).first(count), {.partition = p}, std::span(at).first(count));
        for (std::size_t i = 0; i < done.count; ++i) acknowledge(t, at[i]);
        outcome = done.error;
        break;
      }
      default: {
        buffer_.resize(bytes);
        write_payload(buffer_, id, number);
        const auto done = watch_.time(t, operation::send, [&] { return out.send(view(buffer_), {.partition = p}); });
        watch_.count();
        if (done) acknowledge(t, *done);
        outcome = done ? leat::errc::ok : done.error();
      }
    }
    // Whose retention waits for groups may have to wait longer than it likes, and tries the same number again.
    expect(outcome == leat::errc::ok || (t != recycled && outcome == leat::errc::back_pressure), [&] {
      return std::string("a send to ") + topic_names[t] + " failed: " + leat::make_error_code(outcome).message();
    });
  }

  void acknowledge(topic_index t, leat::record_position at) {
    acknowledgements& all = world_.acknowledged[t][role_.slot][at.partition];
    std::uint64_t& number = numbers_[t][at.partition];
    expect(number == 0 || at.offset > last_[t][at.partition],
           "order: a producer was told an offset that does not grow");
    last_[t][at.partition] = at.offset;
    all.offset[number % offsets_known] = at.offset;
    all.count[life_ % lives_known] = ++number;
    ++world_.sent[t];
  }

  static constexpr std::size_t most_in_batch = 8;

  world& world_;
  const producer_role role_;
  const std::uint64_t life_;
  dice random_;
  stopwatch watch_;
  std::uint64_t numbers_[topic_count][partitions] = {};
  std::uint64_t last_[topic_count][partitions] = {};
  std::vector<std::byte> buffer_;
  std::array<std::vector<std::byte>, most_in_batch> batch_;
};

// --- an auditor -------------------------------------------------------------------------------------------------------

/// Reads a topic from its beginning to its end and checks all that a history must be. Where retention waits for groups it is
/// a group of its own, and sees every record; else it says where it was overtaken.
class auditor {
 public:
  auditor(world& w, std::string store, topic_index t, unsigned worker)
      : world_(w), store_(std::move(store)), topic_(t), watch_(w, worker) {}

  void run() {
    const topic log = open_topic(store_, topic_);
    leat::consumer_options o;
    o.auto_offset_reset = leat::offset_reset::earliest;
    o.enable_auto_commit = false;
    if (topic_ != recycled) o.group = std::string("auditor-of-") + topic_names[topic_];
    consumer in(log, o);
    while (world_.stop < 2 || !at_end(log)) {
      if (read(log, watch_.time(topic_, operation::poll, [&] { return in.poll(); }))) {
        watch_.count();
      } else {
        read(log, in.poll(std::chrono::milliseconds(5)));
      }
      if (!o.group.empty()) expect(bool(in.commit()), "the commit of an auditor failed");
    }
    for (std::uint32_t p = 0; p < partitions; ++p) {
      for (std::uint32_t slot = 0; slot < slots; ++slot) ended(p, slot, world_.life[slot] + 1);
    }
  }

 private:
  /// Of a producer's life, in a partition.
  struct sequence {
    bool known = true;  // not, where records were overtaken
    std::uint64_t life = 0;
    std::uint64_t next = 0;
  };

  bool at_end(const topic& log) const {
    for (std::uint32_t p = 0; p < partitions; ++p) {
      if (due_[p] < log.end_offset(p)) return false;
    }
    return true;
  }

  bool read(const topic& log, const consumer::batch_type& batch) {
    expect(batch.error() == leat::errc::ok,
           [&] { return "a poll failed: " + leat::make_error_code(batch.error()).message(); });
    for (const auto& record : batch) add(log, record);
    world_.audited[topic_] += batch.size();
    return !batch.empty();
  }

  template <class Record>
  void add(const topic& log, const Record& record) {
    const std::uint32_t p = record.partition();
    const std::string_view name = topic_names[topic_];
    const auto at = [&] {
      return " at offset " + std::to_string(record.offset()) + " of " + std::string(name) + "-" + std::to_string(p);
    };
    if (record.offset() != due_[p]) {
      expect(topic_ == recycled && record.offset() > due_[p] && record.offset() <= log.start_offset(p),
             [&] { return "dense: " + std::to_string(due_[p]) + " was due" + at(); });
      ++world_.overtaken;
      for (sequence& s : seen_[p]) s.known = false;
    }
    due_[p] = record.offset() + 1;
    const auto s = read_record(record);
    expect(s.has_value(), [&] { return "whole: nobody wrote the record" + at(); });
    const std::uint32_t slot = s->producer & 0xff;
    const std::uint64_t life = s->producer >> 8;
    expect(slot < slots && life <= world_.life[slot], [&] { return "whole: no such producer" + at(); });
    sequence& q = seen_[p][slot];
    expect(life >= q.life, [&] { return "order: a record of a producer that is dead" + at(); });
    if (life != q.life) {
      ended(p, slot, life);
      q = {q.known, life, 0};
    }
    expect(q.known ? s->number == q.next : s->number >= q.next, [&] {
      return "once, ordered, kept: record " + std::to_string(s->number) + " of life " + std::to_string(life) +
             " of producer " + std::to_string(slot) + " came where " + std::to_string(q.next) + " was due" + at();
    });
    q = {true, life, s->number + 1};
    compare(p, slot, life, s->number, record.offset());
  }

  /// With what the producer was told, if it was already, and is remembered still.
  void compare(std::uint32_t p, std::uint32_t slot, std::uint64_t life, std::uint64_t number, std::uint64_t offset) {
    const acknowledgements& all = world_.acknowledged[topic_][slot][p];
    const counter& count = all.count[life % lives_known];
    if (life != world_.life[slot] || count <= number) return;
    const std::uint64_t told = all.offset[number % offsets_known];
    if (count >= number + offsets_known || life != world_.life[slot]) return;  // it may be another's
    ++world_.compared;
    expect(told == offset, [&] {
      return "kept: record " + std::to_string(number) + " of producer " + std::to_string(slot) + " is at offset " +
             std::to_string(offset) + ", its producer was told " + std::to_string(told);
    });
  }

  /// The lives of a slot before `present` have ended, and nothing of them comes any more: all that they were acknowledged
  /// must have come.
  void ended(std::uint32_t p, std::uint32_t slot, std::uint64_t present) {
    sequence& q = seen_[p][slot];
    for (std::uint64_t life = q.life; life < present && q.known; ++life) {
      if (life + lives_known <= world_.life[slot]) continue;  // forgotten
      const std::uint64_t acknowledged = world_.acknowledged[topic_][slot][p].count[life % lives_known];
      const std::uint64_t came = life == q.life ? q.next : 0;
      expect(acknowledged <= came, [&] {
        return "kept: life " + std::to_string(life) + " of producer " + std::to_string(slot) + " was acknowledged " +
               std::to_string(acknowledged) + " records in " + topic_names[topic_] + "-" + std::to_string(p) +
               ", but " + std::to_string(came) + " are there";
      });
    }
  }

  world& world_;
  const std::string store_;
  const topic_index topic_;
  stopwatch watch_;
  std::uint64_t due_[partitions] = {};
  sequence seen_[partitions][slots];
};

// --- a member of the group ----------------------------------------------------------------------------------------------

struct member_role {
  std::string store;
  std::uint64_t number;  // of its dice
  std::optional<unsigned> worker = std::nullopt;
  std::uint64_t opens_anew_after = ~std::uint64_t{0};  // polls
};

/// Reads "kept" and "recycled", and topics that come and go, with the group "workers".
class member {
 public:
  member(world& w, member_role role)
      : world_(w), role_(std::move(role)), random_(role_.number), watch_(w, role_.worker) {}

  void run() {
    while (world_.stop < 2) {
      const leat::store store = leat::store::open(role_.store);
      for (std::uint32_t t : {kept, recycled}) logs_[t] = open_topic(role_.store, static_cast<topic_index>(t));
      leat::consumer_options o;
      o.group = "workers";
      o.auto_offset_reset = leat::offset_reset::earliest;
      o.enable_auto_commit = false;
      o.max_poll_interval = patience_of_group;
      consumer in(store, o);
      in_ = &in;
      in.subscribe_pattern("kept|recycled|passing", listener());
      for (std::uint64_t n = 0; n < role_.opens_anew_after && world_.stop < 2; ++n) turn(in);
      in.close();
      if (role_.opens_anew_after != ~std::uint64_t{0}) ++world_.openings;
    }
  }

 private:
  void turn(consumer& in) {
    if (read(watch_.time(kept, operation::poll, [&] { return in.poll(); }))) {
      watch_.count();
      uncommitted_ = true;
      if (!random_.one_in(10)) return;
    } else if (read(in.poll(std::chrono::milliseconds(2)))) {
      uncommitted_ = true;
    }
    if (uncommitted_ && in.commit()) {
      for (std::uint32_t t : {kept, recycled}) {
        for (std::uint32_t p = 0; p < partitions; ++p) {
          if (const auto& next = next_[t][p]) raise(world_.committed[t][p], *next);
        }
      }
      uncommitted_ = false;
    }
  }

  bool read(const consumer::batch_type& batch) {
    // A topic may be deleted at any time.
    expect(batch.error() == leat::errc::ok || batch.error() == leat::errc::closed,
           [&] { return "a member's poll failed: " + leat::make_error_code(batch.error()).message(); });
    for (const auto& record : batch) {
      const auto s = read_record(record);
      expect(s.has_value(), "whole: a member was given a torn record");
      const std::optional<topic_index> t = index_of(record.topic());
      if (!t) continue;
      const std::uint32_t p = record.partition();
      auto& next = next_[*t][p];
      expect(next.has_value(), "one owner: a member was given a record of a partition that it has not");
      expect(record.offset() == *next ||
                 (*t == recycled && record.offset() > *next && record.offset() <= logs_[*t]->start_offset(p)),
             [&] {
               return "dense: a member was given offset " + std::to_string(record.offset()) + " of " + topic_names[*t] +
                      "-" + std::to_string(p) + " where " + std::to_string(*next) + " was due";
             });
      next = record.offset() + 1;
      raise(world_.processed[*t][p], *next);
    }
    world_.read += batch.size();
    return !batch.empty();
  }

  leat::rebalance_listener listener() {
    leat::rebalance_listener l;
    l.assigned = [this](std::span<const leat::topic_partition> list) {
      for (const auto& at : list) {
        ++world_.assignments;
        const std::optional<topic_index> t = index_of(at.topic);
        if (!t) continue;
        const std::uint64_t position = in_->position(at);
        const std::uint64_t processed = world_.processed[*t][at.partition];
        expect(*t == recycled || position <= processed, [&] {
          return "kept: the group goes on at offset " + std::to_string(position) + " of " + at.topic + "-" +
                 std::to_string(at.partition) + ", but has processed only what is below " + std::to_string(processed);
        });
        // Where it stood still behind taking over, others may have committed since; then it is fenced.
        if (const std::uint64_t committed = world_.committed[*t][at.partition]; position < committed) {
          expect(!in_->commit({at, position}), [&] {
            return "committed: the group goes on at offset " + std::to_string(position) + " of " + at.topic + "-" +
                   std::to_string(at.partition) + ", but " + std::to_string(committed) + " was acknowledged";
          });
        }
        next_[*t][at.partition] = position;
      }
    };
    l.revoked = [this](std::span<const leat::topic_partition> list) {
      for (const auto& at : list) {
        const std::optional<topic_index> t = index_of(at.topic);
        if (!t) continue;
        auto& next = next_[*t][at.partition];
        if (next && in_->commit({at, *next})) raise(world_.committed[*t][at.partition], *next);
        next.reset();
      }
    };
    l.lost = [this](std::span<const leat::topic_partition> list) {
      for (const auto& at : list) {
        if (const std::optional<topic_index> t = index_of(at.topic)) next_[*t][at.partition].reset();
      }
    };
    return l;
  }

  static std::optional<topic_index> index_of(std::string_view name) {
    if (name == topic_names[kept]) return kept;
    if (name == topic_names[recycled]) return recycled;
    return std::nullopt;
  }

  static void raise(counter& c, std::uint64_t to) {
    for (std::uint64_t is = c; is < to && !c.compare_exchange_weak(is, to);) {
    }
  }

  world& world_;
  const member_role role_;
  dice random_;
  stopwatch watch_;
  consumer* in_ = nullptr;
  bool uncommitted_ = false;
  std::optional<topic> logs_[topic_count];
  std::optional<std::uint64_t> next_[topic_count][partitions];
};

}  // namespace leat_tests::soak
