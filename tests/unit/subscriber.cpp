// The subscriber: what is processed, in which order, and what is committed.
#include "support/catch.hpp"
#include "support/file_bytes.hpp"
#include "support/in_child.hpp"
#include "support/processes.hpp"
#include "support/scarce_memory.hpp"
#include "support/temporary_store.hpp"

#include <leat/admin.hpp>
#include <leat/leat.hpp>
#include <leat/subscriber.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>

namespace unit_subscriber {

using namespace std::chrono_literals;
using leat::errc;
using leat::processing_order;
using leat_tests::wait_until;

constexpr auto earliest = leat::offset_reset::earliest;

leat::subscriber_options in_group(std::size_t workers = 4) {
  return {.consumer = {.auto_offset_reset = earliest, .group = "g"}, .workers = workers, .commit_interval = 0s};
}

std::optional<std::uint64_t> committed(const leat::topic<int>& topic, std::uint32_t partition) {
  leat::consumer in{topic, {.partitions = {{partition}}, .group = "g"}};
  const auto c = in.committed(partition);
  return c ? std::optional(c->offset) : std::nullopt;
}

/// Which records were processed, and how often.
class notes {
 public:
  void add(const leat::record_position& at) {
    const std::lock_guard guard(mutex_);
    ++seen_[at];
    in_order_.push_back(at);
  }
  std::size_t size() const {
    const std::lock_guard guard(mutex_);
    return in_order_.size();
  }
  std::map<leat::record_position, int> seen() const {
    const std::lock_guard guard(mutex_);
    return seen_;
  }
  std::vector<std::uint64_t> of(std::uint32_t partition) const {
    const std::lock_guard guard(mutex_);
    std::vector<std::uint64_t> offsets;
    for (const auto& at : in_order_) {
      if (at.partition == partition) offsets.push_back(at.offset);
    }
    return offsets;
  }

