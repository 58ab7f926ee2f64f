// The messages that a poll has gathered, until the next.
#pragma once

#include <leat/kafka/message.hpp>
#include <leat/types.hpp>

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace leat::kafka {

/// Bytes that are aligned as a type wants them, or a copy that is: in what a broker sends, they lie anywhere.
class aligned_bytes {
 public:
  aligned_bytes(const std::optional<bytes_view>& from, std::size_t alignment) : bytes_(from) {
    if (!from || reinterpret_cast<std::uintptr_t>(from->data()) % alignment == 0) return;
    copy_ = copy(
        static_cast<std::byte*>(::operator new(std::max<std::size_t>(from->size(), 1), std::align_val_t(alignment))),
        release{std::align_val_t(alignment)});
    std::memcpy(copy_.get(), from->data(), from->size());
    bytes_ = bytes_view(copy_.get(), from->size());
  }
  const std::optional<bytes_view>& get() const noexcept { return bytes_; }

 private:
  struct release {
    std::align_val_t alignment;
    void operator()(std::byte* bytes) const noexcept { ::operator delete(bytes, alignment); }
  };
  using copy = std::unique_ptr<std::byte, release>;

  std::optional<bytes_view> bytes_;
  copy copy_{nullptr, release{}};
};

/// One of them. Stays where it is until the next poll.
struct fetched_record {
  message_ptr message;
  const std::string* topic;
  aligned_bytes value;
  aligned_bytes key;
};

class fetched {
 public:
  void align(std::size_t values, std::size_t keys) noexcept {
    value_alignment_ = values;
    key_alignment_ = keys;
  }

  void add(message_ptr m, const std::string& topic) {
    const rd_kafka_message_t& message = *m;
    records_.push_back({std::move(m), &*topics_.insert(topic).first, aligned_bytes(value_of(message), value_alignment_),
                        aligned_bytes(key_of(message), key_alignment_)});
  }
  void drop(const topic_partition& p) {
    std::erase_if(records_, [&](const fetched_record& r) {
      return static_cast<std::uint32_t>(r.message->partition) == p.partition && *r.topic == p.topic;
    });
  }
  void clear() noexcept { records_.clear(); }

  const fetched_record* begin() const noexcept { return records_.data(); }
  const fetched_record* end() const noexcept { return records_.data() + records_.size(); }
  std::size_t size() const noexcept { return records_.size(); }
  bool empty() const noexcept { return records_.empty(); }

 private:
  std::vector<fetched_record> records_;
  std::set<std::string> topics_;  // names that records refer to
  std::size_t value_alignment_ = 1;
  std::size_t key_alignment_ = 1;
};

}  // namespace leat::kafka
