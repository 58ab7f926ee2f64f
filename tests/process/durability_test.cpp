// Those who wait for the device together share its work, and wait neither for the dead nor for the stopped.
#include "support/faulty_device.hpp"
#include "support/processes.hpp"

#include <leat/consumer.hpp>
#include <leat/producer.hpp>

#include <string>
#include <vector>

using namespace leat_tests;

namespace process_durability {

using leat::durability;
using topic = leat::topic<std::string>;

topic open(const std::string& path) {
  return leat::store::open(path).topic<std::string>(
      "t", {.segment_bytes = 65536, .retention = {.bytes = 1 << 22}, .durability = durability::every});
}

struct progress {
  counter ready;
  counter go;
  counter sent;
  counter slowest;  // milliseconds that a send took
};

void send(const std::string& path, progress& page, unsigned records) {
  const topic t = open(path);
  leat::producer out{t};
  faulty_device device;
  device.delay(std::chrono::milliseconds(20));
  ++page.ready;
  wait_until("all are ready", [&] { return page.go != 0; });
  for (unsigned i = 0; i < records; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    out.send("a record").value();
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    if (static_cast<std::uint64_t>(took.count()) > page.slowest)
      page.slowest = static_cast<std::uint64_t>(took.count());
    ++page.sent;
  }
}

TEST_CASE("producers that wait for the device together share one flush") {
  watchdog dog;
  const temporary_directory disk;
  const std::string path = disk.path() + "/store";
  const topic t = open(path);
  constexpr unsigned producers = 8;
  constexpr unsigned records = 20;
  const shared<progress> page;
  std::vector<child> children;
  for (unsigned i = 0; i < producers; ++i) children.emplace_back([&] { send(path, *page, records); });
  wait_until("all are ready", [&] { return page->ready == producers; });
  page->go = 1;
  for (child& c : children) c.join();
  const auto p = t.describe().partitions[0];
  CHECK(p.end_offset == producers * records);
  CHECK(p.durable_offset == p.end_offset);
  CHECK(p.flushes <= producers * records / 2);  // some 50 here; each would make one alone
}

TEST_CASE("who is stopped or killed while it flushes holds up nobody") {
  watchdog dog;
  const temporary_directory disk;
  const std::string path = disk.path() + "/store";
  const topic t = open(path);
  {
    leat::producer first{t};
    first.send("a record").value();
  }
  const bool killed = GENERATE(false, true);
  CAPTURE(killed);
  traced_child victim([&] {
    const topic theirs = open(path);
    leat::producer out{theirs};
    traced_child::mark();
    out.send("its own").value();
    traced_child::mark();
  });
  victim.to_mark();
  for (;;) {
    REQUIRE(victim.to_system_call() == traced_child::state::stepping);
    const auto call = victim.at_system_call();
    if (call.entered && call.number == SYS_msync) break;
  }
  CHECK(t.log()->context().pins.try_own(leat::storage::flush_byte(0)) == leat::storage::pins::refusal::exclusive);
  if (killed) victim.kill();
  leat::producer out{t};
  const std::uint64_t before = t.describe().partitions[0].end_offset;
  out.send("another's").value();
  CHECK(t.describe().partitions[0].durable_offset == before + 1);
  CHECK(before == 2);  // the victim's record was appended, and is durable with ours
}

}  // namespace process_durability
