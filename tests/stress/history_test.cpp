// Everything at once: producers that append in all ways, that are killed and stopped, and readers that come and go.
//
// Property: of each partition, the history is dense, whole, without repetition, in order for each producer, and keeps what
// was acknowledged; all readers agree. Its single-threaded twin is in process/history_test.cpp.
#include "support/history.hpp"

#include <algorithm>
#include <map>

using namespace leat_tests;

namespace stress_history {

constexpr std::uint32_t partitions = 3;
constexpr std::uint32_t most_producers = 400;
constexpr std::uint64_t most_records = 4000;  // of one producer

struct progress {
  counter stop;
  counter acknowledged[most_producers];
  std::atomic<std::uint64_t> offset[most_producers][most_records];  // partition in the highest byte
  counter read;
};

/// Sends up to most_records records, by key or to a random partition.
void send_some(const topic& log, std::uint32_t id, progress& page) {
  producer out(log);
  dice random(1000 + id);
  std::uint64_t number = 0;
  const auto note = [&](leat::record_position at) {
    page.offset[id][number] = std::uint64_t{at.partition} << 56 | at.offset;
    page.acknowledged[id] = ++number;
  };
  while (number + 32 < most_records && page.stop == 0) {
    const std::size_t bytes = sizeof(stamp) + random.roll(random.one_in(10) ? 4000 : 150);
    const auto partition = static_cast<std::uint32_t>(random.roll(partitions));
    switch (random.roll(5)) {
      case 0:
      case 1: {
        const auto made = payload(id, number, bytes);
        note(out.send(view(made), {.partition = partition}).value());
        break;
      }
      case 2: {
        const auto made = payload(id, number, bytes);
        note(out.send(key_of(id, number), view(made)).value());
        break;
      }
      case 3: {
        auto loan = out.claim(leat::null, bytes, {.partition = partition}).value();
        write_payload(loan.bytes(), id, number);
        note(loan.publish().value());
        break;
      }
      case 4: {
        std::vector<std::vector<std::byte>> made;
        for (std::uint64_t i = 0; i < 1 + random.roll(10); ++i)
          made.push_back(payload(id, number + i, 24 + random.roll(100)));
        std::vector<leat::bytes_view> views(made.begin(), made.end());
        std::vector<leat::record_position> at(made.size());
        expect(out.send_batch(views, {.partition = partition}, at).count == made.size(), "a batch was cut");
        for (const auto& each : at) note(each);
        break;
      }
    }
  }
}

TEST_CASE("the history is sound whoever is killed and stopped and whoever reads") {
  watchdog dog(240);
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  const topic log = open_log(place.store(), tiny(0, partitions));
  shared<progress> page;
  dice random(50);

  // Readers that live, each from the start; some are killed, and all check what they see.
  const auto read_live = [&] {
    consumer in(open_log(place.store()), {.auto_offset_reset = leat::offset_reset::earliest});
    std::uint64_t due[partitions] = {};
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> last;
    while (page->stop == 0) {
      for (const auto& record : in.poll(std::chrono::milliseconds(50))) {
        expect(record.offset() == due[record.partition()]++, "dense: a reader was shown a gap");
        const auto s = read_record(record);
        expect(s.has_value(), "whole: a reader was shown a torn record");
        const auto [before, first] = last.try_emplace({record.partition(), s->producer}, s->number);
        expect(first || s->number > before->second, "ordered: a reader was shown a producer's records out of order");
        before->second = s->number;
        ++page->read;
      }
    }
  };

  std::vector<child> readers;
  for (int i = 0; i < 2; ++i) readers.emplace_back(read_live);
  std::vector<child> producers;
  std::uint32_t ids = 0;
  const auto start = [&] {
    const std::uint32_t id = ids++;
    return child([&, id] { send_some(open_log(place.store()), id, *page); });
  };
  for (int i = 0; i < 3; ++i) producers.push_back(start());
  const std::uint32_t all = std::min(rounds(300), most_producers - 4);
  while (ids < all) {
    const std::size_t i = random.roll(producers.size());
    spin(random.roll(1'500'000));
    if (!producers[i].running()) {
      producers[i] = start();
      continue;
    }
    if (random.one_in(2)) {
      producers[i].kill();
      producers[i] = start();
    } else {
      producers[i].stop();
      spin(random.roll(3'000'000));
      producers[i].resume();
    }
    if (random.one_in(20)) {
      readers[1].kill();
      readers[1] = child(read_live);
    }
  }
  for (child& p : producers) p.join();
  page->stop = 1;
  for (child& r : readers) r.join();

  history h;
  history again;
  for (std::uint32_t p = 0; p < partitions; ++p) {
    h.read_all(log, p);
    again.read_all(log, p);
  }
  std::uint64_t acknowledged = 0;
  for (std::uint32_t id = 0; id < ids; ++id) {
    for (std::uint64_t n = 0; n < page->acknowledged[id]; ++n, ++acknowledged) {
      const std::uint64_t at = page->offset[id][n];
      h.acknowledged(id, n, {static_cast<std::uint32_t>(at >> 56), at & ((std::uint64_t{1} << 56) - 1)});
    }
  }
  CHECK(h.violations() == std::vector<std::string>());
  CHECK(h.agrees_with(again));
  CHECK(acknowledged > ids);
  CHECK(page->read > 0);
}

}  // namespace stress_history
