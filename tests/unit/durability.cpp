// When records are on the device, what becomes of a topic after the machine has died, and devices that fail.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/faulty_device.hpp"
#include "support/file_bytes.hpp"
#include "support/in_child.hpp"
#include "support/read_all.hpp"
#include "support/temporary_store.hpp"

#include <leat/admin.hpp>
#include <leat/async_producer.hpp>
#include <leat/consumer.hpp>
#include <leat/housekeeper.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace unit_durability {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using leat::durability;
using leat::errc;
using leat_tests::faulty_device;
using leat_tests::temporary_store;
using topic = leat::topic<std::string>;

constexpr std::uint64_t page = 4096;

leat::topic_options options_of(durability how) {
  return {.segment_bytes = 16384, .retention = {.bytes = 1 << 20}, .durability = how};
}

std::uint64_t durable_offset(const topic& t) { return t.describe().partitions[0].durable_offset; }

/// The machine dies, and everybody with it: the store is opened again in another boot. No handle may be left.
template <class Damage>
void reboot(temporary_store& s, Damage damage) {
  s.store = leat::store::in_process();
  const std::string other_boot(16, '\x2a');
  leat_tests::poke(s.file("store"), offsetof(leat::format::store_header, boot), other_boot);
  leat_tests::poke(s.file("topics/t/topic"), offsetof(leat::format::topic_header, boot), other_boot);
  damage();
  s.store = leat::store::open(s.path());
}
void set_mark(const temporary_store& s, std::uint64_t mark) {
  leat_tests::poke(s.file("topics/t/topic"), page + offsetof(leat::format::partition_words, durable),
                   leat_tests::little_endian(mark, 8));
}
/// The byte in the middle of the value of the record at `offset` of the first segment is another.
void flip_byte_of(const temporary_store& s, std::uint64_t offset) {
  const std::string path = s.file("topics/t/0000-0000000000000000");
  const std::string file = leat_tests::read_file(path);
  const std::uint64_t word = leat_tests::number_at(file, page + offset * 8, 8);
  const std::uint64_t at = leat::format::slot_position(word) + sizeof(leat::format::full_prefix) + 1;
  leat_tests::poke(path, at, std::string(1, static_cast<char>(file[at] ^ 1)));
}

std::vector<std::string> values_in(const topic& t) {
  std::vector<std::string> all;
  leat::consumer in{t, {.auto_offset_reset = leat::offset_reset::earliest}};
  while (in.position(0) < t.end_offset(0)) {
    for (const auto& record : in.poll(0ms)) all.emplace_back(record.value());
  }
  return all;
}

TEST_CASE("a topic is durable only where its store outlives the machine") {
  const auto refused = [](const leat::store& s) {
    return leat_tests::message_of([&] { s.topic<std::string>("t", options_of(durability::every)); });
  };
  CHECK_THAT(refused(temporary_store::in_process().store), ContainsSubstring("expected a store in files"));
  const auto shared = temporary_store::in_shared_memory();
  CHECK_THAT(refused(shared.store), ContainsSubstring("expected a store in files"));
  CHECK(shared.store.topics().empty());
  CHECK(refused(temporary_store::on_disk().store) == "no error");
}

TEST_CASE("the durability of a topic is described, and other options for it are refused") {
  const auto s = temporary_store::on_disk();
  CHECK(s.store.topic<std::string>("plain").describe().durability == durability::none);
  auto options = options_of(durability::interval);
  options.flush = {.interval = 50ms, .bytes = 4096};
  const topic t = s.store.topic<std::string>("t", options);
  CHECK(t.describe().durability == durability::interval);
  CHECK(t.describe().flush_interval == 50ms);
  CHECK(t.describe().flush_bytes == 4096);
  CHECK_FALSE(t.describe().recovered);
  CHECK(leat_tests::code_of([&] { s.store.topic<std::string>("t", {.durability = durability::every}); }) ==
        errc::conflicting_options);
  CHECK(leat_tests::code_of([&] { s.store.topic<std::string>("t", {.flush = {.interval = 1s}}); }) ==
        errc::conflicting_options);
  CHECK(leat_tests::code_of([&] {
          s.store.topic<std::string>("u", {.durability = durability::interval, .flush = {.interval = 0s}});
        }) == errc::invalid_argument);
  const leat::admin admin{s.store};
  admin.alter_topic("t", {.retention = {}, .flush = {.interval = leat::forever, .bytes = 1 << 20}});
  CHECK(t.describe().flush_interval == leat::forever);
  CHECK(t.describe().flush_bytes == 1 << 20);
  CHECK(leat_tests::code_of([&] {
          admin.alter_topic("t", {.retention = {}, .flush = {.interval = {}, .bytes = 0}});
        }) == errc::invalid_argument);
}

