// Redis Streams over a unix socket: the log with a broker that most know. The server is this benchmark's own, in a directory of its
// own, without persistence, and ends with it. Its two clients block: the server needs a core, too.
#include "subjects.hpp"

#ifdef LEAT_BENCH_REDIS

#include <hiredis/hiredis.h>

#include <fcntl.h>

#include <charconv>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

namespace bench {

namespace {

/// redis-server, or what it is a link to (Debian has it in the package redis-tools, where no service comes with it); else empty.
std::filesystem::path redis_server() {
  for (const char* name : {"redis-server", "redis-check-rdb"}) {
    for (const char* folder : {"/usr/bin", "/usr/local/bin"}) {
      const std::filesystem::path path = std::filesystem::path(folder) / name;
      if (::access(path.c_str(), X_OK) == 0) return path;
    }
  }
  return {};
}

struct reply_deleter {
  void operator()(redisReply* r) const { freeReplyObject(r); }
};
using reply = std::unique_ptr<redisReply, reply_deleter>;
struct context_deleter {
  void operator()(redisContext* c) const { redisFree(c); }
};
using connection = std::unique_ptr<redisContext, context_deleter>;

/// Started when it is first needed. Its parent is this process, with which it ends, however that ends.
class server {
 public:
  server() : folder_(std::filesystem::temp_directory_path() / ("leat-bench-redis-" + std::to_string(::getpid()))) {
    std::filesystem::create_directory(folder_);
    const std::string socket = socket_path();
    const std::string folder = folder_.string();
    const std::string program = redis_server().string();
    owner_ = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != owner_) ::_exit(1);
      ::sched_setaffinity(0, sizeof(cpu_set_t), &allowed_cores());
      const int null = ::open("/dev/null", O_RDWR);
      for (const int fd : {0, 1}) ::dup2(null, fd);
      // It is a server by the name that it is called by.
      ::execl(program.c_str(), "redis-server", "--port", "0", "--unixsocket", socket.c_str(), "--unixsocketperm", "700",
              "--dir", folder.c_str(), "--save", "", "--appendonly", "no", "--daemonize", "no", nullptr);
      ::_exit(127);
    }
    const auto until = clock::now() + std::chrono::seconds(10);
    while (!connect(false)) {
      if (clock::now() > until) throw std::runtime_error("redis-server does not answer");
      ::usleep(2000);
    }
  }
  ~server() {
    if (::getpid() != owner_) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  connection connect(bool must = true) const {
    connection c(redisConnectUnix(socket_path().c_str()));
    if (c != nullptr && c->err == 0) return c;
    if (must) throw std::runtime_error("cannot connect to redis-server");
    return nullptr;
  }

 private:
  std::string socket_path() const { return (folder_ / "socket").string(); }
  std::filesystem::path folder_;
  pid_t owner_ = -1;
  pid_t pid_ = -1;
};

server& the_server() {
  static server one;
  return one;
}

reply taken(redisContext* c) {
  void* r = nullptr;
  if (redisGetReply(c, &r) != REDIS_OK) throw std::runtime_error(std::string("redis: ") + c->errstr);
  reply all(static_cast<redisReply*>(r));
  if (all->type == REDIS_REPLY_ERROR) throw std::runtime_error("redis: " + std::string(all->str, all->len));
  return all;
}

/// `Pipelined`: a batch of XADD before their replies are read. The stream is cut to about what a leat topic keeps.
template <std::size_t Bytes, bool Pipelined>
class redis_stream {
 public:
  static constexpr std::size_t bytes = Bytes;
  static constexpr bool holds_up = false;  // it is cut, read or not
  static constexpr bool crosses_kernel = true;
  using end = child;
  using message_type = message<Bytes>;

  explicit redis_stream(const layout& ends) : wait_(ends.wait), name_("stream" + std::to_string(++made)) {
    the_server();
  }
  ~redis_stream() {
    const auto c = the_server().connect();
    reply(static_cast<redisReply*>(redisCommand(c.get(), "DEL %s", name_.c_str())));
  }
  redis_stream(const redis_stream&) = delete;
  redis_stream& operator=(const redis_stream&) = delete;

