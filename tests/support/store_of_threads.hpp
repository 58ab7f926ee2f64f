// The three kinds of store, for tests in which many threads use one; removed also where the watchdog ends the program.
//
// In files, a thread may find a segment's file by the name that another has just given it. What is in it is ordered by the
// kernel then (the edge [name] of docs/memory-model.md), of which ThreadSanitizer knows nothing; in memory it is ordered by a mutex.
#pragma once

#include "support/catch.hpp"
#include "support/processes.hpp"
#include "support/temporary_store.hpp"

#include <filesystem>
#include <optional>

namespace leat_tests {

class store_of_threads {
 public:
  explicit store_of_threads(medium where) : temporary_(temporary_store::in(where)), store(temporary_.store) {
    if (where == medium::in_process) return;
    tidy_.emplace(std::filesystem::path(store.path()).parent_path().string());
  }

 private:
  std::optional<janitor> tidy_;  // outlives what it looks after
  temporary_store temporary_;

 public:
  const leat::store& store;
};

/// Runs the test case once in each kind of store: `const store_of_threads temporary(each_medium_of_threads());`
inline medium each_medium_of_threads() {
#if defined(__SANITIZE_THREAD__)
  return medium::in_process;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
  return medium::in_process;
#else
  return GENERATE(medium::in_process, medium::in_shared_memory, medium::on_disk);
#endif
#else
  return GENERATE(medium::in_process, medium::in_shared_memory, medium::on_disk);
#endif
}

}  // namespace leat_tests
