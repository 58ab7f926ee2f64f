// One program for shared memory and for Apache Kafka: what differs is how it opens its store.
//
//     example_outgrown [STORE [TOPIC]]                  a store in shared memory
//     example_outgrown_on_kafka localhost:9092 [TOPIC]  a Kafka cluster
//
// The topic is a new one, or empty, and stays in the cluster.
// A shop sends orders, two members of a group enter them in its books. The sums by customer must be right.
#ifdef ON_KAFKA
#include <leat/kafka/kafka.hpp>
namespace engine = leat::kafka;
#else
#include <leat/leat.hpp>
namespace engine = leat;
#endif

#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <unistd.h>

namespace {

using namespace std::chrono_literals;

struct order {
  std::uint64_t number;
  std::int64_t cents;
};

constexpr std::uint64_t orders = 1000;

std::string customer_of(std::uint64_t number) { return "customer " + std::to_string(number % 20); }

void send_orders(const engine::topic<order>& topic) {
  engine::producer out{topic};
  std::vector<std::pair<std::string, order>> all;
  for (std::uint64_t i = 0; i < orders; ++i) all.emplace_back(customer_of(i), order{i, static_cast<std::int64_t>(i)});
  const auto sent = out.send_batch(all);
  if (sent.count != orders) throw engine::error(sent.error, topic.name(), "not all orders were taken");
}

/// What was sold, to whom, under each order's number: whoever reads an order again changes nothing.
struct entry {
  std::string customer;
  std::int64_t cents;
};
using books = std::map<std::uint64_t, entry>;

/// A member of the group.
class bookkeeper {
 public:
  explicit bookkeeper(const engine::topic<order>& topic)
      : in_(topic, {.auto_offset_reset = engine::offset_reset::earliest,
                    .group = "books",
                    .session_timeout = 6s,  // so long Kafka waits for a member that is gone
                    .enable_auto_commit = false}) {}

  void work(books& all) {
    bool any = false;
    for (const auto& record : in_.poll(50ms)) {
      all[record.value().number] = {std::string(record.key()), record.value().cents};
      any = true;
    }
    if (!any) return;
    // Fenced: the group is giving its partitions to others, who read once more what is not committed.
    if (const auto done = in_.commit(); done.error() != leat::errc::fenced) done.value();
  }

 private:
  engine::consumer<order> in_;
};

bool books_are_right(const engine::topic<order>& topic) {
  books all;
  bookkeeper first(topic);
  bookkeeper second(topic);
  const auto deadline = std::chrono::steady_clock::now() + 100s;
  while (all.size() < orders && std::chrono::steady_clock::now() < deadline) {
    first.work(all);
    second.work(all);
  }

  std::map<std::string, std::int64_t> expected;
  for (std::uint64_t i = 0; i < orders; ++i) expected[customer_of(i)] += static_cast<std::int64_t>(i);
  std::map<std::string, std::int64_t> sums;
  for (const auto& [number, sold] : all) sums[sold.customer] += sold.cents;
  std::cout << all.size() << " orders of " << sums.size() << " customers\n";
  return sums == expected;
}

}  // namespace

int main(int argc, char** argv) {
  try {
#ifdef ON_KAFKA
    if (argc < 2) {
      std::cerr << "usage: " << argv[0] << " HOST:PORT [TOPIC]\n";
      return 2;
    }
    const auto store = engine::store::open(argv[1]);
#else
    const std::string place = argc > 1 ? argv[1] : "outgrown-" + std::to_string(::getpid());
    const auto store = engine::store::open(place);
#endif
    const std::string name = argc > 2 ? argv[2] : "orders-" + std::to_string(::getpid());
    const auto topic = store.topic<order>(name, {.partitions = 4});
    send_orders(topic);
    const bool right = books_are_right(topic);
#ifndef ON_KAFKA
    engine::store::remove(place);
#endif
    return right ? 0 : 1;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
