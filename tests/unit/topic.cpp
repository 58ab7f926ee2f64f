#include <leat/topic.hpp>

#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/media.hpp"

#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <cstdint>
#include <string>

namespace unit_topic {

using Catch::Matchers::ContainsSubstring;
using leat::errc;
using leat::open_mode;
using leat_tests::code_of;
using leat_tests::failure_of;
using leat_tests::message_of;

struct point {
  float x, y;
};
struct place {
  float x, y;
};

TEST_CASE("a topic is created or opened as the mode says") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const leat::store& store = temporary.store;
  CHECK(code_of([&] { (void)store.topic<int>("t", {.mode = open_mode::open}); }) == errc::not_found);
  CHECK(store.topics().empty());
  (void)store.topic<int>("t", {.mode = open_mode::create});
  CHECK(code_of([&] { (void)store.topic<int>("t", {.mode = open_mode::create}); }) == errc::already_exists);
  (void)store.topic<int>("t", {.mode = open_mode::open});
  CHECK(store.topic<int>("t").name() == "t");
  CHECK(store.topics().size() == 1);
}

TEST_CASE("a topic's name has what Kafka allows and nothing else") {
  auto temporary = leat_tests::each_kind_of_store();
  const leat::store& store = temporary.store;
  for (const std::string& name :
       {std::string("a"), std::string("A.b_c-9"), std::string("..."), std::string("-"), std::string(249, 'x')}) {
    CAPTURE(name);
    CHECK(store.topic<int>(name).name() == name);
  }
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("../x"), std::string("a b"),
        std::string("~new-x"), std::string("\xc3\xa4"), std::string("a\0b", 3), std::string(250, 'x'),
        std::string(100000, 'x')}) {
    CAPTURE(name);
    CHECK(code_of([&] { (void)store.topic<int>(name); }) == errc::name_invalid);
    CHECK(code_of([&] { (void)store.describe_topic(name); }) == errc::name_invalid);
    CHECK(code_of([&] { (void)store.remove_topic(name); }) == errc::name_invalid);
    CHECK(message_of([&] { (void)store.topic<int>(name); }).size() < 1000);
  }
}

TEST_CASE("a topic of other types is refused and both types are named") {
  auto temporary = leat_tests::each_kind_of_store();
  const leat::store& store = temporary.store;
  (void)store.topic<point, std::string>("t");
  const auto value = failure_of([&] { (void)store.topic<place, std::string>("t"); });
  REQUIRE(value.has_value());
  CHECK(value->code() == errc::wrong_type);
  CHECK_THAT(value->path(), ContainsSubstring("topics/t"));
  CHECK_THAT(value->what(),
             ContainsSubstring("value") && ContainsSubstring("point, 8 bytes") && ContainsSubstring("place, 8 bytes"));
  const auto key = failure_of([&] { (void)store.topic<point, std::uint64_t>("t"); });
  REQUIRE(key.has_value());
  CHECK(key->code() == errc::wrong_type);
  CHECK_THAT(key->what(),
             ContainsSubstring("key") && ContainsSubstring("string") && ContainsSubstring("8 bytes, aligned to 8"));
  (void)store.topic<point, std::string_view>("t");  // the same codec
}

TEST_CASE("every option that contradicts an existing topic is an error that names both values") {
  auto temporary = leat_tests::each_kind_of_store();
  const leat::store& store = temporary.store;
  const leat::topic_options given{.partitions = 4,
                                  .segment_bytes = 65536,
                                  .retention = {.bytes = 131072},
                                  .max_record_bytes = 1000,
                                  .expected_record_bytes = 100,
                                  .timestamps = leat::timestamp_type::create_time,
                                  .single_writer = false,
                                  .file_mode = 0600};
  (void)store.topic<int>("t", given);
  (void)store.topic<int>("t", given);
  (void)store.topic<int>("t");

  const auto conflict = [&](const leat::topic_options& asked) {
    const auto failure = failure_of([&] { (void)store.topic<int>("t", asked); });
    if (!failure) return std::string("no error");
    CHECK(failure->code() == errc::conflicting_options);
    return failure->reason();
  };
  CHECK_THAT(conflict({.partitions = 5}), ContainsSubstring("partitions is 4") && ContainsSubstring("5 was asked for"));
  CHECK_THAT(conflict({.segment_bytes = 32768}),
             ContainsSubstring("segment_bytes is 65536") && ContainsSubstring("32768"));
  CHECK_THAT(conflict({.retention = {.bytes = 65536}}),
             ContainsSubstring("retention.bytes is 131072") && ContainsSubstring("65536"));
  CHECK_THAT(conflict({.retention = {.bytes = leat::unlimited}}), ContainsSubstring("retention.bytes is 131072"));
  CHECK_THAT(conflict({.max_record_bytes = 999}),
             ContainsSubstring("max_record_bytes is 1000") && ContainsSubstring("999"));
  CHECK_THAT(conflict({.expected_record_bytes = 99}),
             ContainsSubstring("expected_record_bytes is 100") && ContainsSubstring("99"));
  CHECK_THAT(conflict({.timestamps = leat::timestamp_type::log_append_time}), ContainsSubstring("timestamps is "));
  CHECK_THAT(conflict({.single_writer = true}), ContainsSubstring("single_writer is "));
  CHECK_THAT(conflict({.file_mode = 0640}), ContainsSubstring("file_mode is "));
}

