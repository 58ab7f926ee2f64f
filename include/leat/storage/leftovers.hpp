// Directories in the making and directories on their way out: `~new-...` and `~deleted-...`.
//
// Whatever is made of several files is made under such a name and then renamed, and whatever is deleted is renamed to such
// a name first; so a name leads to something whole, or to nothing. Its maker owns the directory while it is at work; when
// it dies, whoever comes next and finds the directory without an owner removes it.
#pragma once

#include <leat/os/directory.hpp>
#include <leat/os/random.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace leat::storage {

inline constexpr std::string_view new_prefix = "~new-";
inline constexpr std::string_view deleted_prefix = "~deleted-";

inline std::string temporary_name(std::string_view prefix) { return std::string(prefix) + os::random_name(); }

/// Removes the directory `name` of `parent` with the files in it. Producers that are still at work there may each make
/// another file before they notice; should there be no end of it, the rest is left to the next who looks for leftovers.
inline void remove_tree(os::directory& parent, const std::string& name) {
  for (int attempts = 0; attempts < 100; ++attempts) {
    if (const auto tree = parent.open_directory(name)) {
      for (const std::string& file : tree->list()) tree->remove(file);
    }
    if (parent.remove_directory(name)) return;
  }
}

}  // namespace leat::storage
