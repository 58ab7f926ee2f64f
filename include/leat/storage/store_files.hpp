// A store on its directory: the store file with the bell, and the directory of topics.
//
//   <store>/store               says what this is; holds the bell
//   <store>/topics/<name>/      a topic, see topic_log.hpp
//   <store>/groups/<name>/      a group of consumers, see group/group_files.hpp
//
// Processes  any number may open and create the same store at once: the store file gets its name complete, and the first wins.
// Crash      a death while creating leaves empty directories and perhaps a temporary file, which the next to create takes.
#pragma once

#include <leat/format/store_file.hpp>
#include <leat/options.hpp>
#include <leat/os/boot.hpp>
#include <leat/os/folder.hpp>
#include <leat/os/mapping.hpp>
#include <leat/os/memory_directory.hpp>
#include <leat/storage/group_words.hpp>
#include <leat/storage/leftovers.hpp>
#include <leat/storage/presence.hpp>
#include <leat/storage/write_back.hpp>
#include <leat/sync/doorbell.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace leat::storage {

/// Kafka's rules for names (Topic.validate).
inline constexpr std::string_view legal_names =
    "1 to 249 letters, digits, '.', '_' or '-', and is neither \".\" nor \"..\"";

inline bool is_legal_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

class store_files {
 public:
  static constexpr const char* file_name = "store";
  static constexpr const char* topics_name = "topics";
  static constexpr const char* groups_name = "groups";

  /// The store in the directory at `path`.
  static std::shared_ptr<store_files> open(const std::string& path, const store_options& options) {
    auto directory = os::folder::open(path);
    const bool missing = directory == nullptr || !directory->status(file_name);
    if (options.mode == open_mode::create && !missing) throw error(errc::already_exists, path, "the store exists");
    if (options.mode == open_mode::open && missing) throw error(errc::not_found, path, "no store here");
    if (directory == nullptr) {
      os::folder::make(path, options.directory_mode);
      directory = os::folder::open(path);
      if (directory == nullptr) throw error(errc::not_found, path, "the store was removed while it was created");
    }
    check_owner(*directory, options);
    if (missing && !make_store_file(*directory, options.directory_mode) && options.mode == open_mode::create) {
      throw error(errc::already_exists, path, "another process has just created the store");
    }
    if (options.mode != open_mode::open) {
      for (const char* const name : {topics_name, groups_name}) {  // a deleter died behind their removal
        if (directory->open_directory(name) == nullptr) directory->create_directory(name, options.directory_mode);
      }
    }
    return std::make_shared<store_files>(directory);
  }

  static std::shared_ptr<store_files> in_process() {
    auto directory = std::make_shared<os::memory_directory>("in-process");
    make_store_file(*directory, 0700);
    return std::make_shared<store_files>(directory);
  }

  explicit store_files(std::shared_ptr<os::directory> directory) : directory_(std::move(directory)) {
    const auto [file, mode] = os::open_as_permitted(*directory_, file_name);
    if (!file) throw error(errc::not_found, directory_->path(file_name), "the store has no store file");
    mapping_.emplace(*file, format::page_bytes, mode);
    writable_ = mode == os::access::read_write;
    verify(file->path());
    topics_ = directory_->open_directory(topics_name);
    groups_ = directory_->open_directory(groups_name);
    if (groups_ != nullptr && writable_ && !directory_->is_volatile()) recover_groups_if_dead();
    for (const char* const name :
         {topics_ == nullptr ? topics_name : nullptr, groups_ == nullptr ? groups_name : nullptr}) {
      if (name != nullptr) throw error(errc::not_found, directory_->path(name), "the store lacks this directory");
    }
  }

  /// Removes what is left of a store whose topics were removed, if it is empty. `path`: where it is.
  bool remove(const std::string& path) const {
    if (!directory_->remove_directory(topics_name) || !directory_->remove_directory(groups_name)) return false;
    directory_->remove(file_name);
    return os::folder::remove_at(path);
  }

  /// The store itself is on the device when this returns: what makes a topic that is there one that can be found.
  void sync() const {
    // Who may only read the store can give nothing to the device again.
    to_device_.flush(*mapping_, [this] { return writable_ ? format::page_bytes : 0; }, directory_->path(file_name));
    topics_->sync();
    directory_->sync();
    try {
      if (const auto parent = directory_->open_directory("..")) parent->sync();
    } catch (const error& e) {
      if (e.code() != errc::permission_denied) throw;  // who may not look there did not make the store
    }
  }

