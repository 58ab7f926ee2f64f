#include "producer.hpp"

#include "topics.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <thread>

namespace demo {
namespace {

using namespace std::chrono_literals;

/// The sequence number behind this producer's last record in a partition, which is looked for backwards from the end.
std::uint64_t next_sequence_in(const leat::topic<flight>& flights, std::uint32_t partition, std::uint32_t producer) {
  leat::consumer in{flights, {.partitions = {{partition}}, .auto_offset_reset = leat::offset_reset::none}};
  const std::uint64_t end = flights.end_offset(partition);
  for (std::uint64_t window = 256;; window *= 4) {
    const std::uint64_t start = flights.start_offset(partition);
    const std::uint64_t from = std::max(start, end - std::min(end, window));
    std::optional<std::uint64_t> last;
    in.seek({partition, from});
    while (in.position(partition) < end) {
      for (const auto& record : in.poll()) {
        if (record.value().producer == producer) last = record.value().sequence;
      }
    }
    if (last) return *last + 1;
    if (from == 0) return 0;
    if (from == start) throw std::runtime_error("how far it came is not in the log any more: more retention is needed");
  }
}

/// send() returns when the record is in the log, and the next is sent after that: so what the dead one has sent is all up
/// to the last that is there, in whatever partition.
std::uint64_t next_sequence(const leat::topic<flight>& flights, const share& mine, std::uint32_t producer) {
  std::uint64_t next = 0;
  for (const std::uint32_t partition : mine.partitions) {
    next = std::max(next, next_sequence_in(flights, partition, producer));
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

/// Up to which record the timetable has it at this moment; after a delay it catches up, but not in one go.
class pace {
 public:
  static constexpr auto tick = 1ms;

  pace(double rate, steady_clock::time_point start) : rate_(rate), start_(start) {}

  std::uint64_t due(std::uint64_t next) const {
    const std::chrono::duration<double> elapsed = steady_clock::now() - start_;
    const auto planned = static_cast<std::uint64_t>(std::max(0.0, elapsed.count() * rate_));
    return std::min(planned, next + most_at_once());
  }

  void sleep() {
    wake_ = std::max(wake_ + tick, steady_clock::now());
    std::this_thread::sleep_until(wake_);
  }

 private:
  std::uint64_t most_at_once() const {
    constexpr double ticks = 5;
    return static_cast<std::uint64_t>(std::ceil(rate_ * ticks * std::chrono::duration<double>(tick).count()));
  }

  double rate_;
  steady_clock::time_point start_;
  steady_clock::time_point wake_ = start_;
};

}  // namespace

void run_producer(const std::string& store_name, const workload& work, std::uint32_t id, scoreboard& board) {
  const auto flights = open_flights(leat::store::open(store_name), work.options);
  leat::producer out{flights};
  worker_score& score = board.producers[id];
  std::uint64_t next = next_sequence(flights, work.shares[id], id);
  score.resume(next, wall_clock() - board.start);

  const std::uint64_t end = work.records_of(id);
  for (pace due(work.rate_of(id), board.steady_start); next < end; due.sleep()) {
    for (const std::uint64_t stop = std::min(end, due.due(next)); next < stop; ++next) {
      const departure& d = work.departure_of(id, next);
      const leat::timestamp now = wall_clock();
      score.gaps.note(now - board.start);
      out.send(d.origin, make_flight(d, id, next), {.timestamp = now}).value();
      score.one_more();
    }
  }
}

}  // namespace demo
