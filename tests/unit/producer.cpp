#include <leat/producer.hpp>

#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/media.hpp"
#include "support/read_all.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/store.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace unit_producer {

using leat::errc;
using leat::record_position;
using leat_tests::code_of;
using leat_tests::read_all;
using leat_tests::record_copy;
using leat_tests::values_of;

using strings = std::vector<std::string>;

leat::timestamp at(std::int64_t nanoseconds) { return leat::timestamp(std::chrono::nanoseconds(nanoseconds)); }

TEST_CASE("offsets are dense and begin at 0 in each partition") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic = temporary.store.topic<int>(
      "t", {.partitions = 3, .segment_bytes = 16384, .retention = {.bytes = leat::unlimited}});
  leat::producer one{topic};
  leat::producer two{topic};
  for (std::uint64_t i = 0; i < 2000; ++i) {
    for (std::uint32_t p = 0; p < 3; ++p) {
      const record_position got = (i % 3 == p ? two : one).send(static_cast<int>(i), {.partition = p});
      REQUIRE(got == record_position{p, i});
    }
  }
  for (std::uint32_t p = 0; p < 3; ++p) CHECK(topic.end_offset(p) == 2000);
}

TEST_CASE("one producer's records in a partition are read in the order sent") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic =
      temporary.store.topic<std::string>("t", {.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}});
  leat::producer one{topic};
  leat::producer two{topic};
  std::uint64_t offset = 0;
  for (int i = 0; i < 1500; ++i) {
    const std::string text(static_cast<std::size_t>(i % 50), 'x');
    REQUIRE(one.send("1", std::to_string(i) + text).value().offset == offset++);
    if (i % 7 == 0) REQUIRE(two.send("2", std::to_string(i) + text).value().offset == offset++);
  }
  std::map<std::string, int> next{{"1", 0}, {"2", 0}};
  std::uint64_t expected = 0;
  for (const record_copy& record : read_all(topic)) {
    REQUIRE(record.offset == expected++);
    int& n = next[*record.key];
    REQUIRE(std::stoi(*record.value) == n);
    n += *record.key == "1" ? 1 : 7;
  }
  CHECK(expected == offset);
}

TEST_CASE("a key is always in one partition and that is where Kafka puts it") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 17});
  leat::producer one{topic};
  leat::producer two{topic};
  const std::map<std::string, std::uint32_t> expected{
      {"21", 13}, {"foobar", 9}, {"kafka", 14}, {"giberish123456789", 2}, {"34", 7}, {"", 11}};
  for (int round = 0; round < 3; ++round) {
    for (const auto& [key, partition] : expected) {
      CHECK(one.send(key, round).value().partition == partition);
      CHECK(two.send(key, round).value().partition == partition);
    }
  }
}

TEST_CASE("key and value and headers and timestamp are read as they were sent") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic =
      temporary.store.topic<std::string>("t", {.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}});
  leat::producer out{topic};
  std::vector<record_copy> sent;
  const std::optional<std::string> parts[] = {std::nullopt,         "", "x", "eight888", std::string("zero\0zero", 9),
                                              std::string(700, 'y')};
  const std::vector<std::vector<leat::header>> headers{
      {}, {{"a", "1"}, {"b", leat::null}, {"a", "2"}, {"", ""}}, {{"one", std::string_view("\0", 1)}}};
  std::int64_t time = -5;
  for (const auto& key : parts) {
    for (const auto& value : parts) {
      for (const auto& some : headers) {
        using argument = leat::producer<std::string>::key_argument;
        const auto of = [](const std::optional<std::string>& part) {
          return part ? argument(*part) : argument(leat::null);
        };
        const record_position p = out.send(of(key), of(value), {.timestamp = at(++time), .headers = some});
        record_copy copy{.offset = p.offset, .key = key, .value = value, .headers = {}, .timestamp = time};
        for (const leat::header& h : some) copy.headers.emplace_back(std::string(h.name), leat_tests::copy_of(h.value));
        sent.push_back(copy);
      }
    }
  }
  CHECK(read_all(topic) == sent);
}

