// leat dump: the segments of a topic and the records in them, of damaged files as far as they are sound.
#include "command.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "positions.hpp"
#include "representation.hpp"
#include "store_access.hpp"
#include "text.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace leat_tool::dump_command {

namespace {

struct options {
  std::string topic;
  std::vector<std::uint32_t> partitions;
  bool segments = false;  // nothing but
  bool records = false;
};

class dumper {
 public:
  dumper(const settings& common, const options& o)
      : json_(common.json), options_(o), store_(open_store(common)), topic_(store_.raw_topic(o.topic)) {
    const leat::topic_description d = topic_.describe();
    as_.key = choose_representation({}, d.key_type);
    as_.value = choose_representation({}, d.value_type);
  }

  int run() {
    for (const std::uint32_t p : choose_partitions(topic_, options_.partitions)) partition(p);
    return damaged_ ? exit_damaged : exit_ok;
  }

 private:
  void partition(std::uint32_t p) {
    if (!json_) {
      const std::uint64_t start = topic_.start_offset(p);  // first, or it might lie behind the end
      out().print("partition {}: offsets {} to {}\n", p, start, topic_.end_offset(p));
    }
    std::vector<leat::segment_description> segments = leat::admin(store_).segments({options_.topic, p});
    for (const auto& s : segments) {
      if (!s.defect.empty()) damage(p, s.path, s.defect);
    }
    std::erase_if(segments, [](const auto& s) { return !s.defect.empty(); });
    if (options_.segments || !options_.records) {
      for (const auto& s : segments) segment(p, s);
    }
    if (options_.records || !options_.segments) records(p, segments);
  }

  void segment(std::uint32_t p, const leat::segment_description& s) {
    if (json_) {
      return out().line({{"kind", "segment"},
                         {"partition", p},
                         {"sequence", s.sequence},
                         {"path", s.path},
                         {"base_offset", s.base_offset},
                         {"end_offset", s.end_offset},
                         {"file_bytes", s.file_bytes},
                         {"used_bytes", s.used_bytes},
                         {"sealed", s.sealed},
                         {"largest_timestamp", s.largest_timestamp ? json(to_text(*s.largest_timestamp)) : json()}});
    }
    out().print("  segment {}: offsets {} to {}, {} of {} used, {}{}\n    {}\n", s.sequence, s.base_offset,
                s.end_offset, bytes_to_text(s.used_bytes), bytes_to_text(s.file_bytes), s.sealed ? "sealed" : "open",
                s.largest_timestamp ? ", latest " + to_text(*s.largest_timestamp) : "", s.path);
  }

  /// Around what is damaged: record by record, and where two in a row fail alike, to the next segment.
  void records(std::uint32_t p, const std::vector<leat::segment_description>& segments) {
    raw_consumer in(topic_, {.partitions = std::vector{p}, .auto_offset_reset = leat::offset_reset::none});
    std::uint64_t at = topic_.start_offset(p);
    const std::uint64_t end = topic_.end_offset(p);
    std::string last;
    while (at < end) {
      try {
        in.seek({p, at});
        auto batch = in.poll();
        if (batch.error() == leat::errc::out_of_range) {  // retention was faster
          at = std::max(at + 1, topic_.start_offset(p));
          continue;
        }
        bool any = false;
        for (const auto& r : batch) {
          any = true;
          if (r.offset() >= end) return;
          at = r.offset();
          record(r);
          ++at;
          last.clear();
        }
        if (!any) return;
      } catch (const leat::error& e) {
        if (e.code() == leat::errc::closed) throw;
        if (e.what() != last) damage(p, e.path(), e.reason());
        at = e.what() == last ? behind(segments, at, end) : at + 1;
        last = e.what();
      }
    }
  }

  static std::uint64_t behind(const std::vector<leat::segment_description>& segments, std::uint64_t at,
                              std::uint64_t end) {
    for (const auto& s : segments) {
      if (s.base_offset > at) return s.base_offset;
    }
    return end;
  }

  void record(const raw_record& r) {
    if (json_) {
      std::string text = R"({"kind":"record",)";
      append_json(text, r, options_.topic, as_);
      return out().write(text + "}\n");
    }
    const auto field = [](const std::optional<leat::bytes_view>& bytes, representation as) -> std::string {
      if (!bytes) return "null";
      std::string text;
      append(text, *bytes, as);
      return as == representation::text ? fmt::format("\"{}\"", printable(text)) : text;
    };
    std::string text = fmt::format("    {}  {}  {}  {}", r.offset(), to_text(r.timestamp()),
                                   field(r.key_bytes(), as_.key), field(r.value_bytes(), as_.value));
    for (const auto& h : r.headers()) {
      text += fmt::format("  {}={}", printable(h.name), field(h.value, representation::text));
    }
    out().write(text + "\n");
  }

  void damage(std::uint32_t p, const std::string& path, const std::string& reason) {
    damaged_ = true;
    if (!told_.emplace(path, reason).second) return;
    if (json_) {
      out().line({{"kind", "damage"}, {"partition", p}, {"path", path}, {"what", reason}});
    } else {
      out().print("    damage: {}: {}\n", path, reason);
    }
  }

  bool json_;
  options options_;
  leat::store store_;
  raw_topic topic_;
  record_representation as_;
  bool damaged_ = false;
  std::set<std::pair<std::string, std::string>> told_;  // paths and what is wrong with them
};

int dump(const settings& common, const options& o) { return dumper(common, o).run(); }

}  // namespace
}  // namespace leat_tool::dump_command

namespace leat_tool {

void add_dump(command_line& line) {
  using namespace dump_command;
  auto o = std::make_shared<options>();
  CLI::App* const c = line.app.add_subcommand("dump", "Print segments and records, also of damaged files");
  add_argument(c, "TOPIC", o->topic, "The topic")->required();
  add_parsed(c, "-p,--partition", o->partitions, parse_partitions, "Only these", "LIST");
  c->add_flag("--segments", o->segments, "Only the segments");
  c->add_flag("--records", o->records, "Only the records");
  line.runs(c, o, dump);
}

}  // namespace leat_tool
