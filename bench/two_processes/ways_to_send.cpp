// leat, by how records are sent and kept: claimed in place, as bytes, with keys and headers; to a blocked consumer; beyond the
// cache; in files on a disk.
#include "../support/log_channel.hpp"
#include "subjects.hpp"

namespace bench {

void add_ways_to_send(suite& all) {
  const log_choice any{};
  const log_choice single{.single_writer = true};
  for_each_size([&](auto size) {
    add_throughput<log_channel<size(), sending::claim>>(all, "leat", "any writers, claimed", {}, any);
  });
  add_throughput<log_channel<32, sending::claim>>(all, "leat", "single writer, claimed", {}, single);
  add_throughput<log_channel<64, sending::bytes>>(all, "leat", "any writers, bytes", {}, any);
  add_throughput<log_channel<64, sending::keyed>>(all, "leat", "any writers, keys", {}, any);
  add_throughput<log_channel<64, sending::headers>>(all, "leat", "any writers, two headers", {}, any);

  const layout blocked{.wait = waiting::block};
  add_throughput<log_channel<64>>(all, "leat", "any writers, consumer blocks", blocked, any);
  add_throughput<log_channel<64>>(all, "leat", "single writer, consumer blocks", blocked, single);

  const log_choice beyond{.cached = false};
  add_throughput<log_channel<32>>(all, "leat", "any writers, beyond the cache", {}, beyond);
  add_throughput<log_channel<1024>>(all, "leat", "any writers, beyond the cache", {}, beyond);
  const log_choice disk{.on_disk = true};
  add_throughput<log_channel<32>>(all, "leat", "any writers, file on disk", {}, disk);
  add_throughput<log_channel<1024>>(all, "leat", "any writers, file on disk", {}, disk);
}

}  // namespace bench