TEST_CASE("with every record durable each way of sending returns when the device has it") {
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", options_of(durability::every));
  leat::producer out{t};
  CHECK(out.send("one").value().offset == 0);
  CHECK(durable_offset(t) == 1);
  CHECK(out.send("key", "two").value().offset == 1);
  CHECK(durable_offset(t) == 2);
  auto loan = out.claim("key", 5).value();
  std::memcpy(loan.bytes().data(), "three", 5);
  loan.publish().value();
  CHECK(durable_offset(t) == 3);
  CHECK(out.send_if({0, 7}, "key", "not").error() == errc::mismatched);
  out.send_if({0, 3}, "key", "four").value();
  CHECK(durable_offset(t) == 4);
  const std::uint64_t flushes = t.describe().partitions[0].flushes;
  CHECK(out.send_batch(std::vector<std::string>(100, "of a batch")).count == 100);
  CHECK(durable_offset(t) == 104);
  CHECK(t.describe().partitions[0].flushes == flushes + 1);
  out.send(leat::null, leat::null).value();
  CHECK(durable_offset(t) == 105);
  leat::async_producer later{t};
  std::vector<std::future<leat::send_outcome>> outcomes;
  for (int i = 0; i < 100; ++i) outcomes.push_back(later.send("later"));
  for (auto& outcome : outcomes) {
    const auto at = outcome.get().value();
    CHECK(durable_offset(t) > at.offset);
  }
  CHECK(s.store.describe_topic("t").partitions[0].end_offset == 205);
  CHECK(leat::admin{s.store}.verify("t").empty());
}

TEST_CASE("a producer that does not wait for the device has its records there behind flush") {
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", options_of(durability::every));
  faulty_device device;
  {
    leat::producer out{t, {.wait_for_device = false}};
    for (int i = 0; i < 10; ++i) out.send("x").value();
    CHECK(device.calls() == 0);
    out.flush();
    CHECK(durable_offset(t) == 10);
    out.send("x").value();
    CHECK(durable_offset(t) == 10);
  }
  CHECK(durable_offset(t) == 11);  // the producer has ended
}

TEST_CASE("at intervals the device gets what was sent when there is enough of it") {
  const auto s = temporary_store::on_disk();
  auto options = options_of(durability::interval);
  options.flush = {.interval = leat::forever, .bytes = 4096};
  const topic t = s.store.topic<std::string>("t", options);
  leat::producer out{t};
  const std::string value(400, 'x');
  std::uint64_t sent = 0;
  for (; durable_offset(t) == 0 && sent < 1000; ++sent) out.send(value).value();
  CHECK(sent >= 4096 / 432);
  CHECK(sent <= 2 * 4096 / 432 + 2);
  CHECK(durable_offset(t) == sent);
}

TEST_CASE("at intervals the device gets what was sent when it is time") {
  const auto s = temporary_store::on_disk();
  auto options = options_of(durability::interval);
  options.flush = {.interval = 20ms, .bytes = leat::unlimited};
  const topic t = s.store.topic<std::string>("t", options);
  leat::producer out{t};
  const auto begin = std::chrono::steady_clock::now();
  while (durable_offset(t) == 0) {
    out.send("x").value();
    REQUIRE(std::chrono::steady_clock::now() - begin < 60s);
  }
  CHECK(std::chrono::steady_clock::now() - begin >= 10ms);  // the clock's grain
}

TEST_CASE("a housekeeper flushes what a silent producer has left") {
  const auto s = temporary_store::on_disk();
  auto options = options_of(durability::interval);
  options.flush = {.interval = leat::forever, .bytes = leat::unlimited};
  const topic t = s.store.topic<std::string>("t", options);
  leat::producer out{t};
  out.send("x").value();
  CHECK(durable_offset(t) == 0);
  const leat::housekeeper housekeeper{s.store, 1ms};
  const auto begin = std::chrono::steady_clock::now();
  while (durable_offset(t) == 0) {
    REQUIRE(std::chrono::steady_clock::now() - begin < 60s);
    std::this_thread::yield();
  }
}

