// leat clean: removes what dead processes have left.
#include "command.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "store_access.hpp"

#include <memory>

namespace leat_tool::clean_command {

namespace {

struct options {
  bool retention = false;
};

int clean(const settings& common, const options& o) {
  const leat::admin admin(open_store(common));
  std::uint64_t expired = 0;
  if (o.retention) {
    for (const std::string& topic : admin.topics()) expired += admin.apply_retention(topic);
  }
  const leat::clean_report r = admin.clean();
  if (common.json) {
    json report{{"topics", r.topics}, {"files", r.files}, {"members", r.members}, {"segments", r.segments}};
    if (o.retention) report["expired_segments"] = expired;
    out().document(report);
    return exit_ok;
  }
  out().print(
      "removed {} half made or half deleted topics, {} files of dead makers, {} dead members, {} retired segments\n",
      r.topics, r.files, r.members, r.segments);
  if (o.retention) out().print("retention removed {} segments\n", expired);
  return exit_ok;
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
