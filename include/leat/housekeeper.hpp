// A housekeeper: a background thread of this process that does for a store what otherwise only producers and operators do.
//
// Nobody needs one: producers apply retention when they begin a segment, members look after their groups, and creators after
// what dead creators left. It is for topics with retention by time or with durability::interval whose producers fall silent,
// and for stores that are to be tidy though nobody is at work in them.
//
// Threads    one of its own. The object belongs to one thread at a time.
// Processes  any number of housekeepers; more than one is of no use, and does no harm.
// Fork       the child of a fork has no such thread.
#pragma once

#include <leat/admin.hpp>
#include <leat/os/clock.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace leat {

class housekeeper {
 public:
  /// Told of what a round could not do; called in the housekeeper's thread.
  using error_callback = std::function<void(const error&)>;

  /// A round each `interval`. Throws invalid_argument unless that is longer than nothing.
  explicit housekeeper(const leat::store& store, std::chrono::nanoseconds interval = std::chrono::seconds(1),
                       error_callback on_error = {})
      : admin_(store), on_error_(std::move(on_error)) {
    if (interval <= interval.zero()) {
      throw error(errc::invalid_argument, store.path(),
                  "the housekeeper's interval is " + std::to_string(interval.count()) + " ns, expected more than 0");
    }
    thread_ = std::thread([this, interval] { work(interval); });
  }
  ~housekeeper() {
    {
      const std::lock_guard guard(mutex_);
      stopping_ = true;
    }
    stopped_.notify_all();
    thread_.join();
  }
  housekeeper(const housekeeper&) = delete;
  housekeeper& operator=(const housekeeper&) = delete;

 private:
  void work(std::chrono::nanoseconds interval) {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      lock.unlock();
      round();
      lock.lock();
      stopped_.wait_until(lock, os::later(std::chrono::steady_clock::now(), interval), [this] { return stopping_; });
    }
  }

  void round() const {
    attempt([&] {
      for (const std::string& name : admin_.topics()) {
        attempt([&] { admin_.apply_retention(name); });
        attempt([&] { admin_.flush(name); });
      }
    });
    attempt([&] {
      for (const finding& f : admin_.clean().skipped) attempt([&] { throw error(f.code, f.path, f.what); });
    });
  }

  template <class Action>
  void attempt(Action action) const {
    try {
      action();
    } catch (const error& e) {
      const bool deleted_meanwhile = e.code() == errc::not_found || e.code() == errc::closed;
      if (on_error_ && !deleted_meanwhile) on_error_(e);
    }
  }

  const leat::admin admin_;
  const error_callback on_error_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace leat
