// An asynchronous producer that many threads use while it is closed: each record that was accepted is completed once, and what
// was completed with a position lies there, in the order of its thread.
#include "support/history.hpp"

#include <leat/async_producer.hpp>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

using namespace leat_tests;
using leat::errc;

namespace stress_async_producer {

constexpr unsigned senders = 4;

struct sent_record {
  std::uint64_t number = 0;
  leat::record_position at;
};

/// What a sender knows in the end.
struct account {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  std::atomic<std::uint64_t> completed{0};
  std::vector<sent_record> positions;  // by the sender's thread
  std::string wrong;
};

using async_log_producer = leat::async_producer<leat::bytes_view>;

/// Hands over, in each of the ways there are, until it is refused because of the close.
void send_on(async_log_producer& out, unsigned id, std::uint64_t most, account& mine) {
  dice random(id);
  auto handle = out.make_handle();
  // Records of a handle and those without have no order among each other, so it is one or the other.
  const bool by_handle = random.one_in(2);
  for (std::uint64_t number = 0; number < most; ++number) {
    auto made = payload(id, number, sizeof(stamp) + random.roll(100));
    const auto note = [&mine, number](const leat::send_outcome& at) {
      ++mine.completed;
      if (at) {
        mine.positions.push_back({number, *at});
      } else {
        mine.wrong = leat::detail::describe(at.error());
      }
    };
    errc refused = errc::ok;
    if (random.one_in(8)) {
      auto future = by_handle ? handle.send(leat::null, std::move(made)) : out.send(leat::null, std::move(made));
      const auto at = future.get();
      refused = at.error();
      // Those before are completed: the callbacks have run, and none runs now.
      if (at) {
        ++mine.completed;
        mine.positions.push_back({number, *at});
      }
    } else {
      refused = (by_handle ? handle.send_then(leat::null, std::move(made), note)
                           : out.send_then(leat::null, std::move(made), note))
                    .error();
    }
    if (refused == errc::ok) {
      ++mine.accepted;
    } else if (refused == errc::back_pressure) {
      ++mine.refused;
    } else {
      if (refused != errc::closed) mine.wrong = leat::detail::describe(refused);
      return;
    }
    if (random.one_in(200)) {
      const std::uint64_t accepted = mine.accepted;
      if (!out.flush() || mine.completed != accepted) mine.wrong = "a flush has not waited for all";
    }
  }
}

TEST_CASE("threads that hand over while it is closed lose nothing that was accepted") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  for (unsigned round = 0; round < rounds(30); ++round) {
    dice random(1000 + round);
    const auto log = leat::store::in_process().topic<leat::bytes_view>("log", tiny(0));
    const std::uint64_t most = 200 + random.roll(3000);
    std::vector<account> accounts(senders);
    {
      leat::async_producer_options options;
      options.max_queued_records = random.one_in(2) ? 1 + random.roll(8) : 100'000;
      options.max_block = random.one_in(2) ? leat::forever : std::chrono::nanoseconds(0);
      async_log_producer out{log, options};
      std::vector<std::thread> threads;
      for (unsigned id = 0; id < senders; ++id) {
        threads.emplace_back([&, id] { send_on(out, id, most, accounts[id]); });
      }
      spin(random.roll(20'000'000));
      out.close();
      std::uint64_t total = 0;
      for (std::thread& t : threads) t.join();
      for (const account& a : accounts) total += a.accepted;
      CHECK(out.queued_records() == 0);
      CHECK(log.end_offset(0) == total);
    }
    std::vector<std::optional<stamp>> found;
    consumer in(log, {.auto_offset_reset = leat::offset_reset::earliest});
    for (;;) {
      const auto batch = in.poll();
      if (batch.empty()) break;
      for (const auto& record : batch) found.push_back(read_record(record));
    }
    for (unsigned id = 0; id < senders; ++id) {
      const account& a = accounts[id];
      CHECK(a.wrong == "");
      CHECK(a.completed == a.accepted);
      REQUIRE(a.positions.size() == a.accepted);
      const sent_record* before = nullptr;
      for (const sent_record& r : a.positions) {
        if (r.at.offset >= found.size()) FAIL("a record is not there");
        const auto& there = found[r.at.offset];
        if (!there || there->producer != id || there->number != r.number) FAIL("another record is there");
        if (before != nullptr && (before->number >= r.number || before->at.offset >= r.at.offset)) FAIL("not in order");
        before = &r;
      }
    }
  }
}

TEST_CASE("a close ends though the last to come was refused for want of room, and comes no more") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  const auto log = leat::store::in_process().topic<leat::bytes_view>("log", tiny(0));
  for (unsigned round = 0; round < rounds(3000); ++round) {
    dice random(7000 + round);
    leat::async_producer_options options;
    options.max_queued_records = 1;
    options.max_block = std::chrono::nanoseconds(0);
    async_log_producer out{log, options};
    std::vector<std::thread> threads;
    const std::uint64_t most = 1 + random.roll(30);
    for (unsigned id = 0; id < senders; ++id) {
      threads.emplace_back([&, id] {
        for (std::uint64_t n = 0; n < most; ++n) (void)out.send_then(leat::null, payload(id, n, 40), {});
      });
    }
    spin(random.roll(20'000));
    out.close();
    for (std::thread& t : threads) t.join();
  }
}

TEST_CASE("flushes of many threads at once return, and all of them behind what they wait for") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  const auto log = leat::store::in_process().topic<leat::bytes_view>("log", tiny(4));
  async_log_producer out{log};
  std::vector<std::thread> threads;
  std::atomic<bool> broken{false};
  for (unsigned id = 0; id < senders; ++id) {
    threads.emplace_back([&, id] {
      dice random(50 + id);
      std::uint64_t completed = 0;  // written by the sender's thread, read behind a flush only
      std::uint64_t accepted = 0;
      for (unsigned i = 0; i < rounds(300); ++i) {
        for (std::uint64_t n = random.roll(20); n != 0; --n) {
          if (out.send_then(leat::null, payload(id, n, 40), [&](const auto&) { ++completed; })) ++accepted;
        }
        if (!out.flush() || completed != accepted) broken = true;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK_FALSE(broken);
}

}  // namespace stress_async_producer
