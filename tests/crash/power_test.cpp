// The machine dies: what was acknowledged as durable is there in the next boot, nothing is there that was never sent, and
// work goes on.
#include "support/power.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/producer.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

using namespace leat_tests;

namespace crash_power {

using leat::durability;
using leat::errc;
using topic = leat::topic<std::string, std::string>;

constexpr std::uint32_t partitions = 2;
constexpr std::size_t most_offsets = 4096;

/// What the child has been told. Written behind what it tells of, so that it never says too much.
struct diary {
  counter topic_created;
  counter attempts;                                // records that it began to send
  counter place[2 * most_offsets];                 // of each: partition << 32 | offset, + 1, once it is known
  counter acknowledged[partitions][most_offsets];  // number + 1 of the record that is on the device there
  counter committed[partitions];                   // likewise
};

/// Of a size that differs, or is always the same: then a recycled file has records in the same places as in its former life.
enum class sizes { differ, same };

std::string value_of(std::uint64_t number, sizes size) {
  std::string digits = std::to_string(number);
  digits.insert(0, 6 - digits.size(), '0');
  return "record " + digits + " " +
         std::string(size == sizes::same ? 100 : number * 37 % 300, static_cast<char>('a' + number % 26));
}
std::uint64_t number_of(const std::string& value, sizes size) {
  const std::uint64_t number = std::strtoull(value.c_str() + 7, nullptr, 10);
  expect(value == value_of(number, size), [&] { return "not a record that was sent: " + value; });
  return number;
}

leat::topic_options options_of(durability how) {
  return {.partitions = partitions, .segment_bytes = 16384, .retention = {.bytes = 3 * 16384}, .durability = how};
}

/// What the child does: all ways to append, retention, commits.
void work(const std::string& root, durability how, sizes size, unsigned id, diary& page) {
  const auto value_of = [size](std::uint64_t number) { return crash_power::value_of(number, size); };
  const auto store = leat::store::open(root);
  const topic log = store.topic<std::string>("t", options_of(how));
  page.topic_created = 1;
  leat::producer out(log, {.wait_for_device = how == durability::every});
  leat::consumer in(log,
                    {.auto_offset_reset = leat::offset_reset::earliest, .group = "g", .enable_auto_commit = false});
  std::vector<std::pair<leat::record_position, std::uint64_t>> sent;
  std::size_t noted = 0;
  const auto acknowledge = [&] {
    for (const auto& [at, number] : sent) page.acknowledged[at.partition][at.offset] = number + 1;
    noted = 0;
    sent.clear();
  };
  dice random(100 + id);
  const std::uint64_t rounds = how == durability::every ? 100 : 250;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const auto key = "key " + std::to_string(random.roll(10));
    switch (random.roll(5)) {
      case 0: {
        std::vector<std::uint64_t> numbers;
        std::vector<std::string> values;
        std::vector<leat::record_position> positions(random.roll(5) + 1);
        for (std::size_t i = 0; i < positions.size(); ++i) {
          numbers.push_back(page.attempts++);
          values.push_back(value_of(numbers.back()));
        }
        const auto partition = static_cast<std::uint32_t>(random.roll(partitions));
        expect(out.send_batch(values, {.partition = partition, .headers = {}}, positions).count == values.size(),
               "a batch was cut off");
        for (std::size_t i = 0; i < positions.size(); ++i) sent.emplace_back(positions[i], numbers[i]);
        break;
      }
      case 1: {
        const std::uint64_t number = page.attempts++;
        const std::string value = value_of(number);
        auto loan = out.claim(key, value.size() + 50).value();
        std::memcpy(loan.bytes().data(), value.data(), value.size());
        sent.emplace_back(loan.publish(value.size()).value(), number);
        break;
      }
      case 2: {
        // What was signed and not published must not be found in the place of what came behind it.
        const auto partition = static_cast<std::uint32_t>(random.roll(partitions));
        const std::uint64_t number = page.attempts++;
        std::string never = value_of(number);
        never[0] = 'R';
        expect(out.send_if({partition, log.end_offset(partition) + 1000}, key, never).error() == errc::mismatched,
               "an append at another offset");
        const auto at = out.send_if({partition, log.end_offset(partition)}, key, value_of(number));
        if (at) sent.emplace_back(*at, number);  // otherwise another was faster
        break;
      }
      default: {
        const std::uint64_t number = page.attempts++;
        sent.emplace_back(out.send(key, value_of(number)).value(), number);
      }
    }
    for (; noted < sent.size(); ++noted) {
      const auto& [at, number] = sent[noted];
      page.place[number] = (std::uint64_t{at.partition} << 32 | at.offset) + 1;
    }
    if (how == durability::every) {
      acknowledge();  // by the return of each send
    } else if (random.one_in(4)) {
      out.flush();
      if (random.one_in(2)) acknowledge();
    }
    if (random.one_in(6)) {
      for (const auto& record : in.poll(std::chrono::milliseconds(0))) (void)record;
      if (!in.commit() || how != durability::every) continue;
      for (const auto& p : in.owned()) {
        const std::uint64_t mine = in.position(p);
        if (mine > page.committed[p.partition]) page.committed[p.partition] = mine;
      }
    }
  }
}

