// Fraud while it happens: five payments with one card within ten minutes are too many.
//
// The payments are synthetic. They are keyed by card, so one consumer sees all of a card's payments, and they bear the
// time at which they were made: tills deliver late and out of order, and the window slides over the time of the events,
// not that of their arrival.
//
// Two consumers share the topic. The second comes in the middle of the day and takes over half of the cards; what the
// first knew of them it reads again from the log, which is kept anyway: the window before what is committed.
#include "detector.hpp"
#include "payments.hpp"

#include <leat/leat.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <iostream>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

namespace fraud {
namespace {

void expect(bool right, const std::string& what) {
  if (!right) throw std::runtime_error(what);
}

template <class Condition>
void wait_until(const std::string& what, Condition condition) {
  for (const auto limit = std::chrono::steady_clock::now() + 60s; !condition(); std::this_thread::sleep_for(1ms)) {
    expect(std::chrono::steady_clock::now() < limit, "waited for a minute until " + what);
  }
}

void run() {
  const leat::store store = leat::store::in_process();
  const auto payments = store.topic<payment>("payments", {.partitions = 4, .segment_bytes = 256 << 10});
  const auto alerts = store.topic<alert>("alerts", {.segment_bytes = 64 << 10});

  const synthetic_day day = make_payments();
  leat::producer tills{payments};
  std::size_t sent = 0;
  const auto send_until = [&](timestamp arrival) {
    for (; sent < day.payments.size() && day.payments[sent].arrives < arrival; ++sent) {
      const synthetic_payment& p = day.payments[sent];
      tills.send(p.card, payment{995}, {.timestamp = p.made}).value();
    }
  };

  detector first("first", store);
  send_until(day.noon);
  wait_until("the morning was judged", [&] { return first.check(), first.judged() == sent; });

  detector second("second", store);
  wait_until("the second had its share", [&] { return second.check(), second.owns() == payments.partitions() / 2; });
  send_until(timestamp::max());
  wait_until("everything was judged", [&] {
    first.check();
    second.check();
    return first.judged() + second.judged() == sent;
  });
  first.stop();
  second.stop();

  std::set<std::string> found;
  leat::consumer in{alerts, {.auto_offset_reset = leat::offset_reset::earliest}};
  while (in.lag(0) != 0) {
    for (const auto& record : in.poll()) {
      const bool is_new = found.insert(std::string(record.key())).second;
      if (!is_new || found.size() > 5) continue;
      const auto took = std::chrono::duration_cast<std::chrono::seconds>(record.value().last - record.value().first);
      std::cout << record.key() << ": " << too_many << " payments within " << took.count() << " s\n";
    }
  }
  std::cout << "... " << found.size() << " stolen cards of " << day.stolen.size() << " found in " << sent
            << " synthetic payments\nthe first consumer judged " << first.judged() << ", the second " << second.judged()
            << ", having read " << second.read_again() << " again\n";
  expect(second.read_again() > 0, "the second consumer knew nothing of the cards that it took over");
  for (const std::string& card : day.stolen) expect(found.contains(card), card + " was stolen, and nobody noticed");
  for (const std::string& card : found) expect(day.stolen.contains(card), card + " was not stolen");
}

}  // namespace
}  // namespace fraud

int main() {
  try {
    fraud::run();
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "fraud_detection: " << e.what() << '\n';
    return 1;
  }
}
