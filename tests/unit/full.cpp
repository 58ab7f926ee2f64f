// A device without room for another segment: an error value, and never a SIGBUS.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/file_bytes.hpp"
#include "support/full_device.hpp"
#include "support/in_child.hpp"
#include "support/media.hpp"
#include "support/read_all.hpp"

#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <cstdint>
#include <filesystem>
#include <ranges>
#include <string>
#include <vector>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace unit_full {

using leat::errc;
using leat_tests::in_child;
using leat_tests::limit_files;

/// Sends until the device is full; gives what is wrong, or nothing.
template <class Value>
std::string send_until_full(leat::producer<Value>& out, std::uint64_t& sent) {
  for (;;) {
    const auto at = out.send(sent);
    if (at.error() == errc::full) return {};
    if (!at) return "not full: " + leat::make_error_code(at.error()).message();
    if (at.value().offset != sent)
      return "offset " + std::to_string(at.value().offset) + " for " + std::to_string(sent);
    if (++sent > 1'000'000) return "never full";
  }
}

std::string read_back(const leat::topic<std::uint64_t>& topic, std::uint64_t sent) {
  std::uint64_t next = 0;
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  while (in.position(0) < sent) {
    for (const auto& record : in.poll()) {
      if (record.value() != next++) return "wrong record";
    }
  }
  return {};
}

const leat::topic_options unbounded{.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}};

TEST_CASE("a full device is a value and when there is room again the log goes on") {
  auto temporary = leat_tests::each_kind_of_store();
  leat::topic_options options = unbounded;
  options.single_writer = GENERATE(false, true);
  CAPTURE(temporary.store.path(), *options.single_writer);
  CHECK(in_child([&]() -> std::string {
          const leat::store store = temporary.path().empty() ? leat::store::in_process() : temporary.store;
          const auto topic = store.topic<std::uint64_t>("t", options);
          leat::producer out{topic};
          std::uint64_t sent = 0;
          for (; sent < 700; ++sent) (void)out.send(sent).value();
          limit_files(4096);
          if (const std::string wrong = send_until_full(out, sent); !wrong.empty()) return wrong;
          if (sent < 1000) return "full too early: " + std::to_string(sent);
          if (out.send(1).error() != errc::full) return "no longer full";
          if (out.send_if({0, sent}, leat::null, 1).error() != errc::full) return "send_if: not full";
          if (out.send_batch(std::vector<int>{1, 2}).error != errc::full) return "send_batch: not full";
          if (out.claim(leat::null).error() != errc::full) return "claim: not full";
          if (topic.end_offset(0) != sent) return "a record that was refused is there";
          limit_files(RLIM_INFINITY);
          if (out.send(sent).value().offset != sent) return "does not go on";
          return read_back(topic, sent + 1);
        }) == "");
}

TEST_CASE("a batch that meets a full device in its middle has appended what it counts, and rung for it") {
  auto temporary = leat_tests::temporary_store::in_shared_memory();
  leat::topic_options slots_end_first = unbounded;  // in the middle of a publish
  slots_end_first.expected_record_bytes = 64;
  const auto topic = temporary.store.topic<std::uint64_t>("t", slots_end_first);
  CHECK(in_child([&]() -> std::string {
          const auto mine = leat::store::open(temporary.path()).topic<std::uint64_t>("t");
          leat::producer out{mine};
          std::uint64_t sent = 0;
          (void)out.send(sent++).value();
          limit_files(4096);
          const auto bell = mine.log()->partition(0).doorbell();
          const auto values =
              std::views::iota(std::uint64_t{1}, std::uint64_t{100'000}) | std::views::transform([&](std::uint64_t i) {
                bell.arm();  // somebody sleeps at any moment
                return i;
              });
          const auto result = out.send_batch(values);
          sent += result.count;
          if (result.error != errc::full) return "not full";
          if (result.count < 100 || result.count % 32 == 0) return "not in the middle: " + std::to_string(result.count);
          if (mine.end_offset(0) != sent) return "not what it counts";
          if (leat::sync::doorbell::is_armed(bell.look())) return "not rung";
          if (out.send_batch(std::vector<std::uint64_t>{1, 2}).count != 0) return "no longer full";
          limit_files(RLIM_INFINITY);
          if (out.send(sent).value().offset != sent) return "does not go on";
          return read_back(mine, sent + 1);
        }) == "");
}

