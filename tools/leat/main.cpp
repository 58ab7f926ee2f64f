// leat: the command line. What can go wrong ends here, as one line on standard error and an exit code.
#include "command.hpp"
#include "completion.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "store_access.hpp"

#include <leat/leat.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

namespace leat_tool {

namespace {

void declare(command_line& line) {
  if (const char* store = std::getenv("LEAT_STORE"); store != nullptr && *store != '\0') line.common.store = store;
  CLI::App& app = line.app;
  app.fallthrough();
  app.require_subcommand(1);
  app.set_version_flag("--version", "leat " + std::string(leat::version));
  app.add_option("--store", line.common.store,
                 "The store: a name in shared memory, or a path; default: the environment's LEAT_STORE, or \"default\"")
      ->type_name("NAME|PATH");
  app.add_flag("--json", line.common.json, "Print JSON: an object a line for streams of records, else one document");
  add_produce(line);
  add_consume(line);
  add_topics(line);
  add_groups(line);
  add_offsets(line);
  add_stat(line);
  add_top(line);
  add_hz(line);
  add_record(line);
  add_replay(line);
  add_mirror(line);
  add_dump(line);
  add_verify(line);
  add_clean(line);
  // After them: commands take over the footer that there is when they are added.
  app.footer(
      "Examples:\n"
      "  tail -f access.log | leat produce web\n"
      "  leat consume web --group alerts\n"
      "The manual is leat(1).");
}

int code_of(const leat::error& e) {
  const auto is = [&](leat::errc code) { return e.code() == code; };
  if (is(leat::errc::not_found)) return exit_not_found;
  // Names and limits are those of arguments and options.
  if (is(leat::errc::invalid_argument) || is(leat::errc::name_invalid)) return exit_usage;
  if (is(leat::errc::corrupt) || is(leat::errc::truncated)) return exit_damaged;
  return exit_error;
}

/// What is wrong with a command line that cannot be parsed. CLI11 does not say which word is no command.
std::string reason_of(const CLI::ParseError& e, const CLI::App& app) {
  const CLI::App* command = &app;
  std::string words = app.get_name();
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().back();
    words += " " + command->get_name();
  }
  if (command->get_require_subcommand_min() == 0) return e.what();
  std::string expected;
  for (const CLI::App* c : command->get_subcommands({})) expected += (expected.empty() ? "" : ", ") + c->get_name();
  for (const std::string& word : app.remaining(true)) {
    const char* const kind = word.starts_with('-') ? "option" : "command";
    return fmt::format("{}: there is no {} \"{}\"; the commands are {}", words, kind, word, expected);
  }
  return fmt::format("{}: the command is missing, expected one of {}", words, expected);
}

int run(command_line& line, int argc, char** argv) {
  // Not a command as others: what it gets are the words of another command line, which is not finished yet.
  if (argc > 1 && argv[1] == std::string_view("complete")) return complete(line, {argv + 2, argv + argc});
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return line.app.exit(e);  // --help, --version
    complain(reason_of(e, line.app));
    complain("`leat --help` and `leat COMMAND --help` say how it is used");
    return exit_usage;
  }
  const int code = line.run();
  out().flush();
  return code;
}

}  // namespace
}  // namespace leat_tool

int main(int argc, char** argv) {
  using namespace leat_tool;
  std::signal(SIGPIPE, SIG_IGN);
  try {
    command_line line;
    declare(line);
    return run(line, argc, argv);
  } catch (const closed_pipe&) {
    return exit_ok;
  } catch (const failure& e) {
    complain(e.what());
    return e.code();
  } catch (const leat::error& e) {
    complain(e.path() + ": " + e.reason());
    return code_of(e);
  } catch (const std::exception& e) {
    complain(e.what());
    return exit_error;
  }
}
