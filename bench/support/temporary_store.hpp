// A store of its own for each measurement, which goes with it.
#pragma once

#include <leat/leat.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>

namespace bench {

/// Where "a file on disk" is: the current directory, or what LEAT_BENCH_DIR says.
inline std::filesystem::path disk_directory() {
  const char* const given = std::getenv("LEAT_BENCH_DIR");
  return given != nullptr ? given : std::filesystem::current_path();
}

struct temporary_store {
  explicit temporary_store(bool on_disk = false)
      : name((on_disk ? disk_directory().string() + "/leat." : std::string()) + "bench-" + std::to_string(::getpid()) +
             "-" + std::to_string(++made)),
        store(leat::store::open(name, {.mode = leat::open_mode::create})) {}
  ~temporary_store() { leat::store::remove(name); }
  temporary_store(const temporary_store&) = delete;
  temporary_store& operator=(const temporary_store&) = delete;

  static inline int made = 0;
  std::string name;
  leat::store store;
};

}  // namespace bench
