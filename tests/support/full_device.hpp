// A full device, for the process that calls it.
#pragma once

#include <csignal>

#include <sys/resource.h>

namespace leat_tests {

/// As if the device were full: no file may grow beyond so many bytes. RLIM_INFINITY: there is room again.
inline void limit_files(rlim_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

}  // namespace leat_tests
