// A producer: appends records to a topic.
//
// Threads    one at a time; make one producer for each thread.
// Processes  any number of producers on a topic; one for each partition of a single-writer topic (the first to send to it).
// Crash      a record is in the log when send() has returned its offset, and survives the process. A producer that dies or is
//            stopped delays nobody and leaves nothing to repair. The death of the machine it survives as topic_options::durability
//            has it.
// Fork       a child must not use its parent's producer: errc::forked.
// Cost       copying the record, one compare-exchange, and the clock unless a timestamp is given. System calls only where a
//            segment ends.
#pragma once

#include <leat/codec.hpp>
#include <leat/format/record.hpp>
#include <leat/headers.hpp>
#include <leat/loan.hpp>
#include <leat/options.hpp>
#include <leat/os/clock.hpp>
#include <leat/os/fork.hpp>
#include <leat/partitioner.hpp>
#include <leat/result.hpp>
#include <leat/storage/appender.hpp>
#include <leat/topic.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <utility>
#include <vector>

namespace leat {

struct send_options {
  std::optional<std::uint32_t> partition = std::nullopt;    // default: as the partitioner has it
  std::optional<leat::timestamp> timestamp = std::nullopt;  // default: now; a log_append_time topic always takes now
  header_list headers = {};
};

inline constexpr send_options default_send_options{};

/// What became of a batch: its first `count` records were appended; `error` says why not all.
struct [[nodiscard]] batch_result {
  std::size_t count = 0;
  errc error = errc::ok;
};

template <class Value, class Key = std::string>
class producer {
 public:
  using key_argument = detail::nullable<Key>;  // a Key in the form its codec takes, or leat::null; a null char* throws
  using value_argument = detail::nullable<Value>;  // likewise; a null value is a tombstone

  explicit producer(const leat::topic<Value, Key>& topic, producer_options options = {})
      : log_(topic.log()),
        options_(std::move(options)),
        revision_(log_->revision()),
        known_revision_(current_revision()),
        max_record_bytes_(log_->header().max_record_bytes),
        compact_end_(log_->durability() == durability::none ? format::max_extent + 1 : 0),
        timestamps_(static_cast<timestamp_type>(log_->header().timestamps)),
        sticky_(log_->partitions()) {
    if (!log_->writable()) {
      throw error(errc::permission_denied, log_->path(), "the topic cannot be written to with this user's permissions");
    }
    log_->refresh();  // the topic may have got partitions since it was opened
    add_appenders();
  }

  /// Appends a record without a key.
  [[gnu::always_inline]] result<record_position> send(const value_argument& value,
                                                      const send_options& options = default_send_options) {
    return send(null, value, options);
  }

  /// Appends a record. Values: full, back_pressure, too_large, closed, not_the_writer, forked, invalid_argument (no such
  /// partition).
  /// In a durable topic it throws what the device says; then the record is in the log, but perhaps not on the device.
  [[gnu::always_inline]] result<record_position> send(const key_argument& key, const value_argument& value,
                                                      const send_options& options = default_send_options) {
    return append(key, value, options, publish_and_ring{});
  }

  /// Appends a record if it gets offset `expected.offset` of `expected.partition`; otherwise mismatched, and nothing is
  /// appended. For optimistic concurrency: decide on what was read, and fail if anything came in between.
  result<record_position> send_if(record_position expected, const key_argument& key, const value_argument& value,
                                  send_options options = default_send_options) {
    options.partition = expected.partition;
    return append(key, value, options, [&](const placement& at, format::record_kind kind, std::uint64_t extent) {
      const auto offset = at.to->publish_at(expected.offset, at.bytes, at.size, kind, extent);
      if (!offset) return offset;
      at.to->ring();
      const errc failure = at.to->acknowledge(*offset);
      return failure == errc::ok ? offset : failure;
    });
  }

  /// Appends the elements of a range, values or pairs of key and value, with one look at the clock (in a
  /// create_time topic) and at the sleepers.
  /// Up to 32 are filled before they become visible, and a range that waits for something holds back those before it.
  /// Each gets an offset of its own: others' records may come between them. `positions`, where given, takes each one's
  /// position, as far as it has places.
  template <std::ranges::input_range Records>
  batch_result send_batch(Records&& records, send_options options = default_send_options,
                          std::span<record_position> positions = {}) {
    if (!options.timestamp) options.timestamp = leat::timestamp(std::chrono::nanoseconds(now()));
    filled_records filled(*this, positions);
    for (auto&& record : records) {
      bool appended;
      if constexpr (std::convertible_to<decltype(record), value_argument>) {
        appended = filled.add(null, record, options);
      } else {
        const auto& [key, value] = record;
        appended = filled.add(key, value, options);
      }
      if (!appended) break;
    }
    filled.publish();
    batch_result outcome = filled.outcome();
    for (const auto& a : appenders_) {
      if (const errc failure = a->acknowledge_last(); failure != errc::ok) outcome.error = failure;
    }
    return outcome;
  }

