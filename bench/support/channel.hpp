// What a channel is: something that messages of one size go through, leat or what it is compared with.
//
// A channel is a class with
//     bytes            of a message
//     end              child or thread_end: what its senders and receivers are
//     holds_up         whether a full channel lets the sender wait by itself. If not, the receivers' progress does, see progress
//     crosses_kernel   whether each send is a system call
//     sender(i)        an object with send(message), and send_next(source), which sends one or a batch and says how many
//     receiver(i)      an object with receive(f), which calls f for each message that is there, perhaps none
//     window(), warm_up_messages()
// It is made before the ends are; its senders and receivers are made, and used, each in its own end.
#pragma once

#include "message.hpp"
#include "processes.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace bench {

enum class waiting { spin, block };

struct layout {
  unsigned producers = 1;
  unsigned consumers = 1;
  waiting wait = waiting::spin;
  /// More ends than cores: who waits gives the core away.
  bool shared_cores() const { return producers + consumers > cores(); }
  /// Producers and consumers take turns, so that the first of each are on two cores.
  static unsigned core_of_producer(unsigned i) { return 2 * i; }
  static unsigned core_of_consumer(unsigned i) { return 2 * i + 1; }
};

/// How long one measurement may take.
struct effort {
  std::chrono::nanoseconds warm_up = std::chrono::milliseconds(10);
  std::chrono::nanoseconds measured = std::chrono::milliseconds(50);
};

/// How far the receivers are: a log overruns who is slower than its retention, and a queue without bounds grows, so producers
/// stay within a window of the slowest receiver. One store a poll, and a load once the window is used up; the same for all.
class progress {
 public:
  static constexpr unsigned most = 4;

  void publish(unsigned consumer, const message_check& check, unsigned producers) noexcept {
    for (unsigned p = 0; p < producers; ++p) {
      lines_[consumer].received[p].store(check.received(p), std::memory_order_release);
    }
  }
  std::uint64_t slowest(unsigned producer, unsigned consumers) const noexcept {
    std::uint64_t least = ~std::uint64_t{0};
    for (unsigned c = 0; c < consumers; ++c) {
      least = std::min(least, lines_[c].received[producer].load(std::memory_order_acquire));
    }
    return least;
  }

 private:
  struct alignas(128) line {
    std::atomic<std::uint64_t> received[most];
  };
  line lines_[most];
};

/// Lets a producer wait until `upto` of its messages may have been sent.
template <class Channel>
class room {
 public:
  room(const Channel& channel, const progress& of, unsigned producer, const layout& ends)
      : of_(of), producer_(producer), ends_(ends), window_(channel.window() / ends.producers) {}

  void wait_for(std::uint64_t upto) {
    if constexpr (!Channel::holds_up) {
      while (upto > upto_) {
        upto_ = of_.slowest(producer_, ends_.consumers) + window_;
        if (upto > upto_) wait_a_little(ends_.shared_cores());
      }
    }
  }

 private:
  const progress& of_;
  unsigned producer_;
  const layout ends_;
  std::uint64_t window_;
  std::uint64_t upto_ = 0;
};

}  // namespace bench
