// Where records go that failed for good: a topic of the same types, with four headers more that say whence and why.
//
// Threads    any.
#pragma once

#include <leat/async/kept_record.hpp>
#include <leat/codec.hpp>
#include <leat/error.hpp>
#include <leat/headers.hpp>
#include <leat/producer.hpp>
#include <leat/record.hpp>
#include <leat/storage/store_files.hpp>
#include <leat/storage/topic_log.hpp>
#include <leat/topic.hpp>
#include <leat/types.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leat::async {

template <class Value, class Key>
class dead_letters {
 public:
  /// Makes the topic where it is not there. Throws wrong_type.
  dead_letters(const std::shared_ptr<storage::store_files>& store, const std::string& topic)
      : path_(store->topics().path(topic)), out_(open(store, topic)) {}

  /// Throws where the record cannot be sent there.
  void bury(const record_view<Value, Key>& r, const std::string& what) {
    const std::string partition = std::to_string(r.partition());
    const std::string offset = std::to_string(r.offset());
    std::vector<header> headers;
    try {
      for (const header& h : r.headers()) headers.push_back(h);
    } catch (const error&) {  // damaged: those before that are kept
    }
    headers.emplace_back("leat.dead_letter.topic", std::string_view(r.topic()));
    headers.emplace_back("leat.dead_letter.partition", std::string_view(partition));
    headers.emplace_back("leat.dead_letter.offset", std::string_view(offset));
    headers.emplace_back("leat.dead_letter.error", std::string_view(what));
    using argument = typename producer<bytes_view, bytes_view>::key_argument;
    const auto or_null = [](const std::optional<bytes_view>& b) { return b ? argument(*b) : argument(null); };
    const std::lock_guard one_at_a_time(mutex_);
    const auto sent =
        out_.send(or_null(readable([&] { return r.key_bytes(); })), or_null(readable([&] { return r.value_bytes(); })),
                  {.timestamp = r.timestamp(), .headers = headers});
    if (!sent) throw error(sent.error(), path_, "the dead letter could not be sent");
  }

 private:
  static leat::topic<bytes_view, bytes_view> open(const std::shared_ptr<storage::store_files>& store,
                                                  const std::string& topic) {
    storage::topic_log::open(store, topic, {}, detail::identity_of<Value>(), detail::identity_of<Key>());
    auto as_bytes = storage::topic_log::open_untyped(store, topic);
    if (as_bytes == nullptr) throw error(errc::not_found, store->topics().path(topic), "no such topic");
    return leat::topic<bytes_view, bytes_view>(std::move(as_bytes));
  }

  const std::string path_;
  producer<bytes_view, bytes_view> out_;
  std::mutex mutex_;  // of `out_`
};

}  // namespace leat::async
