// Full load for as long as wished, and nothing grows.
//
// Producers, a group and auditors in many processes on a store in shared memory and on one in files, with small segments, so
// that retention and recycling happen all the time. At random, processes are killed, stopped and continued, members come and
// go, a topic is made and deleted. Meanwhile support/soak.hpp checks each record: no acknowledged record is lost, none comes
// twice, a producer's come in order, offsets are dense, committed offsets do not go back.
//
// What the processes that live all the time hold, and what the stores hold, is looked at once a second, or a hundred times in
// a short run. Behind a warm-up the medians of the first tenth and of the last are compared: descriptors, mappings, files and
// memory must not have grown. Latencies are told, not judged: the machine may be noisy.
//
// It takes 20 seconds, or as many as LEAT_SOAK_SECONDS says; `./run soak MINUTES` runs it optimised. Its single-threaded twins
// are unit/retention and semantics/at_least_once.
#include "support/soak.hpp"
#include "support/footprint.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <thread>
#include <vector>

using namespace leat_tests;
using namespace std::chrono_literals;

namespace stress_soak {

using steady = std::chrono::steady_clock;

// --- what is looked at --------------------------------------------------------------------------------------------------

constexpr std::size_t most_samples = 10'000;

/// A quantity over time.
class series {
 public:
  /// How much it may grow between the first tenth and the last: what differs by what somebody does at the moment, and a part.
  series(std::string unit, std::uint64_t grain, double part = 0) : unit_(std::move(unit)), grain_(grain), part_(part) {
    values_.resize(most_samples);  // all touched now, so that looking takes no memory
    values_.clear();
  }

  void add(std::uint64_t value) { values_.push_back(value); }

  std::uint64_t first() const { return median(values_.size() / 5, values_.size() / 5 + tenth()); }
  std::uint64_t last() const { return median(values_.size() - tenth(), values_.size()); }
  std::uint64_t most_allowed() const {
    return first() + grain_ + static_cast<std::uint64_t>(part_ * static_cast<double>(first()));
  }
  bool grows() const { return last() > most_allowed(); }
  std::string text() const { return std::to_string(first()) + " → " + std::to_string(last()) + unit_; }

 private:
  std::size_t tenth() const { return values_.size() / 10; }
  std::uint64_t median(std::size_t from, std::size_t to) const {
    std::vector<std::uint64_t> part(values_.begin() + static_cast<std::ptrdiff_t>(from),
                                    values_.begin() + static_cast<std::ptrdiff_t>(to));
    if (part.empty()) fail("too few samples");
    std::ranges::sort(part);
    return part[part.size() / 2];
  }

  std::string unit_;
  std::uint64_t grain_;
  double part_;
  std::vector<std::uint64_t> values_;
};

/// A process that lives all the time. A member holds a descriptor for each other one, a reader one or two segments of each
/// partition: who is killed or stopped makes these come and go. Who opens everything anew has mapped nothing a moment later,
/// and then what two topics have.
class watched {
 public:
  watched(std::string name, pid_t pid, bool opens_anew)
      : name_(std::move(name)),
        pid_(pid),
        mappings_("", opens_anew ? 96 : 16),
        resident_kilobytes_(" KiB", opens_anew ? 8192 : 2048, 0.1) {}

  void look() {
    const footprint f = footprint_of(pid_);
    descriptors_.add(f.descriptors);
    mappings_.add(f.mappings);
    private_kilobytes_.add(f.private_kilobytes);
    resident_kilobytes_.add(f.resident_kilobytes);
  }

  template <class Judge>
  void judge(Judge judge) const {
    judge(name_ + ", descriptors", descriptors_);
    if (slowdown > 2) return;  // sanitizers keep memory, in mappings of their own
    judge(name_ + ", mappings", mappings_);
    judge(name_ + ", private memory", private_kilobytes_);
    judge(name_ + ", resident memory", resident_kilobytes_);
  }

  std::string row() const {
    return "| " + name_ + " | " + descriptors_.text() + " | " + mappings_.text() + " | " + private_kilobytes_.text() +
           " | " + resident_kilobytes_.text() + " |\n";
  }

 private:
  std::string name_;
  pid_t pid_;
  series descriptors_{"", 16};
  series mappings_;
  series private_kilobytes_{" KiB", 512, 0.05};
  series resident_kilobytes_;  // with the segments that it has mapped and touched
};

struct watched_store {
  std::string name;
  std::string path;
  series files{"", 16};
  series kilobytes{" KiB", 16 * soak::segment_bytes / 1024};

