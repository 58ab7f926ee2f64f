// Sensors watched: a week of the world's seismometers, as the U.S. Geological Survey had it. Real events, keyed by the
// network that measured them, with the time of the event as the record's timestamp.
//
//     earthquakes [directory with earthquakes.csv]
//
// While the feed sends, two others read it, each in its own way: statistics begin with the first record whenever they
// start, so they need no group; the alarm is a group, and goes on behind what it has committed. It is restarted in
// between, and no alarm is missing or given twice.
#include "csv.hpp"
#include "event.hpp"

#include <leat/leat.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <exception>
#include <future>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace seismic {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t partitions = 3;

using events_topic = leat::topic<event>;

void feed(const events_topic& events, const std::string& directory) {
  leat::producer out{events};
  read_csv(directory + "/earthquakes.csv", 10, [&](const std::vector<std::string>& f) {
    const leat::timestamp time{std::chrono::milliseconds(number<std::int64_t>(f[0]))};
    out.send(f[2], event{number<double>(f[4]), number<double>(f[6]), f[3], f[9]}, {.timestamp = time}).value();
  });
}

bool nothing_left(leat::consumer<event>& in) {
  for (std::uint32_t p = 0; p < partitions; ++p) {
    if (in.lag(p) != 0) return false;
  }
  return true;
}

struct figures {
  std::uint64_t events = 0;
  std::uint64_t strong = 0;
  bool operator==(const figures&) const = default;
};
using figures_by_network = std::map<std::string, figures>;

figures_by_network count(const events_topic& events, const std::atomic<bool>& complete) {
  figures_by_network counted;
  leat::consumer in{events, {.auto_offset_reset = leat::offset_reset::earliest}};
  for (bool more = true; more;) {
    const bool was_complete = complete;
    for (const auto& record : in.poll(10ms)) {
      figures& network = counted[std::string(record.key())];
      ++network.events;
      if (record.value().is_strong()) ++network.strong;
    }
    more = !was_complete || !nothing_left(in);
  }
  return counted;
}

/// Alarms until there is nothing left, or until it has given so many.
std::uint64_t alarm(const events_topic& events, const events_topic& alarms, const std::atomic<bool>& complete,
                    std::uint64_t most) {
  leat::producer out{alarms};
  leat::consumer in{events,
                    {.auto_offset_reset = leat::offset_reset::earliest, .group = "alarm", .enable_auto_commit = false}};
  for (std::uint64_t given = 0;;) {
    const bool was_complete = complete;
    for (const auto& record : in.poll(10ms)) {
      if (!record.value().is_strong()) continue;
      out.send(record.key(), record.value(), {.timestamp = record.timestamp()}).value();
      // At once, so that a restart does not give it again. (One that dies in between does: at least once.)
      in.commit({{events.name(), record.partition()}, record.offset() + 1}).value();
      if (++given == most) return given;
    }
    in.commit().value();
    if (was_complete && in.owned().size() == partitions && nothing_left(in)) return given;
  }
}

// --- the week ---

void expect(bool right, const std::string& what) {
  if (!right) throw std::runtime_error(what);
}

std::string day_and_time(leat::timestamp time) {
  const std::time_t seconds =
      std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(time));
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::ostringstream text;
  text << std::put_time(&utc, "%Y-%m-%d %H:%M");
  return text.str();
}

void run(const std::string& directory) {
  const leat::store store = leat::store::in_process();
  const auto events = store.topic<event>("events", {.partitions = partitions, .segment_bytes = 256 << 10});
  const auto alarms = store.topic<event>("alarms", {.segment_bytes = 64 << 10});

  std::atomic<bool> complete = false;
  auto feeding = std::async(std::launch::async, [&] {
    struct guard {  // also when a file is wrong: the others wait for it
      std::atomic<bool>& flag;
      ~guard() { flag = true; }
    } const at_end{complete};
    feed(events, directory);
  });
  auto counting = std::async(std::launch::async, [&] { return count(events, complete); });
  std::uint64_t given = alarm(events, alarms, complete, 40);
  given += alarm(events, alarms, complete, leat::unlimited);  // restarted
  feeding.get();
  const figures_by_network counted = counting.get();

  figures_by_network expected;
  std::uint64_t expected_strong = 0;
  read_csv(directory + "/earthquakes_by_network.expected.csv", 3, [&](const std::vector<std::string>& f) {
    expected[f[0]] = {number<std::uint64_t>(f[1]), number<std::uint64_t>(f[2])};
    expected_strong += expected[f[0]].strong;
  });

  std::cout << "network  events  earthquakes of 4.5 or more\n";
  for (const auto& [network, f] : counted) {
    std::cout << std::setw(7) << network << std::setw(8) << f.events << std::setw(9) << f.strong << '\n';
  }

  // The alarms of the last day: the log finds them by their time.
  const leat::timestamp from = std::chrono::sys_days(std::chrono::year(2018) / 2 / 6) + 12h;
  leat::consumer in{alarms};
  in.seek_to_time(from);
  std::cout << "\nalarms since " << day_and_time(from) << " UTC\n";
  while (in.lag(0) != 0) {
    for (const auto& record : in.poll()) {
      expect(record.value().is_strong(), "an alarm without a strong earthquake");
      if (record.timestamp() < from) continue;  // given later than one that came later
      std::cout << day_and_time(record.timestamp()) << "  " << record.value().magnitude << "  " << record.value().place
                << '\n';
    }
  }

  expect(counted == expected, "the figures by network are not those of earthquakes_by_network.expected.csv");
  expect(given == expected_strong && alarms.end_offset(0) == expected_strong,
         std::to_string(alarms.end_offset(0)) + " alarms, expected " + std::to_string(expected_strong));
}

}  // namespace
}  // namespace seismic

int main(int argc, char** argv) {
  try {
    seismic::run(argc > 1 ? argv[1] : EARTHQUAKES_DATA);
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "earthquakes: " << e.what() << '\n';
    return 1;
  }
}
