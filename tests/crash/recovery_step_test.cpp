// Who opens a topic first after the machine has died recovers it, and is killed anywhere on the way; the next who opens it
// finds what it would have found without that: everything that was acknowledged, nothing else, and nothing left over.
//
// (One that is stopped is waited for, as docs/protocol.md says at V1; so here nobody is stopped.)
#include <leat/admin.hpp>

#include "support/file_bytes.hpp"
#include "support/group_member.hpp"
#include "support/history.hpp"
#include "support/moments.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>

using namespace leat_tests;
using namespace std::chrono_literals;
using leat::durability;
using leat::errc;

namespace crash_recovery_step {

constexpr std::uint64_t keep = 6;  // so that nothing is retired, and flushed for it, before the machine dies
constexpr std::uint32_t partitions = 2;
constexpr std::uint64_t acknowledged = 9;  // records of each partition that were flushed
constexpr std::uint64_t written = 7;       // behind them, some of which arrived
constexpr std::uint64_t torn = 4;          // of these, the one that did not arrive whole
constexpr std::size_t large = 5000;
constexpr auto at_once = 10s;

leat::topic_options options(durability how) {
  leat::topic_options o = tiny(keep, partitions);
  o.durability = how;
  o.flush = {.interval = leat::forever, .bytes = leat::unlimited};
  return o;
}

/// Of record `n`: as large as half a segment at times, so that several segments are to be checked.
std::size_t size_of(std::uint64_t n) { return n % 3 == 2 ? large : 64; }

void send_to(producer& out, std::uint32_t p, std::uint64_t n) {
  const auto made = payload(p, n, size_of(n));
  expect(out.send(view(made), {.partition = p}).value().offset == n, "a record is not at its offset");
}

/// What another boot finds: records beyond the mark, one of them torn, half-made files, a group that had an owner and
/// committed, with words, also beyond what will be there.
class image {
 public:
  image(std::string path, durability how) : path_(std::move(path)) {
    {
      const auto store = leat::store::open(path_);
      const topic log = store.topic<leat::bytes_view>("log", options(how));
      {
        producer out(log, {.wait_for_device = false});
        for (std::uint32_t p = 0; p < partitions; ++p) {
          for (std::uint64_t n = 0; n < acknowledged; ++n) send_to(out, p, n);
        }
        out.flush();
      }
      child writer([&] {
        producer out(open_log(path_), {.wait_for_device = false});
        for (std::uint32_t p = 0; p < partitions; ++p) {
          for (std::uint64_t n = acknowledged; n < acknowledged + written; ++n) send_to(out, p, n);
        }
        ::raise(SIGSTOP);  // its end would flush
      });
      wait_until("the last record is written", [&] { return log.end_offset(1) == acknowledged + written; });
      writer.kill();
      child member([&] {
        consumer in(leat::store::open(path_), in_group("g"));
        in.subscribe({"log"});
        wait_until("it has everything", [&] {
          (void)in.poll(1ms);
          return in.owned().size() == partitions;
        });
        expect(bool(in.commit({{"log", 0}, 3, "said in the boot before"})), "a commit failed");
        expect(bool(in.commit({{"log", 1}, acknowledged + written, "beyond"})), "a commit failed");
        ::raise(SIGSTOP);  // its end would leave the group
      });
      wait_until("the member has committed", [&] {
        const auto offsets = log.log()->find_group("g");
        return offsets != nullptr && offsets->committed_position(1).value_or(0) == acknowledged + written;
      });
      member.kill();
      if (how != durability::none) tear(log);
      write_file(path_ + "/topics/log/0000-0000000000000099~abc", "half made");
      write_file(path_ + "/topics/log/~new-half", "made");
      write_file(path_ + "/groups/g/~new-half", "made");
    }
    const std::string other_boot(16, '\x2a');
    poke(path_ + "/store", offsetof(leat::format::store_header, boot), other_boot);
    poke(path_ + "/topics/log/topic", offsetof(leat::format::topic_header, boot), other_boot);
  }
  image(const image&) = delete;
  image& operator=(const image&) = delete;

  void copy_to(const std::string& path) const {
    std::filesystem::copy(path_, path, std::filesystem::copy_options::recursive);
  }

 private:
  /// A byte in the middle of the record did not reach the device.
  void tear(const topic& log) const {
    for (std::uint32_t p = 0; p < partitions; ++p) {
      consumer in(log, {.partitions = {{p}}, .auto_offset_reset = leat::offset_reset::none});
      in.seek({p, acknowledged + torn});
      const auto batch = in.poll(1s);
      expect(!batch.empty(), "the record to be torn is not there");
      auto* const byte = const_cast<std::byte*>((*batch.begin()).value_bytes()->data() + 40);
      const auto wrong = static_cast<char>(*byte ^ std::byte{1});
      // The mapping is for reading, so the byte is changed through the file: the one that has this value in this place.
      std::ifstream maps("/proc/self/maps");
      for (std::string line; std::getline(maps, line);) {
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
        char file[300] = {};
        if (std::sscanf(line.c_str(), "%lx-%lx %*s %*s %*s %*s %299s", &begin, &end, file) < 2) continue;
        const auto at = reinterpret_cast<std::uint64_t>(byte);
        if (at >= begin && at < end) poke(file, at - begin, std::string(1, wrong));
      }
    }
  }

