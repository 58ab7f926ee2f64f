// A consumer in a process of its own, as members of a group are, which can be killed.
//
//     member a(backend, {.group = "g"});
//     a.subscribe({"orders"});
//     a.poll(10ms).records
//     a.kill();                              SIGKILL: nothing is given back, nothing is told
//
// Its process does what it is asked for, over a socket, and nothing by itself: between two calls it stands still, as a
// program does that works on what it has read.
#pragma once

#include "semantics/backend.hpp"
#include "support/processes.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace semantics {

using nlohmann::json;

inline json to_json_or_null(const bytes& b) { return b ? json(*b) : json(); }
inline bytes bytes_of(const json& j) { return j.is_null() ? bytes() : bytes(j.get<std::string>()); }

inline void to_json(json& j, const topic_partition& p) { j = {p.topic, p.partition}; }
inline void from_json(const json& j, topic_partition& p) {
  p = {j.at(0).get<std::string>(), j.at(1).get<std::uint32_t>()};
}

inline void to_json(json& j, const record& r) {
  json headers = json::array();
  for (const auto& [name, value] : r.headers) headers.push_back({name, to_json_or_null(value)});
  j = {r.at, r.offset, to_json_or_null(r.key), to_json_or_null(r.value), std::move(headers), r.timestamp};
}
inline void from_json(const json& j, record& r) {
  r = {j.at(0).get<topic_partition>(), j.at(1).get<std::uint64_t>(), bytes_of(j.at(2)), bytes_of(j.at(3)), {},
       j.at(5).get<std::int64_t>()};
  for (const json& h : j.at(4)) r.headers.emplace_back(h.at(0).get<std::string>(), bytes_of(h.at(1)));
}

inline void to_json(json& j, const polled& p) { j = {p.code, p.records}; }
inline void from_json(const json& j, polled& p) { p = {j.at(0).get<outcome>(), j.at(1).get<std::vector<record>>()}; }

/// Messages between two processes: a size, and that many bytes of MessagePack, which holds any bytes in its strings.
class channel {
 public:
  explicit channel(int descriptor) noexcept : descriptor_(descriptor) {}
  ~channel() { ::close(descriptor_); }
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  void put(const json& message) const {
    const std::vector<std::uint8_t> packed = json::to_msgpack(message);
    const std::uint64_t size = packed.size();
    write(&size, sizeof size);
    write(packed.data(), packed.size());
  }
  /// Empty: the other end is gone.
  std::optional<json> take() const {
    std::uint64_t size = 0;
    if (!read(&size, sizeof size)) return std::nullopt;
    std::vector<std::uint8_t> packed(size);
    if (!read(packed.data(), packed.size())) return std::nullopt;
    return json::from_msgpack(packed);
  }

 private:
  /// What cannot be written is missed by take(), which then knows why.
  void write(const void* from, std::size_t size) const {
    const auto* at = static_cast<const char*>(from);
    while (size != 0) {
      const ssize_t written = ::send(descriptor_, at, size, MSG_NOSIGNAL);
      if (written <= 0) return;
      at += written;
      size -= static_cast<std::size_t>(written);
    }
  }
  bool read(void* into, std::size_t size) const {
    auto* at = static_cast<char*>(into);
    while (size != 0) {
      const ssize_t got = ::recv(descriptor_, at, size, 0);
      if (got <= 0) return false;
      at += got;
      size -= static_cast<std::size_t>(got);
    }
    return true;
  }

  int descriptor_;
};

class member {
 public:
  member(backend& log, consumer_options options) : member(log, std::move(options), sockets()) {}
  member(const member&) = delete;
  member& operator=(const member&) = delete;

  const consumer_options& options() const noexcept { return options_; }
  bool is_gone() const noexcept { return gone_; }

  void subscribe(const std::vector<std::string>& topics) { call("subscribe", topics); }
  void assign(const std::string& topic, const std::vector<std::uint32_t>& partitions) {
    call("assign", {topic, partitions});
  }

