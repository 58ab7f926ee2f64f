// Consumers that sleep and the producers that wake them, in different processes.
#include "support/history.hpp"

#include <bit>
#include <thread>

#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace leat_tests;
using leat::errc;

namespace process_waiting {

constexpr std::uint32_t most_sleepers = 4;

struct progress {
  counter ready;
  counter served[most_sleepers];
  counter processor_time;  // microseconds
  counter pinged;
  counter slow;
  counter bell;   // address of the bell word in the sleeper
  counter woken;  // when, in nanoseconds
};

std::uint64_t nanoseconds_now() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

std::uint64_t processor_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto microseconds = [](const timeval& t) {
    return std::uint64_t(t.tv_sec) * 1'000'000 + std::uint64_t(t.tv_usec);
  };
  return microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
}

std::uint32_t rings(const topic& log) { return log.log()->bell().note(); }

/// In the kernel, which for a consumer that polls means: behind arming its doorbell.
void wait_until_asleep(child& c) {
  wait_until("a consumer sleeps", [&] { return c.asleep() || !c.running(); });
}

void send(producer& out, std::uint32_t partition, std::uint64_t number) {
  const auto made = payload(0, number, 40);
  (void)out.send(view(made), {.partition = partition}).value();
}

leat::topic_options with_writers(bool single, std::uint32_t partitions = 1) {
  leat::topic_options options = tiny(4, partitions);
  options.single_writer = single;
  return options;
}

TEST_CASE("a consumer that blocks uses no processor time and is woken by a record") {
  watchdog dog;
  for (const bool single : {false, true}) {
    shared_place place;
    const topic log = open_log(place.store(), with_writers(single));
    producer out(log);
    send(out, 0, 0);
    shared<progress> page;
    child sleeper([&] {
      consumer in(open_log(place.store()));
      page->ready = 1;
      const std::uint64_t before = processor_time();
      const auto batch = in.poll(std::chrono::seconds(60));
      page->processor_time = processor_time() - before;
      expect(batch.size() == 1, "it was not served");
    });
    wait_until("the consumer stands at the end", [&] { return page->ready != 0 || !sleeper.running(); });
    wait_until_asleep(sleeper);
    // Not to wait for something: this is the time for which its use of the processor is measured.
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    CHECK(sleeper.running());
    send(out, 0, 1);
    sleeper.join();
    CHECK(page->processor_time < 5000 * slowdown);
  }
}

/// Two processes wake each other in turn, and mostly find each other asleep or about to sleep.
void ping_pong(bool single) {
  shared_place place;
  // One direction each, so that each partition has one writer.
  const topic log = open_log(place.store(), with_writers(single, 2));
  const std::uint64_t turns = rounds(20'000);
  shared<progress> page;
  const auto play = [&](std::uint32_t side) {
    const topic mine = open_log(place.store());
    producer out(mine);
    consumer in(mine, {.partitions = {{1 - side}}, .auto_offset_reset = leat::offset_reset::earliest});
    dice random(10 + side);
    const auto hear = [&](std::uint64_t turn) {
      const auto before = std::chrono::steady_clock::now();
      const auto batch = in.poll(std::chrono::seconds(60));
      expect(batch.size() == 1, "it was not woken");
      expect(read_record(*batch.begin())->number == turn, "it heard another turn");
      // A sleeper that nobody woke looks by itself after 100 ms.
      if (std::chrono::steady_clock::now() - before > std::chrono::milliseconds(95)) ++page->slow;
    };
    for (std::uint64_t turn = 0; turn < turns; ++turn) {
      if (side == 1) hear(turn);
      spin(50'000 + random.roll(200'000));  // so long that the other goes to sleep, or is just about to
      send(out, side, turn);
      if (side == 0) hear(turn);
      page->pinged = turn;
    }
  };
  child first([&] { play(0); });
  child second([&] { play(1); });
  first.join();
  second.join();
  CHECK(page->pinged == turns - 1);
  // A few turns may be slow because the machine is. That is for chance; the test by steps below is exact.
  CHECK(page->slow <= 5);
}

TEST_CASE("no wake-up is lost in thousands of turns between two blocking processes") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  ping_pong(false);
}

TEST_CASE("no wake-up is lost in thousands of turns between two blocking processes that are single writers") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  ping_pong(true);
}

