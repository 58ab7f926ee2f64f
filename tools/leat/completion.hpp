// What a shell may offer for the word under the cursor: asked by the completions of bash and zsh as
// `leat complete WORD...`, with the words behind `leat`, the last of which is the one to complete.
#pragma once

#include "command.hpp"

#include <string>
#include <vector>

namespace leat_tool {

/// Prints a line for each candidate, with its description behind a tab; `:files` stands for the names of files.
int complete(command_line& line, const std::vector<std::string>& words);

}  // namespace leat_tool
