// Recommendations from clicks: who looked at a tent and a stove might want a lamp, as others looked at all three.
//
// The clicks are synthetic, and keyed by user. What is counted of a partition (the last items of each user, and how
// often two items were looked at together) is the state of its owner. Each change of it goes to a changelog topic as
// well: from there the next owner restores it, and from there anybody can read it, here those who recommend.
#include "counter.hpp"
#include "items.hpp"
#include "table.hpp"

#include <leat/leat.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace shop {
namespace {

using namespace std::chrono_literals;

using pair_counts = std::map<item_pair, std::uint64_t>;
using users_items = std::map<std::string, recent_items>;

/// The items that were most often looked at together with this user's.
std::vector<std::uint16_t> recommend(const recent_items& recent, const pair_counts& together) {
  std::vector<std::pair<std::uint64_t, std::uint16_t>> scores;
  for (std::uint16_t item = 0; item < items.size(); ++item) {
    if (std::ranges::find(recent.all(), item) != recent.all().end()) continue;
    std::uint64_t score = 0;
    for (const std::uint16_t mine : recent.all()) {
      if (const auto found = together.find(pair_of(mine, item)); found != together.end()) score += found->second;
    }
    scores.emplace_back(score, item);
  }
  std::ranges::sort(scores, std::greater());
  std::vector<std::uint16_t> best;
  for (const auto& [score, item] : std::span(scores).first(2)) best.push_back(item);
  return best;
}

void expect(bool right, const std::string& what) {
  if (!right) throw std::runtime_error(what);
}

void run() {
  const leat::store store = leat::store::in_process();
  const topics all(store);

  // Everybody has a theme, and now and then looks at something else. What is to come out is counted here at once.
  std::mt19937 generator(20260302);
  const auto random = [&](std::uint32_t below) { return static_cast<std::uint32_t>(generator() % below); };
  leat::producer out{all.clicks};
  users_items expected_recent;
  pair_counts expected_together;
  std::size_t sent = 0;
  const auto click_around = [&](std::size_t times) {
    for (sent += times; times > 0; --times) {
      const std::uint32_t number = random(200);
      const std::string user = "user-" + std::to_string(number);
      const std::uint32_t theme = random(8) == 0 ? random(4) : number % 4;
      const auto item = static_cast<std::uint16_t>(theme * items_in_theme + random(items_in_theme));
      out.send(user, click{item}).value();
      for (const std::uint16_t before : expected_recent[user].all()) {
        if (before != item) ++expected_together[pair_of(before, item)];
      }
      expected_recent[user].add(item);
    }
  };

  auto first = std::make_unique<counter>(store, all);
  counter second(store, all);
  std::size_t counted = 0;
  const auto count_until = [&](const std::string& what, auto condition) {
    for (const auto limit = std::chrono::steady_clock::now() + 60s; !condition();) {
      counted += (first ? first->count() : 0) + second.count();
      expect(std::chrono::steady_clock::now() < limit, "counted for a minute until " + what);
    }
  };
  click_around(3000);
  count_until("both had their share", [&] { return first->owns() == 2 && second.owns() == 2; });
  count_until("all was counted", [&] { return counted == sent; });

  click_around(3000);
  const std::size_t uncommitted = first->count(false);
  first.reset();  // it goes, and has not committed
  count_until("the second had everything", [&] { return second.owns() == partitions; });
  count_until("all was counted", [&] { return counted == sent; });

  users_items recent;
  pair_counts together;
  for (std::uint32_t partition = 0; partition < partitions; ++partition) {
    for (const auto& [user, row] : read_table(all.recent, partition, leat::unlimited)) recent[user] = row.value;
    for (const auto& [both, row] : read_table(all.together, partition, leat::unlimited)) together[both] += row.value;
  }
  std::size_t to_their_taste = 0;
  for (const auto& [user, mine] : recent) {
    const auto best = recommend(mine, together);
    const auto number = std::stoul(user.substr(user.find('-') + 1));
    if (best[0] / items_in_theme == number % 4) ++to_their_taste;
    if (number >= 4) continue;
    std::cout << user << " looked at";
    for (const std::uint16_t item : mine.all()) std::cout << (item == mine.item[0] ? " " : ", ") << items[item];
    std::cout << "; recommended: " << items[best[0]] << ", " << items[best[1]] << '\n';
  }
  std::cout << "the first recommendation fits the taste of " << to_their_taste << " of " << recent.size() << " users\n"
            << sent << " synthetic clicks, " << uncommitted
            << " of them counted by two members, since the first went before it had committed\n";

  expect(uncommitted > 0, "nothing was counted twice, so this shows nothing");
  expect(together == expected_together, "items that were looked at together: the counts are wrong");
  for (const auto& [user, items_now] : expected_recent) {
    expect(std::ranges::equal(items_now.all(), recent[user].all()), "the last items of " + user + " are wrong");
  }
  expect(to_their_taste * 10 >= recent.size() * 9, "most recommendations should fit");
}

}  // namespace
}  // namespace shop

int main() {
  try {
    shop::run();
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "recommendations: " << e.what() << '\n';
    return 1;
  }
}
