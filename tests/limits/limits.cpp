// Measures what docs/operations.md says of the limits: many partitions, topics, segments, producers and members, the
// largest records. `./run limits` runs it; the arguments choose some of the measurements by their names.
//
// Each is made in a process of its own, with a store in shared memory, and prints a row of the table: what was tried, what
// it took, and what it cost (files' bytes, memory of the process, descriptors, mappings).
#include "support/footprint.hpp"
#include "support/in_child.hpp"
#include "support/temporary_store.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

std::string in_units(double seconds) {
  char text[32];
  if (seconds < 1e-6) {
    std::snprintf(text, sizeof text, "%.0f ns", seconds * 1e9);
  } else if (seconds < 1e-3) {
    std::snprintf(text, sizeof text, "%.0f us", seconds * 1e6);
  } else if (seconds < 1) {
    std::snprintf(text, sizeof text, "%.1f ms", seconds * 1e3);
  } else {
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  }
  return text;
}

class stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(clock_type::now() - begin_).count(); }
  std::string text() const { return in_units(seconds()); }
  std::string for_each(double count) const { return in_units(seconds() / count) + " each"; }

 private:
  clock_type::time_point begin_ = clock_type::now();
};

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(std::string("not so: ") + what);
}

/// What this process holds, besides what it held at the beginning.
class footprint {
 public:
  std::string text() const {
    const leat_tests::footprint now = leat_tests::footprint_of(::getpid());
    const std::uint64_t kilobytes = now.private_kilobytes - std::min(now.private_kilobytes, before_.private_kilobytes);
    return std::to_string(now.descriptors - before_.descriptors) + " descriptors, " +
           std::to_string(now.mappings - before_.mappings) + " mappings, " + std::to_string(kilobytes / 1024) + " MiB";
  }

 private:
  leat_tests::footprint before_ = leat_tests::footprint_of(::getpid());
};

std::string megabytes_below(const std::string& folder) {
  return std::to_string(leat_tests::files_below(folder).bytes >> 20) + " MiB of files";
}

using temporary = leat_tests::temporary_store;

std::string partitions() {
  const temporary place = temporary::in_shared_memory();
  const footprint before;
  const stopwatch creating;
  const auto topic = place.store.topic<std::uint64_t>("t", {.partitions = 1024, .segment_bytes = 16384});
  const std::string created = creating.text();
  leat::producer out{topic};
  const stopwatch first;
  for (std::uint32_t p = 0; p < 1024; ++p) (void)out.send(p, {.partition = p}).value();
  const std::string begun = first.for_each(1024);
  const stopwatch more;
  for (std::uint64_t i = 0; i < 1'024'000; ++i)
    (void)out.send(i, {.partition = static_cast<std::uint32_t>(i % 1024)}).value();
  const std::string sent = more.for_each(1'024'000);
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest, .max_poll_records = 10'000}};
  const stopwatch reading;
  std::size_t read = 0;
  while (read < 1024) read += in.poll().size();
  const std::string first_read = reading.text();
  in.seek_to_end();
  (void)in.poll().size();
  const stopwatch idle;
  for (int i = 0; i < 100; ++i) (void)in.poll().size();
  return "create " + created + "; first send to a partition " + begun + ", later ones in turn " + sent +
         "; first poll of all " + first_read + ", an empty one " + idle.for_each(100) + "; " + before.text() + "; " +
         megabytes_below(place.path());
}

std::string topics() {
  constexpr std::uint32_t count = 10'000;
  const temporary place = temporary::in_shared_memory();
  const stopwatch creating;
  const auto name = [](std::uint32_t i) { return "topic-" + std::to_string(i); };
  for (std::uint32_t i = 0; i < count; ++i) {
    (void)place.store.topic<std::uint64_t>(name(i), {.segment_bytes = 16384});
  }
  const std::string created = creating.for_each(count);
  const stopwatch listing;
  require(place.store.topics().size() == count, "all topics are listed");
  const std::string listed = listing.text();
  const stopwatch opening;
  for (std::uint32_t i = 0; i < 1000; ++i) (void)place.store.topic<std::uint64_t>(name(i * 10));
  const std::string opened = opening.for_each(1000);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    (void)leat::producer(place.store.topic<std::uint64_t>(name(i))).send(i).value();
  }
  const footprint before;
  leat::consumer<std::uint64_t> member{place.store, {.auto_offset_reset = leat::offset_reset::earliest, .group = "g"}};
  member.subscribe_pattern("topic-([0-9]{1,3}|[0-7][0-9]{3})");  // two descriptors each
  const stopwatch joining;
  std::size_t read = 0;
  while (read < 1000 || member.owned().size() < 8000) read += member.poll().size();
  const std::string joined = joining.text();
  const stopwatch idle;
  for (int i = 0; i < 100; ++i) (void)member.poll().size();
  return "create " + created + "; list " + listed + "; open " + opened +
         "; a member of a group has joined 8000 and read " + "their first records in " + joined + ", an empty poll " +
         idle.for_each(100) + "; " + before.text() + "; " + megabytes_below(place.path());
}

