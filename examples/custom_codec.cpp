// A type of one's own: how it becomes bytes, and how it is read without copying its text.
#include <leat/leat.hpp>

#include <cstring>
#include <iostream>
#include <string>
#include <string_view>

struct message {
  std::uint32_t priority;
  std::string text;
};

struct message_view {
  std::uint32_t priority;
  std::string_view text;  // in the log; good until the consumer's next poll
};

template <>
struct leat::codec<message> {
  using input = const message&;
  using output = message_view;
  static constexpr std::string_view name = "message v1";  // the topic remembers it: change it with the layout

  static std::size_t size(input m) { return sizeof m.priority + m.text.size(); }

  static void encode(input m, std::span<std::byte> into) {
    std::memcpy(into.data(), &m.priority, sizeof m.priority);
    m.text.copy(reinterpret_cast<char*>(into.data() + sizeof m.priority), m.text.size());
  }

  static output decode(leat::bytes_view bytes) {
    message_view m;
    if (bytes.size() < sizeof m.priority) throw leat::error(leat::errc::corrupt, "message", "too short");
    std::memcpy(&m.priority, bytes.data(), sizeof m.priority);
    const auto text = bytes.subspan(sizeof m.priority);
    m.text = {reinterpret_cast<const char*>(text.data()), text.size()};
    return m;
  }
};

int main() {
  const leat::store store = leat::store::in_process();
  const auto messages = store.topic<message>("messages");
  leat::consumer in{messages};
  leat::producer out{messages};

  out.send(message{3, "the mill stands still"}).value();
  out.send(message{1, ""}).value();

  std::string seen;
  for (const auto& record : in.poll()) {
    const message_view m = record.value();
    std::cout << m.priority << ": '" << m.text << "'\n";
    seen += std::to_string(m.priority) + std::string(m.text) + ";";
  }
  if (seen != "3the mill stands still;1;") return 1;

  // Whoever opens the topic with another type is told so.
  try {
    store.topic<std::string>("messages");
    return 1;
  } catch (const leat::error& e) {
    std::cout << e.what() << '\n';
    return e.code() == leat::errc::wrong_type ? 0 : 1;
  }
}
