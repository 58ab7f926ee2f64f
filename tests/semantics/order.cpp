// Order: one producer's records in a partition are read in the order sent, and offsets strictly increase.
// Key order: with a fixed number of partitions, one key is always in one partition.
#include "semantics/scenario.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace semantics_order {

using semantics::member;
using semantics::record;
using semantics::scenario;

TEST_CASE("records of two producers that take turns are read in the order sent at increasing offsets") {
  scenario s;
  s.topic("orders");
  const auto first = s.log().make_producer("orders");
  const auto second = s.log().make_producer("orders");
  first->send({.key = "a", .value = "1", .timestamp = 1000});
  second->send({.key = "b", .value = "1", .timestamp = 1001});
  second->send({.key = "b", .value = "2", .timestamp = 1002});
  first->send({.key = "a", .value = "2", .timestamp = 1003});
  first->send({.key = "a", .value = "3", .timestamp = 1004});
  second->send({.key = "b", .value = "3", .timestamp = 1005});
  s.say() << "read" << s.read_all({"orders", 0});
  CHECK(s.text() == R"(read
  orders-0
    0 "a" "1" @1000
    1 "b" "1" @1001
    2 "b" "2" @1002
    3 "a" "2" @1003
    4 "a" "3" @1004
    5 "b" "3" @1005
)");
}

TEST_CASE("each of several producers at once finds its records in its order in every partition") {
  scenario s;
  constexpr std::uint32_t partitions = 3;
  constexpr int each = 300;
  s.topic("orders", {.partitions = partitions});
  const std::vector<std::string> names{"a", "b", "c"};
  {
    std::vector<std::unique_ptr<semantics::producer>> out;
    for (std::size_t i = 0; i < names.size(); ++i) out.push_back(s.log().make_producer("orders"));
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < names.size(); ++i) {
      threads.emplace_back([&, i] {
        for (int n = 0; n < each; ++n) {
          out[i]->send(
              {.key = names[i], .value = std::to_string(n), .partition = static_cast<std::uint32_t>(n) % partitions});
        }
      });
    }
    for (auto& t : threads) t.join();
  }
  for (std::uint32_t p = 0; p < partitions; ++p) {
    const auto records = s.read_all({"orders", p});
    std::map<std::string, std::vector<int>> sent;
    bool increase = true;
    for (std::size_t i = 0; i < records.size(); ++i) {
      increase = increase && (i == 0 || records[i - 1].offset < records[i].offset);
      sent[*records[i].key].push_back(std::stoi(*records[i].value));
    }
    s.say() << "partition " << p << ": offsets " << (increase ? "increase" : "do not increase");
    for (const auto& [name, numbers] : sent) {
      bool in_order = numbers.size() == each / partitions;
      for (std::size_t i = 0; i < numbers.size(); ++i)
        in_order = in_order && numbers[i] == static_cast<int>(p + i * partitions);
      s.say() << "  " << name << (in_order ? ": all in order" : ": " + semantics::joined(numbers));
    }
  }
  CHECK(s.text() == R"(partition 0: offsets increase
  a: all in order
  b: all in order
  c: all in order
partition 1: offsets increase
  a: all in order
  b: all in order
  c: all in order
partition 2: offsets increase
  a: all in order
  b: all in order
  c: all in order
)");
}

TEST_CASE("a key is always in one partition whoever sends it") {
  scenario s;
  s.topic("orders", {.partitions = 7});
  for (int round = 0; round < 3; ++round) {
    const auto out = s.log().make_producer("orders");
    for (const char* const key : {"21", "foobar", "kafka", "234", ""}) {
      out->send({.key = key, .value = std::to_string(round), .timestamp = 1000 + round});
    }
  }
  s.say() << "read" << s.read_all("orders", 7);
  CHECK(s.text() == R"(read
  orders-0
    0 "foobar" "0" @1000
    1 "foobar" "1" @1001
    2 "foobar" "2" @1002
  orders-2
    0 "" "0" @1000
    1 "" "1" @1001
    2 "" "2" @1002
  orders-3
    0 "21" "0" @1000
    1 "kafka" "0" @1000
    2 "21" "1" @1001
    3 "kafka" "1" @1001
    4 "21" "2" @1002
    5 "kafka" "2" @1002
  orders-4
    0 "234" "0" @1000
    1 "234" "1" @1001
    2 "234" "2" @1002
)");
}

}  // namespace semantics_order
