// The code of the chapters on groups in docs/guide.md and of the second example in README.md: each part between
// `// snippet: name` and `// end` stands there as it is here, which a test checks; and this program, a test as well, runs all
// of it in a store of its own process. Ends with 1 where something is off.
#include <leat/leat.hpp>

#include <atomic>
#include <chrono>
#include <iostream>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

void expect(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

struct payment {
  std::uint32_t merchant;
  double amount;
};

constexpr auto patience = 60s;

/// Polls until `done` says so; what came on the way goes to `handle`.
template <class Consumer, class Done, class Handle>
void poll_until(Consumer& in, Done done, Handle handle) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!done()) {
    for (const auto& record : in.poll(10ms)) handle(record);
    expect(std::chrono::steady_clock::now() < deadline, "what was waited for did not come");
  }
}
template <class Consumer, class Done>
void poll_until(Consumer& in, Done done) {
  poll_until(in, done, [](const auto&) {});
}

void sharing(const leat::store& store) {
  const auto payments = store.topic<payment>("payments", {.partitions = 4});
  leat::producer out{payments};
  out.send("alice", payment{7, 9.50}).value();
  out.send("bob", payment{7, 20.25}).value();

  double total = 0;
  const auto running = [&] { return total != 29.75; };
  // snippet: group
  // Any number of processes and threads do this at once: each partition is read by one of them.
  leat::consumer in{payments, {.auto_offset_reset = leat::offset_reset::earliest, .group = "ledger"}};
  while (running()) {
    for (const auto& record : in.poll(100ms)) total += record.value().amount;
    in.commit().value();  // behind the work: should this one die now, another goes on here
  }
  // end

  // snippet: owned
  for (const leat::topic_partition& p : in.owned()) {
    std::cout << p.topic << '/' << p.partition << " from " << in.position(p) << ", " << in.lag(p) << " to go\n";
  }
  // end
  expect(in.owned().size() == 4, "a member that is alone has everything");

  // snippet: fenced
  if (const leat::result<void> done = in.commit(); done.error() == leat::errc::fenced) {
    // The group took this member for dead or stuck: others have its partitions, and read on from its last commit. The
    // next poll joins again.
  } else {
    done.value();  // throws
  }
  // end

  // snippet: commit_offsets
  const leat::topic_partition third{"payments", 2};
  in.commit({.at = third, .offset = in.position(third), .metadata = "total 4711.50"}).value();
  const std::optional<leat::committed_offset> where = in.committed(third);  // empty: nothing
  std::cout << where->offset << ": " << where->metadata << '\n';
  // end
  expect(where->metadata == "total 4711.50", "metadata");

  // snippet: pause_owned
  in.pause(third);  // until it is resumed, or passes to another member
  in.resume(third);
  in.seek(third, 0);
  // end
}

void committing_by_itself(const leat::store& store) {
  const auto payments = store.topic<payment>("payments");
  // snippet: auto_commit
  leat::consumer quick{payments, {.group = "alerts", .auto_commit_interval = 1s}};
  leat::consumer strict{payments, {.group = "ledger", .enable_auto_commit = false}};
  // end
  expect(quick.poll().empty() && strict.poll().error() == leat::errc::ok, "members");
}

void listening(const leat::store& store) {
  const auto payments = store.topic<payment>("payments");
  leat::producer out{payments};
  std::map<leat::topic_partition, double> totals;
  const auto read_payments = [&](leat::consumer<payment>& in) {
    for (const auto& record : in.poll(10ms)) {
      totals[{std::string(record.topic()), record.partition()}] += record.value().amount;
    }
  };
  for (int round = 1; round <= 2; ++round) {
    totals.clear();
    // snippet: listener
    const leat::consumer_options options{
        .auto_offset_reset = leat::offset_reset::earliest, .group = "totals", .enable_auto_commit = false};
    leat::consumer<payment> in{store, options};
    const auto save = [&](std::span<const leat::topic_partition> partitions) {  // also after each batch, of in.owned()
      for (const auto& p : partitions) {
        // fenced: `lost` follows
        (void)in.commit({.at = p, .offset = in.position(p), .metadata = std::to_string(totals[p])});
      }
    };
    const auto restore = [&](std::span<const leat::topic_partition> partitions) {
      for (const auto& p : partitions) {
        const auto saved = in.committed(p);
        totals[p] = saved && !saved->metadata.empty() ? std::stod(saved->metadata) : 0;
      }
    };
    const auto forget = [&](std::span<const leat::topic_partition> partitions) {
      for (const auto& p : partitions) totals.erase(p);
    };
    in.subscribe({"payments"}, {.assigned = restore, .revoked = save, .lost = forget});
    // end
    const auto sum = [&] {
      double all = 0;
      for (const auto& [p, amount] : totals) all += amount;
      return all;
    };
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (sum() != 29.75 * round) {
      read_payments(in);
      save(in.owned());
      expect(std::chrono::steady_clock::now() < deadline, "the totals are not what they should be");
    }
    in.close();
    out.send("carol", payment{3, 29.75}).value();
  }
}

