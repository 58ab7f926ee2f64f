#include "timetable.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace demo {
namespace {

/// The lines of a CSV file without quotes, one after the other.
class csv {
 public:
  explicit csv(const std::string& path) : path_(path), file_(path) {
    if (!file_ || !std::getline(file_, line_)) {
      throw std::runtime_error("cannot read " + path + "; --data says where it is");
    }
  }

  bool next() {
    rest_ = {};
    if (!std::getline(file_, line_)) return false;
    ++number_;
    rest_ = line_;
    return true;
  }

  std::string_view text() {
    const std::size_t comma = std::min(rest_.find(','), rest_.size());
    const std::string_view field = rest_.substr(0, comma);
    rest_.remove_prefix(std::min(comma + 1, rest_.size()));
    return field;
  }

  template <class Number>
  Number number() {
    const std::string_view field = text();
    Number value{};
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (error == std::errc() && end == field.data() + field.size()) return value;
    throw std::runtime_error(path_ + ", line " + std::to_string(number_) + ": expected a number, not '" +
                             std::string(field) + "'");
  }

 private:
  std::string path_;
  std::ifstream file_;
  std::string line_;
  std::string_view rest_;
  int number_ = 1;
};

}  // namespace

std::vector<departure> read_departures(const std::string& directory) {
  std::vector<departure> departures;
  for (csv file(directory + "/flights.csv"); file.next();) {
    departure d{};
    d.departure_ms = file.number<std::int64_t>();
    d.origin = file.text();
    file.text().copy(d.destination.data(), d.destination.size());
    d.distance_miles = file.number<std::uint32_t>();
    d.delay_minutes = file.number<std::int32_t>();
    departures.push_back(std::move(d));
  }
  return departures;
}

delays_by_airport read_expected(const std::string& directory) {
  delays_by_airport expected;
  for (csv file(directory + "/flights_by_origin.expected.csv"); file.next();) {
    delays& d = expected[std::string(file.text())];
    d.flights = file.number<std::uint64_t>();
    d.total_minutes = file.number<std::int64_t>();
    d.over_an_hour = file.number<std::uint64_t>();
  }
  return expected;
}

}  // namespace demo