  const std::string path_;
};

struct page {
  counter opened;  // the victim has the topic open
};

/// Others open what a death has left, `end` being where each partition ends without that.
void go_on(const std::string& path, durability how, std::uint64_t end) {
  const auto begin = std::chrono::steady_clock::now();
  const auto store = leat::store::open(path);
  const topic log = store.topic<leat::bytes_view>("log", options(how));
  producer out(log);
  for (std::uint32_t p = 0; p < partitions; ++p) {
    expect(log.end_offset(p) == end, [&] {
      return "partition " + std::to_string(p) + " ends at " + std::to_string(log.end_offset(p)) + ", not at " +
             std::to_string(end);
    });
    const auto mark = log.log()->partition(p).durable().observe();
    expect(how == durability::none || mark == end, "what was recovered is not all below the mark");
    const auto offsets = log.log()->find_group("g");
    expect(offsets != nullptr, "the group's offsets are gone");
    expect(offsets->owner(p).member == 0, "somebody owns a partition who was killed with the machine");
    const auto committed = offsets->committed(p);
    expect(committed && committed->offset == (p == 0 ? 3 : std::min(end, acknowledged + written)),
           "the group has committed something else");
    if (p == 0) expect(committed->metadata == "said in the boot before", "the words of a commit are gone");
    const std::uint64_t start = log.start_offset(p);
    consumer in(log, {.partitions = {{p}}, .auto_offset_reset = leat::offset_reset::none});
    in.seek({p, start});
    std::uint64_t next = start;
    const auto check = [&](const auto& record) {
      const auto s = read_record(record);
      expect(record.offset() == next && s && s->producer == p && s->number == next, "a record is not what was sent");
      ++next;
    };
    read_up_to(in, p, end, check);
    const std::uint64_t segments = begun(log, p);
    for (std::uint64_t n = end; begun(log, p) < segments + keep + 2; ++n) {
      send_to(out, p, n);
      read_up_to(in, p, log.end_offset(p), check);
    }
  }
  out.flush();
  expect(how == durability::none || log.log()->partition(0).durable().observe() == log.end_offset(0),
         "a flush has left something");
  for (const auto& found : leat::admin(store).verify("log")) fail("damage: " + found.path + ": " + found.what);
  {
    consumer in(store, in_group("g"));
    in.subscribe({"log"});
    wait_until("a member has everything", [&] {
      (void)in.poll(1ms);
      return in.owned().size() == partitions;
    });
    expect(bool(in.commit()), "a commit failed");
  }
  expect(std::chrono::steady_clock::now() - begin < at_once, "the survivors had to wait");
  const auto list = [&] {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) all.insert(entry.path());
    return all;
  };
  const auto before_it = list();
  const leat::clean_report found = leat::admin(store).clean();
  std::string removed;
  const auto behind_it = list();
  for (const std::string& name : before_it) {
    // An assignment goes when the next is made.
    if (!behind_it.contains(name) && name.find("/assignment-") == name.npos) removed += " " + name.substr(path.size());
  }
  expect(removed.empty() && found.members == 0, [&] { return "cleaning has removed what recovery left:" + removed; });
  expect(store.topic<leat::bytes_view>("log", options(how)).log()->header().id == log.log()->header().id,
         "creating it again gives another topic");
  expect(store.remove_topic("log"), "it cannot be deleted");
  expect(names_in(path + "/topics").empty(), "something is left among the topics");
}

void kill_everywhere(durability how, std::chrono::milliseconds time) {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  shared_place place;
  const auto path = [&](const std::string& name) { return "/dev/.." + place.store(name); };  // as if on a device
  const image before(path("before"), how);
  shared<page> told;
  const auto victim = [&](const std::string& at) {
    return traced_child([&, at] {
      (void)leat::os::current_boot();
      traced_child::mark();
      const topic log = open_log(at);
      told->opened = 1;
      traced_child::mark();
    });
  };
  std::uint64_t end = 0;
  way w;
  {
    before.copy_to(path("walk"));
    traced_child all = victim(path("walk"));
    all.to_mark();
    visible_bytes files(path("walk"));
    w = walk(all, files);
    end = open_log(path("walk")).end_offset(0);
    CHECK(end == acknowledged + (how == durability::none ? written : torn));
    go_on(path("walk"), how, end);
  }
  unsigned name = 0;
  at_moments(w, w.deaths(), time, [&](const moment& m) {
    INFO("killed at " << m.text());
    const std::string at = path(std::to_string(++name));
    before.copy_to(at);
    told->opened = 0;
    {
      traced_child v = victim(at);
      v.to_mark();
      visible_bytes files(at);
      (void)run_to(v, m, &files);
      v.kill();
    }
    go_on(at, how, end);
    std::filesystem::remove_all(at);
  });
}

TEST_CASE(
    "a durable topic whose recovery was killed anywhere is recovered by the next with all that was acknowledged") {
  kill_everywhere(durability::every, 6s);
}
TEST_CASE("a topic without durability whose recovery was killed anywhere is recovered by the next") {
  kill_everywhere(durability::none, 3s);
}

}  // namespace crash_recovery_step
