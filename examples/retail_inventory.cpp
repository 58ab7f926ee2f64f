// What is on the shelves? The same inventory twice: computed every midnight from the movements of the day, as batches
// do, and kept up to date by a stream of them. Both read one log and agree at midnight; in between one is hours old.
//
// Deliveries and sales are synthetic, keyed by shop and article, with the time at which they happened. It rains on the
// second day, and the umbrellas are sold out before noon.
#include <leat/leat.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iomanip>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <ratio>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using leat::timestamp;
using std::chrono::seconds;

struct movement {
  std::int32_t pieces;  // delivered; negative: sold
};

/// Pieces by shop and article, and the time of the last movement that counts in them.
struct inventory {
  std::map<std::string, std::int64_t> pieces;
  timestamp latest;

  template <class Record>
  void add(const Record& record) {
    pieces[std::string(record.key())] += record.value().pieces;
    latest = std::max(latest, record.timestamp());
  }
};

/// Runs at midnight: one day's movements are found in the log by their time, and added to what was there before.
class nightly_batch {
 public:
  explicit nightly_batch(const leat::topic<movement>& movements) : in_(movements) {}

  void run(timestamp from, timestamp to) {
    in_.seek_to_time(from);
    for (auto batch = in_.poll(); !batch.empty() || batch.error() != leat::errc::ok; batch = in_.poll()) {
      for (const auto& record : batch) {
        if (record.timestamp() >= from && record.timestamp() < to) answer_.add(record);
      }
    }
  }

  const inventory& answer() const { return answer_; }

 private:
  leat::consumer<movement> in_;
  inventory answer_;
};

/// Takes in each movement when it comes. Started from an inventory that a batch has made, it goes on behind that.
class live_inventory {
 public:
  live_inventory(const leat::topic<movement>& movements, inventory start, timestamp made)
      : in_(movements), answer_(std::move(start)), from_(made) {
    in_.seek_to_time(made);
  }

  const inventory& answer() {
    for (auto batch = in_.poll(); !batch.empty() || batch.error() != leat::errc::ok; batch = in_.poll()) {
      for (const auto& record : batch) {
        if (record.timestamp() >= from_) answer_.add(record);
      }
    }
    return answer_;
  }

 private:
  leat::consumer<movement> in_;
  inventory answer_;
  timestamp from_;
};

// --- the shops ---

struct synthetic_movement {
  timestamp time;
  std::string shelf;
  std::int32_t pieces;
};

const std::vector<std::string> shops{"Bergen", "Leeds", "Porto"};
const std::vector<std::string> articles{"batteries", "bread", "milk", "umbrella"};

/// Deliveries in the morning, sales from eight to eight; `rain`: umbrellas go fast in Leeds, all of the `stock`.
std::vector<synthetic_movement> make_day(timestamp midnight, bool rain,
                                         const std::map<std::string, std::int64_t>& stock, std::mt19937& generator) {
  const auto random = [&](std::uint32_t below) { return static_cast<std::int32_t>(generator() % below); };
  std::vector<synthetic_movement> day;
  for (const std::string& shop : shops) {
    for (const std::string& article : articles) {
      const std::string shelf = shop + "/" + article;
      const bool wanted = rain && shelf == "Leeds/umbrella";
      const std::int32_t delivered = 200 + random(200);
      day.push_back({midnight + 5h + seconds(random(3600)), shelf, delivered});
      const std::int32_t sold =
          wanted ? delivered + static_cast<std::int32_t>(stock.at(shelf)) : delivered / 2 + random(100);
      const seconds open = wanted ? seconds(3h + 30min) : seconds(12h);
      for (std::int32_t n = 0; n < sold; ++n) {
        day.push_back({midnight + 8h + seconds(random(static_cast<std::uint32_t>(open.count()))), shelf, -1});
      }
    }
  }
  std::ranges::stable_sort(day, {}, &synthetic_movement::time);
  return day;
}