TEST_CASE("a topic without durability never calls the device") {
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", {.segment_bytes = 16384, .retention = {.bytes = 16384}});
  const faulty_device device;
  leat::producer out{t};
  for (int i = 0; i < 2000; ++i) out.send("key", "value").value();
  out.flush();
  leat::admin{s.store}.flush("t");
  CHECK(device.calls() == 0);
  CHECK(durable_offset(t) == 0);
}

TEST_CASE("a byte of a durable record that is another is found") {
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", options_of(durability::every));
  leat::producer out{t};
  for (int i = 0; i < 10; ++i) out.send("record " + std::to_string(i)).value();
  flip_byte_of(s, 6);
  const auto findings = leat::admin{s.store}.verify("t");
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].code == errc::corrupt);
  CHECK_THAT(findings[0].what, ContainsSubstring("offset 6") && ContainsSubstring("checksum"));
}

TEST_CASE("after another boot the log ends before the first record beyond the mark that is not whole") {
  auto s = temporary_store::on_disk();
  {
    const topic t = s.store.topic<std::string>("t", options_of(durability::every));
    leat::producer out{t};
    for (int i = 0; i < 10; ++i) out.send("record " + std::to_string(i)).value();
  }
  reboot(s, [&] {
    set_mark(s, 4);
    flip_byte_of(s, 7);
  });
  const topic t = s.store.topic<std::string>("t");
  CHECK(t.end_offset(0) == 7);
  CHECK(values_in(t) ==
        std::vector<std::string>{"record 0", "record 1", "record 2", "record 3", "record 4", "record 5", "record 6"});
  CHECK(t.describe().recovered);
  CHECK(t.describe().partitions[0].recovered_end == 7);
  CHECK(durable_offset(t) == 7);
  leat::producer out{t};
  CHECK(out.send("next").value().offset == 7);
  CHECK(leat::admin{s.store}.verify("t").empty());
}

TEST_CASE("after another boot what was flushed is not read again") {
  auto s = temporary_store::on_disk();
  {
    const topic t = s.store.topic<std::string>("t", options_of(durability::every));
    leat::producer out{t};
    for (int i = 0; i < 10; ++i) out.send("record " + std::to_string(i)).value();
  }
  reboot(s,
         [&] { flip_byte_of(s, 7); });  // below the mark: a device that lies is not recovery's business, but verify's
  const topic t = s.store.topic<std::string>("t");
  CHECK(t.end_offset(0) == 10);
  CHECK(leat::admin{s.store}.verify("t").size() == 1);
}

TEST_CASE("after another boot a mark beyond what is there is damage") {
  auto s = temporary_store::on_disk();
  {
    const topic t = s.store.topic<std::string>("t", options_of(durability::every));
    leat::producer out{t};
    out.send("x").value();
  }
  reboot(s, [&] { set_mark(s, 5); });
  CHECK_THAT(leat_tests::message_of([&] { s.store.topic<std::string>("t"); }),
             ContainsSubstring("up to offset 5 were flushed") && ContainsSubstring("offset 1 has none"));
}

TEST_CASE("another number of the boot does no harm to what is in use") {
  // As two containers of one machine may see it.
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", options_of(durability::every));
  leat::producer out{t, {.wait_for_device = false}};
  for (int i = 0; i < 10; ++i) out.send("record " + std::to_string(i)).value();
  leat::consumer in{t, {.auto_offset_reset = leat::offset_reset::earliest, .group = "g"}};
  for (std::size_t read = 0; read < 10;) read += in.poll(10ms).size();
  const std::string other_boot(16, '\x2a');
  leat_tests::poke(s.file("store"), offsetof(leat::format::store_header, boot), other_boot);
  leat_tests::poke(s.file("topics/t/topic"), offsetof(leat::format::topic_header, boot), other_boot);
  const auto theirs = leat::store::open(s.path());
  CHECK(leat::admin{theirs}.describe_group("g").members.size() == 1);
  const topic again = theirs.topic<std::string>("t");
  CHECK_FALSE(again.describe().recovered);
  CHECK(again.end_offset(0) == 10);
  CHECK(out.send("one more").value().offset == 10);
  CHECK(leat::admin{theirs}.verify("t").empty());
}

