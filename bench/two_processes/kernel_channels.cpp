// What the kernel offers: pipes, unix sockets and POSIX message queues.
#include "subjects.hpp"

#include <fcntl.h>
#include <mqueue.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

namespace bench {

namespace {

[[noreturn]] void raise(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

enum class stream_kind { pipe, socket };

/// A stream of bytes. `Batched`: a batch is one write; the reader always takes what is there, up to 64 KiB.
template <std::size_t Bytes, stream_kind Kind, bool Batched>
class stream {
 public:
  static constexpr std::size_t bytes = Bytes;
  static constexpr bool holds_up = true;
  static constexpr bool crosses_kernel = true;
  using end = child;
  using message_type = message<Bytes>;

  explicit stream(const layout& ends) : wait_(ends.wait) {
    if constexpr (Kind == stream_kind::pipe) {
      if (::pipe2(fds_, O_CLOEXEC) != 0) raise("pipe");
      (void)::fcntl(fds_[1], F_SETPIPE_SZ, 1 << 20);
    } else {
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds_) != 0) raise("socketpair");
      const int buffer = 1 << 20;
      for (const int fd : fds_) {
        (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
        (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
      }
    }
  }
  ~stream() {
    for (const int fd : fds_) ::close(fd);
  }
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  std::uint64_t window() const { return 0; }
  std::uint64_t warm_up_messages() const { return (2 << 20) / Bytes; }

  class sender_type {
   public:
    explicit sender_type(int fd) : fd_(fd) {}
    void send(const message_type& m) { write_all(&m, Bytes); }
    template <class Source>
    void send_next(Source& source) {
      if constexpr (Batched) {
        const auto batch = source.many();
        write_all(batch.data(), batch.size_bytes());
      } else {
        send(source.one());
      }
    }

   private:
    void write_all(const void* from, std::size_t size) {
      const char* at = static_cast<const char*>(from);
      while (size != 0) {
        const ssize_t n = ::write(fd_, at, size);
        if (n < 0) raise("write");
        at += n;
        size -= static_cast<std::size_t>(n);
      }
    }
    int fd_;
  };

  class receiver_type {
   public:
    receiver_type(int fd, waiting wait) : fd_(fd), buffer_(std::max<std::size_t>(65536, 2 * Bytes)) {
      if (wait == waiting::spin && ::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) raise("fcntl");
    }
    template <class F>
    void receive(F&& f) {
      const ssize_t n = ::read(fd_, buffer_.data() + filled_, buffer_.size() - filled_);
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) raise("read");
      filled_ += static_cast<std::size_t>(n);
      std::size_t at = 0;
      for (; filled_ - at >= Bytes; at += Bytes) {
        f(*reinterpret_cast<const message_type*>(buffer_.data() + at));
      }
      std::memmove(buffer_.data(), buffer_.data() + at, filled_ - at);
      filled_ -= at;
    }

   private:
    int fd_;
    std::vector<char> buffer_;
    std::size_t filled_ = 0;
  };

  sender_type sender(unsigned) { return sender_type(fds_[1]); }
  receiver_type receiver(unsigned) { return receiver_type(fds_[0], wait_); }

 private:
  waiting wait_;
  int fds_[2];
};

template <std::size_t Bytes>
class posix_queue {
 public:
  static constexpr std::size_t bytes = Bytes;
  static constexpr bool holds_up = true;
  static constexpr bool crosses_kernel = true;
  using end = child;
  using message_type = message<Bytes>;

  explicit posix_queue(const layout& ends) {
    const std::string name = "/leat-bench-" + std::to_string(::getpid()) + "-" + std::to_string(++made);
    const auto open = [&](int flags) {
      ::mq_attr attributes{};
      attributes.mq_msgsize = Bytes;
      for (const long length : {1024L, 256L, 64L, 10L, 4L}) {  // as long as this user may have it
        attributes.mq_maxmsg = length;
        const mqd_t queue = ::mq_open(name.c_str(), O_RDWR | O_CREAT | flags, 0600, &attributes);
        if (queue != -1) return queue;
      }
      raise("mq_open");
    };
    out_ = open(0);
    in_ = open(ends.wait == waiting::spin ? O_NONBLOCK : 0);
    ::mq_unlink(name.c_str());
  }
  ~posix_queue() {
    ::mq_close(out_);
    ::mq_close(in_);
  }
  posix_queue(const posix_queue&) = delete;
  posix_queue& operator=(const posix_queue&) = delete;

  /// Whether this user may have messages of this size.
  static bool possible() {
    try {
      const posix_queue probe{layout{}};
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  }

  std::uint64_t window() const { return 0; }
  std::uint64_t warm_up_messages() const { return 1000; }

  class end_type {
   public:
    explicit end_type(mqd_t queue) : queue_(queue) {}
    void send(const message_type& m) {
      if (::mq_send(queue_, reinterpret_cast<const char*>(&m), Bytes, 0) != 0) raise("mq_send");
    }
    template <class Source>
    void send_next(Source& source) {
      send(source.one());
    }
    template <class F>
    void receive(F&& f) {
      const ssize_t n = ::mq_receive(queue_, reinterpret_cast<char*>(&message_), Bytes, nullptr);
      if (n < 0 && errno == EAGAIN) return;
      if (n != static_cast<ssize_t>(Bytes)) raise("mq_receive");
      f(message_);
    }

   private:
    mqd_t queue_;
    message_type message_;
  };
  end_type sender(unsigned) { return end_type(out_); }
  end_type receiver(unsigned) { return end_type(in_); }

 private:
  static inline int made = 0;
  mqd_t in_ = -1;
  mqd_t out_ = -1;
};

template <stream_kind Kind>
void add_stream(suite& all, const std::string& name) {
  const layout blocked{.wait = waiting::block};
  for_each_size([&](auto size) {
    add_throughput<stream<size(), Kind, false>>(all, name, "a write a message", blocked);
    add_throughput<stream<size(), Kind, true>>(all, name, "a write a batch", blocked);
    add_round_trips<stream<size(), Kind, false>>(all, name, "a write a message");
  });
  add_rates<stream<64, Kind, false>>(all, name, "a write a message");
  add_wake_ups<stream<64, Kind, false>>(all, name, "a write a message");
}

}  // namespace

void add_kernel_channels(suite& all) {
  add_stream<stream_kind::pipe>(all, "pipe");
  add_stream<stream_kind::socket>(all, "unix socket");
  for_each_size([&](auto size) {
    if (!posix_queue<size()>::possible()) {
      all.missing("POSIX mq of " + std::to_string(size()) + " bytes",
                  "none: this user may not have it, see mq_overview(7)");
      return;
    }
    add_throughput<posix_queue<size()>>(all, "POSIX mq", "", {.wait = waiting::block});
    add_round_trips<posix_queue<size()>>(all, "POSIX mq", "");
  });
  if (!posix_queue<64>::possible()) return;
  add_rates<posix_queue<64>>(all, "POSIX mq", "");
  add_wake_ups<posix_queue<64>>(all, "POSIX mq", "");
}

}  // namespace bench
