// Directories in the making and directories on their way out: `~new-...` and `~deleted-...`.
//
// Whatever is made of several files is made under such a name and then renamed, and whatever is deleted is renamed to such
// a name first; so a name leads to something whole, or to nothing. Its maker owns the directory while it is at work; when
// it dies, whoever comes next and finds the directory without an owner removes it. What is on its way out everybody closes and
// removes: who works on it must not depend on a deleter that may be stopped. tests/model/topic_life.pml checks it.
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

/// Makes the directory `name` of `parent`, which `fill` completes before it gets its name. False when there is one.
template <class Fill>
bool make_directory(os::directory& parent, const std::string& name, mode_t mode, Fill fill) {
  for (;;) {
    const std::string temporary = temporary_name(new_prefix);
    parent.create_directory(temporary, mode);
    const auto directory = parent.open_directory(temporary);
    if (directory == nullptr || !directory->try_own()) continue;  // taken for a leftover before it was owned
    try {
      fill(*directory);
      switch (parent.rename(temporary, name)) {
        case os::rename_result::done: return true;
        case os::rename_result::exists: remove_tree(parent, temporary); return false;
        case os::rename_result::absent: break;
      }
    } catch (const error&) {
      if (parent.open_directory(temporary) == nullptr) continue;
      remove_tree(parent, temporary);
      throw;
    }
  }
}

/// Removes the directories that nobody makes any more, and those that are being deleted, after `close(directory)` has told
/// their users. How many.
template <class Close>
std::size_t remove_dead_directories(os::directory& parent, Close close) {
  std::size_t removed = 0;
  for (const std::string& name : parent.list()) {
    const bool deleted = name.starts_with(deleted_prefix);
    if (!deleted && !name.starts_with(new_prefix)) continue;
    try {
      const auto directory = parent.open_directory(name);
      if (directory == nullptr || (!deleted && !directory->try_own())) continue;
      if (!parent.leads_to(name, *directory)) continue;  // its maker has given it its name, or another has removed it
      if (deleted) close(*directory);
      remove_tree(parent, name);
      ++removed;
    } catch (const error&) {
      continue;  // it is left to somebody who can
    }
  }
  return removed;
}

/// Takes the directory `name` of `parent` away, with all that is in it; `close` as above. False when there is none.
template <class Close>
bool delete_directory(os::directory& parent, const std::string& name, Close close) {
  const std::string gone = temporary_name(deleted_prefix);
  const bool there = parent.rename(name, gone) == os::rename_result::done;
  if (there) {
    if (const auto directory = parent.open_directory(gone)) close(*directory);
    remove_tree(parent, gone);
  }
  remove_dead_directories(parent, close);  // also what another is deleting, who was faster
  return there;
}

/// Removes the temporary files whose makers are dead. How many.
inline std::size_t remove_dead_temporaries(os::directory& directory) {
  std::size_t removed = 0;
  for (const std::string& name : directory.list()) {
    if (!name.starts_with(new_prefix)) continue;
    try {
      const auto file = directory.open(name, os::access::read_only);
      if (file && file->try_own()) removed += directory.remove(name) ? 1 : 0;
    } catch (const error&) {
      continue;  // it is left to somebody who can
    }
  }
  return removed;
}

}  // namespace leat::storage