  /// What this producer has sent is on the device when this returns, where the topic is durable. Throws what the device says,
  /// and closed. Without durability, it returns at once. (Kafka's flush() waits for brokers.)
  void flush() {
    if (os::fork_generation() != generation_) throw error(errc::forked, log_->path(), "the producer is the parent's");
    for (const auto& a : appenders_) {
      if (a->flush() == errc::closed) throw error(errc::closed, log_->path(), "the topic was deleted");
    }
  }

  /// Lends room for a value, to be filled in place. The errors of send().
  [[gnu::always_inline]] result<loan<Value>> claim(const key_argument& key)
    requires(detail::fixed_bytes_of<Value>() != 0)
  {
    return claim(key, detail::fixed_bytes_of<Value>());
  }
  /// The same for a value of `bytes` bytes. invalid_argument: not what every Value has.
  [[gnu::always_inline]] result<loan<Value>> claim(const key_argument& key, std::size_t bytes,
                                                   const send_options& options = default_send_options) {
    constexpr std::size_t fixed = detail::fixed_bytes_of<Value>();
    if (fixed != 0 && bytes != fixed) return errc::invalid_argument;
    if (const errc failure = look(); failure != errc::ok) [[unlikely]]
      return failure;
    if (!is_compact(key.is_null(), false, bytes, options)) {
      const key_argument key_copy = key;
      result<loan<Value>> full = claim_full(key_copy, bytes, options);
      if (!full) return full.error();
      return loan<Value>(std::move(*full));  // not in its place: the loan below can then be in registers
    }
    placement at;
    if (const errc failure = place_compact(bytes, options, at); failure != errc::ok) [[unlikely]]
      return failure;
    return result<loan<Value>>(std::in_place, *at.to, at.to->lend(at.bytes, at.size), format::record_kind::compact,
                               bytes, std::size_t{0}, at.partition);
  }

  /// Partitions that it sends to; those added to the topic count from the next send on.
  std::uint32_t partitions() const noexcept { return partitions_; }

  /// What stood in the way at the last back_pressure: the group, and where it is.
  const std::string& back_pressure_cause() const noexcept { return appenders_[last_failed_]->cause(); }

 private:
  static constexpr std::uint64_t value_alignment =
      std::max<std::uint64_t>(detail::alignment_of<Value>(), format::record_alignment);

  /// Of bytes, the topic knows what they are.
  std::uint64_t alignment() const noexcept {
    if constexpr (std::same_as<Value, bytes_view>) return log_->header().value_alignment;
    return value_alignment;
  }

  /// The room that a record has.
  struct placement {
    storage::appender* to = nullptr;
    std::uint32_t partition = 0;
    std::byte* bytes = nullptr;
    std::uint64_t size = 0;
  };

  struct publish_and_ring {
    [[gnu::always_inline]] result<std::uint64_t> operator()(const placement& at, format::record_kind kind,
                                                            std::uint64_t extent) const {
      const result<std::uint64_t> offset = at.to->publish(at.bytes, at.size, kind, extent);
      at.to->ring();
      if (kind == format::record_kind::full && offset) {  // a compact one is not durable
        if (const errc failure = at.to->acknowledge(*offset); failure != errc::ok) [[unlikely]]
          return failure;
      }
      return offset;
    }
  };
  struct publish_in_batch {
    result<std::uint64_t> operator()(const placement& at, format::record_kind kind, std::uint64_t extent) const {
      const result<std::uint64_t> offset = at.to->publish(at.bytes, at.size, kind, extent);
      at.to->ring();
      if (offset) at.to->appended(*offset);
      return offset;
    }
  };

  // A record without key, headers and null, the common one in fast topics, has a way of its own in which its kind and, for
  // most types, its size are constants.

