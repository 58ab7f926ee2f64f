// A group on its directory, opened: who its members are, and what was assigned in its present generation.
//
//   <store>/groups/<name>/group            the words that all members watch
//   <store>/groups/<name>/member-0000000007    a member, see member_file.hpp
//   <store>/groups/<name>/assignment-12    who reads what in generation 12
//
// There is no coordinator, no lock and no leader. A member joins by giving its file its name, and leaves or is ended by one
// exchange in that file; each of that advances the generation. The first who has computed the assignment of a generation
// gives the file with it its name, and everybody keeps to that; so all agree, whatever the assignor is, and nobody waits for
// anybody in particular.
//
// A group that is deleted is marked first, then cleared in all topics, and loses its name last, with its directory, which is
// emptied before. Whoever comes to it meanwhile, a new member for instance, does the same work, so it does not wait for a
// deleter that is stopped or dead; and a group of the same name begins only when nothing of this one is left. Its directory has
// a file in it from the beginning, so none who removes an empty one can take it away.
//
// Crash      a death leaves a member without a lease, whom any other ends; or a file under a temporary name; or a group that
//            is marked as being deleted, which the next who comes finishes (tests/model/group_deletion.pml).
#pragma once

#include <leat/group/agreed_assignment.hpp>
#include <leat/group/member_file.hpp>
#include <leat/storage/store_files.hpp>
#include <leat/storage/topic_log.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leat::group {

class group_files {
 public:
  static constexpr const char* file_name = storage::group_file_name;
  static constexpr std::string_view assignment_prefix = "assignment-";
  static constexpr std::uint64_t most_assignment_bytes = 256 << 20;  // ten million partitions

  /// Null when there is no such group, or it is being deleted.
  static std::shared_ptr<group_files> open(const std::shared_ptr<storage::store_files>& store,
                                           const std::string& name) {
    check_name(name, *store);
    while (auto directory = store->groups().open_directory(name)) {
      if (auto opened = open_in(store, name, directory)) return opened->is_closed() ? nullptr : std::move(opened);
      if (!still_named(*store, name, *directory)) continue;
      if (!is_left_over(*directory)) throw_foreign(*directory);
      return nullptr;
    }
    return nullptr;
  }

  static std::shared_ptr<group_files> open_or_create(const std::shared_ptr<storage::store_files>& store,
                                                     const std::string& name) {
    for (;;) {
      if (auto opened = open(store, name)) return opened;
      if (!store->writable()) {
        throw error(errc::permission_denied, store->groups().path(name),
                    "cannot make a group in a store opened for reading");
      }
      remove_dead_groups(*store);
      if (std::vector<finding> skipped; finish_deletion(store, name, skipped).was_due) continue;
      make(*store, name, 0);
    }
  }

  // --- deletion ---

  /// Nobody is a member from now on, and who joins makes the next group of the name. finish_deletion() does the rest.
  /// `require_empty()` throws where there are members that live; it is asked again when somebody has joined meanwhile.
  template <class RequireEmpty>
  void begin_deletion(RequireEmpty require_empty) const {
    require_deletable();
    require_clearable();
    for (;;) {
      const std::uint64_t seen = generation().observe();
      if (is_marked(seen)) return;
      require_empty();
      if (generation().set_from(seen, seen | format::generation_mark)) break;
    }
    store_->bell().ring(~std::uint32_t{0});
  }

  struct deleted {
    bool was_due = false;
    std::size_t files = 0;  // of offsets, that were removed
  };

  /// Where the group is being deleted, it is when this returns. Topics that are damaged, or not this user's to write to, go to
  /// `skipped`; whatever else fails is thrown, and the deletion is still to be finished then.
  static deleted finish_deletion(const std::shared_ptr<storage::store_files>& store, const std::string& name,
                                 std::vector<finding>& skipped) {
    check_name(name, *store);
    deleted result;
    const auto known = static_cast<std::ptrdiff_t>(skipped.size());
    for (int attempts = 0; attempts < 100; ++attempts) {
      const auto directory = store->groups().open_directory(name);
      if (directory == nullptr) return result;
      if (const auto group = open_in(store, name, directory)) {
        if (!group->is_closed()) return result;
        group->require_deletable();
        skipped.erase(skipped.begin() + known, skipped.end());  // what the turn before has met, this one meets again
        result.files += group->clear_topics(skipped);
      } else if (!still_named(*store, name, *directory)) {
        continue;
      } else if (!is_left_over(*directory)) {
        throw_foreign(*directory);
      }
      result.was_due = true;
      for (const std::string& file : directory->list()) {
        if (file != file_name) directory->remove(file);
      }
      directory->remove(file_name);  // last: until then, whoever comes sees whose the rest is
      // Only an empty directory goes, and that of the next group has a file in it from its beginning.
      store->groups().remove_directory(name);
      if (!store->groups().is_volatile()) store->groups().sync();  // or it might come back with the next one's offsets
    }
    throw error(errc::foreign, store->groups().path(name), "the directory of the deleted group does not get empty");
  }

