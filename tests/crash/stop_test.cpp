// Producers and consumers that are stopped at any moment, for as long as it takes, and then go on.
#include "support/history.hpp"

#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

using namespace leat_tests;

namespace crash_stop {

struct progress {
  counter read;
  counter target;
  counter stop;
  counter sent[3];
  counter seen[3];
  counter polls;
};

constexpr std::uint64_t window = 60;

void send_for_ever(const topic& log, std::uint32_t id, progress& page, std::size_t largest) {
  producer out(log);
  std::uint64_t last = 0;
  for (std::uint64_t n = 0; page.stop == 0; ++n) {
    while (last >= page.read + window && page.stop == 0) std::this_thread::yield();
    last = send_numbered(out, id, n, largest);
    page.sent[id] = n + 1;
  }
}

void stop_at_random(std::uint64_t keep, std::size_t largest, unsigned stops, std::uint64_t rolls) {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  const topic log = open_log(place.store(), tiny(keep));
  shared<progress> page;
  dice random(2);

  child reader([&] {
    consumer in(open_log(place.store()), {.auto_offset_reset = leat::offset_reset::none});
    in.seek({0, 0});
    stream_check seen;
    while (page->target == 0 || seen.next_offset() < page->target) {
      for (const auto& record : in.poll(std::chrono::milliseconds(200))) seen.add(record);
      page->read = seen.next_offset();
    }
    for (std::uint32_t id = 0; id < 2; ++id) page->seen[id] = seen.count(id);
  });
  child survivor([&] { send_for_ever(open_log(place.store()), 0, *page, largest); });
  child victim([&] { send_for_ever(open_log(place.store()), 1, *page, largest); });
  wait_until("both are at work", [&] { return (page->sent[0] > 0 && page->sent[1] > 0) || !survivor.running(); });

  for (unsigned i = 0; i < stops; ++i) {
    spin(random.roll(300'000));
    victim.stop();
    const std::uint64_t segments = begun(log);
    wait_until("others have rolled past the stopped producer and the reader has read on", [&] {
      return (begun(log) > segments + rolls && page->read + 2 * window > log.end_offset(0)) || !survivor.running() ||
             !reader.running();
    });
    const std::uint64_t sent = page->sent[1];
    victim.resume();
    wait_until("the stopped producer goes on", [&] { return page->sent[1] > sent || !victim.running(); });
  }
  page->stop = 1;
  survivor.join();
  victim.join();
  page->target = log.end_offset(0);
  reader.join();
  CHECK(page->seen[0] == page->sent[0]);
  CHECK(page->seen[1] == page->sent[1]);
  CHECK(page->seen[0] + page->seen[1] == page->target);
  CHECK(files_of(log).temporary == 0);
  CHECK(files_of(log).segments <= keep + 4);  // each of the two producers may hold a spare
}

TEST_CASE("a producer stopped at a random moment delays nobody and goes on correctly") {
  stop_at_random(4, 120, rounds(60), 30);
}

TEST_CASE("a producer stopped for hundreds of rolls delays nobody and goes on correctly") {
  stop_at_random(4, 120, rounds(6), 400);
}

TEST_CASE("a producer stopped at a random moment of constant rolling delays nobody and goes on correctly") {
  stop_at_random(40, 5000, rounds(60), 60);
}

TEST_CASE("a stopped consumer delays nobody and keeps no more memory than what it pinned and mapped") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  constexpr std::uint64_t keep = 3;
  const topic log = open_log(place.store(), tiny(keep));
  shared<progress> page;
  dice random(3);
  producer out(log);
  std::uint64_t number = 0;
  const auto roll = [&](std::uint64_t segments) {
    for (const std::uint64_t end = begun(log) + segments; begun(log) < end;) send_numbered(out, 0, number++);
  };
  roll(2);
  child reader([&] {
    consumer in(open_log(place.store()), {.auto_offset_reset = leat::offset_reset::earliest, .max_poll_records = 20});
    while (page->stop == 0) {
      const auto batch = in.poll(std::chrono::milliseconds(1));
      for (unsigned again = 0; again < 2; ++again) {
        for (const auto& record : batch) {
          const auto s = read_record(record);
          expect(s && s->number == record.offset(), "a record is not what was written");
        }
      }
      ++page->polls;
    }
  });

  // Distinct files of this log that the reader has mapped, with or without a name.
  const auto mapped_by_reader = [&] {
    std::set<std::string> inodes;
    std::ifstream maps("/proc/" + std::to_string(reader.pid()) + "/maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find("topics/log/0000-") == line.npos && line.find("~deleted") == line.npos) continue;
      std::istringstream fields(line);
      std::string range, mode, offset, device, inode;
      fields >> range >> mode >> offset >> device >> inode;
      inodes.insert(inode);
    }
    return inodes.size();
  };

  for (unsigned i = 0; i < rounds(30); ++i) {
    const std::uint64_t polls = page->polls;
    while (page->polls < polls + 5 && reader.running()) roll(1);
    spin(random.roll(200'000));
    reader.stop();
    roll(30);
    // keep, the active segment, the prepared one, and one spare.
    if (files_of(log).segments > keep + 3) CHECK(files_of(log).segments <= keep + 3);
    if (mapped_by_reader() > keep + 2 + 2) CHECK(mapped_by_reader() <= keep + 2 + 2);
    reader.resume();
  }
  page->stop = 1;
  reader.join();
  CHECK(files_of(log).temporary == 0);
}

TEST_CASE("a segment that another has made of a spare is not given up by one who looked at the spare before") {
  watchdog dog;
  shared_place place;
  unsigned recycled = 0;
  for (unsigned k = 0;; ++k) {
    INFO("stopped at system call " << k);
    const std::string path = place.store(std::to_string(k));
    const topic log = open_log(path, tiny(0));
    {
      producer out(log);
      for (std::uint64_t number = 0; begun(log) < 2;) send_numbered(out, 0, number++);
    }
    leat::storage::partition& p = log.log()->partition(0);
    // Somebody reads the first segment still; it is retired by hand.
    const topic readers = open_log(path);
    std::optional<leat::storage::pinned_segment> reader(std::in_place);
    REQUIRE(readers.log()->partition(0).open(0, leat::os::access::read_only, *reader) ==
            leat::storage::partition::opened::pinned);
    p.start_sequence().raise(1);
    const std::uint64_t target = begun(log) + 1;
    traced_child looking([&] {
      const topic theirs = open_log(path);
      traced_child::mark();
      {
        const leat::storage::preparation for_another(theirs.log()->partition(0), target + 1);
      }
      traced_child::mark();
    });
    looking.to_mark();
    bool within = true;
    for (unsigned i = 0; i < k && within; ++i) within = looking.to_system_call() == traced_child::state::stepping;
    reader.reset();
    const std::string spare = p.name(0);
    const auto before = log.log()->directory().status(spare);
    leat::storage::make_segment(p, target);
    leat::storage::pinned_segment made;
    REQUIRE(p.open(target, leat::os::access::read_write, made) == leat::storage::partition::opened::pinned);
    recycled += before && made->status().inode == before->inode ? 1 : 0;
    if (within) looking.to_mark();
    looking.let_go();
    CHECK_FALSE(made->abandoned().is_set());
    if (!within) break;
  }
  CHECK(recycled > 0);
}

/// System calls of a few rolls, before and after 300 others, while somebody who was elected to prepare the next segment
/// stands still, and has the right to a spare. Counted in calls since time is anybody's.
struct cost_of_rolls {
  unsigned before;
  unsigned after;
};

/// By a producer that has rolled `rolls_before` times when the count begins.
cost_of_rolls measure(std::uint64_t rolls_before) {
  shared_place place;
  const topic log = open_log(place.store(), tiny(2));
  producer out(log);
  std::uint64_t number = 0;
  const auto roll = [&](std::uint64_t segments) {
    for (const std::uint64_t end = begun(log) + segments; begun(log) < end;) send_numbered(out, 0, number++);
  };
  roll(10);
  const topic idle = open_log(place.store());
  const leat::storage::preparation standing(idle.log()->partition(0), begun(log));

  const auto count = [&](std::uint32_t id) {
    traced_child roller([&] {
      const topic mine = open_log(place.store());
      producer theirs(mine);
      std::uint64_t n = 0;
      send_numbered(theirs, id, n++);
      for (const std::uint64_t end = begun(mine) + rolls_before; begun(mine) < end;) send_numbered(theirs, id, n++);
      traced_child::mark();
      for (const std::uint64_t end = begun(mine) + 5; begun(mine) < end;) send_numbered(theirs, id, n++);
      traced_child::mark();
    });
    roller.to_mark();
    unsigned calls = 0;
    while (roller.to_system_call() == traced_child::state::stepping) ++calls;
    roller.let_go();
    return calls / 2;
  };
  roll(20);
  const unsigned before = count(1);
  roll(300);
  return {before, count(2)};
}

TEST_CASE("rolls do not become dearer while somebody who was to prepare a segment stands still") {
  watchdog dog;
  const cost_of_rolls cost = measure(5);
  CHECK(cost.after < 2 * cost.before + 50);
}

TEST_CASE("a new producer does not pay for what was rolled while somebody who was to prepare a segment stood still") {
  watchdog dog;
  const cost_of_rolls cost = measure(0);
  CHECK(cost.after < 2 * cost.before + 50);
}

}  // namespace crash_stop
