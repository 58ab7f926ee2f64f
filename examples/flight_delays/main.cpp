// flight_delays: 20,000 real flights, sent again and again by several processes as fast as they can, and counted by a group
// of others, while one of each is killed with SIGKILL. In the end every airport's figures must be exactly right.
//
//   timetable   the flights                       topics      what goes through the log
//   workload    who sends what                    producer    finds in the log where its predecessor stopped
//   supervisor  starts, kills, replaces           consumer    commits figures and position in one
//   scoreboard  measurements                      report      checks the result, prints what was measured
#include "processes.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "settings.hpp"
#include "supervisor.hpp"
#include "topics.hpp"
#include "workload.hpp"

#include <leat/leat.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

namespace {

/// A store in shared memory that goes with this object, whatever happens.
class scratch_store {
 public:
  scratch_store() : name_("flight_delays." + std::to_string(::getpid())) { leat::store::remove(name_); }
  scratch_store(const scratch_store&) = delete;
  scratch_store& operator=(const scratch_store&) = delete;
  ~scratch_store() {
    try {
      leat::store::remove(name_);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "flight_delays: %s\n", e.what());
    }
  }
  const std::string& name() const noexcept { return name_; }

 private:
  const std::string name_;
};

void print_plan(const demo::workload& work) {
  using demo::grouped;
  std::printf(
      "%s flights, over and over for %g s, %s, in %u partitions\n"
      "%u producer processes, a group of %u consumer processes; one of each is killed on the way\n\n",
      grouped(work.departures.size()).c_str(), work.options.seconds,
      work.options.rate > 0 ? (grouped(static_cast<std::uint64_t>(work.options.rate)) + " a second").c_str()
                            : "as fast as they can be counted",
      work.options.partitions, work.options.producers, work.options.consumers);
}

/// The topic, and the group, which is to begin with the first flight: retention waits for it even before it has members.
void prepare(const std::string& store_name, const demo::workload& work) {
  const leat::store store = leat::store::open(store_name);
  const auto flights = demo::open_flights(store, work.options);
  leat::admin(store).reset_offsets(demo::group_name, flights.name(), leat::to_earliest{});
}

/// The members of this function die in the right order: first the processes, then the store, then the signals.
int run(const demo::settings& options) {
  const demo::workload work(options);
  const demo::shared<demo::scoreboard> board;
  const demo::signal_watch signals;
  const scratch_store scratch;
  print_plan(work);
  prepare(scratch.name(), work);

  demo::supervisor supervisor(signals, work, scratch.name(), *board);
  supervisor.run();

  const leat::store store = leat::store::open(scratch.name());
  const auto [counted, wrong] = demo::read_result(store, work, *board);
  if (wrong.empty()) {
    demo::print_summary(store, work, *board, supervisor.deaths(), counted);
    return 0;
  }
  for (std::size_t i = 0; i < std::min<std::size_t>(wrong.size(), 10); ++i) {
    std::fprintf(stderr, "%s\n", wrong[i].c_str());
  }
  throw std::runtime_error("the result is wrong: " + std::to_string(wrong.size()) + " differences");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const demo::settings options = demo::parse(argc, argv);
    if (options.help) {
      std::printf("%s", demo::usage);
      return 0;
    }
    return run(options);
  } catch (const std::invalid_argument& e) {
    std::fprintf(stderr, "flight_delays: %s\n\n%s", e.what(), demo::usage);
    return 2;
  } catch (const demo::interrupted& e) {
    std::fprintf(stderr, "\nflight_delays: interrupted; everything is removed\n");
    return 128 + e.signal;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "\nflight_delays: %s\n", e.what());
    return 1;
  }
}
