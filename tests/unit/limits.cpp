// The limits that docs/operations.md names, where they can be tried in seconds; `./run limits` measures the others.
#include "support/catch.hpp"
#include "support/descriptors.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/in_child.hpp"
#include "support/media.hpp"
#include "support/read_all.hpp"
#include "support/temporary_store.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

namespace unit_limits {

using leat::errc;
using leat_tests::code_of;
using leat_tests::give_descriptors_back;
using leat_tests::in_child;
using leat_tests::leave_descriptors;
using leat_tests::little_endian;
using leat_tests::poke;
using leat_tests::read_file;

// --- offsets ---

/// A store whose topic "t" has two records from `base` on, as if so many had been sent before: the files say so.
struct far_on {
  leat_tests::temporary_directory place;
  std::string path = place.path() + "/store";

  far_on(std::uint64_t base, std::uint64_t sequence) {
    {
      const auto topic = open();
      leat::producer out{topic};
      (void)out.send("one").value();
      (void)out.send("two").value();
    }
    const std::string folder = path + "/topics/t/";
    const std::string made = folder + leat::storage::segment_name{0, 0}.text();
    std::string identity = read_file(made).substr(0, 60);
    identity.replace(offsetof(leat::format::segment_identity, sequence), 8, little_endian(sequence, 8));
    poke(made, 0, identity + little_endian(leat_tests::slow_crc32c(identity), 4));
    poke(made, offsetof(leat::format::segment_header, base_offset), little_endian(base, 8));
    poke(made, offsetof(leat::format::segment_header, base_check), little_endian(~base, 8));
    std::filesystem::rename(made, folder + leat::storage::segment_name{0, sequence}.text());
    const std::uint64_t words = leat::format::page_bytes;
    poke(folder + "topic", words + offsetof(leat::format::partition_words, begun), little_endian(sequence + 1, 8));
    poke(folder + "topic", words + offsetof(leat::format::partition_words, start_offset), little_endian(base, 8));
    poke(folder + "topic", words + offsetof(leat::format::partition_words, start_sequence), little_endian(sequence, 8));
    poke(folder + "topic", words + offsetof(leat::format::partition_words, reclaimed), little_endian(sequence, 8));
  }

