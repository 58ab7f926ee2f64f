// leat: a log in shared memory. This header is the whole library, but for what needs moodycamel::ConcurrentQueue
// (async_producer.hpp, subscriber.hpp) or librdkafka (kafka/kafka.hpp, kafka/mirror.hpp).
//
// Start with store.hpp; then topic.hpp, producer.hpp and consumer.hpp. docs/architecture.md is the map of the rest.
#pragma once

#include <leat/admin.hpp>
#include <leat/batch.hpp>
#include <leat/codec.hpp>
#include <leat/consumer.hpp>
#include <leat/error.hpp>
#include <leat/event_notifier.hpp>
#include <leat/headers.hpp>
#include <leat/housekeeper.hpp>
#include <leat/loan.hpp>
#include <leat/options.hpp>
#include <leat/partitioner.hpp>
#include <leat/producer.hpp>
#include <leat/properties.hpp>
#include <leat/record.hpp>
#include <leat/result.hpp>
#include <leat/store.hpp>
#include <leat/topic.hpp>
#include <leat/types.hpp>
#include <leat/version.hpp>
