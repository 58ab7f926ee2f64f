// Starts everybody, and kills two of them on the way. A producer is replaced; a consumer need not be: its group goes on.
//
// The supervisor itself has nothing of leat open meanwhile: a replacement is a plain new process that opens the topic.
#pragma once

#include "processes.hpp"
#include "progress.hpp"
#include "scoreboard.hpp"
#include "workload.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace demo {

enum class role { producer, consumer };

/// One who was killed.
struct death {
  role who;
  std::uint32_t id;
  std::chrono::nanoseconds when;  // since the start
  std::uint64_t records;          // by the dead one's own count
};

class supervisor {
 public:
  supervisor(const signal_watch& signals, const workload& work, std::string store_name, scoreboard& board);

  /// Returns when all have done their work. Throws when somebody failed, or interrupted.
  void run();

  const std::vector<death>& deaths() const noexcept { return deaths_; }

 private:
  static constexpr std::chrono::seconds longest_stall{20};

  struct planned_kill {
    steady_clock::time_point when;
    role who;
    std::uint32_t id;
  };

  pid_t start(role who, std::uint32_t id);
  void start_all();
  void plan_kills();
  void kill(const planned_kill& plan);
  bool all_sent() const;
  worker_score& score(role who, std::uint32_t id) const;

  const signal_watch& signals_;
  const workload& work_;
  const std::string store_name_;
  scoreboard& board_;
  progress progress_;
  crew crew_;
  std::vector<pid_t> producers_;
  std::vector<pid_t> consumers_;
  std::vector<planned_kill> kills_;  // the next one last
  std::vector<death> deaths_;
};

std::string name_of(role who, std::uint32_t id);

}  // namespace demo
