// A seismic event, and how it lies in a record: its texts are read where they are.
#pragma once

#include <leat/codec.hpp>
#include <leat/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace seismic {

struct event {
  double magnitude;
  double depth_km;
  std::string_view type;  // in a record that was read: in the log, and good until the next poll
  std::string_view place;

  bool is_strong() const { return type == "earthquake" && magnitude >= 4.5; }
};

}  // namespace seismic

/// magnitude, depth, bytes of the type, the type, the place
template <>
struct leat::codec<seismic::event> {
  using input = const seismic::event&;
  using output = seismic::event;
  static constexpr std::string_view name = "seismic event v1";

  static std::size_t size(input e) { return sizeof(head) + e.type.size() + e.place.size(); }

  static void encode(input e, std::span<std::byte> into) {
    const head h{e.magnitude, e.depth_km, e.type.size()};
    std::memcpy(into.data(), &h, sizeof h);
    char* const text = reinterpret_cast<char*>(into.data() + sizeof h);
    e.place.copy(text + e.type.copy(text, e.type.size()), e.place.size());
  }

  static output decode(leat::bytes_view bytes) {
    head h{};
    if (bytes.size() >= sizeof h) std::memcpy(&h, bytes.data(), sizeof h);
    if (bytes.size() < sizeof h || bytes.size() - sizeof h < h.type_bytes) {
      throw leat::error(leat::errc::corrupt, "seismic event", "too short");
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes.data() + sizeof h), bytes.size() - sizeof h);
    return {h.magnitude, h.depth_km, text.substr(0, h.type_bytes), text.substr(h.type_bytes)};
  }

 private:
  struct head {
    double magnitude;
    double depth_km;
    std::uint64_t type_bytes;
  };
};
