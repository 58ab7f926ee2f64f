// What crosses two processes, or more: throughput, round trips, latency at fixed rates and wake-ups, of leat and of what its users
// would pick instead, beside floors measured in the same run. Every receiver checks number, order and bytes of all messages.
#include "two_processes/subjects.hpp"

int main(int argc, char** argv) {
  bench::suite all("two_processes", argc, argv);
  bench::add_floors(all);
  bench::add_logs(all);
  bench::add_ways_to_send(all);
  bench::add_crowds(all);
  bench::add_queues(all);
  bench::add_boost_queue(all);
  bench::add_kernel_channels(all);
  bench::add_zeromq(all);
  bench::add_redis(all);
  return all.run();
}