TEST_CASE("what was cut off after a power failure does not come back after another") {
  auto s = temporary_store::on_disk();
  std::string before;
  const std::string segment = s.file("topics/t/0000-0000000000000000");
  {
    const topic t = s.store.topic<std::string>("t", options_of(durability::every));
    leat::producer out{t, {.wait_for_device = false}};
    for (const char* const value : {"kept", "first", "second"}) out.send(value).value();
    before = leat_tests::read_file(segment);
  }
  reboot(s, [&] {
    set_mark(s, 1);
    flip_byte_of(s, 1);
  });
  {
    const topic t = s.store.topic<std::string>("t");
    REQUIRE(t.end_offset(0) == 1);
    leat::producer out{t, {.wait_for_device = false}};
    for (const char* const value : {"third", "fourth"}) out.send(value).value();
  }
  // Of the new records the slots have reached the device, but not the bytes: in their place is what was there before.
  reboot(s, [&] {
    set_mark(s, 1);
    for (const auto& file : std::filesystem::directory_iterator(s.file("topics/t"))) {
      if (file.path().filename() == "topic") continue;
      const std::string now = leat_tests::read_file(file.path());
      const std::uint64_t data = leat::format::slot_position(leat_tests::number_at(before, page, 8));
      leat_tests::poke(file.path(), data, before.substr(data, now.size() - data));
    }
  });
  const topic t = s.store.topic<std::string>("t");
  CHECK(values_in(t) == std::vector<std::string>{"kept"});
}

TEST_CASE("after another boot a topic without durability begins with what there is") {
  auto s = temporary_store::on_disk();
  {
    const topic t = s.store.topic<std::string>("t", {.segment_bytes = 16384, .retention = {.bytes = 16384}});
    leat::producer out{t};
    for (int i = 0; i < 2000; ++i) out.send("a value").value();
    REQUIRE(t.start_offset(0) != 0);
  }
  const bool something_is_left = GENERATE(false, true);
  CAPTURE(something_is_left);
  reboot(s, [&] {  // the words have reached the device, the names have not
    std::vector<std::filesystem::path> segments;
    for (const auto& file : std::filesystem::directory_iterator(s.file("topics/t"))) {
      if (file.path().filename() != "topic") segments.push_back(file.path());
    }
    std::sort(segments.begin(), segments.end());
    for (std::size_t i = something_is_left ? 1 : 0; i < segments.size(); ++i) std::filesystem::remove(segments[i]);
  });
  const topic t = s.store.topic<std::string>("t");
  const std::uint64_t end = t.end_offset(0);
  leat::producer out{t};
  CHECK(out.send("next").value().offset == end);
  CHECK(values_in(t).back() == "next");
  CHECK(leat::admin{s.store}.verify("t").empty());
}

TEST_CASE("after another boot who may only read waits for somebody who may write") {
  if (::geteuid() != 0) SKIP("needs root, to become another user");
  auto s = temporary_store::on_disk({.directory_mode = 0755});
  auto options = options_of(durability::every);
  options.file_mode = 0644;
  s.store.topic<std::string>("t", options);
  std::filesystem::permissions(std::filesystem::path(s.path()).parent_path(), std::filesystem::perms(0755));
  reboot(s, [] {});
  const auto open_as_reader = [&] {
    return leat_tests::in_child([&]() -> std::string {
      if (!leat_tests::become(leat_tests::ordinary_user)) return "cannot become another";
      const auto store = leat::store::open(s.path(), {.mode = leat::open_mode::open});
      return leat_tests::message_of([&] { store.topic<std::string>("t"); });
    });
  };
  CHECK_THAT(open_as_reader(), ContainsSubstring("somebody who may write to the topic must open it first"));
  s.store.topic<std::string>("t");
  CHECK(open_as_reader() == "no error");
}

TEST_CASE("after another boot nothing is committed beyond the end, and nobody owns anything") {
  auto s = temporary_store::on_disk();
  {
    const topic t = s.store.topic<std::string>("t", options_of(durability::every));
    leat::producer out{t};
    for (int i = 0; i < 10; ++i) out.send("record " + std::to_string(i)).value();
    leat::consumer in{t,
                      {.auto_offset_reset = leat::offset_reset::earliest,
                       .group = "g",
                       .group_instance_id = "stays",  // a static member keeps its place
                       .enable_auto_commit = false}};
    for (const auto& record : in.poll(1s)) (void)record;
    in.commit({{"t", 0}, 10, "all of them"}).value();
  }
  reboot(s, [&] {
    set_mark(s, 4);
    flip_byte_of(s, 7);
  });
  const topic t = s.store.topic<std::string>("t");
  const leat::admin admin{s.store};
  CHECK(admin.describe_group("g").members.empty());
  REQUIRE(admin.describe_group("g").offsets.size() == 1);
  CHECK(admin.describe_group("g").offsets[0].committed == 7);
  leat::producer out{t};
  out.send("new").value();
  leat::consumer in{t, {.group = "g"}};
  std::vector<std::string> read;
  const auto begin = std::chrono::steady_clock::now();
  while (read.empty()) {
    for (const auto& record : in.poll(10ms)) read.emplace_back(record.value());
    REQUIRE(std::chrono::steady_clock::now() - begin < 60s);
  }
  CHECK(read == std::vector<std::string>{"new"});
}

