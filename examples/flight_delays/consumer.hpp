// A consumer process: counts the flights of its partitions, from wherever its predecessor's saved figures end.
#pragma once

#include "scoreboard.hpp"
#include "workload.hpp"

#include <cstdint>
#include <string>

namespace demo {

void run_consumer(const std::string& store_name, const workload& work, std::uint32_t id, scoreboard& board);

}  // namespace demo
