// What the hardware and the kernel allow: nothing that keeps or frames messages can be faster.
#include "subjects.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>

namespace bench {

namespace {

/// A ring of slots, each a sequence number and a message; 32 bytes make it the ring of one line a message. One producer, one
/// consumer; nothing is framed or kept, and the sender waits only when the ring is full.
template <std::size_t Bytes>
class ring {
  using message_type = message<Bytes>;
  struct alignas(64) slot {
    std::atomic<std::uint64_t> sequence;
    message_type payload;
  };
  static constexpr std::uint64_t slots = (1 << 20) / std::bit_ceil(sizeof(slot));
  struct memory {
    std::array<slot, slots> ring;
    alignas(64) std::atomic<std::uint64_t> read;
  };

 public:
  static constexpr std::size_t bytes = Bytes;
  static constexpr bool holds_up = true;
  static constexpr bool crosses_kernel = false;
  using end = child;

  explicit ring(const layout&) {}
  std::uint64_t window() const { return slots; }
  std::uint64_t warm_up_messages() const { return 2 * slots; }

  class sender_type {
   public:
    explicit sender_type(ring& r) : in_(*r.memory_) {}
    void send(const message_type& m) {
      while (next_ > room_) room_ = in_.read.load(std::memory_order_acquire) + slots - slots / 16;
      slot& s = in_.ring[next_ % slots];
      s.payload = m;
      s.sequence.store(next_++, std::memory_order_release);
    }
    template <class Source>
    void send_next(Source& source) {
      send(source.one());
    }

   private:
    memory& in_;
    std::uint64_t next_ = 1;
    std::uint64_t room_ = slots - slots / 16;
  };

  class receiver_type {
   public:
    explicit receiver_type(ring& r) : in_(*r.memory_) {}
    template <class F>
    void receive(F&& f) {
      slot& s = in_.ring[next_ % slots];
      if (s.sequence.load(std::memory_order_acquire) != next_) {
        pause();
        return;
      }
      f(s.payload);
      if (next_ % (slots / 16) == 0) in_.read.store(next_, std::memory_order_release);
      ++next_;
    }

   private:
    memory& in_;
    std::uint64_t next_ = 1;
  };

  sender_type sender(unsigned) { return sender_type(*this); }
  receiver_type receiver(unsigned) { return receiver_type(*this); }

 private:
  shared<memory> memory_;
};

/// Two lines, one for each direction: nothing can be faster between these two cores.
histogram raw_round_trips(const effort& effort) {
  struct lines {
    alignas(128) std::atomic<std::uint64_t> ping;
    alignas(128) std::atomic<std::uint64_t> pong;
  };
  shared<lines> s;
  child echo([&] {
    for (std::uint64_t i = 1;; ++i) {
      std::uint64_t seen = 0;
      while (((seen = s->ping.load(std::memory_order_acquire)) & ~last_of_phase) != i) {
      }
      s->pong.store(i, std::memory_order_release);
      if (seen != i) return true;
    }
  });
  histogram latencies;
  (void)ticks::nanoseconds(1);
  std::uint64_t i = 0;
  const auto one = [&](std::uint64_t flag) {
    ++i;
    const std::uint64_t begin = ticks::read();
    s->ping.store(i | flag, std::memory_order_release);
    while (s->pong.load(std::memory_order_acquire) != i) {
    }
    return ticks::read() - begin;
  };
  for (const auto until = now() + effort.warm_up.count(); now() < until;) (void)one(0);
  for (const auto until = now() + effort.measured.count(); now() < until;) {
    for (int k = 0; k < 64; ++k) latencies.record(ticks::nanoseconds(one(0)));
  }
  (void)one(last_of_phase);
  echo.join();
  return latencies;
}

/// One message in a line, and a futex: what it takes to wake a process up, and no more.
class futex_mailbox {
  struct box {
    alignas(64) std::atomic<std::uint32_t> sent;
    message<64> payload;
    alignas(64) std::atomic<std::uint32_t> taken;
  };

 public:
  static constexpr std::size_t bytes = 64;
  static constexpr bool holds_up = true;
  static constexpr bool crosses_kernel = true;
  using end = child;

  explicit futex_mailbox(const layout&) {}
  std::uint64_t window() const { return 1; }
  std::uint64_t warm_up_messages() const { return 0; }

  class sender_type {
   public:
    explicit sender_type(futex_mailbox& m) : box_(*m.box_) {}
    void send(const message<64>& m) {
      while (box_.taken.load(std::memory_order_acquire) != sent_) pause();
      box_.payload = m;
      box_.sent.store(++sent_, std::memory_order_release);
      ::syscall(SYS_futex, &box_.sent, FUTEX_WAKE, 1, nullptr, nullptr, 0);
    }

   private:
    box& box_;
    std::uint32_t sent_ = 0;
  };
  class receiver_type {
   public:
    explicit receiver_type(futex_mailbox& m) : box_(*m.box_) {}
    template <class F>
    void receive(F&& f) {
      while (box_.sent.load(std::memory_order_acquire) == taken_) {
        ::syscall(SYS_futex, &box_.sent, FUTEX_WAIT, taken_, nullptr, nullptr, 0);
      }
      f(box_.payload);
      box_.taken.store(++taken_, std::memory_order_release);
    }

   private:
    box& box_;
    std::uint32_t taken_ = 0;
  };
  sender_type sender(unsigned) { return sender_type(*this); }
  receiver_type receiver(unsigned) { return receiver_type(*this); }

 private:
  shared<box> box_;
};

}  // namespace

void add_floors(suite& all) {
  all.add_latencies({.kind = "round_trip", .name = "raw cache line", .unit = "ns", .bytes = 8}, raw_round_trips);
  for_each_size([&](auto size) {
    add_throughput<ring<size()>>(all, "ring", "");
    add_round_trips<ring<size()>>(all, "ring", "");
  });
  add_rates<ring<64>>(all, "ring", "");
  add_wake_ups<futex_mailbox>(all, "futex", "");
}

}  // namespace bench
