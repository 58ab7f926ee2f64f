// leat hz: how many records a second come to a topic, and how regularly.
#include "command.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "positions.hpp"
#include "signals.hpp"
#include "store_access.hpp"
#include "text.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace leat_tool::hz_command {

namespace {

using clock = std::chrono::steady_clock;

struct options {
  std::string topic;
  std::vector<std::uint32_t> partitions;
  std::uint64_t window = 10000;
  std::chrono::nanoseconds interval = std::chrono::seconds(1);
  std::uint64_t count = leat::unlimited;
};

struct arrival {
  leat::timestamp timestamp;
  std::uint64_t bytes;
};

/// Seconds between consecutive records, by their timestamps.
struct gaps {
  double least = 0;
  double most = 0;
  double mean = 0;
  double deviation = 0;
};

std::optional<gaps> gaps_of(const std::deque<arrival>& window) {
  if (window.size() < 2) return std::nullopt;
  std::vector<leat::timestamp> times;
  for (const arrival& a : window) times.push_back(a.timestamp);
  std::ranges::sort(times);  // records of different partitions come in any order
  gaps g{.least = 1e300};
  double squares = 0;
  const auto count = static_cast<double>(times.size() - 1);
  for (std::size_t i = 1; i < times.size(); ++i) {
    const double gap = std::chrono::duration<double>(times[i] - times[i - 1]).count();
    g.least = std::min(g.least, gap);
    g.most = std::max(g.most, gap);
    g.mean += gap / count;
    squares += gap * gap / count;
  }
  g.deviation = std::sqrt(std::max(0.0, squares - g.mean * g.mean));
  return g;
}

void report(const settings& common, const std::deque<arrival>& window, std::uint64_t records, std::uint64_t bytes,
            double seconds) {
  const double rate = static_cast<double>(records) / seconds;
  const double byte_rate = static_cast<double>(bytes) / seconds;
  const auto g = gaps_of(window);
  if (common.json) {
    json object{{"records_per_second", rate}, {"bytes_per_second", byte_rate}, {"window", window.size()}};
    if (g)
      object["seconds_between"] = {{"min", g->least}, {"max", g->most}, {"mean", g->mean}, {"std_dev", g->deviation}};
    out().line(object);
  } else if (g) {
    out().print(
        "{}/s, {}/s; between records: min {:.6f} s, max {:.6f} s, mean {:.6f} s, std dev {:.6f} s, of the last {}\n",
        count_to_text(rate), bytes_to_text(static_cast<std::uint64_t>(byte_rate)), g->least, g->most, g->mean,
        g->deviation, window.size());
  } else {
    out().print("{}/s, {}/s\n", count_to_text(rate), bytes_to_text(static_cast<std::uint64_t>(byte_rate)));
  }
  out().flush();
}

int hz(const settings& common, const options& o) {
  note_signals();
  const raw_topic topic = open_store(common).raw_topic(o.topic);
  raw_consumer in(topic, {.partitions = choose_partitions(topic, o.partitions)});
  std::deque<arrival> window;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t reports = 0;
  clock::time_point last = clock::now();
  while (signal_noted() == 0 && reports < o.count) {
    const clock::time_point due = last + std::chrono::duration_cast<clock::duration>(o.interval);
    const auto left =
        std::clamp<clock::duration>(due - clock::now(), clock::duration(0), std::chrono::milliseconds(100));
    auto batch = in.poll(left);
    const clock::time_point now = clock::now();
    for (const auto& record : batch) {
      const std::uint64_t size = (record.key_bytes() ? record.key_bytes()->size() : 0) +
                                 (record.value_bytes() ? record.value_bytes()->size() : 0);
      window.push_back({record.timestamp(), size});
      if (window.size() > o.window) window.pop_front();
      ++records;
      bytes += size;
    }
    if (now < due) {
      out().check();
      continue;
    }
    report(common, window, records, bytes, std::chrono::duration<double>(now - last).count());
    records = bytes = 0;
    last = now;
    ++reports;
  }
  return exit_code_now();
}

}  // namespace
}  // namespace leat_tool::hz_command

namespace leat_tool {

void add_hz(command_line& line) {
  using namespace hz_command;
  auto o = std::make_shared<options>();
  CLI::App* const c = line.app.add_subcommand("hz", "Measure how many records a second come to a topic");
  add_argument(c, "TOPIC", o->topic, "The topic")->required();
  add_parsed(c, "-p,--partition", o->partitions, parse_partitions, "Only these", "LIST");
  add_parsed(c, "--window", o->window, parse_count, "Times between the last so many records count; default 10000",
             "NUMBER");
  add_parsed(c, "--interval", o->interval, parse_duration, "How often a line is printed; default 1s", "DURATION");
  add_parsed(c, "-n,--count", o->count, parse_count, "End after so many lines", "NUMBER");
  line.runs(c, o, hz);
}

}  // namespace leat_tool