/// Sends movements as time goes by, and keeps the shelves, which are what a stocktaking would find.
class shopkeeper {
 public:
  explicit shopkeeper(const leat::topic<movement>& movements) : out_(movements) {}

  void plan(std::vector<synthetic_movement> day) {
    day_ = std::move(day);
    next_ = 0;
  }
  void work_until(timestamp time) {
    for (; next_ < day_.size() && day_[next_].time < time; ++next_) {
      const synthetic_movement& m = day_[next_];
      out_.send(m.shelf, movement{m.pieces}, {.timestamp = m.time}).value();
      shelves_[m.shelf] += m.pieces;
    }
  }
  const std::map<std::string, std::int64_t>& shelves() const { return shelves_; }

 private:
  leat::producer<movement> out_;
  std::vector<synthetic_movement> day_;
  std::size_t next_ = 0;
  std::map<std::string, std::int64_t> shelves_;
};

// --- two days ---

void expect(bool right, const std::string& what) {
  if (!right) throw std::runtime_error(what);
}

void run() {
  const leat::store store = leat::store::in_process();
  const auto movements = store.topic<movement>("movements", {.partitions = 4, .segment_bytes = 256 << 10});
  const timestamp monday = std::chrono::sys_days(std::chrono::year(2026) / 3 / 2);
  const timestamp tuesday = monday + 24h;
  const timestamp wednesday = tuesday + 24h;

  std::mt19937 generator(20260302);
  shopkeeper keeper(movements);
  nightly_batch batch(movements);
  std::optional<live_inventory> stream(std::in_place, movements, inventory{}, monday);
  const auto agree = [&](const std::string& when) {
    expect(stream->answer().pieces == keeper.shelves(), "the stream is wrong " + when);
    expect(batch.answer().pieces == keeper.shelves(), "the batch is wrong " + when);
    std::cout << when << ", batch and stream agree on " << keeper.shelves().size() << " shelves\n";
  };

  keeper.plan(make_day(monday, false, keeper.shelves(), generator));
  keeper.work_until(tuesday);
  batch.run(monday, tuesday);
  agree("at midnight on Monday");

  const std::string shelf = "Leeds/umbrella";
  std::cout << "\nTuesday    age of the answer    umbrellas in Leeds, according to\n"
               "           batch     stream     batch   stream   the shelf\n";
  keeper.plan(make_day(tuesday, true, keeper.shelves(), generator));
  for (const auto hour : {9h, 11h, 12h, 15h, 18h}) {
    keeper.work_until(tuesday + hour);
    // The stream's process is restarted at three. It begins with what the batch has made, and reads from midnight on.
    if (hour == 15h) stream.emplace(movements, batch.answer(), tuesday);
    const inventory& live = stream->answer();
    const inventory& nightly = batch.answer();
    const auto hours = std::chrono::duration<double, std::ratio<3600>>(tuesday + hour - nightly.latest);
    const auto age = std::chrono::duration_cast<seconds>(tuesday + hour - live.latest);
    std::cout << std::setw(5) << hour.count() << ":00" << std::setw(7) << std::fixed << std::setprecision(1)
              << hours.count() << " h" << std::setw(8) << age.count() << " s" << std::setw(12)
              << nightly.pieces.at(shelf) << std::setw(8) << live.pieces.at(shelf) << std::setw(10)
              << keeper.shelves().at(shelf) << '\n';
    expect(live.pieces == keeper.shelves(), "the stream is wrong at " + std::to_string(hour.count()) + ":00");
    expect(age < 15min && hours > 12h, "an answer has another age than it should have");
  }
  std::cout << '\n';

  keeper.work_until(wednesday);
  batch.run(tuesday, wednesday);
  agree("at midnight on Tuesday");
}

}  // namespace

int main() {
  try {
    run();
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "retail_inventory: " << e.what() << '\n';
    return 1;
  }
}
