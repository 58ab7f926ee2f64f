// The code of the chapters for programs that do not want to poll in docs/guide.md: each part between `// snippet: name` and
// `// end` stands there as it is here, which a test checks; and this program, a test as well, runs all of it in a store of its
// own process. Ends with 1 where something is off.
#include <leat/async_producer.hpp>
#include <leat/leat.hpp>
#include <leat/subscriber.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <sys/epoll.h>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

void expect(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

template <class Condition>
void wait_until(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    expect(std::chrono::steady_clock::now() < deadline, "what was waited for did not come");
    std::this_thread::yield();
  }
}

void sending(const leat::store& store) {
  const auto orders = store.topic<std::string>("orders", {.partitions = 4});
  std::string order = "3 cogs";
  std::string other = "1 axle";
  std::atomic<int> failures{0};
  // snippet: async_producer
  leat::async_producer out{orders};  // any number of threads may use it

  std::future<leat::send_outcome> sent = out.send("account-42", std::move(order));
  const leat::result<void> accepted = out.send_then("account-42", std::move(other), [&](const leat::send_outcome& at) {
    if (!at) ++failures;  // in the sender's thread
  });
  if (accepted.error() == leat::errc::back_pressure) std::cerr << "the queue was full for max_block\n";

  const leat::record_position at = sent.get().value();
  out.flush().value();  // all that was handed over before is in the log, or has failed and said so
  // end
  expect(at.offset == 0 && accepted && failures == 0, "a future and a callback");

  // snippet: async_handle
  std::thread busy([&] {
    auto mine = out.make_handle();  // a thread's own way into the queue
    for (int i = 0; i < 1000; ++i) mine.send_then("k", std::to_string(i), nullptr).value();
  });
  // end
  busy.join();
  out.close();
  expect(out.send("late").get().error() == leat::errc::closed, "nothing is accepted behind a close");
  std::uint64_t total = 0;
  for (std::uint32_t p = 0; p < 4; ++p) total += orders.end_offset(p);
  expect(total == 1002, "nothing that was accepted is lost");
}

void subscribing(const leat::store& store) {
  const auto orders = store.topic<std::string>("orders");
  std::atomic<int> booked{0};
  const auto book = [&](std::string_view, std::string_view) { ++booked; };
  // snippet: subscriber
  leat::subscriber ledger{orders,
                          [&](const auto& order) { book(order.key(), order.value()); },
                          {.consumer = {.auto_offset_reset = leat::offset_reset::earliest, .group = "ledger"},
                           .workers = 4,
                           .order = leat::processing_order::by_key,
                           .dead_letter_topic = "orders.dead"}};
  // end
  wait_until([&] { return booked == 1002; });
  // snippet: subscriber_end
  ledger.stop();  // any thread may; so may a std::stop_token in the options
  ledger.wait();  // until what was in flight is committed; throws what it has stopped for otherwise
  // end
  leat::consumer next{orders, {.group = "ledger"}};
  next.poll(10ms);
  std::uint64_t left = 0;
  for (const leat::topic_partition& p : next.owned()) left += next.lag(p);
  expect(left == 0, "everything is committed");
}

void polling(const leat::store& store) {
  const auto ticks = store.topic<int>("ticks");
  leat::producer out{ticks};
  const int loop = ::epoll_create1(EPOLL_CLOEXEC);
  int seen = 0;
  // snippet: event_notifier
  leat::consumer in{ticks};
  leat::event_notifier ready{in};
  epoll_event readable{.events = EPOLLIN, .data = {.fd = ready.fd()}};
  ::epoll_ctl(loop, EPOLL_CTL_ADD, ready.fd(), &readable);
  // end
  out.send(1).value();
  while (seen == 0) {
    epoll_event event{};
    if (::epoll_wait(loop, &event, 1, 60'000) != 1) break;
    // snippet: event_notifier_poll
    if (event.data.fd == ready.fd()) {
      for (const auto& record : ready.poll()) seen += record.value();
    }
    // end
  }
  ::close(loop);
  expect(seen == 1, "the loop has seen it");
}

}  // namespace

int main() try {
  const leat::store store = leat::store::in_process();
  sending(store);
  subscribing(store);
  polling(store);
  return 0;
} catch (const std::exception& e) {
  std::cerr << "async: " << e.what() << '\n';
  return 1;
}