  os::directory& topics() const noexcept { return *topics_; }
  os::directory& groups() const noexcept { return *groups_; }
  os::directory& directory() const noexcept { return *directory_; }
  mode_t directory_mode() const { return directory_->mode(); }
  std::string path() const { return directory_->path(""); }
  bool writable() const noexcept { return writable_; }
  sync::bell bell() const noexcept { return sync::bell(header().bell); }

  /// Advances when a topic or partition comes or goes.
  sync::revision topics_revision() const noexcept { return sync::revision(header().topics_revision); }

 private:
  /// Members and assignments end with the machine, and may have been cut off by its end. What groups have committed lies with
  /// the topics, and is recovered there.
  void recover_groups_if_dead() {
    std::optional<os::file> file = directory_->open(file_name, os::access::read_write);
    if (!file) throw error(errc::not_found, directory_->path(file_name), "the store was removed while it was opened");
    locks_.emplace(std::move(*file));
    const auto is_current = [&] { return header().boot == os::current_boot(); };
    presence_ = presence::enter(*locks_, directory_->path(file_name), is_current, [&] {
      for (const std::string& name : groups_->list()) recover_group(*groups_, name, directory_mode() & 0666);
      const_cast<format::store_header&>(header()).boot = os::current_boot();
    });
  }

  static void check_owner(const os::folder& directory, const store_options& options) {
    if (directory.everybody_may_write()) {
      throw error(errc::permission_denied, directory.path(),
                  "everybody may write to this directory; refusing to trust it");
    }
    const uid_t owner = directory.owner();
    const uid_t expected = options.owner.value_or(os::effective_user());
    if (owner != expected && (options.owner || owner != 0)) {
      throw error(errc::permission_denied, directory.path(),
                  "belongs to user " + std::to_string(owner) + ", expected " + std::to_string(expected) +
                      " (store_options::owner)");
    }
  }

  /// False when another was faster.
  static bool make_store_file(os::directory& directory, mode_t mode) {
    for (;;) {
      const os::rename_result outcome = try_to_make_store_file(directory, mode);
      if (outcome != os::rename_result::absent) return outcome == os::rename_result::done;
    }
  }

  /// absent: taken for a dead maker's before it was owned.
  static os::rename_result try_to_make_store_file(os::directory& directory, mode_t mode) {
    directory.create_directory(topics_name, mode);
    directory.create_directory(groups_name, mode);
    remove_dead_temporaries(directory);
    const std::string temporary = temporary_name(new_prefix);
    os::file file = directory.create(temporary, mode & 0666);
    file.try_own();
    file.reserve(format::page_bytes);
    const os::mapping mapped(file, format::page_bytes, os::access::read_write);
    format::store_header header{};
    header.magic = format::store_magic;
    header.version = format::version;
    header.id = os::random_bits<format::unique_id>();
    header.checksum = format::header_checksum(header);
    header.boot = os::current_boot();
    std::memcpy(mapped.data(), &header, sizeof header);
    const os::rename_result outcome = directory.rename(temporary, file_name);
    if (outcome == os::rename_result::exists) directory.remove(temporary);
    return outcome;
  }

  void verify(const std::string& path) const {
    const format::store_header h = format::fixed_fields(header());
    if (h.magic != format::store_magic) throw error(errc::foreign, path, "no store file");
    if (h.version != format::version) {
      throw error(errc::wrong_version, path,
                  "format version " + std::to_string(h.version) + ", expected " + std::to_string(format::version));
    }
    if (h.checksum != format::header_checksum(h))
      throw error(errc::corrupt, path, "the header's checksum does not match");
  }

  const format::store_header& header() const noexcept {
    return *reinterpret_cast<const format::store_header*>(mapping_->data());
  }

  std::shared_ptr<os::directory> directory_;
  std::shared_ptr<os::directory> topics_;
  std::shared_ptr<os::directory> groups_;
  std::optional<os::mapping> mapping_;
  write_back to_device_;  // of the store file
  bool writable_ = false;
  std::optional<pins> locks_;  // of the store file
  presence presence_;
};

}  // namespace leat::storage
