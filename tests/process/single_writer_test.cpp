// Partitions with a single writer.
#include "support/history.hpp"

#include <thread>

using namespace leat_tests;
using leat::errc;

namespace process_single_writer {

leat::topic_options alone(std::uint64_t keep, std::uint32_t partitions = 1) {
  leat::topic_options options = tiny(keep, partitions);
  options.single_writer = true;
  return options;
}

struct progress {
  counter ready;
  counter acknowledged[1000];
};

TEST_CASE("a second process is not the writer until the first has gone") {
  watchdog dog;
  shared_place place;
  const topic log = open_log(place.store(), alone(0, 2));
  shared<progress> page;
  child writer([&] {
    producer out(open_log(place.store()));
    send_numbered(out, 1, 0);  // to a partition of its choice
    for (std::uint32_t partition = 0; partition < 2; ++partition) {
      const auto made = payload(2 + partition, 0, 50);
      (void)out.send(view(made), {.partition = partition}).value();
    }
    page->ready = 1;
    for (;;) ::pause();
  });
  wait_until("the writer has written", [&] { return page->ready != 0 || !writer.running(); });
  const std::uint64_t end = log.end_offset(0);
  producer second(log);
  const auto made = payload(5, 0, 50);
  for (int tries = 0; tries < 3; ++tries) {
    CHECK(second.send(view(made), {.partition = 0}).error() == errc::not_the_writer);
    CHECK(second.send_if({0, end}, leat::null, view(made)).error() == errc::not_the_writer);
  }
  CHECK(log.end_offset(0) == end);
  writer.stop();  // a stopped writer is still the writer
  CHECK(second.send(view(made), {.partition = 0}).error() == errc::not_the_writer);
  writer.kill();
  CHECK(second.send(view(made), {.partition = 0})->offset == end);  // at once
  history h;
  h.read_all(log, 0);
  h.read_all(log, 1);
  CHECK(h.violations() == std::vector<std::string>());
}

TEST_CASE("after a writer was killed at a random moment another takes over at once and the log is whole") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  const unsigned kills = rounds(300);
  const topic log = open_log(place.store(), alone(0));
  shared<progress> page;
  dice random(6);
  for (std::uint32_t id = 0; id < kills; ++id) {
    child writer([&] {
      producer out(open_log(place.store()));
      const std::size_t largest = id % 3 == 0 ? 5000 : 120;
      for (std::uint64_t n = 0;; ++n) {
        send_numbered(out, id, n, largest);  // throws if it is not the writer at its first try
        page->acknowledged[id] = n + 1;
      }
    });
    const std::uint64_t records = random.roll(100);
    wait_until("the writer writes", [&] { return page->acknowledged[id] > records || !writer.running(); });
    spin(random.roll(50'000));
    writer.kill();
  }
  stream_check seen;
  consumer in(log, {.auto_offset_reset = leat::offset_reset::earliest});
  read_up_to(in, 0, log.end_offset(0), [&](const auto& record) { seen.add(record); });
  for (std::uint32_t id = 0; id < kills; ++id) {
    if (seen.count(id) == page->acknowledged[id] + 1) continue;  // died before it could say so
    CHECK(seen.count(id) == page->acknowledged[id]);
  }
  producer fresh(log);
  send_numbered(fresh, kills, 0);
  CHECK(files_of(log).temporary == 0);
}

TEST_CASE("of processes that all want to write to a partition one at a time does and none of its records is lost") {
  watchdog dog;
  shared_place place;
  const topic log = open_log(place.store(), alone(0));
  constexpr std::uint32_t writers = 4;
  shared<progress> page;
  std::vector<child> children;
  for (std::uint32_t id = 0; id < writers; ++id) {
    children.emplace_back([&, id] {
      const topic mine = open_log(place.store());
      std::uint64_t n = 0;
      while (n < rounds(4000)) {
        producer out(mine);
        for (unsigned burst = 0; burst < 100; ++burst) {
          const auto made = payload(id, n, 24 + n % 200);
          const auto at = out.send(view(made));
          if (!at) {
            expect(at.error() == errc::not_the_writer, "a send failed otherwise");
            std::this_thread::yield();
            break;
          }
          page->acknowledged[id] = ++n;
        }
      }
    });
  }
  for (child& c : children) c.join();
  history h;
  h.read_all(log);
  CHECK(h.violations() == std::vector<std::string>());
  std::uint64_t all = 0;
  for (const auto& n : page->acknowledged) all += n;
  CHECK(h.size() == all);
}

}  // namespace process_single_writer
