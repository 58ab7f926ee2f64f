// What an append costs where nobody reads: alone, with a second writer beside, and where a segment ends.
#include "support/log_channel.hpp"
#include "support/suite.hpp"

#include <concurrentqueue.h>

#include <algorithm>
#include <deque>

namespace bench {

namespace {

constexpr std::size_t record_bytes = 32;
using payload = message<record_bytes>;

/// Sends until the time is over, and says how many nanoseconds a record took.
template <class Sender, class Source>
double nanoseconds_a_record(Sender& out, Source& source, std::chrono::nanoseconds time) {
  const std::uint64_t before = source.sent();
  const std::int64_t begin = now();
  std::int64_t end = begin;
  do {
    for (int i = 0; i < 1024; ++i) out.send_next(source);
  } while ((end = now()) < begin + time.count());
  return static_cast<double>(end - begin) / static_cast<double>(source.sent() - before);
}

template <sending How>
double alone(const log_choice& choice, const effort& effort) {
  log_channel<record_bytes, How> topic({}, choice);
  auto out = topic.sender(0);
  message_source<record_bytes> source(0);
  while (source.sent() < topic.warm_up_messages()) out.send_next(source);
  return nanoseconds_a_record(out, source, effort.measured);
}

/// Several producers at once; millions of records a second, all together.
template <sending How>
double together(unsigned producers, const effort& effort) {
  struct state {
    std::atomic<unsigned> ready{0};
    alignas(64) std::atomic<double> rates[4];
  };
  log_channel<record_bytes, How> topic({}, log_choice{});
  shared<state> s;
  const auto work = [&](unsigned p) {
    auto out = topic.sender(p);
    message_source<record_bytes> source(p);
    while (source.sent() < topic.warm_up_messages()) out.send_next(source);
    for (++s->ready; s->ready < producers;) pause();
    s->rates[p] = 1e3 / nanoseconds_a_record(out, source, effort.measured);
    return true;
  };
  std::deque<child> others;
  for (unsigned p = 1; p < producers; ++p) others.emplace_back([&, p] { return work(p); }, p);
  work(0);
  for (auto& other : others) other.join();
  double sum = 0;
  for (unsigned p = 0; p < producers; ++p) sum += s->rates[p];
  return sum;
}

/// The same into a ConcurrentQueue, which does not recycle by itself: its memory is there before, each producer has a token, fills
/// its part in the measured time and empties it outside of it.
template <bool Bulk>
double queue_together(unsigned producers, const effort& effort) {
  constexpr std::size_t part = 1 << 16;
  moodycamel::ConcurrentQueue<payload> queue(producers * 2 * part, producers, 0);
  struct state {
    std::atomic<unsigned> rounds{0};
    double rates[4];
  } s;
  const auto work = [&](unsigned p) {
    moodycamel::ProducerToken token(queue);
    message_source<record_bytes> source(p);
    std::vector<payload> taken(1024);
    std::int64_t elapsed = 0;
    std::uint64_t sent = 0;
    bool well = true;
    const std::int64_t until = now() + effort.measured.count() * 2;  // to take out again takes about as long
    // The first round touches the memory. All begin each round together.
    for (unsigned round = 1; round <= 2 || now() < until; ++round) {
      if (round <= 2) {
        for (++s.rounds; s.rounds < round * producers;) pause();
      }
      const std::int64_t begin = now();
      for (std::size_t i = 0; i < part;) {
        if constexpr (Bulk) {
          const auto batch = source.many();
          well = queue.enqueue_bulk(token, batch.data(), batch.size()) && well;
          i += batch.size();
        } else {
          well = queue.enqueue(token, source.one()) && well;
          ++i;
        }
      }
      if (round > 1) {
        elapsed += now() - begin;
        sent += part;
      }
      for (std::size_t left = part; left != 0;) {
        const std::size_t n = queue.try_dequeue_bulk_from_producer(token, taken.begin(), taken.size());
        for (std::size_t i = 0; i < n; ++i) well = is_whole(taken[i]) && well;
        left -= n;
      }
    }
    s.rates[p] = static_cast<double>(sent) / static_cast<double>(elapsed) * 1e3;
    return well;
  };
  std::deque<thread_end> others;
  for (unsigned p = 1; p < producers; ++p) others.emplace_back([&, p] { return work(p); }, p);
  if (!work(0)) throw std::runtime_error("the queue failed");
  for (auto& other : others) other.join();
  double sum = 0;
  for (unsigned p = 0; p < producers; ++p) sum += s.rates[p];
  return sum;
}

enum class appends { that_roll, that_do_not };

/// Times of single appends, in steady state and small segments: those that begin a segment, or all others. What prepares the next
/// segment is among the others. Which they are is looked up behind each append, and not timed.
histogram single_appends(appends which, bool single_writer, const effort& effort) {
  constexpr std::uint64_t segment_bytes = 256 << 10;
  const temporary_store guard;
  const auto topic = guard.store.topic<payload>(
      "appends", {.segment_bytes = segment_bytes,
                  .retention = {.bytes = 4 * segment_bytes},
                  .expected_record_bytes = static_cast<std::uint32_t>(record_bytes + leat::format::compact_prefix),
                  .single_writer = single_writer});
  leat::producer out{topic};
  message_source<record_bytes> source(0);
  leat::storage::partition& partition = topic.log()->partition(0);
  histogram latencies;
  (void)ticks::nanoseconds(1);
  while (source.sent() < 8 * segment_bytes / record_bytes) out.send(source.one(), at_epoch).value();
  auto segments = partition.segments();
  for (const auto until = now() + effort.measured.count(); now() < until;) {
    for (int i = 0; i < 256; ++i) {
      const payload& value = source.one();
      const std::uint64_t begin = ticks::read();
      out.send(value, at_epoch).value();
      const std::uint64_t end = ticks::read();
      const auto after = partition.segments();
      if ((after.begun != segments.begun) == (which == appends::that_roll))
        latencies.record(ticks::nanoseconds(end - begin));
      segments = after;
    }
  }
  return latencies;
}

/// What the two reads of the counter take that are in each of the times above.
histogram nothing(const effort& effort) {
  histogram latencies;
  (void)ticks::nanoseconds(1);
  for (const auto until = now() + effort.measured.count(); now() < until;) {
    for (int i = 0; i < 256; ++i) {
      const std::uint64_t begin = ticks::read();
      latencies.record(ticks::nanoseconds(ticks::read() - begin));
    }
  }
  return latencies;
}

}  // namespace

}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  suite all("appends", argc, argv);
  for (const bool single_writer : {false, true}) {
    const std::string writers = single_writer ? "single writer" : "any writers";
    const log_choice choice{.single_writer = single_writer};
    const auto subject_of = [&](const char* how) {
      return subject{.kind = "append", .name = "leat", .variant = writers + how, .unit = "ns", .bytes = record_bytes};
    };
    all.add(subject_of(""), [=](const effort& e) { return alone<sending::single>(choice, e); });
    all.add(subject_of(", batches"), [=](const effort& e) { return alone<sending::batch>(choice, e); });
    all.add(subject_of(", claimed"), [=](const effort& e) { return alone<sending::claim>(choice, e); });
    for (const appends which : {appends::that_do_not, appends::that_roll}) {
      all.add_latencies({.kind = "roll",
                         .name = "leat",
                         .variant = writers + (which == appends::that_roll ? ", appends that roll" : ", all others"),
                         .unit = "ns",
                         .bytes = record_bytes},
                        [=](const effort& e) { return single_appends(which, single_writer, e); });
    }
  }
  all.add_latencies({.kind = "roll", .name = "reading the clock twice", .unit = "ns", .bytes = record_bytes}, nothing);
  for (unsigned producers = 1; producers <= std::min(cores(), 4U); ++producers) {
    const auto subject_of = [&](const char* name, const char* variant) {
      return subject{.kind = "append_together",
                     .name = name,
                     .variant = variant,
                     .unit = "M/s",
                     .bytes = record_bytes,
                     .producers = producers};
    };
    all.add(subject_of("leat", "any writers"),
            [=](const effort& e) { return together<sending::single>(producers, e); });
    all.add(subject_of("leat", "any writers, batches"),
            [=](const effort& e) { return together<sending::batch>(producers, e); });
    all.add(subject_of("ConcurrentQueue", "tokens"),
            [=](const effort& e) { return queue_together<false>(producers, e); });
    all.add(subject_of("ConcurrentQueue", "tokens, bulk"),
            [=](const effort& e) { return queue_together<true>(producers, e); });
  }
  return all.run();
}
