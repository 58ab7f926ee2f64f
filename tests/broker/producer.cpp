// What only a real Kafka can judge of producers: limits that it keeps. `./run kafka` starts one.
#include <leat/kafka/producer.hpp>

#include "broker/place.hpp"
#include "support/catch.hpp"

#include <leat/properties.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace broker_producer {

using broker_tests::place;
using leat::errc;

TEST_CASE("small records go into a topic whose limit is smaller than all of them together") {
  place p;
  const std::uint32_t limit = GENERATE(std::uint32_t{2000}, std::uint32_t{64 << 10});
  const bool set = GENERATE(false, true);
  CAPTURE(limit, set);
  const auto topic = p.store.topic<std::string>(p.name("t"), {.max_record_bytes = limit});
  leat::kafka::property_map properties{{"linger.ms", "50"}};
  if (set) properties["batch.size"] = "500000";
  leat::kafka::producer out{topic, {}, properties};
  const auto sent = out.send_batch(std::vector<std::string>(5000, std::string(100, 'v')));
  CHECK(sent.error == errc::ok);
  CHECK(sent.count == 5000);
  CHECK(topic.end_offset(0) == 5000);
  CHECK(out.send(std::string(limit + 1, 'v')).error() == errc::too_large);
}

}  // namespace broker_producer
