// A producer process: sends its airports' flights again and again, from where its predecessor stopped, until the time is up.
#pragma once

#include "scoreboard.hpp"
#include "workload.hpp"

#include <cstdint>
#include <string>

namespace demo {

void run_producer(const std::string& store_name, const workload& work, std::uint32_t id, scoreboard& board);

}  // namespace demo