void static_members(const leat::store& store) {
  const auto payments = store.topic<payment>("payments");
  const leat::consumer_options options = [] {
    // snippet: static_member
    leat::consumer_options till{.group = "tills", .group_instance_id = "till-7", .session_timeout = 10s};
    // end
    return till;
  }();
  std::optional<leat::consumer<payment>> first(std::in_place, payments, options);
  leat::consumer other{payments, {.group = "tills"}};
  const auto both = [&] {
    (void)first->poll();
    return first->owned().size() == 2 && other.owned().size() == 2;
  };
  poll_until(other, both);
  const auto before = first->owned();
  first.reset();
  leat::consumer back{payments, options};
  poll_until(back, [&] { return back.owned().size() == 2; });
  (void)other.poll();
  expect(back.owned() == before && other.owned().size() == 2, "a static member has its partitions again");
  leat::consumer second{payments, options};
  poll_until(second, [&] { return second.owned().size() == 2; });
  expect(back.poll().error() == leat::errc::fenced, "the second fences the first");
}

void assigning(const leat::store& store) {
  const auto payments = store.topic<payment>("payments");
  // snippet: assignor
  leat::consumer even{payments, {.group = "even", .assignor = leat::round_robin_assignor()}};

  const leat::assignor to_the_first{"to the first", [](std::span<const leat::group_member> members,
                                                       const std::map<std::string, std::uint32_t>& partitions) {
                                      leat::assignment lists(members.size());  // one for each member, in their order
                                      for (const auto& [topic, count] : partitions) {
                                        for (std::uint32_t p = 0; p < count; ++p) lists.front().push_back({topic, p});
                                      }
                                      return lists;
                                    }};
  leat::consumer mine{payments, {.group = "mine", .assignor = to_the_first}};
  // end
  poll_until(mine, [&] { return mine.owned().size() == 4; });
  poll_until(even, [&] { return even.owned().size() == 4; });
  leat::consumer wrong{payments, {.group = "mine"}};
  try {
    (void)wrong.poll();
    expect(false, "another assignor");
  } catch (const leat::error& e) {
    expect(e.code() == leat::errc::conflicting_options, "another assignor");
  }
}

void by_pattern(const leat::store& store) {
  const auto some = store.topic<payment>("payments.eu");
  // snippet: pattern
  leat::consumer<payment> in{store, {.group = "all-countries"}};
  in.subscribe_pattern("payments\\..+");  // of those that exist, and of those that come
  // end
  poll_until(in, [&] { return in.owned().size() == 1; });
  const auto more = store.topic<payment>("payments.us");
  leat::producer out{more};
  out.send(payment{1, 2.0}).value();
  int seen = 0;
  poll_until(in, [&] { return seen == 1; }, [&](const auto& record) { seen += record.topic() == "payments.us"; });
}

void partitions_of_ones_own(const leat::store& store) {
  const auto payments = store.topic<payment>("payments");
  // snippet: own_partitions
  const leat::consumer_options some{.partitions = std::vector<std::uint32_t>{0, 1}, .group = "archive"};
  leat::consumer in{payments, some};  // begins with what the group has committed
  for (const auto& record : in.poll()) std::cout << record.value().amount << '\n';
  in.commit().value();
  // end
  expect(in.committed(0).has_value() && !in.committed(2).has_value(), "committed without being a member");
}

void in_threads(const leat::store& store) {
  const auto payments = store.topic<payment>("payments");
  leat::producer out{payments};
  for (int i = 0; i < 100; ++i) out.send(std::to_string(i), payment{1, 1.0}).value();
  std::vector<std::uint64_t> counted(2);
  std::atomic<std::uint64_t> all{0};
  std::vector<std::thread> threads;
  const std::uint64_t wanted = [&] {
    std::uint64_t n = 0;
    for (std::uint32_t p = 0; p < payments.partitions(); ++p) n += payments.end_offset(p);
    return n;
  }();
  for (std::uint64_t& count : counted) {
    // snippet: group_threads
    threads.emplace_back([&all, &count, payments, wanted] {
      leat::consumer in{payments, {.auto_offset_reset = leat::offset_reset::earliest, .group = "workers"}};
      while (all < wanted) {
        const auto records = in.poll(10ms);
        count += records.size();
        all += records.size();
      }
    });
    // end
  }
  for (std::thread& t : threads) t.join();
  expect(counted[0] + counted[1] == wanted, "each record once, as nobody died");
}

}  // namespace

int main() try {
  const leat::store store = leat::store::in_process();
  sharing(store);
  committing_by_itself(store);
  listening(store);
  static_members(store);
  assigning(store);
  by_pattern(store);
  partitions_of_ones_own(store);
  in_threads(store);
  return 0;
} catch (const std::exception& e) {
  std::cerr << "groups: " << e.what() << '\n';
  return 1;
}
