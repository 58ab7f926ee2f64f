#include "consumer.hpp"

#include "topics.hpp"

#include <chrono>
#include <map>
#include <stdexcept>

namespace demo {
namespace {

using namespace std::chrono_literals;

class counter {
 public:
  counter(const leat::store& store, const workload& work, std::uint32_t id, scoreboard& board)
      : work_(work),
        board_(board),
        score_(board.consumers[id]),
        flights_(open_flights(store, work.options)),
        figures_(open_figures(store, work.options)),
        in_(flights_, {.partitions = work.partitions_of_consumer(id), .auto_offset_reset = leat::offset_reset::none}),
        saved_(figures_) {
    restore();
  }

  void run() {
    auto next_save = steady_clock::now();
    while (!finished()) {
      count_batch();
      if (const auto now = steady_clock::now(); now >= next_save) {
        save();
        next_save = now + save_interval;
      }
    }
    save();
  }

 private:
  static constexpr auto save_interval = 50ms;
  static constexpr auto longest_wait = 50ms;

  /// Figures and position come from one record, so that every flight is counted once.
  void restore() {
    std::uint64_t counted = 0;
    for (const std::uint32_t partition : in_.assignment()) {
      const partition_figures& f = counts_[partition] = last_figures(figures_, partition);
      in_.seek({partition, f.next_offset});
      counted += f.next_offset;
    }
    score_.resume(counted, wall_clock() - board_.start);
  }

  void count_batch() {
    const auto batch = in_.poll(longest_wait);
    if (batch.error() == leat::errc::out_of_range) {
      throw std::runtime_error(
          "retention has removed flights before they were counted: this machine is too slow, or too "
          "busy, for this rate; try a lower --rate");
    }
    for (const auto& record : batch) {
      partition_figures& f = counts_[record.partition()];
      f.count(record.key(), record.value());
      f.next_offset = record.offset() + 1;
      measure(record.position(), record.timestamp());
    }
  }

  void measure(leat::record_position at, leat::timestamp sent) {
    const leat::timestamp now = wall_clock();
    score_.gaps.note(now - board_.start);
    score_.one_more();
    std::uint64_t& measured = score_.measured[at.partition];
    if (at.offset < measured) return;
    score_.latency.add((now - sent).count());
    measured = at.offset + 1;
  }

  void save() {
    for (const auto& [partition, f] : counts_) saved_.send(f, {.partition = partition}).value();
  }

  bool finished() const {
    for (const auto& [partition, f] : counts_) {
      if (f.next_offset < work_.records_in(partition)) return false;
    }
    return true;
  }

  const workload& work_;
  scoreboard& board_;
  worker_score& score_;
  leat::topic<flight> flights_;
  leat::topic<partition_figures> figures_;
  leat::consumer<flight> in_;
  leat::producer<partition_figures> saved_;
  std::map<std::uint32_t, partition_figures> counts_;  // by partition
};

}  // namespace

void run_consumer(const std::string& store_name, const workload& work, std::uint32_t id, scoreboard& board) {
  counter(leat::store::open(store_name), work, id, board).run();
}

}  // namespace demo
