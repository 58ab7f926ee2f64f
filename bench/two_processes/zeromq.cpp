// ZeroMQ: push and pull sockets, between threads (inproc) and between processes (ipc).
#include "subjects.hpp"

#ifdef LEAT_BENCH_ZEROMQ

#include <zmq.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

namespace bench {

namespace {

void check(int outcome, const char* what) {
  if (outcome < 0) throw std::runtime_error(std::string(what) + ": " + zmq_strerror(zmq_errno()));
}

struct context {
  void* it = zmq_ctx_new();
  context() = default;
  ~context() { zmq_ctx_term(it); }
  context(const context&) = delete;
  context& operator=(const context&) = delete;
};

/// ZeroMQ batches by itself, on its way to the other end; its default limit is 1000 messages on each side.
template <std::size_t Bytes, bool InProcess>
class zeromq {
 public:
  static constexpr std::size_t bytes = Bytes;
  static constexpr bool holds_up = true;
  static constexpr bool crosses_kernel = true;
  using end = std::conditional_t<InProcess, thread_end, child>;
  using message_type = message<Bytes>;

  explicit zeromq(const layout& ends) : wait_(ends.wait) {
    const std::string name = "leat-bench-" + std::to_string(::getpid()) + "-" + std::to_string(++made);
    if constexpr (InProcess) {
      address_ = "inproc://" + name;
      context_ = std::make_unique<context>();
    } else {
      path_ = std::filesystem::temp_directory_path() / name;
      address_ = "ipc://" + path_.string();
    }
  }
  ~zeromq() {
    if constexpr (!InProcess) {
      std::error_code ignored;
      std::filesystem::remove(path_, ignored);
    }
  }
  zeromq(const zeromq&) = delete;
  zeromq& operator=(const zeromq&) = delete;

  std::uint64_t window() const { return 0; }
  std::uint64_t warm_up_messages() const { return 3000; }

  class end_type {
   public:
    end_type(zeromq& z, int type) : own_(InProcess ? nullptr : std::make_unique<context>()), wait_(z.wait_) {
      cpu_set_t pinned;
      ::sched_getaffinity(0, sizeof pinned, &pinned);
      ::sched_setaffinity(0, sizeof(cpu_set_t),
                          &allowed_cores());  // its own thread, which begins here, may run anywhere
      socket_ = zmq_socket(InProcess ? z.context_->it : own_->it, type);
      ::sched_setaffinity(0, sizeof pinned, &pinned);
      const int limit = 10'000;  // more than by default, for throughput; at 16 KiB it is 160 MB at most
      const int forever = -1;
      zmq_setsockopt(socket_, ZMQ_SNDHWM, &limit, sizeof limit);
      zmq_setsockopt(socket_, ZMQ_RCVHWM, &limit, sizeof limit);
      zmq_setsockopt(socket_, ZMQ_LINGER, &forever, sizeof forever);
      check(type == ZMQ_PULL ? zmq_bind(socket_, z.address_.c_str()) : zmq_connect(socket_, z.address_.c_str()), "zmq");
    }
    end_type(const end_type&) = delete;
    end_type& operator=(const end_type&) = delete;
    ~end_type() { zmq_close(socket_); }

    void send(const message_type& m) { check(zmq_send(socket_, &m, Bytes, 0), "zmq_send"); }
    template <class Source>
    void send_next(Source& source) {
      send(source.one());
    }
    template <class F>
    void receive(F&& f) {
      const int n = zmq_recv(socket_, &message_, Bytes, wait_ == waiting::spin ? ZMQ_DONTWAIT : 0);
      if (n < 0 && errno == EAGAIN) return;
      if (n != static_cast<int>(Bytes)) throw std::runtime_error("zmq_recv");
      f(message_);
    }

   private:
    std::unique_ptr<context> own_;
    waiting wait_;
    void* socket_;
    message_type message_;
  };
  end_type sender(unsigned) { return end_type(*this, ZMQ_PUSH); }
  end_type receiver(unsigned) { return end_type(*this, ZMQ_PULL); }

 private:
  static inline int made = 0;
  waiting wait_;
  std::string address_;
  std::filesystem::path path_;
  std::unique_ptr<context> context_;
};

template <bool InProcess>
void add(suite& all, const std::string& variant) {
  for_each_size([&](auto size) {
    add_throughput<zeromq<size(), InProcess>>(all, "ZeroMQ", variant, {.wait = waiting::block});
    // Where messages go through threads of their own, spinning ends would only take the cores away from them.
    add_round_trips<zeromq<size(), InProcess>>(all, "ZeroMQ", variant,
                                               {.wait = InProcess ? waiting::spin : waiting::block});
  });
  add_rates<zeromq<64, InProcess>>(all, "ZeroMQ", variant);
  add_wake_ups<zeromq<64, InProcess>>(all, "ZeroMQ", variant);
}

}  // namespace

void add_zeromq(suite& all) {
  add<true>(all, "inproc");
  add<false>(all, "ipc");
}

}  // namespace bench

#else

namespace bench {

void add_zeromq(suite& all) { all.missing("ZeroMQ", "libzmq3-dev"); }

}  // namespace bench

#endif
