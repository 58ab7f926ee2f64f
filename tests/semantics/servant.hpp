// A process that answers requests, one after the other, until whoever made it is gone.
//
// What has threads of its own lives in one: the process of the scenario itself must be able to fork.
#pragma once

#include "semantics/member.hpp"
#include "support/processes.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace semantics {

class servant {
 public:
  using answer_function = std::function<json(const std::string& verb, const json& about)>;

  /// `make` is called in the new process, and gives what answers there.
  template <class Make>
  explicit servant(Make&& make) : servant(std::forward<Make>(make), sockets()) {}
  servant(const servant&) = delete;
  servant& operator=(const servant&) = delete;

  /// Throws what the answer threw. Any thread may call.
  json call(const char* verb, const json& about = {}) {
    const std::lock_guard one_at_a_time(mutex_);
    to_process_.put(json::array({verb, about}));
    const auto said = to_process_.take();
    if (!said) {
      process_.join();  // throws what it threw
      throw std::runtime_error(std::string("a servant has ended when asked to ") + verb);
    }
    if (const auto thrown = said->find("thrown"); thrown != said->end()) {
      throw std::runtime_error(std::string(verb) + ": " + thrown->get<std::string>());
    }
    return said->at("is");
  }

 private:
  struct pair {
    int ours = -1;
    int its = -1;
  };
  static pair sockets() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) throw std::runtime_error("no socketpair");
    return {ends[0], ends[1]};
  }

  template <class Make>
  servant(Make&& make, pair ends)
      : to_process_(ends.ours), process_([&] {
          ::close(ends.ours);
          const channel requests(ends.its);
          const answer_function answer = make();
          while (const auto request = requests.take()) {
            try {
              requests.put({{"is", answer(request->at(0).template get<std::string>(), request->at(1))}});
            } catch (const std::exception& e) {
              requests.put({{"thrown", e.what()}});
            }
          }
        }) {
    ::close(ends.its);
  }

  std::mutex mutex_;
  channel to_process_;
  leat_tests::child process_;
};

}  // namespace semantics
