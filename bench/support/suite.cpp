#include "suite.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>

#include <string.h>

namespace bench {

namespace {

constexpr std::array quantiles{std::pair{"p50", 0.5}, std::pair{"p90", 0.9}, std::pair{"p99", 0.99},
                               std::pair{"p99.9", 0.999}, std::pair{"p99.99", 0.9999}};

/// Named when the time is over: a measurement that hangs must not hang all.
char current_measurement[256];

void give_up(int) {
  (void)!::write(2, "no end of: ", 11);
  (void)!::write(2, current_measurement, ::strlen(current_measurement));
  (void)!::write(2, "\n", 1);
  ::_exit(3);
}

nlohmann::ordered_json json_of(const subject& s) {
  nlohmann::ordered_json json{{"kind", s.kind}, {"name", s.name}};
  if (!s.variant.empty()) json["variant"] = s.variant;
  json["unit"] = s.unit;
  if (s.bytes != 0) json["bytes"] = s.bytes;
  if (s.producers != 0) json["producers"] = s.producers;
  if (s.consumers != 0) json["consumers"] = s.consumers;
  if (s.rate != 0) json["rate"] = s.rate;
  if (!s.note.empty()) json["note"] = s.note;
  return json;
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[values.size() / 2];
}

std::string subject::text() const {
  std::string all = kind + ": " + name;
  if (!variant.empty()) all += ", " + variant;
  if (bytes != 0) all += ", " + std::to_string(bytes) + " B";
  if (producers > 1 || consumers > 1) all += ", " + std::to_string(producers) + ":" + std::to_string(consumers);
  if (rate != 0) all += ", " + std::to_string(static_cast<long>(rate)) + "/s";
  return all;
}

suite::suite(std::string program, int argc, char** argv) : program_(std::move(program)) {
  CLI::App app("One of leat's benchmarks");
  app.add_option("--seconds", seconds_, "What all measurements together may take")->capture_default_str();
  app.add_option("--repetitions", repetitions_, "How often each is repeated")->capture_default_str();
  app.add_option("--json", json_, "Where the results are written");
  app.add_option("--only", only_, "Only measurements whose description contains this");
  app.add_flag("--list", list_, "Say what would be measured");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e));
  }
}

void suite::add(measurement m) {
  if (m.what.text().find(only_) != std::string::npos) measurements_.push_back(std::move(m));
}

void suite::add(subject what, std::function<double(const effort&)> run, double share) {
  add({.what = std::move(what), .value = std::move(run), .latencies = {}, .share = share});
}

void suite::add_latencies(subject what, std::function<histogram(const effort&)> run, double share) {
  add_rated(std::move(what), [run = std::move(run)](const effort& e) { return rated{run(e), true}; }, share);
}

void suite::add_rated(subject what, std::function<rated(const effort&)> run, double share) {
  add({.what = std::move(what), .value = {}, .latencies = std::move(run), .share = share});
}

void suite::add_once(subject what, std::function<double(const effort&)> run) {
  add({.what = std::move(what), .value = std::move(run), .latencies = {}, .once = true});
}

void suite::missing(const std::string& name, const std::string& package) { missing_[name] = package; }

void suite::measure(measurement& m, const effort& e) {
  ::strncpy(current_measurement, m.what.text().c_str(), sizeof current_measurement - 1);
  ::alarm(60 + static_cast<unsigned>(20 * std::chrono::duration<double>(e.measured).count()));
  const auto begin = clock::now();
  if (m.value) {
    m.values.push_back(m.value(e));
  } else {
    m.repetitions.push_back(m.latencies(e));
  }
  m.seconds = nanoseconds_since(begin) / 1e9;
  ::alarm(0);
}