  template <class Publish>
  [[gnu::always_inline]] result<record_position> append(const key_argument& key, const value_argument& value,
                                                        const send_options& options, const Publish& publish) {
    if (const errc failure = look(); failure != errc::ok) [[unlikely]]
      return failure;
    const std::uint64_t value_bytes = value.is_null() ? 0 : codec<Value>::size(value.get());
    if (!is_compact(key.is_null(), value.is_null(), value_bytes, options)) {
      const key_argument key_copy = key;  // only the copies have addresses; key and value can be registers
      const value_argument value_copy = value;
      return append_full(key_copy, value_copy, value_bytes, options, publish);
    }
    placement at;
    if (const errc failure = place_compact(value_bytes, options, at); failure != errc::ok) [[unlikely]]
      return failure;
    encode(value, value_bytes, format::record_kind::compact, at);
    return record_at(at, publish(std::as_const(at), format::record_kind::compact, value_bytes));
  }

  template <class Publish>
  [[gnu::noinline]] result<record_position> append_full(const key_argument& key, const value_argument& value,
                                                        std::uint64_t value_bytes, const send_options& options,
                                                        const Publish& publish) {
    placement at;
    std::uint64_t tail_bytes = 0;
    if (const errc failure = place_full(key, value_bytes, value.is_null(), options, at, tail_bytes);
        failure != errc::ok) [[unlikely]] {
      return failure;
    }
    if (!value.is_null()) encode(value, value_bytes, format::record_kind::full, at);
    return record_at(at, publish(std::as_const(at), format::record_kind::full, at.size / format::record_alignment));
  }

  [[gnu::noinline]] result<loan<Value>> claim_full(const key_argument& key, std::size_t bytes,
                                                   const send_options& options) {
    placement at;
    std::uint64_t tail_bytes = 0;
    if (const errc failure = place_full(key, bytes, false, options, at, tail_bytes); failure != errc::ok) {
      return failure;
    }
    return result<loan<Value>>(std::in_place, *at.to, at.to->lend(at.bytes, at.size), format::record_kind::full, bytes,
                               tail_bytes, at.partition);
  }

  [[gnu::always_inline]] result<record_position> record_at(const placement& at, const result<std::uint64_t>& offset) {
    if (offset) [[likely]]
      return record_position{at.partition, *offset};
    last_failed_ = at.partition;
    return offset.error();
  }

  [[gnu::always_inline]] bool is_compact(bool null_key, bool null_value, std::uint64_t value_bytes,
                                         const send_options& options) const noexcept {
    return null_key && !null_value && value_bytes < compact_end_ && options.headers.empty();
  }

  /// Whether this handle may be used, and knows the topic's partitions.
  [[gnu::always_inline]] errc look() {
    if (os::fork_generation() != generation_) [[unlikely]]
      return errc::forked;
    if (revision_.observe() != known_revision_) [[unlikely]]
      return look_again();
    return errc::ok;
  }

  [[gnu::always_inline]] void encode(const value_argument& value, std::uint64_t value_bytes, format::record_kind kind,
                                     const placement& at) {
    try {
      codec<Value>::encode(value.get(), std::span(at.bytes + format::record_layout::value_at(kind), value_bytes));
    } catch (...) {
      at.to->give_back(at.bytes, at.size);
      throw;
    }
  }

  /// Takes room for a compact record and fills in everything but the value.
  [[gnu::always_inline]] errc place_compact(std::uint64_t value_bytes, const send_options& options, placement& at) {
    at.size = format::compact_size(value_bytes);
    if (const errc failure = take_room(std::nullopt, format::record_kind::compact, options, at); failure != errc::ok)
        [[unlikely]] {
      return failure;
    }
    stamp(options, at);
    return errc::ok;
  }
  [[gnu::always_inline]] void stamp(const send_options& options, const placement& at) const noexcept {
    const std::int64_t time = timestamp_of(options);
    std::memcpy(at.bytes, &time, sizeof time);
  }

