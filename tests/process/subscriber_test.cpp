// Subscribers that are killed: every record is processed at least once, and what is committed has been processed.
#include "support/history.hpp"

#include <leat/subscriber.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

using namespace leat_tests;
using leat::processing_order;

namespace process_subscriber {

constexpr std::uint32_t partitions = 4;
constexpr std::uint64_t most = 4000;  // records of a partition

struct progress {
  counter processed[partitions][most];  // how often; set before the handler returns
  counter lives;                        // of subscribers that have processed something
  counter sent[partitions];
};

leat::topic<std::uint64_t> numbers(const std::string& store) {
  return leat::store::open(store).topic<std::uint64_t>(
      "numbers", {.partitions = partitions, .segment_bytes = tiny_segment, .retention = {.bytes = leat::unlimited}});
}

/// The life of a subscriber, until it is killed, or everything is committed.
void subscribe(const std::string& store, progress& page, processing_order order, std::uint64_t number) {
  const auto topic = numbers(store);
  dice random(100 + number);
  bool first = true;
  std::atomic<std::uint64_t> salt{random.roll(1000)};
  const auto handle = [&](const leat::record_view<std::uint64_t>& record) {
    expect(record.value() == record.offset(), "a record has another value than was sent");
    spin((salt += 7919) % 20'000);                             // so that they overtake each other
    if ((salt += 31) % 97 == 0) throw std::runtime_error("");  // and some are tried again
    ++page.processed[record.partition()][record.offset()];
    if (std::exchange(first, false)) ++page.lives;
  };
  leat::subscriber_options options{
      .consumer = {.auto_offset_reset = leat::offset_reset::earliest, .max_poll_records = 40, .group = "g"},
      .workers = 3,
      .order = order,
      .max_in_flight = 100,
      .commit_interval = std::chrono::milliseconds(1),
      .retries = 100,
      .backoff = std::chrono::microseconds(100),
  };
  leat::subscriber in{topic, handle, options};
  in.wait();
}

/// Every record below what is committed was processed. Returns how many those are.
std::uint64_t check_commits(leat::consumer<std::uint64_t>& look, const progress& page) {
  std::uint64_t total = 0;
  for (std::uint32_t p = 0; p < partitions; ++p) {
    const auto committed = look.committed(p);  // first: what is processed later does not matter
    if (!committed) continue;
    for (std::uint64_t offset = 0; offset < committed->offset; ++offset) {
      expect(page.processed[p][offset] != 0, [&] {
        return "partition " + std::to_string(p) + " is committed up to " + std::to_string(committed->offset) +
               ", but " + std::to_string(offset) + " was not processed; LEAT_SEED=" + std::to_string(seed());
      });
    }
    total += committed->offset;
  }
  return total;
}

void kill_on_and_on(processing_order order) {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  dice random(1);
  shared_place place;
  shared<progress> page;
  const auto topic = numbers(place.store());
  leat::producer out{topic};
  leat::consumer<std::uint64_t> look{topic, {.partitions = {{0, 1, 2, 3}}, .group = "g"}};

  const std::uint64_t kills = rounds(30);
  const std::uint64_t each = std::min<std::uint64_t>(most, kills * 120);
  std::uint64_t next_life = 0;
  const auto begin_life = [&] {
    const std::uint64_t number = next_life++;
    return child([&, number] { subscribe(place.store(), *page, order, number); });
  };
  std::vector<child> members;
  members.push_back(begin_life());
  members.push_back(begin_life());
  std::uint64_t sent = 0;
  for (std::uint64_t k = 0; k < kills; ++k) {
    for (std::uint64_t n = 0; n < each / kills; ++n, ++sent) {
      for (std::uint32_t p = 0; p < partitions; ++p) expect(bool(out.send(sent, {.partition = p})), "a send failed");
    }
    const std::uint64_t lives = page->lives;
    const std::uint64_t before = check_commits(look, *page);
    const std::uint64_t enough = random.roll(100);
    wait_until("there is progress", [&] {
      for (child& m : members) expect(m.running(), "a subscriber has ended");
      const std::uint64_t now = check_commits(look, *page);
      return page->lives > lives || now >= std::min(before + enough, sent * partitions);
    });
    spin(random.roll(3'000'000));
    const std::size_t victim = random.roll(members.size());
    members[victim].kill();
    check_commits(look, *page);
    members[victim] = begin_life();
  }
  wait_until("everything is committed", [&] {
    for (child& m : members) expect(m.running(), "a subscriber has ended");
    return check_commits(look, *page) == sent * partitions;
  });
  std::uint64_t again = 0;
  for (std::uint32_t p = 0; p < partitions; ++p) {
    for (std::uint64_t offset = 0; offset < sent; ++offset) {
      REQUIRE(page->processed[p][offset] != 0);
      again += page->processed[p][offset] - 1;
    }
  }
  // Each death repeats what was in flight, or processed and not committed yet.
  CHECK(again > 0);
  CHECK(page->lives > 2);
}

TEST_CASE("subscribers that are killed leave no gap, in the order of the partitions") {
  kill_on_and_on(processing_order::by_partition);
}

TEST_CASE("subscribers that are killed leave no gap, where records overtake each other") {
  kill_on_and_on(processing_order::none);
}

}  // namespace process_subscriber
