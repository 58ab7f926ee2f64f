// librdkafka's list of partitions, each with an offset, metadata and an error of its own.
#pragma once

#include <leat/kafka/error.hpp>
#include <leat/types.hpp>

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace leat::kafka {

class partition_list {
 public:
  explicit partition_list(std::size_t size = 1) : list_(rd_kafka_topic_partition_list_new(static_cast<int>(size))) {
    if (list_ == nullptr) throw std::bad_alloc();
  }
  /// Takes it over.
  explicit partition_list(rd_kafka_topic_partition_list_t* list) noexcept : list_(list) {}

  /// `offset`: one of librdkafka's RD_KAFKA_OFFSET_..., or a record's.
  rd_kafka_topic_partition_t& add(const topic_partition& p, std::int64_t offset = RD_KAFKA_OFFSET_INVALID) {
    auto& entry =
        *rd_kafka_topic_partition_list_add(list_.get(), p.topic.c_str(), static_cast<std::int32_t>(p.partition));
    entry.offset = offset;
    return entry;
  }
  /// With a commit's metadata.
  void add(const topic_partition& p, std::int64_t offset, const std::string& metadata) {
    auto& entry = add(p, offset);
    if (metadata.empty()) return;
    entry.metadata = std::malloc(metadata.size());  // librdkafka frees it
    if (entry.metadata == nullptr) throw std::bad_alloc();
    std::memcpy(entry.metadata, metadata.data(), metadata.size());
    entry.metadata_size = metadata.size();
  }

  std::span<rd_kafka_topic_partition_t> entries() const noexcept { return entries_of(list_.get()); }
  static std::span<rd_kafka_topic_partition_t> entries_of(const rd_kafka_topic_partition_list_t* list) noexcept {
    return list == nullptr ? std::span<rd_kafka_topic_partition_t>()
                           : std::span(list->elems, static_cast<std::size_t>(list->cnt));
  }
  static topic_partition name_of(const rd_kafka_topic_partition_t& entry) {
    return {entry.topic, static_cast<std::uint32_t>(entry.partition)};
  }
  static std::vector<topic_partition> names_of(const rd_kafka_topic_partition_list_t* list) {
    std::vector<topic_partition> names;
    for (const auto& entry : entries_of(list)) names.push_back(name_of(entry));
    return names;
  }

  /// The first of its entries' errors.
  rd_kafka_resp_err_t failure() const noexcept { return failure_of(list_.get()); }
  static rd_kafka_resp_err_t failure_of(const rd_kafka_topic_partition_list_t* list) noexcept {
    for (const auto& entry : entries_of(list)) {
      if (entry.err != RD_KAFKA_RESP_ERR_NO_ERROR) return entry.err;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }

  bool empty() const noexcept { return list_->cnt == 0; }
  rd_kafka_topic_partition_list_t* get() const noexcept { return list_.get(); }

 private:
  struct deleter {
    void operator()(rd_kafka_topic_partition_list_t* list) const noexcept {
      rd_kafka_topic_partition_list_destroy(list);
    }
  };
  std::unique_ptr<rd_kafka_topic_partition_list_t, deleter> list_;
};

}  // namespace leat::kafka
