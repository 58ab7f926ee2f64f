// A program around epoll, which waits for several things in one place: records of a topic, a timer, the end of a child. The
// child sends orders; the loop counts them, as a member of a group, without a thread of its own and without polling in vain.
//
// With asio it is the same: async_wait(wait_read) on a posix::stream_descriptor of a dup() of ready.fd().
#include <leat/leat.hpp>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

struct order {
  std::uint64_t number;
  std::uint64_t cents;
};

constexpr std::uint64_t orders = 1000;

/// In the child: bursts, and silence between them, in which the loop sleeps.
int send_orders(const std::string& store) {
  leat::producer out{leat::store::open(store).topic<order>("orders")};
  for (std::uint64_t i = 0; i < orders; ++i) {
    if (!out.send("customer " + std::to_string(i % 50), order{i, i * 10})) return 1;
    if (i % 100 == 99) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return 0;
}

void watch(int loop, int fd) {
  epoll_event what{};
  what.events = EPOLLIN;
  what.data.fd = fd;
  if (::epoll_ctl(loop, EPOLL_CTL_ADD, fd, &what) != 0) throw std::runtime_error("epoll_ctl");
}

}  // namespace

int main() {
  const std::string name = "epoll_loop." + std::to_string(::getpid());
  const leat::store store = leat::store::open(name);
  const auto topic = store.topic<order>("orders", {.partitions = 4});

  // The child's end is an event as well: its side of the pipe is closed then. It is forked before there are handles.
  int end_of_child[2];
  if (::pipe2(end_of_child, O_CLOEXEC) != 0) return 1;
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(end_of_child[0]);
    ::_exit(send_orders(name));
  }
  ::close(end_of_child[1]);

  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest, .group = "till"}};
  leat::event_notifier ready{in};

  const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  const itimerspec every{.it_interval = {0, 20'000'000}, .it_value = {0, 20'000'000}};
  ::timerfd_settime(timer, 0, &every, nullptr);

  const int loop = ::epoll_create1(EPOLL_CLOEXEC);
  for (const int fd : {ready.fd(), timer, end_of_child[0]}) watch(loop, fd);

  std::uint64_t count = 0;
  std::uint64_t cents = 0;
  std::uint64_t wake_ups = 0;
  std::uint64_t ticks = 0;
  bool child_is_there = true;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while ((count < orders || child_is_there) && std::chrono::steady_clock::now() < give_up) {
    epoll_event events[3];
    const int happened = ::epoll_wait(loop, events, 3, -1);
    for (int i = 0; i < happened; ++i) {
      const int fd = events[i].data.fd;
      if (fd == ready.fd()) {
        ++wake_ups;
        for (const auto& record : ready.poll()) {  // no more than max_poll_records: the others have their turn, too
          ++count;
          cents += record.value().cents;
        }
        in.commit().value();
      } else if (fd == timer) {
        std::uint64_t expirations = 0;
        if (::read(timer, &expirations, sizeof expirations) > 0) ticks += expirations;
      } else {
        child_is_there = false;
        ::epoll_ctl(loop, EPOLL_CTL_DEL, fd, nullptr);
      }
    }
  }
  int status = 1;
  ::waitpid(child, &status, 0);
  std::cout << count << " orders, " << cents << " cents, in " << wake_ups << " turns; the timer ticked " << ticks
            << " times\n";
  for (const int fd : {loop, timer, end_of_child[0]}) ::close(fd);
  leat::store::remove(name);
  return status == 0 && count == orders && cents == orders * (orders - 1) / 2 * 10 ? 0 : 1;
}
