// Who creates or deletes a topic is killed and stopped anywhere on the way; each time others create the same topic, work in it
// and delete it at once, whoever worked in the old one is told, and nothing is left for `leat clean`.
#include <leat/admin.hpp>

#include "support/file_bytes.hpp"
#include "support/group_member.hpp"
#include "support/history.hpp"
#include "support/moments.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

using namespace leat_tests;
using namespace std::chrono_literals;
using leat::durability;
using leat::errc;

namespace crash_topic_step {

constexpr std::uint64_t keep = 2;
constexpr std::uint64_t records = 7;  // in the topic that is deleted
constexpr std::size_t large = 5000;
constexpr auto at_once = 10s;

enum class action { opening_a_store, creating, deleting };
enum class fate { killed, stopped_and_killed, stopped_and_resumed };

struct page {
  counter done;  // the victim was told so
};

/// A store, and what others do in it who have known it from before.
class scene {
 public:
  scene(const shared_place& place, const std::string& name, action what, durability how)
      : path_((how == durability::none ? "" : "/dev/..") + place.store(name)), what_(what), options_(tiny(keep)) {
    options_.durability = how;
    if (what != action::opening_a_store) store_ = leat::store::open(path_);
    if (what != action::deleting) return;
    const topic log = create();
    old_id_ = log.log()->header().id;
    old_out_.emplace(log);
    for (std::uint64_t n = 0; n < records; ++n) send_numbered(*old_out_, 1, n, n < 3 ? 120 : large);
    old_in_.emplace(log, leat::consumer_options{.auto_offset_reset = leat::offset_reset::earliest});
    (void)old_in_->poll();
    const auto offsets = log.log()->open_group("g");
    expect(offsets->commit_unowned(0, offsets->owner(0), 2, "their own words") == errc::ok, "a first commit failed");
  }
  ~scene() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  scene(const scene&) = delete;
  scene& operator=(const scene&) = delete;

  const std::string& path() const noexcept { return path_; }

  /// The one that is interrupted, before its first mark; another mark comes behind what it does.
  traced_child victim() {
    return traced_child([this] {
      (void)leat::os::current_boot();  // read once by each process
      std::optional<leat::store> mine;
      if (what_ != action::opening_a_store) mine = leat::store::open(path_);
      traced_child::mark();
      switch (what_) {
        case action::opening_a_store: (void)leat::store::open(path_); break;
        case action::creating: (void)mine->topic<leat::bytes_view>("log", options_); break;
        case action::deleting: (void)mine->remove_topic("log"); break;
      }
      page_->done = 1;
      traced_child::mark();
    });
  }

  /// Create, work, delete, at once; or delete first. `victim_lives`: it may undo and do again what others do.
  void go_on(bool delete_first, bool victim_lives) {
    const auto begin = std::chrono::steady_clock::now();
    if (!store_) store_ = leat::store::open(path_);
    if (page_->done != 0 && !others_came_) {
      if (what_ == action::creating) expect(is_there(), "a topic that was created is not there");
      if (what_ == action::deleting) expect(!is_there(), "a topic that was deleted is there");
    }
    others_came_ = true;
    if (delete_first) {
      const bool was_there = is_there();
      expect(store_->remove_topic("log") == was_there, "a deleter was told something else than what the names say");
      expect_old_is_closed();
    }
    work(create());
    expect(store_->remove_topic("log"), "a topic that was made cannot be deleted");
    expect_old_is_closed();
    work(create());
    expect(store_->remove_topic("log"), "a topic that was made again cannot be deleted");
    expect(std::chrono::steady_clock::now() - begin < at_once, "the survivors had to wait");
    if (!victim_lives) expect_nothing_left();
  }

  /// The victim has gone on, and may have created or deleted the topic.
  void end() {
    store_->remove_topic("log");
    expect_old_is_closed();
    expect_nothing_left();
  }

 private:
  topic create() const { return store_->topic<leat::bytes_view>("log", options_); }
  bool is_there() const { return !store_->topics().empty(); }

