// Boost.Interprocess' message_queue between two processes.
#include "subjects.hpp"

#include <boost/interprocess/ipc/message_queue.hpp>

#include <memory>
#include <optional>
#include <string>

namespace bench {

namespace {

template <std::size_t Bytes>
class boost_queue {
 public:
  static constexpr std::size_t bytes = Bytes;
  static constexpr bool holds_up = true;
  static constexpr bool crosses_kernel = true;  // it may, to wake the other end
  using end = child;
  using message_type = message<Bytes>;
  using queue_type = boost::interprocess::message_queue;

  explicit boost_queue(const layout& ends)
      : wait_(ends.wait), name_("leat-bench-" + std::to_string(::getpid()) + "-" + std::to_string(++made)) {
    queue_.emplace(boost::interprocess::create_only, name_.c_str(), std::max<std::size_t>((1 << 20) / Bytes, 64),
                   Bytes);
  }
  ~boost_queue() {
    queue_.reset();
    queue_type::remove(name_.c_str());
  }
  boost_queue(const boost_queue&) = delete;
  boost_queue& operator=(const boost_queue&) = delete;

  std::uint64_t window() const { return 0; }
  std::uint64_t warm_up_messages() const { return (2 << 20) / Bytes; }

  class end_type {
   public:
    end_type(const std::string& name, waiting wait)
        : queue_(std::make_unique<queue_type>(boost::interprocess::open_only, name.c_str())), wait_(wait) {}
    void send(const message_type& m) { queue_->send(&m, Bytes, 0); }
    template <class Source>
    void send_next(Source& source) {
      send(source.one());
    }
    template <class F>
    void receive(F&& f) {
      std::size_t size = 0;
      unsigned priority = 0;
      if (wait_ == waiting::block) {
        queue_->receive(&message_, Bytes, size, priority);
      } else if (!queue_->try_receive(&message_, Bytes, size, priority)) {
        pause();
        return;
      }
      if (size != Bytes) throw std::runtime_error("a message was cut");
      f(message_);
    }

   private:
    std::unique_ptr<queue_type> queue_;
    waiting wait_;
    message_type message_;
  };
  end_type sender(unsigned) { return end_type(name_, wait_); }
  end_type receiver(unsigned) { return end_type(name_, wait_); }

 private:
  static inline int made = 0;
  waiting wait_;
  std::string name_;
  std::optional<queue_type> queue_;
};

}  // namespace

void add_boost_queue(suite& all) {
  for_each_size([&](auto size) {
    add_throughput<boost_queue<size()>>(all, "Boost message_queue", "");
    add_round_trips<boost_queue<size()>>(all, "Boost message_queue", "");
  });
  add_rates<boost_queue<64>>(all, "Boost message_queue", "");
  add_wake_ups<boost_queue<64>>(all, "Boost message_queue", "");
}

}  // namespace bench