  leat::topic<std::string> open() const {
    return leat::store::open(path).topic<std::string>("t", {.segment_bytes = 16384, .retention = {.bytes = 3 * 16384}});
  }
};

TEST_CASE("offsets and segments beyond 32 bits are counted, read, sought, committed and rolled as any") {
  const std::uint64_t base = GENERATE((std::uint64_t{1} << 32) - 1, std::uint64_t{1} << 32,
                                      (std::uint64_t{1} << 40) + 3, (std::uint64_t{1} << 52) - 5000);
  const std::uint64_t sequence =
      GENERATE(std::uint64_t{7}, (std::uint64_t{1} << 32) - 1, (std::uint64_t{1} << 52) - 20);
  CAPTURE(base, sequence);
  const far_on s(base, sequence);
  const auto topic = s.open();
  CHECK(topic.start_offset(0) == base);
  CHECK(topic.end_offset(0) == base + 2);

  leat::producer out{topic};
  std::uint64_t next = base + 2;
  for (int i = 0; i < 300; ++i, ++next) {  // over some rolls, and retention behind them
    REQUIRE(out.send(std::to_string(next) + std::string(200, '.')).value().offset == next);
  }
  CHECK(out.send_if({0, next}, leat::null, "expected").value().offset == next);
  CHECK(topic.log()->partition(0).begun().observe() > sequence + 3);
  CHECK(topic.start_offset(0) > base);
  CHECK(leat::admin(leat::store::open(s.path)).verify("t").empty());

  leat::consumer in{topic, {.partitions = {{0}}, .auto_offset_reset = leat::offset_reset::earliest, .group = "g"}};
  std::uint64_t expected = topic.start_offset(0);
  while (in.position(0) < next + 1) {
    for (const auto& record : in.poll()) REQUIRE(record.offset() == expected++);
  }
  CHECK(in.lag(0) == 0);
  in.seek({0, next - 5});
  CHECK(in.lag(0) == 6);
  CHECK((*in.poll().begin()).value().starts_with(std::to_string(next - 5)));
  REQUIRE(in.commit());
  CHECK(in.committed(0)->offset == next + 1);
  in.seek({0, base});
  REQUIRE(in.poll().empty());  // out of range: the policy
  CHECK((*in.poll().begin()).offset() == topic.start_offset(0));
}

TEST_CASE("an offset that has no room in a committed word is refused and the one before it committed") {
  constexpr std::uint64_t most = (std::uint64_t{1} << 52) - 2;
  const far_on s(most - 1, 3);
  const auto topic = s.open();
  (void)leat::producer(topic).send("three").value();
  leat::consumer in{topic, {.partitions = {{0}}, .auto_offset_reset = leat::offset_reset::earliest, .group = "g"}};
  REQUIRE(in.poll().size() == 3);
  CHECK(in.commit().error() == errc::invalid_argument);  // 2^52
  CHECK(in.commit({{"t", 0}, most}).error() == errc::ok);
  CHECK(in.committed(0)->offset == most);
}

// --- sizes ---

TEST_CASE("records of no bytes and of the largest size that a topic allows are read as they were sent") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<leat::bytes_view, leat::bytes_view>(
      "t", {.segment_bytes = 16 << 20, .retention = {.bytes = leat::unlimited}, .max_record_bytes = 12 << 20});
  leat::producer out{topic};
  const std::vector<std::byte> large((12 << 20) - 24 - 8, std::byte{7});
  const leat::bytes_view none;
  for (int i = 0; i < 3; ++i) {
    REQUIRE(out.send(none));
    REQUIRE(out.send(none, none));
    REQUIRE(out.send(leat::null, leat::null));
    REQUIRE(out.send(leat::bytes_view(large).first(8), leat::bytes_view(large)));
  }
  CHECK(out.send(leat::bytes_view(large).first(9), leat::bytes_view(large)).error() == errc::too_large);
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  std::uint64_t offset = 0;
  while (offset < 12) {
    for (const auto& record : in.poll()) {
      REQUIRE(record.offset() == offset);
      const bool is_large = offset % 4 == 3;
      if (offset % 4 == 2) {
        CHECK_FALSE(record.has_value());
      } else {
        REQUIRE(record.value().size() == (is_large ? large.size() : 0));
        if (is_large) CHECK(std::equal(large.begin(), large.end(), record.value().begin()));
      }
      ++offset;
    }
  }
  CHECK(topic.end_offset(0) == 12);
}

// --- clocks ---