#if defined(__x86_64__)
TEST_CASE("a record that comes between any two instructions of falling asleep wakes the sleeper") {
  watchdog dog;
  for (const bool single : {false, true}) {
    shared_place place;
    const topic log = open_log(place.store(), with_writers(single));
    producer out(log);
    std::uint64_t sent = 0;
    send(out, 0, sent++);
    shared<progress> page;
    const auto falling_asleep = [&] {
      return traced_child([&] {
        const topic mine = open_log(place.store());
        consumer in(mine);
        page->bell = std::bit_cast<std::uint64_t>(mine.log()->bell());
        traced_child::mark();
        const auto batch = in.poll(std::chrono::seconds(60));
        expect(batch.size() == 1, "it was not served");
        page->woken = nanoseconds_now();
      });
    };
    // From the moment when it looks at the bell (W1) to the system call in which it sleeps (W4).
    unsigned steps = 0;
    unsigned slow = 0;
    unsigned all = 0;  // instructions of falling asleep: known once it was followed to its end
    while (all == 0 || steps <= all) {
      INFO("a record came behind instruction " << steps << " of falling asleep");
      send(out, 0, sent++);  // rings for nobody where the sleeper before left its doorbell armed
      traced_child sleeper = falling_asleep();
      sleeper.to_mark();
      if (!sleeper.to_access(page->bell)) SKIP("this processor or kernel has no data breakpoints");
      unsigned done = 0;
      while ((all == 0 || done < steps) && !sleeper.is_about_to_call(SYS_futex) &&
             sleeper.step() == traced_child::state::stepping) {
        ++done;
      }
      if (all == 0) all = done;
      send(out, 0, sent++);
      const std::uint64_t resumed = nanoseconds_now();
      sleeper.let_go();
      // A sleeper that nobody wakes looks by itself after 100 ms. The machine may be slow, but not thrice at one place.
      const bool late = page->woken - resumed > 95'000'000;
      slow = late ? slow + 1 : 0;
      REQUIRE(slow < 3);
      if (!late) steps += slowdown == 1 ? 1 : 1 + all / 30;
    }
    CHECK(all > 20);
  }
}
#endif

TEST_CASE("a consumer killed in its sleep costs one needless ring") {
  watchdog dog;
  shared_place place;
  const topic log = open_log(place.store(), with_writers(false));
  producer out(log);
  send(out, 0, 0);
  shared<progress> page;
  for (int lap = 0; lap < 3; ++lap) {
    page->ready = 0;
    child sleeper([&] {
      consumer in(open_log(place.store()));
      page->ready = 1;
      (void)in.poll(std::chrono::seconds(60));
    });
    wait_until("the consumer polls", [&] { return page->ready != 0 || !sleeper.running(); });
    wait_until_asleep(sleeper);
    std::uint32_t before = rings(log);
    sleeper.kill();
    send(out, 0, 1);
    CHECK(rings(log) == before + 1);
    before = rings(log);
    for (std::uint64_t n = 2; n < 100; ++n) send(out, 0, n);
    CHECK(rings(log) == before);
  }
}

TEST_CASE("sleepers on different partitions of a store are each woken by their own records") {
  watchdog dog;
  shared_place place;
  constexpr std::uint32_t sleepers = 3;
  const topic log = open_log(place.store(), with_writers(false, sleepers));
  producer out(log);
  for (std::uint32_t p = 0; p < sleepers; ++p) send(out, p, 0);
  shared<progress> page;
  std::vector<child> children;
  for (std::uint32_t p = 0; p < sleepers; ++p) {
    children.emplace_back([&, p] {
      consumer in(open_log(place.store()), {.partitions = {{p}}, .auto_offset_reset = leat::offset_reset::earliest});
      for (std::uint64_t due = 0; due < 200; ++due) {
        const auto batch = in.poll(std::chrono::seconds(60));
        expect(batch.size() == 1 && (*batch.begin()).partition() == p, "it was served others' records");
        expect(read_record(*batch.begin())->number == due, "it missed a record");
        ++page->served[p];
      }
    });
  }
  for (std::uint64_t n = 1; n < 200; ++n) {
    const auto p = static_cast<std::uint32_t>(n % sleepers);
    for (std::uint32_t i = 0; i < sleepers; ++i) {
      const std::uint32_t to = (p + i) % sleepers;
      wait_until("it was served before", [&] { return page->served[to] == n || !children[to].running(); });
      wait_until_asleep(children[to]);
    }
    for (std::uint32_t i = 0; i < sleepers; ++i) {
      const std::uint32_t to = (p + i) % sleepers;
      const std::uint64_t others = page->served[(to + 1) % sleepers] + page->served[(to + 2) % sleepers];
      send(out, to, n);
      wait_until("it was woken", [&] { return page->served[to] == n + 1 || !children[to].running(); });
      CHECK(page->served[(to + 1) % sleepers] + page->served[(to + 2) % sleepers] == others);
    }
  }
  for (child& c : children) c.join();
}

