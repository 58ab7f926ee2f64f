// Figures of the repetitions of one measurement.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace bench {

class figures {
 public:
  void add(double value) { values_.push_back(value); }
  double median() const { return at(0.5); }
  double least() const { return at(0); }
  double most() const { return at(1); }
  double at(double quantile) const {
    std::vector<double> sorted = values_;
    std::ranges::sort(sorted);
    return sorted[static_cast<std::size_t>(quantile * static_cast<double>(sorted.size() - 1))];
  }

 private:
  std::vector<double> values_;
};

}  // namespace bench
