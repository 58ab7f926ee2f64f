// The code of the chapters on retention and administration in docs/guide.md: each part between `// snippet: name` and
// `// end` stands there as it is here, which a test checks; and this program, a test as well, runs all of it in a store of
// its own process. Ends with 1 where something is off.
#include <leat/leat.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

void expect(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

void limits(const leat::store& store) {
  // snippet: retention
  const leat::retention_options retention{.bytes = 1 << 30, .time = 24h * 7, .wait_for_groups = true};
  const auto orders = store.topic<std::string>("orders", {.partitions = 2, .retention = retention});
  // end
  expect(orders.describe().wait_for_groups && orders.describe().retention_time == 24h * 7, "retention");
}

void back_pressure(const leat::store& store) {
  const auto jobs = store.topic<std::string>(
      "jobs", {.segment_bytes = 16 << 10, .retention = {.bytes = 32 << 10, .wait_for_groups = true}});
  leat::consumer in{jobs, {.group = "workers"}};
  expect(in.poll().empty(), "the group begins here");
  const std::string job(1000, 'j');
  // snippet: back_pressure
  leat::producer out{jobs, {.max_block = 100ms}};  // default: a minute
  const auto try_to_send = [&] {
    const leat::errc outcome = out.send(job).error();
    if (outcome == leat::errc::back_pressure) std::cerr << out.back_pressure_cause() << '\n';
    return outcome;
  };
  // end
  int sent = 0;
  for (leat::errc outcome{}; (outcome = try_to_send()) != leat::errc::back_pressure; ++sent) {
    expect(outcome == leat::errc::ok && sent < 100, "nobody had to wait");
  }
  while (!in.poll().empty()) continue;
  in.commit().value();
  expect(try_to_send() == leat::errc::ok, "it goes on once the group has committed");
  expect(jobs.start_offset(0) > 0 && jobs.end_offset(0) == static_cast<std::uint64_t>(sent) + 1, "nothing was lost");
}

void changing(const leat::store& store) {
  const leat::admin admin{store};
  const auto orders = store.topic<std::string>("orders");
  leat::producer out{orders};
  for (int i = 0; i < 10; ++i) out.send("key", std::to_string(i)).value();
  // snippet: alter
  admin.alter_topic("orders", {.retention = {.time = 1h}});  // what is not said stays
  admin.add_partitions("orders", 4);                         // in all
  admin.delete_records({"orders", 0}, 5);                    // those below offset 5
  // end
  expect(store.describe_topic("orders").retention_time == 1h, "altered");
  expect(store.describe_topic("orders").retention_bytes == 1 << 30, "the rest stays");
  out.send("key", "another").value();
  expect(out.partitions() == 4, "the producer knows");

  const auto now = std::chrono::system_clock::now();
  // snippet: seek_to_time
  leat::consumer in{orders};
  in.seek_to_time(now - 1h);
  // end
  expect(in.position(1) == 0, "an hour ago there was nothing");

  // snippet: housekeeper
  const leat::housekeeper keeps_tidy{store, 10s, [](const leat::error& e) { std::cerr << e.what() << '\n'; }};
  // end
}

void administrating(const leat::store& store) {
  // snippet: admin
  const leat::admin admin{store};
  admin.create_topic("audit", {.partitions = 2});  // strings; or by the names of types that describe() gives
  for (const std::string& topic : admin.topics()) {
    for (const leat::finding& f : admin.verify(topic)) std::cerr << f.path << ": " << f.what << '\n';
  }
  for (const std::string& group : admin.groups()) {
    for (const leat::group_offset& o : admin.describe_group(group).offsets) {
      std::cout << group << ' ' << o.at.topic << '/' << o.at.partition << " lag " << o.lag << ' ' << o.owner << '\n';
    }
  }
  // end
  expect(admin.groups() == std::vector<std::string>{"workers"}, "groups");

  // snippet: reset
  admin.reset_offsets("workers", "jobs", leat::to_earliest{});  // or to_latest, to_time, to_offset, shift_by
  admin.delete_group("workers");                                // nothing waits for it any more
  const leat::clean_report removed = admin.clean();
  // end
  expect(admin.groups().empty() && removed.topics == 0, "the group is gone");
}

}  // namespace

int main() try {
  const leat::store store = leat::store::in_process();
  limits(store);
  back_pressure(store);
  changing(store);
  administrating(store);
  return 0;
} catch (const std::exception& e) {
  std::cerr << "operations: " << e.what() << '\n';
  return 1;
}
