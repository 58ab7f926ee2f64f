// A directory: where the files of a store or topic have their names.
//
// Two kinds serve: folders of a file system (folder.hpp), and names that live in this process alone and stand for memory
// files (memory_directory.hpp). All operations are cold: opening, creating, rolling.
//
// Threads    any number at once.
// Crash      each operation is one atomic step of the file system.
#pragma once

#include <leat/os/file.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leat::os {

enum class rename_result { done, exists, absent };

class directory {
 public:
  virtual ~directory() = default;

  /// Names a file or folder of this directory, or with an empty name the directory itself, for messages.
  virtual std::string path(std::string_view name) const = 0;

  /// Opens a regular file, with an open file description of its own. Empty when there is none of this name.
  virtual std::optional<file> open(const std::string& name, access mode) const = 0;

  /// Makes a file that did not exist; nobody else can have it open. Throws errc::already_exists.
  virtual file create(const std::string& name, mode_t mode) = 0;

  /// Empty when there is none of this name.
  virtual std::optional<file_status> status(const std::string& name) const = 0;

  /// Refuses to replace.
  virtual rename_result rename(const std::string& from, const std::string& to) = 0;

  /// Takes the place of a file `to` that is there. False when there is no `from`.
  virtual bool replace(const std::string& from, const std::string& to) = 0;

  /// False when there was none of this name.
  virtual bool remove(const std::string& name) = 0;

  virtual std::vector<std::string> list() const = 0;

  /// Sub-directories. Opening gives null when there is none of this name; making one that exists, and removing one that
  /// is not empty, gives false.
  virtual std::shared_ptr<directory> open_directory(const std::string& name) const = 0;
  virtual bool create_directory(const std::string& name, mode_t mode) = 0;
  virtual bool remove_directory(const std::string& name) = 0;

  /// Whether `name` still leads to the directory that `opened` is.
  virtual bool leads_to(const std::string& name, const directory& opened) const = 0;

  /// Whether this user may make and remove names in it.
  virtual bool is_writable() const = 0;

  /// Permission bits of this directory.
  virtual mode_t mode() const = 0;

  /// The names in it are on the device when this returns.
  virtual void sync() const = 0;

  /// Whether what is in it is gone with the machine.
  virtual bool is_volatile() const = 0;

  /// Takes this directory for its user, until the object goes. False when another has it: its maker is alive and at work.
  virtual bool try_own() = 0;
};

/// Opens a file for reading and writing, or for reading alone where that is all this process may. Empty: absent.
struct opened_file {
  std::optional<os::file> file;
  access mode;
};
inline opened_file open_as_permitted(const directory& directory, const std::string& name) {
  try {
    return {directory.open(name, access::read_write), access::read_write};
  } catch (const error& e) {
    if (e.code() != errc::permission_denied) throw;
    return {directory.open(name, access::read_only), access::read_only};
  }
}

}  // namespace leat::os
