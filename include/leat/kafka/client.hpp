// A client of a Kafka cluster: librdkafka's configuration and its handle, which has threads and connections of its own.
//
//     configuration conf;
//     conf.set("enable.idempotence", "true");
//     client c(RD_KAFKA_PRODUCER, std::move(conf), "localhost:9092");
//
// Threads    any number at once, as librdkafka has it; callbacks come to those who poll.
// Fork       librdkafka's threads stay in the parent. A child must not use the client, and its destructor does nothing there.
#pragma once

#include <leat/error.hpp>
#include <leat/kafka/error.hpp>
#include <leat/os/fork.hpp>

#include <librdkafka/rdkafka.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace leat::kafka {

/// Names and values as librdkafka and Kafka's own clients have them: {"security.protocol", "ssl"}.
using property_map = std::map<std::string, std::string>;

/// What is left of a program's properties when options have taken theirs, as librdkafka has it: without what is about Java, and
/// with the names that librdkafka has for the same things.
inline property_map for_librdkafka(const property_map& properties) {
  static const std::map<std::string_view, std::string_view> other_names{
      {"fetch.max.wait.ms", "fetch.wait.max.ms"},
      {"max.request.size", "message.max.bytes"},
      {"receive.buffer.bytes", "socket.receive.buffer.bytes"},
      {"send.buffer.bytes", "socket.send.buffer.bytes"},
      {"socket.connection.setup.timeout.max.ms", ""},  // none
      {"bootstrap.servers", ""},                       // the store's
      {"client.dns.lookup", ""},
      {"default.api.timeout.ms", ""},
      {"exclude.internal.topics", ""},
      {"key.deserializer", ""},
      {"key.serializer", ""},
      {"value.deserializer", ""},
      {"value.serializer", ""}};
  property_map result;
  for (const auto& [name, value] : properties) {
    const auto other = other_names.find(name);
    if (other == other_names.end()) {
      result[name] = value;
    } else if (!other->second.empty()) {
      result[std::string(other->second)] = value;
    }
  }
  return result;
}

/// What librdkafka has to say, with syslog's levels: 3 is an error, 7 for debugging. Called in its threads, several at once.
using log_function = std::function<void(int level, const char* facility, const char* text)>;

/// What callbacks of a client find behind its opaque pointer: the beginning of what its user keeps.
struct client_context {
  log_function log = nullptr;
};

class configuration {
 public:
  configuration() : conf_(rd_kafka_conf_new()) {
    rd_kafka_conf_set_log_cb(conf_.get(), nullptr);  // a library does not write to stderr
  }

  /// Throws invalid_argument, with librdkafka's reason: an unknown name, or a value that it does not take.
  void set(const std::string& name, const std::string& value) {
    char reason[512];
    if (rd_kafka_conf_set(conf_.get(), name.c_str(), value.c_str(), reason, sizeof reason) == RD_KAFKA_CONF_OK) return;
    throw error(errc::invalid_argument, name, std::string("librdkafka does not take \"") + value + "\": " + reason);
  }
  /// What it is set to. Throws invalid_argument for an unknown name.
  std::string get(const std::string& name) const {
    char value[512];
    std::size_t size = sizeof value;
    if (rd_kafka_conf_get(conf_.get(), name.c_str(), value, &size) == RD_KAFKA_CONF_OK) return value;
    throw error(errc::invalid_argument, name, "librdkafka has no such property");
  }
  void set(const property_map& properties) {
    for (const auto& [name, value] : properties) set(name, value);
  }

  rd_kafka_conf_t* get() const noexcept { return conf_.get(); }
  rd_kafka_conf_t* release() noexcept { return conf_.release(); }

 private:
  struct deleter {
    void operator()(rd_kafka_conf_t* conf) const noexcept { rd_kafka_conf_destroy(conf); }
  };
  std::unique_ptr<rd_kafka_conf_t, deleter> conf_;
};

class client {
 public:
  /// `context` must outlive the client. Throws invalid_argument where the configuration contradicts itself.
  client(rd_kafka_type_t type, configuration&& conf, std::string servers, client_context* context)
      : servers_(std::move(servers)) {
    conf.set("bootstrap.servers", servers_);
    rd_kafka_conf_set_opaque(conf.get(), context);
    if (context != nullptr && context->log) {
      rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t* rk, int level, const char* facility, const char* text) {
        try {
          static_cast<client_context*>(rd_kafka_opaque(rk))->log(level, facility, text);
        } catch (...) {  // nobody to tell
        }
      });
    }
    char reason[512];
    handle_ = rd_kafka_new(type, conf.get(), reason, sizeof reason);
    if (handle_ == nullptr) throw error(errc::invalid_argument, servers_, reason);
    (void)conf.release();  // it is the client's by now
  }
  ~client() {
    if (handle_ != nullptr && !left_ && !forked()) rd_kafka_destroy(handle_);
  }
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  rd_kafka_t* get() const noexcept { return handle_; }
  const std::string& servers() const noexcept { return servers_; }
  bool forked() const noexcept { return os::fork_generation() != generation_; }

  /// Throws errc::forked.
  void require_own() const {
    if (forked()) throw error(errc::forked, servers_, "the client belongs to the parent process");
  }

  /// For a client that librdkafka cannot destroy: it stays, with its threads and without a word, until the process ends. Its
  /// context must stay, too.
  void leave() noexcept {
    rd_kafka_set_log_level(handle_, 0);
    left_ = true;
  }

 private:
  std::string servers_;
  rd_kafka_t* handle_ = nullptr;
  bool left_ = false;
  std::uint32_t generation_ = os::fork_generation();
};

}  // namespace leat::kafka
