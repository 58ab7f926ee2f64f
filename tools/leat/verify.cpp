// leat verify: whether all that a store's files say is possible.
#include "command.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "store_access.hpp"
#include "text.hpp"

#include <memory>
#include <string>
#include <vector>

namespace leat_tool::verify_command {

namespace {

struct options {
  std::vector<std::string> topics;
};

int verify(const settings& common, const options& o) {
  const leat::admin admin(open_store(common));
  json all = json::array();
  std::size_t damage = 0;
  for_each_of(o.topics, admin.topics(), [&](const std::string& name) {
    json findings = json::array();
    for (const leat::finding& f : admin.verify(name)) {
      ++damage;
      findings.push_back({{"path", f.path}, {"what", f.what}, {"error", make_error_code(f.code).message()}});
      if (!common.json) out().print("{}: {}: {}\n", printable(name), f.path, f.what);
    }
    all.push_back({{"topic", name}, {"sound", findings.empty()}, {"findings", std::move(findings)}});
  });
  if (common.json) {
    out().document(all);
  } else if (damage == 0) {
    out().print("{} {} sound\n", all.size(), all.size() == 1 ? "topic is" : "topics are");
  }
  return damage == 0 ? exit_ok : exit_damaged;
}

}  // namespace
}  // namespace leat_tool::verify_command

namespace leat_tool {

void add_verify(command_line& line) {
  using namespace verify_command;
  auto o = std::make_shared<options>();
  CLI::App* const c = line.app.add_subcommand("verify", "Check the files of topics, and every record in them");
  add_argument(c, "TOPIC", o->topics, "Only these");
  line.runs(c, o, verify);
}

}  // namespace leat_tool
