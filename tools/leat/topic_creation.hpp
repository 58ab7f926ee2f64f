// Making topics.
#pragma once

#include "store_access.hpp"

#include <leat/leat.hpp>

#include <string>

namespace leat_tool {

/// The topic, made with these options and types if it is not there.
raw_topic open_or_create_topic(const leat::store& store, const std::string& name, const leat::topic_options& options,
                               const leat::topic_types& types);

}  // namespace leat_tool
