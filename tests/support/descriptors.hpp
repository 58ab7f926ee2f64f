// Taking file descriptors away.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace leat_tests {

/// No more descriptors than there are, and `spare`.
inline void leave_descriptors(unsigned spare) {
  const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(next);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = static_cast<rlim_t>(next) + spare;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}
inline void give_descriptors_back() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace leat_tests
