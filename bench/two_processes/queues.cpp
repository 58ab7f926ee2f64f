// Queues between threads of one process, which keep nothing: moodycamel's ConcurrentQueue, and its ReaderWriterQueue for one
// producer and one consumer.
#include "subjects.hpp"

// GCC 12 finds fault with the queue's own inlined code.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif

#if __has_include(<concurrentqueue.h>)
#define LEAT_BENCH_QUEUES 1
#include <blockingconcurrentqueue.h>
#include <concurrentqueue.h>
#endif
#if __has_include(<readerwriterqueue/readerwriterqueue.h>)
#define LEAT_BENCH_READER_WRITER_QUEUE 1
#include <readerwriterqueue/readerwriterqueue.h>
#endif

namespace bench {

namespace {

#ifdef LEAT_BENCH_QUEUES

/// With a token for each producer, and one for the consumer. `Bulk`: a batch at a time.
template <std::size_t Bytes, class Queue, bool Bulk>
class concurrent_queue {
 public:
  static constexpr std::size_t bytes = Bytes;
  static constexpr bool holds_up = false;
  static constexpr bool crosses_kernel = false;
  using end = thread_end;
  using message_type = message<Bytes>;

  explicit concurrent_queue(const layout& ends) : wait_(ends.wait), queue_(2 * window(), ends.producers, 0) {}
  /// As much memory as leat has in its two segments.
  std::uint64_t window() const { return (2 << 20) / Bytes; }
  std::uint64_t warm_up_messages() const { return 2 * window(); }

  class sender_type {
   public:
    explicit sender_type(Queue& queue) : queue_(queue), token_(queue) {}
    void send(const message_type& m) {
      if (!queue_.enqueue(token_, m)) throw std::bad_alloc();
    }
    template <class Source>
    void send_next(Source& source) {
      if constexpr (Bulk) {
        const auto batch = source.many();
        if (!queue_.enqueue_bulk(token_, batch.data(), batch.size())) throw std::bad_alloc();
      } else {
        send(source.one());
      }
    }

   private:
    Queue& queue_;
    moodycamel::ProducerToken token_;
  };

  class receiver_type {
   public:
    receiver_type(Queue& queue, waiting wait) : queue_(queue), token_(queue), wait_(wait) {}
    template <class F>
    void receive(F&& f) {
      std::size_t n = 0;
      if constexpr (requires { queue_.wait_dequeue_bulk(token_, taken_.begin(), taken_.size()); }) {
        if (wait_ == waiting::block) n = queue_.wait_dequeue_bulk(token_, taken_.begin(), taken_.size());
      }
      if (n == 0) n = queue_.try_dequeue_bulk(token_, taken_.begin(), Bulk ? taken_.size() : 1);
      for (std::size_t i = 0; i < n; ++i) f(taken_[i]);
    }

   private:
    Queue& queue_;
    moodycamel::ConsumerToken token_;
    waiting wait_;
    std::array<message_type, message_source<Bytes>::batch> taken_;
  };

  sender_type sender(unsigned) { return sender_type(queue_); }
  receiver_type receiver(unsigned) { return receiver_type(queue_, wait_); }

 private:
  waiting wait_;
  Queue queue_;
};

template <std::size_t Bytes, bool Bulk>
using spinning_queue = concurrent_queue<Bytes, moodycamel::ConcurrentQueue<message<Bytes>>, Bulk>;
template <std::size_t Bytes>
using blocking_queue = concurrent_queue<Bytes, moodycamel::BlockingConcurrentQueue<message<Bytes>>, false>;

#endif

#ifdef LEAT_BENCH_READER_WRITER_QUEUE

/// As large as the ring; try_enqueue never allocates, so the sender waits when it is full. What is received is read in place.
template <std::size_t Bytes>
class reader_writer_queue {
 public:
  static constexpr std::size_t bytes = Bytes;
  static constexpr bool holds_up = true;
  static constexpr bool crosses_kernel = false;
  using end = thread_end;
  using message_type = message<Bytes>;
  using queue_type = moodycamel::ReaderWriterQueue<message_type>;

  explicit reader_writer_queue(const layout&) : queue_((1 << 20) / Bytes) {}
  std::uint64_t window() const { return (1 << 20) / Bytes; }
  std::uint64_t warm_up_messages() const { return 2 * window(); }

  class end_type {
   public:
    explicit end_type(queue_type& queue) : queue_(queue) {}
    void send(const message_type& m) {
      while (!queue_.try_enqueue(m)) pause();
    }
    template <class Source>
    void send_next(Source& source) {
      send(source.one());
    }
    template <class F>
    void receive(F&& f) {
      const message_type* const first = queue_.peek();
      if (first == nullptr) {
        pause();
        return;
      }
      f(*first);
      queue_.pop();
    }

   private:
    queue_type& queue_;
  };
  end_type sender(unsigned) { return end_type(queue_); }
  end_type receiver(unsigned) { return end_type(queue_); }

 private:
  queue_type queue_;
};

#endif

}  // namespace

void add_queues([[maybe_unused]] suite& all) {
#ifdef LEAT_BENCH_QUEUES
  for_each_size([&](auto size) {
    add_throughput<spinning_queue<size(), false>>(all, "ConcurrentQueue", "tokens");
    add_throughput<spinning_queue<size(), true>>(all, "ConcurrentQueue", "tokens, bulk");
    add_round_trips<spinning_queue<size(), false>>(all, "ConcurrentQueue", "tokens");
  });
  for (unsigned producers = 2; producers <= 4; ++producers) {
    add_throughput<spinning_queue<32, false>>(all, "ConcurrentQueue", "tokens", {.producers = producers});
    add_throughput<spinning_queue<32, true>>(all, "ConcurrentQueue", "tokens, bulk", {.producers = producers});
  }
  add_rates<spinning_queue<64, false>>(all, "ConcurrentQueue", "tokens");
  add_wake_ups<blocking_queue<64>>(all, "ConcurrentQueue", "blocking");
#else
  all.missing("ConcurrentQueue", "libconcurrentqueue-dev");
#endif
#ifdef LEAT_BENCH_READER_WRITER_QUEUE
  for_each_size([&](auto size) {
    add_throughput<reader_writer_queue<size()>>(all, "ReaderWriterQueue", "");
    add_round_trips<reader_writer_queue<size()>>(all, "ReaderWriterQueue", "");
  });
  add_rates<reader_writer_queue<64>>(all, "ReaderWriterQueue", "");
#else
  all.missing("ReaderWriterQueue", "libreaderwriterqueue-dev");
#endif
}

}  // namespace bench
