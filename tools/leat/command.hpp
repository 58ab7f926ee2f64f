// What the commands share: the settings that all have, and how a command enters the command line.
#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

namespace leat_tool {

/// What the options of the tool itself say.
struct settings {
  std::string store = "default";
  bool json = false;
};

/// The command line. Each add_... function puts its command there; parsing sets `run` to the one that was asked for.
struct command_line {
  CLI::App app{"Looks at, fills and empties the topics of a leat store", "leat"};
  settings common;
  std::function<int()> run;

  /// Ends the declaration of a command: `what` runs when it was given. `options` lives as long as the command line.
  template <class Options, class What>
  void runs(CLI::App* command, Options options, What what) {
    command->callback([this, options, what] { run = [this, options, what] { return what(common, *options); }; });
  }
};

void add_topics(command_line& line);
void add_produce(command_line& line);
void add_consume(command_line& line);
void add_groups(command_line& line);
void add_offsets(command_line& line);
void add_dump(command_line& line);
void add_verify(command_line& line);
void add_stat(command_line& line);
void add_top(command_line& line);
void add_hz(command_line& line);
void add_record(command_line& line);
void add_replay(command_line& line);
void add_mirror(command_line& line);
void add_clean(command_line& line);

}  // namespace leat_tool
