// A machine whose power fails: what would be left on the device of a directory that traced processes write to.
//
//     simulated_device device(root);
//     while (child.to_system_call() == stepping) {
//       device.note(child);                            what it has asked the device for
//       device.fail_into(image, random);               what a power failure at this moment may leave
//     }
//
// The device has of each page of a file what was there when the file was flushed last, at some moment since, or now; of each
// directory the names that it had when it was synced last, or at some later moment (file systems keep the order of changes
// in a directory). Each page and each directory is decided by the dice alone. A file that was never flushed may also have
// lost its size.
#pragma once

#include "support/file_bytes.hpp"
#include "support/processes.hpp"

#include <leat/os/file.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace leat_tests {

class simulated_device {
 public:
  explicit simulated_device(std::string root) : root_(std::move(root)) { look_at_names(); }

  /// At an entry to or exit from a system call of a child: a flush has happened, or names may have changed.
  void note(const traced_child& child) {
    const traced_child::system_call call = child.at_system_call();
    look_at_names();
    if (call.entered) {
      flushing_.erase(child.pid());
      if (call.number == SYS_msync) flushing_[child.pid()] = file_mapped_at(child.pid(), call.arguments[0]);
      if (call.number == SYS_fsync || call.number == SYS_fdatasync) {
        flushing_[child.pid()] =
            inode_of("/proc/" + std::to_string(child.pid()) + "/fd/" + std::to_string(call.arguments[0]));
      }
      return;
    }
    const auto flushing = flushing_.find(child.pid());
    if (flushing == flushing_.end()) return;
    const ino_t inode = flushing->second;
    flushing_.erase(flushing);
    if (const auto directory = names_.find(inode); directory != names_.end()) {
      directory->second.erase(directory->second.begin(), directory->second.end() - 1);
    } else if (files_.contains(inode)) {
      flushed_[inode] = content(inode);
      between_.erase(inode);
    }
  }

  /// Of some files, what is there now may be what reaches the device.
  void remember(dice& random) {
    for (const auto& [inode, file] : files_) {
      if (!names_.contains(inode) && random.one_in(3)) between_[inode] = content(inode);
    }
  }

  /// Writes into the empty directory `image` what the device may have.
  void fail_into(const std::string& image, dice& random) {
    look_at_names();
    write_directory(inode_of(root_), image, random, static_cast<arrived>(random.roll(4)));
  }

 private:
  using names = std::map<std::string, ino_t>;
  enum class arrived { nothing, everything, half, little };  // of what was not flushed

  static constexpr std::size_t page = 4096;

  static ino_t inode_of(const std::string& path) {
    struct stat s{};
    return ::stat(path.c_str(), &s) == 0 ? s.st_ino : 0;
  }

  static ino_t file_mapped_at(pid_t pid, std::uint64_t address) {
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    for (std::string line; std::getline(maps, line);) {
      std::uint64_t begin = 0;
      std::uint64_t end = 0;
      char dash = 0;
      std::string permissions, offset, device;
      ino_t inode = 0;
      std::istringstream fields(line);
      fields >> std::hex >> begin >> dash >> end >> permissions >> offset >> device >> std::dec >> inode;
      if (address >= begin && address < end) return inode;
    }
    return 0;
  }

  void look_at_names() { look_at(root_); }
  void look_at(const std::string& path) {
    const ino_t inode = inode_of(path);
    if (inode == 0) return;
    keep(inode, path);
    names now;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(path, none)) {
      const ino_t its_inode = inode_of(entry.path().string());
      if (its_inode == 0) continue;
      now[entry.path().filename().string()] = its_inode;
      if (entry.is_directory(none)) {
        look_at(entry.path().string());
      } else {
        keep(its_inode, entry.path().string());
      }
    }
    auto& history = names_[inode];
    if (history.empty()) history.emplace_back();  // a new directory has no names on the device yet
    if (history.back() != now) history.push_back(std::move(now));
  }

  /// What loses its name here may keep it on the device, and its number must not become another's: so it is held open.
  void keep(ino_t inode, const std::string& path) {
    if (files_.contains(inode)) return;
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0) files_.emplace(inode, leat::os::file(descriptor, path));
  }
  std::string content(ino_t inode) const {
    return read_file("/proc/self/fd/" + std::to_string(files_.at(inode).descriptor()));
  }

  void write_directory(ino_t inode, const std::string& to, dice& random, arrived how) const {
    const auto& history = names_.at(inode);
    const std::size_t moment = how == arrived::nothing      ? 0
                               : how == arrived::everything ? history.size() - 1
                                                            : random.roll(history.size());
    for (const auto& [name, its_inode] : history[moment]) {
      const std::string its_path = to + "/" + name;
      if (names_.contains(its_inode)) {
        std::filesystem::create_directory(its_path);
        std::filesystem::permissions(its_path, std::filesystem::perms(0700));
        write_directory(its_inode, its_path, random, how);
      } else {
        write_image(its_inode, its_path, random, how);
      }
    }
  }

  void write_image(ino_t inode, const std::string& to, dice& random, arrived how) const {
    const std::string now = content(inode);
    const auto flushed = flushed_.find(inode);
    if (flushed == flushed_.end() && how >= arrived::half && random.one_in(8)) {
      write_file(to, std::string(random.roll(now.size() / page + 1) * page, '\0'));
      return;
    }
    std::string bytes = flushed != flushed_.end() ? flushed->second : std::string();
    bytes.resize(now.size(), '\0');
    const auto between = between_.find(inode);
    for (std::size_t at = 0; at < now.size(); at += page) {
      if (between != between_.end() && at < between->second.size() && how >= arrived::half && random.one_in(2)) {
        bytes.replace(at, page, between->second, at, page);
      }
      const bool has_arrived = how == arrived::everything || (how == arrived::half && random.one_in(2)) ||
                               (how == arrived::little && random.one_in(10));
      if (has_arrived) bytes.replace(at, page, now, at, page);
    }
    write_file(to, bytes);
  }

  const std::string root_;
  std::map<pid_t, ino_t> flushing_;
  std::map<ino_t, std::vector<names>> names_;  // of each directory, since it was synced
  std::map<ino_t, std::string> flushed_;       // files as they were flushed last
  std::map<ino_t, std::string> between_;       // at some moment since
  std::map<ino_t, leat::os::file> files_;      // and directories
};

}  // namespace leat_tests
