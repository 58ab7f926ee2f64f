// leat clean: removes what dead processes have left.
#include "command.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "store_access.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace leat_tool::clean_command {

namespace {

struct options {
  bool retention = false;
};

json to_json(const std::vector<leat::finding>& findings) {
  json list = json::array();
  for (const leat::finding& f : findings) {
    list.push_back({{"path", f.path}, {"what", f.what}, {"error", make_error_code(f.code).message()}});
  }
  return list;
}

int clean(const settings& common, const options& o) {
  const leat::admin admin(open_store(common));
  std::uint64_t expired = 0;
  std::vector<leat::finding> skipped;
  for (const std::string& topic : o.retention ? admin.topics() : std::vector<std::string>()) {
    try {
      expired += admin.apply_retention(topic);
    } catch (const leat::error& e) {
      if (!is_gone(e)) skipped.push_back({e.path(), e.reason(), static_cast<leat::errc>(e.code().value())});
    }
  }
  leat::clean_report r = admin.clean();
  for (const leat::finding& f : skipped) {
    if (std::ranges::find(r.skipped, f.path, &leat::finding::path) == r.skipped.end()) r.skipped.push_back(f);
  }
  if (common.json) {
    json report{{"topics", r.topics},
                {"files", r.files},
                {"members", r.members},
                {"segments", r.segments},
                {"skipped", to_json(r.skipped)}};
    if (o.retention) report["expired_segments"] = expired;
    out().document(report);
    return r.skipped.empty() ? exit_ok : exit_damaged;
  }
  out().print(
      "removed {} half made or half deleted topics, {} files of dead makers, {} dead members, {} retired segments\n",
      r.topics, r.files, r.members, r.segments);
  if (o.retention) out().print("retention removed {} segments\n", expired);
  for (const leat::finding& f : r.skipped) out().print("skipped {}: {}\n", f.path, f.what);
  return r.skipped.empty() ? exit_ok : exit_damaged;
}

}  // namespace
}  // namespace leat_tool::clean_command

namespace leat_tool {

void add_clean(command_line& line) {
  using namespace clean_command;
  auto o = std::make_shared<options>();
  CLI::App* const c = line.app.add_subcommand("clean", "Remove what dead processes have left; safe at any time");
  c->add_flag("--retention", o->retention, "Also the segments that retention lets go");
  line.runs(c, o, clean);
}

}  // namespace leat_tool
