// A producer: appends records to a topic.
//
// Threads    one at a time; make one producer for each thread.
// Processes  any number of producers on a topic; one for each partition of a single-writer topic (the first to send to it).
// Crash      a record is in the log when send() has returned its offset, and survives the process. A producer that dies or is
//            stopped delays nobody and leaves nothing to repair.
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
  using key_argument = detail::nullable<Key>;      // a Key in the form its codec takes, or leat::null
  using value_argument = detail::nullable<Value>;  // likewise; a null value is a tombstone

  explicit producer(const leat::topic<Value, Key>& topic, producer_options options = {})
      : log_(topic.log()),
        options_(std::move(options)),
        sticky_(log_->partitions()),
        revision_(log_->revision()),
        known_revision_(current_revision()),
        max_record_bytes_(log_->header().max_record_bytes),
        timestamps_(static_cast<timestamp_type>(log_->header().timestamps)) {
    if (!log_->writable()) {
      throw error(errc::permission_denied, log_->path(), "the topic cannot be written to with this user's permissions");
    }
    log_->refresh();  // the topic may have got partitions since it was opened
    add_appenders();
    sticky_.spread_over(partitions());
  }

  /// Appends a record without a key.
  [[gnu::always_inline]] result<record_position> send(const value_argument& value,
                                                      const send_options& options = default_send_options) {
    return send(null, value, options);
  }

  /// Appends a record. Values: full, too_large, closed, not_the_writer, forked, invalid_argument (no such partition).
  [[gnu::always_inline]] result<record_position> send(const key_argument& key, const value_argument& value,
                                                      const send_options& options = default_send_options) {
    return append(key, value, options, [](const placement& at, std::uint64_t extent) __attribute__((always_inline)) {
      const result<std::uint64_t> offset = at.to->publish(at.bytes, at.size, at.kind, extent);
      at.to->ring();
      return offset;
    });
  }

  /// Appends a record if it gets offset `expected.offset` of `expected.partition`; otherwise mismatched, and nothing is
  /// appended. For optimistic concurrency: decide on what was read, and fail if anything came in between.
  result<record_position> send_if(record_position expected, const key_argument& key, const value_argument& value,
                                  send_options options = default_send_options) {
    options.partition = expected.partition;
    return append(key, value, options, [&](const placement& at, std::uint64_t extent) {
      const auto offset = at.to->publish_at(expected.offset, at.bytes, at.size, at.kind, extent);
      if (offset) {
        at.to->ring();
      } else {
        at.to->give_back(at.bytes, at.size);
      }
      return offset;
    });
  }

  /// Appends the elements of a range, values or pairs of key and value, with one look at the clock (in a
  /// create_time topic) and at the sleepers.
  /// Each is appended on its own: others' records may come between them. `positions`, where given, takes each one's
  /// position, as far as it has places.
  template <std::ranges::input_range Records>
  batch_result send_batch(Records&& records, send_options options = default_send_options,
                          std::span<record_position> positions = {}) {
    if (!options.timestamp) options.timestamp = leat::timestamp(std::chrono::nanoseconds(now()));
    batch_result outcome;
    struct ring_behind {  // also when the range or a codec throws
      storage::appender* touched = nullptr;
      ~ring_behind() {
        if (touched != nullptr) touched->ring();
      }
    } last;
    const auto publish = [&](const placement& at, std::uint64_t extent) {
      if (last.touched != at.to) {
        if (last.touched != nullptr) last.touched->ring();
        last.touched = at.to;
      }
      return at.to->publish(at.bytes, at.size, at.kind, extent);
    };
    for (auto&& record : records) {
      result<record_position> at = errc::ok;
      if constexpr (std::convertible_to<decltype(record), value_argument>) {
        at = append(null, record, options, publish);
      } else {
        const auto& [key, value] = record;
        at = append(key, value, options, publish);
      }
      if (!at) {
        outcome.error = at.error();
        break;
      }
      if (outcome.count < positions.size()) positions[outcome.count] = *at;
      ++outcome.count;
    }
    return outcome;
  }

  /// Lends room for a value, to be filled in place. The errors of send().
  result<loan<Value>> claim(const key_argument& key)
    requires(detail::fixed_bytes_of<Value>() != 0)
  {
    return claim(key, detail::fixed_bytes_of<Value>());
  }
  /// The same for a value of `bytes` bytes. invalid_argument: not what every Value has.
  result<loan<Value>> claim(const key_argument& key, std::size_t bytes,
                            const send_options& options = default_send_options) {
    constexpr std::size_t fixed = detail::fixed_bytes_of<Value>();
    if (fixed != 0 && bytes != fixed) return errc::invalid_argument;
    placement at;
    if (const errc failure = place(key, bytes, false, options, at); failure != errc::ok) return failure;
    return loan<Value>(*at.to, at.to->lend(at.bytes, at.size), at.kind, bytes, at.key_bytes + at.headers_bytes,
                       at.partition);
  }

  /// Partitions that it sends to; those added to the topic count from the next send on.
  std::uint32_t partitions() const noexcept { return static_cast<std::uint32_t>(appenders_.size()); }

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

  /// Where a record goes, and what it takes there.
  struct placement {
    storage::appender* to = nullptr;
    std::uint32_t partition = 0;
    format::record_kind kind = format::record_kind::compact;
    std::byte* bytes = nullptr;
    std::uint64_t size = 0;
    std::uint64_t key_bytes = 0;
    std::uint64_t headers_bytes = 0;
  };

  template <class Publish>
  [[gnu::always_inline]] result<record_position> append(const key_argument& key, const value_argument& value,
                                                        const send_options& options, Publish&& publish) {
    const std::uint64_t value_bytes = value.is_null() ? 0 : codec<Value>::size(value.get());
    placement at;
    if (const errc failure = place(key, value_bytes, value.is_null(), options, at); failure != errc::ok) [[unlikely]] {
      return failure;
    }
    const std::uint64_t value_at = format::record_layout::value_at(at.kind);
    if (!value.is_null()) {
      try {
        codec<Value>::encode(value.get(), std::span(at.bytes + value_at, value_bytes));
      } catch (...) {
        at.to->give_back(at.bytes, at.size);
        throw;
      }
    }
    const std::uint64_t extent =
        at.kind == format::record_kind::compact ? value_bytes : at.size / format::record_alignment;
    const result<std::uint64_t> offset = publish(std::as_const(at), extent);
    if (!offset) [[unlikely]] {
      last_failed_ = at.partition;
      return offset.error();
    }
    return record_position{at.partition, *offset};
  }

  /// Takes room for a record and fills in everything but the value. Inline, as its results should stay in registers.
  [[gnu::always_inline]] errc place(const key_argument& key, std::uint64_t value_bytes, bool null_value,
                                    const send_options& options, placement& at) {
    if (os::fork_generation() != generation_) [[unlikely]]
      return errc::forked;
    if (revision_.observe() != known_revision_) [[unlikely]] {
      if (const errc failure = look_again(); failure != errc::ok) return failure;
    }
    if (value_bytes > max_record_bytes_) [[unlikely]]
      return errc::too_large;

    const bool compact = key.is_null() && options.headers.empty() && !null_value && value_bytes <= format::max_extent;
    std::optional<bytes_view> key_bytes;
    at.size = format::compact_size(value_bytes);
    if (!compact) {
      if (!key.is_null()) key_bytes = encoded(key);
      at.kind = format::record_kind::full;
      at.key_bytes = key_bytes ? key_bytes->size() : 0;
      at.headers_bytes = options.headers.encoded_size();
      if (at.key_bytes > max_record_bytes_ || at.headers_bytes > max_record_bytes_) return errc::too_large;
      at.size = format::full_size(value_bytes, at.key_bytes, at.headers_bytes);
    }
    if (at.size > max_record_bytes_) [[unlikely]]
      return errc::too_large;

    at.partition = choose_partition(key_bytes, at.size, options);
    if (at.partition >= appenders_.size()) [[unlikely]]
      return errc::invalid_argument;
    at.to = appenders_[at.partition].get();
    at.bytes = at.to->take(at.size, format::record_layout::value_at(at.kind), alignment());
    if (at.bytes == nullptr) [[unlikely]] {
      last_failed_ = at.partition;
      return at.to->failure();
    }

    const std::int64_t time = timestamp_of(options);
    if (compact) {
      std::memcpy(at.bytes, &time, sizeof time);
      return errc::ok;
    }
    const format::full_prefix prefix{time, null_value ? format::null_size : static_cast<std::int32_t>(value_bytes),
                                     key_bytes ? static_cast<std::int32_t>(key_bytes->size()) : format::null_size,
                                     static_cast<std::uint32_t>(at.headers_bytes), 0};
    std::memcpy(at.bytes, &prefix, sizeof prefix);
    std::byte* const tail = at.bytes + format::record_layout::key_at(value_bytes);
    if (at.key_bytes != 0) std::memcpy(tail, key_bytes->data(), at.key_bytes);
    options.headers.encode(tail + at.key_bytes);
    return errc::ok;
  }

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

  std::uint32_t choose_partition(const std::optional<bytes_view>& key, std::uint64_t size,
                                 const send_options& options) {
    if (options.partition) return *options.partition;
    if (options_.partitioner) [[unlikely]]
      return options_.partitioner(key, partitions());
    if (appenders_.size() == 1) return 0;
    return key ? partition_of_key(*key, partitions()) : sticky_.choose(size);
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
    sticky_.spread_over(partitions());
    known_revision_ = seen;
    return errc::ok;
  }
  void add_appenders() {
    while (appenders_.size() < log_->partitions()) {
      appenders_.push_back(std::make_unique<storage::appender>(
          log_->partition(static_cast<std::uint32_t>(appenders_.size())), options_.max_block));
    }
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
  sticky_partition sticky_;
  const sync::revision revision_;
  std::uint64_t known_revision_;
  std::uint32_t last_failed_ = 0;  // partition
  const std::uint64_t max_record_bytes_;
  const timestamp_type timestamps_;
  const std::uint32_t generation_ = os::fork_generation();
  std::vector<std::byte> key_scratch_;
  std::vector<std::unique_ptr<storage::appender>> appenders_;
};

template <class Value, class Key>
producer(const topic<Value, Key>&, producer_options) -> producer<Value, Key>;
template <class Value, class Key>
producer(const topic<Value, Key>&) -> producer<Value, Key>;

}  // namespace leat
