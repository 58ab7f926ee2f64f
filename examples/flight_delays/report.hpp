// Whether the result is right, and what was seen on the way.
#pragma once

#include "scoreboard.hpp"
#include "supervisor.hpp"
#include "timetable.hpp"
#include "topics.hpp"
#include "workload.hpp"

#include <string>
#include <vector>

namespace demo {

struct result {
  delays_by_airport counted;  // as the group has committed it
  /// Differences between what was counted and what should have been, and between the log's length and the records sent;
  /// empty when all is right.
  std::vector<std::string> wrong;
};

result read_result(const leat::store& store, const workload& work, const scoreboard& board);

void print_summary(const leat::store& store, const workload& work, const scoreboard& board,
                   const std::vector<death>& deaths, const delays_by_airport& counted);

}  // namespace demo
