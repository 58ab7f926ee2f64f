// A topic that is deleted while others work on it: the name goes first, then its users are told, then its files go. A producer
// that has come to a roll before it was told makes a file anew, with nothing in it.

#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/media.hpp"
#include "support/temporary_store.hpp"

#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/storage/appender.hpp>
#include <leat/storage/verification.hpp>
#include <leat/store.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace unit_deleted_topic {

using leat::errc;
using leat_tests::code_of;
using leat_tests::temporary_store;
using namespace std::chrono_literals;

/// `records` from offset 0 on, in several segments; all of them are there.
struct many_segments {
  static constexpr std::uint64_t records = 2000;

  temporary_store temporary;
  leat::topic<std::uint64_t> topic;
  leat::storage::partition& partition = topic.log()->partition(0);

  explicit many_segments(leat::topic_options options = {}, temporary_store in = leat_tests::each_kind_of_store())
      : temporary(std::move(in)), topic(temporary.store.topic<std::uint64_t>("t", with_small_segments(options))) {
    CAPTURE(temporary.store.path());
    leat::producer out{topic};
    for (std::uint64_t n = 0; n < records; ++n) REQUIRE(out.send(n));
    REQUIRE(partition.begun().observe() > 2);
  }

  static leat::topic_options with_small_segments(leat::topic_options options) {
    options.segment_bytes = 16384;
    return options;
  }

  /// Nobody can open it any more, and its users are told.
  void lose_name() const {
    REQUIRE(temporary.store.files()->topics().rename("t", "~deleted-0123456789abcdef") ==
            leat::os::rename_result::done);
    topic.log()->closed_flag().set();
    topic.log()->revision().advance();
  }

  /// Takes the files of all segments away, and makes those from `first` on anew as one who rolls does: without a base offset yet,
  /// or with it.
  void make_anew(std::uint64_t first, bool with_base) const {
    const std::uint64_t begun = partition.begun().observe();
    std::vector<std::uint64_t> bases;
    for (std::uint64_t sequence = 0; sequence < begun; ++sequence) {
      leat::storage::pinned_segment segment;
      REQUIRE(partition.open(sequence, leat::os::access::read_write, segment) ==
              leat::storage::partition::opened::pinned);
      bases.push_back(partition.base_of(segment));
    }
    for (std::uint64_t sequence = 0; sequence < begun; ++sequence) {
      REQUIRE(partition.topic().directory->remove(partition.name(sequence)));
    }
    for (std::uint64_t sequence = first; sequence < begun; ++sequence) {
      leat::storage::make_segment(partition, sequence);
      leat::storage::pinned_segment segment;
      REQUIRE(partition.open(sequence, leat::os::access::read_write, segment) ==
              leat::storage::partition::opened::pinned);
      if (with_base) segment->begin_at(bases[sequence]);
    }
  }

  /// The first segment to be made anew, for each of: all of them, but one, the last alone, none.
  std::uint64_t generate_first() const {
    const std::uint64_t begun = partition.begun().observe();
    const std::uint64_t from[] = {0, 1, begun - 1, begun};
    return from[GENERATE(0, 1, 2, 3)];
  }
};

TEST_CASE("whoever uses a deleted topic is told so whatever files are made anew in it") {
  const many_segments of;
  leat::producer out{of.topic};
  const std::uint64_t first = of.generate_first();
  const bool with_base = GENERATE(true, false);
  CAPTURE(first, with_base);

  leat::consumer in{of.topic};
  of.lose_name();
  of.make_anew(first, with_base);

  CHECK(in.poll().error() == errc::closed);
  CHECK(out.send(0).error() == errc::closed);
  leat::producer late{of.topic};
  CHECK(late.send(0).error() == errc::closed);
  // Those that say where the log ends may also be told of the new files; what they must not speak of is damage.
  const auto is_told = [](errc code) { return code == errc::closed || code == errc::ok; };
  CHECK(is_told(code_of([&] { (void)of.topic.end_offset(0); })));
  CHECK(is_told(code_of([&] { (void)of.topic.describe(); })));
  CHECK(is_told(code_of([&] { (void)of.topic.offset_for_time(0, leat::timestamp()); })));
  CHECK(is_told(code_of([&] { (void)leat::storage::delete_records(of.partition, many_segments::records / 2); })));
  std::vector<leat::finding> findings;
  leat::storage::verify(of.partition, findings);
  CHECK(findings.empty());
}

