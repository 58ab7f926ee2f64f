#include "consumer.hpp"

#include "topics.hpp"

#include <array>
#include <chrono>
#include <span>
#include <string>

namespace demo {
namespace {

using namespace std::chrono_literals;

class counter {
 public:
  counter(const leat::store& store, const workload& work, std::uint32_t id, scoreboard& board)
      : board_(board),
        score_(board.consumers[id]),
        flights_(open_flights(store, work.options)),
        in_(store, {.auto_offset_reset = leat::offset_reset::none,
                    .group = group_name,
                    .client_id = "consumer " + std::to_string(id),
                    .enable_auto_commit = false}) {
    in_.subscribe({flights_.name()}, {.assigned = [this](const auto& taken) { restore(taken); },
                                      .revoked = [this](const auto& leaving) { save(leaving); },
                                      .lost = {}});
  }

  void run() {
    for (auto next_save = steady_clock::now();;) {
      count_batch();
      if (const auto now = steady_clock::now(); now >= next_save) {
        save(in_.owned());
        if (finished()) break;
        next_save = now + save_interval;
      }
    }
    in_.close();
  }

 private:
  static constexpr auto save_interval = 20ms;
  static constexpr auto longest_wait = 20ms;

  struct tally {
    partition_figures figures;
    std::uint64_t saved = 0;       // the offset up to which they are committed
    bool first_of_a_dead = false;  // its next record is the first since a member was killed
  };

  /// Its partitions begin with what their last owner has committed: here are the figures that belong to it.
  void restore(std::span<const leat::topic_partition> taken) {
    for (const leat::topic_partition& at : taken) {
      const leat::committed_offset last = in_.committed(at).value();
      tallies_[at.partition] = {.figures = partition_figures::from(last.metadata),
                                .saved = last.offset,
                                .first_of_a_dead = board_.consumer_killed.load(std::memory_order_relaxed) != 0};
      partition_score& p = board_.partitions[at.partition];
      score_.read_again += p.counted.load(std::memory_order_relaxed) - last.offset;
    }
  }

  void save(std::span<const leat::topic_partition> partitions) {
    for (const leat::topic_partition& at : partitions) {
      tally& t = tallies_[at.partition];
      const std::uint64_t counted = in_.position(at);
      if (counted == t.saved) continue;
      in_.commit({at, counted, t.figures.text()}).value();
      t.saved = counted;
    }
  }

  void count_batch() {
    for (const auto& record : in_.poll(longest_wait)) {
      tally& t = tallies_[record.partition()];
      t.figures.count(record.key(), record.value());
      measure(t, record.position(), record.timestamp());
    }
  }

  void measure(tally& t, leat::record_position at, leat::timestamp sent) {
    const leat::timestamp now = wall_clock();
    score_.gaps.note(now - board_.start);
    score_.one_more();
    partition_score& p = board_.partitions[at.partition];
    if (t.first_of_a_dead) {
      t.first_of_a_dead = false;
      p.taken_over.store((now - board_.start).count(), std::memory_order_relaxed);
    }
    // How late a record is that is read again is no latency.
    if (at.offset < p.counted.load(std::memory_order_relaxed)) return;
    p.counted.store(at.offset + 1, std::memory_order_relaxed);
    score_.latency.add((now - sent).count());
  }

  /// All is sent, and the whole group has committed it: until then there may be a partition to take over.
  bool finished() {
    if (!board_.all_sent.load(std::memory_order_relaxed)) return false;
    for (std::uint32_t p = 0; p < flights_.partitions(); ++p) {
      const auto last = in_.committed({flights_.name(), p});
      if (!last || last->offset != flights_.end_offset(p)) return false;
    }
    return true;
  }

  scoreboard& board_;
  worker_score& score_;
  leat::topic<flight> flights_;
  std::array<tally, most_partitions> tallies_;
  leat::consumer<flight> in_;
};

}  // namespace

void run_consumer(const std::string& store_name, const workload& work, std::uint32_t id, scoreboard& board) {
  counter(leat::store::open(store_name), work, id, board).run();
}

}  // namespace demo
