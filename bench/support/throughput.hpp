// Throughput of a channel: some producers, some consumers, as fast as it goes for a given time, all checked.
#pragma once

#include "channel.hpp"
#include "clock.hpp"

#include <deque>

namespace bench {

/// Millions of messages a second, those of all producers together, from the first that is sent until each consumer has all
/// (consumers of a log) or all have been consumed (of a queue).
template <class Channel, class... Arguments>
double throughput(const layout& ends, const effort& effort, const Arguments&... arguments) {
  struct state {
    alignas(64) std::atomic<unsigned> ready{0};
    alignas(64) std::atomic<unsigned> phase{0};  // 1: warming up, 2: measured
    alignas(64) std::atomic<unsigned> consumed{0};
    alignas(64) std::atomic<std::uint64_t> sent{0};
    progress received;
  };
  const bool shared_cores = ends.shared_cores();
  Channel channel(ends, arguments...);
  shared<state> s;

  const auto produce = [&](auto& out, auto& source, auto& room, unsigned phase) {
    const std::uint64_t before = source.sent();
    const std::uint64_t at_least = phase == 1 ? channel.warm_up_messages() / ends.producers : 0;
    const auto until = now() + (phase == 1 ? effort.warm_up : effort.measured).count();
    do {
      for (int i = Channel::crosses_kernel ? 8 : 256; i > 0; --i) {
        room.wait_for(source.sent() + source.batch);
        out.send_next(source);
      }
    } while (now() < until || source.sent() < at_least);
    if (phase == 2) s->sent += source.sent() - before + 1;
    room.wait_for(source.sent() + 1);
    out.send(source.last());
  };
  const auto wait_for = [&](const std::atomic<unsigned>& word, unsigned value) {
    while (word.load(std::memory_order_acquire) < value) wait_a_little(shared_cores);
  };

  std::deque<typename Channel::end> others;
  for (unsigned c = 0; c < ends.consumers; ++c) {
    others.emplace_back(
        [&, c] {
          auto in = channel.receiver(c);
          message_check check;
          bool well = true;
          ++s->ready;
          for (unsigned phase = 1; phase <= 2; ++phase) {
            while (check.ended() < phase * ends.producers && well) {
              bool any = false;
              in.receive([&](const message<Channel::bytes>& m) {
                any = true;
                well = check.accept(m) && well;
              });
              if constexpr (!Channel::holds_up) {
                if (any) s->received.publish(c, check, ends.producers);
              }
              if (!any && shared_cores) ::sched_yield();
            }
            if (!well) return false;
            ++s->consumed;
          }
          return true;
        },
        layout::core_of_consumer(c));
  }
  for (unsigned p = 1; p < ends.producers; ++p) {
    others.emplace_back(
        [&, p] {
          auto out = channel.sender(p);
          message_source<Channel::bytes> source(p);
          room<Channel> room(channel, s->received, p, ends);
          ++s->ready;
          for (unsigned phase = 1; phase <= 2; ++phase) {
            wait_for(s->phase, phase);
            produce(out, source, room, phase);
          }
          wait_for(s->consumed, 2 * ends.consumers);  // what it has sent may go with it
          return true;
        },
        layout::core_of_producer(p));
  }

  auto out = channel.sender(0);
  message_source<Channel::bytes> source(0);
  room<Channel> room(channel, s->received, 0, ends);
  wait_for(s->ready, ends.producers - 1 + ends.consumers);
  std::int64_t begin = 0;
  for (unsigned phase = 1; phase <= 2; ++phase) {
    begin = now();
    s->phase = phase;
    produce(out, source, room, phase);
    wait_for(s->consumed, phase * ends.consumers);
  }
  const auto elapsed = static_cast<double>(now() - begin);
  for (auto& other : others) other.join();
  return static_cast<double>(s->sent) / elapsed * 1e3;
}

}  // namespace bench
