// A consumer process: a member of the group that counts the flights. Which partitions it has the group decides; their
// figures pass from owner to owner with the committed offsets.
#pragma once

#include "scoreboard.hpp"
#include "workload.hpp"

#include <cstdint>
#include <string>

namespace demo {

void run_consumer(const std::string& store_name, const workload& work, std::uint32_t id, scoreboard& board);

}  // namespace demo