  void look() {
    const files_footprint f = files_below(path);
    files.add(f.files);
    kilobytes.add(f.bytes / 1024);
  }
};

std::string in_microseconds(std::uint64_t nanoseconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", static_cast<double>(nanoseconds) / 1000);
  return text;
}

// --- the test -------------------------------------------------------------------------------------------------------------

std::chrono::milliseconds duration() {
  const char* const given = std::getenv("LEAT_SOAK_SECONDS");
  return std::chrono::seconds(given != nullptr ? std::strtoul(given, nullptr, 10) : 20);
}

/// Everything that runs: who lives all the time, and who is disturbed.
class soak_run {
 public:
  soak_run() : memory_(place_.store()), files_(folder_.path() + "/store"), janitor_(folder_.path()) {
    const leat::store in_memory = leat::store::open(memory_);
    const leat::store in_files = leat::store::open(files_);
    for (const soak::topic_index t : {soak::kept, soak::recycled, soak::durable}) {
      leat::topic_options o;
      o.partitions = soak::partitions;
      o.segment_bytes = soak::segment_bytes;
      o.retention.bytes = soak::segments_kept * soak::segment_bytes;
      o.retention.wait_for_groups = t != soak::recycled;
      o.expected_record_bytes = 128;
      if (t == soak::durable) o.durability = leat::durability::every;
      topics_.push_back((t == soak::durable ? in_files : in_memory).topic<leat::bytes_view>(soak::topic_names[t], o));
    }
    watched_.emplace_back("supervisor", ::getpid(), false);
    watched_stores_.push_back({"in shared memory", memory_});
    watched_stores_.push_back({"in files", files_});
    add_readers();
    wait_until("the groups have begun everywhere", [&] {  // retention waits for a group from its beginning on
      return has_begun(soak::kept, "workers") && has_begun(soak::kept, "auditor-of-kept") &&
             has_begun(soak::durable, "auditor-of-durable");
    });
    add_producers();
    fill();
  }

  void disturb_until(steady::time_point begin, steady::time_point end) {
    const steady::duration step = std::clamp<steady::duration>(1s, (end - begin) / most_samples, (end - begin) / 100);
    auto look_at = begin + step;
    const auto warm = begin + (end - begin) / 5;
    const auto tenth = (end - begin) / 10;
    for (auto now = steady::now(); now < end; now = steady::now()) {
      world_->window = now < warm || (now >= warm + tenth && now < end - tenth) ? soak::no_window
                       : now < warm + tenth                                     ? soak::first_tenth
                                                                                : soak::last_tenth;
      if (now >= look_at) {
        look_at += step;
        for (watched& w : watched_) w.look();
        for (watched_store& s : watched_stores_) s.look();
      }
      for (child& c : steady_) expect(c.running(), "a process ended early");
      disturb(now);
      std::this_thread::sleep_for(
          std::chrono::milliseconds(1 + random_.roll(10)));  // the pace of what it does to others
    }
    world_->window = soak::no_window;
  }

  /// Producers end, the others read everything and end; all of them say what they found wrong.
  void end() {
    for (victim& v : victims_) v.process->resume();
    world_->stop = 1;
    const auto is_producer = [](const victim& v) { return v.slot.has_value(); };
    for (std::size_t i = first_producer_; i < steady_.size(); ++i) steady_[i].join();
    for (victim& v : victims_) {
      if (is_producer(v)) v.process->join();
    }
    wait_until("the group has committed everything", [&] {
      for (std::size_t i = 0; i < first_producer_; ++i) expect(steady_[i].running(), "a reader ended early");
      const topic& log = topics_[soak::kept];
      for (std::uint32_t p = 0; p < soak::partitions; ++p) {
        if (log.log()->find_group("workers")->committed_position(p).value_or(0) != log.end_offset(p)) return false;
      }
      return true;
    });
    world_->stop = 2;
    for (std::size_t i = 0; i < first_producer_; ++i) steady_[i].join();
    for (victim& v : victims_) {
      if (!is_producer(v)) v.process->join();
    }
  }

  /// A line for each thing that has grown.
  std::vector<std::string> grown() const {
    std::vector<std::string> all;
    const auto judge = [&](const std::string& what, const series& s) {
      if (s.grows()) all.push_back(what + ": " + s.text() + ", at most " + std::to_string(s.most_allowed()));
    };
    for (const watched& w : watched_) w.judge(judge);
    for (const watched_store& s : watched_stores_) {
      judge("store " + s.name + ", files", s.files);
      judge("store " + s.name + ", bytes", s.kilobytes);
    }
    return all;
  }

