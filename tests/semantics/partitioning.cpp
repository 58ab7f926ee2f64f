// Partitioning: every key lands where Kafka's default partitioner puts it, (murmur2(key) & 0x7fffffff) % partitions; an
// empty key is a key; without a key partitions change now and then; an explicit partition always wins.
#include "semantics/scenario.hpp"

#include "support/catch.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <fstream>
#include <set>
#include <string>

namespace semantics_partitioning {

using semantics::scenario;

TEST_CASE("each key of Kafka's own tests lands in Kafka's partition") {
  std::ifstream file(LEAT_TEST_VECTORS "/kafka_vectors.json");
  const auto vectors = nlohmann::json::parse(file).at("murmur2");
  REQUIRE(vectors.size() >= 10);
  scenario s;
  std::string expected;
  std::set<std::string> counts;
  for (const auto& v : vectors) {
    const auto key = v.at("key").get<std::string>();
    for (const auto& [partitions, where] : v.at("partition").items()) {
      const std::string topic = "of-" + partitions;
      if (counts.insert(partitions).second)
        s.topic(topic, {.partitions = static_cast<std::uint32_t>(std::stoul(partitions))});
      const auto sent = s.send(topic, {.key = key, .value = ""});
      const std::string line = "\"" + key + "\" of " + partitions + ": ";
      s.say() << line << sent.partition;
      expected += line + std::to_string(where.get<std::uint32_t>()) + "\n";
    }
  }
  CHECK(s.text() == expected);
}

TEST_CASE("the partition of a record is where it is read") {
  scenario s;
  s.topic("orders", {.partitions = 4});
  s.send("orders", {.key = "foobar", .value = "by key", .timestamp = 1000});
  s.send("orders", {.key = "foobar", .value = "as asked", .timestamp = 1001, .partition = 3});
  s.send("orders", {.value = "as asked", .timestamp = 1002, .partition = 1});
  s.say() << "read" << s.read_all("orders", 4);
  CHECK(s.text() == R"(read
  orders-1
    0 null "as asked" @1002
  orders-2
    0 "foobar" "by key" @1000
  orders-3
    0 "foobar" "as asked" @1001
)");
}

TEST_CASE("records without a key do not all go to one partition") {
  scenario s;
  s.topic("orders", {.partitions = 4});
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 256; ++i) seen.insert(s.send("orders", {.value = std::string(2048, 'x')}).partition);
  s.say() << (seen.size() > 1 ? "several partitions" : "one partition");
  CHECK(s.text() == "several partitions\n");
}

}  // namespace semantics_partitioning
