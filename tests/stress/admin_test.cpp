// Whatever is asked of topics and groups beside all their users: nothing is missing, damaged or refused but what must be.
#include "support/history.hpp"
#include "support/store_of_threads.hpp"

#include <leat/admin.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace leat_tests;

namespace stress_admin {

/// Runs `body` on a thread of its own until it is told to stop; what it throws is a failure.
class crew {
 public:
  void add(const std::string& who, std::function<void(dice&)> lap, unsigned number) {
    threads_.emplace_back([this, who, lap, number] {
      dice random(number);
      try {
        while (!over) lap(random);
      } catch (const std::exception& e) {
        const std::lock_guard guard(mutex_);
        failures_ += who + ": " + e.what() + "\n";
        over = true;
      }
    });
  }
  ~crew() {
    over = true;
    for (std::thread& t : threads_) {
      if (t.joinable()) t.join();
    }
  }
  std::string end() {
    over = true;
    for (std::thread& t : threads_) t.join();
    threads_.clear();
    return failures_;
  }

  std::atomic<bool> over{false};

 private:
  std::mutex mutex_;
  std::string failures_;
  std::deque<std::thread> threads_;
};

TEST_CASE("whatever is asked of topics and groups that are in use is answered") {
  watchdog dog;
  const medium where = each_medium_of_threads();
  const bool is_durable = where == medium::on_disk && GENERATE(true, false);
  const store_of_threads temporary(where);
  INFO("LEAT_SEED=" << seed());
  INFO(temporary.store.path() << (is_durable ? ", durable" : ""));
  leat::topic_options options = tiny(3, 2);
  if (is_durable) options.durability = leat::durability::interval;
  const auto topic = temporary.store.topic<leat::bytes_view>("t", options);
  const auto allow = [](auto&& call, std::initializer_list<leat::errc> codes) {
    try {
      call();
    } catch (const leat::error& e) {
      if (std::find(codes.begin(), codes.end(), static_cast<leat::errc>(e.code().value())) == codes.end()) throw;
    }
  };

  crew c;
  for (std::uint32_t id = 0; id < 2; ++id) {
    auto out = std::make_shared<leat::producer<leat::bytes_view>>(topic);
    c.add(
        "a producer",
        [out, id, n = std::uint64_t{0}](dice& random) mutable {
          const auto made = payload(id, n, sizeof(stamp) + random.roll(3000));
          const auto sent = out->send(view(made), {.partition = static_cast<std::uint32_t>(n++ % 2)});
          if (!sent) fail("a send: " + std::string(leat::detail::describe(sent.error())));
        },
        id);
  }
  c.add(
      "a reader",
      [&, in = std::make_shared<leat::consumer<leat::bytes_view>>(
              topic, leat::consumer_options{.auto_offset_reset = leat::offset_reset::earliest})](dice&) {
        const auto batch = in->poll(std::chrono::milliseconds(1));
        if (batch.error() != leat::errc::ok) fail("a poll: " + std::string(leat::detail::describe(batch.error())));
        for (const auto& record : batch) {
          if (!read_payload(record.value())) fail("a torn record");
        }
      },
      10);
  for (unsigned number : {11u, 12u}) {
    c.add(
        "a member",
        [&](dice& random) {
          leat::consumer in{
              topic,
              {.auto_offset_reset = leat::offset_reset::earliest,
               .group = "g",
               .group_instance_id = random.roll(2) == 0 ? "" : "static " + std::to_string(random.roll(2))}};
          for (std::uint64_t n = random.roll(30); n > 0 && !c.over; --n) {
            const auto batch = in.poll(std::chrono::milliseconds(1));
            // another has taken the place of this static member
            if (batch.error() == leat::errc::fenced) break;
            if (batch.error() != leat::errc::ok) {
              fail("a member's poll: " + std::string(leat::detail::describe(batch.error())));
            }
            for (const auto& record : batch) {
              if (!read_payload(record.value())) fail("a torn record");
            }
            if (random.roll(2) == 0) {
              (void)in.commit();
            } else if (!batch.empty()) {
              const auto& last = *batch.begin();
              (void)in.commit({{"t", last.partition()}, last.offset() + 1, "metadata of " + std::to_string(n)});
            }
          }
          if (random.roll(4) == 0) in.close();
        },
        number);
  }
  const auto ask = [&](dice& random, unsigned which) {
    const leat::admin admin(temporary.store);
    const std::uint32_t partition = static_cast<std::uint32_t>(random.roll(2));
    switch (which) {
      case 0: {
        const auto d = admin.describe_topic("t");
        for (const auto& p : d.partitions) {
          if (p.start_offset > p.end_offset)
            fail("it starts at " + std::to_string(p.start_offset) + " and ends at " + std::to_string(p.end_offset));
        }
        break;
      }
      case 1:
        for (const auto& s : admin.segments({"t", partition})) {
          if (!s.defect.empty()) fail(s.path + ": " + s.defect);
        }
        break;
      case 2:
        for (const leat::finding& f : admin.verify("t")) fail(f.path + ": " + f.what);
        break;
      case 3:
        (void)admin.offset_for_time({"t", partition},
                                    std::chrono::system_clock::now() - std::chrono::milliseconds(random.roll(50)));
        break;
      case 4:
        (void)admin.delete_records(
            {"t", partition},
            topic.end_offset(partition) - std::min<std::uint64_t>(random.roll(40), topic.end_offset(partition)));
        break;
      case 5: (void)admin.apply_retention("t"); break;
      case 6: admin.flush("t"); break;
      case 7: admin.alter_topic("t", {.retention = {.bytes = (2 + random.roll(5)) * tiny_segment}}); break;
      case 8: {
        const auto report = admin.clean();
        for (const leat::finding& f : report.skipped) fail("clean: " + f.path + ": " + f.what);
        break;
      }
      case 9:
        allow(
            [&] {
              const auto d = admin.describe_group("g");
              for (const leat::finding& f : d.skipped) fail("describe_group: " + f.path + ": " + f.what);
            },
            {leat::errc::not_found});
        break;
      case 10:
        allow([&] { (void)admin.reset_offsets("g", "t", leat::to_earliest{}); }, {leat::errc::group_not_empty});
        break;
      case 11: allow([&] { (void)admin.delete_group("g"); }, {leat::errc::group_not_empty}); break;
      case 12:
        if (topic.log()->partitions() < 5 && random.roll(10) == 0) admin.add_partitions("t", topic.partitions() + 1);
        break;
      default: (void)admin.groups();
    }
  };
  const unsigned laps = rounds(1200);
  dice random(99);
  std::string failure;
  for (unsigned lap = 0; lap < laps && !c.over; ++lap) {
    const auto which = static_cast<unsigned>(random.roll(14));
    try {
      ask(random, which);
    } catch (const std::exception& e) {
      failure = "question " + std::to_string(which) + ": " + e.what();
      break;
    }
  }
  CHECK(failure + c.end() == "");
}

}  // namespace stress_admin
