// How fast a mirror is: records of a store in memory to Kafka, or from Kafka into one.
//
// For bench/kafka.py, which runs it beside librdkafka's own tool: kafka_mirror to-kafka|from-kafka SERVERS TOPIC RECORDS BYTES.
// Prints the seconds between the first record and the last acknowledgement.
#include <leat/kafka/mirror.hpp>
#include <leat/leat.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include <unistd.h>

namespace {

using clock_type = std::chrono::steady_clock;

double seconds_of(const leat::store& store, leat::kafka::mirror_options options, std::uint64_t records) {
  clock_type::time_point begin{};
  options.on_event = [&](const leat::kafka::mirror_event& e) {
    if (e.what == leat::kafka::mirror_event::kind::opened) begin = clock_type::now();
  };
  leat::kafka::mirror m{store, options};
  while (m.report().records < records && m.step()) {
  }
  const double seconds = std::chrono::duration<double>(clock_type::now() - begin).count();
  m.close();
  if (m.report().records != records) {
    std::cerr << "kafka_mirror: " << m.report().records << " records were mirrored, expected " << records << '\n';
    std::exit(1);
  }
  return seconds;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "kafka_mirror to-kafka|from-kafka SERVERS TOPIC RECORDS BYTES\n";
    return 2;
  }
  const bool is_to = std::string_view(argv[1]) == "to-kafka";
  const std::string topic = argv[3];
  const std::uint64_t records = std::strtoull(argv[4], nullptr, 10);
  const std::string value(std::strtoull(argv[5], nullptr, 10), 'x');
  const std::string name = "kafka_mirror." + std::to_string(::getpid());
  int code = 0;
  try {
    const leat::store store = leat::store::open(name);
    leat::kafka::mirror_options options;
    options.direction = is_to ? leat::kafka::mirror_direction::to_kafka : leat::kafka::mirror_direction::from_kafka;
    options.servers = argv[2];
    options.topics = {topic};
    options.follow = false;
    options.leat_options.retention.bytes = leat::unlimited;
    if (is_to) {
      leat::producer out{store.topic<std::string>(topic, {.retention = {.bytes = leat::unlimited}})};
      for (std::uint64_t i = 0; i < records; ++i) (void)out.send(value).value();
    }
    std::printf("%.6f\n", seconds_of(store, options, records));
  } catch (const std::exception& e) {
    std::cerr << "kafka_mirror: " << e.what() << '\n';
    code = 1;
  }
  leat::store::remove(name);
  return code;
}
