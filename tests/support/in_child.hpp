// Runs part of a test in a child process: with other limits, another user, or after a fork.
//
//     CHECK(leat_tests::in_child([&] { return std::string(...); }) == "what it returns");
//
// The child makes no assertions of Catch2. Should it hang, it is killed after some seconds.
#pragma once

#include "support/end_child.hpp"

#include <exception>
#include <string>

#include <grp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace leat_tests {

/// In a child: where it reports. A child of its own that outlives it closes this, or in_child() would wait for it, too.
inline int report_descriptor = -1;

/// What `body` returned, as text; or "exception: ..." or "killed by signal N" (14: it did not end).
template <class Body>
std::string in_child(Body&& body, unsigned seconds = 20) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child < 0) return "no child";
  if (child == 0) {
    ::close(ends[0]);
    report_descriptor = ends[1];
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::alarm(seconds);
    std::string said;
    try {
      said = body();
    } catch (const std::exception& e) {
      said = std::string("exception: ") + e.what();
    }
    for (std::size_t done = 0; done < said.size();) {
      const ssize_t written = ::write(ends[1], said.data() + done, said.size() - done);
      if (written <= 0) break;
      done += static_cast<std::size_t>(written);
    }
    end_child(0);
  }
  ::close(ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t bytes; (bytes = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(bytes));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return "exit code " + std::to_string(WEXITSTATUS(status));
  return said;
}

/// For children of tests that run as root: from now on an ordinary user of no group.
inline constexpr uid_t ordinary_user = 65534;
inline bool become(uid_t user) {
  return ::setgroups(0, nullptr) == 0 && ::setgid(static_cast<gid_t>(user)) == 0 && ::setuid(user) == 0;
}
inline constexpr uid_t another_user = ordinary_user - 1;

/// in_child(), as another user.
template <class Body>
std::string as(uid_t user, Body&& body) {
  return in_child([&]() -> std::string {
    if (!become(user)) return "could not become user " + std::to_string(user);
    return body();
  });
}

}  // namespace leat_tests
