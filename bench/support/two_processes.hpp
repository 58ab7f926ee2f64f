// What a benchmark across two processes needs: a child on the other core, a page that both see, medians.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

inline void pin_to_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) std::perror("sched_setaffinity (not pinned)");
}

/// A T that parent and children share.
template <class T>
class shared {
 public:
  shared() : at_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (at_ == MAP_FAILED) std::abort();
    value_ = ::new (at_) T{};
  }
  ~shared() { ::munmap(at_, sizeof(T)); }
  shared(const shared&) = delete;
  shared& operator=(const shared&) = delete;
  T* operator->() const noexcept { return value_; }
  T& operator*() const noexcept { return *value_; }

 private:
  void* at_;
  T* value_;
};

/// Runs `work` in a child on core 1. The child ends with the parent, and must have succeeded when it is joined.
class child {
 public:
  template <class Work>
  explicit child(Work work) {
    pin_to_core(1);  // before the fork: the child must not need this core to get to its own
    pid_ = ::fork();
    if (pid_ < 0) std::abort();
    if (pid_ != 0) {
      pin_to_core(0);
      return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    int status = 1;
    try {
      status = work() ? 0 : 1;
    } catch (const std::exception& e) {
      std::fprintf(stderr, "child: %s\n", e.what());
    }
    std::_Exit(status);
  }
  ~child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  void join() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    if (status != 0) {
      std::fprintf(stderr, "the other process failed or saw wrong records\n");
      std::exit(1);
    }
  }

 private:
  pid_t pid_ = -1;
};

inline double nanoseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
}

/// Figures of the repetitions of one measurement.
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

/// Latencies of one repetition, in nanoseconds; sorted once.
struct percentiles {
  double p50, p99, p999, most;
  explicit percentiles(std::vector<std::uint32_t>& values) {
    std::ranges::sort(values);
    const auto at = [&](double q) {
      return static_cast<double>(values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))]);
    };
    p50 = at(0.5);
    p99 = at(0.99);
    p999 = at(0.999);
    most = at(1);
  }
};

}  // namespace bench
