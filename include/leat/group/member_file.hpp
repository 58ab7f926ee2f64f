// A member of a group: its file, and the lease that says that it lives.
//
// The lease is an exclusive lock on one byte of the member's file, held by an open file description of its own: the kernel
// drops it when the process dies, whatever its number was and in whatever namespace. Which byte counts is the file's
// `incarnation`: a static member that comes back locks the next byte first and then moves the incarnation there, which
// fences whoever was it before; and whoever ends a membership moves it to `evicted`, which is decided once and for all.
//
// Threads    one at a time.
// Processes  the member writes its file; all others look at it.
#pragma once

#include <leat/format/group_file.hpp>
#include <leat/os/clock.hpp>
#include <leat/os/directory.hpp>
#include <leat/os/lock_file.hpp>
#include <leat/os/mapping.hpp>
#include <leat/storage/leftovers.hpp>
#include <leat/sync/words.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

namespace leat::group {

/// What a member tells of itself when it joins.
struct member_profile {
  std::string id;
  std::string instance;
  std::string client;
  std::string assignor;
  bool is_pattern = false;
  std::vector<std::string> subscription;  // topics, or one regular expression
  std::uint64_t value_type = 0;
  std::uint64_t key_type = 0;
  std::uint32_t value_alignment = 0;  // 0: any
  std::uint64_t max_poll_nanoseconds = 0;
  std::uint64_t session_nanoseconds = 0;

  bool operator==(const member_profile&) const = default;
};

class member_file {
 public:
  static constexpr std::string_view name_prefix = "member-";

  static std::string file_name(std::uint32_t number) {
    const std::string digits = std::to_string(number);
    return std::string(name_prefix) + std::string(10 - std::min<std::size_t>(10, digits.size()), '0') + digits;
  }

  /// Null when there is none of this name. Throws for a file that is not what it should be.
  static std::shared_ptr<member_file> open(const os::directory& directory, const std::string& name,
                                           const format::unique_id& group) {
    auto [file, mode] = os::open_as_permitted(directory, name);
    if (!file) return nullptr;
    auto locks = directory.open(name, mode);
    if (!locks) return nullptr;
    return std::make_shared<member_file>(name, *file, std::move(*locks), mode, group);
  }

  /// Makes the file of member `number`, with its lease, under its name.
  static std::shared_ptr<member_file> make(os::directory& directory, std::uint32_t number,
                                           const member_profile& profile, const format::unique_id& group, mode_t mode) {
    const std::string text = text_of(profile.subscription);
    if (text.size() > format::max_subscription_bytes) {
      throw error(errc::invalid_argument, directory.path(""), "the subscription has more than 1 MiB of names");
    }
    for (;;) {
      const std::string temporary = storage::temporary_name(storage::new_prefix);
      os::file file = directory.create(temporary, mode);
      try {
        file.try_own();
        const std::uint64_t bytes = sizeof(format::member_header) + text.size();
        file.reserve(bytes);
        const os::mapping mapped(file, bytes, os::access::read_write);
        const format::member_header header = header_for(number, profile, group, text.size());
        std::memcpy(mapped.data(), &header, sizeof header);
        if (!text.empty()) std::memcpy(mapped.data() + sizeof header, text.data(), text.size());
        auto locks = directory.open(temporary, os::access::read_write);
        if (!locks) continue;  // taken for a dead maker's before it was owned
        auto made =
            std::make_shared<member_file>(file_name(number), file, std::move(*locks), os::access::read_write, group);
        made->leased_ = made->locks_.try_exclusive(1) == os::lock_file::refusal::none ? 1 : 0;
        switch (directory.rename(temporary, file_name(number))) {
          case os::rename_result::done: return made;
          case os::rename_result::absent: continue;
          case os::rename_result::exists: break;
        }
        throw error(errc::corrupt, directory.path(file_name(number)), "the number of a member was given twice");
      } catch (...) {
        directory.remove(temporary);
        throw;
      }
    }
  }

