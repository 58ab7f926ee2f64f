// Records that are built where consumers read them: no copy on the way.
#include <leat/leat.hpp>

#include <array>
#include <cstdint>
#include <iostream>
#include <numeric>
#include <utility>

namespace {

struct frame {
  std::uint32_t number;
  std::array<std::uint8_t, 320 * 240> pixels;
};

void draw(frame& f, std::uint32_t number) {
  f.number = number;
  f.pixels.fill(static_cast<std::uint8_t>(number));
}

std::uint64_t brightness(const frame& f) { return std::accumulate(f.pixels.begin(), f.pixels.end(), std::uint64_t{0}); }

}  // namespace

int main() {
  const leat::store store = leat::store::in_process();
  const auto frames = store.topic<frame>("frames");
  leat::consumer in{frames};
  leat::producer out{frames};

  for (std::uint32_t number = 1; number <= 3; ++number) {
    leat::loan<frame> room = out.claim(leat::null).value();  // nobody sees it, and nobody waits for it
    draw(*room, number);
    if (number == 2) continue;  // given up: there is no such record
    room.publish().value();
  }

  std::uint32_t seen = 0;
  for (const auto& record : in.poll()) {
    const frame& f = record.value();  // where the producer drew it
    std::cout << "record " << record.offset() << " is frame " << f.number << ", brightness " << brightness(f) << '\n';
    if (brightness(f) != std::uint64_t{f.number} * f.pixels.size()) return 1;
    seen = seen * 10 + f.number;
  }
  return seen == 13 ? 0 : 1;
}
