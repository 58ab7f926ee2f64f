// A producer and a consumer that know nothing of each other but the names of a store and a topic.
//
//     example_two_terminals consume          in one terminal
//     example_two_terminals produce          in another, before or after
//
// Without an argument it is both, as two processes.
#include <leat/leat.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;

constexpr int messages = 10;

leat::topic<std::string> open_chat(const std::string& name) {
  return leat::store::open(name).topic<std::string>("chat");
}

void produce(const std::string& name, std::chrono::milliseconds pause) {
  leat::producer out{open_chat(name)};
  for (int i = 1; i <= messages; ++i) {
    out.send("terminal", "message " + std::to_string(i)).value();
    std::this_thread::sleep_for(pause);
  }
  out.send("terminal", leat::null).value();  // no value: that was all
}

/// False when a message is not the one that should come.
bool consume(const std::string& name) {
  leat::consumer in{open_chat(name), {.auto_offset_reset = leat::offset_reset::earliest}};
  for (int expected = 1;;) {
    for (const auto& record : in.poll(1s)) {
      if (!record.has_value()) return expected == messages + 1;
      std::cout << record.key() << ": " << record.value() << std::endl;
      if (record.value() != "message " + std::to_string(expected++)) return false;
    }
  }
}

int run_both(const std::string& name) {
  const pid_t child = ::fork();  // before anything of leat is open
  if (child == 0) {
    produce(name, 10ms);
    ::_exit(0);
  }
  const bool right = consume(name);
  int status = 0;
  ::waitpid(child, &status, 0);
  leat::store::remove(name);
  return right && status == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const std::string name = "two_terminals." + std::to_string(what.empty() ? ::getpid() : static_cast<int>(::getuid()));
  if (what.empty()) return run_both(name);
  if (what == "produce") {
    produce(name, 300ms);
    return 0;
  }
  const bool right = consume(name);
  leat::store::remove(name);
  return right ? 0 : 1;
}
