// The worker threads: what is dealt out comes back done, and in which order it begins.
#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/scarce_memory.hpp"

#include <leat/async/worker_pool.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <vector>

namespace unit_async_worker_pool {

using namespace std::chrono_literals;

struct task {
  std::size_t lane = 0;
  int number = 0;
};
using pool = leat::async::worker_pool<task, int>;

TEST_CASE("the tasks of a lane begin in their order, and all come back, whoever does them") {
  for (const std::size_t lanes : {1u, 3u}) {
    std::mutex mutex;
    std::vector<int> begun[3];
    pool workers(3, lanes);
    workers.begin([&](const task& t) {
      const std::lock_guard guard(mutex);
      begun[t.lane].push_back(t.number);
      return t.number;
    });
    std::vector<int> back;
    const auto take = [&] { workers.take([&](int number) { back.push_back(number); }); };
    for (int number = 0; number < 3000; ++number) {
      const std::size_t lane = static_cast<std::size_t>(number) % lanes;
      workers.deal(lane, {lane, number});
      if (number % 7 == 0) workers.hand_over();
      if (number % 11 == 0) take();
    }
    workers.hand_over();
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (back.size() < 3000 && std::chrono::steady_clock::now() < deadline) {
      workers.wait(100ms);
      take();
    }
    REQUIRE(back.size() == 3000);
    std::ranges::sort(back);
    for (int i = 0; i < 3000; ++i) REQUIRE(back[static_cast<std::size_t>(i)] == i);
    if (lanes == 3) {  // a worker each
      for (const auto& of_lane : begun) CHECK(std::ranges::is_sorted(of_lane));
    }
  }
}

TEST_CASE("what was handed over is done before the workers end") {
  std::vector<int> back;
  pool workers(1, 1);
  workers.begin([](const task& t) { return t.number; });
  for (int i = 0; i < 100; ++i) workers.deal(0, {0, i});
  workers.hand_over();
  workers.deal(0, {0, 100});  // not handed over
  workers.end();
  CHECK(workers.take([&](int number) { back.push_back(number); }));
  CHECK(back.size() == 100);
  CHECK_FALSE(workers.take([](int) {}));
}

TEST_CASE("workers that were made with however little memory work when there is some again") {
  if (!leat_tests::scarce_memory::possible) return;
  int refused = 0;
  for (std::size_t room = 64; room < 3000; room += 64) {
    const std::string said = leat_tests::in_child([&]() -> std::string {
      std::optional<pool> workers;
      try {
        const leat_tests::scarce_memory scarce(room);
        workers.emplace(1, 1);
      } catch (const std::bad_alloc&) {
        return "refused";
      }
      workers->begin([](const task& t) { return t.number; });
      workers->deal(0, {0, 7});
      workers->hand_over();
      workers->end();
      int back = 0;
      workers->take([&](int number) { back += number; });
      return back == 7 ? "done" : "not done";
    });
    CAPTURE(room);
    if (said != "done") CHECK(said == "refused");
    if (said == "refused") ++refused;
  }
  CHECK(refused > 5);
}

}  // namespace unit_async_worker_pool
