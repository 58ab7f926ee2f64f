// A store: a place where topics are.
//
//     leat::store::open("market")            shared memory: /dev/shm/leat.market, gone with the next boot
//     leat::store::open("/var/lib/market")   files on that file system
//     leat::store::in_process()              memory of this process, gone with it
//
// Threads    copies share one state; any number of threads may use them at once.
// Processes  any number may open, create and delete stores and topics at once, and die while they do.
#pragma once

#include <leat/codec.hpp>
#include <leat/options.hpp>
#include <leat/storage/store_files.hpp>
#include <leat/storage/topic_log.hpp>
#include <leat/topic.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace leat {

class store {
 public:
  /// A name (letters, digits, '.', '_', '-') is a store in shared memory; anything with a '/' is a path. Throws leat::error.
  static store open(const std::string& name_or_path, const store_options& options = {}) {
    return store(storage::store_files::open(path_of(name_or_path), options));
  }

  static store in_process() { return store(storage::store_files::in_process()); }

  /// Deletes a store with all its topics; false when there is none, and when its directory stays, since it has other files,
  /// too. Its users get errc::closed.
  static bool remove(const std::string& name_or_path) {
    const std::string path = path_of(name_or_path);
    if (os::folder::open(path) == nullptr) return false;
    const store victim = open(name_or_path, {.mode = open_mode::open});
    for (const std::string& topic : victim.topics()) victim.remove_topic(topic);
    storage::topic_log::remove_leftovers(*victim.files_);
    for (const std::string& group : victim.files_->groups().list())
      storage::remove_tree(victim.files_->groups(), group);
    return victim.files_->remove(path);
  }

  /// Opens or creates a topic, as `options.mode` says. Options that are set must be those of an existing topic.
  /// Throws leat::error: wrong_type, conflicting_options, not_found, already_exists, name_invalid, full, ...
  template <class Value, class Key = std::string>
  leat::topic<Value, Key> topic(const std::string& name, const topic_options& options = {}) const {
    return leat::topic<Value, Key>(
        storage::topic_log::open(files_, name, options, detail::identity_of<Value>(), detail::identity_of<Key>()));
  }

  /// An existing topic whatever its types are: values and keys are bytes. Throws not_found.
  leat::topic<bytes_view, bytes_view> raw_topic(const std::string& name) const {
    auto log = storage::topic_log::open_untyped(files_, name);
    if (log == nullptr) throw error(errc::not_found, files_->topics().path(name), "no such topic");
    return leat::topic<bytes_view, bytes_view>(std::move(log));
  }

  /// Names of the topics, sorted.
  std::vector<std::string> topics() const { return storage::topic_log::names(*files_); }

  /// Whatever its types are. Throws not_found.
  topic_description describe_topic(const std::string& name) const {
    const auto log = storage::topic_log::open_untyped(files_, name);
    if (log == nullptr) throw error(errc::not_found, files_->topics().path(name), "no such topic");
    return detail::describe(*log);
  }

  /// False when there is no such topic. Its users get errc::closed at their next call.
  bool remove_topic(const std::string& name) const { return storage::topic_log::remove(*files_, name); }

  std::string path() const { return files_->path(); }

  const std::shared_ptr<storage::store_files>& files() const noexcept { return files_; }

 private:
  explicit store(std::shared_ptr<storage::store_files> files) : files_(std::move(files)) {}

  static std::string path_of(const std::string& name_or_path) {
    if (name_or_path.find('/') != std::string::npos) return name_or_path;
    if (storage::is_legal_name(name_or_path)) return "/dev/shm/leat." + name_or_path;
    throw error(errc::name_invalid, name_or_path.substr(0, 300),
                "a store's name has " + std::string(storage::legal_names));
  }

  std::shared_ptr<storage::store_files> files_;
};

}  // namespace leat