  /// The same for a full one. `tail_bytes`: of key and headers, which lie behind the value.
  errc place_full(const key_argument& key, std::uint64_t value_bytes, bool null_value, const send_options& options,
                  placement& at, std::uint64_t& tail_bytes) {
    if (value_bytes > max_record_bytes_) return errc::too_large;
    std::optional<bytes_view> key_bytes;
    if (!key.is_null()) key_bytes = encoded(key);
    const std::uint64_t key_size = key_bytes ? key_bytes->size() : 0;
    const std::uint64_t headers_size = options.headers.encoded_size();
    if (key_size > max_record_bytes_ || headers_size > max_record_bytes_) return errc::too_large;
    at.size = format::full_size(value_bytes, key_size, headers_size);
    if (const errc failure = take_room(key_bytes, format::record_kind::full, options, at); failure != errc::ok) {
      return failure;
    }
    tail_bytes = key_size + headers_size;
    const format::full_prefix prefix{timestamp_of(options),
                                     null_value ? format::null_size : static_cast<std::int32_t>(value_bytes),
                                     key_bytes ? static_cast<std::int32_t>(key_size) : format::null_size,
                                     static_cast<std::uint32_t>(headers_size), 0};
    std::memcpy(at.bytes, &prefix, sizeof prefix);
    std::byte* const tail = at.bytes + format::record_layout::key_at(value_bytes);
    if (key_size != 0) std::memcpy(tail, key_bytes->data(), key_size);
    options.headers.encode(tail + key_size);
    return errc::ok;
  }

  /// Room for at.size bytes in the partition that the record goes to.
  [[gnu::always_inline]] errc take_room(const std::optional<bytes_view>& key, format::record_kind kind,
                                        const send_options& options, placement& at) {
    const errc failure = choose(key, options, at);
    return failure == errc::ok ? take(kind, at) : failure;
  }

  /// The partition for a record of at.size bytes.
  [[gnu::always_inline]] errc choose(const std::optional<bytes_view>& key, const send_options& options, placement& at) {
    if (at.size > max_record_bytes_) [[unlikely]]
      return errc::too_large;
    at.partition = options.partition ? *options.partition : choose_partition(key, at.size);
    if (at.partition >= partitions_) [[unlikely]]
      return errc::invalid_argument;
    at.to = appenders_[at.partition].get();
    return errc::ok;
  }

  [[gnu::always_inline]] errc take(format::record_kind kind, placement& at) {
    at.bytes = at.to->take(at.size, format::record_layout::value_at(kind), alignment());
    if (at.bytes == nullptr) [[unlikely]] {
      last_failed_ = at.partition;
      return at.to->failure();
    }
    return errc::ok;
  }

  /// The records of a batch on their way. Compact ones are filled first and then published several at a stretch, since the
  /// exchanges that publish go faster when nothing but the one before is on its way to memory.
  class filled_records {
   public:
    filled_records(producer& sender, std::span<record_position> positions) : sender_(sender), positions_(positions) {
      outcome_.error = sender.look();
    }
    /// When the range or a codec throws, what came before is appended all the same.
    ~filled_records() {
      try {
        publish();
      } catch (...) {  // the exception that is on its way says enough
      }
    }
    filled_records(const filled_records&) = delete;
    filled_records& operator=(const filled_records&) = delete;

    const batch_result& outcome() const noexcept { return outcome_; }

    /// False: no further record can be appended.
    [[gnu::always_inline]] bool add(const key_argument& key, const value_argument& value, const send_options& options) {
      if (os::fork_generation() != sender_.generation_) [[unlikely]] {
        count_ = 0;  // the parent's
        outcome_.error = errc::forked;
      }
      if (outcome_.error != errc::ok) [[unlikely]]
        return false;
      const std::uint64_t value_bytes = value.is_null() ? 0 : codec<Value>::size(value.get());
      if (!sender_.is_compact(key.is_null(), value.is_null(), value_bytes, options)) {
        const key_argument key_copy = key;
        const value_argument value_copy = value;
        if (!publish()) return false;
        const auto at = sender_.append_full(key_copy, value_copy, value_bytes, options, publish_in_batch{});
        outcome_.error = at.error();
        if (at) note(*at);
        return outcome_.error == errc::ok;
      }
      constexpr format::record_kind kind = format::record_kind::compact;
      placement at;
      at.size = format::compact_size(value_bytes);
      errc failure = sender_.choose(std::nullopt, options, at);
      if (failure == errc::ok) [[likely]] {
        const bool joins = count_ < most && (count_ == 0 || (at.to == to_ && to_->is_here(kept_))) &&
                           at.to->has_room(at.size, format::record_layout::value_at(kind), sender_.alignment());
        if (!joins && !publish()) return false;
        failure = sender_.take(kind, at);
      }
      if (failure != errc::ok) [[unlikely]] {
        if (publish()) outcome_.error = failure;
        return false;
      }
      sender_.stamp(options, at);
      sender_.encode(value, value_bytes, kind, at);
      if (count_ == 0) {
        to_ = at.to;
        partition_ = at.partition;
        kept_ = to_->lend(at.bytes, at.size);  // to read the range may be to send something else with this producer
      }
      words_[count_++] = at.to->slot_of(at.bytes, kind, value_bytes);
      return true;
    }

