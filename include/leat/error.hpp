// Errors: what can go wrong, and the exception for what is rare and has a path.
//
// What a running program meets again and again (full, out of range, closed, ...) comes back as a value, see result.hpp.
// What happens when something is opened, created, mapped or configured is thrown as leat::error, which names the file,
// the reason and what was expected.
#pragma once

#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

namespace leat {

enum class errc {
  ok = 0,
  full,                 // the device, a quota or the memory has no room, for another segment mostly
  out_of_range,         // the offset lies below the log start or beyond the end; or there is none to begin at
  closed,               // the topic was deleted, or what was called has been closed
  too_large,            // a record is larger than max_record_bytes, or a commit's metadata than 4096 bytes
  mismatched,           // the expected offset is not the end of the partition
  not_the_writer,       // another producer holds this single-writer partition
  forked,               // the handle was made before fork() and used in the child
  corrupt,              // a file or record is damaged: a word or a size in it is impossible; or a segment is missing
  not_found,            // no such store, topic, group or file
  already_exists,       // a store or topic of this name exists
  foreign,              // the file or directory is not one of leat's
  wrong_version,        // the file has a format that this version of leat does not read
  truncated,            // the file is shorter, or longer, than it must be
  wrong_type,           // the topic holds records of another type
  conflicting_options,  // the options contradict those of the existing topic or group
  invalid_argument,     // an argument or option is outside its limits
  name_invalid,         // a name is empty, too long, or has characters that it may not have
  permission_denied,    // the file system refused, or a store belongs to somebody else
  back_pressure,        // retention waits for a consumer group that has not committed yet; or a queue is full
  fenced,               // the group has given the partition to another member, or not yet to this one
  group_not_empty,      // the group has live members
  unsupported,          // the kernel or file system lacks something that leat needs; or Kafka, or this librdkafka
  unreachable,          // no broker of Kafka's has answered in time (leat/kafka)
  system                // a system call, or librdkafka, failed otherwise; the reason says which and how
};

namespace detail {

inline const char* describe(errc code) noexcept {
  switch (code) {
    case errc::ok: return "no error";
    case errc::full: return "no room on the device, in memory or within a limit";
    case errc::out_of_range: return "the offset is unknown or out of range";
    case errc::closed: return "deleted or closed";
    case errc::too_large: return "larger than is allowed";
    case errc::mismatched: return "the partition does not end at the expected offset";
    case errc::not_the_writer: return "another producer holds this single-writer partition";
    case errc::forked: return "the handle belongs to the parent process";
    case errc::corrupt: return "damaged file or record";
    case errc::not_found: return "not found";
    case errc::already_exists: return "exists already";
    case errc::foreign: return "not a leat file or directory";
    case errc::wrong_version: return "unknown format version";
    case errc::truncated: return "truncated file, or one of another wrong size";
    case errc::wrong_type: return "the topic has another type";
    case errc::conflicting_options: return "the options contradict what is there";
    case errc::invalid_argument: return "invalid argument";
    case errc::name_invalid: return "invalid name";
    case errc::permission_denied: return "permission denied";
    case errc::back_pressure: return "waiting for a consumer group or for room in a queue";
    case errc::fenced: return "another has its place, or the group has not given it the partition";
    case errc::group_not_empty: return "the group has live members";
    case errc::unsupported: return "not supported here";
    case errc::unreachable: return "no broker has answered in time";
    case errc::system: return "failure outside leat: of the system, a device or librdkafka";
  }
  return "unknown error";
}

}  // namespace detail

inline const std::error_category& category() noexcept {
  struct leat_category final : std::error_category {
    const char* name() const noexcept override { return "leat"; }
    std::string message(int code) const override { return detail::describe(static_cast<errc>(code)); }
  };
  static const leat_category instance;
  return instance;
}

inline std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), category()}; }

/// Thrown by whatever opens, creates, maps or configures. `code()` compares with leat::errc; `path()` is the file or
/// object concerned; `reason()` says what was found and what was expected.
class error : public std::system_error {
 public:
  error(errc code, std::string path, std::string reason)
      : std::system_error(make_error_code(code), reason == detail::describe(code) ? path : path + ": " + reason),
        path_(std::move(path)),
        reason_(std::move(reason)) {}

  const std::string& path() const noexcept { return path_; }
  const std::string& reason() const noexcept { return reason_; }

 private:
  std::string path_;
  std::string reason_;
};

/// What is wrong somewhere, where it is noted and not thrown: by verify(), and by what goes on with the rest.
struct finding {
  std::string path;  // of the file
  std::string what;  // what was found, and what was expected
  errc code;
};

}  // namespace leat

template <>
struct std::is_error_code_enum<leat::errc> : std::true_type {};