 private:
  mutable std::mutex mutex_;
  std::map<leat::record_position, int> seen_;
  std::vector<leat::record_position> in_order_;
};

/// Opens once; whoever comes before waits, but not for ever: a test that fails before is to end.
class gate {
 public:
  void open() {
    {
      const std::lock_guard guard(mutex_);
      open_ = true;
    }
    opened_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    opened_.wait_for(lock, leat_tests::patience, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

std::string reason_of_end(auto& in) {
  try {
    in.wait();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "stopped";
}

void send(const leat::topic<int>& topic, int count, std::optional<std::uint32_t> partition = std::nullopt) {
  leat::producer out{topic};
  for (int i = 0; i < count; ++i) {
    (void)out.send("key " + std::to_string(i % 17), i, {.partition = partition}).value();
  }
}

TEST_CASE("every record is processed once, and committed, whatever the order") {
  for (const auto order : {processing_order::by_partition, processing_order::by_key, processing_order::none}) {
    const auto topic = leat::store::in_process().topic<int>("t", {.partitions = 3});
    send(topic, 3000);
    notes done;
    auto options = in_group();
    options.order = order;
    options.max_in_flight = 64;
    {
      leat::subscriber in{topic, [&](const auto& record) { done.add(record.position()); }, options};
      wait_until("all is processed", [&] { return done.size() >= 3000; });
      wait_until("all is committed", [&] {
        for (std::uint32_t p = 0; p < 3; ++p) {
          if (topic.end_offset(p) != committed(topic, p).value_or(0)) return false;
        }
        return true;
      });
      wait_until("nothing is in flight", [&] { return in.in_flight() == 0; });
    }
    CHECK(done.size() == 3000);
    CHECK(done.seen().size() == 3000);
  }
}

TEST_CASE("a handler is given the record as it is in the log, also while its segment is reused") {
  const auto topic =
      leat::store::in_process().topic<std::string>("t", {.segment_bytes = 16384, .retention = {.bytes = 16384}});
  leat::producer out{topic};
  const std::vector<leat::header> headers{{"trace", "7f3a"}, {"none", leat::null}};
  const leat::timestamp then{std::chrono::nanoseconds(42)};
  REQUIRE(out.send("key", "value", {.timestamp = then, .headers = headers}));
  REQUIRE(out.send("key", leat::null));
  REQUIRE(out.send("compact"));
  gate hold;
  std::atomic<int> begun{0};
  std::atomic<int> right{0};
  const auto look = [&](const leat::record_view<std::string>& r) {
    if (r.offset() >= 3) return;
    ++begun;
    hold.pass();
    bool as_sent = r.topic() == "t" && r.partition() == 0;
    if (r.offset() == 0) {
      as_sent = as_sent && r.key() == "key" && r.value() == "value" && r.timestamp() == then;
      as_sent = as_sent && r.headers().last("trace")->text() == "7f3a" && !r.headers().last("none")->value;
    } else if (r.offset() == 1) {
      as_sent = as_sent && r.key() == "key" && !r.has_value();
    } else {
      as_sent = as_sent && !r.has_key() && r.value() == "compact";
    }
    right += as_sent ? 1 : 0;
  };
  leat::subscriber in{topic, look, {.consumer = {.auto_offset_reset = earliest}, .order = processing_order::none}};
  wait_until("the three are held", [&] { return begun == 3; });
  for (int i = 0; i < 2000; ++i) REQUIRE(out.send(std::string(100, 'x')));
  CHECK(topic.start_offset(0) > 100);
  hold.open();
  wait_until("they were looked at", [&] { return right == 3; });
}

struct alignas(64) wide {
  double lanes[8];
};

TEST_CASE("a value lies as its type wants it") {
  const auto topic = leat::store::in_process().topic<wide>("t");
  leat::producer out{topic};
  for (int i = 0; i < 20; ++i) REQUIRE(out.send("key", wide{{1, 2, 3, 4, 5, 6, 7, 8}}));
  for (int i = 0; i < 20; ++i) REQUIRE(out.send(wide{{1, 2, 3, 4, 5, 6, 7, 8}}));
  std::atomic<int> right{0};
  const auto look = [&](const auto& r) { right += r.value().lanes[7] == 8 ? 1 : 0; };
  leat::subscriber in{topic, look, {.consumer = {.auto_offset_reset = earliest}}};
  wait_until("all are right", [&] { return right == 40; });
}

TEST_CASE("records of one partition are processed one after the other, and those of another meanwhile") {
  const auto topic = leat::store::in_process().topic<int>("t", {.partitions = 2});
  send(topic, 50, 0);
  send(topic, 50, 1);
  notes done;
  gate hold;
  std::atomic<int> at_once[2]{};
  std::atomic<bool> overlapped{false};
  const auto handle = [&](const auto& record) {
    if (++at_once[record.partition()] != 1) overlapped = true;
    if (record.partition() == 0 && record.offset() == 3) hold.pass();
    done.add(record.position());
    --at_once[record.partition()];
  };
  leat::subscriber in{topic, handle, in_group(2)};
  wait_until("the other partition is done", [&] { return done.of(1).size() == 50; });
  CHECK(done.of(0).size() <= 3);
  hold.open();
  wait_until("all is done", [&] { return done.size() == 100; });
  CHECK_FALSE(overlapped);
  for (const std::uint32_t p : {0u, 1u}) CHECK(std::ranges::is_sorted(done.of(p)));
}

TEST_CASE("records of one key are processed one after the other, and those of others meanwhile") {
  const auto topic = leat::store::in_process().topic<int>("t");
  leat::producer out{topic};
  for (int i = 0; i < 200; ++i) REQUIRE(out.send("key " + std::to_string(i % 20), i));
  std::mutex mutex;
  std::map<std::string, std::vector<std::uint64_t>> by_key;
  std::atomic<std::size_t> total{0};
  gate hold;
  const auto handle = [&](const auto& record) {
    if (record.key() == "key 0") hold.pass();
    const std::lock_guard guard(mutex);
    by_key[std::string(record.key())].push_back(record.offset());
    ++total;
  };
  auto options = in_group(4);
  options.order = processing_order::by_key;
  leat::subscriber in{topic, handle, options};
  // The held key shares its worker with some others, but not with all.
  wait_until("other keys of the partition go on", [&] { return total >= 50; });
  {
    const std::lock_guard guard(mutex);
    CHECK(by_key.count("key 0") == 0);
  }
  hold.open();
  wait_until("all is done", [&] { return total == 200; });
  const std::lock_guard guard(mutex);
  CHECK(by_key.size() == 20);
  for (const auto& [key, offsets] : by_key) CHECK((offsets.size() == 10 && std::ranges::is_sorted(offsets)));
}

TEST_CASE("without an order, the records of one partition are processed at once") {
  const auto topic = leat::store::in_process().topic<int>("t");
  send(topic, 3);
  std::atomic<int> met{0};
  auto options = in_group(3);
  options.order = processing_order::none;
  leat::subscriber in{topic,
                      [&](const auto&) {
                        ++met;
                        wait_until("all three are here", [&] { return met == 3; });
                      },
                      options};
  wait_until("they met", [&] { return met == 3; });
}

TEST_CASE("what is committed never passes a record that is still being processed") {
  const auto topic = leat::store::in_process().topic<int>("t");
  send(topic, 100);
  gate hold;
  notes done;
  auto options = in_group(4);
  options.order = processing_order::none;
  {
    leat::subscriber in{topic,
                        [&](const auto& record) {
                          if (record.offset() == 40) hold.pass();
                          done.add(record.position());
                        },
                        options};
    wait_until("all others are done", [&] { return done.size() == 99; });
    wait_until("those below are committed", [&] { return committed(topic, 0) == 40; });
    REQUIRE(committed(topic, 0) == 40);
    hold.open();
    wait_until("all is committed", [&] { return committed(topic, 0) == 100; });
  }
}

TEST_CASE("a record that fails is tried again, with pauses that grow, before the next of its partition") {
  const auto topic = leat::store::in_process().topic<int>("t");
  send(topic, 3);
  std::mutex mutex;
  std::vector<std::chrono::steady_clock::time_point> attempts;
  std::vector<std::string> told;
  notes done;
  auto options = in_group(1);
  options.retries = 3;
  options.backoff = 10ms;
  options.max_backoff = 20ms;
  options.on_failure = [&](const leat::failed_attempt& f) {
    const std::lock_guard guard(mutex);
    told.push_back(f.topic + " " + std::to_string(f.at.offset) + " " + std::to_string(f.attempt) + " " + f.what);
    throw 1;  // which is ignored
  };
  const auto handle = [&](const auto& record) -> errc {
    if (record.offset() == 1) {
      const std::lock_guard guard(mutex);
      attempts.push_back(std::chrono::steady_clock::now());
      if (attempts.size() == 1) throw std::runtime_error("not yet");
      if (attempts.size() < 4) return errc::full;
    }
    done.add(record.position());
    return errc::ok;
  };
  leat::subscriber in{topic, handle, options};
  wait_until("all is committed", [&] { return committed(topic, 0) == 3; });
  CHECK(done.of(0) == std::vector<std::uint64_t>{0, 1, 2});
  const std::lock_guard guard(mutex);
  REQUIRE(attempts.size() == 4);
  CHECK(attempts[1] - attempts[0] >= 10ms);
  CHECK(attempts[2] - attempts[1] >= 20ms);
  CHECK(attempts[3] - attempts[2] >= 20ms);
  CHECK(told == std::vector<std::string>{"t 1 1 not yet", "t 1 2 no room on the device, in memory or within a limit",
                                         "t 1 3 no room on the device, in memory or within a limit"});
}

TEST_CASE("a record that failed for good stops the subscriber, which says why, and is not committed") {
  const auto topic = leat::store::in_process().topic<int>("t");
  send(topic, 100);
  notes done;
  auto options = in_group(1);
  options.retries = 1;
  options.backoff = 1ms;
  const auto throwing = [&](const auto& record) {
    if (record.offset() == 5) throw std::runtime_error("poison");
    done.add(record.position());
  };
  {
    leat::subscriber in{topic, throwing, options};
    CHECK(reason_of_end(in) == "poison");
    CHECK_FALSE(in.running());
  }
  CHECK(committed(topic, 0) == 5);
  CHECK(done.of(0) == std::vector<std::uint64_t>{0, 1, 2, 3, 4});  // none behind it has overtaken it
  const auto returning = [&](const auto& record) -> leat::result<void> {
    if (record.offset() == 5) return errc::too_large;
    return {};
  };
  leat::subscriber in{topic, returning, options};
  try {
    in.wait();
    FAIL("it ended well");
  } catch (const leat::error& e) {
    CHECK(e.code() == errc::too_large);
    CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring("partition 0, offset 5"));
  }
}

TEST_CASE("a record that failed for good goes to the dead-letter topic as it was, and the others go on") {
  const leat::store store = leat::store::in_process();
  const auto topic = store.topic<std::string>("t");
  leat::producer out{topic};
  const std::vector<leat::header> headers{{"trace", "7f3a"}};
  const leat::timestamp then{std::chrono::nanoseconds(42)};
  REQUIRE(out.send("fine"));
  REQUIRE(out.send("key", "poison", {.timestamp = then, .headers = headers}));
  REQUIRE(out.send("key", leat::null));
  REQUIRE(out.send("fine"));
  auto options = in_group(1);
  options.retries = 0;
  options.dead_letter_topic = "dead";
  {
    leat::subscriber in{topic,
                        [](const auto& record) {
                          // The third throws by itself: its value is null.
                          if (record.value() == "poison") throw std::runtime_error("it is poison");
                        },
                        options};
    leat::consumer group{topic, {.partitions = {{0}}, .group = "g"}};
    wait_until("all is committed", [&] {
      const auto c = group.committed(0);
      return c && c->offset == 4;
    });
  }
  leat::consumer dead{store.topic<std::string>("dead"), {.auto_offset_reset = earliest}};
  std::size_t seen = 0;
  for (const auto& record : dead.poll()) {
    CHECK(record.key() == "key");
    CHECK(record.headers().last("leat.dead_letter.topic")->text() == "t");
    CHECK(record.headers().last("leat.dead_letter.partition")->text() == "0");
    CHECK(record.headers().last("leat.dead_letter.offset")->text() == std::to_string(seen + 1));
    if (seen++ == 0) {
      CHECK(record.value() == "poison");
      CHECK(record.timestamp() == then);
      CHECK(record.headers().begin()->text() == "7f3a");
      CHECK(record.headers().last("leat.dead_letter.error")->text() == "it is poison");
    } else {
      CHECK_FALSE(record.has_value());
    }
  }
  CHECK(seen == 2);
}

TEST_CASE("a dead letter that cannot be sent stops the subscriber, and its record is not committed") {
  const leat::store store = leat::store::in_process();
  const auto topic = store.topic<int>("t");
  send(topic, 3);
  auto options = in_group(1);
  options.retries = 0;
  options.dead_letter_topic = "dead";
  leat::subscriber in{topic,
                      [&](const auto& record) {
                        if (record.offset() == 1) {
                          store.remove_topic("dead");
                          throw 1;
                        }
                      },
                      options};
  CHECK_THAT(reason_of_end(in), Catch::Matchers::ContainsSubstring("dead letter"));
  CHECK(committed(topic, 0) == 1);
}

TEST_CASE("the dead-letter topic must have the types of the subscription") {
  const leat::store store = leat::store::in_process();
  const auto topic = store.topic<int>("t");
  (void)store.topic<double>("dead");
  auto options = in_group();
  options.dead_letter_topic = "dead";
  CHECK_THROWS_AS((leat::subscriber{topic, [](const auto&) {}, options}), leat::error);
}

TEST_CASE("what is in flight is bounded in records and in bytes, and a member stays one meanwhile") {
  const auto topic = leat::store::in_process().topic<int>("t", {.partitions = 2});
  send(topic, 500, 0);
  send(topic, 500, 1);
  for (const bool by_bytes : {false, true}) {
    gate hold;
    notes done;
    auto options = in_group(2);
    options.consumer.group = by_bytes ? "bytes" : "records";
    options.consumer.max_poll_interval = 100ms;
    options.max_in_flight = by_bytes ? 1000 : 20;
    if (by_bytes) options.max_in_flight_bytes = 500;
    leat::subscriber in{topic,
                        [&](const auto& record) {
                          hold.pass();
                          done.add(record.position());
                        },
                        options};
    wait_until("it has taken some", [&] { return in.in_flight() >= (by_bytes ? 5 : 20); });
    // Another member, which would take over what one that does not poll has.
    leat::consumer other{topic, {.auto_offset_reset = earliest, .group = options.consumer.group}};
    const auto begin = std::chrono::steady_clock::now();
    std::size_t most = 0;
    std::size_t others = 0;
    while (std::chrono::steady_clock::now() - begin < 400ms) {  // some intervals: nothing is waited for
      (void)other.poll(5ms);
      others = std::max(others, other.owned().size());
      most = std::max(most, in.in_flight());
    }
    CHECK(others <= 1);
    CHECK(most <= 20);
    CHECK(in.running());
    other.close();
    hold.open();
    wait_until("all of its own is done", [&] { return done.seen().size() >= 500; });
  }
}

TEST_CASE("behind a record that takes long, its partition runs ahead by max_ahead at most, and the others go on") {
  for (const char* const group : {"g", ""}) {
    const auto topic = leat::store::in_process().topic<int>("t", {.partitions = 2});
    send(topic, 1000, 0);
    send(topic, 1000, 1);
    auto options = in_group(3);
    options.consumer.group = group;
    options.order = processing_order::none;
    options.max_in_flight = 20;  // it is met again and again, and must not end the pause
    options.max_ahead = 100;
    gate hold;
    gate hold_next;
    notes done;
    leat::subscriber in{topic,
                        [&](const auto& record) {
                          if (record.partition() == 0 && record.offset() == 0) hold.pass();
                          if (record.partition() == 0 && record.offset() == 99) hold_next.pass();
                          done.add(record.position());
                        },
                        options};
    wait_until("the other partition is done", [&] { return done.of(1).size() == 1000; });
    wait_until("the rest of the first hundred is done", [&] { return done.of(0).size() == 98; });
    send(topic, 100, 1);
    wait_until("what comes meanwhile is done", [&] { return done.of(1).size() == 1100; });
    CHECK(done.of(0).size() == 98);
    hold.open();
    wait_until("the next hundred is done but for one", [&] { return done.of(0).size() == 198; });
    send(topic, 100, 1);
    wait_until("what comes meanwhile is done", [&] { return done.of(1).size() == 1200; });
    CHECK(done.of(0).size() == 198);
    hold_next.open();
    wait_until("all is done", [&] { return done.size() == 2200; });
    CHECK(done.seen().size() == 2200);
    if (*group != 0) wait_until("all is committed", [&] { return committed(topic, 0) == 1000; });
  }
}

TEST_CASE("a record larger than the bound is taken when nothing else is in flight") {
  const auto topic = leat::store::in_process().topic<std::string>("t");
  leat::producer out{topic};
  for (int i = 0; i < 10; ++i) REQUIRE(out.send(std::string(10'000, 'x')));
  auto options = in_group();
  options.max_in_flight_bytes = 1000;
  std::atomic<int> done{0};
  leat::subscriber in{topic, [&](const auto&) { ++done; }, options};
  wait_until("all are done", [&] { return done == 10; });
}

TEST_CASE("while a record waits for room, nothing is polled for over and over") {
  const auto topic = leat::store::in_process().topic<std::string>("t");
  leat::producer out{topic};
  REQUIRE(out.send(std::string(100, 'x')));
  REQUIRE(out.send(std::string(2000, 'x')));
  auto options = in_group();
  options.max_in_flight_bytes = 1000;
  gate hold;
  std::atomic<int> begun{0};
  leat::subscriber in{topic,
                      [&](const auto&) {
                        ++begun;
                        hold.pass();
                      },
                      options};
  wait_until("the first is at work", [&] { return begun == 1; });
  const auto processor_time = [] {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return std::chrono::seconds(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           std::chrono::microseconds(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  };
  const auto before = processor_time();
  std::this_thread::sleep_for(400ms);  // what is measured, not waited for
  CHECK(processor_time() - before < 200ms);
  hold.open();
  wait_until("the second is taken as well", [&] { return begun == 2; });
}

TEST_CASE("a large record has its turn though another partition always has something in flight") {
  const auto topic = leat::store::in_process().topic<std::string>("t", {.partitions = 2});
  leat::producer out{topic};
  leat::producer more{topic};  // of the handler, which one worker calls for partition 0
  for (int i = 0; i < 5; ++i) REQUIRE(out.send(std::string(50, 'x'), {.partition = 0}));
  auto options = in_group(2);
  options.order = processing_order::by_partition;
  options.max_in_flight_bytes = 1000;
  constexpr int bound = 20'000;
  gate hold;
  std::atomic<int> small{0};
  std::atomic<int> small_before_large{-1};
  leat::subscriber in{topic,
                      [&](const auto& record) {
                        if (record.partition() == 1) {
                          small_before_large = small.load();
                          return;
                        }
                        hold.pass();
                        if (++small < bound && small_before_large < 0) {
                          (void)more.send(std::string(50, 'x'), {.partition = 0}).value();
                        }
                      },
                      options};
  wait_until("the small ones are in flight", [&] { return in.in_flight() == 5; });
  REQUIRE(out.send(std::string(2000, 'x'), {.partition = 1}));
  hold.open();
  wait_until("the large one is done", [&] { return small_before_large >= 0; });
  CHECK(small_before_large < bound);
}

TEST_CASE("a damaged record is a failure of its handler like any other, and goes to the dead letters") {
  const auto store = leat_tests::temporary_store::on_disk();
  const auto topic = store.store.topic<std::string>("t");
  const auto dead = store.store.topic<std::string>("dead");
  leat::producer out{topic};
  for (const char* const value : {"zero", "one", "two"}) REQUIRE(out.send("key", value));
  const std::string segment = store.file("topics/t/0000-0000000000000000");
  const std::uint64_t word = leat_tests::number_at(leat_tests::read_file(segment), 4096 + 8, 8);
  leat_tests::poke(segment, leat::format::slot_position(word) + 12, leat_tests::little_endian(1'000'000, 4));
  auto options = in_group(2);
  options.order = processing_order::by_key;
  options.retries = 0;
  options.dead_letter_topic = "dead";
  notes done;
  leat::subscriber in{topic,
                      [&](const auto& record) {
                        (void)record.key();
                        done.add(record.position());
                      },
                      options};
  wait_until("the others are done", [&] { return done.size() == 2; });
  wait_until("it is a dead letter", [&] { return dead.end_offset(0) == 1; });
  in.stop();
  CHECK(reason_of_end(in) == "stopped");
  leat::consumer letters{dead, {.auto_offset_reset = earliest}};
  const auto found = letters.poll();
  REQUIRE(found.size() == 1);
  CHECK_FALSE((*found.begin()).has_key());
  CHECK((*found.begin()).headers().last("leat.dead_letter.offset")->text() == "1");
}

TEST_CASE("a partition that passes to another member is committed as far as it was processed, and goes on there") {
  const auto topic = leat::store::in_process().topic<int>("t", {.partitions = 2});
  send(topic, 100, 0);
  send(topic, 100, 1);
  gate hold;
  notes first_done;
  notes second_done;
  auto options = in_group(2);
  options.drain_timeout = 50ms;
  options.commit_interval = leat::forever;  // only what has to be
  leat::subscriber first{topic,
                         [&](const auto& record) {
                           if (record.offset() == 30) hold.pass();
                           first_done.add(record.position());
                         },
                         options};
  wait_until("both partitions are held", [&] { return first_done.size() == 60; });
  leat::subscriber second{topic, [&](const auto& record) { second_done.add(record.position()); }, in_group(2)};
  wait_until("the second has one of them", [&] { return second_done.size() == 70; });
  const std::uint32_t passed = second_done.seen().begin()->first.partition;
  std::vector<std::uint64_t> rest;
  for (std::uint64_t offset = 30; offset < 100; ++offset) rest.push_back(offset);
  CHECK(second_done.of(passed) == rest);
  wait_until("it is committed", [&] { return committed(topic, passed) == 100; });
  hold.open();
  wait_until("the first has done the other", [&] { return first_done.of(1 - passed).size() == 100; });
  first.stop();
  first.wait();
  // What it was at when the partition passed was finished, and counts for nothing; nothing behind it was begun.
  CHECK(first_done.of(passed).size() <= 31);
  CHECK(committed(topic, passed) == 100);
  CHECK(committed(topic, 1 - passed) == 100);
}

TEST_CASE("what is in flight when a partition passes is finished, if it does not take long") {
  const auto topic = leat::store::in_process().topic<int>("t", {.partitions = 2});
  send(topic, 20, 0);
  send(topic, 20, 1);
  std::atomic<bool> other_is_there{false};
  notes first_done;
  notes second_done;
  auto options = in_group(2);
  options.drain_timeout = 30s;
  leat::subscriber first{topic,
                         [&](const auto& record) {
                           if (!other_is_there && record.offset() == 10) {
                             wait_until("the other is there", [&] { return other_is_there.load(); });
                           }
                           first_done.add(record.position());
                         },
                         options};
  wait_until("both partitions are held", [&] { return first_done.size() == 20; });
  leat::consumer probe{topic, {.auto_offset_reset = earliest, .group = "g", .enable_auto_commit = false}};
  std::size_t read = 0;
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (probe.owned().empty() && std::chrono::steady_clock::now() < deadline) {
    read += probe.poll(5ms).size();
    other_is_there = true;  // it has joined: the first is asked to give one up
  }
  REQUIRE(probe.owned().size() == 1);
  CHECK(read == 0);
  const std::uint32_t passed = probe.owned().front().partition;
  CHECK(committed(topic, passed) == 20);
  CHECK(first_done.of(passed).size() == 20);
  wait_until("the first has done the other", [&] { return first_done.of(1 - passed).size() == 20; });
}

TEST_CASE("what was lost is not committed any more") {
  const auto topic = leat::store::in_process().topic<int>("t");
  send(topic, 20);
  gate hold;
  notes done;
  auto options = in_group(1);
  options.consumer.group_instance_id = "one";
  leat::subscriber fenced{topic,
                          [&](const auto& record) {
                            if (record.offset() == 10) hold.pass();
                            done.add(record.position());
                          },
                          options};
  wait_until("ten are committed", [&] { return committed(topic, 0) == 10; });
  // Another of the same name takes its place.
  leat::consumer other{topic, options.consumer};
  std::size_t read = 0;
  wait_until("the other reads on", [&] { return (read += other.poll(5ms).size()) == 10; });
  REQUIRE(other.commit({{"t", 0}, 13, {}}));
  hold.open();
  CHECK_THAT(reason_of_end(fenced), Catch::Matchers::ContainsSubstring("taken this one's place"));
  CHECK(committed(topic, 0) == 13);
}

TEST_CASE("stopping takes no more, lets what is in flight finish, and commits it") {
  const auto topic = leat::store::in_process().topic<int>("t");
  send(topic, 100);
  for (const char* const way : {"stop", "token", "destructor"}) {
    notes done;
    std::stop_source source;
    std::atomic<bool> in_flight{false};
    std::atomic<bool> seen_by_handler{false};
    auto options = in_group(1);
    options.consumer.group = way;
    options.max_in_flight = 10;
    options.stop = source.get_token();
    options.commit_interval = leat::forever;
    {
      leat::subscriber in{topic,
                          [&](const auto& record, std::stop_token stopping) {
                            if (record.offset() == 50) {
                              in_flight = true;
                              wait_until("it is to stop", [&] { return stopping.stop_requested(); });
                              seen_by_handler = true;
                            }
                            done.add(record.position());
                          },
                          options};
      wait_until("the half is done, and the next at work", [&] { return done.size() == 50 && in_flight; });
      if (std::string(way) == "stop") in.stop();
      if (std::string(way) == "token") source.request_stop();
      if (std::string(way) != "destructor") CHECK(reason_of_end(in) == "stopped");
    }
    CHECK(seen_by_handler);
    CHECK(done.size() >= 51);
    CHECK(done.size() <= 60);
    leat::consumer group{topic, {.partitions = {{0}}, .group = way}};
    CHECK(group.committed(0)->offset == done.size());
  }
}

TEST_CASE("a stop ends at once: neither an idle subscriber nor one that waits to try again is waited for") {
  const auto topic = leat::store::in_process().topic<int>("t");
  std::atomic<int> attempts{0};
  auto options = in_group(1);
  options.backoff = 1h;
  options.max_backoff = 1h;
  leat::subscriber in{topic,
                      [&](const auto&) {
                        ++attempts;
                        throw 1;
                      },
                      options};
  send(topic, 1);
  wait_until("it has failed once", [&] { return attempts == 1; });
  in.stop();
  in.wait();
  CHECK(attempts == 1);
  CHECK(committed(topic, 0).value_or(0) == 0);
}

TEST_CASE("a deleted topic ends the subscriber, which says so") {
  const leat::store store = leat::store::in_process();
  for (const char* const group : {"", "g"}) {
    const auto doomed = store.topic<int>("doomed");
    auto options = in_group();
    options.consumer.group = group;
    std::atomic<int> done{0};
    send(doomed, 1);
    leat::subscriber in{doomed, [&](const auto&) { ++done; }, options};
    wait_until("it reads", [&] { return done == 1; });
    store.remove_topic("doomed");
    CHECK_THAT(reason_of_end(in), Catch::Matchers::ContainsSubstring("deleted"));
  }
}

TEST_CASE(
    "a record for which there is no memory ends the subscriber, and what was polled before it is not waited for") {
  if (!leat_tests::scarce_memory::possible) return;
  const auto temporary = leat_tests::temporary_store::on_disk();
  CHECK(leat_tests::in_child([&]() -> std::string {
          const auto topic =
              temporary.store.topic<std::string>("t", {.segment_bytes = 128 << 20, .max_record_bytes = 80 << 20});
          leat::producer out{topic};
          const std::string large(66 << 20, 'x');  // more than malloc() has in reserve for a thread
          auto options = in_group(1);
          options.max_in_flight = 10;
          options.max_in_flight_bytes = 128 << 20;
          options.drain_timeout = 1h;
          std::atomic<int> done{0};
          gate hold;
          leat::subscriber in{topic,
                              [&](const auto&) {
                                hold.pass();
                                ++done;
                              },
                              options};
          for (int i = 0; i < 10; ++i) (void)out.send("small").value();
          wait_until("it is full", [&] { return in.in_flight() == 10; });
          // Of one poll: one that is copied, and one for which there is no room.
          (void)out.send("small").value();
          (void)out.send(large).value();
          const leat_tests::limited_memory limit(8 << 20);
          hold.open();
          bool said = false;
          try {
            in.wait();
          } catch (const std::bad_alloc&) {
            said = true;
          }
          // Of the ten, those that its worker had not come to are dropped with the rest.
          if (done == 0 || done > 10) return std::to_string(done) + " done";
          if (in.in_flight() != 0) return "something is in flight";
          leat::consumer group{topic, {.partitions = {{0}}, .group = "g"}};
          const std::uint64_t committed = group.committed(0)->offset;
          if (committed != static_cast<std::uint64_t>(done))
            return "committed: " + std::to_string(committed) + " of " + std::to_string(done);
          return said ? "" : "it does not say so";
        }) == "");
}

TEST_CASE("a subscriber that cannot leave its group says so, and is destroyed in good order") {
  const auto temporary = leat_tests::temporary_store::on_disk();
  const auto topic = temporary.store.topic<int>("t");
  send(topic, 10);
  std::atomic<int> done{0};
  auto in = std::make_unique<leat::subscriber<int>>(topic, [&](const auto&) { ++done; }, in_group(2));
  wait_until("all is done", [&] { return done == 10; });
  // Its consumer fails to leave, and tries it once more when it is destroyed; then the listener is called again.
  const std::string hostile = temporary.file("groups/g/member-0000000099");
  leat_tests::write_file(hostile, "no member");
  in->stop();
  CHECK_THAT(reason_of_end(*in), Catch::Matchers::ContainsSubstring("member-0000000099"));
  in.reset();
  std::filesystem::remove(hostile);
  CHECK(committed(topic, 0) == 10);
}

TEST_CASE("without a group it reads all partitions, and commits nothing") {
  const auto topic = leat::store::in_process().topic<int>("t", {.partitions = 3});
  send(topic, 300);
  notes done;
  leat::subscriber in{
      topic, [&](const auto& record) { done.add(record.position()); }, {.consumer = {.auto_offset_reset = earliest}}};
  wait_until("all is done", [&] { return done.size() == 300; });
  CHECK(done.seen().size() == 300);
}

TEST_CASE("several topics of a store are read with a group") {
  const leat::store store = leat::store::in_process();
  send(store.topic<int>("a"), 10);
  send(store.topic<int>("b"), 10);
  std::atomic<int> seen[2]{};
  leat::subscriber<int> in(
      store, {"a", "b"}, [&](const auto& record) { ++seen[record.topic() == "a" ? 0 : 1]; }, in_group());
  wait_until("both were read", [&] { return seen[0] == 10 && seen[1] == 10; });
}

TEST_CASE("while there is nothing to process it uses no processor time, and is there at once when there is") {
  const auto topic = leat::store::in_process().topic<int>("t");
  std::atomic<int> done{0};
  leat::subscriber in{topic, [&](const auto&) { ++done; }, in_group()};
  send(topic, 1);
  wait_until("it is there", [&] { return done == 1; });
  const auto used = [] {
    rusage u{};
    ::getrusage(RUSAGE_SELF, &u);
    return std::chrono::seconds(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           std::chrono::microseconds(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
  };
  const auto before = used();
  // Not to wait for something: this is the time for which its use of the processor is measured.
  std::this_thread::sleep_for(300ms);
  CHECK(used() - before < 10ms * leat_tests::slowdown);
  int slow = 0;
  for (int i = 2; i < 30; ++i) {
    const auto sent = std::chrono::steady_clock::now();
    send(topic, 1);
    wait_until("it is processed", [&] { return done == i; });
    if (std::chrono::steady_clock::now() - sent > 50ms) ++slow;
  }
  CHECK(slow <= 5);
}

TEST_CASE("in the child of a fork it says so, and is destroyed without waiting for its threads") {
  auto temporary = leat_tests::temporary_store::in_shared_memory();
  const auto topic = temporary.store.topic<int>("t");
  std::atomic<int> done{0};
  const auto count = [&](const auto&) { ++done; };
  auto in = std::make_unique<leat::subscriber<int>>(topic, count, in_group());
  const std::string said = leat_tests::in_child([&] {
    bool right = false;
    try {
      in->wait();
    } catch (const leat::error& e) {
      right = e.code() == errc::forked;
    }
    in->stop();
    in.reset();
    return std::string(right ? "forked" : "wrong");
  });
  CHECK(said == "forked");
  send(topic, 5);
  wait_until("the parent's goes on", [&] { return done == 5; });
}

}  // namespace unit_subscriber
