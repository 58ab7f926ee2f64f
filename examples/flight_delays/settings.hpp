// What the command line says.
#pragma once

#include <cstdint>
#include <string>

namespace demo {

inline constexpr std::uint32_t most_producers = 16;
inline constexpr std::uint32_t most_consumers = 16;
inline constexpr std::uint32_t most_partitions = 64;
inline constexpr double most_seconds = 600;

struct settings {
  double seconds = 10;
  double rate = 0;  // records a second, of all producers together; 0: as many as they can
  std::uint32_t producers = 4;
  std::uint32_t consumers = 3;
  std::uint32_t partitions = 8;
  double kill_producer_at = 40;  // percent of the run
  double kill_consumer_at = 60;
  std::uint64_t memory = 96 << 20;  // bytes of flights before the producers wait, at most half of what is free
  std::string data;
  bool help = false;
};

/// Throws std::invalid_argument, which says what was expected.
settings parse(int argc, char** argv);

extern const char* const usage;

}  // namespace demo
