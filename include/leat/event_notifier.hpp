// An event notifier: a file descriptor that becomes readable when a consumer has something to read, for loops around epoll,
// poll or asio.
//
//     leat::event_notifier ready{in};                    // the consumer must outlive it
//     epoll_ctl(loop, EPOLL_CTL_ADD, ready.fd(), ...);   // EPOLLIN; EPOLLET will do as well
//     ...
//     for (const auto& record : ready.poll()) ...        // whenever fd() is readable
//
// A poll that returns records leaves the descriptor readable, since there may be more. One that returns none arms it: the
// descriptor is readable again when a record is there, when the topic has changed or was deleted, when the group wants this
// member's attention, and after 100 ms in any case (a member with others: 4 ms), as a consumer that sleeps looks by itself
// then. It may be readable though a poll returns nothing.
//
// No wake-up is lost. The steps are those of sync/doorbell.hpp; only W4 is done elsewhere:
//
//     the loop:    clear the descriptor; W1 note the bell; W2 arm the doorbells; W3 look; hand the note over
//     its thread:  W4 sleep while the bell is as noted; write to the descriptor
//
// Whoever publishes a record behind W3 finds the doorbell armed and advances the bell, and then the kernel refuses to sleep, or
// wakes. A write of the thread comes behind the clearing, or it is one too many.
//
// Threads    the consumer's; and one of its own, which touches nothing but the bell and the descriptor.
// Fork       in the child, poll() gives forked and leaves the parent's descriptor alone.
// Cost       poll() and rearm(): a system call, or two. While nothing happens, ten wake-ups a second (a member with others: as
//            many as when it waits in poll()). A consumer that cannot be woken (see consumer.hpp) is woken every millisecond.
#pragma once

#include <leat/consumer.hpp>
#include <leat/os/event.hpp>
#include <leat/os/fork.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace leat {

template <class Value, class Key = std::string>
class event_notifier {
 public:
  /// Armed from the beginning.
  explicit event_notifier(consumer<Value, Key>& in) : in_(in), state_(std::make_unique<state>(in.waits_at())) {
    state_->arm(in_.begin_vigil());
  }
  ~event_notifier() {
    if (os::fork_generation() != generation_) (void)state_.release();  // its thread is in the parent
  }
  event_notifier(const event_notifier&) = delete;
  event_notifier& operator=(const event_notifier&) = delete;

  /// Stays the same, and belongs to the notifier. Not to be read from or closed.
  int fd() const noexcept { return state_->readable.descriptor(); }

  /// consumer::poll() without waiting; arms the descriptor where it returns nothing, and else leaves it readable.
  typename consumer<Value, Key>::batch_type poll() {
    struct wake_again {  // who is told by edges would hear no more of a poll that throws
      event_notifier& of;
      bool thrown = true;
      ~wake_again() {
        if (thrown && os::fork_generation() == of.generation_) of.state_->readable.set();
      }
    } behind{*this};
    auto polled = in_.poll();
    behind.thrown = false;
    if (os::fork_generation() != generation_) return polled;
    if (polled.empty() && polled.error() == errc::ok) {
      rearm();
    } else {
      state_->readable.set();
    }
    return polled;
  }

  /// For those who poll the consumer themselves: to be called when a poll has returned nothing, and after any change of what the
  /// consumer reads (assign, seek, resume, subscribe).
  void rearm() {
    if (os::fork_generation() != generation_) return;
    state_->readable.clear();
    state_->arm(in_.begin_vigil());
  }

 private:
  using vigil = storage::reader::vigil;

  struct state {
    explicit state(std::shared_ptr<storage::store_files> s) : store(std::move(s)), sleeper([this] { keep_vigil(); }) {}
    ~state() {
      std::unique_lock lock(mutex);
      stopping = true;
      interrupt();
      lock.unlock();
      sleeper.join();
    }

    void arm(const vigil& v) {
      if (v.over) return readable.set();
      const std::lock_guard guard(mutex);
      // One who sleeps on an earlier note of the same bell for the same partitions, and not longer, wakes early enough.
      const bool as_before = kept && !next && kept->rings == v.rings && kept->mask == v.mask && kept->until <= v.until;
      if (as_before) return;
      next = v;
      interrupt();
    }

    /// Ends the present sleep. The mutex is held.
    void interrupt() {
      if (kept && kept->rings) store->bell().ring(kept->mask);
      handed_over.notify_one();
    }

    void keep_vigil() {
      std::unique_lock lock(mutex);
      for (;;) {
        handed_over.wait(lock, [this] { return stopping || next; });
        if (stopping) return;
        kept = std::exchange(next, std::nullopt);
        if (kept->rings) {
          const vigil v = *kept;
          lock.unlock();
          store->bell().wait(v.noted, v.mask, v.until);
          lock.lock();
        } else {
          handed_over.wait_until(lock, kept->until, [this] { return stopping || next; });
        }
        kept.reset();
        if (stopping) return;
        if (!next) readable.set();  // else something else is waited for by now, and was looked at
      }
    }

    const std::shared_ptr<storage::store_files> store;
    os::event readable;
    std::mutex mutex;
    std::condition_variable handed_over;
    std::optional<vigil> next;  // to be kept
    std::optional<vigil> kept;  // at present
    bool stopping = false;
    std::thread sleeper;
  };

  consumer<Value, Key>& in_;
  const std::uint32_t generation_ = os::fork_generation();
  std::unique_ptr<state> state_;
};

template <class Value, class Key>
event_notifier(consumer<Value, Key>&) -> event_notifier<Value, Key>;

}  // namespace leat
