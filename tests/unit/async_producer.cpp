// The asynchronous producer: what is handed over, what becomes of it, and what it is bounded by.
#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/processes.hpp"
#include "support/scarce_memory.hpp"
#include "support/temporary_store.hpp"

#include <leat/async_producer.hpp>
#include <leat/leat.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <future>
#include <latch>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/resource.h>

namespace unit_async_producer {

/// Dear to encode: it tells where that happens, and may fail.
struct picture {
  std::string pixels;
  enum { whole, torn, unknown } state = whole;
};
std::atomic<std::thread::id> encoder;

}  // namespace unit_async_producer

template <>
struct leat::codec<unit_async_producer::picture> {
  using picture = unit_async_producer::picture;
  using input = const picture&;
  using output = std::string_view;
  static constexpr std::string_view name = "picture";
  static std::size_t size(input p) { return p.pixels.size(); }
  static void encode(input p, std::span<std::byte> into) {
    unit_async_producer::encoder = std::this_thread::get_id();
    if (p.state == picture::torn) throw error(errc::corrupt, "picture", "it is torn");
    if (p.state == picture::unknown) throw std::runtime_error("no such picture");
    p.pixels.copy(reinterpret_cast<char*>(into.data()), into.size());
  }
  static output decode(bytes_view bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

namespace unit_async_producer {

using namespace std::chrono_literals;
using leat::errc;
using leat_tests::wait_until;

constexpr auto earliest = leat::offset_reset::earliest;

template <class Value, class Key>
std::vector<std::string> values_of(const leat::topic<Value, Key>& topic) {
  leat::consumer in{topic, {.auto_offset_reset = earliest, .max_poll_records = 1'000'000}};
  std::vector<std::string> values;
  for (;;) {
    const auto batch = in.poll();
    if (batch.empty()) return values;
    for (const auto& record : batch) values.emplace_back(record.has_value() ? std::string(record.value()) : "null");
  }
}

/// Keeps the sender in a callback, so that what is handed over stays queued.
class held_sender {
 public:
  template <class Producer>
  explicit held_sender(Producer& out) {
    const auto held = out.send_then(leat::null, "held", [latches = latches_](const auto&) {
      latches->begun.count_down();
      latches->go_on.wait();
    });
    REQUIRE(held);
    latches_->begun.wait();
  }
  ~held_sender() { let_go(); }
  void let_go() {
    if (!std::exchange(gone_, true)) latches_->go_on.count_down();
  }

 private:
  struct both {
    std::latch begun{1};
    std::latch go_on{1};
  };
  std::shared_ptr<both> latches_ = std::make_shared<both>();  // the callback may still be leaving when this one is gone
  bool gone_ = false;
};

TEST_CASE("a future and a callback give the position of the record") {
  const auto topic = leat::store::in_process().topic<std::string>("t", {.partitions = 4});
  leat::async_producer out{topic};
  leat::send_outcome told = errc::closed;
  const auto sent = out.send("key", "one").get();
  REQUIRE(sent);
  REQUIRE(out.send_then("key", "two", [&](const leat::send_outcome& at) { told = at; }));
  REQUIRE(out.flush());
  REQUIRE(told);
  const auto key = std::as_bytes(std::span("key", 3));
  CHECK(*sent == leat::record_position{leat::partition_of_key(key, 4), 0});
  CHECK(*told == leat::record_position{sent->partition, 1});
  CHECK(out.queued_records() == 0);
  CHECK(out.queued_bytes() == 0);
}

TEST_CASE("a record arrives as it was handed over: nulls, headers, timestamp, partition") {
  const auto topic = leat::store::in_process().topic<std::string>("t", {.partitions = 3});
  leat::async_producer out{topic};
  const leat::timestamp then{std::chrono::nanoseconds(123456789)};
  {
    std::string name = "trace";  // gone before the record is appended, perhaps
    std::string value = "7f3a";
    const std::vector<leat::header> headers{{name, value}, {name, leat::null}};
    REQUIRE(out.send("key", std::string_view("value"), {.partition = 2, .timestamp = then, .headers = headers}).get());
    REQUIRE(out.send_then("", leat::null, nullptr, {.partition = 1, .headers = headers}));
    name.assign(20, 'x');
    value.clear();
  }
  const auto before = std::chrono::system_clock::now();
  REQUIRE(out.send("no key", {.partition = 0}).get());
  REQUIRE(out.flush());
  leat::consumer in{topic, {.auto_offset_reset = earliest}};
  int seen = 0;
  for (const auto& record : in.poll()) {
    ++seen;
    if (record.partition() == 0) {
      CHECK_FALSE(record.has_key());
      CHECK(record.value() == "no key");
      CHECK(record.timestamp() >= before);
    } else if (record.partition() == 1) {
      CHECK(record.key() == "");
      CHECK_FALSE(record.has_value());
    } else {
      CHECK(record.key() == "key");
      CHECK(record.value() == "value");
      CHECK(record.timestamp() == then);
    }
    if (record.partition() == 0) continue;
    auto header = record.headers().begin();
    CHECK(*header++ == leat::header("trace", "7f3a"));
    CHECK(*header++ == leat::header("trace", leat::null));
    CHECK(header == record.headers().end());
  }
  CHECK(seen == 3);
}

TEST_CASE("views are copied and other values moved, for every kind of topic") {
  const leat::store store = leat::store::in_process();
  const auto bytes = store.topic<leat::bytes_view, std::string_view>("bytes");
  const auto numbers = store.topic<int, int>("numbers");
  leat::async_producer out{bytes};
  leat::async_producer counts{numbers};
  {
    std::vector<std::byte> scratch(3, std::byte{7});
    std::string key = "a key that is longer than what a string holds within itself";
    REQUIRE(out.send_then(std::string_view(key), leat::bytes_view(scratch), nullptr));
    scratch.assign(3, std::byte{8});
    REQUIRE(out.send_then(key, std::move(scratch), nullptr));
    key.assign(key.size(), 'x');
  }
  REQUIRE(counts.send_then(1, 2, nullptr));
  REQUIRE(out.flush());
  REQUIRE(counts.flush());
  leat::consumer in{bytes, {.auto_offset_reset = earliest}};
  std::vector<int> first;
  for (const auto& record : in.poll()) {
    CHECK(record.key() == "a key that is longer than what a string holds within itself");
    first.push_back(std::to_integer<int>(record.value().front()));
  }
  CHECK(first == std::vector{7, 8});
  leat::consumer counted{numbers, {.auto_offset_reset = earliest}};
  for (const auto& record : counted.poll()) CHECK(record.key() + record.value() == 3);
}

TEST_CASE("records are encoded in the sender's thread") {
  const auto topic = leat::store::in_process().topic<picture>("t");
  leat::async_producer out{topic};
  encoder = std::this_thread::get_id();
  std::thread::id called;
  REQUIRE(out.send_then(leat::null, picture{"....", {}}, [&](const auto&) { called = std::this_thread::get_id(); }));
  REQUIRE(out.flush());
  CHECK(encoder.load() != std::this_thread::get_id());
  CHECK(encoder.load() == called);
  CHECK(values_of(topic) == std::vector<std::string>{"...."});
}

TEST_CASE("records of one thread, and of one handle, are appended in their order") {
  const auto topic = leat::store::in_process().topic<std::string>("t");
  leat::async_producer out{topic};
  auto mine = out.make_handle();
  std::vector<std::string> expected;
  for (int i = 0; i < 2000; ++i) {
    expected.push_back(std::to_string(i));
    REQUIRE(mine.send_then(leat::null, expected.back(), nullptr));
  }
  REQUIRE(out.flush());
  for (int i = 0; i < 2000; ++i) {
    expected.push_back("more " + std::to_string(i));
    REQUIRE(out.send_then(leat::null, expected.back(), nullptr));
  }
  REQUIRE(out.flush());
  CHECK(values_of(topic) == expected);
}

TEST_CASE("what is queued is bounded in records, and who comes then gets back pressure") {
  const auto topic = leat::store::in_process().topic<std::string>("t");
  leat::async_producer out{topic, {.max_queued_records = 3, .max_block = 0s}};
  held_sender held(out);
  REQUIRE(out.send_then(leat::null, "1", nullptr));
  REQUIRE(out.send_then(leat::null, "2", nullptr));
  bool called = false;
  CHECK(out.send_then(leat::null, "3", [&](const auto&) { called = true; }).error() == errc::back_pressure);
  CHECK(out.send("4").get().error() == errc::back_pressure);
  CHECK(out.queued_records() == 3);
  held.let_go();
  REQUIRE(out.flush());
  CHECK_FALSE(called);
  CHECK(values_of(topic) == std::vector<std::string>{"held", "1", "2"});
}

TEST_CASE("what is queued is bounded in bytes") {
  const auto topic = leat::store::in_process().topic<std::string>("t");
  leat::async_producer out{topic, {.max_queued_bytes = 100'000, .max_block = 0s}};
  held_sender held(out);
  CHECK(out.send("key", std::string(200'000, 'x')).get().error() == errc::back_pressure);
  REQUIRE(out.send_then("key", std::string(90'000, 'x'), nullptr));
  CHECK(out.queued_bytes() > 90'000);
  CHECK(out.queued_bytes() < 100'000);
  CHECK(out.send("key", std::string(20'000, 'x')).get().error() == errc::back_pressure);
  held.let_go();
  REQUIRE(out.flush());
  CHECK(out.queued_bytes() == 0);
  CHECK(out.send("key", std::string(200'000, 'x')).get());  // alone
}

TEST_CASE("what a string or a vector of bytes has reserved counts as what it holds") {
  const leat::store store = leat::store::in_process();
  const leat::async_producer_options options{.max_queued_bytes = 100'000, .max_block = 0s};
  {
    leat::async_producer out{store.topic<std::string>("text"), options};
    held_sender held(out);
    const std::size_t before = out.queued_bytes();
    REQUIRE(out.send_then("key", "short", nullptr));
    const std::size_t entry = out.queued_bytes() - before;
    std::string roomy = "short";
    roomy.reserve(90'000);
    REQUIRE(out.send_then("key", std::move(roomy), nullptr));
    CHECK(out.queued_bytes() - before >= 90'000 + 2 * entry);
    CHECK(out.send_then("key", std::string(20'000, 'x'), nullptr).error() == errc::back_pressure);
    std::string long_key = "key";
    long_key.reserve(20'000);
    CHECK(out.send_then(std::move(long_key), "short", nullptr).error() == errc::back_pressure);
  }
  {
    leat::async_producer out{store.topic<leat::bytes_view>("bytes"), options};
    std::latch begun{1};
    std::latch go_on{1};
    REQUIRE(out.send_then(leat::null, std::vector<std::byte>(1), [&](const auto&) {
      begun.count_down();
      go_on.wait();
    }));
    begun.wait();
    std::vector<std::byte> roomy(1);
    roomy.reserve(90'000);
    REQUIRE(out.send_then(leat::null, std::move(roomy), nullptr));
    CHECK(out.queued_bytes() > 90'000);
    CHECK(out.send_then(leat::null, std::vector<std::byte>(20'000), nullptr).error() == errc::back_pressure);
    go_on.count_down();
  }
}

TEST_CASE("handing over waits for room, for max_block at most") {
  const auto topic = leat::store::in_process().topic<std::string>("t");
  leat::async_producer brief{topic, {.max_queued_records = 1, .max_block = 20ms}};
  {
    held_sender held(brief);
    const auto before = std::chrono::steady_clock::now();
    CHECK(brief.send("too late").get().error() == errc::back_pressure);
    CHECK(std::chrono::steady_clock::now() - before >= 20ms);
  }
  leat::async_producer patient{topic, {.max_queued_records = 1, .max_block = leat::forever}};
  held_sender held(patient);
  auto sent = std::async(std::launch::async, [&] { return patient.send("in time").get(); });
  CHECK(sent.wait_for(20ms) == std::future_status::timeout);
  held.let_go();
  CHECK(sent.get());
}

TEST_CASE("a flush returns when all that was handed over before is in the log and its callbacks have returned") {
  const auto topic = leat::store::in_process().topic<std::string>("t", {.max_record_bytes = 1000});
  leat::async_producer out{topic};
  std::atomic<int> told{0};
  std::atomic<int> failed{0};
  for (int round = 1; round <= 50; ++round) {
    for (int i = 0; i < 20; ++i) {
      const std::string value(i == 7 ? 2000 : 10, 'x');
      REQUIRE(out.send_then(leat::null, value, [&](const leat::send_outcome& at) {
        if (!at) failed += at.error() == errc::too_large ? 1 : 1000;
        ++told;
      }));
    }
    REQUIRE(out.flush());
    REQUIRE(told == 20 * round);
    REQUIRE(failed == round);
    REQUIRE(topic.end_offset(0) == 19u * static_cast<unsigned>(round));
  }
}

TEST_CASE("a flush in a callback is refused, and a close there does not wait for itself") {
  const auto topic = leat::store::in_process().topic<std::string>("t");
  leat::async_producer out{topic};
  std::atomic<errc> flushed{errc::ok};
  REQUIRE(out.send_then(leat::null, "1", [&](const auto&) {
    flushed = out.flush().error();
    out.close();
  }));
  wait_until("it is closed", [&] { return out.send("2").get().error() == errc::closed; });
  out.close();
  CHECK(flushed == errc::invalid_argument);
}

TEST_CASE("nothing that was accepted is lost by a close, and what comes later is refused") {
  const auto topic = leat::store::in_process().topic<std::string>("t");
  std::vector<std::future<leat::send_outcome>> sent;
  {
    leat::async_producer out{topic};
    held_sender held(out);
    for (int i = 0; i < 1000; ++i) sent.push_back(out.send(std::to_string(i)));
    std::thread closing([&] { out.close(); });
    wait_until("it is closed", [&] {
      auto more = out.send("more");
      if (more.wait_for(0s) == std::future_status::timeout) {  // accepted
        sent.push_back(std::move(more));
        return false;
      }
      return more.get().error() == errc::closed;
    });
    held.let_go();
    closing.join();
    CHECK(out.send("late").get().error() == errc::closed);
    CHECK(out.send_then(leat::null, "late", nullptr).error() == errc::closed);
    CHECK(out.flush());
  }
  std::uint64_t offset = 1;
  for (auto& s : sent) {
    const auto at = s.get();
    REQUIRE(at);
    CHECK(at->offset == offset++);
  }
  CHECK(topic.end_offset(0) == offset);
}

TEST_CASE("the destructor appends what is queued") {
  const auto topic = leat::store::in_process().topic<std::string>("t");
  {
    leat::async_producer out{topic};
    for (int i = 0; i < 1000; ++i) REQUIRE(out.send_then(leat::null, "value", nullptr));
  }
  CHECK(topic.end_offset(0) == 1000);
}

TEST_CASE("who waits for room when it is closed is refused") {
  const auto topic = leat::store::in_process().topic<std::string>("t");
  leat::async_producer out{topic, {.max_queued_records = 1, .max_block = leat::forever}};
  held_sender held(out);
  auto waiting = std::async(std::launch::async, [&] { return out.send("x").get().error(); });
  CHECK(waiting.wait_for(20ms) == std::future_status::timeout);
  std::thread closing([&] { out.close(); });
  CHECK(waiting.get() == errc::closed);
  held.let_go();
  closing.join();
}

TEST_CASE("each record of a deleted topic is told so") {
  const leat::store store = leat::store::in_process();
  leat::async_producer out{store.topic<std::string>("t")};
  REQUIRE(out.send("1").get());
  store.remove_topic("t");
  CHECK(out.send("2").get().error() == errc::closed);
  CHECK(out.send("3").get().error() == errc::closed);
}

TEST_CASE("a record meets back pressure at its delivery timeout, and those behind it do not wait once more") {
  const leat::store store = leat::store::in_process();
  const auto topic =
      store.topic<std::string>("t", {.segment_bytes = 16384, .retention = {.bytes = 16384, .wait_for_groups = true}});
  leat::consumer in{topic, {.auto_offset_reset = earliest, .group = "slow", .enable_auto_commit = false}};
  REQUIRE(in.poll().empty());
  leat::async_producer out{topic, {.delivery_timeout = 200ms}};
  const std::string value(1000, 'x');
  std::vector<std::future<leat::send_outcome>> sent;
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) sent.push_back(out.send(value));
  int appended = 0;
  for (auto& s : sent) {
    const auto at = s.get();
    if (at) {
      ++appended;
    } else {
      REQUIRE(at.error() == errc::back_pressure);
    }
  }
  CHECK(appended > 10);
  CHECK(appended < 60);
  const auto took = std::chrono::steady_clock::now() - before;
  CHECK(took >= 195ms);
  CHECK(took < 10s);  // and not 200 ms each
  auto later = out.send(value);
  while (!in.poll().empty()) REQUIRE(in.commit());
  CHECK(later.get());
}

TEST_CASE("what a codec throws comes out of the future, and as a code to the callback") {
  const auto topic = leat::store::in_process().topic<picture>("t");
  std::vector<std::string> told;
  const auto note = [&](std::exception_ptr what) {
    try {
      std::rethrow_exception(what);
    } catch (const std::exception& e) {
      told.emplace_back(e.what());
    }
    throw std::logic_error("which is ignored");
  };
  leat::async_producer out{topic, {.on_exception = note}};
  CHECK_THROWS_AS(out.send(picture{"", picture::unknown}).get(), std::runtime_error);
  CHECK_THROWS_AS(out.send(picture{"", picture::torn}).get(), leat::error);
  CHECK(told.empty());
  std::vector<errc> codes;
  const auto note_code = [&](const leat::send_outcome& at) { codes.push_back(at.error()); };
  REQUIRE(out.send_then(leat::null, picture{"", picture::unknown}, note_code));
  REQUIRE(out.send_then(leat::null, picture{"", picture::torn}, note_code));
  REQUIRE(out.send_then(leat::null, picture{"fine", {}}, note_code));
  REQUIRE(out.flush());
  CHECK(codes == std::vector{errc::invalid_argument, errc::corrupt, errc::ok});
  REQUIRE(told.size() == 2);
  CHECK(told[0] == "no such picture");
  CHECK_THAT(told[1], Catch::Matchers::ContainsSubstring("it is torn"));
}

TEST_CASE("what a callback throws is told, and the next record goes its way") {
  const auto topic = leat::store::in_process().topic<std::string>("t");
  int told = 0;
  leat::async_producer out{topic, {.on_exception = [&](std::exception_ptr) { ++told; }}};
  REQUIRE(out.send_then(leat::null, "1", [](const auto&) { throw 1; }));
  CHECK(out.send("2").get()->offset == 1);
  CHECK(told == 1);
  leat::async_producer deaf{topic};
  REQUIRE(deaf.send_then(leat::null, "3", [](const auto&) { throw 1; }));
  CHECK(deaf.send("4").get()->offset == 3);
}

TEST_CASE("without memory, handles and records are refused, and nothing that was accepted is lost") {
  if (!leat_tests::scarce_memory::possible) return;
  CHECK(leat_tests::in_child([]() -> std::string {
          const auto topic = leat::store::in_process().topic<std::string>("t");
          leat::async_producer out{topic};
          std::latch begun{1};
          std::latch go_on{1};
          (void)out.send_then(leat::null, "0", [&](const auto&) {
            begun.count_down();
            go_on.wait();
          });
          begun.wait();
          constexpr int tries = 10'000;  // it has room for some without: 192, with ConcurrentQueue 1.0.4 for 1024
          std::vector<std::string> expected{"0"};
          expected.reserve(tries + 1);
          bool no_handle = false;
          int refused = 0;
          {
            const leat_tests::scarce_memory none;
            try {
              auto handle = out.make_handle();
              (void)handle.send_then(leat::null, "by a handle", nullptr);
            } catch (const std::bad_alloc&) {
              no_handle = true;
            }
            for (int i = 1; i < tries; ++i) {
              const auto accepted = out.send_then(leat::null, std::to_string(i), nullptr);
              if (accepted) expected.push_back(std::to_string(i));
              if (accepted.error() == errc::full) ++refused;
            }
          }
          auto handle = out.make_handle();
          if (!handle.send_then(leat::null, "at last", nullptr)) return "no memory any more";
          expected.emplace_back("at last");
          go_on.count_down();
          (void)out.flush();
          if (!no_handle) return "a handle was made";
          if (refused == 0) return "nothing was refused";
          if (out.queued_records() != 0) return "what was refused counts";
          auto found = values_of(topic);
          std::ranges::sort(found);
          std::ranges::sort(expected);
          return found == expected ? "" : "not what was accepted";
        }) == "");
}

TEST_CASE("while nothing is handed over it uses no processor time") {
  const auto topic = leat::store::in_process().topic<std::string>("t");
  leat::async_producer out{topic};
  REQUIRE(out.send("1").get());
  const auto used = [] {
    rusage u{};
    ::getrusage(RUSAGE_SELF, &u);
    return std::chrono::seconds(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           std::chrono::microseconds(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
  };
  const auto before = used();
  // Not to wait for something: this is the time for which its use of the processor is measured.
  std::this_thread::sleep_for(300ms);
  CHECK(used() - before < 5ms * leat_tests::slowdown);
  CHECK(out.send("2").get());
}

TEST_CASE("in the child of a fork it says so, and is destroyed without waiting for its thread") {
  auto temporary = leat_tests::temporary_store::in_shared_memory();
  const auto topic = temporary.store.topic<std::string>("t");
  auto out = std::make_unique<leat::async_producer<std::string>>(topic);
  REQUIRE(out->send("1").get());
  const std::string said = leat_tests::in_child([&] {
    bool right = out->send("2").get().error() == errc::forked;
    right = right && out->send_then(leat::null, "2", nullptr).error() == errc::forked;
    right = right && out->flush().error() == errc::forked;
    out->close();
    out.reset();
    return std::string(right ? "forked" : "wrong");
  });
  CHECK(said == "forked");
  CHECK(out->send("3").get()->offset == 1);
}

}  // namespace unit_async_producer