TEST_CASE("a poll that began before the topic was deleted is told so whatever files are made anew in it") {
  const many_segments of;
  const std::uint64_t first = of.generate_first();
  const bool with_base = GENERATE(true, false);
  CAPTURE(first, with_base);
  std::vector<leat::format::slot_word> words(8);
  leat::storage::run found;
  const auto fetch = [&](leat::storage::cursor& from) {
    return code_of([&] {
      if (const errc failure = from.fetch(words, found); failure != errc::ok) throw leat::error(failure, "", "");
    });
  };
  leat::storage::cursor in_the_middle(of.partition);
  in_the_middle.seek(many_segments::records / 2);
  leat::storage::cursor goes_on(of.partition);  // from a segment that it has to one that is gone
  REQUIRE(fetch(goes_on) == errc::ok);
  of.lose_name();
  of.make_anew(first, with_base);
  // What is out of range in a deleted topic, or ends too early, the reader takes for what it is.
  errc code = fetch(in_the_middle);
  CHECK((code == errc::closed || code == errc::out_of_range));
  std::uint64_t next = 0;
  do {
    next = goes_on.position();
    code = fetch(goes_on);
  } while (code == errc::ok && goes_on.position() != next);
  const bool finds_a_successor = first <= 1 && with_base;
  CHECK(code == (finds_a_successor ? errc::corrupt : errc::closed));
}

TEST_CASE("what was committed in a deleted topic is not called damaged and nothing more is committed there") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic = temporary.store.topic<std::uint64_t>("t");
  leat::producer out{topic};
  for (std::uint64_t n = 0; n < 5; ++n) REQUIRE(out.send(n));
  leat::consumer in{topic, {.partitions = {{0}}, .group = "g"}};
  leat::consumer another{topic, {.partitions = {{0}}, .group = "another"}};
  REQUIRE(in.commit({{"", 0}, 3, "where I was"}));
  const auto offsets = topic.log()->find_group("g");
  REQUIRE(offsets->committed(0)->metadata == "where I was");
  leat::os::directory& directory = *topic.log()->context().directory;
  for (const std::string& name : directory.list()) {
    if (name.starts_with("meta")) REQUIRE(directory.remove(name));
  }
  const bool is_closed = GENERATE(true, false);
  if (is_closed) topic.log()->closed_flag().set();
  CHECK(code_of([&] { (void)offsets->committed(0); }) == (is_closed ? errc::closed : errc::corrupt));
  if (!is_closed) return;
  for (const std::string& name : directory.list()) REQUIRE(directory.remove(name));
  CHECK(code_of([&] { (void)offsets->committed(0); }) == errc::closed);
  CHECK(code_of([&] { (void)in.commit({{"", 0}, 4, "too late"}); }) == errc::closed);
  CHECK(code_of([&] { (void)in.commit({{"", 0}, 4}); }) == errc::closed);
  CHECK(code_of([&] { (void)another.commit({{"", 0}, 3}); }) == errc::closed);
  CHECK(directory.list().empty());
}

TEST_CASE("a flush that began before the topic was deleted is told so whatever files are made anew in it") {
  const many_segments of({.durability = leat::durability::interval, .flush = {.interval = 1h}},
                         temporary_store::on_disk());
  const bool with_base = GENERATE(true, false);
  CAPTURE(with_base);
  of.lose_name();
  of.make_anew(0, with_base);
  CHECK(code_of([&] { leat::storage::flush(of.partition); }) == (with_base ? errc::ok : errc::closed));
  CHECK(leat::storage::make_durable(of.partition, many_segments::records + 1) == errc::closed);
}

}  // namespace unit_deleted_topic