TEST_CASE("a device that fails is an error of the send, and what it refused is given to it again") {
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", options_of(durability::every));
  leat::producer out{t};
  out.send("before").value();
  faulty_device device;
  device.fail_msync(EIO);
  const auto failure = leat_tests::failure_of([&] { (void)out.send("refused"); });
  REQUIRE(failure);
  CHECK(failure->code() == errc::system);
  CHECK_THAT(failure->what(), ContainsSubstring("0000-0000000000000000") && ContainsSubstring("Input/output error"));
  CHECK(durable_offset(t) == 1);
  CHECK(t.end_offset(0) == 2);  // it is in the log all the same
  // The kernel takes the pages for written now. Without another look at them the next flush would write one.
  device.fail_msync(0);
  out.send("after").value();
  CHECK(device.dirty_bytes() >= 16384);
  CHECK(durable_offset(t) == 3);
  CHECK(values_in(t) == std::vector<std::string>{"before", "refused", "after"});
}

TEST_CASE(
    "threads that share a mapping ask the device one after the other, since a refusal is told to one of them only") {
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", options_of(durability::every));
  faulty_device device;
  device.delay(150ms);  // longer than the patience of those who wait for another's flush
  std::vector<std::thread> senders;
  for (int i = 0; i < 3; ++i) {
    senders.emplace_back([&] { (void)leat::producer{t}.send("record").value(); });
  }
  for (std::thread& sender : senders) sender.join();
  CHECK(device.most_at_once() == 1);
  CHECK(durable_offset(t) == 3);
}

TEST_CASE("a directory that cannot be synced is an error of the send") {
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", options_of(durability::every));
  leat::producer out{t};
  {
    faulty_device device;
    device.fail_fsync(EIO);
    CHECK(leat_tests::code_of([&] { (void)out.send("refused"); }) == errc::system);
    CHECK(durable_offset(t) == 0);
  }
  out.send("after").value();
  CHECK(durable_offset(t) == 2);
}

TEST_CASE("a device that fails is what a future or callback of an asynchronous producer tells") {
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", options_of(durability::every));
  leat::async_producer out{t};
  out.send("before").get().value();
  faulty_device device;
  device.fail_msync(EIO);
  auto future = out.send("refused");
  CHECK(leat_tests::code_of([&] { (void)future.get(); }) == errc::system);
  std::promise<errc> told;
  out.send_then(leat::null, "refused", [&](const leat::send_outcome& o) { told.set_value(o.error()); }).value();
  CHECK(told.get_future().get() == errc::system);
  device.fail_msync(0);
  out.send("after").get().value();
  CHECK(durable_offset(t) == 4);
}

TEST_CASE("a commit in a durable topic is on the device, or says that it is not") {
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", options_of(durability::every));
  leat::producer out{t};
  out.send("x").value();
  leat::consumer in{t, {.partitions = std::vector<std::uint32_t>{0}, .group = "g"}};
  faulty_device device;
  in.commit({{"t", 0}, 1, ""}).value();
  CHECK(device.calls() == 1);
  in.commit().value();
  device.fail_msync(EIO);
  CHECK(leat_tests::code_of([&] { in.commit({{"t", 0}, 0, "again"}).value(); }) == errc::system);
  device.fail_msync(0);
  const std::uint64_t before = device.calls();
  in.commit({{"t", 0}, 1, ""}).value();
  CHECK(device.calls() > before);
}

