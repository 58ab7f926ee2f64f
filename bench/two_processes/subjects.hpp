// What bench_two_processes measures, a file for each kind. All of them are one program, so that their repetitions are interleaved.
#pragma once

#include "../support/latency.hpp"
#include "../support/suite.hpp"
#include "../support/throughput.hpp"

#include <type_traits>

namespace bench {

void add_floors(suite& all);
void add_logs(suite& all);
void add_ways_to_send(suite& all);
void add_crowds(suite& all);
void add_queues(suite& all);
void add_boost_queue(suite& all);
void add_kernel_channels(suite& all);
void add_zeromq(suite& all);
void add_redis(suite& all);

/// Calls f with std::integral_constant<std::size_t, Bytes> for each size of message.
template <class F>
void for_each_size(F f) {
  [&]<std::size_t... Bytes>(std::index_sequence<Bytes...>) {
    (f(std::integral_constant<std::size_t, Bytes>{}), ...);
  }(std::index_sequence<32, 64, 256, 1024, 16384>{});
}

inline constexpr double rates[] = {100'000, 1'000'000};
inline constexpr double wake_up_rate = 2'000;  // seldom enough for the receiver to sleep each time

/// Throughput of one producer and one consumer.
template <class Channel, class... Arguments>
void add_throughput(suite& all, const std::string& name, const std::string& variant, layout ends = {},
                    const Arguments&... arguments) {
  all.add({.kind = "throughput",
           .name = name,
           .variant = variant,
           .unit = "M/s",
           .bytes = Channel::bytes,
           .producers = ends.producers,
           .consumers = ends.consumers,
           .note = ends.shared_cores() ? "more ends than cores" : ""},
          [=](const effort& e) { return throughput<Channel>(ends, e, arguments...); });
}

template <class Channel, class... Arguments>
void add_round_trips(suite& all, const std::string& name, const std::string& variant, layout ends = {},
                     const Arguments&... arguments) {
  all.add_latencies({.kind = "round_trip", .name = name, .variant = variant, .unit = "ns", .bytes = Channel::bytes},
                    [=](const effort& e) { return round_trips<Channel>(ends, e, arguments...); });
}

template <class Channel, class... Arguments>
void add_rates(suite& all, const std::string& name, const std::string& variant, const Arguments&... arguments) {
  for (const double rate : rates) {
    all.add_rated(
        {.kind = "one_way", .name = name, .variant = variant, .unit = "ns", .bytes = Channel::bytes, .rate = rate},
        [=](const effort& e) { return at_rate<Channel>(rate, {}, e, arguments...); }, 2);
  }
}

template <class Channel, class... Arguments>
void add_wake_ups(suite& all, const std::string& name, const std::string& variant, const Arguments&... arguments) {
  all.add_rated(
      {.kind = "wake_up",
       .name = name,
       .variant = variant,
       .unit = "ns",
       .bytes = Channel::bytes,
       .rate = wake_up_rate},
      [=](const effort& e) { return at_rate<Channel>(wake_up_rate, {.wait = waiting::block}, e, arguments...); }, 2);
}

}  // namespace bench
