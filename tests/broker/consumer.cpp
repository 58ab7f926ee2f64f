// What only a real Kafka can judge of consumers: a group that lets nobody in before its members have come back. `./run kafka`
// starts one.
#include <leat/kafka/consumer.hpp>

#include "broker/place.hpp"
#include "support/catch.hpp"
#include "support/failure.hpp"

#include <leat/kafka/consumer_configuration.hpp>
#include <leat/kafka/reader.hpp>

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <string>

namespace broker_consumer {

using broker_tests::place;
using leat::errc;
using namespace std::chrono_literals;

leat::kafka::reader reader_of(const place& p, const leat::consumer_options& options) {
  const auto& of = p.store.cluster();
  return {of, options, leat::kafka::configuration_of(options, *of, {})};
}

TEST_CASE("a consumer that its group may let in while it is closed is not destroyed") {
  place p;
  const bool cooperative = GENERATE(true, false);
  CAPTURE(cooperative);
  const auto topic = p.store.topic<std::string>(p.name("t"), {.partitions = 2});
  const leat::consumer_options options{
      .group = p.name("g"), .assignor = cooperative ? leat::cooperative_sticky_assignor() : leat::range_assignor()};
  leat::kafka::consumer<std::string> other{topic, options};
  p.until([&] { return other.poll(100ms), other.owned().size() == 2; });

  const int threads = rd_kafka_thread_cnt();
  {
    auto in = reader_of(p, options);
    in.subscribe({topic.name()}, {});
    p.until([&] { return !in.member_id().empty(); });  // the group waits for the other one, which does not poll
    CHECK(leat_tests::code_of([&] { in.close(); }) == errc::ok);
  }
  const bool mended = rd_kafka_version() >= 0x02030000;
  CHECK((rd_kafka_thread_cnt() > threads) == (cooperative && !mended));
  p.until([&] { return other.poll(100ms), other.owned().size() == 2; });
}

}  // namespace broker_consumer