/// The image becomes one of another boot.
void forget_boot(const std::string& image) {
  const std::string other_boot(16, '\x2a');
  const auto poke_if_there = [&](const std::string& path, std::uint64_t at) {
    if (std::filesystem::exists(path) && std::filesystem::file_size(path) >= 4096) poke(path, at, other_boot);
  };
  poke_if_there(image + "/store", offsetof(leat::format::store_header, boot));
  poke_if_there(image + "/topics/t/topic", offsetof(leat::format::topic_header, boot));
}

/// Where the log of a store that is in use starts, as its file says.
std::uint64_t start_in(const std::string& root, std::uint32_t partition) {
  const std::string file = read_file(root + "/topics/t/topic");
  return number_at(
      file,
      4096 + partition * sizeof(leat::format::partition_words) + offsetof(leat::format::partition_words, start_offset),
      8);
}

void check_next_boot(const std::string& root, const std::string& image_path, durability how, sizes size,
                     const diary& page) {
  const std::string image = "/dev/.." + image_path;  // as if it were no place in memory
  forget_boot(image);
  std::optional<leat::store> store;
  std::optional<topic> log;
  try {
    store = leat::store::open(image, {.mode = leat::open_mode::open});
    log = store->topic<std::string>("t", {.mode = leat::open_mode::open});
  } catch (const leat::error& e) {
    expect(page.topic_created == 0, [&] { return std::string("the topic was created, but: ") + e.what(); });
    return;
  }
  leat::producer out(*log, {.wait_for_device = how == durability::every});
  leat::admin admin(*store);
  std::set<std::uint64_t> seen;
  for (std::uint32_t p = 0; p < partitions; ++p) {
    const std::uint64_t start = log->start_offset(p);
    const std::uint64_t end = log->end_offset(p);
    const auto where = [&] {
      return " (partition " + std::to_string(p) + ", " + std::to_string(start) + " to " + std::to_string(end) + ")";
    };
    expect(start <= end, [&] { return "it starts behind its end" + where(); });
    expect(start <= start_in(root, p), [&] { return "records are gone that retention had kept" + where(); });
    for (std::uint64_t offset = end; offset < most_offsets; ++offset) {
      expect(page.acknowledged[p][offset] == 0,
             [&] { return "offset " + std::to_string(offset) + " was acknowledged, and is lost" + where(); });
    }
    leat::consumer in(*log, {.partitions = std::vector{p}, .auto_offset_reset = leat::offset_reset::none});
    in.seek({p, start});
    std::uint64_t next = start;
    while (next < end) {
      for (const auto& record : in.poll(std::chrono::milliseconds(0))) {
        expect(record.offset() == next++, [&] { return "a gap before " + std::to_string(record.offset()) + where(); });
        const std::uint64_t number = number_of(std::string(record.value()), size);
        expect(number < page.attempts && seen.insert(number).second,
               [&] { return "record " + std::to_string(number) + " was not sent, or is there twice" + where(); });
        const std::uint64_t place = page.place[number];
        expect(place == 0 || place == (std::uint64_t{p} << 32 | record.offset()) + 1,
               [&] { return "record " + std::to_string(number) + " was elsewhere before" + where(); });
        const std::uint64_t expected = page.acknowledged[p][record.offset()];
        expect(expected == 0 || expected == number + 1, [&] {
          return "offset " + std::to_string(record.offset()) + " has another record than was acknowledged";
        });
      }
    }
    const auto offset = leat::storage::topic_log::open_untyped(store->files(), "t")->find_group("g");
    const auto committed = offset == nullptr ? std::nullopt : offset->committed_position(p);
    // Who reads a record before it is on the device may commit behind it; where it is lost, nothing is left to go behind.
    expect(committed.value_or(0) >= std::min(page.committed[p].load(), end), [&] {
      return "a commit is lost: " + std::to_string(committed.value_or(0)) + " of " + std::to_string(page.committed[p]) +
             where();
    });
    expect(committed.value_or(0) <= end, "something is committed that is not there");
    expect(out.send("k", "afterwards", {.partition = p, .headers = {}}).value().offset == end,
           "the next record is not at the end");
    expect(in.poll(std::chrono::milliseconds(0)).size() == 1, "the next record is not read");
  }
  for (const auto& finding : admin.verify("t")) fail(finding.path + ": " + finding.what);
  leat::consumer one(*log, {.group = "g", .enable_auto_commit = false});
  leat::consumer two(*log, {.group = "g", .enable_auto_commit = false});
  wait_until("two members share the partitions", [&] {
    for (leat::consumer<std::string>* member : {&one, &two}) {
      for (const auto& record : member->poll(std::chrono::milliseconds(0))) (void)record;
    }
    return one.owned().size() == 1 && two.owned().size() == 1;
  });
}