TEST_CASE("a record without a key has a null key") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<std::string>("t");
  leat::producer out{topic};
  REQUIRE(out.send("v"));
  REQUIRE(out.send(leat::null));
  REQUIRE(out.send("k", leat::null));
  const auto records = read_all(topic);
  REQUIRE(records.size() == 3);
  CHECK_FALSE(records[0].key);
  CHECK_FALSE(records[1].key);
  CHECK_FALSE(records[1].value);
  CHECK(records[2].key == "k");
  CHECK_FALSE(records[2].value);
}

TEST_CASE("an explicit partition wins over the key and over the user's partitioner") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 4});
  int asked = 0;
  leat::producer out{topic, {.partitioner = [&](auto, std::uint32_t) {
                       ++asked;
                       return 1u;
                     }}};
  CHECK(out.send("k", 1, {.partition = 3}).value().partition == 3);
  CHECK(asked == 0);
  CHECK(out.send("k", 1).value().partition == 1);
  CHECK(asked == 1);
}

TEST_CASE("the user's partitioner sees the key's bytes and the number of partitions") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 3});
  std::vector<std::optional<std::string>> keys;
  std::uint32_t answer = 0;
  leat::producer out{topic, {.partitioner = [&](std::optional<leat::bytes_view> key, std::uint32_t partitions) {
                       CHECK(partitions == 3);
                       keys.push_back(leat_tests::copy_of(key));
                       return answer;
                     }}};
  answer = 2;
  CHECK(out.send("key", 1).value().partition == 2);
  CHECK(out.send(leat::null, 1).value().partition == 2);
  CHECK(out.send("", 1).value().partition == 2);
  CHECK(keys == std::vector<std::optional<std::string>>{"key", std::nullopt, ""});
  answer = 3;
  CHECK(out.send("key", 1).error() == errc::invalid_argument);
}

TEST_CASE("a partition that the topic does not have is an invalid argument") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  leat::producer out{topic};
  CHECK(out.send(1, {.partition = 2}).error() == errc::invalid_argument);
  CHECK(out.send_if({5, 0}, "k", 1).error() == errc::invalid_argument);
  CHECK(out.claim("k", 4, {.partition = 2}).error() == errc::invalid_argument);
}

TEST_CASE("records without a key change their partition after a run of bytes") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<std::string>("t", {.partitions = 4});
  leat::producer out{topic};
  const std::string value(992, 'v');  // 1000 bytes a record
  std::vector<std::uint32_t> runs;
  std::uint64_t in_run = 0;
  for (int i = 0; i < 200; ++i) {
    const std::uint32_t p = out.send(value).value().partition;
    if (runs.empty() || runs.back() != p) {
      if (!runs.empty()) CHECK(in_run == 17);  // the first at or beyond 16384 bytes
      runs.push_back(p);
      in_run = 0;
    }
    ++in_run;
  }
  CHECK(runs.size() == 12);
  CHECK(std::set(runs.begin(), runs.end()).size() > 1);
}

TEST_CASE("a given timestamp is kept where the topic has create time") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  REQUIRE(out.send(1, {.timestamp = at(5)}));
  REQUIRE(out.send("k", 1, {.timestamp = at(-7)}));
  const auto records = read_all(topic);
  CHECK(records[0].timestamp == 5);
  CHECK(records[1].timestamp == -7);
}

TEST_CASE("a record without a timestamp gets the present time from either clock") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t");
  const auto now = [] {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const std::int64_t before = now();
  REQUIRE(leat::producer{topic}.send(1));
  REQUIRE(leat::producer{topic, {.clock = leat::timestamp_source::coarse}}.send(1));
  REQUIRE(leat::producer{topic}.send_batch(std::vector<int>{1, 2}).count == 2);
  const std::int64_t after = now();
  const auto records = read_all(topic);
  for (const record_copy& record : records) {
    CHECK(record.timestamp >= before - 20'000'000);  // the coarse clock lags by a tick
    CHECK(record.timestamp <= after);
  }
  CHECK(records[0].timestamp >= before);
}

