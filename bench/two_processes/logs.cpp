// leat, by size of the records: any number of writers, and a single one.
#include "../support/log_channel.hpp"
#include "subjects.hpp"

namespace bench {

void add_logs(suite& all) {
  const log_choice any{};
  const log_choice single{.single_writer = true};
  for_each_size([&](auto size) {
    add_throughput<log_channel<size()>>(all, "leat", "any writers", {}, any);
    add_throughput<log_channel<size(), sending::batch>>(all, "leat", "any writers, batches", {}, any);
    add_throughput<log_channel<size()>>(all, "leat", "single writer", {}, single);
    add_throughput<log_channel<size(), sending::batch>>(all, "leat", "single writer, batches", {}, single);
    add_round_trips<log_channel<size()>>(all, "leat", "any writers", {}, any);
    add_round_trips<log_channel<size()>>(all, "leat", "single writer", {}, single);
  });
  add_rates<log_channel<64>>(all, "leat", "any writers", any);
  add_rates<log_channel<64>>(all, "leat", "single writer", single);
  add_wake_ups<log_channel<64>>(all, "leat", "any writers", any);
  add_wake_ups<log_channel<64>>(all, "leat", "single writer", single);
}

}  // namespace bench
