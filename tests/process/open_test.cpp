// Processes that create, open and delete the same stores and topics at once.
#include "support/history.hpp"

#include <algorithm>
#include <fstream>

using namespace leat_tests;
using leat::errc;

namespace process_open {

struct state {
  counter ready;
  counter done;
  counter opened;
  counter round;
};

/// Runs it; what it throws must be one of `allowed`.
template <class Action>
bool attempt(const char* what, std::initializer_list<errc> allowed, Action&& action) {
  try {
    action();
    return true;
  } catch (const leat::error& e) {
    for (const errc code : allowed) {
      if (e.code() == code) return false;
    }
    fail(std::string(what) + " threw " + e.what());
  }
}

/// One process's share of the traffic on a few topics of a store.
void create_use_and_delete(const std::string& place, std::uint64_t participant, unsigned laps, state& page) {
  const leat::store store = leat::store::open(place);
  dice random(participant);
  const auto options = [&](leat::open_mode mode) {
    leat::topic_options o = tiny(2);
    o.mode = mode;
    return o;
  };
  for (unsigned lap = 0; lap < laps; ++lap) {
    const std::string name = "topic-" + std::to_string(random.roll(3));
    switch (random.roll(8)) {
      case 0:
        // Created, and perhaps deleted again by another before it is opened.
        attempt("create", {errc::already_exists, errc::not_found},
                [&] { (void)store.topic<leat::bytes_view>(name, options(leat::open_mode::create)); });
        break;
      case 1:
        attempt("open", {errc::not_found},
                [&] { (void)store.topic<leat::bytes_view>(name, options(leat::open_mode::open)); });
        break;
      case 2:
      case 3:
        attempt("use", {errc::closed}, [&] {
          const auto topic = store.topic<leat::bytes_view>(name, options(leat::open_mode::open_or_create));
          ++page.opened;
          producer out(topic);
          for (std::uint64_t n = 0; n < 3; ++n) {
            const auto made = payload(static_cast<std::uint32_t>(participant), n, 3000);
            const auto at = out.send(view(made));
            expect(at || at.error() == errc::closed, "a send failed otherwise than by closed");
          }
        });
        break;
      case 4:
        attempt("read", {errc::closed, errc::not_found}, [&] {
          const auto topic = store.topic<leat::bytes_view>(name, options(leat::open_mode::open));
          consumer in(topic, {.auto_offset_reset = leat::offset_reset::earliest});
          const auto batch = in.poll();
          if (batch.error() == errc::closed) return;
          for (const auto& record : batch) expect(read_record(record).has_value(), "a torn record");
        });
        break;
      case 5: attempt("delete", {}, [&] { (void)store.remove_topic(name); }); break;
      case 6:
        attempt("describe", {errc::not_found, errc::closed}, [&] {
          const auto d = store.describe_topic(name);
          expect(d.partitions.size() == 1 && d.segment_bytes == tiny_segment && d.retention_bytes == 2 * tiny_segment,
                 "a half-made topic was described");
        });
        break;
      case 7:
        attempt("list", {}, [&] {
          for (const std::string& listed : store.topics()) {
            expect(listed.starts_with("topic-"), [&] { return "a topic is listed that nobody made: " + listed; });
          }
        });
        break;
    }
    ++page.done;
  }
}

std::vector<std::string> entries(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

TEST_CASE("processes that create and open and delete the same topics never see one half-made") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  const leat::store store = leat::store::open(place.store());
  shared<state> page;
  std::vector<child> children;
  for (std::uint64_t participant = 0; participant < 4; ++participant) {
    children.emplace_back([&, participant] { create_use_and_delete(place.store(), participant, rounds(3000), *page); });
  }
  // And others that are killed at it.
  dice random(99);
  for (unsigned i = 0; i < rounds(150); ++i) {
    child victim([&] { create_use_and_delete(place.store(), 100 + i, 1'000'000, *page); });
    spin(random.roll(2'000'000));
    victim.kill();
  }
  for (child& c : children) c.join();
  CHECK(page->opened > 0);

  // Whoever creates the next removes what the dead left.
  (void)store.topic<int>("last", {.mode = leat::open_mode::create});
  const auto names = entries(place.store() + "/topics");
  for (const std::string& name : names) {
    INFO(name);
    CHECK_FALSE(name.starts_with('~'));
  }
}

TEST_CASE("processes that open a store that is being created all get it") {
  watchdog dog;
  shared_place place;
  shared<state> page;
  constexpr unsigned openers = 4;
  const unsigned laps = rounds(1500);
  std::vector<child> children;
  for (unsigned i = 0; i < openers; ++i) {
    children.emplace_back([&] {
      for (unsigned lap = 0; lap < laps; ++lap) {
        ++page->ready;
        wait_until("all come together", [&] { return page->ready >= openers * (lap + 1); });
        attempt("open or create", {}, [&] {
          const leat::store store = leat::store::open(place.store("store-" + std::to_string(lap)));
          (void)store.topics();
          ++page->opened;
        });
      }
    });
  }
  for (child& c : children) c.join();
  CHECK(page->opened == openers * laps);
}

TEST_CASE("of the processes that create a store exactly one does") {
  watchdog dog;
  shared_place place;
  shared<state> page;
  constexpr unsigned creators = 4;
  const unsigned laps = rounds(1500);
  std::vector<child> children;
  for (unsigned i = 0; i < creators; ++i) {
    children.emplace_back([&] {
      for (unsigned lap = 0; lap < laps; ++lap) {
        ++page->ready;
        wait_until("all come together", [&] { return page->ready >= creators * (lap + 1); });
        const std::string path = place.store("store-" + std::to_string(lap));
        if (attempt("create", {errc::already_exists},
                    [&] { (void)leat::store::open(path, {.mode = leat::open_mode::create}); })) {
          ++page->opened;
        }
      }
    });
  }
  for (child& c : children) c.join();
  CHECK(page->opened == laps);
}

TEST_CASE("a store can be created anew whatever deleters and creators did to it at once or were killed at") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  const auto traffic = [&](std::uint64_t participant, unsigned laps) {
    dice random(participant);
    for (unsigned lap = 0; lap < laps; ++lap) {
      if (random.one_in(2)) {
        // Deleted again by another before it is open: not_found.
        attempt("open or create a store", {errc::not_found}, [&] {
          const auto store = leat::store::open(place.store());
          (void)store.topic<leat::bytes_view>("topic", tiny(2));
        });
      } else {
        attempt("delete a store", {errc::not_found}, [&] { (void)leat::store::remove(place.store()); });
      }
    }
  };
  for (unsigned round = 0; round < rounds(40); ++round) {
    std::vector<child> children;
    for (std::uint64_t participant = 0; participant < 3; ++participant) {
      children.emplace_back([&, participant] { traffic(participant + 10 * round, 60); });
    }
    dice random(200 + round);
    for (unsigned i = 0; i < 4; ++i) {
      child victim([&] { traffic(1000 + round, 1'000'000); });
      spin(random.roll(1'000'000));
      victim.kill();
    }
    for (child& c : children) c.join();
    INFO("round " << round);
    REQUIRE_NOTHROW(leat::store::open(place.store()).topic<int>("numbers"));
    REQUIRE_NOTHROW(leat::store::remove(place.store()));
  }
}

