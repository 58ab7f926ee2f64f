// A reader from the start sees, for each key, at least its last value, in offset order; reading inside a hole returns the next
// survivor.
#include "semantics/scenario.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace semantics_compaction {

using semantics::member;
using semantics::record;
using semantics::scenario;
using semantics::topic_partition;

const topic_partition orders{"orders", 0};

/// What is left, read from the start.
std::vector<record> survivors(scenario& s) {
  const std::uint64_t end = s.log().offsets(orders).end;
  member& m = s.reader(orders);
  std::vector<record> all;
  while (m.position(orders) < end) {
    const auto more = s.read(m, 1);
    all.insert(all.end(), more.begin(), more.end());
  }
  m.close();
  return all;
}

/// One that was written once, in the beginning, one that was written twice and then deleted, and many values of three others;
/// afterwards, what compaction has left. Each value is the number of its record, and filled up.
class compacted {
 public:
  explicit compacted(scenario& s) : s_(s) {
    s.topic("orders", {.segment_bytes = 16 * 1024, .compacted = true});
    send("once");
    send("deleted");
    send("deleted");
    send("deleted", true);
    while (sent_ < 200) send("often " + std::to_string(sent_ % 3));
    leat_tests::wait_until("most values that are not the last ones are gone", [&] {
      left_ = survivors(s);
      return left_.size() < 50;  // three segments
    });
  }

  const std::vector<record>& left() const noexcept { return left_; }
  const std::map<std::string, std::uint64_t>& last() const noexcept { return last_; }

  /// The first hole: an offset within, and the record behind it.
  std::pair<std::uint64_t, record> hole() const {
    const auto behind =
        std::ranges::adjacent_find(left_, [](const record& a, const record& b) { return b.offset > a.offset + 2; });
    REQUIRE(behind != left_.end());
    return {behind->offset + 2, *(behind + 1)};
  }

 private:
  void send(const std::string& key, bool null = false) {
    std::string value = std::to_string(sent_) + " ";
    value.resize(1000, 'x');
    const auto placed = s_.send(
        "orders", {.key = key, .value = null ? semantics::bytes() : value, .timestamp = 1000 + sent_, .partition = 0});
    REQUIRE(placed.offset == static_cast<std::uint64_t>(sent_++));
    last_[key] = placed.offset;
  }

  scenario& s_;
  int sent_ = 0;
  std::map<std::string, std::uint64_t> last_;
  std::vector<record> left_;
};

TEST_CASE("a reader from the start sees at least the last value of each key in offset order") {
  scenario s;
  LEAT_NEEDS(s, compact);
  const compacted log(s);
  std::map<std::string, std::uint64_t> seen;
  std::string wrong;
  for (const record& r : log.left()) {
    const std::string number = std::to_string(r.offset) + " ";
    if (r.value && !r.value->starts_with(number)) wrong += " not what was sent at " + number;
    seen[r.key.value()] = r.offset;
  }
  const bool rises =
      std::ranges::adjacent_find(log.left(), std::ranges::greater_equal(), &record::offset) == log.left().end();
  s.say() << "offsets " << (rises ? "rise" : "do not rise") << ", wrong:" << (wrong.empty() ? " none" : wrong);
  s.say() << (seen == log.last() ? "each key's last value is there" : "last values are missing");
  s.say() << "once is at " << seen["once"] << ", the tombstone at " << seen["deleted"];
  CHECK(s.text() == R"(offsets rise, wrong: none
each key's last value is there
once is at 0, the tombstone at 3
)");
}

TEST_CASE("reading inside a hole returns the next survivor") {
  scenario s;
  LEAT_NEEDS(s, compact);
  const compacted log(s);
  const auto [inside, next] = log.hole();
  const auto first_of = [&](member& m) {
    const record r = s.read(m, 1).front();
    return r.offset == next.offset && r.key == next.key && r.value == next.value ? "the next survivor"
                                                                                 : "another record";
  };

  member& reader = s.reader(orders);
  reader.seek(orders, inside);
  s.say() << "after a seek: " << first_of(reader);

  member& before = s.join({.group = "g"}, {"orders"});
  s.read(before, 1);
  REQUIRE(before.commit({orders, inside}) == semantics::outcome::ok);
  before.close();
  member& after = s.join({.group = "g", .reset = semantics::reset_policy::none}, {"orders"});
  s.say() << "after a commit: " << first_of(after);
  CHECK(s.text() == R"(after a seek: the next survivor
after a commit: the next survivor
)");
}

}  // namespace semantics_compaction
