// What is sent, by leat and by everything that it is compared with, and how the receiver checks it.
//
// A message has two words that vary: the first is its number, and the last makes the sum of all words a constant. The words
// between are random and fixed, from a few prepared messages that stay in the first-level cache. So to send costs the sender two
// stores and the copy of all bytes, and the receiver adds up every word: a lost, repeated, torn or foreign message is found out.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

namespace bench {

template <std::size_t Bytes>
struct message {
  static_assert(Bytes % 8 == 0 && Bytes >= 32);
  static constexpr std::size_t bytes = Bytes;
  std::array<std::uint64_t, Bytes / 8> words;

  std::uint64_t number() const noexcept { return words.front(); }
  std::int64_t time() const noexcept { return static_cast<std::int64_t>(words[1]); }
};

inline constexpr std::uint64_t sum_of_a_message = 0x1ea7'1ea7'1ea7'1ea7;
inline constexpr std::uint64_t last_of_phase = std::uint64_t{1}
                                               << 63;  // set in the number of a producer's last message

/// The number of a producer's message.
constexpr std::uint64_t numbered(unsigned producer, std::uint64_t n) { return (std::uint64_t{producer} << 56) | n; }
constexpr unsigned producer_of(std::uint64_t number) { return static_cast<unsigned>(number >> 56) & 0x7f; }

template <std::size_t Bytes>
bool is_whole(const message<Bytes>& m) noexcept {
  std::array<std::uint64_t, 4> lanes{};  // independent sums, as one would be bound by the latency of additions
  for (std::size_t i = 0; i < m.words.size(); i += lanes.size()) {
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) lanes[lane] += m.words[i + lane];
  }
  return lanes[0] + lanes[1] + lanes[2] + lanes[3] == sum_of_a_message;
}

/// The messages that a producer sends again and again, with new numbers.
template <std::size_t Bytes>
class message_source {
 public:
  static constexpr std::size_t batch = Bytes <= 1024 ? 32 : 4;
  static_assert(Bytes % 32 == 0);

  explicit message_source(unsigned producer) : next_(numbered(producer, 0)) {
    std::mt19937_64 random(producer + 1);
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      rest_[i] = sum_of_a_message;
      for (std::uint64_t& word : messages_[i].words) {
        word = random();
        rest_[i] -= word;
      }
      rest_[i] += messages_[i].words.front() + messages_[i].words.back();
    }
  }

  /// The next one.
  const message<Bytes>& one() noexcept { return messages_[take()]; }
  /// The next `batch`.
  std::span<const message<Bytes>> many() noexcept {
    for (std::size_t i = 0; i < batch; ++i) number(i, next_++);
    numbered_ = next_;
    return messages_;
  }
  /// One that says that the phase is over; it has a number like any other.
  const message<Bytes>& last() noexcept {
    message<Bytes>& m = messages_[take()];
    m.words.front() |= last_of_phase;
    m.words.back() -= last_of_phase;
    return m;
  }
  /// One that carries a time.
  const message<Bytes>& timed(std::int64_t time) noexcept {
    const std::size_t i = take();
    rest_[i] += messages_[i].words[1] - static_cast<std::uint64_t>(time);
    messages_[i].words[1] = static_cast<std::uint64_t>(time);
    number(i, next_ - 1);
    return messages_[i];
  }
  std::uint64_t sent() const noexcept { return next_ & (numbered(1, 0) - 1); }

 private:
  static constexpr std::size_t few = std::clamp<std::size_t>(8192 / Bytes, 2, batch);

  /// Some messages get their numbers ahead of their turn: a copy that reads 16 bytes or more at once would wait for a word that
  /// was stored just before it.
  static constexpr std::uint64_t ahead = few / 2;

  std::size_t take() noexcept {
    for (; numbered_ <= next_ + ahead; ++numbered_) number(numbered_ % few, numbered_);
    return next_++ % few;
  }
  void number(std::size_t i, std::uint64_t n) noexcept {
    messages_[i].words.front() = n;
    messages_[i].words.back() = rest_[i] - n;
  }

  std::array<message<Bytes>, batch> messages_;
  std::array<std::uint64_t, batch> rest_;
  std::uint64_t next_;
  std::uint64_t numbered_ = next_;
};

/// What a receiver knows: which number comes next from each producer.
class message_check {
 public:
  static constexpr unsigned max_producers = 8;

  message_check() {
    for (unsigned p = 0; p < max_producers; ++p) next_[p] = numbered(p, 0);
  }

  /// False: not what was sent next, or not whole.
  template <std::size_t Bytes>
  bool accept(const message<Bytes>& m) noexcept {
    const std::uint64_t number = m.number();
    std::uint64_t& expected = next_[producer_of(number) % max_producers];
    if (number != expected) [[unlikely]] {
      if (number != (expected | last_of_phase)) return false;
      ++ended_;
    }
    ++expected;
    return is_whole(m);
  }

  unsigned ended() const noexcept { return ended_; }
  std::uint64_t received(unsigned producer) const noexcept { return next_[producer] & (numbered(1, 0) - 1); }

 private:
  std::array<std::uint64_t, max_producers> next_;
  unsigned ended_ = 0;
};

}  // namespace bench
