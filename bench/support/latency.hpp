// Latency of a channel: there and back, one message at a time; and one way, of messages that are due at a fixed rate.
#pragma once

#include "channel.hpp"
#include "clock.hpp"
#include "histogram.hpp"

namespace bench {

/// Round trips: the next message goes out when the reply to the last one is there. What is timed is sending and receiving; the
/// reply is checked behind that.
template <class Channel, class... Arguments>
histogram round_trips(const layout& ends, const effort& effort, const Arguments&... arguments) {
  using message_type = message<Channel::bytes>;
  Channel there(ends, arguments...);
  Channel back(ends, arguments...);
  typename Channel::end echo([&] {
    auto in = there.receiver(0);
    auto out = back.sender(0);
    bool over = false;
    bool well = true;
    for (std::uint64_t expected = 0; !over && well;) {
      in.receive([&](const message_type& m) {
        well = (m.number() & ~last_of_phase) == expected++ && well;
        over = (m.number() & last_of_phase) != 0;
        out.send(m);
      });
    }
    return well;
  });

  auto out = there.sender(0);
  auto in = back.receiver(0);
  message_source<Channel::bytes> source(0);
  message_check check;
  histogram latencies;
  (void)ticks::nanoseconds(1);  // calibrates
  const auto one = [&](const message_type& m) {
    bool well = true;
    bool back_again = false;
    std::uint64_t end = 0;
    const std::uint64_t begin = ticks::read();
    out.send(m);
    while (!back_again) {
      in.receive([&](const message_type& reply) {
        end = ticks::read();
        back_again = true;
        well = check.accept(reply) && reply.number() == m.number();
      });
    }
    if (!well) throw std::runtime_error("a reply is not what was sent");
    return end - begin;
  };
  for (const auto until = now() + effort.warm_up.count(); now() < until || source.sent() < there.warm_up_messages();) {
    (void)one(source.one());
  }
  for (const auto until = now() + effort.measured.count(); now() < until;) {
    for (int i = Channel::crosses_kernel ? 4 : 64; i > 0; --i) {
      latencies.record(ticks::nanoseconds(one(source.one())));
    }
  }
  (void)one(source.last());
  echo.join();
  return latencies;
}

struct rated {
  histogram latencies;
  bool sustained = true;  // the sender kept its schedule
};

/// One way: message i is due at begin + i / rate, and its latency counts from that moment, whenever it was really sent. So what a
/// stalled sender or channel does to the messages behind is seen: this corrects for coordinated omission.
template <class Channel, class... Arguments>
rated at_rate(double messages_a_second, const layout& ends, const effort& effort, const Arguments&... arguments) {
  struct state {
    std::atomic<bool> ready{false};
    std::atomic<bool> warm{false};
    std::atomic<bool> sustained{true};
    progress received;
  };
  Channel channel(ends, arguments...);
  shared<state> s;
  typename Channel::end producer([&] {
    auto out = channel.sender(0);
    message_source<Channel::bytes> source(0);
    room<Channel> room(channel, s->received, 0, ends);
    while (!s->ready) wait_a_little(true);
    const auto send = [&](std::int64_t time) {
      room.wait_for(source.sent() + 1);
      out.send(source.timed(time));
    };
    const std::uint64_t warm_up = channel.warm_up_messages();
    for (const auto until = now() + effort.warm_up.count(); now() < until || source.sent() < warm_up;) send(0);
    out.send(source.last());
    while (!s->warm) wait_a_little(true);
    const double interval = 1e9 / messages_a_second;
    const std::int64_t begin = now() + 100'000;
    const auto due_at = [&](std::uint64_t i) {
      return begin + static_cast<std::int64_t>(static_cast<double>(i) * interval);
    };
    std::uint64_t i = 0;
    std::int64_t time = 0;
    for (; (time = due_at(i)) < begin + effort.measured.count(); ++i) {
      std::int64_t at = 0;
      while ((at = now()) < time) pause();
      if (at > begin + 2 * effort.measured.count()) break;  // hopeless: what is due can't be sent
      send(time);
    }
    if (now() > begin + effort.measured.count() * 11 / 10 + 1'000'000) s->sustained = false;
    room.wait_for(source.sent() + 1);
    out.send(source.last());
    return true;
  });

  rated outcome;
  auto in = channel.receiver(0);
  message_check check;
  bool well = true;
  s->ready = true;
  while (check.ended() < 2) {
    bool any = false;
    in.receive([&](const message<Channel::bytes>& m) {
      if (check.ended() == 1 && (m.number() & last_of_phase) == 0) {
        outcome.latencies.record(static_cast<std::uint64_t>(std::max<std::int64_t>(0, now() - m.time())));
      }
      well = check.accept(m) && well;
      any = true;
    });
    if (!well) throw std::runtime_error("wrong records came");
    if constexpr (!Channel::holds_up) {
      if (any) s->received.publish(0, check, 1);
    }
    if (check.ended() == 1) s->warm = true;
  }
  producer.join();
  outcome.sustained = s->sustained;
  return outcome;
}

}  // namespace bench
