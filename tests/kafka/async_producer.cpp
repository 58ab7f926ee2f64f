#include <leat/kafka/async_producer.hpp>

#include "kafka/place.hpp"
#include "support/catch.hpp"

#include <librdkafka/rdkafka_mock.h>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace kafka_async_producer {

using kafka_tests::place;
using leat::errc;
using leat::record_position;
using namespace std::chrono_literals;

TEST_CASE("futures and callbacks say where each record is in the order in which it was handed over") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::async_producer out{topic};
  std::vector<std::future<leat::send_outcome>> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(out.send("k", std::to_string(i)));
  for (std::size_t i = 0; i < futures.size(); ++i) CHECK(futures[i].get().value() == record_position{0, i});
  std::vector<std::uint64_t> offsets;
  for (int i = 0; i < 50; ++i) {
    out.send_then("k", "v", [&](const auto& outcome) { offsets.push_back(outcome->offset); }).value();
  }
  out.flush().value();
  REQUIRE(offsets.size() == 50);
  for (std::size_t i = 0; i < 50; ++i) CHECK(offsets[i] == 100 + i);
  CHECK(out.queued_records() == 0);
  CHECK(topic.end_offset(0) == 150);
}

TEST_CASE("a full queue is back pressure and has room again when records are acknowledged") {
  place p;
  leat::kafka::async_producer out{p.topic<std::string>("t"), {.max_queued_records = 2, .max_block = 0ms}};
  rd_kafka_mock_broker_set_rtt(p.cluster.get(), -1, 2000);  // so that the first two stay for a while
  auto first = out.send("1");
  auto second = out.send("2");
  CHECK(out.send("3").get().error() == errc::back_pressure);
  rd_kafka_mock_broker_set_rtt(p.cluster.get(), -1, 0);
  CHECK(first.get());
  CHECK(second.get());
  out.flush().value();
  CHECK(out.send("4").get());
}

TEST_CASE("what was accepted before a close is completed and nothing is accepted behind it") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::async_producer out{topic};
  std::atomic<int> done = 0;
  for (int i = 0; i < 20; ++i) out.send_then("k", "v", [&](const auto& o) { done += o ? 1 : 0; }).value();
  out.close();
  CHECK(done == 20);
  CHECK(out.send("late").get().error() == errc::closed);
  CHECK(topic.end_offset(0) == 20);
}

TEST_CASE("a refusal is an outcome and what a callback throws is told") {
  place p;
  std::atomic<int> told = 0;
  leat::kafka::async_producer out{p.topic<std::string>("t"), {.on_exception = [&](std::exception_ptr) { ++told; }}};
  CHECK(out.send("k", "v", {.partition = 1}).get().error() == errc::invalid_argument);
  out.send_then("k", "v", [](const auto&) { throw std::runtime_error("no"); }).value();
  out.flush().value();
  CHECK(told == 1);
  std::promise<errc> in_callback;
  out.send_then("k", "v", [&](const auto&) { in_callback.set_value(out.flush().error()); }).value();
  CHECK(in_callback.get_future().get() == errc::invalid_argument);
}

TEST_CASE("many threads may hand over and each finds its order kept") {
  place p;
  const auto topic = p.topic<std::string>("t");
  leat::kafka::async_producer out{topic};
  std::vector<std::thread> threads;
  std::atomic<int> in_order = 0;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      auto handle = out.make_handle();
      std::vector<std::future<leat::send_outcome>> mine;
      for (int i = 0; i < 200; ++i) mine.push_back(handle.send("v"));
      std::uint64_t least = 0;
      bool rises = true;
      for (auto& f : mine) {
        const std::uint64_t offset = f.get()->offset;
        rises = rises && offset >= least;
        least = offset + 1;
      }
      in_order += rises ? 1 : 0;
    });
  }
  for (auto& t : threads) t.join();
  CHECK(in_order == 3);
  CHECK(topic.end_offset(0) == 600);
}

}  // namespace kafka_async_producer
