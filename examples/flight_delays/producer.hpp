// A producer process: sends its airports' flights at its rate, from wherever the log says that its predecessor stopped.
#pragma once

#include "scoreboard.hpp"
#include "workload.hpp"

#include <cstdint>
#include <string>

namespace demo {

void run_producer(const std::string& store_name, const workload& work, std::uint32_t id, scoreboard& board);

}  // namespace demo