TEST_CASE("a topic with log append time takes the time of the append whatever was given") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t", {.timestamps = leat::timestamp_type::log_append_time});
  leat::producer out{topic};
  REQUIRE(out.send(1, {.timestamp = at(5)}));
  REQUIRE(out.send("k", 2, {.timestamp = at(5)}));
  REQUIRE(out.send_batch(std::vector<int>{3}, {.timestamp = at(5)}).count == 1);
  for (const record_copy& record : read_all(topic)) CHECK(record.timestamp > 1'600'000'000'000'000'000);
}

TEST_CASE("a conditional record is appended at the expected offset or not at all") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic = temporary.store.topic<std::string>("t", {.partitions = 2});
  leat::producer out{topic};
  leat::producer rival{topic};
  CHECK(out.send_if({1, 0}, "k", "first").value() == record_position{1, 0});
  CHECK(out.send_if({1, 0}, "k", "again").error() == errc::mismatched);
  CHECK(out.send_if({1, 2}, "k", "too far").error() == errc::mismatched);
  REQUIRE(rival.send("k", "rival", {.partition = 1}));
  CHECK(out.send_if({1, 1}, "k", "late").error() == errc::mismatched);
  CHECK(out.send_if({1, 2}, leat::null, leat::null).value() == record_position{1, 2});
  CHECK(out.send_if({0, 0}, "k", "other partition", {.partition = 1}).value() == record_position{0, 0});
  CHECK(values_of(topic, 1) == strings{"first", "rival", "null"});
}

TEST_CASE("a conditional record that is refused takes no room") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<std::string>("t", {.segment_bytes = 16384});
  leat::producer out{topic};
  REQUIRE(out.send("first"));
  const std::string value(1000, 'x');
  for (int i = 0; i < 1000; ++i) REQUIRE(out.send_if({0, 7}, leat::null, value).error() == errc::mismatched);
  CHECK(topic.log()->partition(0).begun().observe() == 1);
}

TEST_CASE("two producers that append by turns on condition both get on over many segments") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic =
      temporary.store.topic<std::uint64_t>("t", {.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}});
  leat::producer one{topic};
  leat::producer two{topic};
  std::uint64_t end = 0;
  while (end < 3000) {
    leat::producer<std::uint64_t>& writer =
        end % 700 < 699 ? one : two;  // the other falls behind by a segment and more
    const auto got = writer.send_if({0, end}, leat::null, end);
    REQUIRE(got.error() == errc::ok);
    REQUIRE(got.value().offset == end);
    ++end;
  }
  CHECK(topic.end_offset(0) == 3000);
}

TEST_CASE("a batch is appended in order and says where") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<std::string>("t", {.partitions = 3});
  leat::producer out{topic};

  std::array<record_position, 3> positions;
  const leat::batch_result values = out.send_batch(strings{"a", "b", "c"}, {.partition = 1}, positions);
  CHECK(values.count == 3);
  CHECK(values.error == errc::ok);
  CHECK(positions == std::array<record_position, 3>{{{1, 0}, {1, 1}, {1, 2}}});

  const std::vector<std::pair<std::string, std::string>> pairs{{"21", "x"}, {"kafka", "y"}, {"21", "z"}};
  CHECK(out.send_batch(pairs, {.headers = {{"h", "1"}}}, positions).count == 3);
  CHECK(positions[0].partition == positions[2].partition);
  CHECK(positions[0].partition == 0);
  CHECK(positions[1].partition == 1);
  CHECK(values_of(topic, 1) == strings{"a", "b", "c", "y"});
  CHECK(values_of(topic, 0) == strings{"x", "z"});
  const auto records = read_all(topic, 0);
  CHECK(records[0].headers.size() == 1);
  CHECK(records[0].timestamp == records[1].timestamp);  // one look at the clock
}

