// One program for shared memory and for Apache Kafka: what differs is how it opens its store.
//
//     example_outgrown [STORE [TOPIC]]                  a store in shared memory
//     example_outgrown_on_kafka localhost:9092 [TOPIC]  a Kafka cluster
//
// The topic is a new one, or empty, and stays in the cluster.
// A shop sends orders, two members of a group add them up by customer, each as its own copy of the shop's books. The sums must be
// right.
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

/// A member of the group, who has added up what it was given.
class bookkeeper {
 public:
  explicit bookkeeper(const engine::topic<order>& topic)
      : in_(topic,
            {.auto_offset_reset = engine::offset_reset::earliest, .group = "books", .enable_auto_commit = false}) {}

  std::uint64_t work() {
    std::uint64_t count = 0;
    for (const auto& record : in_.poll(50ms)) {
      sums_[std::string(record.key())] += record.value().cents;
      ++count;
    }
    if (count != 0) in_.commit().value();
    return count;
  }
  const std::map<std::string, std::int64_t>& sums() const { return sums_; }

 private:
  engine::consumer<order> in_;
  std::map<std::string, std::int64_t> sums_;
};

bool books_are_right(const engine::topic<order>& topic) {
  bookkeeper first(topic);
  bookkeeper second(topic);
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  std::uint64_t seen = 0;
  while (seen < orders && std::chrono::steady_clock::now() < deadline) seen += first.work() + second.work();

  std::map<std::string, std::int64_t> expected;
  for (std::uint64_t i = 0; i < orders; ++i) expected[customer_of(i)] += static_cast<std::int64_t>(i);
  std::map<std::string, std::int64_t> sums = first.sums();
  for (const auto& [customer, cents] : second.sums()) sums[customer] += cents;
  std::cout << seen << " orders of " << sums.size() << " customers\n";
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
