// What a fork does, and does not do, to the handles of its parent.
#include "support/history.hpp"

using namespace leat_tests;
using leat::errc;

namespace process_fork {

struct progress {
  counter forked;
  counter checked;
  counter go;
  counter pid;
};

/// Whether somebody pins a segment.
bool pinned(const topic& log, std::uint64_t sequence) {
  auto& partition = log.log()->partition(0);
  auto& pins = partition.topic().pins;
  const auto refusal = pins.try_own(partition.lock(sequence));
  if (refusal == leat::storage::pins::refusal::none) pins.disown(partition.lock(sequence));
  return refusal != leat::storage::pins::refusal::none;
}

void roll(producer& out, const topic& log, std::uint64_t segments, std::uint64_t& number) {
  for (const std::uint64_t end = begun(log) + segments; begun(log) < end;) send_numbered(out, 1, number++);
}

TEST_CASE("pins do not outlive the process that took them in a child that it forked") {
  watchdog dog;
  shared_place place;
  const topic log = open_log(place.store(), tiny(2));
  producer out(log);
  std::uint64_t number = 0;
  roll(out, log, 4, number);
  const std::uint64_t oldest = log.log()->partition(0).start_sequence().observe();
  shared<progress> page;

  for (const bool released_by_death : {false, true}) {
    page->forked = page->go = page->pid = 0;
    // It pins the oldest segment, forks a child that lives on, and gives the pin up.
    child parent([&] {
      consumer in(open_log(place.store()), {.auto_offset_reset = leat::offset_reset::earliest, .max_poll_records = 5});
      expect(!in.poll().empty(), "there is nothing to pin");
      const pid_t pid = ::fork();
      if (pid == 0) {
        ::alarm(child::lifetime);
        page->forked = 1;
        for (;;) ::pause();  // with everything that it inherited
      }
      page->pid = static_cast<std::uint64_t>(pid);
      wait_until("the pin is to be given up", [&] { return page->go != 0; });
      if (released_by_death) ::_exit(0);
      in.seek_to_end();
      (void)in.poll();
      page->go = 2;
      wait_until("the pin was looked for", [&] { return page->go == 3; });
    });
    wait_until("it has forked", [&] { return (page->forked != 0 && page->pid != 0) || !parent.running(); });
    CHECK(pinned(log, oldest));
    page->go = 1;
    if (released_by_death) {
      parent.join();
    } else {
      wait_until("the pin was given up", [&] { return page->go == 2 || !parent.running(); });
    }
    CHECK_FALSE(pinned(log, oldest));
    CHECK(::kill(static_cast<pid_t>(page->pid), 0) == 0);  // the child is still there
    ::kill(static_cast<pid_t>(page->pid), SIGKILL);
    page->go = 3;
    if (!released_by_death) parent.join();
  }
}

TEST_CASE("a forked child's end does not give up its parent's pins and its parent's handles fail in it") {
  watchdog dog;
  shared_place place;
  const topic log = open_log(place.store(), tiny(2));
  producer out(log);
  std::uint64_t number = 0;
  roll(out, log, 4, number);
  const std::uint64_t oldest = log.log()->partition(0).start_sequence().observe();
  consumer in(log, {.auto_offset_reset = leat::offset_reset::earliest, .max_poll_records = 5});
  const auto batch = in.poll();
  REQUIRE(batch.size() == 5);
  const topic other = open_log(place.store());

  child([&] {
    const auto made = payload(9, 0, 50);
    expect(out.send(view(made)).error() == errc::forked, "the parent's producer served in the child");
    expect(in.poll().error() == errc::forked, "the parent's consumer served in the child");
    // What the parent had pinned can still be read here, and handles of its own serve.
    for (const auto& record : batch) expect(read_record(record).has_value(), "a pinned record changed");
    producer own(open_log(place.store()));
    (void)send_numbered(own, 9, 0);
    {
      const topic copy = log;
    }
  }).join();
  CHECK(pinned(other, oldest));
  roll(out, log, 20, number);
  for (const auto& record : batch) CHECK(read_record(record).has_value());
  in.seek_to_end();
  (void)in.poll();
  CHECK_FALSE(pinned(other, oldest));
}

TEST_CASE(
    "a child forked in the midst of its parent's work changes nothing for the parent and serves with its own handles") {
  watchdog dog;
  shared_place place;
  const topic log = open_log(place.store(), tiny(0));
  producer out(log);
  for (std::uint64_t n = 0; n < rounds(4000); ++n) {
    send_numbered(out, 0, n, 400);
    if (n % 40 != 0) continue;
    child([&] {
      producer own(open_log(place.store()));
      send_numbered(own, 1 + static_cast<std::uint32_t>(n), 0);
    }).join();
  }
  history h;
  h.read_all(log);
  CHECK(h.violations() == std::vector<std::string>());
  CHECK(h.size() == rounds(4000) + (rounds(4000) + 39) / 40);
  CHECK(files_of(log).temporary == 0);
}

}  // namespace process_fork