  member_file(std::string name, const os::file& file, os::file locks, os::access mode, const format::unique_id& group)
      : name_(std::move(name)),
        mapping_(file, checked_size(file), mode),
        locks_(std::move(locks)),
        writable_(mode == os::access::read_write),
        header_copy_(format::fixed_fields(header())) {
    const format::member_header& h = header_copy_;
    const auto fail = [&](errc code, const std::string& reason) { throw error(code, file.path(), reason); };
    if (h.magic != format::member_magic) fail(errc::foreign, "no member file");
    if (h.version != format::version) {
      fail(errc::wrong_version,
           "format version " + std::to_string(h.version) + ", expected " + std::to_string(format::version));
    }
    if (h.checksum != format::header_checksum(h)) fail(errc::corrupt, "the header's checksum does not match");
    if (h.group != group) fail(errc::corrupt, "belongs to another group");
    if (sizeof(h) + h.subscription_bytes > mapping_.size() || h.id[255] != 0 || h.instance[255] != 0 ||
        h.client[255] != 0 || h.assignor[63] != 0 || file_name(h.number) != name_) {
      if (!name_.starts_with('~')) fail(errc::corrupt, "the header's fields contradict each other");
    }
  }

  const std::string& name() const noexcept { return name_; }
  const std::string& path() const noexcept { return locks_.path(); }
  std::uint32_t number() const noexcept { return header_copy_.number; }
  bool is_static() const noexcept { return header_copy_.instance[0] != 0; }
  std::string id() const { return header_copy_.id; }
  std::int64_t created() const noexcept { return header_copy_.created; }
  std::uint64_t process() const noexcept { return sync::setting(header().process).observe(); }
  std::int64_t last_poll() const noexcept {
    return static_cast<std::int64_t>(sync::setting(header().last_poll).observe());
  }

  member_profile profile() const {
    const format::member_header& h = header_copy_;
    member_profile p{h.id,
                     h.instance,
                     h.client,
                     h.assignor,
                     h.is_pattern != 0,
                     {},
                     h.value_type,
                     h.key_type,
                     h.value_alignment,
                     h.max_poll_nanoseconds,
                     h.session_nanoseconds};
    const std::string_view text(reinterpret_cast<const char*>(mapping_.data() + sizeof h), h.subscription_bytes);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      p.subscription.emplace_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    return p;
  }

  sync::incarnation incarnation() const noexcept { return sync::incarnation(header().incarnation); }
  bool is_evicted() const noexcept { return has_ended(incarnation().observe()); }

  /// Another process, or another handle of this one, holds the lease that counts.
  bool has_lease() const {
    const std::uint64_t life = observed_life();
    return !has_ended(life) && locks_.is_locked_by_another(life);
  }

  // --- the member itself ---

  /// Nobody has fenced it.
  bool is_current() const noexcept { return leased_ != 0 && incarnation().observe() == leased_; }

  /// Another static member of the same instance id has taken its place.
  bool is_replaced() const noexcept {
    const std::uint64_t life = incarnation().observe();
    return is_static() && life != leased_ && life != format::evicted;
  }

  void polled(std::int64_t monotonic) const noexcept {
    const auto limit = static_cast<std::int64_t>(header_copy_.max_poll_nanoseconds);
    sync::setting(header().poll_deadline).set(static_cast<std::uint64_t>(monotonic + limit));
    sync::setting(header().last_poll).set(static_cast<std::uint64_t>(os::realtime_coarse()));
  }

  enum class whose { anybodys, nobodys };

  /// A static member that comes back: into the place of whoever has the lease, or only where nobody has it. False when its
  /// membership has ended meanwhile, or is another's.
  bool take_over(std::int64_t monotonic, whose place = whose::anybodys) {
    for (std::uint64_t step = 1;; ++step) {  // one who comes back as well, and was stopped, has locked a byte perhaps
      const std::uint64_t seen = observed_life();
      if (has_ended(seen) || !writable_) return false;
      if (place == whose::nobodys && locks_.is_locked_by_another(seen)) return false;
      if (locks_.try_exclusive(seen + step) != os::lock_file::refusal::none) continue;
      polled(monotonic);  // before it counts: it is not stuck
      if (incarnation().pass(seen, seen + step)) {
        leased_ = seen + step;
        sync::setting(header().lost_since).set(0);
        sync::setting(header().process).set(static_cast<std::uint64_t>(::getpid()));
        return true;
      }
      locks_.unlock(seen + step);
      step = 0;
    }
  }

  /// Ends the membership of the member itself. False when it has been ended by others.
  bool leave() const noexcept { return leased_ != 0 && incarnation().pass(leased_, format::evicted); }

  /// Gives the lease back without leaving: a static member may return.
  void rest() noexcept {
    if (leased_ != 0) locks_.unlock(std::exchange(leased_, 0));
  }

  // --- the others ---

  enum class state { alive, dead, stuck, evicted };

