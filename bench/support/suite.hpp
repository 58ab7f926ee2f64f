// A program's measurements: collected, run in turns, printed, and written as JSON.
//
// Repetitions are interleaved (A B C A B C ...), so that what disturbs the machine disturbs all of them. All together take no
// longer than the program was given: the time that a measurement may take is what is left, divided.
//
//     suite [--seconds N] [--repetitions N] [--json FILE] [--only TEXT] [--list]
#pragma once

#include "channel.hpp"
#include "histogram.hpp"
#include "latency.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// What was measured. Fields that say nothing are not written.
struct subject {
  std::string kind{};     // the question: throughput, round_trip, ...
  std::string name{};     // who answers it: "leat", "ring", "pipe"
  std::string variant{};  // "any writers", "single writer, batches of 32"
  std::string unit{};
  std::size_t bytes = 0;
  unsigned producers = 0;
  unsigned consumers = 0;
  double rate = 0;     // messages a second
  std::string note{};  // what a reader must know to take it as it is meant

  std::string text() const;
};

class suite {
 public:
  suite(std::string program, int argc, char** argv);

  /// A figure for each repetition. `share`: of the time, compared with others.
  void add(subject what, std::function<double(const effort&)> run, double share = 1);
  /// Latencies; those of the repetitions are added up, and the percentiles of each are kept.
  void add_latencies(subject what, std::function<histogram(const effort&)> run, double share = 1);
  void add_rated(subject what, std::function<rated(const effort&)> run, double share = 1);
  /// A figure that is measured once, however many repetitions there are.
  void add_once(subject what, std::function<double(const effort&)> run);

  /// What is not compared with, and what would have to be installed.
  void missing(const std::string& name, const std::string& package);

  /// Whether little time was given: what is big can be made smaller.
  bool quick() const { return seconds_ < 15; }

  /// The exit status.
  int run();

 private:
  struct measurement {
    subject what;
    std::function<double(const effort&)> value;
    std::function<rated(const effort&)> latencies;
    double share = 1;
    bool once = false;
    std::vector<double> values{};
    std::vector<rated> repetitions{};
    double seconds = 0;
  };

  void add(measurement m);
  void measure(measurement& m, const effort& effort);
  void print() const;
  void write_json() const;

  std::string program_;
  double seconds_ = 60;
  int repetitions_ = 5;
  std::string json_;
  std::string only_;
  bool list_ = false;
  std::vector<measurement> measurements_;
  std::map<std::string, std::string> missing_;
};

double median(std::vector<double> values);

}  // namespace bench
