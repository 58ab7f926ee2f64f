// Prometheus' text exposition format: https://prometheus.io/docs/instrumenting/exposition_formats/
#pragma once

#include "sample.hpp"

#include <string>

namespace leat_tool {

std::string to_prometheus(const sample& s);

}  // namespace leat_tool