int suite::run() {
  if (list_) {
    for (const auto& m : measurements_) std::cout << m.what.text() << '\n';
    return 0;
  }
  for (const auto& [name, package] : missing_) {
    std::cout << program_ << ": not compared with " << name << ", which is not installed (Debian: " << package << ")\n";
  }
  // What is compared stands side by side.
  std::ranges::stable_sort(measurements_, {},
                           [](const measurement& m) { return std::pair(m.what.kind, m.what.bytes); });
  ::signal(SIGALRM, give_up);
  pin_to_core(0);
  const auto begin = clock::now();
  // What a repetition takes beside the measured time is known once one was done; until then it is taken for small.
  double overhead = 0;
  for (int r = 0; r < repetitions_; ++r) {
    const double left = seconds_ - nanoseconds_since(begin) / 1e9;
    double shares = 0;
    for (const auto& m : measurements_) shares += m.once && r > 0 ? 0 : m.share;
    // The first repetition is kept short, as its overhead is not known.
    const double part = (left / (repetitions_ - r) - overhead) / std::max(shares, 1.0) * (r == 0 ? 0.5 : 0.95);
    const double a_share = std::clamp(part, 0.002, 1.0);
    double measured = 0;
    const auto repetition_begin = clock::now();
    for (auto& m : measurements_) {
      if (m.once && r > 0) continue;
      const std::chrono::duration<double> time(a_share * m.share);
      const auto whole = std::chrono::duration_cast<std::chrono::nanoseconds>(time);
      try {
        measure(m, {.warm_up = whole / 5, .measured = whole - whole / 5});
      } catch (const std::exception& e) {
        std::cerr << m.what.text() << ": " << e.what() << '\n';
        return 1;
      }
      if (!m.once) measured += time.count();
    }
    overhead = std::max(0.0, nanoseconds_since(repetition_begin) / 1e9 - measured);
    if (!json_.empty()) write_json();
  }
  print();
  return 0;
}

void suite::print() const {
  std::cout << program_ << ": medians of " << repetitions_ << " repetitions (range)\n";
  for (const auto& m : measurements_) {
    std::cout << "  " << std::left << std::setw(72) << m.what.text() << std::right << std::fixed;
    if (m.value) {
      const auto [least, most] = std::ranges::minmax(m.values);
      std::cout << std::setprecision(median(m.values) < 10 ? 3 : 1) << std::setw(10) << median(m.values) << ' '
                << m.what.unit << " (" << least << " to " << most << ")\n";
      continue;
    }
    histogram all;
    for (const auto& r : m.repetitions) all += r.latencies;
    for (const auto& [name, quantile] : quantiles) std::cout << "  " << name << ' ' << all.at(quantile);
    std::cout << "  most " << all.most() << ' ' << m.what.unit << ", " << all.samples() << " samples";
    std::cout << (std::ranges::all_of(m.repetitions, &rated::sustained) ? "\n" : "; the rate was not reached\n");
  }
}

void suite::write_json() const {
  nlohmann::ordered_json results = nlohmann::json::array();
  for (const auto& m : measurements_) {
    nlohmann::ordered_json json = json_of(m.what);
    json["seconds"] = m.seconds;
    if (m.value) {
      json["values"] = m.values;
    } else {
      histogram all;
      nlohmann::ordered_json percentiles = nlohmann::json::array();
      for (const auto& r : m.repetitions) {
        all += r.latencies;
        nlohmann::ordered_json these;
        for (const auto& [name, quantile] : quantiles) these[name] = r.latencies.at(quantile);
        these["max"] = r.latencies.most();
        percentiles.push_back(these);
      }
      json["samples"] = all.samples();
      json["sustained"] = std::ranges::all_of(m.repetitions, &rated::sustained);
      json["percentiles"] = percentiles;
      json["histogram"] = all.counts();
    }
    results.push_back(json);
  }
  const nlohmann::ordered_json all{{"program", program_},
                                   {"repetitions", repetitions_},
                                   {"seconds", seconds_},
                                   {"missing", missing_},
                                   {"results", results}};
  std::ofstream(json_ + ".new") << all.dump(1) << '\n';
  std::rename((json_ + ".new").c_str(), json_.c_str());
}

}  // namespace bench