TEST_CASE("a batch may be any range and may be empty") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  CHECK(out.send_batch(std::vector<int>{}).count == 0);
  CHECK(out.send_batch(std::views::iota(0, 1000)).count == 1000);
  CHECK(out.send_batch(std::map<std::string, int>{{"a", 1}, {"b", 2}}).count == 2);
  CHECK(topic.end_offset(0) == 1002);
}

TEST_CASE("a batch goes over the ends of segments, and others' records come between") {
  const bool single_writer = GENERATE(false, true);
  CAPTURE(single_writer);
  auto temporary = leat_tests::temporary_store::on_disk();
  const auto topic = temporary.store.topic<int>(
      "t", {.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}, .single_writer = single_writer});
  leat::producer out{topic};
  leat::producer<int> other{topic};
  std::vector<leat::record_position> positions(5000);
  // A range during whose iteration records of its batch are filled and not published yet, and another producer appends.
  const auto values = std::views::iota(0, 5000) | std::views::transform([&](int i) {
                        if (!single_writer && i % 7 == 3) (void)other.send(-1).value();
                        return i;
                      });
  const leat::batch_result result = out.send_batch(values, {}, positions);
  CHECK(result.error == errc::ok);
  REQUIRE(result.count == 5000);
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  int next = 0;
  int others = 0;
  while (in.lag(0) != 0) {
    for (const auto& record : in.poll()) {
      if (record.value() == -1) {
        ++others;
      } else {
        REQUIRE(record.value() == next);
        REQUIRE(record.position() == positions[static_cast<std::size_t>(next)]);
        ++next;
      }
    }
  }
  CHECK(next == 5000);
  CHECK(others == (single_writer ? 0 : 714));
}

TEST_CASE("to read a batch's range may be to send with the same producer, over the ends of segments") {
  auto temporary = leat_tests::temporary_store::on_disk();
  const auto topic = temporary.store.topic<int>("t", {.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}});
  leat::producer out{topic};
  const int every = GENERATE(1, 5, 40);
  CAPTURE(every);
  int sent_between = 0;
  const auto values = std::views::iota(0, 3000) | std::views::transform([&](int i) {
                        if (i % every == 0) {
                          (void)out.send(-1).value();
                          ++sent_between;
                        }
                        return i;
                      });
  REQUIRE(out.send_batch(values).count == 3000);
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  int next = 0;
  int between = 0;
  while (in.lag(0) != 0) {
    for (const auto& record : in.poll()) {
      if (record.value() == -1) {
        ++between;
      } else {
        REQUIRE(record.value() == next++);
      }
    }
  }
  CHECK(next == 3000);
  CHECK(between == sent_between);
}

TEST_CASE("a batch whose range forks goes on in the parent alone") {
  auto temporary = leat_tests::temporary_store::on_disk();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  pid_t child = -1;
  const auto values = std::views::iota(0, 100) | std::views::transform([&](int i) {
                        if (i == 50) child = ::fork();
                        return i;
                      });
  const leat::batch_result result = out.send_batch(values);
  if (child == 0) ::_exit(result.error == errc::forked ? 0 : 1);
  REQUIRE(child > 0);
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(result.count == 100);
  CHECK(topic.end_offset(0) == 100);
}

TEST_CASE("a batch whose topic is deleted meanwhile says so, and what it counts was appended before") {
  auto temporary = leat_tests::temporary_store::on_disk();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  const auto values = std::views::iota(0, 1000) | std::views::transform([&](int i) {
                        if (i == 500) (void)leat::admin(temporary.store).delete_topic("t");
                        return i;
                      });
  const leat::batch_result result = out.send_batch(values);
  CHECK(result.error == errc::closed);
  CHECK(result.count <= 500);
}

TEST_CASE("a batch that meets an error has appended what it counts") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<std::string>("t", {.max_record_bytes = 100});
  leat::producer out{topic};
  const leat::batch_result result = out.send_batch(strings{"a", "b", std::string(200, 'x'), "c"});
  CHECK(result.count == 2);
  CHECK(result.error == errc::too_large);
  CHECK(values_of(topic) == strings{"a", "b"});
}

