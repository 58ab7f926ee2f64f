// leat, by how many write into one partition and how many read it.
#include "../support/log_channel.hpp"
#include "subjects.hpp"

namespace bench {

void add_crowds(suite& all) {
  const log_choice any{};
  for (unsigned producers = 2; producers <= 4; ++producers) {
    add_throughput<log_channel<32>>(all, "leat", "any writers", {.producers = producers}, any);
    add_throughput<log_channel<32, sending::batch>>(all, "leat", "any writers, batches", {.producers = producers}, any);
  }
  for (unsigned consumers = 2; consumers <= 4; ++consumers) {
    add_throughput<log_channel<32>>(all, "leat", "any writers", {.consumers = consumers}, any);
  }
}

}  // namespace bench