TEST_CASE("records that are refused for want of room leave no files behind") {
  auto temporary =
      GENERATE(true, false) ? leat_tests::temporary_store::on_disk() : leat_tests::temporary_store::in_shared_memory();
  const auto topic = temporary.store.topic<std::uint64_t>("t", unbounded);
  CHECK(in_child([&]() -> std::string {
          const auto mine = leat::store::open(temporary.path()).topic<std::uint64_t>("t");
          leat::producer out{mine};
          std::uint64_t sent = 0;
          (void)out.send(sent++).value();
          limit_files(4096);
          if (const std::string wrong = send_until_full(out, sent); !wrong.empty()) return wrong;
          for (int i = 0; i < 50; ++i) {
            if (out.send(sent).error() != errc::full) return "no longer full";
          }
          return {};
        }) == "");
  CHECK(leat_tests::names_in(temporary.file("topics/t")).size() == 2);
}

TEST_CASE("a loan that finds no room when it is published is given up with a value") {
  auto temporary = leat_tests::temporary_store::in_shared_memory();
  const auto topic = temporary.store.topic<std::uint64_t>("t", unbounded);
  CHECK(in_child([&]() -> std::string {
          const auto mine = leat::store::open(temporary.path()).topic<std::uint64_t>("t");
          leat::producer out{mine};
          std::uint64_t sent = 0;
          (void)out.send(sent++).value();
          auto loan = std::move(out.claim(leat::null)).value();
          *loan = 1;
          limit_files(4096);
          if (const std::string wrong = send_until_full(out, sent); !wrong.empty()) return wrong;
          if (loan.publish().error() != errc::full) return "published";
          limit_files(RLIM_INFINITY);
          if (out.send(sent).value().offset != sent) return "does not go on";
          return read_back(mine, sent + 1);
        }) == "");
}

TEST_CASE("a topic or store that finds no room is an error and leaves nothing with its name") {
  auto temporary = leat_tests::temporary_store::on_disk();
  CHECK(in_child([&]() -> std::string {
          limit_files(1024);
          if (leat_tests::code_of([&] { (void)temporary.store.topic<int>("t"); }) != errc::full)
            return "topic: not full";
          if (!temporary.store.topics().empty()) return "a topic is there";
          const std::string path = temporary.file("another");
          if (leat_tests::code_of([&] { leat::store::open(path); }) != errc::full) return "store: not full";
          if (leat_tests::code_of([&] { leat::store::open(path, {.mode = leat::open_mode::open}); }) != errc::not_found)
            return "a store is there";
          limit_files(RLIM_INFINITY);
          (void)temporary.store.topic<int>("t");
          (void)leat::store::open(path);
          return {};
        }) == "");
}

TEST_CASE("a file system of memory that is really full is a value and no SIGBUS") {
  if (::geteuid() != 0) SKIP("mounting a small file system needs root");
  const leat_tests::temporary_directory place;
  const std::string outcome = in_child([&]() -> std::string {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", place.path().c_str(), "tmpfs", 0, "size=512k,mode=0700") != 0) {
      return "no mount";
    }
    const auto store = leat::store::open(place.path() + "/store");
    const std::string ballast = place.path() + "/ballast";
    leat_tests::write_file(ballast, std::string(65536, 'b'));
    {  // whose handles keep the memory, also of a deleted topic
      const auto topic = store.topic<std::uint64_t>("t", unbounded);
      leat::producer out{topic};
      std::uint64_t sent = 0;
      if (const std::string wrong = send_until_full(out, sent); !wrong.empty()) return wrong;
      if (sent < 10000) return "full too early: " + std::to_string(sent);
      if (leat_tests::code_of([&] { (void)store.topic<int>("other", {.partitions = 1024}); }) != errc::full)
        return "topic: not full";
      if (const std::string wrong = read_back(topic, sent); !wrong.empty()) return wrong;
      std::filesystem::remove(ballast);
      for (int i = 0; i < 1000; ++i, ++sent) {
        if (out.send(sent).value().offset != sent) return "does not go on";
      }
      if (const std::string wrong = send_until_full(out, sent); !wrong.empty()) return wrong;
      if (const std::string wrong = read_back(topic, sent); !wrong.empty()) return wrong;
    }
    // One that is bounded lives in what is left for as long as one likes.
    store.remove_topic("t");
    leat::producer bounded{
        store.topic<std::uint64_t>("bounded", {.segment_bytes = 16384, .retention = {.bytes = 3 * 16384}})};
    for (std::uint64_t i = 0; i < 50000; ++i) {
      if (bounded.send(i).value().offset != i) return "bounded: wrong offset";
    }
    return "fine";
  });
  if (outcome == "no mount") SKIP("a private mount is not permitted here");
  CHECK(outcome == "fine");
}

}  // namespace unit_full
