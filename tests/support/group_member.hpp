// Members of a group in processes of their own, for tests that look at them from outside.
//
//     leat_tests::shared<member_page> page;
//     leat_tests::child member([&] { live(place.store(), {"log"}, *page, in_group("g")); });
//     wait_until("it has all", [&] { return page->owned == all(4); });
#pragma once

#include "support/history.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace leat_tests {

/// What a member shows of itself, and what it is told to do.
struct member_page {
  counter owned;  // a bit for each partition of the first topic of its subscription
  counter owned_elsewhere;
  counter assigned;  // partitions that its listener was told of, all in all
  counter revoked;
  counter lost;
  counter polls;
  counter read;
  counter last_error;  // of the last poll that failed
  counter pid;         // as the member sees it

  counter hold;    // 1: it stands still behind its next poll until this is 0
  counter held;    // 1: it does
  counter commit;  // 1: it commits then, and sets this to 2 + the error
  counter stop;    // it closes its consumer and ends
};

/// `n` bits.
constexpr std::uint64_t all(unsigned n) { return n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1; }

inline leat::consumer_options in_group(const std::string& name) {
  leat::consumer_options options;
  options.group = name;
  options.auto_offset_reset = leat::offset_reset::earliest;
  return options;
}

inline leat::rebalance_listener noting(member_page& page) {
  leat::rebalance_listener listener;
  listener.assigned = [&page](std::span<const leat::topic_partition> p) { page.assigned += p.size(); };
  listener.revoked = [&page](std::span<const leat::topic_partition> p) { page.revoked += p.size(); };
  listener.lost = [&page](std::span<const leat::topic_partition> p) { page.lost += p.size(); };
  return listener;
}

inline void note_owned(const consumer& in, const std::string& first_topic, member_page& page) {
  std::uint64_t mask = 0;
  std::uint64_t elsewhere = 0;
  for (const leat::topic_partition& p : in.owned())
    (p.topic == first_topic ? mask : elsewhere) |= std::uint64_t{1} << p.partition;
  page.owned = mask;
  page.owned_elsewhere = elsewhere;
}

/// Polls, and does what its page says, until it is to stop. `timeout` is that of its polls.
inline void poll_on(consumer& in, const std::string& first_topic, member_page& page,
                    std::chrono::nanoseconds timeout = std::chrono::milliseconds(2)) {
  page.pid = static_cast<std::uint64_t>(::getpid());
  while (page.stop == 0) {
    const auto batch = in.poll(timeout);
    if (batch.error() != leat::errc::ok) {
      page.last_error = static_cast<std::uint64_t>(batch.error());
    } else {
      for (const auto& record : batch) {
        expect(read_record(record).has_value(), "a member was given a torn record");
        ++page.read;
      }
    }
    note_owned(in, first_topic, page);
    ++page.polls;
    if (page.hold != 0) {
      page.held = 1;
      wait_until("the member may go on", [&] { return page.hold == 0; });
      page.held = 0;
    }
    if (page.commit == 1) {
      const auto done = in.commit();
      page.commit = 2 + (done ? 0 : static_cast<std::uint64_t>(done.error()));
    }
  }
  in.close();
}

/// The life of a member: joins, polls, leaves.
inline void live(const std::string& store, const std::vector<std::string>& topics, member_page& page,
                 const leat::consumer_options& options,
                 std::chrono::nanoseconds timeout = std::chrono::milliseconds(2)) {
  try {
    consumer in(leat::store::open(store), options);
    in.subscribe(topics, noting(page));
    poll_on(in, topics.front(), page, timeout);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "a member failed: %s\n", e.what());  // whoever waits for it in vain learns why
    throw;
  }
}

inline topic make_topic(const std::string& store, const std::string& name, std::uint32_t partitions) {
  return leat::store::open(store).topic<leat::bytes_view>(name, tiny(0, partitions));
}

/// One record to each partition.
inline void send_to_all(producer& out, std::uint32_t partitions, std::uint64_t number) {
  for (std::uint32_t p = 0; p < partitions; ++p) {
    const auto made = payload(p, number, 40);
    expect(out.send(view(made), {.partition = p}).error() == leat::errc::ok, "a send failed");
  }
}

/// No partition is in two of the masks, and all in one.
inline bool divided(std::initializer_list<std::uint64_t> masks, std::uint64_t whole) {
  std::uint64_t joined = 0;
  for (const std::uint64_t m : masks) {
    if ((joined & m) != 0) return false;
    joined |= m;
  }
  return joined == whole;
}

}  // namespace leat_tests