std::string segments() {
  constexpr std::uint64_t count = 10'000;
  const temporary place = temporary::in_shared_memory();
  const leat::topic_options options{.segment_bytes = 16384, .retention = {.bytes = leat::unlimited}};
  auto topic = place.store.topic<std::uint64_t>("t", options);
  std::uint64_t sent = 0;
  const footprint before;
  {
    leat::producer out{topic};
    const stopwatch sending;
    while (topic.log()->partition(0).begun().observe() < count) (void)out.send(sent++).value();
    std::fprintf(stderr, "  segments: a roll, with its records, %s\n", sending.for_each(count).c_str());
  }
  topic = place.store.topic<std::uint64_t>("t");
  const stopwatch opening;
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  (void)in.poll().size();
  const std::string opened = opening.text();
  const stopwatch seeking;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    in.seek({0, i * 7919 * 113 % sent});
    require(in.poll().size() != 0, "each offset is found");
  }
  const std::string sought = seeking.for_each(1000);
  in.seek_to_beginning();
  const stopwatch reading;
  std::uint64_t read = 0;
  while (read < sent) read += in.poll().size();
  const std::string all = in_units(reading.seconds() / static_cast<double>(count)) + " a segment";
  const std::string held = before.text();
  const std::string files = megabytes_below(place.path());
  const leat::admin admin(place.store);
  const stopwatch verifying;
  require(admin.verify("t").empty(), "it is sound");
  const std::string verified = verifying.text();
  admin.alter_topic("t", {.retention = {.bytes = 4 * 16384}});
  const stopwatch retiring;
  require(admin.apply_retention("t") > count - 10, "all but some are retired");
  return "open and first poll " + opened + "; seek " + sought + "; read all, " + all + "; verify " + verified +
         "; retire and remove all but four " + retiring.text() + "; " + held + "; " + files;
}

std::string producers() {
  constexpr std::size_t count = 1000;
  const temporary place = temporary::in_shared_memory();
  (void)place.store.topic<std::uint64_t>("t", {.segment_bytes = 64 << 20});
  const footprint before;
  std::vector<leat::producer<std::uint64_t>> open;
  const stopwatch opening;
  for (std::size_t i = 0; i < count; ++i) {  // each as a process of its own would
    open.emplace_back(leat::store::open(place.path()).topic<std::uint64_t>("t"));
    (void)open.back().send(i).value();
  }
  const std::string opened = opening.for_each(count);
  const stopwatch sending;
  for (std::size_t i = 0; i < 1000 * count; ++i) (void)open[i % count].send(i).value();
  const std::string sent = sending.for_each(1000.0 * count);
  const std::string apart = before.text();
  open.clear();
  const footprint again;
  const auto topic = place.store.topic<std::uint64_t>("t");
  for (std::size_t i = 0; i < count; ++i) {
    open.emplace_back(topic);
    (void)open.back().send(i).value();
  }
  return "open and first send " + opened + "; sends in turn " + sent + "; " + apart +
         " where each has opened the store; with one topic handle: " + again.text();
}

/// Each member is a process: so many descriptors does none have.
std::string members() {
  constexpr std::uint32_t count = 256;
  const temporary place = temporary::in_shared_memory();
  (void)place.store.topic<std::uint64_t>("t", {.partitions = count, .segment_bytes = 16384});
  const leat::admin admin(place.store);
  std::vector<pid_t> children;
  const auto settled = [&](std::size_t expected) {
    for (const stopwatch waited; waited.seconds() < 300;) {
      std::size_t owned = 0;
      const auto group = admin.describe_group("g");
      for (const auto& m : group.members) owned += m.partitions.empty() ? 0 : 1;
      std::size_t all = 0;
      for (const auto& o : group.offsets) all += o.owner.empty() ? 0 : 1;
      if (group.members.size() == expected && owned == expected && all == count) return;
      ::usleep(20'000);
    }
    throw std::runtime_error("the group has not settled");
  };
  const stopwatch joining;
  for (std::uint32_t i = 0; i < count; ++i) {
    const pid_t child = ::fork();
    if (child != 0) {
      children.push_back(child);
      continue;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      leat::consumer<std::uint64_t> in{leat::store::open(place.path()), {.group = "g"}};
      in.subscribe({"t"});
      for (;;) (void)in.poll(1s).size();
    } catch (...) {
      ::_exit(1);
    }
  }
  std::string result;
  try {
    settled(count);
    result = "all join at once, and have a partition each after " + joining.text();
    const leat_tests::footprint held = leat_tests::footprint_of(children[7]);
    result += "; a member holds " + std::to_string(held.descriptors) + " descriptors, " +
              std::to_string(held.mappings) + " mappings";
    const stopwatch dying;
    ::kill(children.back(), SIGKILL);
    int status = 0;
    ::waitpid(children.back(), &status, 0);
    children.pop_back();
    settled(count - 1);
    result += "; one is killed, and the others have all after " + dying.text();
    const auto ticks_of = [&] {
      std::uint64_t ticks = 0;
      for (const pid_t child : children) {
        std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
        std::string word;
        for (int i = 1; i <= 15 && stat >> word; ++i) ticks += i >= 14 ? std::stoull(word) : 0;
      }
      return ticks;
    };
    const std::uint64_t ticks = ticks_of();
    ::sleep(5);
    result += "; idle they use " +
              std::to_string((ticks_of() - ticks) * 100 / 5 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK))) +
              " % of a core together; " + megabytes_below(place.path());
  } catch (const std::exception& e) {
    result += std::string(e.what());
  }
  for (const pid_t child : children) ::kill(child, SIGKILL);
  for (const pid_t child : children) ::waitpid(child, nullptr, 0);
  return result;
}

