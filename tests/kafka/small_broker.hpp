// A broker that knows three requests in their oldest versions (ApiVersions 0, Metadata 1, CreateTopics 0), and says of topics what
// a test wants: for what neither librdkafka's mock cluster nor a Kafka in good health says.
//
// It ends with its object; its thread serves one request after the other.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace kafka_tests {

class small_broker {
 public:
  /// What it says of the topic "t", which has no partitions, and when it is to create one.
  struct words {
    std::int16_t topic;
    std::int16_t creation;
  };

  explicit small_broker(words w) : words_(w) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, any, size) != 0 || ::listen(listener_, 8) != 0 || ::getsockname(listener_, any, &size) != 0)
      throw std::runtime_error("no port for a broker");
    port_ = ::ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~small_broker() {
    ::eventfd_write(end_, 1);
    thread_.join();
    ::close(listener_);
    ::close(end_);
  }
  small_broker(const small_broker&) = delete;
  small_broker& operator=(const small_broker&) = delete;

  std::string servers() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  static constexpr std::int16_t metadata = 3;
  static constexpr std::int16_t api_versions = 18;
  static constexpr std::int16_t create_topics = 19;
  static constexpr std::int16_t unsupported_version = 35;

  /// Big-endian, as Kafka's protocol is.
  class message {
   public:
    template <std::integral Integer>
    message& add(Integer value) {
      for (int shift = 8 * static_cast<int>(sizeof value) - 8; shift >= 0; shift -= 8)
        bytes_.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> shift));
      return *this;
    }
    message& add(const std::string& text) {
      add(static_cast<std::int16_t>(text.size()));
      bytes_ += text;
      return *this;
    }
    const std::string& bytes() const noexcept { return bytes_; }

   private:
    std::string bytes_;
  };

  static std::uint32_t number_at(const std::string& bytes, std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
    return value;
  }

  void serve() {
    std::vector<pollfd> all{{end_, POLLIN, 0}, {listener_, POLLIN, 0}};
    while (::poll(all.data(), all.size(), -1) > 0 && all[0].revents == 0) {
      for (std::size_t i = all.size(); i-- > 2;) {
        if (all[i].revents == 0 || answer(all[i].fd)) continue;
        ::close(all[i].fd);
        all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
      }
      if (all[1].revents != 0) all.push_back({::accept(listener_, nullptr, nullptr), POLLIN, 0});
    }
    for (std::size_t i = 2; i < all.size(); ++i) ::close(all[i].fd);
  }

  /// False when the other side has gone.
  bool answer(int to) const {
    std::string head(4, '\0');
    if (!read_all(to, head)) return false;
    std::string request(number_at(head, 0, 4), '\0');
    if (!read_all(to, request)) return false;
    message reply;
    reply.add(number_at(request, 4, 4));  // which request it answers
    say(number_at(request, 0, 2), number_at(request, 2, 2), reply);
    message whole;
    whole.add(static_cast<std::int32_t>(reply.bytes().size()));
    const std::string bytes = whole.bytes() + reply.bytes();
    return ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  void say(std::uint32_t request, std::uint32_t version, message& reply) const {
    constexpr std::int32_t one = 1;
    constexpr std::int16_t none = 0;
    if (request == api_versions) {
      reply.add(version == 0 ? none : unsupported_version).add(std::int32_t{3});
      reply.add(metadata).add(none).add(std::int16_t{1});
      reply.add(api_versions).add(none).add(none);
      reply.add(create_topics).add(none).add(none);
    } else if (request == metadata) {
      reply.add(one).add(one).add(std::string("127.0.0.1")).add(std::int32_t{port_}).add(std::int16_t{-1});
      reply.add(one);  // the controller
      reply.add(one).add(words_.topic).add(std::string("t")).add(std::int8_t{0}).add(std::int32_t{0});
    } else {
      reply.add(one).add(std::string("t")).add(words_.creation);
    }
  }
  static bool read_all(int from, std::string& into) {
    return into.empty() || ::recv(from, into.data(), into.size(), MSG_WAITALL) == static_cast<ssize_t>(into.size());
  }

  const words words_;
  int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int end_ = ::eventfd(0, EFD_CLOEXEC);
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace kafka_tests
