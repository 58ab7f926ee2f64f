// leat over Apache Kafka: the same names for programs that have outgrown their machine.
//
//     namespace engine = leat::kafka;       // or leat
//     const auto store = engine::store::open("localhost:9092");
//
// What is equal, what differs and why stands in docs/kafka.md. Needs librdkafka: the CMake target leat::kafka.
#pragma once

#include <leat/kafka/admin.hpp>
#include <leat/kafka/async_producer.hpp>
#include <leat/kafka/consumer.hpp>
#include <leat/kafka/producer.hpp>
#include <leat/kafka/record.hpp>
#include <leat/kafka/store.hpp>
#include <leat/kafka/topic.hpp>
#include <leat/kafka/values.hpp>
