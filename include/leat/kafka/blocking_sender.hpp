// A sender that waits: records of one thread, until they are acknowledged.
//
// What a producer and its loans have in common; it stays where it is when the producer moves.
//
// Threads    one at a time.
#pragma once

#include <leat/kafka/sender.hpp>
#include <leat/options.hpp>
#include <leat/result.hpp>
#include <leat/types.hpp>

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace leat::kafka {

class blocking_sender {
 public:
  /// `longest`: how long a record waits for room in librdkafka's queue. Throws invalid_argument.
  blocking_sender(std::chrono::nanoseconds longest, std::shared_ptr<cluster> of, std::string topic,
                  partitioner_function partitioner, const property_map& properties)
      : max_block_(longest), out_(std::move(of), std::move(topic), std::move(partitioner), properties) {}

  const sender& out() const noexcept { return out_; }

  struct report final : delivery_report {
    void delivered(const result<record_position>& o, rd_kafka_resp_err_t code) noexcept override {
      outcome = o;
      why = code;
      done = true;
    }
    result<record_position> outcome = errc::system;
    rd_kafka_resp_err_t why = RD_KAFKA_RESP_ERR_NO_ERROR;
    bool done = false;
  };

  /// Records on their way; waits for them in any case, since their reports are here.
  struct in_flight {
    explicit in_flight(blocking_sender& s) noexcept : by(s) {}
    ~in_flight() { wait(); }
    in_flight(const in_flight&) = delete;
    in_flight& operator=(const in_flight&) = delete;

    errc send(const std::optional<bytes_view>& key, const std::optional<bytes_view>& value,
              const send_options& how) const {
      report& r = reports.emplace_back();
      const auto start = std::chrono::steady_clock::now();
      for (;;) {
        const errc refusal = by.out_.hand_over(key, value, how, r);
        if (refusal == errc::ok) return refusal;
        if (refusal != errc::back_pressure || std::chrono::steady_clock::now() - start >= by.max_block_) {
          r.delivered(refusal, by.out_.last_refusal());
          return refusal;
        }
        by.out_.poll(a_while);
      }
    }
    void wait() const noexcept {
      for (const report& r : reports) {
        while (!r.done) by.out_.poll(a_while);
      }
    }

    blocking_sender& by;
    mutable std::deque<report> reports;
  };

  /// One record. The errors of producer::send().
  result<record_position> send(const std::optional<bytes_view>& key, const std::optional<bytes_view>& value,
                               const send_options& options) {
    const in_flight one(*this);
    (void)one.send(key, value, options);
    one.wait();
    const report& r = one.reports.front();
    if (!r.outcome) note(r);
    return r.outcome;
  }

  void note(const report& failed) { last_failure_ = out_.explain(failed.why); }
  /// In librdkafka's words.
  const std::string& last_failure() const noexcept { return last_failure_; }

 private:
  static constexpr std::chrono::milliseconds a_while{100};

  std::chrono::nanoseconds max_block_;
  sender out_;
  std::string last_failure_;
};

}  // namespace leat::kafka
