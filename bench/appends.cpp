// What an append costs where nobody reads: alone, with a second writer beside, and where a segment ends.
#include "support/log_channel.hpp"
#include "support/suite.hpp"

#include <concurrentqueue.h>

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

/// Times of single appends. With segments so small that one in a few hundred appends rolls, and as large as never to roll.
histogram single_appends(bool rolls, bool single_writer, const effort& effort) {
  const temporary_store guard;
  leat::topic_options options{.segment_bytes = rolls ? 64 << 10 : 256 << 20,
                              .retention = {.bytes = rolls ? 256 << 10 : 512 << 20},
                              .expected_record_bytes = record_bytes + leat::format::compact_prefix,
                              .single_writer = single_writer};
  const auto topic = guard.store.topic<payload>("appends", options);
  leat::producer out{topic};
  message_source<record_bytes> source(0);
  const auto append = [&](const payload& value) {
    const std::uint64_t begin = ticks::read();
    out.send(value, at_epoch).value();
    return ticks::read() - begin;
  };
  // Where nothing rolls, pages are new: they are touched by a first producer, whose records a new topic would not have. So the
  // largest part of the segment is left alone, and what the measured appends use is read once before.
  histogram latencies;
  (void)ticks::nanoseconds(1);
  if (rolls) {
    for (int i = 0; i < 50'000; ++i) (void)append(source.one());
  } else {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(guard.store.path())) (void)entry;
  }
  for (const auto until = now() + effort.measured.count(); now() < until;) {
    for (int i = 0; i < 256; ++i) latencies.record(ticks::nanoseconds(append(source.one())));
  }
  return latencies;
}

}  // namespace

}  // namespace bench