  void print(std::chrono::milliseconds time) const {
    const soak::world& w = *world_;
    std::printf("%.0f s, LEAT_SEED=%llu\n\n", std::chrono::duration<double>(time).count(),
                static_cast<unsigned long long>(seed()));
    std::printf("| | |\n|---|---|\n");
    const auto row = [](const std::string& what, std::uint64_t n) {
      std::printf("| %s | %llu |\n", what.c_str(), static_cast<unsigned long long>(n));
    };
    for (const soak::topic_index t : {soak::kept, soak::recycled, soak::durable}) {
      const std::string name = soak::topic_names[t];
      row("`" + name + "`: records sent, and acknowledged", w.sent[t]);
      row("`" + name + "`: records audited", w.audited[t]);
      std::uint64_t begun = 0;
      for (std::uint32_t p = 0; p < soak::partitions; ++p) begun += leat_tests::begun(topics_[t], p);
      row("`" + name + "`: segments begun", begun);
    }
    row("records whose offset was compared with what their producer was told", w.compared);
    row("records read by the group", w.read);
    row("partitions assigned to members", w.assignments);
    row("times that retention overtook a reader of `recycled`", w.overtaken);
    row("times that a process opened everything anew", w.openings);
    row("topics made and deleted", passed_);
    row("kills", kills_);
    row("stops", stops_);

    std::printf(
        "\n| first tenth → last tenth | descriptors | mappings | private memory | resident |\n|---|---|---|---|---|\n");
    for (const watched& each : watched_) std::printf("%s", each.row().c_str());
    std::printf("\n| store | files | bytes |\n|---|---|---|\n");
    for (const watched_store& s : watched_stores_) {
      std::printf("| %s | %s | %s |\n", s.name.c_str(), s.files.text().c_str(), s.kilobytes.text().c_str());
    }
    std::printf("\n| us: p50 / p99 / p99.9 of calls | first tenth | last tenth |\n|---|---|---|\n");
    for (const auto& [name, worker, t, o] : measured_) {
      const auto& windows = w.latencies[worker][t][static_cast<std::uint32_t>(o)];
      std::printf("| %s |", name.c_str());
      for (const auto& h : windows) {
        std::printf(" %s / %s / %s of %llu |", in_microseconds(h.at(0.5)).c_str(), in_microseconds(h.at(0.99)).c_str(),
                    in_microseconds(h.at(0.999)).c_str(), static_cast<unsigned long long>(h.samples()));
      }
      std::printf("\n");
    }
    std::fflush(stdout);
  }

  const soak::world& counts() const { return *world_; }
  std::uint64_t kills() const { return kills_; }
  std::uint64_t stops() const { return stops_; }

 private:
  struct victim {
    std::optional<std::uint32_t> slot;  // of a producer
    std::unique_ptr<child> process;
    std::optional<steady::time_point> stopped_until = std::nullopt;
  };

  struct measurement {
    std::string name;
    unsigned worker;
    soak::topic_index topic;
    soak::operation what;
  };

  template <class Role, class... Arguments>
  child start(Arguments... arguments) {
    soak::world& w = *world_;
    return child([&w, arguments...] {
      ::alarm(0);  // the watchdog's is enough
      Role(w, arguments...).run();
    });
  }

  template <class Role, class... Arguments>
  void add_steady(const std::string& name, bool opens_anew, Arguments... arguments) {
    steady_.push_back(start<Role>(arguments...));
    watched_.emplace_back(name, steady_.back().pid(), opens_anew);
  }

  void add_readers() {
    unsigned worker = 0;
    for (const soak::topic_index t : {soak::kept, soak::recycled, soak::durable}) {
      const std::string name = "auditor of " + std::string(soak::topic_names[t]);
      measured_.push_back({"poll of the " + name, worker, t, soak::operation::poll});
      add_steady<soak::auditor>(name, false, t == soak::durable ? files_ : memory_, t, worker++);
    }
    measured_.push_back({"poll of the member", worker, soak::kept, soak::operation::poll});
    add_steady<soak::member>("member", false, soak::member_role{memory_, 1, worker++});
    add_steady<soak::member>("member that opens anew", true, soak::member_role{memory_, 2, std::nullopt, 500});
    first_producer_ = steady_.size();
    for (int i = 0; i < 2; ++i) victims_.push_back(start_member());
  }

  void add_producers() {
    const unsigned worker = 8;
    for (const soak::topic_index t : {soak::kept, soak::recycled}) {
      measured_.push_back({std::string("send to `") + soak::topic_names[t] + "`", worker, t, soak::operation::send});
    }
    measured_.push_back({"send to `durable`", worker + 1, soak::durable, soak::operation::send});
    const std::vector in_memory{soak::kept, soak::recycled};
    const std::vector in_files{soak::durable};
    add_steady<soak::producing>("producer", false, soak::producer_role{memory_, in_memory, 0, worker});
    add_steady<soak::producing>("producer that opens anew", true,
                                soak::producer_role{memory_, in_memory, 1, std::nullopt, 5000});
    add_steady<soak::producing>("durable producer", false, soak::producer_role{files_, in_files, 2, worker + 1});
    for (const std::uint32_t slot : {3u, 4u}) victims_.push_back(start_producer(slot));
  }