TEST_CASE("what the device refused of a group's offsets is given to it again") {
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", options_of(durability::every));
  leat::producer out{t};
  out.send("x").value();
  leat::consumer in{t, {.partitions = std::vector<std::uint32_t>{0}, .group = "g"}};
  in.commit({{"t", 0}, 0, ""}).value();
  faulty_device device;
  device.fail_msync(EIO);
  CHECK(leat_tests::code_of([&] { in.commit({{"t", 0}, 1, ""}).value(); }) == errc::system);
  device.fail_msync(0);
  in.commit({{"t", 0}, 1, ""}).value();  // which changes nothing in the file
  CHECK(device.dirty_bytes() >= page);
  // Likewise with the name of its words.
  device.fail_fsync(EIO, 1);  // behind the file of the words
  CHECK(leat_tests::code_of([&] { in.commit({{"t", 0}, 1, "words"}).value(); }) == errc::system);
  device.fail_fsync(EIO);
  CHECK(leat_tests::code_of([&] { in.commit({{"t", 0}, 1, ""}).value(); }) == errc::system);
  device.fail_fsync(0);
  in.commit({{"t", 0}, 1, ""}).value();
}

TEST_CASE("what the device refused of a topic's words is given to it again, also by who opens the topic later") {
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", options_of(durability::every));
  leat::producer out{t};
  for (int i = 0; i < 4; ++i) out.send("x").value();
  const leat::admin admin{s.store};
  CHECK(admin.delete_records({"t", 0}, 1) == 1);
  const bool opens_anew = GENERATE(false, true);
  CAPTURE(opens_anew);
  auto log = t.log();
  faulty_device device;
  device.fail_msync(EIO);
  CHECK(leat_tests::code_of([&] { leat::storage::delete_records(log->partition(0), 2); }) == errc::system);
  device.fail_msync(0);
  if (opens_anew) log = leat::store::open(s.path()).topic<std::string>("t").log();
  CHECK(leat::storage::delete_records(log->partition(0), 2) == 2);  // which changes nothing in the file
  CHECK(device.dirty_bytes() >= page);
}

TEST_CASE("what the device refused of the store's file is given to it again") {
  const auto s = temporary_store::on_disk();
  faulty_device device;
  device.fail_msync(EIO);
  const auto make = [&] { (void)s.store.topic<std::string>("t", options_of(durability::every)); };
  CHECK(leat_tests::code_of(make) == errc::system);
  device.fail_msync(0);
  make();
  CHECK(device.dirty_bytes() >= page);
}

TEST_CASE("commits are flushed at the interval that the topic has now") {
  const auto s = temporary_store::on_disk();
  leat::topic_options o = options_of(durability::interval);
  o.flush.interval = leat::forever;
  const topic t = s.store.topic<std::string>("t", o);
  leat::producer out{t};
  for (int i = 0; i < 4; ++i) out.send("x").value();
  leat::consumer alone{t, {.partitions = std::vector<std::uint32_t>{0}, .group = "g"}};
  leat::consumer member{t, {.auto_offset_reset = leat::offset_reset::earliest, .group = "h"}};
  CHECK(member.poll().size() == 4);
  faulty_device device;
  alone.commit({{"t", 0}, 1, ""}).value();
  member.commit({{"t", 0}, 1, ""}).value();
  CHECK(device.calls() == 0);
  leat::admin{s.store}.alter_topic("t", {.flush = {.interval = 1ns}});
  const std::uint64_t before = device.calls();
  alone.commit({{"t", 0}, 2, ""}).value();
  CHECK(device.calls() == before + 1);
  member.commit({{"t", 0}, 2, ""}).value();
  CHECK(device.calls() == before + 2);
}

TEST_CASE("a topic directory that is removed by hand is an error, and never the end of the process") {
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", options_of(durability::every));
  leat::producer out{t};
  out.send("before").value();
  std::filesystem::remove_all(s.file("topics/t"));
  std::string message = "no error";
  for (int i = 0; i < 10'000 && message == "no error"; ++i) {
    message = leat_tests::message_of([&] { (void)out.send("behind").value(); });
  }
  CHECK_THAT(message, ContainsSubstring("topics/t"));
  const topic again = s.store.topic<std::string>("t", options_of(durability::every));
  leat::producer out_again{again};
  CHECK(out_again.send("after").value().offset == 0);
}

TEST_CASE("a durable topic that is deleted while records wait for the device is closed") {
  const auto s = temporary_store::on_disk();
  const topic t = s.store.topic<std::string>("t", options_of(durability::every));
  leat::producer out{t, {.wait_for_device = false}};
  out.send("x").value();
  s.store.remove_topic("t");
  CHECK(leat_tests::code_of([&] { out.flush(); }) == errc::closed);
  CHECK(leat_tests::code_of([&] { leat::admin{s.store}.flush("t"); }) == errc::not_found);
}

}  // namespace unit_durability