  /// Whoever gets a topic by its name gets a whole one: the old with all that it had, or a new one, and then the old is closed.
  void work(const topic& log) {
    const bool is_old = old_out_ && log.log()->header().id == old_id_;
    if (!is_old) expect_old_is_closed();
    history h;
    h.read_all(log);
    expect(h.size() == (is_old ? records : 0), "a topic has other records than were sent to it");
    if (is_old) {
      expect(old_in_->poll().error() == errc::ok, "a reader of a topic that is still there was turned away");
      const auto offsets = log.log()->find_group("g");
      expect(offsets != nullptr && offsets->committed(0) == leat::committed_offset{2, "their own words"},
             "what a group committed in it is gone");
    }
    producer out(log);
    const std::uint64_t segments = begun(log);
    for (std::uint64_t n = 0; begun(log) < segments + keep + 2; ++n) send_numbered(out, 2, n, large);
    send_numbered(out, 3, 0);
    out.flush();
    consumer in(log, {.auto_offset_reset = leat::offset_reset::earliest});
    std::uint64_t read = 0;
    read_up_to(in, 0, log.end_offset(0), [&](const auto& record) {
      expect(read_record(record).has_value(), "a torn record");
      ++read;
    });
    expect(read == log.end_offset(0) - log.start_offset(0) && read > 0, "a reader did not get what there is");
  }

  void expect_old_is_closed() {
    if (!old_out_) return;
    expect(old_out_->send(leat::bytes_view()).error() == errc::closed, "a producer of a deleted topic was not told");
    expect(old_in_->poll().error() == errc::closed, "a reader of a deleted topic was not told");
  }

  void expect_nothing_left() const {
    const leat::clean_report found = leat::admin(*store_).clean();
    expect(found.topics + found.files + found.members + found.segments == 0, [&] {
      return "cleaning found " + std::to_string(found.topics) + " topics and " + std::to_string(found.files) +
             " files that no user of the store had removed";
    });
    expect(names_in(path_ + "/topics").empty(), "something is left among the topics");
    expect(names_in(path_) == std::set<std::string>{"groups", "store", "topics"}, "something is left in the store");
  }

  const std::string path_;
  const action what_;
  leat::topic_options options_;
  std::optional<leat::store> store_;
  std::optional<producer> old_out_;
  std::optional<consumer> old_in_;
  leat::format::unique_id old_id_{};
  shared<page> page_;
  bool others_came_ = false;
};

/// Interrupts one at every moment that makes a difference, and one that goes on also at random ones.
void interrupt_everywhere(action what, durability how, bool stops, std::chrono::milliseconds time) {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  way w;
  {
    scene s(place, "walk", what, how);
    std::filesystem::create_directory(s.path());
    std::filesystem::permissions(s.path(), std::filesystem::perms(0700));
    traced_child all = s.victim();
    all.to_mark();
    visible_bytes files(s.path());
    w = walk(all, files);
  }
  dice random(71);
  unsigned name = 0;
  const auto interrupt = [&](const moment& m) {
    const bool delete_first = random.one_in(2);
    const fate then = !stops ? fate::killed : random.one_in(4) ? fate::stopped_and_killed : fate::stopped_and_resumed;
    INFO("interrupted at " << m.text() << (delete_first ? ", others delete first" : ""));
    scene s(place, std::to_string(++name), what, how);
    std::filesystem::create_directory(s.path());
    std::filesystem::permissions(s.path(), std::filesystem::perms(0700));
    traced_child v = s.victim();
    v.to_mark();
    visible_bytes files(s.path());
    const bool within = run_to(v, m, &files);
    if (then != fate::killed) s.go_on(delete_first, true);
    if (then == fate::stopped_and_resumed) {
      if (within) v.to_mark();
      v.let_go();
      s.end();
    } else {
      v.kill();
    }
    s.go_on(delete_first && then == fate::killed, false);
  };
  at_moments(w, stops ? w.stops() : w.deaths(), time, interrupt, stops ? &random : nullptr);
}

TEST_CASE("a topic whose creator was killed anywhere can be created and deleted by others at once") {
  interrupt_everywhere(action::creating, GENERATE(durability::none, durability::every), false, 4s);
}
TEST_CASE("a topic whose creator was stopped anywhere can be created and deleted by others at once") {
  interrupt_everywhere(action::creating, GENERATE(durability::none, durability::every), true, 3s);
}
TEST_CASE("a topic whose deleter was killed anywhere is there whole or not at all and its users are told") {
  interrupt_everywhere(action::deleting, GENERATE(durability::none, durability::every), false, 4s);
}
TEST_CASE("a topic whose deleter was stopped anywhere is there whole or not at all and its users are told") {
  interrupt_everywhere(action::deleting, GENERATE(durability::none, durability::every), true, 3s);
}
TEST_CASE("a store whose creator was killed or stopped anywhere can be used by others at once") {
  interrupt_everywhere(action::opening_a_store, durability::none, GENERATE(false, true), 2s);
}

}  // namespace crash_topic_step
