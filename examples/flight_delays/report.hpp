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

/// The figures as the consumers saved them last.
delays_by_airport collect_figures(const leat::store& store, const workload& work);

/// Differences between what was counted and what should have been, and between the log's length and the records sent;
/// empty when all is right.
std::vector<std::string> check(const leat::store& store, const workload& work, const delays_by_airport& counted);

void print_summary(const leat::store& store, const workload& work, const scoreboard& board,
                   const std::vector<replacement>& replacements, const delays_by_airport& counted);

}  // namespace demo