  polled poll(milliseconds timeout) { return call("poll", timeout.count()).get<polled>(); }
  /// A poll in two halves: this process can do something while that one waits. Returns when it sleeps in its poll, or has
  /// come back from it.
  void begin_poll(milliseconds timeout) {
    call(poll_in_halves, timeout.count());
    leat_tests::wait_until("the poll waits", [&] { return process_.asleep(); });
  }
  polled end_poll() { return answer().get<polled>(); }

  outcome commit() { return call("commit").get<outcome>(); }
  outcome commit(const offset_to_commit& o) {
    return call("commit offset", {o.at, o.offset, o.metadata}).get<outcome>();
  }

  std::uint64_t position(const topic_partition& p) { return call("position", p).get<std::uint64_t>(); }
  void seek(const topic_partition& p, std::uint64_t offset) { call("seek", {p, offset}); }
  void pause(const topic_partition& p) { call("pause", p); }
  void resume(const topic_partition& p) { call("resume", p); }

  std::vector<topic_partition> owned() { return call("owned").get<std::vector<topic_partition>>(); }
  std::vector<std::string> changes() { return call("changes").get<std::vector<std::string>>(); }

  /// Leaves in good order; the process ends.
  void close() {
    call("close");
    process_.join();
    gone_ = true;
  }
  void kill() {
    process_.kill();
    gone_ = true;
  }

 private:
  static constexpr const char* poll_in_halves = "poll in halves";

  struct pair {
    int ours = -1;
    int its = -1;
  };
  static pair sockets() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) throw std::runtime_error("no socketpair");
    return {ends[0], ends[1]};
  }

  member(backend& log, consumer_options options, pair ends)
      : options_(std::move(options)), to_process_(ends.ours), process_([&] {
          const channel requests(ends.its);
          const auto in = log.make_consumer(options_);
          bool closed = false;
          while (!closed) {
            const auto request = requests.take();
            if (!request) return;
            if (request->at(0) == poll_in_halves) requests.put({{"is", {}}});  // it begins; its answer follows
            requests.put(answer_to(*request, *in, closed));
          }
        }) {
    ::close(ends.its);
  }

  static json answer_to(const json& request, consumer& in, bool& closed) {
    try {
      return {{"is", run(request.at(0).get<std::string>(), request.at(1), in, closed)}};
    } catch (const std::exception& e) {
      return {{"thrown", e.what()}};
    }
  }

  static json run(const std::string& verb, const json& about, consumer& in, bool& closed) {
    if (verb == "poll" || verb == poll_in_halves) return in.poll(milliseconds(about.get<std::int64_t>()));
    if (verb == "commit") return in.commit();
    if (verb == "commit offset") {
      return in.commit(
          {about.at(0).get<topic_partition>(), about.at(1).get<std::uint64_t>(), about.at(2).get<std::string>()});
    }
    if (verb == "position") return in.position(about.get<topic_partition>());
    if (verb == "owned") return in.owned();
    if (verb == "changes") return in.changes();
    if (verb == "subscribe") {
      in.subscribe(about.get<std::vector<std::string>>());
    } else if (verb == "assign") {
      in.assign(about.at(0).get<std::string>(), about.at(1).get<std::vector<std::uint32_t>>());
    } else if (verb == "seek") {
      in.seek(about.at(0).get<topic_partition>(), about.at(1).get<std::uint64_t>());
    } else if (verb == "pause") {
      in.pause(about.get<topic_partition>());
    } else if (verb == "resume") {
      in.resume(about.get<topic_partition>());
    } else if (verb == "close") {
      in.close();
      closed = true;
    } else {
      throw std::runtime_error("a member does not know how to " + verb);
    }
    return {};
  }

  json call(const char* verb, const json& about = {}) {
    to_process_.put(json::array({verb, about}));
    return answer();
  }
  json answer() {
    const auto said = to_process_.take();
    if (!said) {
      gone_ = true;
      process_.join();  // throws what it threw
      throw std::runtime_error("the member has ended");
    }
    if (const auto thrown = said->find("thrown"); thrown != said->end()) {
      throw std::runtime_error("member " + options_.client_id + ": " + thrown->get<std::string>());
    }
    return said->at("is");
  }

  consumer_options options_;
  channel to_process_;
  leat_tests::child process_;
  bool gone_ = false;
};

}  // namespace semantics