TEST_CASE(
    "timestamps that jump back change neither order nor offsets and are searched for by the first that is late "
    "enough") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t", {.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}});
  leat::producer out{topic};
  const auto at = [](int seconds) { return leat::timestamp(std::chrono::seconds(seconds)); };
  constexpr int jump = 700;  // the clock goes back at this record, some segments on
  for (int i = 0; i < 1400; ++i) {
    REQUIRE(out.send(i, {.timestamp = at(i < jump ? 10'000 + i : 5'000 + i)}).value().offset ==
            static_cast<std::uint64_t>(i));
  }
  CHECK(topic.offset_for_time(0, at(0)) == 0);
  CHECK(topic.offset_for_time(0, at(10'300)) == 300);
  CHECK(topic.offset_for_time(0, at(10'699)) == 699);
  CHECK(topic.offset_for_time(0, at(10'700)) == std::nullopt);
  CHECK(topic.offset_for_time(0, at(5'800)) == 0);
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  int next = 0;
  while (next < 1400) {
    for (const auto& record : in.poll()) REQUIRE(record.value() == next++);
  }
}

TEST_CASE("a clock that was ahead keeps segments for longer and never lets one go early") {
  auto temporary = leat_tests::temporary_store::on_disk();
  using namespace std::chrono_literals;
  const auto topic = temporary.store.topic<int>(
      "t", {.segment_bytes = 16384, .retention = {.bytes = leat::unlimited, .time = std::chrono::hours(1)}});
  leat::producer out{topic};
  const auto now = std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
  const auto fill = [&](std::chrono::hours shift) {  // two segments
    const std::uint64_t until = topic.log()->partition(0).begun().observe() + 2;
    while (topic.log()->partition(0).begun().observe() < until) {
      REQUIRE(out.send(1, {.timestamp = leat::timestamp((now + shift).time_since_epoch())}));
    }
  };
  fill(-5h);  // as told by a right clock: these are to go
  leat::admin(temporary.store).apply_retention("t");
  const std::uint64_t start = topic.start_offset(0);
  CHECK(start > 0);
  fill(10h);  // told by one that was ahead
  fill(-5h);
  leat::admin(temporary.store).apply_retention("t");
  const auto left = leat::admin(temporary.store).segments({"t", 0});
  REQUIRE(left.size() >= 3);
  CHECK(*left.front().largest_timestamp >= leat::timestamp((now + 10h).time_since_epoch()));
}

// --- descriptors and mappings ---

TEST_CASE(
    "without a descriptor whatever needs one is an error that names its file and all goes on once there are some") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.path());
  const std::string said = in_child([&]() -> std::string {
    const leat::store store =
        temporary.path().empty() ? leat::store::in_process() : leat::store::open(temporary.path());
    const leat::topic_options options{.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}};
    const auto topic = store.topic<std::uint64_t>("t", options);
    leat::producer out{topic};
    leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
    leat::consumer member{topic, {.auto_offset_reset = leat::offset_reset::earliest, .group = "g"}};
    std::uint64_t sent = 0;
    for (; sent < 100; ++sent) (void)out.send(sent).value();
    if (in.poll().size() != 100) return "did not read";

    for (unsigned spare = 0; spare < 4; ++spare) {
      leave_descriptors(spare);
      const std::uint64_t before = sent;
      const auto failure = leat_tests::failure_of([&] {
        for (int i = 0; i < 5000; ++i) {
          if (out.send(sent).value().offset != sent) throw std::logic_error("wrong offset");
          ++sent;
        }
      });
      if (spare == 0) {
        if (!failure || failure->code() != errc::system) return "sent without descriptors";
        if (std::string(failure->what()).find("Too many open files") == std::string::npos) return failure->what();
        if (failure->path().find("t/") == std::string::npos) return "names no file: " + failure->path();
        if (sent - before > 600) return "sent too many";
      } else if (failure && failure->code() != errc::system) {
        return failure->what();
      }
      const errc opened = code_of([&] { (void)store.topic<int>("another"); });
      if (spare == 0 && opened != errc::system) return "opened";
      const errc joined = code_of([&] { (void)member.poll().begin(); });
      if (spare == 0 && joined != errc::system) return "joined";
      give_descriptors_back();
    }
    for (int i = 0; i < 2000; ++i, ++sent) {
      if (out.send(sent).value().offset != sent) return "does not go on";
    }
    (void)store.topic<int>("another");
    std::uint64_t read = 100;
    while (read < sent) {
      for (const auto& record : in.poll()) {
        if (record.value() != read++) return "wrong record";
      }
    }
    read = 0;
    while (read < sent) {
      for (const auto& record : member.poll()) {
        if (record.value() != read++) return "wrong record in the group";
      }
    }
    if (!leat::admin(store).verify("t").empty()) return "damage";
    return "fine";
  });
  CHECK(said == "fine");
}

TEST_CASE("a reader without a descriptor returns what it has at hand and then an error and goes on later") {
  auto temporary = leat_tests::temporary_store::on_disk();
  const std::string said = in_child([&]() -> std::string {
    const auto topic =
        leat::store::open(temporary.path())
            .topic<std::uint64_t>("t", {.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}});
    leat::producer out{topic};
    for (std::uint64_t i = 0; i < 3000; ++i) (void)out.send(i).value();
    const auto mine = leat::store::open(temporary.path()).topic<std::uint64_t>("t");  // which has mapped no segment yet
    leat::consumer in{mine, {.auto_offset_reset = leat::offset_reset::earliest, .max_poll_records = 10}};
    if (in.poll().size() != 10) return "did not read";
    std::uint64_t next = 10;
    leave_descriptors(0);
    const auto failure = leat_tests::failure_of([&] {
      for (;;) {
        for (const auto& record : in.poll()) {
          if (record.value() != next++) throw std::logic_error("wrong record");
        }
      }
    });
    if (!failure || failure->code() != errc::system) return "read without descriptors";
    if (next < 100) return "not what was at hand";
    give_descriptors_back();
    while (next < 3000) {
      for (const auto& record : in.poll()) {
        if (record.value() != next++) return "wrong record behind it";
      }
    }
    return "fine";
  });
  CHECK(said == "fine");
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool sanitized = false;
#endif

TEST_CASE("without room for another mapping sends are refused as full and readers get an error and both go on later") {
  if (sanitized) SKIP("sanitizers take all mappings for themselves");
  auto temporary = leat_tests::temporary_store::in_shared_memory();
  const std::string said = in_child(
      [&]() -> std::string {
        const auto topic =
            leat::store::open(temporary.path())
                .topic<std::uint64_t>("t", {.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}});
        leat::producer out{topic};
        std::uint64_t sent = 0;
        for (; sent < 3000; ++sent) (void)out.send(sent).value();
        const auto mine = leat::store::open(temporary.path()).topic<std::uint64_t>("t");
        leat::consumer in{mine, {.auto_offset_reset = leat::offset_reset::earliest, .max_poll_records = 10}};
        std::uint64_t next = in.poll().size();

        std::vector<void*> ballast;  // pages whose neighbours differ cannot become one mapping
        ballast.reserve(1 << 20);
        const long page = ::sysconf(_SC_PAGESIZE);
        for (;;) {
          void* const two =
              ::mmap(nullptr, static_cast<std::size_t>(2 * page), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          if (two == MAP_FAILED) break;
          ballast.push_back(two);
          if (::mprotect(two, static_cast<std::size_t>(page), PROT_NONE) != 0) break;
          if (ballast.size() == (1 << 20)) return "no limit";
        }
        const auto sending = leat_tests::failure_of([&] {
          for (int i = 0; i < 3000; ++i) {
            const auto at = out.send(sent);
            if (at.error() == errc::full) return;
            if (at.value().offset != sent++) throw std::logic_error("wrong offset");
          }
          throw std::logic_error("never full");
        });
        const auto reading = leat_tests::failure_of([&] {
          for (;;) {
            for (const auto& record : in.poll()) {
              if (record.value() != next++) throw std::logic_error("wrong record");
            }
          }
        });
        for (void* const at : ballast) ::munmap(at, static_cast<std::size_t>(2 * page));
        if (sending) return std::string("sending: ") + sending->what();
        if (!reading || reading->code() != errc::full) return reading ? reading->what() : "read all";
        if (reading->path().find("/topics/t/0000-") == std::string::npos) return reading->path();
        for (int i = 0; i < 1000; ++i, ++sent) {
          if (out.send(sent).value().offset != sent) return "does not go on";
        }
        while (next < sent) {
          for (const auto& record : in.poll()) {
            if (record.value() != next++) return "wrong record behind it";
          }
        }
        return "fine";
      },
      60);
  if (said == "no limit") SKIP("the kernel allows more mappings than this test makes");
  CHECK(said == "fine");
}

// --- partitions and members ---

TEST_CASE("each of 1024 partitions is written, read and committed and one more is refused") {
  auto temporary = leat_tests::temporary_store::in_shared_memory();
  const auto topic = temporary.store.topic<int>("t", {.partitions = 1024, .segment_bytes = 16384});
  leat::producer out{topic};
  for (std::uint32_t p = 0; p < 1024; ++p) (void)out.send(static_cast<int>(p), {.partition = p}).value();
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest, .group = "g"}};
  std::size_t read = 0;
  for (int polls = 0; polls < 3000 && read < 1024; ++polls) {
    for (const auto& record : in.poll()) {
      REQUIRE(record.value() == static_cast<int>(record.partition()));
      ++read;
    }
  }
  REQUIRE(read == 1024);
  REQUIRE(in.owned().size() == 1024);
  REQUIRE(in.commit());
  for (const std::uint32_t p : {0u, 511u, 1023u}) CHECK(in.committed(p)->offset == 1);
  CHECK(code_of([&] { leat::admin(temporary.store).add_partitions("t", 1025); }) == errc::invalid_argument);
}

}  // namespace unit_limits