  victim start_member() {
    return {std::nullopt, std::make_unique<child>(start<soak::member>(soak::member_role{memory_, 1000 + ++lives_}))};
  }
  /// Until retention is at work everywhere. The topic in files would take long, so somebody helps who does not wait for the
  /// device.
  void fill() {
    world_->life[5] = 1;
    child helper = start<soak::producing>(
        soak::producer_role{.store = files_, .topics = {soak::durable}, .slot = 5, .waits_for_device = false});
    wait_until("every partition has been filled", [&] {
      for (const topic& t : topics_) {
        for (std::uint32_t p = 0; p < soak::partitions; ++p) {
          if (begun(t, p) < soak::segments_kept + 3) return false;
        }
      }
      return true;
    });
    helper.kill();
  }

  /// Slot 4 is the durable one.
  victim start_producer(std::uint32_t slot) {
    const std::uint64_t life = world_->life[slot] + 1;
    for (auto& of_topic : world_->acknowledged) {
      for (auto& of_partition : of_topic[slot]) of_partition.count[life % soak::lives_known] = 0;
    }
    world_->life[slot] = life;
    const soak::producer_role role = slot == 4 ? soak::producer_role{files_, {soak::durable}, slot}
                                               : soak::producer_role{memory_, {soak::kept, soak::recycled}, slot};
    return {slot, std::make_unique<child>(start<soak::producing>(role))};
  }

  bool has_begun(soak::topic_index t, const std::string& group) const {
    const auto offsets = topics_[t].log()->find_group(group);
    if (offsets == nullptr) return false;
    for (std::uint32_t p = 0; p < soak::partitions; ++p) {
      if (!offsets->hold(p)) return false;
    }
    return true;
  }

  void disturb(steady::time_point now) {
    for (victim& v : victims_) {
      if (v.stopped_until && now >= *v.stopped_until) {
        v.process->resume();
        v.stopped_until.reset();
      }
    }
    if (random_.one_in(50)) {
      const leat::store store = leat::store::open(memory_);
      (void)store.topic<leat::bytes_view>("passing", tiny(2));
    } else if (random_.one_in(50)) {
      passed_ += leat::store::open(memory_).remove_topic("passing") ? 1 : 0;
    }
    if (!random_.one_in(5)) return;
    victim& v = victims_[random_.roll(victims_.size())];
    if (random_.one_in(2)) {
      if (v.stopped_until && !random_.one_in(4)) return;  // few are killed while they stand still
      ++kills_;
      v.process->kill();
      v = v.slot ? start_producer(*v.slot) : start_member();
    } else if (!v.stopped_until) {
      ++stops_;
      expect(v.process->stop(), "a process that may be stopped has ended");
      v.stopped_until = now + std::chrono::milliseconds(random_.roll(random_.one_in(3) ? 500 : 50));
    }
  }

  shared_place place_;
  temporary_directory folder_;
  const std::string memory_;  // the stores
  const std::string files_;
  janitor janitor_;
  std::vector<topic> topics_;
  shared<soak::world> world_;
  dice random_{7};
  std::vector<watched> watched_;
  std::vector<watched_store> watched_stores_;
  std::vector<measurement> measured_;
  std::vector<child> steady_;
  std::size_t first_producer_ = 0;
  std::vector<victim> victims_;
  std::uint64_t lives_ = 0;
  std::uint64_t kills_ = 0;
  std::uint64_t stops_ = 0;
  std::uint64_t passed_ = 0;
};

TEST_CASE("under full load with kills and rebalances nothing grows and no record is lost or doubled") {
  const auto time = duration();
  watchdog dog(static_cast<unsigned>(time.count() / 1000) + 150);
  INFO("LEAT_SEED=" << seed());
  soak_run run;
  const auto begin = steady::now();
  run.disturb_until(begin, begin + time);
  run.end();
  run.print(time);

  std::string text;
  for (const std::string& g : run.grown()) text += g + "\n";
  CHECK(text == "");
  const soak::world& w = run.counts();
  CHECK(w.audited[soak::kept] >= w.sent[soak::kept]);
  CHECK(w.audited[soak::durable] >= w.sent[soak::durable]);
  CHECK(w.audited[soak::recycled] > 0);
  CHECK(w.compared > 0);
  CHECK(w.read > 0);
  CHECK(run.kills() > 5 / slowdown);
  CHECK(run.stops() > 5 / slowdown);
}

}  // namespace stress_soak
