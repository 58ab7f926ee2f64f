// Readers while retention recycles the segments behind, and under, them.
#include "support/history.hpp"

#include <algorithm>

using namespace leat_tests;

namespace process_follow {

struct progress {
  counter read;      // the reader's position
  counter written;   // records acknowledged, by all producers
  counter target;    // where the reader stops; 0: not known yet
  counter taken;     // of a pinned batch
  counter checked;   // how often the batch was found intact
  counter check;     // how often it is to be looked at
  counter recycled;  // segments begun meanwhile
};

/// Sends `count` records, none more than `window` ahead of the reader.
void send_within_window(const topic& log, std::uint32_t id, std::uint64_t count, std::uint64_t window, progress& page) {
  producer out(log);
  std::uint64_t last = 0;
  for (std::uint64_t n = 0; n < count; ++n) {
    wait_until("the reader has come near", [&] { return last < page.read + window; });
    last = send_numbered(out, id, n);
    ++page.written;
  }
}

TEST_CASE("a reader that keeps up sees each record once and whole while segments are recycled under it") {
  watchdog dog;
  shared_place place;
  constexpr std::uint64_t keep = 3;
  constexpr std::uint32_t writers = 2;
  const std::uint64_t each = rounds(40'000);
  const topic log = open_log(place.store(), tiny(keep));
  shared<progress> page;

  child reader([&] {
    consumer in(open_log(place.store()), {.auto_offset_reset = leat::offset_reset::none, .max_poll_records = 37});
    in.seek({0, 0});
    stream_check seen;
    while (page->target == 0 || seen.next_offset() < page->target) {
      for (const auto& record : in.poll(std::chrono::seconds(1))) seen.add(record);
      page->read = seen.next_offset();
    }
    for (std::uint32_t id = 0; id < writers; ++id) expect(seen.count(id) == each, "the reader missed records");
  });
  std::vector<child> producers;
  for (std::uint32_t id = 0; id < writers; ++id) {
    producers.emplace_back([&, id] { send_within_window(open_log(place.store()), id, each, 60, *page); });
  }
  for (child& p : producers) p.join();
  page->target = log.end_offset(0);
  reader.join();
  CHECK(page->read == writers * each);
  CHECK(begun(log) > rounds(500));
  CHECK(log.start_offset(0) > 0);
  CHECK(files_of(log).segments <= keep + 2 + writers);
  CHECK(files_of(log).temporary == 0);
}

TEST_CASE("a slow reader meets its reset policy and never anything that nobody wrote") {
  watchdog dog;
  shared_place place;
  const topic log = open_log(place.store(), tiny(2));
  shared<progress> page;
  child writer([&] {
    const topic mine = open_log(place.store());
    producer out(mine);
    for (std::uint64_t n = 0;; ++n) {
      send_numbered(out, 1, n);
      page->recycled = begun(mine);
    }
  });
  const auto overrun = [&] {
    const std::uint64_t now = page->recycled;
    wait_until("the reader is overrun", [&] { return page->recycled > now + 6; });
  };
  // Record n of the only producer is at offset n.
  const auto check_whole = [](const auto& record) {
    const auto s = read_record(record);
    expect(s && s->number == record.offset(), "a slow reader saw what nobody wrote there");
  };
  overrun();

  for (const auto policy : {leat::offset_reset::earliest, leat::offset_reset::latest, leat::offset_reset::none}) {
    child reader([&] {
      const topic mine = open_log(place.store());
      consumer in(mine, {.auto_offset_reset = policy, .max_poll_records = 20});
      if (policy == leat::offset_reset::none) in.seek_to_beginning();
      unsigned resets = 0;
      for (unsigned lap = 0; lap < 20 + rounds(40); ++lap) {
        const std::uint64_t before = in.position(0);
        const auto batch = in.poll(std::chrono::seconds(5));
        if (batch.error() != leat::errc::ok) {
          expect(policy == leat::offset_reset::none, "a reader with a policy met an error");
          expect(batch.error() == leat::errc::out_of_range, "a slow reader met another error than out of range");
          expect(in.position(0) == before, "a reader without a policy was moved");
          expect(mine.start_offset(0) > before, "out of range within the log");
          ++resets;
          in.seek_to_beginning();
          continue;
        }
        std::uint64_t due = before;
        for (const auto& record : batch) {
          expect(record.offset() >= due, "a reader was moved back");
          if (record.offset() > before && record.offset() != due) ++resets;
          due = record.offset() + 1;
          check_whole(record);
        }
        overrun();
        for (const auto& record : batch) check_whole(record);  // still pinned
      }
      expect(resets > 0, "the reader was never overrun");
    });
    reader.join();
  }
  CHECK(writer.running());
}

TEST_CASE("a batch stays as it is bit for bit while retention passes over it many times") {
  watchdog dog;
  shared_place place;
  constexpr std::uint64_t keep = 2;
  const topic log = open_log(place.store(), tiny(keep));
  shared<progress> page;
  producer out(log);
  std::uint64_t number = 0;
  const auto fill = [&](std::uint64_t segments) {
    for (const std::uint64_t end = begun(log) + segments; begun(log) < end;) send_numbered(out, 1, number++);
  };
  fill(2);

  child reader([&] {
    const topic mine = open_log(place.store());
    consumer in(mine, {.auto_offset_reset = leat::offset_reset::earliest});
    for (unsigned lap = 0; lap < 5; ++lap) {
      const auto batch = in.poll(std::chrono::seconds(10));
      expect(!batch.empty(), "there is no batch to pin");
      std::vector<std::vector<std::byte>> copies;
      std::vector<std::uint64_t> offsets;
      for (const auto& record : batch) {
        const auto bytes = record.value_bytes().value();
        copies.emplace_back(bytes.begin(), bytes.end());
        offsets.push_back(record.offset());
      }
      ++page->taken;
      for (unsigned looks = 0; looks < 3; ++looks) {
        const std::uint64_t due = 3 * lap + looks + 1;
        wait_until("retention has passed", [&] { return page->check >= due; });
        std::size_t i = 0;
        for (const auto& record : batch) {
          const auto bytes = record.value_bytes().value();
          expect(record.offset() == offsets[i], "a pinned record changed its offset");
          expect(std::ranges::equal(bytes, copies[i]), "a pinned record changed");
          expect(read_record(record).has_value(), "a pinned record is not what was written");
          ++i;
        }
        expect(i == copies.size(), "a pinned batch lost records");
        ++page->checked;
      }
    }
  });
  for (unsigned lap = 0; lap < 5; ++lap) {
    wait_until("the reader has pinned a batch", [&] { return page->taken > lap || !reader.running(); });
    for (unsigned looks = 0; looks < 3; ++looks) {
      fill(20);
      ++page->check;
      wait_until("the reader has looked", [&] { return page->checked == page->check || !reader.running(); });
    }
  }
  reader.join();
  CHECK(page->checked == 15);
  CHECK(files_of(log).segments <= keep + 3);
}

TEST_CASE("a consumer that is made while a partition is added reads that one, too") {
  watchdog dog;
  shared_place place;
  const auto store = leat::store::open(place.store());
  bool ended = false;
  for (unsigned k = 0; !ended; ++k) {
    INFO("a partition is added at system call " << k << " of the consumer");
    const std::string name = "t" + std::to_string(k);
    const auto log = store.topic<int>(name, {.partitions = 2});
    leat::producer out{log};
    for (const std::uint32_t id : {0, 1}) out.send(0, {.partition = id}).value();  // so that each has a segment to open
    traced_child reader([&] {
      const auto mine = leat::store::open(place.store()).topic<int>(name);
      traced_child::mark();
      leat::consumer in{mine};
      traced_child::mark();
      expect(in.poll(std::chrono::seconds(60)).size() == 1, "the record in the added partition is missing");
    });
    reader.to_mark();
    for (unsigned i = 0; i < k && !ended; ++i) ended = reader.to_system_call() != traced_child::state::stepping;
    leat::admin{store}.add_partitions(name, 3);
    while (!ended && reader.to_system_call() == traced_child::state::stepping) {
    }
    out.send(1, {.partition = 2}).value();
    REQUIRE_NOTHROW(reader.let_go());
  }
}

}  // namespace process_follow
