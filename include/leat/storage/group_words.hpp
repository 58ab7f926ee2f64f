// The file with the words that all members of a group watch: making it, and what becomes of it after the machine has died.
// What the words mean is above, in group/group_files.hpp.
#pragma once

#include <leat/format/group_file.hpp>
#include <leat/os/mapping.hpp>
#include <leat/os/random.hpp>
#include <leat/storage/leftovers.hpp>

#include <cstdint>
#include <cstring>
#include <string>

namespace leat::storage {

inline constexpr const char* group_file_name = "group";

inline void make_group_file(os::directory& directory, const std::string& file_name, const std::string& group,
                            mode_t mode, std::uint64_t generation = 0) {
  os::file file = directory.create(file_name, mode);
  file.reserve(format::page_bytes);
  const os::mapping mapped(file, format::page_bytes, os::access::read_write);
  format::group_header header{};
  header.magic = format::group_magic;
  header.version = format::version;
  header.id = os::random_bits<format::unique_id>();
  group.copy(header.name, format::group_name_bytes - 1);
  header.checksum = format::header_checksum(header);
  header.generation = generation;
  std::memcpy(mapped.data(), &header, sizeof header);
}

/// Nobody is a member any more. The file of the group stays, or is made anew where it is damaged. A deletion that the machine's
/// end has cut off is not gone on with: the name may have been that of another group since, whose directory was lost.
inline void recover_group(os::directory& groups, const std::string& name, mode_t mode) {
  const auto directory = groups.open_directory(name);
  if (directory == nullptr) return;
  for (const std::string& file : directory->list()) {
    try {
      if (file != group_file_name) directory->remove(file);
    } catch (const error&) {
      continue;  // something else in the place of a file; nobody takes it for a member
    }
  }
  const auto is_whole = [&] {
    const auto file = directory->open(group_file_name, os::access::read_write);
    if (!file || file->status().bytes < format::page_bytes) return false;
    const os::mapping mapped(*file, format::page_bytes, os::access::read_write);
    auto& h = *reinterpret_cast<format::group_header*>(mapped.data());
    h.generation &= ~format::generation_mark_bits;
    return h.magic == format::group_magic && h.version == format::version && h.checksum == format::header_checksum(h);
  };
  if (is_whole()) return;
  const std::string temporary = temporary_name(new_prefix);
  make_group_file(*directory, temporary, name, mode);
  directory->replace(temporary, group_file_name);
}

}  // namespace leat::storage
