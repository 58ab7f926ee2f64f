#include "producer.hpp"

#include "topics.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <thread>

namespace demo {
namespace {

using namespace std::chrono_literals;

/// send() returns when the record is in the log, and the next is sent after that: so what the dead one has sent is all up
/// to the last that is there, in whatever partition. What is not in the log any more is in the group's figures, because
/// retention waits for the group; they are asked behind the log, so that nothing slips through between the two.
std::uint64_t next_sequence(const leat::topic<flight>& flights, const share& mine, std::uint32_t producer) {
  leat::consumer in{
      flights,
      {.partitions = mine.partitions(), .auto_offset_reset = leat::offset_reset::earliest, .group = group_name}};
  std::uint64_t next = 0;
  for (const auto& [partition, departures] : mine.departures_in) {
    for (const std::uint64_t end = flights.end_offset(partition); in.position(partition) < end;) {
      for (const auto& record : in.poll()) {
        if (record.value().producer == producer) next = std::max(next, record.value().sequence + 1);
      }
    }
  }
  for (const auto& [partition, departures] : mine.departures_in) {
    next = std::max(next, partition_figures::from(in.committed(partition).value().metadata).next_of(producer));
  }
  return next;
}

flight make_flight(const departure& d, std::uint32_t producer, std::uint64_t sequence) {
  return {.sequence = sequence,
          .producer = producer,
          .delay_minutes = d.delay_minutes,
          .departure_ms = d.departure_ms,
          .distance_miles = d.distance_miles,
          .destination = d.destination};
}

/// When a record is due: at once, or by a rate; after a delay it catches up, but not in one go.
class pace {
 public:
  pace(double rate, steady_clock::time_point start, steady_clock::time_point end)
      : rate_(rate), start_(start), end_(end), due_(rate > 0 ? 0 : all) {}

  void wait_for(std::uint64_t next) {
    while (next >= due_) {
      std::this_thread::sleep_for(tick);
      const auto now = steady_clock::now();
      const std::chrono::duration<double> elapsed = now - start_;
      due_ = std::min(static_cast<std::uint64_t>(elapsed.count() * rate_), next + most_at_once());
      if (now >= end_) due_ = all;  // the rest of its round
    }
  }

 private:
  static constexpr auto tick = 1ms;
  static constexpr auto all = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t most_at_once() const {
    constexpr double ticks = 5;
    return static_cast<std::uint64_t>(std::ceil(rate_ * ticks * std::chrono::duration<double>(tick).count()));
  }

  const double rate_;
  const steady_clock::time_point start_;
  const steady_clock::time_point end_;
  std::uint64_t due_;  // records below this one are
};

}  // namespace

void run_producer(const std::string& store_name, const workload& work, std::uint32_t id, scoreboard& board) {
  const auto flights = open_flights(leat::store::open(store_name), work.options);
  leat::producer out{flights};
  const share& mine = work.shares[id];
  worker_score& score = board.producers[id];
  std::uint64_t next = next_sequence(flights, mine, id);
  score.resume(next, wall_clock() - board.start);

  const auto end = board.steady_start + work.duration();
  std::this_thread::sleep_until(board.steady_start);
  // In whole rounds, so that it is known what the sum must be.
  for (pace due(work.rate_of(id), board.steady_start, end); next % mine.round() != 0 || steady_clock::now() < end;
       ++next) {
    due.wait_for(next);
    const departure& d = work.departure_of(id, next);
    const leat::timestamp now = wall_clock();
    score.gaps.note(now - board.start);
    out.send(d.origin, make_flight(d, id, next), {.timestamp = now}).value();
    score.one_more();
  }
}

}  // namespace demo
