// The code of the chapter on power failures in docs/guide.md: each part between `// snippet: name` and `// end` stands there
// as it is here, which a test checks; and this program, a test as well, runs all of it in a store in a directory of its own.
// Ends with 1 where something is off.
#include <leat/async_producer.hpp>
#include <leat/leat.hpp>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>

#include <stdlib.h>

using namespace std::chrono_literals;

namespace {

void expect(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

struct scratch {
  std::string path = (std::filesystem::temp_directory_path() / "leat-durability-XXXXXX").string();
  scratch() {
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary directory");
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

std::uint64_t durable(const leat::store& store, const std::string& topic) {
  return store.describe_topic(topic).partitions.at(0).durable_offset;
}

void choosing(const leat::store& store) {
  // snippet: durability
  const auto orders = store.topic<std::string>("orders", {.durability = leat::durability::every});
  const auto clicks = store.topic<std::string>(
      "clicks", {.durability = leat::durability::interval, .flush = {.interval = 200ms, .bytes = 4 << 20}});
  // end
  expect(orders.describe().durability == leat::durability::every, "every");
  expect(clicks.describe().flush_interval == 200ms && clicks.describe().flush_bytes == 4 << 20, "interval");

  // snippet: every
  leat::producer out{orders};
  try {
    out.send("account-42", "3 cogs").value();  // it is on the device
  } catch (const leat::error& e) {
    std::cerr << e.what() << '\n';  // the device: the record is in the log, but perhaps not there
  }
  // end
  expect(durable(store, "orders") == 1, "a send returns when its record is on the device");

  // snippet: flush
  leat::producer loader{orders, {.wait_for_device = false}};
  for (int i = 0; i < 1000; ++i) loader.send("account-42", std::to_string(i)).value();
  loader.flush();  // all of them are on the device, by a call or two of it
  // end
  expect(durable(store, "orders") == 1001, "flush() waits for all");

  leat::producer tracker{clicks};
  tracker.send("a click").value();
  tracker.flush();
  expect(durable(store, "clicks") == 1, "flush() does not wait for the interval");

  tracker.send("another").value();
  // snippet: flush_all
  leat::admin{store}.flush("clicks");  // whoever sent them
  // end
  expect(durable(store, "clicks") == 2, "an operator's flush");
}

void many_threads(const leat::store& store) {
  const auto orders = store.topic<std::string>("orders");
  std::atomic<int> acknowledged{0};
  // snippet: async_every
  leat::async_producer out{orders};
  for (int i = 0; i < 1000; ++i) {
    const auto accepted = out.send_then("account-42", std::to_string(i), [&](const leat::send_outcome& at) {
      if (at) ++acknowledged;  // it is on the device
    });
    accepted.value();
  }
  out.flush().value();
  // end
  expect(acknowledged == 1000 && durable(store, "orders") == 2001, "acknowledged when they are on the device");
  const auto flushes = store.describe_topic("orders").partitions.at(0).flushes;
  expect(flushes < 1000, "many records share a call of the device");
}

void recovered(const leat::store& store) {
  // snippet: recovered
  const leat::topic_description is = store.describe_topic("orders");
  if (is.recovered) {  // since the machine was started, or at some start before
    for (const leat::partition_description& p : is.partitions) {
      std::cout << "partition " << p.partition << " ended at offset " << *p.recovered_end << '\n';
    }
  }
  // end
  expect(!is.recovered, "the machine has not died meanwhile");
}

}  // namespace

int main() try {
  const scratch directory;
  const leat::store store = leat::store::open(directory.path + "/store");
  choosing(store);
  many_threads(store);
  recovered(store);
  return 0;
} catch (const std::exception& e) {
  std::cerr << "durability: " << e.what() << '\n';
  return 1;
}