    /// What is filled becomes records.
    bool publish() {
      if (const errc failure = sender_.look(); failure != errc::ok) [[unlikely]] {
        if (failure != errc::forked && count_ != 0) to_->lent_back(kept_);
        count_ = 0;
        outcome_.error = failure;
        return false;
      }
      if (count_ == 0) return outcome_.error == errc::ok;
      const std::span filled = std::span(words_).first(std::exchange(count_, 0));
      struct behind {  // also when a roll throws
        storage::appender& to;
        const storage::room& kept;
        ~behind() {
          to.lent_back(kept);
          to.ring();
        }
      } const last{*to_, kept_};
      outcome_.error =
          to_->publish(kept_, filled, [&](std::uint64_t offset) { note(record_position{partition_, offset}); });
      if (outcome_.error != errc::ok) sender_.last_failed_ = partition_;
      return outcome_.error == errc::ok;
    }

   private:
    static constexpr std::size_t most = 32;

    [[gnu::always_inline]] void note(const record_position& at) noexcept {
      if (outcome_.count < positions_.size()) positions_[outcome_.count] = at;
      ++outcome_.count;
    }

    producer& sender_;
    std::span<record_position> positions_;
    batch_result outcome_;
    storage::appender* to_ = nullptr;
    std::uint32_t partition_ = 0;
    storage::room kept_;  // the first that is filled
    std::size_t count_ = 0;
    std::array<format::slot_word, most> words_;
  };

  /// The key as it will stand in the log.
  bytes_view encoded(const key_argument& key) {
    if constexpr (requires { codec<Key>::bytes(key.get()); }) {
      return codec<Key>::bytes(key.get());
    } else {
      key_scratch_.resize(codec<Key>::size(key.get()));
      codec<Key>::encode(key.get(), key_scratch_);
      return key_scratch_;
    }
  }

  [[gnu::always_inline]] std::uint32_t choose_partition(const std::optional<bytes_view>& key, std::uint64_t size) {
    if (options_.partitioner) [[unlikely]]
      return options_.partitioner(key, partitions_);
    if (partitions_ == 1) return 0;
    return key ? partition_of_key(*key, partitions_) : sticky_.choose(size);
  }

  /// Another than the current one where the topic is deleted already, so that the first send notices.
  std::uint64_t current_revision() const noexcept {
    const std::uint64_t seen = revision_.observe();
    return log_->closed() ? ~seen : seen;
  }

  /// The topic has changed: it was deleted, or has more partitions. (Options are looked at when they are used.)
  [[gnu::cold, gnu::noinline]] errc look_again() {
    const std::uint64_t seen = revision_.observe();
    if (log_->closed()) return errc::closed;
    log_->refresh();
    add_appenders();
    known_revision_ = seen;
    return errc::ok;
  }
  void add_appenders() {
    for (; partitions_ < log_->partitions(); ++partitions_) {
      appenders_.push_back(std::make_unique<storage::appender>(log_->partition(partitions_), options_.max_block,
                                                               options_.wait_for_device));
    }
    sticky_.spread_over(partitions_);
  }

  std::int64_t now() const noexcept {
    return options_.clock == timestamp_source::coarse ? os::realtime_coarse() : os::realtime();
  }

  std::int64_t timestamp_of(const send_options& options) const noexcept {
    const bool given = options.timestamp && timestamps_ == timestamp_type::create_time;
    return given ? options.timestamp->time_since_epoch().count() : now();
  }

  std::shared_ptr<storage::topic_log> log_;
  producer_options options_;
  // What every send uses.
  const sync::revision revision_;
  std::uint64_t known_revision_;
  const std::uint64_t max_record_bytes_;
  const std::uint64_t compact_end_;  // values of fewer bytes may be compact records
  const timestamp_type timestamps_;
  const std::uint32_t generation_ = os::fork_generation();
  std::uint32_t partitions_ = 0;
  std::uint32_t last_failed_ = 0;  // partition
  std::vector<std::unique_ptr<storage::appender>> appenders_;
  sticky_partition sticky_;
  std::vector<std::byte> key_scratch_;
};

template <class Value, class Key>
producer(const topic<Value, Key>&, producer_options) -> producer<Value, Key>;
template <class Value, class Key>
producer(const topic<Value, Key>&) -> producer<Value, Key>;

}  // namespace leat
