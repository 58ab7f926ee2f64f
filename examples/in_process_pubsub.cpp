// One thread publishes, three others each read everything: a topic in the memory of this process.
#include <leat/leat.hpp>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct tick {
  std::uint64_t number;
  double price;
};

constexpr std::uint64_t ticks = 100'000;

void publish(const leat::topic<tick>& topic) {
  leat::producer out{topic};
  for (std::uint64_t i = 0; i < ticks; ++i) out.send(tick{i, 100 + 0.01 * static_cast<double>(i % 100)}).value();
}

/// How many ticks came in order, from the first on.
std::uint64_t subscribe(const leat::topic<tick>& topic) {
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  std::uint64_t expected = 0;
  while (expected < ticks) {
    for (const auto& record : in.poll(100ms)) {
      if (record.value().number != expected) return expected;
      ++expected;
    }
  }
  return expected;
}

}  // namespace

int main() {
  const leat::store store = leat::store::in_process();
  const auto topic = store.topic<tick>("ticks");  // one partition: everybody sees the same order

  std::vector<std::uint64_t> seen(3);
  std::vector<std::thread> threads;
  for (std::uint64_t& s : seen) threads.emplace_back([&] { s = subscribe(topic); });
  threads.emplace_back([&] { publish(topic); });
  for (std::thread& t : threads) t.join();

  int status = 0;
  for (const std::uint64_t s : seen) {
    std::cout << "a subscriber saw " << s << " ticks in order\n";
    if (s != ticks) status = 1;
  }
  return status;
}
