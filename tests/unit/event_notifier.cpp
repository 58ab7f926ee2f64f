// The event notifier: when its descriptor is readable, and that no record passes unnoticed.
#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/processes.hpp"
#include "support/temporary_store.hpp"

#include <leat/admin.hpp>
#include <leat/event_notifier.hpp>
#include <leat/producer.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace unit_event_notifier {

using namespace std::chrono_literals;
using leat::errc;

bool readable(int fd, int milliseconds = 0) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, milliseconds) == 1 && (p.revents & POLLIN) != 0;
}

/// Until it has really gone to sleep on what it was armed for: nothing comes for a while.
template <class Notifier>
void settle(Notifier& ready) {
  while (readable(ready.fd(), 2)) {
    const auto polled = ready.poll();
    REQUIRE(polled.empty());
  }
}

// A sleeper that nobody wakes looks by itself after 100 ms. So "at once" is: many times, and mostly sooner than that.
TEST_CASE("the descriptor is readable as soon as a record comes, and until a poll finds nothing") {
  for (const bool single : {false, true}) {
    const auto topic = leat::store::in_process().topic<int>("t", {.single_writer = single});
    leat::producer out{topic};
    leat::consumer in{topic, {.max_poll_records = 2}};
    leat::event_notifier ready{in};
    settle(ready);
    for (int i = 0; i < 3; ++i) REQUIRE(out.send(i));
    REQUIRE(readable(ready.fd(), 10'000));
    CHECK(ready.poll().size() == 2);
    CHECK(readable(ready.fd()));
    CHECK(ready.poll().size() == 1);
    CHECK(readable(ready.fd()));
    CHECK(ready.poll().empty());
    settle(ready);
  }
}

TEST_CASE("a record that comes between the look and the sleep has rung by then") {
  for (const bool single : {false, true}) {
    const auto topic = leat::store::in_process().topic<int>("t", {.single_writer = single});
    leat::producer out{topic};
    REQUIRE(out.send(0));
    leat::consumer in{topic};
    REQUIRE(in.poll().empty());
    const auto v = in.begin_vigil();
    CHECK_FALSE(v.over);
    if (!v.rings) SKIP("this kernel has no global barrier");
    REQUIRE(out.send(1));
    CHECK(in.waits_at()->bell().note() != v.noted);
    CHECK(in.begin_vigil().over);
  }
}

TEST_CASE("no wake-up is lost, however a record and the arming meet") {
  const auto topic = leat::store::in_process().topic<std::uint64_t>("t");
  const std::uint64_t turns = leat_tests::rounds(5000);
  leat::consumer in{topic};
  leat::event_notifier ready{in};
  std::atomic<std::uint64_t> heard{0};
  std::thread other([&] {
    leat::producer out{topic};
    leat_tests::dice dice(3);
    for (std::uint64_t turn = 0; turn < turns; ++turn) {
      leat_tests::wait_until("the last one was heard", [&] { return heard == turn; });
      leat_tests::spin(dice.roll(60'000));
      (void)out.send(turn);
    }
  });
  std::uint64_t slow = 0;
  std::uint64_t next = 0;
  while (next < turns) {
    const auto before = std::chrono::steady_clock::now();
    if (!readable(ready.fd(), 60'000)) break;
    const auto waited = std::chrono::steady_clock::now() - before;
    for (const auto& record : ready.poll()) {
      if (record.value() != next) FAIL("it heard another turn");
      if (waited > 95ms) ++slow;
      heard = ++next;
    }
  }
  other.join();
  CHECK(next == turns);
  CHECK(slow <= 5);  // the machine may be slow a few times
}

TEST_CASE("what lies there already makes the descriptor readable at once") {
  const auto topic = leat::store::in_process().topic<int>("t");
  leat::producer out{topic};
  REQUIRE(out.send(1));
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  leat::event_notifier ready{in};
  CHECK(readable(ready.fd()));
  CHECK(ready.poll().size() == 1);
}

TEST_CASE("an edge comes with each poll that has found something") {
  const auto topic = leat::store::in_process().topic<int>("t");
  leat::producer out{topic};
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest, .max_poll_records = 1}};
  leat::event_notifier ready{in};
  const int loop = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event wanted{EPOLLIN | EPOLLET, {}};
  REQUIRE(::epoll_ctl(loop, EPOLL_CTL_ADD, ready.fd(), &wanted) == 0);
  for (int i = 0; i < 10; ++i) REQUIRE(out.send(i));
  int got = 0;
  for (epoll_event event{}; got < 10 && ::epoll_wait(loop, &event, 1, 10'000) == 1;) {
    got += static_cast<int>(ready.poll().size());
  }
  ::close(loop);
  CHECK(got == 10);
}

TEST_CASE("an edge comes also behind a poll that has thrown") {
  const auto store = leat::store::in_process();
  const auto topic = store.topic<int>("t");
  leat::consumer<int> in{store, {.group = "g"}};
  int told = 0;
  leat::rebalance_listener listener;
  listener.assigned = [&](auto) {
    if (++told == 1) throw std::runtime_error("not now");
  };
  in.subscribe({"t"}, listener);
  leat::event_notifier ready{in};
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  REQUIRE(epoll >= 0);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  REQUIRE(::epoll_ctl(epoll, EPOLL_CTL_ADD, ready.fd(), &event) == 0);
  bool thrown = false;
  while (!thrown) {
    REQUIRE(::epoll_wait(epoll, &event, 1, 10'000) == 1);
    try {
      (void)ready.poll();
    } catch (const std::runtime_error&) {
      thrown = true;
    }
  }
  CHECK(::epoll_wait(epoll, &event, 1, 10'000) == 1);
  ::close(epoll);
}

TEST_CASE("other partitions, resumed ones and others' positions count from the next rearm on") {
  const auto topic = leat::store::in_process().topic<int>("t", {.partitions = 2});
  leat::producer out{topic};
  leat::consumer in{topic, {.partitions = {{0}}}};
  leat::event_notifier ready{in};
  settle(ready);
  in.assign({1});
  ready.rearm();
  settle(ready);
  REQUIRE(out.send(1, {.partition = 1}));
  REQUIRE(readable(ready.fd(), 10'000));
  CHECK(ready.poll().size() == 1);
  in.pause(1);
  settle(ready);
  REQUIRE(out.send(2, {.partition = 1}));
  settle(ready);
  in.resume(1);
  ready.rearm();
  CHECK(readable(ready.fd()));
  CHECK(ready.poll().size() == 1);
  settle(ready);
  in.seek_to_beginning();
  ready.rearm();
  CHECK(readable(ready.fd()));
}

TEST_CASE("a deleted topic and added partitions make the descriptor readable") {
  const leat::store store = leat::store::in_process();
  const auto topic = store.topic<int>("t");
  leat::consumer in{topic};
  leat::event_notifier ready{in};
  settle(ready);
  leat::admin(store).add_partitions("t", 2);
  leat::producer out{topic};
  REQUIRE(out.send(1, {.partition = 1}));
  int got = 0;
  while (got == 0 && readable(ready.fd(), 10'000)) got = static_cast<int>(ready.poll().size());
  CHECK(got == 1);
  CHECK(ready.poll().empty());
  settle(ready);
  store.remove_topic("t");
  CHECK(readable(ready.fd(), 10'000));
  CHECK(ready.poll().error() == errc::closed);
  CHECK(readable(ready.fd()));
}

TEST_CASE("members of a group that only follow their descriptors share the partitions, and what a lost one had") {
  const auto topic = leat::store::in_process().topic<int>("t", {.partitions = 4});
  const leat::consumer_options options{.auto_offset_reset = leat::offset_reset::earliest, .group = "g"};
  leat::consumer first{topic, options};
  leat::event_notifier first_ready{first};
  {
    leat::consumer second{topic, options};
    leat::event_notifier second_ready{second};
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (first.owned().size() != 2 || second.owned().size() != 2) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      if (readable(first_ready.fd(), 1)) (void)first_ready.poll();
      if (readable(second_ready.fd(), 1)) (void)second_ready.poll();
    }
  }
  while (first.owned().size() != 4 && readable(first_ready.fd(), 60'000)) (void)first_ready.poll();
  CHECK(first.owned().size() == 4);
  leat::producer out{topic};
  for (std::uint32_t p = 0; p < 4; ++p) REQUIRE(out.send(1, {.partition = p}));
  std::size_t got = 0;
  while (got < 4 && readable(first_ready.fd(), 60'000)) got += first_ready.poll().size();
  CHECK(got == 4);
}

TEST_CASE("a consumer that may only read is looked after by time") {
  if (::geteuid() != 0) SKIP("only root may become somebody else");
  auto temporary = leat_tests::temporary_store::in_shared_memory({.directory_mode = 0755});
  const auto topic = temporary.store.topic<int>("t", {.file_mode = 0644});
  leat::producer out{topic};
  REQUIRE(out.send(1));
  ::chmod(temporary.file("..").c_str(), 0755);
  const std::string said = leat_tests::in_child([&] {
    if (!leat_tests::become(leat_tests::ordinary_user)) return std::string("still root");
    const leat::store theirs = leat::store::open(temporary.path(), {.mode = leat::open_mode::open, .owner = 0});
    leat::consumer in{theirs.topic<int>("t", {.mode = leat::open_mode::open})};
    leat::event_notifier ready{in};
    int looks = 0;
    while (looks < 20 && readable(ready.fd(), 10'000)) looks += ready.poll().empty() ? 1 : 0;
    return std::to_string(looks);
  });
  CHECK(said == "20");
}

TEST_CASE("while nothing happens, waiting for the descriptor costs no processor time") {
  const auto topic = leat::store::in_process().topic<int>("t");
  leat::producer out{topic};
  REQUIRE(out.send(1));
  leat::consumer in{topic};
  leat::event_notifier ready{in};
  const auto used = [] {
    rusage u{};
    ::getrusage(RUSAGE_SELF, &u);
    return std::chrono::seconds(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           std::chrono::microseconds(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
  };
  settle(ready);
  const auto begin = std::chrono::steady_clock::now();
  const auto before = used();
  int wake_ups = 0;
  while (std::chrono::steady_clock::now() - begin < 500ms) {
    if (!readable(ready.fd(), 100)) continue;
    ++wake_ups;
    CHECK(ready.poll().empty());
  }
  CHECK(used() - before < 5ms * leat_tests::slowdown);
  CHECK(wake_ups <= 7);
}

TEST_CASE("in the child of a fork, polling says so and leaves the parent's descriptor alone") {
  auto temporary = leat_tests::temporary_store::in_shared_memory();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  leat::consumer in{topic};
  auto ready = std::make_unique<leat::event_notifier<int>>(in);
  settle(*ready);
  REQUIRE(out.send(1));
  REQUIRE(readable(ready->fd(), 10'000));
  const std::string said = leat_tests::in_child([&] {
    const bool right = ready->poll().error() == errc::forked;
    ready->rearm();
    ready.reset();
    return std::string(right ? "forked" : "wrong");
  });
  CHECK(said == "forked");
  CHECK(readable(ready->fd()));
  CHECK(ready->poll().size() == 1);
}

}  // namespace unit_event_notifier
