// leat top: a store as it lives, on the full screen.
#include "command.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "sample.hpp"
#include "signals.hpp"
#include "terminal.hpp"
#include "text.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace leat_tool::top_command {

namespace {

struct options {
  std::vector<std::string> topics;
  std::chrono::nanoseconds interval = std::chrono::seconds(1);
  std::uint64_t count = leat::unlimited;
  bool plain = false;
};

/// What one line of the view says of a partition of a group.
struct share {
  std::string group;
  std::string owner;
  leat::topic_partition at;
  std::uint64_t lag;
  double rate;
};

/// What is shown: the last sample, and rates since the one before.
class view {
 public:
  view(const settings& common, const options& o) : store_(open_store(common)), options_(o) { look(); }

  void look() {
    sample_ = take_sample(store_, options_.topics);
    record_rates_.clear();
    byte_rates_.clear();
    shares_.clear();
    for (const auto& t : sample_.topics) {
      record_rates_.push_back(rates_.of("records " + t.name, sample_.taken, records_ever(t)));
      byte_rates_.push_back(rates_.of("bytes " + t.name, sample_.taken, bytes_ever(t)));
    }
    for (const auto& g : sample_.groups) {
      for (const auto& o : g.offsets) {
        const std::string name = fmt::format("group {} {} {}", g.name, o.at.topic, o.at.partition);
        shares_.push_back(
            {g.name, owner_of(g, o.owner), o.at, o.lag, rates_.of(name, sample_.taken, o.committed.value_or(0))});
      }
    }
  }

  std::string text() const {
    const auto now = std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
    std::string all = fmt::format("leat top  {}  {}  free {}\n\n", store_.path(), to_text(now).substr(0, 19) + "Z",
                                  bytes_to_text(sample_.free_bytes));
    table topics({"TOPIC", "PARTITIONS", "RECORDS", "RECORDS/S", "BYTES/S", "MEMORY", "RETENTION"});
    for (std::size_t i = 0; i < sample_.topics.size(); ++i) {
      const auto& t = sample_.topics[i];
      topics.add({t.name, std::to_string(t.partitions.size()), std::to_string(records_in(t)),
                  count_to_text(record_rates_[i]), bytes_to_text(static_cast<std::uint64_t>(byte_rates_[i])),
                  bytes_to_text(bytes_in(t)), retention_of(t)});
    }
    all += topics.text();
    if (shares_.empty()) return all;
    table groups({"GROUP", "TOPIC", "PARTITION", "LAG", "COMMITS/S", "OWNER"});
    for (const share& s : shares_) {
      groups.add(
          {s.group, s.at.topic, std::to_string(s.at.partition), std::to_string(s.lag), count_to_text(s.rate), s.owner});
    }
    return all + "\n" + groups.text();
  }

  json to_json() const {
    json topics = json::array();
    for (std::size_t i = 0; i < sample_.topics.size(); ++i) {
      const auto& t = sample_.topics[i];
      topics.push_back({{"topic", t.name},
                        {"partitions", t.partitions.size()},
                        {"records", records_in(t)},
                        {"records_per_second", record_rates_[i]},
                        {"bytes_per_second", byte_rates_[i]},
                        {"bytes", bytes_in(t)}});
    }
    json groups = json::array();
    for (const share& s : shares_) {
      groups.push_back({{"group", s.group},
                        {"topic", s.at.topic},
                        {"partition", s.at.partition},
                        {"lag", s.lag},
                        {"commits_per_second", s.rate},
                        {"owner", s.owner}});
    }
    return {{"free_bytes", sample_.free_bytes}, {"topics", std::move(topics)}, {"groups", std::move(groups)}};
  }

 private:
  /// Who it is, and its process.
  static std::string owner_of(const leat::group_description& g, const std::string& id) {
    const auto member = std::ranges::find_if(g.members, [&](const auto& m) { return m.id == id; });
    if (member == g.members.end()) return id.empty() ? "-" : printable(id);
    return printable(fmt::format("{} (process {})", member->id, member->process));
  }

  static std::string retention_of(const leat::topic_description& t) {
    std::string text = bytes_to_text(t.retention_bytes);
    if (t.retention_time != leat::forever) text += ", " + to_text(t.retention_time);
    if (t.wait_for_groups) text += ", waits";
    return text;
  }

  leat::store store_;
  options options_;
  sample sample_;
  rates rates_;
  std::vector<double> record_rates_;
  std::vector<double> byte_rates_;
  std::vector<share> shares_;
};

/// Prints instead: a text, or an object, each time.
int print(const settings& common, const options& o) {
  note_signals();
  view v(common, o);
  for (std::uint64_t shown = 0; signal_noted() == 0; v.look()) {
    if (common.json) {
      out().line(v.to_json());
    } else {
      out().write(v.text() + "\n");
    }
    out().flush();
    if (++shown >= o.count) break;
    pause_for(o.interval);
    out().check();
  }
  return exit_code_now();
}

/// From the line `first` on.
std::string scrolled(const std::string& text, std::size_t first) {
  std::size_t at = 0;
  for (; first > 0; --first) {
    const std::size_t newline = text.find('\n', at);
    if (newline == text.npos) break;
    at = newline + 1;
  }
  return text.substr(at);
}

int top(const settings& common, const options& o) {
  if (o.plain || common.json) return print(common, o);
  view v(common, o);
  terminal screen;
  std::size_t first = 0;
  std::uint64_t shown = 1;
  auto due = std::chrono::steady_clock::now() + o.interval;
  for (;;) {
    screen.draw(scrolled(v.text(), first) + "\nq quits, j and k scroll");
    const auto left = std::max<std::chrono::nanoseconds>(due - std::chrono::steady_clock::now(), {});
    switch (screen.wait(left)) {
      case terminal::event::ended: return exit_signal + screen.signal();
      case terminal::event::resized: break;
      case terminal::event::key:
        if (screen.key() == 'q') return exit_ok;
        if (screen.key() == 'j') ++first;
        if (screen.key() == 'k' && first > 0) --first;
        break;
      case terminal::event::timeout:
        if (++shown > o.count) return exit_ok;
        v.look();
        due = std::chrono::steady_clock::now() + o.interval;
        break;
    }
  }
}

}  // namespace
}  // namespace leat_tool::top_command

namespace leat_tool {

void add_top(command_line& line) {
  using namespace top_command;
  auto o = std::make_shared<options>();
  CLI::App* const c = line.app.add_subcommand("top", "Watch topics and groups on the full screen; q quits");
  add_argument(c, "TOPIC", o->topics, "Only these");
  add_parsed(c, "--interval", o->interval, parse_duration, "Between two looks; default 1s", "DURATION");
  add_parsed(c, "-n,--count", o->count, parse_count, "End after so many looks", "NUMBER");
  c->add_flag("--plain", o->plain, "Print each look below the last; so it goes without a terminal, as with --json");
  line.runs(c, o, top);
}

}  // namespace leat_tool
