// flight_delays: 20,000 real flights, sent again and again by several processes and counted by others, while one of each
// is killed with SIGKILL and replaced. In the end every airport's figures must be exactly right.
//
//   timetable   the flights                       topics      what goes through the log
//   workload    who sends and counts what         producer    finds in the log where its predecessor stopped
//   supervisor  starts, kills, replaces           consumer    saves figures and position in one record
//   scoreboard  measurements                      report      checks the result, prints what was measured
#include "processes.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "settings.hpp"
#include "supervisor.hpp"
#include "workload.hpp"

#include <leat/store.hpp>

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
      "%s flights x %s rounds = %s records, %s a second, in %u partitions\n"
      "%u producer processes, %u consumer processes; one of each is killed on the way\n\n",
      grouped(work.departures.size()).c_str(), grouped(work.rounds).c_str(), grouped(work.records()).c_str(),
      grouped(static_cast<std::uint64_t>(work.options.rate)).c_str(), work.options.partitions, work.options.producers,
      work.options.consumers);
}

/// The members of this function die in the right order: first the processes, then the store, then the signals.
int run(const demo::settings& options) {
  const demo::workload work(options);
  const demo::shared<demo::scoreboard> board;
  const demo::signal_watch signals;
  const scratch_store scratch;
  print_plan(work);

  demo::supervisor supervisor(signals, work, scratch.name(), *board);
  supervisor.run();

  const leat::store store = leat::store::open(scratch.name());
  const demo::delays_by_airport counted = demo::collect_figures(store, work);
  const std::vector<std::string> wrong = demo::check(store, work, counted);
  if (wrong.empty()) {
    demo::print_summary(store, work, *board, supervisor.replacements(), counted);
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
