// A leat topic as a channel, through the public interface, as any program would use it.
#pragma once

#include "channel.hpp"
#include "temporary_store.hpp"

#include <leat/leat.hpp>

#include <array>
#include <cstring>
#include <string>

namespace bench {

/// A topic as somebody would make it who wants speed: the records that are kept fit in the cache of the cores.
inline constexpr std::uint64_t cached_segment_bytes = 1 << 20;
inline constexpr std::uint64_t cached_retention_bytes = 4 << 20;
/// The default options of leat; what is kept lies beyond any cache.
inline constexpr std::uint64_t default_segment_bytes = 16 << 20;
inline constexpr std::uint64_t default_retention_bytes = 256 << 20;

struct log_choice {
  bool single_writer = false;
  bool cached = true;
  bool on_disk = false;

  leat::topic_options options(std::size_t bytes) const {
    return {.segment_bytes = cached ? cached_segment_bytes : default_segment_bytes,
            .retention = {.bytes = cached ? cached_retention_bytes : default_retention_bytes},
            .expected_record_bytes = static_cast<std::uint32_t>(bytes + leat::format::compact_prefix),
            .single_writer = single_writer};
  }
};

enum class sending { single, batch, claim, keyed, headers, bytes };

inline const leat::send_options at_epoch{.timestamp = leat::timestamp{}};  // the clock is not what is measured

template <std::size_t Bytes, sending How = sending::single>
class log_channel {
 public:
  static constexpr std::size_t bytes = Bytes;
  static constexpr bool holds_up = false;
  static constexpr bool crosses_kernel = false;
  using end = child;
  using message_type = message<Bytes>;
  using value_type = std::conditional_t<How == sending::bytes, leat::bytes_view, message_type>;

  explicit log_channel(const layout& ends, log_choice choice = {})
      : ends_(ends), choice_(choice), store_(choice.on_disk), topic_(make(choice)) {}

  /// What two segments take at least.
  std::uint64_t window() const { return choice_.options(Bytes).segment_bytes.value() * 2 / footprint; }
  /// Goes around all segments, so that each page was touched.
  std::uint64_t warm_up_messages() const { return choice_.options(Bytes).retention.bytes.value() * 2 / footprint; }

  class sender_type {
   public:
    explicit sender_type(const log_channel& c) : topic_(c.reopen()), out_(topic_) {}

    void send(const message_type& m) {
      if constexpr (How == sending::bytes) {
        out_.send(std::as_bytes(std::span(m.words)), at_epoch).value();
      } else {
        out_.send(m, at_epoch).value();
      }
    }

    template <class Source>
    void send_next(Source& source) {
      if constexpr (How == sending::batch) {
        const auto batch = source.many();
        if (out_.send_batch(batch, at_epoch).count != batch.size()) throw std::runtime_error("a batch was not sent");
      } else if constexpr (How == sending::claim) {
        const message_type& m = source.one();
        leat::loan<message_type> loan = out_.claim(leat::null, sizeof m, at_epoch);
        *loan = m;
        loan.publish().value();
      } else if constexpr (How == sending::keyed) {
        const message_type& m = source.one();
        out_.send(keys_[m.number() % keys_.size()], m, at_epoch).value();
      } else if constexpr (How == sending::headers) {
        leat::send_options options = at_epoch;
        options.headers = std::span<const leat::header>(headers_);
        out_.send(source.one(), options).value();
      } else {
        send(source.one());
      }
    }

   private:
    leat::topic<value_type> topic_;
    leat::producer<value_type> out_;
    const std::array<std::string, 8> keys_{"account-0", "account-1", "account-2", "account-3",
                                           "account-4", "account-5", "account-6", "account-7"};
    const std::array<leat::header, 2> headers_{leat::header{"trace", "0123456789abcdef"}, leat::header{"hop", "1"}};
  };

  class receiver_type {
   public:
    explicit receiver_type(const log_channel& c)
        : topic_(c.reopen()),
          in_(topic_, {.auto_offset_reset = leat::offset_reset::earliest,
                       .wait = c.ends_.wait == waiting::block ? leat::wait_strategy::block
                               : c.ends_.shared_cores()       ? leat::wait_strategy::yield
                                                              : leat::wait_strategy::spin}) {}

    template <class F>
    void receive(F&& f) {
      for (const auto& record : in_.poll(std::chrono::seconds(10))) {
        if (record.offset() != next_offset_++) throw std::runtime_error("an offset is missing");
        if constexpr (How == sending::headers) {
          const auto headers = record.headers();
          const bool expected = (record.value().number() & last_of_phase) == 0;
          if (std::distance(headers.begin(), headers.end()) != (expected ? 2 : 0))
            throw std::runtime_error("headers are missing");
        }
        if constexpr (How == sending::bytes) {
          f(*reinterpret_cast<const message_type*>(record.value().data()));
        } else {
          f(record.value());
        }
      }
    }

   private:
    leat::topic<value_type> topic_;
    leat::consumer<value_type> in_;
    std::uint64_t next_offset_ = 0;
  };

  sender_type sender(unsigned) const { return sender_type(*this); }
  receiver_type receiver(unsigned) const { return receiver_type(*this); }
  std::string path() const { return store_.store.path(); }

 private:
  static constexpr std::uint64_t footprint =
      Bytes + 16 + (How == sending::keyed || How == sending::headers ? 96 : 0);  // record and slot, rounded up

  leat::topic<value_type> make(const log_choice& choice) const {
    return store_.store.template topic<value_type>("stream", choice.options(Bytes));
  }
  /// As another process would find it.
  leat::topic<value_type> reopen() const {
    return leat::store::open(store_.name, {.mode = leat::open_mode::open}).template topic<value_type>("stream");
  }

  layout ends_;
  log_choice choice_;
  temporary_store store_;
  leat::topic<value_type> topic_;
};

}  // namespace bench
