// The checker of campaigns finds each way of being wrong, by name and with the entries that contradict each other.
#include "support/campaign_checker.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace unit_campaign_checker {

using leat::errc;
using leat_tests::campaign::checker;
using leat_tests::campaign::entry;
using leat_tests::campaign::facts;
using leat_tests::campaign::life;
using leat_tests::campaign::text_of;
using leat_tests::campaign::violation;
using leat_tests::campaign::what;

constexpr life producer = 1;
constexpr life other_producer = 2;
constexpr life member = 10;
constexpr life other_member = 11;
constexpr life reader = 20;
constexpr std::uint64_t too_long = 1000;

/// A history of two partitions: 0 waits for the group, 1 does not, and has lost its offset 0.
class sample {
 public:
  std::vector<entry> log;
  facts known{.partitions = {{.start = 0, .end = 4, .waits = true}, {.start = 1, .end = 3, .waits = false}},
              .too_long = too_long};

  sample() {
    // Two producers take turns.
    sent(producer, 0, 0, 0);
    sent(other_producer, 0, 0, 1);
    sent(producer, 1, 0, 2);
    sent(other_producer, 1, 0, 3);
    sent(producer, 2, 1, 0);
    sent(producer, 3, 1, 1);
    sent(producer, 4, 1, 2);
    // A member reads half of partition 0, commits and gives it up; another reads the rest, and is killed.
    take(member, 0, 1, 0);
    read(member, 0, 0, producer, 0);
    read(member, 0, 1, other_producer, 0);
    process(member, 0, 1, 0, 2);
    commit(member, 0, 1, 2);
    revoke(member, 0, 1, 2);
    give_up(member, 0, 1, 2);
    take(other_member, 0, 2, 2);
    read(other_member, 0, 2, producer, 1);
    process(other_member, 0, 2, 2, 3);
    commit(other_member, 0, 2, 3);
    read(other_member, 0, 3, other_producer, 1);
    process(other_member, 0, 2, 3, 4);
    add({.kind = what::killed, .life = other_member});
    take(member, 0, 3, 3);
    read(member, 0, 3, other_producer, 1);  // once more: at least once
    process(member, 0, 3, 3, 4);
    // Partition 1 has a reader that is no member; retention has overtaken it.
    add({.kind = what::skipped, .life = reader, .partition = 1, .from = 0, .to = 1});
    read(reader, 1, 1, producer, 3);
    poll(reader, 1, 1, 2);
    read(reader, 1, 2, producer, 4);
    poll(reader, 1, 2, 3);
  }

  void add(entry e) {
    e.time = log.size();
    log.push_back(e);
  }
  void sent(life who, std::uint64_t number, std::uint32_t p, std::uint64_t offset) {
    add({.kind = what::sent, .life = who, .partition = p, .from = number, .to = offset});
  }
  void read(life who, std::uint32_t p, std::uint64_t offset, life from, std::uint64_t number) {
    add({.kind = what::read, .life = who, .partition = p, .from = offset, .to = number, .other = from});
  }
  void poll(life who, std::uint32_t p, std::uint64_t from, std::uint64_t to) {
    add({.kind = what::polled, .life = who, .partition = p, .from = from, .to = to});
  }
  void take(life who, std::uint32_t p, std::uint32_t epoch, std::uint64_t from) {
    add({.kind = what::taken, .life = who, .partition = p, .epoch = epoch, .from = from});
  }
  void process(life who, std::uint32_t p, std::uint32_t epoch, std::uint64_t from, std::uint64_t to) {
    add({.kind = what::processed,
         .life = who,
         .partition = p,
         .epoch = epoch,
         .from = from,
         .to = to,
         .other = log.size()});
  }
  void commit(life who, std::uint32_t p, std::uint32_t epoch, std::uint64_t offset, errc outcome = errc::ok) {
    add({.kind = what::to_commit, .life = who, .partition = p, .epoch = epoch, .from = offset});
    add({.kind = what::committed,
         .code = static_cast<std::uint16_t>(outcome),
         .life = who,
         .partition = p,
         .epoch = epoch,
         .from = offset,
         .other = log.size() - 1});
  }
  void revoke(life who, std::uint32_t p, std::uint32_t epoch, std::uint64_t position) {
    add({.kind = what::revoked, .life = who, .partition = p, .epoch = epoch, .from = position});
  }
  void give_up(life who, std::uint32_t p, std::uint32_t epoch, std::uint64_t position) {
    add({.kind = what::given_up, .life = who, .partition = p, .epoch = epoch, .from = position});
  }

