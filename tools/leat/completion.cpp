#include "completion.hpp"

#include "exit_code.hpp"
#include "output.hpp"
#include "store_access.hpp"

#include <filesystem>
#include <string_view>
#include <utility>

namespace leat_tool {

namespace {

using candidates = std::vector<std::pair<std::string, std::string>>;

/// Names of the store; none where it cannot be opened: a completion has nobody to complain to.
template <class Names>
candidates names_of(const settings& common, Names names) {
  candidates found;
  try {
    for (const std::string& name : names(leat::admin(open_store(common)))) found.emplace_back(name, "");
  } catch (const leat::error&) {
  }
  return found;
}

candidates stores() {
  constexpr std::string_view prefix = "leat.";
  candidates found;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm", failure)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix)) found.emplace_back(name.substr(prefix.size()), "");
  }
  found.emplace_back(":files", "");
  return found;
}

candidates words(std::initializer_list<const char*> list) {
  candidates found;
  for (const char* word : list) found.emplace_back(word, "");
  return found;
}

/// What may stand where an argument of this type is expected: the names in the usage text.
candidates values(const settings& common, const std::string& type) {
  if (type == "TOPIC") return names_of(common, [](const leat::admin& a) { return a.topics(); });
  if (type == "GROUP") return names_of(common, [](const leat::admin& a) { return a.groups(); });
  if (type == "NAME|PATH") return stores();
  if (type == "FILE") return words({":files"});
  if (type == "FORMAT") return words({"text", "hex", "base64"});
  if (type == "PLACE") return words({"earliest", "latest"});
  if (type == "SPEED") return words({"original", "max"});
  if (type == "YES|NO") return words({"yes", "no"});
  if (type == "create|append") return words({"create", "append"});
  if (type == "earliest|latest") return words({"earliest", "latest"});
  if (type == "none|interval|every") return words({"none", "interval", "every"});
  return {};
}

CLI::Option* find_option(CLI::App* app, const std::string& name) {
  for (; app != nullptr; app = app->get_parent()) {
    if (CLI::Option* const found = app->get_option_no_throw(name)) return found;
  }
  return nullptr;
}

candidates option_names(CLI::App* app) {
  candidates found;
  for (; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) found.emplace_back("--" + name, option->get_description());
      for (const std::string& name : option->get_snames()) found.emplace_back("-" + name, option->get_description());
    }
  }
  return found;
}

/// The name of the index-th argument that is not an option. The last may take several.
std::string positional_name(CLI::App* app, std::size_t index) {
  std::string name;
  for (const CLI::Option* option : app->get_options()) {
    if (!option->get_positional()) continue;
    const bool several = option->get_items_expected_max() > 1;
    name = option->get_name(true);
    if (several || index == 0) return name;
    --index;
  }
  return "";
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

CLI::App* find_subcommand(CLI::App* app, const std::string& name) {
  const auto found = app->get_subcommands([&](const CLI::App* sub) { return sub->get_name() == name; });
  return found.empty() ? nullptr : found[0];
}

candidates subcommands_of(CLI::App* app) {
  candidates found;
  for (const CLI::App* sub : app->get_subcommands([](const CLI::App*) { return true; })) {
    found.emplace_back(sub->get_name(), sub->get_description());
  }
  return found;
}

}  // namespace

int complete(command_line& line, const std::vector<std::string>& words) {
  if (words.empty()) return exit_ok;
  CLI::App* app = &line.app;
  CLI::Option* option = nullptr;  // whose value comes next
  std::size_t positionals = 0;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (CLI::Option* const has_value = std::exchange(option, nullptr)) {
      if (has_value->check_name("--store")) line.common.store = word;
    } else if (word.starts_with("--store=")) {
      line.common.store = word.substr(8);
    } else if (word.starts_with('-')) {
      CLI::Option* const found = find_option(app, word);
      if (found != nullptr && takes_value(*found)) option = found;
    } else if (CLI::App* const sub = find_subcommand(app, word)) {
      app = sub;
      positionals = 0;
    } else {
      ++positionals;
    }
  }

  const std::string& current = words.back();
  candidates found;
  if (option != nullptr) {
    found = values(line.common, option->get_type_name());
  } else if (current.starts_with('-')) {
    found = option_names(app);
  } else {
    found = subcommands_of(app);
    const candidates more = values(line.common, positional_name(app, positionals));
    found.insert(found.end(), more.begin(), more.end());
  }
  for (const auto& [word, description] : found) {
    if (word.starts_with(current) || word == ":files") out().print("{}\t{}\n", word, description);
  }
  out().flush();
  return exit_ok;
}

}  // namespace leat_tool
