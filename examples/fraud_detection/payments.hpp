// The topics' types, the rule, and a synthetic day of payments of which it is known which are fraud.
#pragma once

#include <leat/types.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace fraud {

using namespace std::chrono_literals;
using leat::timestamp;

inline constexpr auto window = 10min;
inline constexpr std::size_t too_many = 5;
inline constexpr auto most_late = 3min;  // a payment arrives so late at most

struct payment {
  std::uint32_t cents;
};

struct alert {
  timestamp first;
  timestamp last;
};

struct synthetic_payment {
  timestamp arrives;
  timestamp made;
  std::string card;
};

struct synthetic_day {
  timestamp noon = std::chrono::sys_days(std::chrono::year(2026) / 3 / 2) + 12h;
  std::vector<synthetic_payment> payments;  // as they arrive
  std::set<std::string> stolen;
};

inline synthetic_day make_payments() {
  synthetic_day day;
  std::mt19937 random(20260302);
  const auto up_to = [&](std::chrono::seconds most) { return std::chrono::seconds(random() % (most.count() + 1)); };
  const auto pay = [&](const std::string& card, timestamp made) {
    day.payments.push_back({made + up_to(most_late), made, card});
  };
  for (int number = 0; number < 600; ++number) {
    const std::string card = "card-" + std::to_string(1000 + number);
    timestamp now = day.noon - 6h + up_to(1h);
    // A third of the bursts are under way at noon, when the second consumer comes.
    const timestamp burst = number % 3 == 0 ? day.noon - up_to(5min) : day.noon - 4h + up_to(8h);
    switch (number % 15) {
      case 0:  // stolen: five to eight payments within ten minutes
      case 1:
        day.stolen.insert(card);
        for (std::size_t left = too_many + random() % 4, n = 0; n < left; ++n) pay(card, burst + n * 85s + up_to(5s));
        break;
      case 2:  // stolen, and just within the window
        day.stolen.insert(card);
        for (int n = 0; n < 5; ++n) pay(card, burst + n * 150s);
        break;
      case 3:  // honest, and just not within it
        for (int n = 0; n < 5; ++n) pay(card, burst + n * 150s + (n == 4 ? 1s : 0s));
        break;
      case 6:  // honest, in a hurry
        for (int n = 0; n < 4; ++n) pay(card, burst + n * 10s);
        break;
      default:  // honest: four payments take more than ten minutes
        for (; now < day.noon + 6h; now += 201s + up_to(1h)) pay(card, now);
    }
  }
  std::ranges::stable_sort(day.payments, {}, &synthetic_payment::arrives);
  return day;
}

}  // namespace fraud
