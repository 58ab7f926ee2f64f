#include "settings.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include <sys/statvfs.h>

#ifndef FLIGHT_DELAYS_DATA
#define FLIGHT_DELAYS_DATA "examples/data"
#endif

namespace demo {

const char* const usage =
    "flight_delays: flights go through a log in shared memory, and delays are added up by airport of origin,\n"
    "while a producer is killed and replaced, and a consumer is killed and leaves its partitions to the others.\n"
    "\n"
    "  --seconds N             how long (10)\n"
    "  --rate N                records a second, of all producers together (as many as they can)\n"
    "  --producers N           processes that send (4)\n"
    "  --consumers N           processes that count, as one group (3)\n"
    "  --partitions N          of the topic (8)\n"
    "  --kill-producer-at N    when a producer is killed, in percent of the run (40)\n"
    "  --kill-consumer-at N    when a consumer is killed (60)\n"
    "  --memory MIB            of flights before the producers wait for the consumers (96, or half of what is free)\n"
    "  --data DIRECTORY        where flights.csv and flights_by_origin.expected.csv are\n";

namespace {

double number(std::string_view option, const char* text, double least, double most) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end != text && *end == '\0' && value >= least && value <= most) return value;
  throw std::invalid_argument(std::string(option) + " " + text + ": expected a number from " +
                              std::to_string(static_cast<long>(least)) + " to " +
                              std::to_string(static_cast<long>(most)));
}

std::uint32_t count(std::string_view option, const char* text, std::uint32_t least, std::uint32_t most) {
  return static_cast<std::uint32_t>(number(option, text, least, most));
}

/// Bytes; plenty where nobody can say. In containers there are often no more than 64 MiB.
std::uint64_t free_shared_memory() {
  struct statvfs status{};
  if (::statvfs("/dev/shm", &status) != 0) return std::uint64_t{1} << 40;
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace

settings parse(int argc, char** argv) {
  settings s;
  s.data = FLIGHT_DELAYS_DATA;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--help" || option == "-h") {
      s.help = true;
      return s;
    }
    if (++i == argc) throw std::invalid_argument(std::string(option) + ": unknown, or its value is missing");
    const char* const text = argv[i];
    if (option == "--seconds") {
      s.seconds = number(option, text, 1, most_seconds);
    } else if (option == "--rate") {
      s.rate = number(option, text, 1'000, 100'000'000);
    } else if (option == "--producers") {
      s.producers = count(option, text, 1, most_producers);
    } else if (option == "--consumers") {
      s.consumers = count(option, text, 2, most_consumers);
    } else if (option == "--partitions") {
      s.partitions = count(option, text, 4, most_partitions);
    } else if (option == "--kill-producer-at") {
      s.kill_producer_at = number(option, text, 1, 95);
    } else if (option == "--kill-consumer-at") {
      s.kill_consumer_at = number(option, text, 1, 95);
    } else if (option == "--memory") {
      s.memory = static_cast<std::uint64_t>(number(option, text, 1, 65536)) << 20;
    } else if (option == "--data") {
      s.data = text;
    } else {
      throw std::invalid_argument(std::string(option) + ": unknown");
    }
  }
  if (s.consumers > s.partitions) throw std::invalid_argument("more consumers than partitions");
  s.memory = std::min(s.memory, free_shared_memory() / 2);
  return s;
}

}  // namespace demo
