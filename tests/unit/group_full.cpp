// Members of a group on a device without room for the files that a change of the group needs.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/full_device.hpp"
#include "support/in_child.hpp"
#include "support/media.hpp"

#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace unit_group_full {

using leat::errc;
using leat::offset_reset;
using leat_tests::in_child;
using leat_tests::limit_files;
using member = leat::consumer<int>;
using ints = std::vector<int>;
using namespace std::chrono_literals;

leat::consumer_options of_group(offset_reset reset = offset_reset::earliest) {
  return {.auto_offset_reset = reset, .group = "g", .enable_auto_commit = false};
}

constexpr std::uint32_t many = 60;  // whose offsets take two pages

leat::store store_of(const leat_tests::temporary_store& place) {
  return place.path().empty() ? leat::store::in_process() : place.store;
}

/// What `in` reads until `done`, and how often it is told that there is no room. Any other failure throws.
struct reading {
  ints values;
  int told = 0;
  bool over = false;  // in time
};
reading read_until(member& in, const std::function<bool(const reading&)>& done) {
  reading r;
  for (const auto end = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < end;) {
    const auto batch = in.poll(1ms);
    if (batch.error() == errc::full) {
      ++r.told;
    } else {
      for (const auto& record : batch) r.values.push_back(record.value());
    }
    if ((r.over = done(r))) break;
  }
  return r;
}

/// As long as a member takes to look for room several times.
std::function<bool(const reading&)> for_some_time(std::size_t records) {
  return [records, end = std::chrono::steady_clock::now() + 350ms](const reading& r) {
    return r.values.size() >= records && std::chrono::steady_clock::now() > end;
  };
}

TEST_CASE("a member that cannot take over a change of its group for want of room is told once and reads on") {
  auto temporary = leat_tests::each_kind_of_store();
  CHECK(in_child([&]() -> std::string {
          const leat::store store = store_of(temporary);
          const auto topic = store.topic<int>("t", {.partitions = 2});
          leat::producer out{topic};
          member stays{topic, of_group()};
          member leaves{topic, of_group()};
          if (!read_until(stays, [&](auto&) { return (void)leaves.poll(), leaves.owned().size() == 1; }).over)
            return "no two members";
          const std::uint32_t mine = stays.owned().at(0).partition;
          const std::uint32_t its = 1 - mine;
          (void)out.send(0, {.partition = mine}).value();  // and there is a segment
          if (!read_until(stays, [](const reading& r) { return r.values == ints{0}; }).over) return "not read";
          (void)out.send(1, {.partition = its}).value();
          if (!read_until(leaves, [](const reading& r) { return r.values == ints{1}; }).over) return "not read";
          if (!leaves.commit()) return "not committed";
          limit_files(0);
          leaves.close();
          (void)out.send(2, {.partition = its}).value();
          (void)out.send(3, {.partition = mine}).value();
          reading r = read_until(stays, for_some_time(1));
          if (!r.over) return "it does not read on";
          if (r.told != 1) return "told " + std::to_string(r.told) + " times";
          if (r.values != ints{3}) return "it reads something else";
          if (!stays.commit() || stays.committed(mine)->offset != 2) return "it cannot commit";
          limit_files(RLIM_INFINITY);
          r = read_until(stays, [](const reading& s) { return !s.values.empty(); });
          if (r.values != ints{2} || r.told != 0) return "it does not go on where the other has committed";
          if (stays.owned().size() != 2) return "it has not taken over";
          limit_files(0);  // the next time it is told again
          member another{topic, of_group()};
          if (leat_tests::code_of([&] { (void)another.poll(); }) != errc::full) return "another one has joined";
          limit_files(RLIM_INFINITY);
          if (!read_until(another, [&](auto&) { return (void)stays.poll(), another.owned().size() == 1; }).over)
            return "another one does not join when there is room";
          return {};
        }) == "");
}

TEST_CASE("a topic that comes while there is no room for its offsets is read from its beginning when there is") {
  auto temporary = leat_tests::each_kind_of_store();
  const auto reset = GENERATE(offset_reset::latest, offset_reset::earliest);
  CHECK(in_child([&]() -> std::string {
          const leat::store store = store_of(temporary);
          const auto first = store.topic<int>("a");
          member in{store, of_group(reset)};
          in.subscribe({"a", "b"});
          (void)in.poll();
          if (in.owned().size() != 1) return "not joined";
          const auto second = store.topic<int>("b", {.partitions = many});
          leat::producer to_first{first};
          leat::producer to_second{second};
          (void)to_first.send(1).value();
          (void)to_second.send(2).value();
          limit_files(4096);  // an assignment has room, the offsets of many partitions have not
          reading r = read_until(in, for_some_time(1));
          if (!r.over || r.values != ints{1}) return "it does not read what it has";
          if (r.told != 1) return "told " + std::to_string(r.told) + " times";
          limit_files(RLIM_INFINITY);
          r = read_until(in, [](const reading& s) { return !s.values.empty(); });
          if (r.values != ints{2}) return "it does not read the new topic";
          return {};
        }) == "");
}

TEST_CASE("a member gives up what is another's now though it has no room to begin with what is new") {
  auto temporary = leat_tests::each_kind_of_store();
  CHECK(in_child([&]() -> std::string {
          const leat::store store = store_of(temporary);
          const auto first = store.topic<int>("a", {.partitions = 2});
          member in{store, of_group(offset_reset::latest)};
          in.subscribe({"a", "b"});
          (void)in.poll();
          if (in.owned().size() != 2) return "not joined";
          (void)store.topic<int>("b", {.partitions = many});
          limit_files(4096);
          member other{store, of_group(offset_reset::latest)};
          other.subscribe({"a"});
          const auto r = read_until(other, [&](auto&) { return (void)in.poll(), !other.owned().empty(); });
          if (!r.over) return "the other waits for it";
          return {};
        }) == "");
}

TEST_CASE("a group that begins without room for its offsets is told once and begins when there is") {
  auto temporary = leat_tests::each_kind_of_store();
  CHECK(in_child([&]() -> std::string {
          const leat::store store = store_of(temporary);
          const auto topic = store.topic<int>("t", {.partitions = many});
          leat::producer out{topic};
          (void)out.send(1).value();
          member in{topic, of_group()};
          limit_files(4096);
          reading r = read_until(in, for_some_time(0));
          if (r.told != 1 || !in.owned().empty()) return "told " + std::to_string(r.told) + " times";
          limit_files(RLIM_INFINITY);
          r = read_until(in, [](const reading& s) { return !s.values.empty(); });
          return r.values == ints{1} ? "" : "it does not begin";
        }) == "");
}

}  // namespace unit_group_full