TEST_CASE("a store whose deleter was killed at any system call can be created and deleted again") {
  watchdog dog;
  shared_place place;
  for (unsigned k = 0;; ++k) {
    INFO("killed at system call " << k);
    {
      const auto store = leat::store::open(place.store());
      (void)store.topic<int>("numbers");
    }
    bool ended = false;
    {
      traced_child deleter([&] {
        traced_child::mark();
        (void)leat::store::remove(place.store());
        traced_child::mark();
      });
      deleter.to_mark();
      for (unsigned i = 0; i < k && !ended; ++i) ended = deleter.to_system_call() != traced_child::state::stepping;
      deleter.kill();
    }
    REQUIRE_NOTHROW(leat::store::open(place.store()).topic<int>("numbers"));
    REQUIRE(leat::store::remove(place.store()));
    if (ended) break;
  }
}

TEST_CASE(
    "an opener goes on correctly from any system call whatever another did meanwhile and wherever that one was "
    "killed") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  dice random(5);
  (void)leat::os::current_boot();  // read once by each process: all openers make the same system calls then
  const auto opener = [&](bool with_topic) {
    return traced_child([&, with_topic] {
      traced_child::mark();
      if (with_topic) {
        (void)open_log(place.store(), tiny(2));
      } else {
        (void)leat::store::open(place.store());
      }
      traced_child::mark();
    });
  };
  for (const bool with_topic : {false, true}) {
    unsigned most = 0;
    {
      traced_child all = opener(with_topic);
      all.to_mark();
      while (all.to_system_call() == traced_child::state::stepping) ++most;
      all.let_go();
    }
    for (unsigned i = 0; i < rounds(800); ++i) {
      leat::store::remove(place.store());
      const auto first_at = static_cast<unsigned>(random.roll(most));
      const auto second_at = static_cast<unsigned>(random.roll(most + 10));
      INFO("the first stands at system call " << first_at << " and the second is killed at " << second_at);
      traced_child first = opener(with_topic);
      first.to_mark();
      for (unsigned k = 0; k < first_at; ++k) first.to_system_call();
      {
        traced_child second = opener(with_topic);
        second.to_mark();
        for (unsigned k = 0; k < second_at && second.to_system_call() == traced_child::state::stepping; ++k) {
        }
        second.kill();
      }
      first.to_mark();
      first.let_go();
      REQUIRE_NOTHROW(leat::store::open(place.store(), {.mode = leat::open_mode::open}));
    }
  }
}

}  // namespace process_open