  /// The same for what is left in the topics of a group that has no files of its own.
  static deleted remove_orphan(const std::shared_ptr<storage::store_files>& store, const std::string& name,
                               std::vector<finding>& skipped) {
    check_name(name, *store);
    make(*store, name, format::generation_mark);  // unless somebody has made it meanwhile
    return finish_deletion(store, name, skipped);
  }

  /// What dead creators left.
  static std::size_t remove_dead_groups(storage::store_files& store) {
    return storage::remove_dead_directories(store.groups(), [](os::directory&) {});
  }

  group_files(std::shared_ptr<storage::store_files> store, std::string name, std::shared_ptr<os::directory> directory,
              const os::file& file, os::access mode)
      : store_(std::move(store)),
        name_(std::move(name)),
        directory_(std::move(directory)),
        mapping_(file, sizeof(format::group_header), mode),
        writable_(mode == os::access::read_write) {
    const format::group_header h = format::fixed_fields(header());
    const auto fail = [&](errc code, const std::string& reason) { throw error(code, file.path(), reason); };
    if (h.magic != format::group_magic) fail(errc::foreign, "no group file");
    if (h.version != format::version) {
      fail(errc::wrong_version,
           "format version " + std::to_string(h.version) + ", expected " + std::to_string(format::version));
    }
    if (h.checksum != format::header_checksum(h)) fail(errc::corrupt, "the header's checksum does not match");
    if (h.name[format::group_name_bytes - 1] != 0 || h.name != name_) fail(errc::corrupt, "belongs to another group");
    id_ = h.id;
  }

  const std::string& name() const noexcept { return name_; }
  std::string path() const { return directory_->path(""); }
  os::directory& directory() const noexcept { return *directory_; }
  bool writable() const noexcept { return writable_; }
  sync::revision generation() const noexcept { return sync::revision(header().generation); }
  sync::revision handovers() const noexcept { return sync::revision(header().handovers); }
  /// It is being deleted: nobody is a member any more.
  bool is_closed() const noexcept { return is_marked(generation().observe()); }
  sync::counter evictions() const noexcept { return sync::counter(header().evictions); }
  sync::counter fenced_commits() const noexcept { return sync::counter(header().fenced_commits); }

  /// All members look again. The generation before.
  std::uint64_t advance_generation() const {
    const std::uint64_t before = generation().advance();
    store_->bell().ring(~std::uint32_t{0});
    return before;
  }
  /// The same, where nobody has advanced it from `seen` yet.
  void advance_generation_from(std::uint64_t seen) const {
    if (generation().advance_from(seen)) store_->bell().ring(~std::uint32_t{0});
  }
  void announce_handover() const {
    handovers().advance();
    store_->bell().ring(~std::uint32_t{0});
  }

  // --- members ---

  /// J1. For one who is about to join; those that come later get larger ones.
  std::uint32_t next_number() const {
    const std::uint64_t given = sync::numbering(header().members_made).next();
    const auto number = static_cast<std::uint32_t>(given);
    if (number == 0 || number != given) {  // 0 is nobody, and another may have a number that was given before
      throw error(errc::corrupt, directory_->path(file_name),
                  "the number of the next member is " + std::to_string(given) + ", expected 1 to 2^32 - 1");
    }
    return number;
  }

  /// A new member, with its lease. Null when the group was deleted meanwhile: open it again.
  std::shared_ptr<member_file> join(const member_profile& profile) const { return join(profile, next_number()); }
  std::shared_ptr<member_file> join(const member_profile& profile, std::uint32_t number) const {
    storage::remove_dead_temporaries(*directory_);  // else members that are killed leave ever more of them
    std::shared_ptr<member_file> member;
    try {
      member = member_file::make(*directory_, number, profile, id_, store_->directory_mode() & 0666);
    } catch (const error&) {
      if (!is_closed()) throw;
      return nullptr;  // its directory is gone already
    }
    // If the mark is not there yet, whoever sets it has seen the member, or another generation.
    if (is_marked(advance_generation()) || !still_named(*store_, name_, *directory_)) {
      directory_->remove(member->name());
      return nullptr;
    }
    return member;
  }

