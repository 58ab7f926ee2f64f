// A producer and a consumer that survive, in this process, and producers that are interrupted: each time the survivors append,
// flush, read and roll at once, and the history is whole.
//
//     append_scene s({.before = 1, .sends = 1});
//     interrupt(s, {.calls = 4}, 0, fate::killed);
//     s.check_files();
#pragma once

#include <leat/admin.hpp>

#include "support/file_bytes.hpp"
#include "support/history.hpp"
#include "support/moments.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace leat_tests {

/// What a victim does.
struct append_work {
  std::size_t before = 0;  // sends, of little, before it can be interrupted
  std::size_t sends = 1;   // while it can be
  std::size_t bytes = 64;  // of those
  bool flushes = false;    // behind them
};

/// What became of a victim that was interrupted: the survivors carry on after it was killed, or while it stands there
/// and after it was killed then, or while it stands there and after it has gone on.
enum class fate { killed, stopped_and_killed, stopped_and_resumed };

class append_scene {
 public:
  static constexpr std::uint64_t keep = 3;
  static constexpr std::size_t large = 5000;  // two records fill a segment
  static constexpr std::uint32_t most_victims = 100'000;
  /// What takes longer has waited for somebody who does not come. (For a stopped one that flushes others wait 100 ms.)
  static constexpr std::chrono::seconds at_once{10};

  explicit append_scene(const append_work& work, leat::durability how = leat::durability::none)
      : work_(work),
        durability_(how),
        options_(options_for(how)),
        log_(open_log(path(), options_)),
        out_(log_),
        in_(log_, {.auto_offset_reset = leat::offset_reset::none}) {
    in_.seek({0, 0});
    carry_on(0);
  }

  /// A producer at the mark before what is to be interrupted. Another mark comes behind it.
  traced_child victim() {
    const std::uint32_t id = ++victims_;
    if (id >= most_victims) fail("too many victims");
    return traced_child([this, id] {
      producer out(open_log(path()));
      std::vector<std::vector<std::byte>> made;
      for (std::size_t n = 0; n < work_.before + work_.sends; ++n)
        made.push_back(payload(id, n, n < work_.before ? 64 : work_.bytes));
      std::uint64_t end = 0;
      const auto send = [&](std::size_t n) {
        const auto done = out.send(view(made[n]));
        if (!done) fail("a victim's send failed");
        end = done->offset + 1;
        page_->acknowledged[id] = n + 1;
        if (durability_ == leat::durability::every) page_->flushed[id] = end;
      };
      for (std::size_t n = 0; n < work_.before; ++n) send(n);
      traced_child::mark();
      for (std::size_t n = work_.before; n < work_.before + work_.sends; ++n) send(n);
      if (work_.flushes) {
        out.flush();
        page_->flushed[id] = end;
      }
      traced_child::mark();
    });
  }

  /// The survivors append, `rolls` segments at least, flush, and read everything there is.
  void carry_on(std::uint64_t rolls) {
    const auto begin = std::chrono::steady_clock::now();
    const std::uint64_t segments = begun(log_);
    do {
      const auto made = payload(0, sent_, rolls == 0 ? 64 : large);
      const auto done = out_.send(view(made));
      if (!done) fail("the survivor's send failed");
      ++sent_;
      if (durability_ == leat::durability::every) expect_durable(done->offset + 1, "the survivor's send");
      read_all();
    } while (begun(log_) < segments + rolls);
    if (durability_ == leat::durability::interval) {
      out_.flush();
      expect_durable(log_.end_offset(0), "the survivor's flush");
    }
    expect(std::chrono::steady_clock::now() - begin < at_once, "the survivors had to wait");
  }

  /// Everything that was acknowledged was read, once and in order; and not more than the last, unacknowledged record of each.
  void check() {
    read_all();
    if (seen_.count(0) != sent_) fail("the survivor's records are not all there");
    for (; checked_ < victims_; ++checked_) check_victim(checked_ + 1);
  }

  /// Behind all deaths: whoever joins then removes what they left, and cleaning finds nothing that is left for it.
  void check_files() {
    {
      producer fresh(log_);
      send_numbered(fresh, ++victims_, 0);
      page_->acknowledged[victims_] = 1;
    }
    check();
    CHECK(files_of(log_).temporary == 0);
    CHECK(files_of(log_).segments <= keep + 2);
    const leat::clean_report found = leat::admin(leat::store::open(path())).clean();
    CHECK(found.files + found.topics + found.members == 0);
  }

  /// Others find the topic by creating it, and can delete it at once.
  void remove() const {
    const auto begin = std::chrono::steady_clock::now();
    CHECK(open_log(path(), options_).log()->header().id == log_.log()->header().id);
    CHECK(leat::store::open(path()).remove_topic("log"));
    CHECK(names_in(path() + "/topics").empty());
    CHECK(std::chrono::steady_clock::now() - begin < at_once);
  }

  const topic& log() const { return log_; }
  /// Of the store. One with a durable topic is not to look as if it lay in memory.
  std::string path() const { return (durability_ == leat::durability::none ? "" : "/dev/..") + place_.store(); }

 private:
  struct progress {
    counter acknowledged[most_victims];
    counter flushed[most_victims];  // the end of what it was told is on the device
  };

  static leat::topic_options options_for(leat::durability how) {
    leat::topic_options o = tiny(keep);
    o.durability = how;
    o.flush = {.interval = leat::forever, .bytes = leat::unlimited};
    return o;
  }

  void read_all() {
    read_up_to(in_, 0, log_.end_offset(0), [&](const auto& record) { seen_.add(record); });
  }
  void expect_durable(std::uint64_t end, const char* who) const {
    const std::uint64_t mark = log_.log()->partition(0).durable().observe();
    expect(mark >= end, [&] {
      return std::string(who) + " was acknowledged up to offset " + std::to_string(end) + ", flushed is up to " +
             std::to_string(mark);
    });
  }
  void check_victim(std::uint32_t id) {
    const std::uint64_t acknowledged = page_->acknowledged[id];
    const std::uint64_t seen = seen_.count(id);
    expect_durable(page_->flushed[id], "a victim");
    if (seen == acknowledged || seen == acknowledged + 1) return;
    fail("victim " + std::to_string(id) + " was told of " + std::to_string(acknowledged) + " records, but " +
         std::to_string(seen) + " are there");
  }

  const append_work work_;
  const leat::durability durability_;
  const leat::topic_options options_;
  shared_place place_;
  shared<progress> page_;
  const topic log_;
  producer out_;
  consumer in_;
  stream_check seen_;
  std::uint64_t sent_ = 0;
  std::uint32_t victims_ = 0;
  std::uint32_t checked_ = 0;
};

/// Interrupts a victim at a moment. False when it came to its mark before.
inline bool interrupt(append_scene& s, const moment& m, std::uint64_t rolls, fate then,
                      visible_bytes* files = nullptr) {
  INFO("interrupted at " << m.text());
  traced_child v = s.victim();
  v.to_mark();
  const bool within = run_to(v, m, files);
  if (then != fate::killed) s.carry_on(rolls);
  if (then == fate::stopped_and_resumed) {
    if (within) v.to_mark();
    v.let_go();
  } else {
    v.kill();
  }
  s.carry_on(rolls);
  s.check();
  return within;
}

}  // namespace leat_tests