/// Runs `work(id, root)` in so many processes, each a step at a time, and lets the power fail now and then: `check(root, image)`
/// looks at what the next boot finds. How often it did.
template <class Work, class Check>
unsigned power_fails(unsigned processes, unsigned one_in, unsigned images, Work work, Check check) {
  watchdog dog(280);
  const temporary_directory disk;
  const shared_place images_at;
  const std::string root = disk.path() + "/store";
  std::filesystem::create_directory(root);
  std::filesystem::permissions(root, std::filesystem::perms(0700));
  simulated_device device(root);
  dice random(2);
  std::vector<traced_child> children;
  for (unsigned id = 0; id < processes; ++id) children.emplace_back([&, id] { work(id, root); });
  unsigned made = 0;
  unsigned kills = 0;
  while (!children.empty()) {
    const auto which = children.begin() + static_cast<std::ptrdiff_t>(random.roll(children.size()));
    traced_child& child = *which;
    if (processes > 1 && kills < 8 && random.one_in(500)) {  // others flush what a dead one did not come to
      child.kill();
      const unsigned id = processes + kills++;
      child = traced_child([&, id] { work(id, root); });
      continue;
    }
    if (child.to_system_call() != traced_child::state::stepping) {
      children.erase(which);
      continue;
    }
    device.note(child);
    if (random.one_in(4)) device.remember(random);
    if (made >= images || !random.one_in(one_in)) continue;
#if defined(__x86_64__)
    // Somewhere on the way to the next system call, which is left to the loop.
    std::uint64_t steps = child.at_system_call().entered ? 0 : random.roll(1500);
    for (; steps != 0 && !child.is_about_to_call(); --steps) {
      if (child.step() != traced_child::state::stepping) break;
    }
#endif
    const std::string image = images_at.store(std::to_string(made++));
    std::filesystem::create_directory(image);
    std::filesystem::permissions(image, std::filesystem::perms(0700));
    INFO("image " << made - 1);
    device.fail_into(image, random);
    REQUIRE_NOTHROW(check(root, image));
    std::filesystem::remove_all(image);
  }
  return made;
}

void records_are_kept(durability how, sizes size, unsigned processes) {
  INFO("LEAT_SEED=" << seed());
  const shared<diary> page;
  const unsigned made = power_fails(
      processes, 64, 1000, [&](unsigned id, const std::string& root) { work(root, how, size, id, *page); },
      [&](const std::string& root, const std::string& image) {
        INFO(page->attempts << " records sent");
        check_next_boot(root, image, how, size, *page);
      });
  CHECK(page->attempts > 90);
  CHECK(made > 15);
}

