// The producers of a first hour with Kafka, in four ways of sending, on either engine: a hundred records with the keys "0" to "99"
// and the values "message-0" to "message-99" to the topic "real-time-topic". Then they are read and counted.
//
//     example_tutorial_producers                             a store in shared memory
//     example_tutorial_producers_on_kafka localhost:9092     a Kafka cluster
#ifdef ON_KAFKA
#include <leat/kafka/kafka.hpp>
namespace engine = leat::kafka;
#else
#include <leat/async_producer.hpp>
#include <leat/leat.hpp>
namespace engine = leat;
#endif

#include <atomic>
#include <chrono>
#include <exception>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using topic_type = engine::topic<std::string>;

constexpr int records = 100;
std::string key(int i) { return std::to_string(i); }
std::string value(int i) { return "message-" + std::to_string(i); }

const leat::properties settings{{"acks", "all"}, {"key.serializer", "StringSerializer"}};

void fire_and_forget(const topic_type& topic) {
  engine::async_producer out{topic, settings};
  for (int i = 0; i < records; ++i) (void)out.send_then(key(i), value(i), nullptr);
}  // what was handed over is sent before it is gone

void synchronous(const topic_type& topic) {
  engine::producer out{topic, settings};
  for (int i = 0; i < records; ++i) {
    const leat::record_position at = out.send(key(i), value(i));  // throws where it fails
    if (i % 50 == 0) std::cout << "record " << i << ": partition " << at.partition << ", offset " << at.offset << '\n';
  }
}

void asynchronous(const topic_type& topic) {
  std::atomic<int> failed = 0;
  engine::async_producer out{topic, settings};
  for (int i = 0; i < records; ++i) {
    const auto taken = out.send_then(key(i), value(i), [&](const auto& outcome) { failed += outcome ? 0 : 1; });
    if (!taken) ++failed;
  }
  out.flush().value();
  if (failed != 0) throw std::runtime_error(std::to_string(failed) + " records were not sent");
}

/// With headers, and a partitioner of its own: even numbers to the first partition.
void by_own_rules(const topic_type& topic) {
  engine::producer out{topic, {.partitioner = [](auto bytes, std::uint32_t partitions) {
                         const auto last = static_cast<char>(bytes->back());
                         return (last - '0') % 2 == 0 ? 0 : partitions - 1;
                       }}};
  for (int i = 0; i < records; ++i) {
    const auto at = out.send(key(i), value(i), {.headers = {{"source", "tutorial"}, {"checked", leat::null}}});
    if (at->partition != (i % 2 == 0 ? 0 : topic.partitions() - 1)) throw std::runtime_error("a wrong partition");
  }
}

/// How often each value was read.
std::map<std::string, int> read(engine::consumer<std::string>& in, int count) {
  std::map<std::string, int> seen;
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  for (int total = 0; total < count && std::chrono::steady_clock::now() < deadline;) {
    for (const auto& r : in.poll(100ms)) {
      if (std::string(r.value()) != "message-" + std::string(r.key())) throw std::runtime_error("a wrong key");
      ++seen[std::string(r.value())];
      ++total;
    }
  }
  return seen;
}

}  // namespace

int main(int argc, char** argv) {
  try {
#ifdef ON_KAFKA
    if (argc != 2) {
      std::cerr << "usage: " << argv[0] << " HOST:PORT\n";
      return 2;
    }
    const auto store = engine::store::open(argv[1]);
#else
    const std::string place = argc > 1 ? argv[1] : "tutorial-" + std::to_string(::getpid());
    const auto store = engine::store::open(place);
#endif
    const auto topic = store.topic<std::string>("real-time-topic", {.partitions = 4});
    // Before anything is sent: it reads what comes from now on, whatever is there of an earlier hour.
    engine::consumer in{topic, leat::properties{{"auto.offset.reset", "latest"}, {"max.poll.records", "50"}}};
    fire_and_forget(topic);
    synchronous(topic);
    asynchronous(topic);
    by_own_rules(topic);
    const auto seen = read(in, 4 * records);
    bool right = seen.size() == records;
    for (const auto& [text, times] : seen) right = right && times == 4;
    std::cout << (right ? "each record was read four times\n" : "records are missing, or there are too many\n");
#ifndef ON_KAFKA
    leat::store::remove(place);
#endif
    return right ? 0 : 1;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