TEST_CASE("a batch gives as many positions as there are places for") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  std::array<record_position, 2> positions;
  CHECK(out.send_batch(std::vector<int>{1, 2, 3}, {}, positions).count == 3);
  CHECK(positions == std::array<record_position, 2>{{{0, 0}, {0, 1}}});
}

TEST_CASE("a batch that ends with an exception has appended what came before and rung for it") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  topic.log()->partition(0).doorbell().arm();
  const std::uint32_t quiet = topic.log()->bell().note();
  auto throwing = std::views::iota(0, 5) | std::views::transform([](int i) {
                    if (i == 3) throw std::runtime_error("no further");
                    return i;
                  });
  CHECK_THROWS_AS((void)out.send_batch(throwing), std::runtime_error);
  CHECK(topic.end_offset(0) == 3);
  CHECK(topic.log()->bell().note() == quiet + 1);
}

TEST_CASE("a batch whose roll throws has appended what came before and rung for it") {
  auto temporary = leat_tests::temporary_store::on_disk();
  const auto topic =
      temporary.store.topic<std::uint64_t>(  // slots end before the data area does: in the middle of a publish
          "t", {.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}, .expected_record_bytes = 64});
  leat::storage::partition& partition = topic.log()->partition(0);
  const std::uint64_t end = std::uint64_t{2} * partition.topic().geometry.slot_count;
  leat_tests::write_file(temporary.file("topics/t/") + leat::storage::segment_name{0, 2}.text(), "no segment");
  leat::producer out{topic};
  const auto values = std::views::iota(std::uint64_t{0}, 2 * end) | std::views::transform([&](std::uint64_t i) {
                        partition.doorbell().arm();  // somebody sleeps at any moment
                        return i;
                      });
  std::vector<record_position> positions(2 * end);
  CHECK(code_of([&] { (void)out.send_batch(values, {}, positions); }) == errc::truncated);
  CHECK(topic.end_offset(0) == end);
  CHECK(positions[end - 1] == record_position{0, end - 1});
  CHECK_FALSE(leat::sync::doorbell::is_armed(partition.doorbell().look()));
}

TEST_CASE("a value of fixed size is claimed with that size and no other") {
  auto temporary = leat_tests::temporary_store::in_process();
  leat::producer out{temporary.store.topic<std::uint64_t>("t")};
  CHECK(out.claim(leat::null));
  CHECK(out.claim(leat::null, 8));
  CHECK(out.claim(leat::null, 7).error() == errc::invalid_argument);
  CHECK(out.claim(leat::null, 16).error() == errc::invalid_argument);
  CHECK(out.claim(leat::null, 0).error() == errc::invalid_argument);
}

TEST_CASE("a record that is larger than the topic's limit is refused and takes no offset") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<std::string>("t", {.segment_bytes = 16384, .max_record_bytes = 128});
  leat::producer out{topic};
  CHECK(out.send(std::string(120, 'x')));
  CHECK(out.send(std::string(121, 'x')).error() == errc::too_large);
  CHECK(out.send(std::string(100000, 'x')).error() == errc::too_large);
  CHECK(out.send(std::string(64, 'k'), std::string(40, 'x')));
  CHECK(out.send(std::string(65, 'k'), std::string(40, 'x')).error() == errc::too_large);
  CHECK(out.send("k", "x", {.headers = {{"a name", std::string(90, 'h')}}}).error() == errc::too_large);
  CHECK(out.claim(leat::null, 121).error() == errc::too_large);
  CHECK(out.send_if({0, 2}, leat::null, std::string(121, 'x')).error() == errc::too_large);
  CHECK(topic.end_offset(0) == 2);
}

