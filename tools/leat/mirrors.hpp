// The mirrors of a store, by what they have committed: for stat and for mirror list.
#pragma once

#include "output.hpp"
#include "sample.hpp"
#include "text.hpp"

#include <leat/kafka/mirror_state.hpp>

#include <string>
#include <vector>

namespace leat_tool {

struct mirrored_partition {
  std::string mirror;
  leat::topic_partition at;
  bool is_running;  // it belongs to a mirror that is alive
  leat::kafka::mirror_state state;
};

std::vector<mirrored_partition> mirrors_in(const sample& s);

json to_json(const std::vector<mirrored_partition>& mirrors);
table to_table(const std::vector<mirrored_partition>& mirrors);

}  // namespace leat_tool