std::string records() {
  const temporary place = temporary::in_shared_memory();
  constexpr std::uint32_t largest = (1u << 27) - 8;
  const auto topic = place.store.topic<leat::bytes_view>(
      "t", {.segment_bytes = 256 << 20, .retention = {.bytes = 256 << 20}, .max_record_bytes = largest});
  leat::producer out{topic};
  const std::vector<std::byte> bytes(largest - 24, std::byte{1});
  const leat::bytes_view all(bytes);
  (void)out.send(leat::null, all).value();
  (void)out.send(leat::null, all).value();  // in a segment of its own, which a fresh file is made for
  const stopwatch sending;
  for (int i = 0; i < 6; ++i) (void)out.send(leat::null, all).value();
  const std::string sent = sending.for_each(6);
  require(out.send(leat::null, leat::bytes_view(std::vector<std::byte>(largest - 23))).error() == leat::errc::too_large,
          "one byte more is too large");
  const stopwatch small;
  for (int i = 0; i < 1'000'000; ++i) (void)out.send(leat::bytes_view()).value();
  const std::string empty = small.for_each(1e6);
  leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest}};
  require((*in.poll().begin()).value().size() == all.size() || topic.start_offset(0) > 0, "it is read");
  return "of 128 MiB - 8 bytes: " + sent + "; of 0 bytes: " + empty + "; " + megabytes_below(place.path());
}

/// Beyond the soft limit of descriptors: what a subscription to very many topics meets.
std::string descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 1024;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const temporary place = temporary::in_shared_memory();
  std::vector<leat::topic<int>> open;
  try {
    for (int i = 0;; ++i) open.push_back(place.store.topic<int>("topic-" + std::to_string(i)));
  } catch (const leat::error& e) {
    return "of 1024: the " + std::to_string(open.size() + 1) + "th topic is an error: " + e.reason();
  }
}

std::string mappings() {
  const temporary place = temporary::in_shared_memory();
  const auto topic = place.store.topic<std::uint64_t>(
      "t", {.partitions = 1024, .segment_bytes = 16384, .retention = {.bytes = 64 * 16384}});
  leat::producer out{topic};
  const footprint before;
  std::uint64_t sent = 0;
  const stopwatch sending;
  for (std::uint64_t i = 0; i < 1024 * 512 * 66; ++i) {
    if (const auto at = out.send(i, {.partition = static_cast<std::uint32_t>(i % 1024)}); !at) {
      return "after " + std::to_string(sent) + " records: " + leat::make_error_code(at.error()).message() + "; " +
             before.text();
    }
    ++sent;
  }
  return "1024 partitions that keep 64 segments each: " + sending.for_each(static_cast<double>(sent)) + "; " +
         before.text() + "; " + megabytes_below(place.path());
}

const std::pair<const char*, std::string (*)()> all[] = {
    {"partitions", partitions}, {"topics", topics},   {"segments", segments},       {"producers", producers},
    {"members", members},       {"records", records}, {"descriptors", descriptors}, {"mappings", mappings}};

}  // namespace

int main(int argc, char** argv) {
  rlimit limit{};  // as many as are allowed
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  int failed = 0;
  int chosen = 0;
  for (const auto& [name, measure] : all) {
    if (argc > 1 && std::none_of(argv + 1, argv + argc, [name](const char* a) { return std::string(a) == name; })) {
      continue;
    }
    ++chosen;
    const auto body = measure;
    const std::string said = leat_tests::in_child([body] { return body(); }, 900);
    if (said.starts_with("exception:") || said.starts_with("killed") || said.starts_with("exit")) failed = 1;
    std::printf("%s: %s\n", name, said.c_str());
    std::fflush(stdout);
  }
  if (chosen == 0) {
    std::fprintf(stderr, "there is no such measurement; there are:");
    for (const auto& [name, measure] : all) std::fprintf(stderr, " %s", name);
    std::fprintf(stderr, "\n");
    return 2;
  }
  return failed;
}
