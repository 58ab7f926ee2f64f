// The values that leat::kafka shares with leat, by the names that they have there: a program that says `engine::` for both
// finds them in both.
#pragma once

#include <leat/admin.hpp>
#include <leat/codec.hpp>
#include <leat/consumer.hpp>
#include <leat/error.hpp>
#include <leat/group/assignor.hpp>
#include <leat/headers.hpp>
#include <leat/kafka/client.hpp>
#include <leat/options.hpp>
#include <leat/partitioner.hpp>
#include <leat/producer.hpp>
#include <leat/properties.hpp>
#include <leat/result.hpp>
#include <leat/types.hpp>

namespace leat::kafka {

using leat::batch_result;
using leat::bytes_view;
using leat::codec;
using leat::committed_offset;
using leat::consumer_options;
using leat::cooperative_sticky_assignor;
using leat::default_send_options;
using leat::durability;
using leat::errc;
using leat::error;
using leat::forever;
using leat::header;
using leat::header_list;
using leat::null;
using leat::offset_reset;
using leat::open_mode;
using leat::partition_offset;
using leat::producer_options;
using leat::properties;
using leat::range_assignor;
using leat::rebalance_listener;
using leat::record_position;
using leat::reset_target;
using leat::result;
using leat::round_robin_assignor;
using leat::send_options;
using leat::shift_by;
using leat::timestamp;
using leat::timestamp_type;
using leat::to_earliest;
using leat::to_latest;
using leat::to_offset;
using leat::to_time;
using leat::topic_changes;
using leat::topic_options;
using leat::topic_partition;
using leat::unlimited;

/// Options, and what is left for librdkafka.
template <class Options>
struct split_properties {
  explicit split_properties(const properties& p) {
    properties others;
    apply(p, options, &others);
    rest = for_librdkafka(others);
  }
  Options options;
  property_map rest;
};

}  // namespace leat::kafka
