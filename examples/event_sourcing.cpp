// An account is the sum of its entries in the log. Two threads withdraw at once, and it is never overdrawn: an entry is
// appended only if nothing came in between since the balance was computed.
#include <leat/leat.hpp>

#include <cstdint>
#include <iostream>
#include <latch>
#include <stdexcept>
#include <thread>

namespace {

struct entry {
  std::int64_t cents;
};

class account {
 public:
  explicit account(const leat::topic<entry>& log)
      : in_(log, {.auto_offset_reset = leat::offset_reset::earliest}), out_(log) {}

  void deposit(std::int64_t cents) { out_.send(entry{cents}).value(); }

  /// False when the balance is too low for it.
  bool withdraw(std::int64_t cents) {
    for (;;) {
      if (balance() < cents) return false;
      const auto appended = out_.send_if({0, in_.position(0)}, leat::null, entry{-cents});
      if (appended) return true;
      if (appended.error() != leat::errc::mismatched) throw leat::error(appended.error(), "account", "cannot withdraw");
      ++conflicts_;  // somebody else was faster: look again
    }
  }

  std::int64_t balance() {
    for (auto batch = in_.poll(); !batch.empty() || batch.error() != leat::errc::ok; batch = in_.poll()) {
      for (const auto& record : batch) {
        balance_ += record.value().cents;
        if (balance_ < 0) throw std::runtime_error("overdrawn");
      }
    }
    return balance_;
  }

  int conflicts() const noexcept { return conflicts_; }

 private:
  leat::consumer<entry> in_;
  leat::producer<entry> out_;
  std::int64_t balance_ = 0;
  int conflicts_ = 0;
};

}  // namespace

int main() {
  const leat::store store = leat::store::in_process();
  const auto log = store.topic<entry>("account-42");
  account(log).deposit(100'000);

  std::latch both(2);
  const auto spend = [&](std::int64_t cents) {
    account mine(log);
    both.arrive_and_wait();
    int times = 0;
    while (mine.withdraw(cents)) ++times;
    std::cout << times << " times " + std::to_string(cents) + ", " + std::to_string(mine.conflicts()) + " conflicts\n";
  };
  std::thread one(spend, 7);
  std::thread other(spend, 11);
  one.join();
  other.join();

  const std::int64_t left = account(log).balance();
  std::cout << left << " cents left\n";
  return left >= 0 && left < 7 ? 0 : 1;
}
