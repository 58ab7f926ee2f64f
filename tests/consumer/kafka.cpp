#include <leat/kafka/client.hpp>

#include <librdkafka/rdkafka.h>

int main() {
  const leat::kafka::client out(RD_KAFKA_PRODUCER, leat::kafka::configuration(), "localhost:1", nullptr);
  return out.get() != nullptr ? 0 : 1;
}