TEST_CASE("a consumer of several partitions wakes for a record in any of them") {
  watchdog dog;
  shared_place place;
  constexpr std::uint32_t partitions = 40;  // more than there are bits in a mask
  const topic log = open_log(place.store(), with_writers(false, partitions));
  producer out(log);
  shared<progress> page;
  child sleeper([&] {
    consumer in(open_log(place.store()), {.auto_offset_reset = leat::offset_reset::earliest});
    while (page->served[0] < partitions) {
      const auto batch = in.poll(std::chrono::seconds(60));
      expect(!batch.empty(), "it was not woken");
      page->served[0] += batch.size();
    }
  });
  for (std::uint32_t p = 0; p < partitions; ++p) {
    wait_until_asleep(sleeper);
    send(out, p, 0);
    wait_until("it was woken", [&] { return page->served[0] == p + 1 || !sleeper.running(); });
  }
  sleeper.join();
}

TEST_CASE("a deleted topic wakes those who sleep on it and tells them that it is closed") {
  watchdog dog;
  shared_place place;
  const leat::store store = leat::store::open(place.store());
  (void)open_log(place.store(), with_writers(false));
  shared<progress> page;
  std::vector<child> children;
  for (unsigned i = 0; i < 3; ++i) {
    children.emplace_back([&] {
      const topic mine = open_log(place.store());
      consumer in(mine);
      ++page->ready;
      expect(in.poll(std::chrono::seconds(60)).error() == errc::closed, "it was not told that the topic is closed");
      expect(in.poll(std::chrono::seconds(60)).error() == errc::closed, "it was told only once");
      producer out(mine);
      expect(out.send(leat::bytes_view()).error() == errc::closed, "a closed topic was written to");
    });
  }
  wait_until("all are there", [&] { return page->ready == 3; });
  for (child& c : children) wait_until_asleep(c);
  CHECK(store.remove_topic("log"));
  for (child& c : children) c.join();
}

TEST_CASE("a consumer that may only read is served live across recycling and may not write") {
  watchdog dog;
  if (::geteuid() != 0) SKIP("only root can become another user");
  shared_place place;
  REQUIRE(::chmod(place.path().c_str(), 0755) == 0);
  const leat::store store = leat::store::open(place.store(), {.directory_mode = 0755});
  leat::topic_options options = tiny(3);
  options.file_mode = 0644;
  const topic log = store.topic<leat::bytes_view>("log", options);
  shared<progress> page;
  const std::uint64_t count = rounds(20'000);
  child reader([&] {
    expect(::setgroups(0, nullptr) == 0 && ::setgid(65534) == 0 && ::setuid(65534) == 0, "could not become nobody");
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // forgotten with the user
    const topic mine = open_log(place.store());
    try {
      producer out(mine);
      fail("somebody who may only read got a producer");
    } catch (const leat::error& e) {
      expect(e.code() == errc::permission_denied, "a producer was refused otherwise");
    }
    consumer in(mine, {.auto_offset_reset = leat::offset_reset::none});
    in.seek({0, 0});
    stream_check seen;
    page->ready = 1;
    while (seen.next_offset() < count) {
      for (const auto& record : in.poll(std::chrono::seconds(10))) seen.add(record);
      page->served[0] = seen.next_offset();
    }
  });
  wait_until("the reader is there", [&] { return page->ready != 0 || !reader.running(); });
  producer out(log);
  for (std::uint64_t n = 0; n < count; ++n) {
    wait_until("the reader has come near", [&] { return n < page->served[0] + 60 || !reader.running(); });
    send_numbered(out, 0, n);
    if (n % (count / 20) == 0) {
      wait_until("a reader that waits is served", [&] { return page->served[0] == n + 1 || !reader.running(); });
    }
  }
  reader.join();
  CHECK(log.start_offset(0) > 0);
}

}  // namespace process_waiting