  /// Those that have not been ended, by number. What ended ones left is removed.
  std::vector<std::shared_ptr<member_file>> members() const {
    std::vector<std::shared_ptr<member_file>> found;
    for (const std::string& name : directory_->list()) {
      if (!name.starts_with(member_file::name_prefix)) continue;
      auto member = member_file::open(*directory_, name, id_);
      if (member == nullptr) continue;
      if (member->is_evicted()) {
        if (writable_) forget(*member);
        continue;
      }
      found.push_back(std::move(member));
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a->number() < b->number(); });
    return found;
  }

  /// Whether `number` is a member's. Numbers are given once, so one that is none any more never is again.
  bool is_member(std::uint32_t number) const { return directory_->status(member_file::file_name(number)).has_value(); }

  /// Whether `number` is that of a member that is not dead; ends one that is.
  bool is_living_member(std::uint32_t number) const {
    const auto member = member_file::open(*directory_, member_file::file_name(number), id_);
    if (member == nullptr) return false;
    const auto [what, life] = member->look(os::monotonic_coarse());
    if (what == member_file::state::dead && member->evict(life)) evictions().add(1);
    if (!member->is_evicted()) return true;
    forget(*member);
    return false;
  }

  /// Tells the others that a member has ended, and removes its file: in this order, so that a death in between leaves a file
  /// that the next who looks deals with.
  void forget(const member_file& ended) const {
    if (!is_member(ended.number())) return;  // whoever removed it has told them
    advance_generation();
    directory_->remove(ended.name());
  }

  // --- assignments ---

  std::optional<agreed_assignment> assignment(std::uint64_t generation) const {
    const auto file = directory_->open(assignment_name(generation), os::access::read_only);
    if (!file) return std::nullopt;
    const std::uint64_t bytes = file->status().bytes;
    if (bytes == 0) throw error(errc::truncated, file->path(), "the assignment is empty");
    if (bytes > most_assignment_bytes) {
      throw error(errc::corrupt, file->path(),
                  "the assignment has " + std::to_string(bytes) + " bytes, expected " +
                      std::to_string(most_assignment_bytes) + " at most");
    }
    const os::mapping mapped(*file, bytes, os::access::read_only);
    auto parsed = agreed_assignment::parse({reinterpret_cast<const char*>(mapped.data()), bytes});
    if (!parsed) throw error(errc::corrupt, file->path(), "no assignment, or not a whole one");
    return parsed;
  }

  /// The first to publish for a generation decides. Removes those of earlier ones.
  void publish(std::uint64_t generation, const agreed_assignment& assignment) const {
    const std::string text = assignment.text();
    if (text.size() > most_assignment_bytes) {
      throw error(errc::invalid_argument, path(), "the assignment has more than 256 MiB: subscribe to fewer topics");
    }
    const std::string temporary = storage::temporary_name(storage::new_prefix);
    os::file file = directory_->create(temporary, store_->directory_mode() & 0666);
    try {
      file.try_own();
      file.reserve(text.size());
      std::memcpy(os::mapping(file, text.size(), os::access::read_write).data(), text.data(), text.size());
      if (directory_->rename(temporary, assignment_name(generation)) != os::rename_result::done) {
        directory_->remove(temporary);
        return;
      }
    } catch (...) {
      directory_->remove(temporary);
      throw;
    }
    for (const std::string& name : directory_->list()) {
      if (generation_of(name).value_or(generation) < generation) directory_->remove(name);
    }
  }

  /// Removes what dead members left under temporary names, and assignments of the past. How many files.
  std::size_t remove_leftovers() const {
    std::size_t removed = storage::remove_dead_temporaries(*directory_);
    const std::uint64_t now = generation().observe();
    for (const std::string& name : directory_->list()) {
      if (generation_of(name).value_or(now) < now) removed += directory_->remove(name) ? 1 : 0;
    }
    return removed;
  }

  static bool still_named(const storage::store_files& store, const std::string& name, const os::directory& directory) {
    return store.groups().leads_to(name, directory);
  }

 private:
  static bool is_marked(std::uint64_t generation) noexcept {
    return (generation & format::generation_mark_bits) == format::generation_mark;
  }

  /// Also one that is being deleted. Null when there is no group file in the directory.
  static std::shared_ptr<group_files> open_in(const std::shared_ptr<storage::store_files>& store,
                                              const std::string& name,
                                              const std::shared_ptr<os::directory>& directory) {
    auto [file, mode] = os::open_as_permitted(*directory, file_name);
    if (!file) return nullptr;
    auto opened = std::make_shared<group_files>(store, name, directory, *file, mode);
    const std::uint64_t generation = opened->generation().observe();
    if ((generation & format::generation_mark_bits) == 0 || is_marked(generation)) return opened;
    throw error(
        errc::corrupt, file->path(),
        "the generation is " + std::to_string(generation) + ", expected less than 2^48, or the mark of a deletion");
  }

  /// What a deletion leaves of a group's directory at its end, and one who joined then.
  static bool is_left_over(const os::directory& directory) {
    const auto names = directory.list();
    return std::all_of(names.begin(), names.end(), is_ours);
  }
  static bool is_ours(const std::string& name) {
    return name == file_name || name.starts_with('~') || name.starts_with(member_file::name_prefix) ||
           name.starts_with(assignment_prefix);
  }
  [[noreturn]] static void throw_foreign(const os::directory& directory) {
    throw error(errc::foreign, directory.path(""), "no group: there is no group file in it");
  }

  /// Unless there is one.
  static void make(storage::store_files& store, const std::string& name, std::uint64_t generation) {
    storage::make_directory(store.groups(), name, store.directory_mode(), [&](os::directory& directory) {
      storage::make_group_file(directory, file_name, name, store.directory_mode() & 0666, generation);
    });
  }

  /// Before anything is done that could not be finished.
  void require_deletable() const {
    if (!writable_ || !store_->writable() || !directory_->is_writable() || !store_->groups().is_writable()) {
      throw error(errc::permission_denied, path(), "the group cannot be deleted with this user's permissions");
    }
  }
  /// Likewise, for whoever begins it.
  void require_clearable() const {
    for (const std::string& name : directory_->list()) {
      if (!is_ours(name)) throw error(errc::foreign, directory_->path(name), "no file of a group; it is in the way");
    }
    for (const std::string& name : storage::topic_log::names(*store_)) {
      try {
        (void)open_offsets(name);
      } catch (const error& e) {
        if (!is_damage(e) && store_->topics().status(name)) throw;
      }
    }
  }
  static bool is_damage(const error& e) noexcept {
    return e.code() == errc::foreign || e.code() == errc::corrupt || e.code() == errc::truncated ||
           e.code() == errc::wrong_version;
  }

  struct opened_offsets {
    std::shared_ptr<storage::topic_log> log;
    std::shared_ptr<storage::group_offsets> offsets;  // null: the group has none there
  };
  /// Throws permission_denied where this user may not change them.
  opened_offsets open_offsets(const std::string& topic) const {
    auto log = storage::topic_log::open_untyped(store_, topic);
    auto offsets = log == nullptr ? nullptr : log->find_group(name_);
    if (offsets != nullptr && (!log->writable() || !offsets->writable())) {
      throw error(errc::permission_denied, log->path(), "the group's offsets cannot be deleted by this user");
    }
    return {std::move(log), std::move(offsets)};
  }

  /// As long as it has its name, none of the same name can have begun.
  bool is_clearing() const { return is_closed() && still_named(*store_, name_, *directory_); }

  /// How many files of offsets were removed.
  std::size_t clear_topics(std::vector<finding>& skipped) const {
    std::size_t removed = 0;
    for (const std::string& name : storage::topic_log::names(*store_)) {
      if (!is_clearing()) break;
      try {
        const auto [log, offsets] = open_offsets(name);
        if (offsets == nullptr) continue;
        offsets->clear([this] { return is_clearing(); });
        removed += offsets->remove_if_unused() ? 1 : 0;
        log->revision().advance();  // retention does not wait for the group any more
      } catch (const error& e) {
        if (!store_->topics().status(name)) continue;  // deleted meanwhile
        if (!is_damage(e) && e.code() != errc::permission_denied) throw;
        const std::string path = e.path().empty() ? store_->topics().path(name) : e.path();
        skipped.push_back({path, e.reason(), static_cast<errc>(e.code().value())});
      }
    }
    return removed;
  }

  static void check_name(const std::string& name, const storage::store_files& store) {
    if (storage::is_legal_name(name)) return;
    throw error(errc::name_invalid, store.groups().path(name.substr(0, 300)),
                "a group's name has " + std::string(storage::legal_names));
  }

  static std::string assignment_name(std::uint64_t generation) {
    return std::string(assignment_prefix) + std::to_string(generation);
  }
  static std::optional<std::uint64_t> generation_of(const std::string& name) {
    if (!name.starts_with(assignment_prefix)) return std::nullopt;
    std::uint64_t generation = 0;
    const char* const begin = name.data() + assignment_prefix.size();
    const auto done = std::from_chars(begin, name.data() + name.size(), generation);
    if (done.ec != std::errc{} || done.ptr != name.data() + name.size()) return std::nullopt;
    return generation;
  }

  const format::group_header& header() const noexcept {
    return *reinterpret_cast<const format::group_header*>(mapping_.data());
  }

  std::shared_ptr<storage::store_files> store_;
  std::string name_;
  std::shared_ptr<os::directory> directory_;
  os::mapping mapping_;
  bool writable_;
  format::unique_id id_{};
};

}  // namespace leat::group
