// Send records, and read them where they were written. What is here one process could as well be two.
#include <leat/leat.hpp>

#include <chrono>
#include <iostream>
#include <string>

#include <unistd.h>

struct payment {
  std::uint32_t merchant;
  double amount;
};

int main() {
  using namespace std::chrono_literals;

  // In shared memory, made if it is not there. Other processes find it by its name, which can be any.
  const std::string name = "quick_start." + std::to_string(::getpid());
  const leat::store store = leat::store::open(name);
  const auto payments = store.topic<payment>("payments", {.partitions = 4});

  leat::consumer in{payments};  // from now on
  leat::producer out{payments};
  out.send("alice", payment{7, 9.50}).value();
  const leat::record_position at = out.send("bob", payment{7, 20.25}).value();
  std::cout << "bob's payment is record " << at.offset << " of partition " << at.partition << '\n';

  double total = 0;
  for (const auto& record : in.poll(100ms)) {
    std::cout << record.key() << " paid " << record.value().amount << '\n';
    total += record.value().amount;
  }

  leat::store::remove(name);
  return total == 29.75 ? 0 : 1;
}