  /// The entry of this kind of this life, the `n`th.
  entry& at(what kind, life who, std::size_t n = 0) {
    for (entry& e : log) {
      if (e.kind == kind && e.life == who && n-- == 0) return e;
    }
    throw std::runtime_error("no such entry");
  }
  void remove(const entry& e) { log.erase(log.begin() + (&e - log.data())); }

  /// What is found, each once.
  std::vector<std::string> properties() const {
    std::vector<std::string> names;
    for (const violation& v : checker(log, known).run()) {
      if (names.empty() || names.back() != v.property) names.push_back(v.property);
    }
    return names;
  }
  std::vector<violation> found() const { return checker(log, known).run(); }
};

using names = std::vector<std::string>;

TEST_CASE("a history in which nothing is wrong is found to be sound, whoever was killed and read twice") {
  const sample s;
  CHECK(s.properties() == names{});
  checker c(s.log, s.known);
  (void)c.run();
  CHECK(c.acknowledged() == 7);
  CHECK(c.records() == 6);
  CHECK(c.tenures() == 3);
  CHECK(c.redelivered() == 1);
}

TEST_CASE("bytes that nobody wrote are found as a torn read") {
  sample s;
  s.at(what::read, reader).code = 1;
  const auto found = s.found();
  REQUIRE(found.size() >= 1);
  CHECK(found.front().property == "torn read");
  CHECK(found.front().text.find("at offset 1") != std::string::npos);
}

TEST_CASE("an offset that is one record for one reader and another for another is found as two values") {
  sample s;
  s.read(reader, 0, 1, other_producer, 7);
  REQUIRE(s.properties() == names{"two values"});
  const std::string text = s.found().front().text;
  CHECK(text.find("offset 1 is record 0 of life 2 and record 7 of life 2") != std::string::npos);
  CHECK(text.find("life 10 read") != std::string::npos);  // both witnesses
  CHECK(text.find("life 20 read") != std::string::npos);
}

TEST_CASE("a record that is not where its producer was told is found as two values") {
  sample s;
  s.at(what::sent, other_producer, 1).from = 9;
  CHECK(s.properties() == names{"two values"});
}

TEST_CASE("two records that were acknowledged at an offset that nobody could read are found as two values") {
  sample s;
  s.sent(other_producer, 5, 1, 0);
  CHECK(s.properties() == names{"two values"});
}

TEST_CASE("a record at two offsets is found as a duplicate, also in two partitions") {
  sample s;
  s.known.partitions[1].end = 4;
  s.read(reader, 1, 3, producer, 1);
  s.poll(reader, 1, 3, 4);
  // Its number is lower than the one before it, too.
  CHECK(s.properties() == names{"reordered", "duplicate"});
  sample same;
  same.known.partitions[1].end = 4;
  same.read(reader, 1, 3, producer, 4);
  same.poll(reader, 1, 3, 4);
  REQUIRE(same.properties() == names{"duplicate"});
  CHECK(same.found().front().text.find("record 4 of life 1") != std::string::npos);
}

TEST_CASE("a producer's records in another order than sent are found as reordered") {
  sample s;
  s.known.partitions[1].end = 4;
  s.read(reader, 1, 3, producer, 2);
  s.poll(reader, 1, 3, 4);
  CHECK(s.properties() == names{"reordered"});
}

TEST_CASE("offsets told to a producer that do not grow are found as reordered") {
  sample s;
  s.known.partitions[1].start = 10;
  s.sent(producer, 5, 1, 9);
  CHECK(s.properties() == names{});
  s.sent(producer, 6, 1, 8);
  CHECK(s.properties() == names{"reordered"});
}

TEST_CASE("an acknowledged record that nobody read is found as lost") {
  sample s;
  s.known.partitions[0].end = 4;
  s.sent(producer, 5, 0, 4);
  REQUIRE(s.properties() == names{"lost"});
  const std::string text = s.found().front().text;
  CHECK(text.find("record 5 of life 1 was acknowledged at offset 4") != std::string::npos);
  CHECK(text.find("life 1 sent partition 0") != std::string::npos);
  // What retention has taken from where it does not wait for the group is not lost; what lies behind the log start is.
  sample taken;
  taken.sent(other_producer, 5, 1, 9);
  CHECK(taken.properties() == names{"lost"});
  taken.known.partitions[1].start = 10;
  CHECK(taken.properties() == names{});
}

