// Where reading begins: a place such as `latest` or a time as an offset in each partition.
#pragma once

#include "parse.hpp"
#include "store_access.hpp"

#include <cstdint>
#include <vector>

namespace leat_tool {

/// All of the topic's partitions, or those that were asked for. Throws failure for one that it does not have.
std::vector<std::uint32_t> choose_partitions(const raw_topic& topic, const std::vector<std::uint32_t>& asked);

/// The offset of a place. Throws failure for an offset that cannot be read.
std::uint64_t offset_of(const raw_topic& topic, std::uint32_t partition, const place& where);

}  // namespace leat_tool
