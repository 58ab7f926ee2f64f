// How a record is processed: the handler's attempts, the pauses between them, and what becomes of a record that failed for good.
//
// Threads    any number, each with a record of its own.
#pragma once

#include <leat/async/dead_letters.hpp>
#include <leat/async/tenure.hpp>
#include <leat/error.hpp>
#include <leat/os/clock.hpp>
#include <leat/record.hpp>
#include <leat/storage/store_files.hpp>
#include <leat/subscriber_options.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

namespace leat::async {

enum class outcome {
  processed,  // or a dead letter
  dropped,    // not to be processed here any more
  failed      // so the subscriber is to stop
};

template <class Value, class Key>
class attempts {
 public:
  using record = record_view<Value, Key>;
  using handler_type = std::function<errc(const record&, std::stop_token)>;

  struct verdict {
    outcome what;
    std::exception_ptr why = nullptr;  // it failed
  };

  /// Throws what opening the dead letters' topic throws. `stopping`: no more attempts; the handlers are given it, too.
  attempts(const std::shared_ptr<storage::store_files>& store, handler_type&& handler,
           const subscriber_options& options, std::stop_token stopping)
      : store_(store), handler_(std::move(handler)), options_(options), stopping_(std::move(stopping)) {
    if (!options.dead_letter_topic.empty()) dead_letters_.emplace(store, options.dead_letter_topic);
  }

  verdict process(const record& r, const tenure& of) noexcept {
    try {
      auto backoff = options_.backoff;
      for (std::uint32_t attempt = 1;; ++attempt) {
        if (of.dropped.load(std::memory_order_acquire)) return {outcome::dropped};
        const std::optional<failure> failed = try_handler(r);
        if (!failed) return {outcome::processed};
        tell({of.at.topic, r.position(), attempt, failed->what, failed->thrown});
        if (attempt > options_.retries) return give_up(r, *failed);
        if (!pause(of, backoff)) return {outcome::dropped};
        backoff =
            std::min(backoff > options_.max_backoff / 2 ? options_.max_backoff : backoff * 2, options_.max_backoff);
      }
    } catch (...) {  // no memory; or the dead letter could not be sent
      return {outcome::failed, std::current_exception()};
    }
  }

  /// Those who pause look whether they are still to go on.
  void wake() noexcept {
    {
      const std::lock_guard behind_the_look(mutex_);
    }
    woken_.notify_all();
  }

 private:
  struct failure {
    std::string what;
    std::exception_ptr thrown;  // null: `returned` was returned
    errc returned = errc::ok;
  };

  std::optional<failure> try_handler(const record& r) {
    try {
      const errc returned = handler_(r, stopping_);
      if (returned == errc::ok) return std::nullopt;
      return failure{detail::describe(returned), nullptr, returned};
    } catch (const std::exception& e) {
      return failure{e.what(), std::current_exception()};
    } catch (...) {
      return failure{"an exception of unknown type", std::current_exception()};
    }
  }

  void tell(const failed_attempt& f) const noexcept {
    if (!options_.on_failure) return;
    try {
      options_.on_failure(f);
    } catch (...) {
    }
  }

  /// False: it is not to be tried again.
  bool pause(const tenure& of, std::chrono::nanoseconds backoff) {
    const auto ends = [&] { return stopping_.stop_requested() || of.hurried || of.dropped; };
    const auto until = os::later(std::chrono::steady_clock::now(), backoff);
    std::unique_lock lock(mutex_);
    return !woken_.wait_until(lock, until, ends);
  }

  verdict give_up(const record& r, const failure& failed) {
    if (!dead_letters_) {
      return {outcome::failed,
              failed.thrown ? failed.thrown : std::make_exception_ptr(error(failed.returned, where(r), failed.what))};
    }
    dead_letters_->bury(r, failed.what);
    return {outcome::processed};
  }

  std::string where(const record& r) const {
    return store_->topics().path(r.topic()) + ", partition " + std::to_string(r.partition()) + ", offset " +
           std::to_string(r.offset());
  }

  const std::shared_ptr<storage::store_files> store_;
  const handler_type handler_;
  const subscriber_options& options_;
  const std::stop_token stopping_;
  std::optional<dead_letters<Value, Key>> dead_letters_;
  std::mutex mutex_;  // of `woken_`
  std::condition_variable woken_;
};

}  // namespace leat::async