TEST_CASE("a size near the largest number is too large and does not wrap around") {
  auto temporary = leat_tests::temporary_store::in_process();
  leat::producer out{temporary.store.topic<std::string>("t")};
  for (const std::size_t less : {0u, 1u, 8u, 15u, 16u, 31u, 40u, 64u}) {
    CAPTURE(less);
    CHECK(out.claim(leat::null, ~std::size_t{0} - less).error() == errc::too_large);
    CHECK(out.claim("k", ~std::size_t{0} - less).error() == errc::too_large);
  }
  CHECK(out.claim(leat::null, std::size_t{1} << 63).error() == errc::too_large);
  CHECK(out.claim(leat::null, std::size_t{1} << 32).error() == errc::too_large);
}

TEST_CASE("the largest record that a segment holds is appended again and again") {
  auto temporary = leat_tests::temporary_store::in_process();
  for (const std::uint32_t expected : {16u, 128u, 4000u}) {
    const std::string name = "t" + std::to_string(expected);
    const std::uint32_t most =
        temporary.store.topic<std::string>(name, {.segment_bytes = 16384, .expected_record_bytes = expected})
            .describe()
            .max_record_bytes;
    const auto topic = temporary.store.topic<std::string>(name);
    leat::producer one{topic};
    leat::producer two{topic};
    leat::consumer in{topic};
    for (std::uint64_t i = 0; i < 40; ++i) {
      const std::string value(most - 8, static_cast<char>('a' + i % 26));
      REQUIRE((i % 2 == 0 ? one : two).send(value).value().offset == i);
      if (i % 3 == 0) continue;
      while (in.position(0) <= i) {
        for (const auto& record : in.poll())
          REQUIRE(record.value() == std::string(most - 8, static_cast<char>('a' + record.offset() % 26)));
      }
    }
    CHECK(one.send(std::string(most - 7, 'x')).error() == errc::too_large);
  }
}

TEST_CASE("records of every size go through segments of any shape") {
  for (const std::uint32_t expected : {8u, 128u, 2000u}) {
    auto temporary = leat_tests::temporary_store::in_process();
    const auto topic =
        temporary.store.topic<std::string>("t", {.segment_bytes = 20480, .expected_record_bytes = expected});
    leat::producer out{topic};
    leat::consumer in{topic};
    std::uint64_t seed = expected;
    std::uint64_t next = 0;
    for (std::uint64_t i = 0; i < 3000; ++i) {
      seed = seed * 6364136223846793005 + 1442695040888963407;
      const std::string value(seed >> 33 & (seed >> 60 == 0 ? 2047 : 127), static_cast<char>(i));
      if (seed >> 59 & 1) {
        REQUIRE(out.send(value).value().offset == i);
      } else {
        REQUIRE(out.send("key", value).value().offset == i);
      }
      for (const auto& record : in.poll()) {
        REQUIRE(record.offset() == next++);
        for (const char c : record.value()) REQUIRE(c == static_cast<char>(record.offset()));
      }
    }
    CHECK(next == 3000);
  }
}

TEST_CASE("a topic with a single writer refuses a second one as long as the first is there") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2, .segment_bytes = 16384, .single_writer = true});
  const auto again = temporary.store.topic<int>("t");
  std::optional<leat::producer<int>> first(std::in_place, topic);
  leat::producer second{again};
  REQUIRE(first->send(1, {.partition = 0}));
  CHECK(second.send(2, {.partition = 0}).error() == errc::not_the_writer);
  CHECK(second.claim(leat::null, 4, {.partition = 0}).error() == errc::not_the_writer);
  CHECK(second.send_if({0, 1}, leat::null, 2).error() == errc::not_the_writer);
  CHECK(second.send(2, {.partition = 1}).value() == record_position{1, 0});  // a partition of its own
  CHECK(first->send(1, {.partition = 1}).error() == errc::not_the_writer);
  for (int i = 0; i < 3000; ++i) REQUIRE(first->send(i, {.partition = 0}));
  first.reset();
  CHECK(second.send(3, {.partition = 0}).value() == record_position{0, 3001});
}

}  // namespace unit_producer