TEST_CASE("options outside their limits are an error that names the limits and no topic is made") {
  auto temporary = leat_tests::each_kind_of_store();
  const leat::store& store = temporary.store;
  const auto refusal = [&](const leat::topic_options& asked) {
    const auto failure = failure_of([&] { (void)store.topic<int>("t", asked); });
    if (!failure) return std::string("no error");
    CHECK(failure->code() == errc::invalid_argument);
    return failure->reason();
  };
  CHECK_THAT(refusal({.partitions = 0}), ContainsSubstring("partitions is 0, expected 1 to 1024"));
  CHECK_THAT(refusal({.partitions = 1025}), ContainsSubstring("partitions is 1025, expected 1 to 1024"));
  CHECK_THAT(refusal({.segment_bytes = 8192}), ContainsSubstring("segment_bytes is 8192"));
  CHECK_THAT(refusal({.segment_bytes = 16385}), ContainsSubstring("multiple of 4096"));
  CHECK_THAT(refusal({.segment_bytes = (std::uint64_t{16} << 30) + 4096}), ContainsSubstring("17179869184"));
  CHECK_THAT(refusal({.segment_bytes = 0}), ContainsSubstring("segment_bytes is 0"));
  CHECK_THAT(refusal({.retention = {.bytes = 0}}), ContainsSubstring("retention.bytes is 0"));
  CHECK_THAT(refusal({.segment_bytes = 16384, .max_record_bytes = 16384}),
             ContainsSubstring("max_record_bytes is 16384"));
  CHECK_THAT(refusal({.max_record_bytes = 0}), ContainsSubstring("max_record_bytes is 0"));
  CHECK_THAT(refusal({.expected_record_bytes = 0}), ContainsSubstring("expected_record_bytes is 0"));
  CHECK_THAT(refusal({.file_mode = 0400}), ContainsSubstring("file_mode"));
  CHECK_THAT(refusal({.file_mode = 0700}), ContainsSubstring("file_mode"));
  CHECK(store.topics().empty());
}

TEST_CASE("the limits themselves are allowed") {
  auto temporary = leat_tests::temporary_store::in_process();
  CHECK(temporary.store.topic<int>("many", {.partitions = 1024}).partitions() == 1024);
  (void)temporary.store.topic<int>("large", {.segment_bytes = std::uint64_t{16} << 30});
  for (const std::uint32_t expected : {1u, 100u, 1u << 30, ~0u}) {
    CAPTURE(expected);
    const auto topic = temporary.store.topic<std::string>("small-" + std::to_string(expected),
                                                          {.segment_bytes = 16384, .expected_record_bytes = expected});
    leat::producer out{topic};
    leat::consumer in{topic};
    for (int i = 0; i < 100; ++i) REQUIRE(out.send(std::string(100, 'x')));
    std::size_t read = 0;
    while (in.position(0) < 100) read += in.poll().size();
    CHECK(read == 100);
  }
}

TEST_CASE("the last partition of many is written and read as any other") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 1024, .segment_bytes = 16384});
  leat::producer out{topic};
  leat::consumer in{topic, {.partitions = {{1023}}}};
  for (int i = 0; i < 3000; ++i) REQUIRE(out.send(i, {.partition = 1023}));
  int next = 0;
  while (in.position(1023) < 3000) {
    for (const auto& record : in.poll()) REQUIRE(record.value() == next++);
  }
  CHECK(topic.end_offset(1023) == 3000);
  CHECK(topic.end_offset(1022) == 0);
}

TEST_CASE("a partition that a topic does not have is an error that says which it has") {
  auto temporary = leat_tests::temporary_store::in_process();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 2});
  CHECK(code_of([&] { (void)topic.end_offset(2); }) == errc::invalid_argument);
  CHECK_THAT(message_of([&] { (void)topic.start_offset(7); }), ContainsSubstring("partition is 7, expected 0 to 1"));
}

TEST_CASE("two topics of a store share nothing") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto one = temporary.store.topic<int>("one");
  const auto two = temporary.store.topic<int>("two");
  leat::consumer in{two};
  REQUIRE(leat::producer{one}.send(1));
  CHECK(in.poll().empty());
  CHECK(two.end_offset(0) == 0);
  CHECK(one.end_offset(0) == 1);
}

}  // namespace unit_topic
