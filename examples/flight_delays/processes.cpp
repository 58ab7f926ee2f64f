#include "processes.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <exception>
#include <functional>
#include <system_error>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace demo {

signal_watch::signal_watch() {
  ::sigemptyset(&watched_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::sigaddset(&watched_, signal);
  ::sigprocmask(SIG_BLOCK, &watched_, &before_);
  std::signal(SIGPIPE, SIG_IGN);  // `flight_delays | head` cleans up too
}

signal_watch::~signal_watch() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

void signal_watch::wait(std::chrono::steady_clock::time_point until) const {
  const auto left = std::max(until - std::chrono::steady_clock::now(), std::chrono::steady_clock::duration::zero());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
  const timespec timeout{seconds.count(), std::chrono::nanoseconds(left - seconds).count()};
  const int signal = ::sigtimedwait(&watched_, nullptr, &timeout);
  if (signal > 0 && signal != SIGCHLD) throw interrupted(signal);
}

void signal_watch::leave_in_child() const {
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGPIPE, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

crew::~crew() {
  for (const auto& [child, name] : names_) ::kill(child, SIGKILL);
  for (const auto& [child, name] : names_) ::waitpid(child, nullptr, 0);
}

pid_t crew::start(const std::string& name, const std::function<void()>& job) {
  std::fflush(nullptr);  // or the child would have what is in the buffers too
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child > 0) {
    names_[child] = name;
    return child;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // it died before the line above
  signals_.leave_in_child();
  int status = 0;
  try {
    job();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "\n%s: %s\n", name.c_str(), e.what());
    status = 1;
  }
  ::_exit(status);  // nothing of the parent's is destroyed here
}

void crew::kill(pid_t child) {
  const auto entry = names_.find(child);
  if (entry == names_.end()) throw std::runtime_error("the process that was to be killed has ended before");
  int status = 0;
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  const std::string name = entry->second;
  names_.erase(entry);
  if (!WIFSIGNALED(status)) throw std::runtime_error(name + " ended before it was killed");
}

void crew::reap() {
  for (auto entry = names_.begin(); entry != names_.end();) {
    int status = 0;
    if (::waitpid(entry->first, &status, WNOHANG) == 0) {
      ++entry;
      continue;
    }
    const std::string name = entry->second;
    entry = names_.erase(entry);
    if (WIFSIGNALED(status)) {
      throw std::runtime_error(name + " was ended by signal " + std::to_string(WTERMSIG(status)));
    }
    if (WEXITSTATUS(status) != 0) throw std::runtime_error(name + " has failed");
  }
}

}  // namespace demo
