// Handles that were made before a fork() and are used in the child.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/in_child.hpp"
#include "support/media.hpp"
#include "support/read_all.hpp"

#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace unit_fork {

using leat_tests::in_child;
using leat_tests::values_of;

using strings = std::vector<std::string>;

std::string name_of(leat::errc code) { return leat::make_error_code(code).message(); }
const std::string forked = name_of(leat::errc::forked);

TEST_CASE("the parent's producer gives an error value in the child and goes on in the parent") {
  auto temporary = leat_tests::each_kind_of_store();
  CAPTURE(temporary.store.path());
  const auto topic = temporary.store.topic<std::string>("t");
  leat::producer out{topic};
  REQUIRE(out.send("before"));
  CHECK(in_child([&] { return name_of(out.send("child").error()); }) == forked);
  CHECK(in_child([&] { return name_of(out.send("key", "child").error()); }) == forked);
  CHECK(in_child([&] { return name_of(out.send_if({0, 1}, "key", "child").error()); }) == forked);
  CHECK(in_child([&] { return name_of(out.send_batch(strings{"child"}).error); }) == forked);
  CHECK(in_child([&] { return name_of(out.claim("key", 3).error()); }) == forked);
  REQUIRE(out.send("after"));
  CHECK(values_of(topic) == strings{"before", "after"});
}

TEST_CASE("the parent's loan is not published in the child") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  auto loan = std::move(out.claim(leat::null)).value();
  *loan = 7;
  CHECK(in_child([&] { return name_of(loan.publish().error()); }) == forked);
  CHECK(topic.end_offset(0) == 0);
  CHECK(loan.publish().value().offset == 0);
}

TEST_CASE("the parent's consumer gives an error value in the child and goes on in the parent") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<std::string>("t");
  leat::producer out{topic};
  leat::consumer in{topic};
  REQUIRE(out.send("value"));
  CHECK(in_child([&] { return name_of(in.poll().error()); }) == forked);
  CHECK(in_child([&] { return name_of(in.poll(std::chrono::seconds(60)).error()); }) == forked);
  CHECK(in.poll().size() == 1);
}

TEST_CASE("the parent's topic is an error in the child") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto topic = temporary.store.topic<int>("t");
  leat::producer out{topic};
  REQUIRE(out.send(1));
  const auto outcome = [&](auto&& f) { return in_child([&] { return name_of(leat_tests::code_of(f)); }); };
  CHECK(outcome([&] { (void)topic.end_offset(0); }) == forked);
  CHECK(outcome([&] { (void)topic.describe(); }) == forked);
  CHECK(outcome([&] { leat::consumer<int>{topic}; }) == forked);
  CHECK(outcome([&] { (void)leat::producer<int>{topic}.send(2).value(); }) == forked);
}

TEST_CASE("a store of the parent's process is an error in the child") {
  const auto store = leat::store::in_process();
  (void)store.topic<int>("t");
  const auto outcome = [&](auto&& f) { return in_child([&] { return name_of(leat_tests::code_of(f)); }); };
  CHECK(outcome([&] { (void)store.topic<int>("t"); }) == forked);
  CHECK(outcome([&] { (void)store.topic<int>("new"); }) == forked);
  CHECK(outcome([&] { (void)store.topics(); }) == forked);
  CHECK(in_child([] {
          leat::producer out{leat::store::in_process().topic<int>("mine")};
          return std::to_string(out.send(1).value().offset);
        }) == "0");
}

TEST_CASE("a child that destroys its parent's handles takes nothing away from the parent") {
  auto temporary = leat_tests::temporary_store::on_disk();
  std::optional topic =
      temporary.store.topic<std::string>("t", {.segment_bytes = 16384, .retention = {.bytes = 16384}});
  std::optional<leat::producer<std::string>> out(std::in_place, *topic);
  std::optional<leat::consumer<std::string>> in(std::in_place, *topic);
  REQUIRE(out->send("held"));
  const auto held = in->poll();
  REQUIRE(held.size() == 1);
  {
    auto loan = std::move(out->claim(leat::null, 4)).value();
    CHECK(in_child([&] {
            {
              [[maybe_unused]] const auto dropped = std::move(loan);
            }
            in.reset();
            out.reset();
            topic.reset();
            return std::string("done");
          }) == "done");
  }
  // A second opening of the topic has no part in the parent's account of pins: only the kernel knows of the parent's.
  const auto other = leat::store::open(temporary.path()).topic<std::string>("t");
  leat::producer moves_on{other};
  for (int i = 0; i < 2000; ++i) REQUIRE(moves_on.send(std::string(100, '!')));
  CHECK(topic->start_offset(0) > 0);
  for (const auto& record : held) CHECK(record.value() == "held");
  REQUIRE(out->send("more"));
}

TEST_CASE("a child that opens the store anew is a process like any other") {
  auto temporary = leat_tests::temporary_store::in_shared_memory();
  const auto topic = temporary.store.topic<std::string>("t");
  leat::producer out{topic};
  REQUIRE(out.send("parent"));
  CHECK(in_child([&] {
          const auto mine = leat::store::open(temporary.path()).topic<std::string>("t");
          leat::producer sends{mine};
          sends.send("child").value();
          strings all = values_of(mine);
          return all.at(0) + ", " + all.at(1);
        }) == "parent, child");
  REQUIRE(out.send("parent again"));
  CHECK(values_of(topic) == strings{"parent", "child", "parent again"});
}

TEST_CASE("a consumer that the child assigns to one of the parent's is the child's") {
  auto temporary = leat_tests::temporary_store::in_shared_memory();
  const auto topic = temporary.store.topic<std::string>("t");
  leat::producer{topic}.send("value").value();
  const leat::consumer_options options{
      .auto_offset_reset = leat::offset_reset::earliest, .group = "g", .enable_auto_commit = false};
  leat::consumer in{topic, options};
  CHECK(in_child([&] {
          const auto mine = leat::store::open(temporary.path()).topic<std::string>("t");
          auto other = options;
          other.group = "child";
          in = leat::consumer<std::string>{mine, other};
          const auto read = in.poll(std::chrono::seconds(60)).size();
          return std::to_string(read) + ", " + name_of(in.commit().error());
        }) == "1, " + name_of(leat::errc::ok));
  CHECK(in.poll(std::chrono::seconds(60)).size() == 1);
}

TEST_CASE("what the parent's producer has appended is counted once") {
  auto temporary = leat_tests::temporary_store::in_shared_memory();
  const auto topic = temporary.store.topic<std::string>("t");
  const auto appended = [&] { return topic.describe().partitions[0].bytes_appended; };
  std::optional<leat::producer<std::string>> out(std::in_place, topic);
  out->send("value").value();
  const auto before = appended();
  CHECK(in_child([&] {
          out.reset();
          return std::string("done");
        }) == "done");
  CHECK(appended() == before);
  out.reset();
  CHECK(appended() > before);
}

}  // namespace unit_fork