TEST_CASE("records that do not follow what a reader was given before are found as a skipped poll") {
  sample s;
  s.remove(s.at(what::polled, reader, 0));
  REQUIRE(s.properties() == names{"skipped poll"});
  CHECK(s.found().front().text.find("offset 1 was due") != std::string::npos);
  sample unexplained;
  unexplained.at(what::skipped, reader).to = 0;
  CHECK(unexplained.properties() == names{"skipped poll"});
  sample in_group;
  in_group.at(what::processed, other_member, 1).from = 2;
  CHECK(in_group.properties() == names{"skipped poll"});
}

TEST_CASE("records that nobody in the group processed are found as left out") {
  sample s;
  s.known.partitions[0].end = 5;
  CHECK(s.properties() == names{"left out"});
  sample middle;
  middle.at(what::processed, member, 0).to = 1;
  CHECK(middle.properties() == names{"commit ahead", "redelivered", "left out"});
}

TEST_CASE("where retention does not wait, a group that begins anew at the log start has left nothing out") {
  sample s;
  s.take(member, 1, 1, 1);
  s.process(member, 1, 1, 1, 3);
  CHECK(s.properties() == names{});
  sample within;  // but whoever has the partition says what he skips
  within.take(member, 1, 1, 1);
  within.process(member, 1, 1, 2, 3);
  CHECK(within.properties() == names{"skipped poll", "left out"});
}

TEST_CASE("records given behind another's taking over are found as two owners") {
  sample s;
  s.process(other_member, 0, 2, 4, 4);
  REQUIRE(s.properties() == names{"two owners"});
  CHECK(s.found().front().text.find("life 10 taken partition 0 epoch 3") != std::string::npos);
}

TEST_CASE("a commit that succeeds behind another's taking over is found as two owners") {
  sample s;
  s.commit(member, 0, 1, 2);
  CHECK(s.properties() == names{"two owners"});
  sample fenced;
  fenced.commit(member, 0, 1, 2, errc::fenced);
  CHECK(fenced.properties() == names{});
}

TEST_CASE("a tenure that is begun twice, or by nobody, is found as two owners") {
  sample s;
  s.take(other_member, 0, 3, 3);
  CHECK(s.properties() == names{"two owners"});
  sample nobody;
  nobody.process(other_member, 0, 9, 4, 4);
  CHECK(nobody.properties() == names{"two owners"});
}

TEST_CASE("a partition taken from one who is well is found") {
  sample s;
  s.remove(s.at(what::killed, other_member));
  CHECK(s.properties() == names{"taken without reason"});
  // One who has lost it, and had not polled for too long, was not.
  s.add({.kind = what::lost, .life = other_member, .partition = 0, .epoch = 2, .other = too_long});
  CHECK(s.properties() == names{});
}

TEST_CASE("a commit that moves back is found, within a tenure and from one to the next") {
  sample s;
  s.commit(member, 0, 3, 4);
  CHECK(s.properties() == names{});
  s.commit(member, 0, 3, 3);
  REQUIRE(s.properties() == names{"commit moved back"});
  CHECK(s.found().front().text.find("from 4 to 0") != std::string::npos);  // the one before, as a witness
  sample undone;
  undone.at(what::taken, member, 1).from = 2;
  undone.at(what::processed, member, 1).from = 2;
  REQUIRE(undone.properties() == names{"commit moved back"});
  CHECK(undone.found().front().text.find("what was acknowledged is undone") != std::string::npos);
}

TEST_CASE("a commit ahead of what was processed is found") {
  sample s;
  s.at(what::taken, member, 1).from = 5;
  s.at(what::processed, member, 1) = {};
  CHECK(s.properties() == names{"commit ahead"});
}

TEST_CASE("a commit that fails otherwise than by fencing is found") {
  sample s;
  s.commit(member, 0, 3, 4, errc::corrupt);
  CHECK(s.properties() == names{"commit failed"});
}

TEST_CASE("records that come again behind a tenure that ended in good order are found") {
  sample s;
  s.at(what::taken, other_member).from = 1;
  s.at(what::processed, other_member).from = 1;
  s.at(what::committed, member).from = 1;
  CHECK(s.properties() == names{"redelivered"});
}

TEST_CASE("at most a dozen violations are told") {
  sample s;
  for (std::uint64_t n = 0; n < 100; ++n) s.sent(producer, 100 + n, 0, 100 + n);
  CHECK(s.found().size() == 12);
}

}  // namespace unit_campaign_checker
