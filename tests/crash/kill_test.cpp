// Producers that are killed at any moment.
#include "support/history.hpp"

#include <algorithm>
#include <thread>

using namespace leat_tests;

namespace crash_kill {

constexpr std::uint32_t most_victims = 1200;
constexpr std::uint64_t window = 60;  // how far a producer may be ahead of the reader: well within retention

struct progress {
  counter read;
  counter target;
  counter stop;
  counter survivor_sent;
  counter survivor_gap;  // longest time between two of its records, ns
  counter reader_gap;    // longest time between two batches, ns
  counter acknowledged[most_victims + 2];
  counter seen[most_victims + 2];
};

std::uint64_t now() { return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()); }
void raise(counter& longest, std::uint64_t value) {
  if (value > longest) longest = value;
}

void send_for_ever(const topic& log, std::uint32_t id, progress& page, std::size_t largest) {
  producer out(log);
  std::uint64_t last = 0;
  std::uint64_t before = now();
  for (std::uint64_t n = 0; page.stop == 0; ++n) {
    bool waited = false;
    while (last >= page.read + window && page.stop == 0) {
      waited = true;
      std::this_thread::yield();
    }
    if (waited) before = now();
    last = send_numbered(out, id, n, largest);
    page.acknowledged[id] = n + 1;
    if (id == 0) {
      ++page.survivor_sent;
      raise(page.survivor_gap, now() - before);
      before = now();
    }
  }
}

void read_to_target(const topic& log, progress& page, std::uint32_t ids) {
  consumer in(log, {.auto_offset_reset = leat::offset_reset::none});
  in.seek({0, 0});
  stream_check seen;
  while (page.target == 0 || seen.next_offset() < page.target) {
    const auto batch = in.poll(std::chrono::milliseconds(200));
    for (const auto& record : batch) seen.add(record);
    page.read = seen.next_offset();
  }
  for (std::uint32_t id = 0; id < ids; ++id) page.seen[id] = seen.count(id);
}

/// Kills a thousand producers, each at a random moment, while another producer and a consumer go on.
void kill_at_random(const leat::topic_options& options, std::size_t largest, unsigned kills) {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  const topic log = open_log(place.store(), options);
  shared<progress> page;
  dice random(1);

  child reader([&] { read_to_target(open_log(place.store()), *page, most_victims + 2); });
  child survivor([&] { send_for_ever(open_log(place.store()), 0, *page, largest); });
  wait_until("the survivor is at work", [&] { return page->survivor_sent > 0 || !survivor.running(); });
  for (std::uint32_t id = 1; id <= kills; ++id) {
    const std::uint64_t survivor_before = page->survivor_sent;
    child victim([&] { send_for_ever(open_log(place.store()), id, *page, largest); });
    if (random.one_in(2)) {
      // Its first steps: opening, joining, tidying up.
      spin(random.roll(1'500'000));
    } else {
      const std::uint64_t records = random.roll(150);
      wait_until("the victim has sent some", [&] { return page->acknowledged[id] > records || !victim.running(); });
      spin(random.roll(30'000));
    }
    victim.kill();
    if (id % 16 == 0) {
      wait_until("the survivor goes on", [&] { return page->survivor_sent > survivor_before || !survivor.running(); });
    }
  }
  page->stop = 1;
  survivor.join();
  {
    producer fresh(log);
    send_numbered(fresh, kills + 1, 0);
    page->acknowledged[kills + 1] = 1;
  }
  page->target = log.end_offset(0);
  reader.join();

  INFO("the survivor's longest pause was " << page->survivor_gap / 1000 << " us in " << page->survivor_sent
                                           << " records");
  std::uint64_t all = 0;
  for (std::uint32_t id = 0; id < kills + 2; ++id) {
    INFO("producer " << id);
    const std::uint64_t acknowledged = page->acknowledged[id];
    const std::uint64_t seen = page->seen[id];
    all += seen;
    // The last record may be in the log though its producer died before it could say so.
    if (seen < acknowledged || seen > acknowledged + 1) CHECK(seen == acknowledged);
  }
  CHECK(all == page->target);
  CHECK(page->survivor_sent > kills);
  const log_files files = files_of(log);
  CHECK(files.temporary == 0);
  CHECK(files.segments <= options.retention.bytes.value() / tiny_segment + 2);
}

TEST_CASE("a thousand producers killed at random moments delay nobody and lose nothing") {
  kill_at_random(tiny(4), 120, std::min(rounds(1000), most_victims));
}

TEST_CASE("producers killed at random moments of constant rolling delay nobody and lose nothing") {
  // Two records fill a segment, so most of the time somebody rolls; 60 records are within 40 segments.
  kill_at_random(tiny(40), 5000, std::min(rounds(400), most_victims));
}

}  // namespace crash_kill