  struct sight {
    state what;
    std::uint64_t life;  // the incarnation that was looked at
  };

  /// At `monotonic`, by the clock that all processes of the host share.
  sight look(std::int64_t monotonic) const {
    const std::uint64_t life = observed_life();
    if (has_ended(life)) return {state::evicted, life};
    const bool leased = locks_.is_locked_by_another(life);
    const sync::setting lost(header().lost_since);
    if (leased) {
      if (writable_ && lost.observe() != 0) lost.set(0);
      const std::uint64_t deadline = sync::setting(header().poll_deadline).observe();
      return {deadline < static_cast<std::uint64_t>(monotonic) ? state::stuck : state::alive, life};
    }
    if (!is_static()) return {state::dead, life};
    const auto since = static_cast<std::int64_t>(lost.observe());
    constexpr std::int64_t ahead = 60'000'000'000;  // from before the host's last start
    if (since <= 0 || since > monotonic + ahead) {
      if (writable_) lost.set(static_cast<std::uint64_t>(monotonic));
      return {state::alive, life};
    }
    const bool over = monotonic - since > static_cast<std::int64_t>(header_copy_.session_nanoseconds);
    return {over ? state::dead : state::alive, life};
  }
  bool is_alive(std::int64_t monotonic) const { return look(monotonic).what == state::alive; }

  /// Ends the membership in the life that was looked at. One of several who try succeeds; none does if it has come back.
  bool evict(std::uint64_t life, std::uint64_t how = format::evicted) const noexcept {
    return writable_ && !has_ended(life) && incarnation().pass(life, how);
  }

 private:
  /// The incarnation, which is the byte of a lock, too.
  std::uint64_t observed_life() const {
    const std::uint64_t life = incarnation().observe();
    if (has_ended(life) || (life >= 1 && life <= most_lives)) return life;
    throw error(errc::corrupt, path(),
                "the incarnation is " + std::to_string(life) + ", expected 1 to 2^62, or a mark that it has ended");
  }
  static constexpr std::uint64_t most_lives = std::uint64_t{1} << 62;

  static bool has_ended(std::uint64_t life) noexcept { return life >= format::replaced; }

  static std::string text_of(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
  }

  static format::member_header header_for(std::uint32_t number, const member_profile& profile,
                                          const format::unique_id& group, std::size_t subscription_bytes) {
    format::member_header h{};
    h.magic = format::member_magic;
    h.version = format::version;
    h.number = number;
    h.group = group;
    h.value_type = profile.value_type;
    h.key_type = profile.key_type;
    h.value_alignment = profile.value_alignment;
    h.created = os::realtime();
    h.max_poll_nanoseconds = profile.max_poll_nanoseconds;
    h.session_nanoseconds = profile.session_nanoseconds;
    h.is_pattern = profile.is_pattern ? 1 : 0;
    h.subscription_bytes = static_cast<std::uint32_t>(subscription_bytes);
    profile.id.copy(h.id, sizeof h.id - 1);
    profile.instance.copy(h.instance, sizeof h.instance - 1);
    profile.client.copy(h.client, sizeof h.client - 1);
    profile.assignor.copy(h.assignor, sizeof h.assignor - 1);
    h.checksum = format::header_checksum(h);
    h.incarnation = 1;
    h.process = static_cast<std::uint64_t>(::getpid());
    h.poll_deadline = static_cast<std::uint64_t>(os::monotonic_coarse()) + profile.max_poll_nanoseconds;
    h.last_poll = static_cast<std::uint64_t>(os::realtime_coarse());
    return h;
  }

  static std::uint64_t checked_size(const os::file& file) {
    const std::uint64_t bytes = file.status().bytes;
    if (bytes >= sizeof(format::member_header) &&
        bytes <= sizeof(format::member_header) + format::max_subscription_bytes) {
      return bytes;
    }
    throw error(errc::truncated, file.path(),
                "the file has " + std::to_string(bytes) + " bytes, expected " +
                    std::to_string(sizeof(format::member_header)) + " and the subscription");
  }

  const format::member_header& header() const noexcept {
    return *reinterpret_cast<const format::member_header*>(mapping_.data());
  }

  std::string name_;
  os::mapping mapping_;
  os::lock_file locks_;
  bool writable_;
  const format::member_header header_copy_;  // what is fixed of it, checked
  std::uint64_t leased_ = 0;                 // the life whose lease this object holds; 0: none
};

}  // namespace leat::group
