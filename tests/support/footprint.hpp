// What a process holds of the system, and what a directory holds of the device, as seen from outside.
//
//     const auto before = leat_tests::footprint_of(child.pid());
//     ...
//     CHECK(leat_tests::footprint_of(child.pid()).descriptors == before.descriptors);
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include <sys/stat.h>
#include <sys/types.h>

namespace leat_tests {

struct footprint {
  std::uint64_t descriptors = 0;
  std::uint64_t mappings = 0;           // lines of /proc/PID/maps
  std::uint64_t private_kilobytes = 0;  // resident pages that are no file's
  std::uint64_t resident_kilobytes = 0;
};

/// Of a process of this user's; zeros when it has ended.
inline footprint footprint_of(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  footprint f;
  std::error_code ended;
  for (std::filesystem::directory_iterator at(folder + "/fd", ended), end; !ended && at != end; at.increment(ended)) {
    ++f.descriptors;
  }
  std::ifstream maps(folder + "/maps");
  f.mappings = static_cast<std::uint64_t>(std::count(std::istreambuf_iterator<char>(maps), {}, '\n'));
  std::ifstream status(folder + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) f.private_kilobytes = std::stoull(line.substr(8));
    if (line.starts_with("VmRSS:")) f.resident_kilobytes = std::stoull(line.substr(6));
  }
  return f;
}

struct files_footprint {
  std::uint64_t files = 0;  // directories, too
  std::uint64_t bytes = 0;  // as the device counts them
};

/// Of all that is below a directory. Others may add and remove files meanwhile.
inline files_footprint files_below(const std::string& folder) {
  files_footprint f;
  std::error_code vanished;
  for (std::filesystem::recursive_directory_iterator at(folder, vanished), end; !vanished && at != end;
       at.increment(vanished)) {
    struct stat s{};
    if (::lstat(at->path().c_str(), &s) != 0) continue;
    ++f.files;
    f.bytes += static_cast<std::uint64_t>(s.st_blocks) * 512;
  }
  return f;
}

}  // namespace leat_tests