  std::uint64_t window() const { return kept / 2; }
  std::uint64_t warm_up_messages() const { return 0; }

  class sender_type {
   public:
    explicit sender_type(const std::string& name) : name_(name), connection_(the_server().connect()) {}
    void send(const message_type& m) {
      append(m);
      (void)taken(connection_.get());
    }
    template <class Source>
    void send_next(Source& source) {
      if constexpr (Pipelined) {
        const auto batch = source.many();
        for (const auto& m : batch) append(m);
        for (std::size_t i = 0; i < batch.size(); ++i) (void)taken(connection_.get());
      } else {
        send(source.one());
      }
    }

   private:
    void append(const message_type& m) {
      const char* const words[] = {"XADD",         name_.c_str(), "MAXLEN", "~",
                                   limit_.c_str(), "*",           "v",      reinterpret_cast<const char*>(&m)};
      const std::size_t lengths[] = {4, name_.size(), 6, 1, limit_.size(), 1, 1, Bytes};
      redisAppendCommandArgv(connection_.get(), 8, const_cast<const char**>(words), lengths);
    }
    std::string name_;
    std::string limit_ = std::to_string(kept);
    connection connection_;
  };

  class receiver_type {
   public:
    receiver_type(const std::string& name, waiting wait)
        : name_(name), wait_(wait), connection_(the_server().connect()) {}
    template <class F>
    void receive(F&& f) {
      const reply all(static_cast<redisReply*>(
          wait_ == waiting::spin
              ? redisCommand(connection_.get(), "XREAD COUNT 500 STREAMS %s %s", name_.c_str(), last_.c_str())
              : redisCommand(connection_.get(), "XREAD COUNT 500 BLOCK 0 STREAMS %s %s", name_.c_str(),
                             last_.c_str())));
      if (all == nullptr || all->type == REDIS_REPLY_ERROR) throw std::runtime_error("redis: XREAD failed");
      if (all->type == REDIS_REPLY_NIL) return;
      // one stream: {name, {{id, {field, value}}, ...}}
      const redisReply* const entries = all->element[0]->element[1];
      for (std::size_t i = 0; i < entries->elements; ++i) {
        const redisReply* const entry = entries->element[i];
        const redisReply* const value = entry->element[1]->element[1];
        if (value->len != Bytes) throw std::runtime_error("redis: a message was cut");
        std::memcpy(&message_, value->str, Bytes);
        f(message_);
      }
      const redisReply* const id = entries->element[entries->elements - 1]->element[0];
      last_.assign(id->str, id->len);
    }

   private:
    std::string name_;
    waiting wait_;
    connection connection_;
    std::string last_ = "0";
    message_type message_;
  };

  sender_type sender(unsigned) { return sender_type(name_); }
  receiver_type receiver(unsigned) { return receiver_type(name_, wait_); }

 private:
  static constexpr std::uint64_t kept = std::max<std::uint64_t>((4 << 20) / Bytes, 1000);
  static inline int made = 0;
  waiting wait_;
  std::string name_;
};

}  // namespace

void add_redis(suite& all) {
  if (redis_server().empty()) {
    all.missing("Redis Streams", "redis-tools");
    return;
  }
  const layout blocked{.wait = waiting::block};
  for_each_size([&](auto size) {
    add_throughput<redis_stream<size(), true>>(all, "Redis Streams", "pipelined", blocked);
    add_round_trips<redis_stream<size(), false>>(all, "Redis Streams", "",
                                                 blocked);  // spinning takes cores from the server
  });
  add_wake_ups<redis_stream<64, false>>(all, "Redis Streams", "");
}

}  // namespace bench

#else

namespace bench {

void add_redis(suite& all) { all.missing("Redis Streams", "libhiredis-dev and redis-tools"); }

}  // namespace bench

#endif