TEST_CASE("what a power failure leaves of a topic that is durable with every record has every acknowledged one") {
  records_are_kept(durability::every, GENERATE(sizes::differ, sizes::same), GENERATE(1U, 2U));
}

TEST_CASE("what a power failure leaves of a topic that is flushed at intervals has everything flushed") {
  records_are_kept(durability::interval, GENERATE(sizes::differ, sizes::same), GENERATE(1U, 2U));
}

// --- a group that is deleted --------------------------------------------------------------------------------------------

/// Of a group that is deleted and made again; its commits go up all the time, whatever becomes of it.
struct deletions {
  counter topic_created;
  counter committed;  // attempted, or done
  counter kept;       // this was acknowledged, and no deletion has begun since
  counter gone;       // what was committed up to here was deleted
};

constexpr std::uint64_t records_to_commit = 60;

void delete_and_commit(const std::string& root, deletions& page) {
  ::alarm(0);  // the watchdog's is enough
  const auto store = leat::store::open(root);
  const topic log = store.topic<std::string>("t", options_of(durability::every));
  const std::vector<std::string> values(records_to_commit, "");
  std::vector<leat::record_position> at(values.size());
  expect(leat::producer(log).send_batch(values, {.partition = 0, .headers = {}}, at).count == values.size(),
         "a batch was cut off");
  page.topic_created = 1;
  const leat::admin admin(store);
  dice random(300);
  while (page.committed + 4 < records_to_commit) {
    {
      leat::consumer in(log,
                        {.auto_offset_reset = leat::offset_reset::earliest, .group = "g", .enable_auto_commit = false});
      wait_until("it has joined", [&] {
        return in.poll(std::chrono::milliseconds(0)).error() == errc::ok && in.owned().size() == partitions;
      });
      for (std::uint64_t commits = 1 + random.roll(3); commits > 0; --commits) {
        const std::uint64_t offset = ++page.committed;
        const std::string metadata = random.one_in(2) ? "metadata " + std::to_string(offset) : "";
        expect(bool(in.commit({{"", 0}, offset, metadata})), "a commit");
        page.kept = offset;
      }
    }
    if (random.one_in(3)) continue;
    page.kept = 0;
    expect(admin.delete_group("g"), "there was nothing to delete");
    page.gone = page.committed.load();
  }
}

void check_deletions(const std::string& image_path, const deletions& page) {
  const std::string image = "/dev/.." + image_path;
  forget_boot(image);
  if (page.topic_created == 0) return;
  const auto store = leat::store::open(image, {.mode = leat::open_mode::open});
  const auto log = store.topic<std::string>("t", {.mode = leat::open_mode::open});
  const auto offsets = log.log()->find_group("g");
  const auto committed = offsets == nullptr ? std::nullopt : offsets->committed(0);
  const std::uint64_t found = committed ? committed->offset : 0;
  expect(found == 0 || found > page.gone, [&] {
    return "offset " + std::to_string(found) + " is committed, though all up to " + std::to_string(page.gone) +
           " was deleted with the group";
  });
  expect(found >= page.kept && found <= page.committed, [&] {
    return "offset " + std::to_string(found) + " is committed, expected " + std::to_string(page.kept) + " to " +
           std::to_string(page.committed);
  });
  const leat::admin admin(store);
  for (const auto& finding : admin.verify("t")) fail(finding.path + ": " + finding.what);
  leat::consumer in(log, {.auto_offset_reset = leat::offset_reset::earliest, .group = "g"});
  wait_until("somebody has joined the group", [&] {
    for (const auto& record : in.poll(std::chrono::milliseconds(0))) (void)record;
    return in.owned().size() == partitions;
  });
  in.close();
  expect(admin.delete_group("g"), "the group cannot be deleted");
  expect(admin.groups().empty(), "the group is there still");
}

TEST_CASE(
    "a group whose deletion was told does not come back with the next boot and what the next has committed stays") {
  INFO("LEAT_SEED=" << seed());
  const shared<deletions> page;
  const unsigned made = power_fails(
      1, 128, 1000, [&](unsigned, const std::string& root) { delete_and_commit(root, *page); },
      [&](const std::string&, const std::string& image) { check_deletions(image, *page); });
  CHECK(page->gone > 30);
  CHECK(made > 15);
}

}  // namespace crash_power
