// Fuzzing of the files that processes map: see hostile_store.hpp, and `./run fuzz` in ../../run.
//
// With clang this is a program of libFuzzer; LEAT_FUZZ_KIND, where it is set, is the kind of file that is damaged. Without
// it, a program that plays the files that it is given.
#include "fuzz/hostile_store.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <span>
#include <string>

namespace hostile = leat_tests::hostile;

namespace {

hostile::stage& stage() {
  static hostile::stage made;
  return made;
}

}  // namespace

#if defined(LEAT_LIBFUZZER)

namespace {

/// The kind that every input is to have; none: any.
int only_kind() {
  const char* const given = std::getenv("LEAT_FUZZ_KIND");
  if (given == nullptr || *given == '\0') return -1;
  const auto found = std::find(hostile::kind_names.begin(), hostile::kind_names.end(), given);
  if (found == hostile::kind_names.end()) {
    std::fprintf(stderr, "there is no kind of file \"%s\"; there are:", given);
    for (const auto name : hostile::kind_names) std::fprintf(stderr, " %s", std::string(name).c_str());
    std::fprintf(stderr, "\n");
    std::exit(2);
  }
  return static_cast<int>(found - hostile::kind_names.begin());
}

}  // namespace

// Whether anything reaches a device is not looked at here, and waiting for it would take most of the time.
extern "C" int fsync(int) { return 0; }
extern "C" int fdatasync(int) { return 0; }
extern "C" int msync(void*, std::size_t, int) { return 0; }

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

/// Whole damages come, go and change: so what is behind a change stays what it was.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int seed) {
  static const int kind = only_kind();
  constexpr std::size_t prefix = hostile::prefix_bytes;
  constexpr std::size_t step = hostile::damage_bytes;
  std::minstd_rand random(seed);
  if (size < prefix + step) {
    if (max_size < prefix + step) return size;
    std::fill(data + size, data + prefix + step, std::uint8_t{0});
    size = prefix + step;
  }
  const std::size_t damages = (size - prefix) / step;
  std::uint8_t* const chosen = data + prefix + random() % damages * step;
  switch (random() % 8) {
    case 0:
      if (size + step <= max_size && damages < hostile::most_damages) {
        std::copy_n(chosen, step, data + prefix + damages * step);
        data[prefix + damages * step + random() % step] = static_cast<std::uint8_t>(random());
        size = prefix + (damages + 1) * step;
      }
      break;
    case 1:
      if (damages > 1) {
        std::copy(chosen + step, data + prefix + damages * step, chosen);
        size = prefix + (damages - 1) * step;
      }
      break;
    case 2: data[random() % prefix] = static_cast<std::uint8_t>(random()); break;
    case 3: chosen[0] = static_cast<std::uint8_t>(random() % hostile::kinds_of_damage); break;
    case 4: chosen[1] = static_cast<std::uint8_t>(random()); break;
    case 5: chosen[2 + random() % 2] = static_cast<std::uint8_t>(random()); break;
    default: LLVMFuzzerMutate(chosen + 4, step - 4, step - 4);
  }
  if (kind >= 0) data[0] = static_cast<std::uint8_t>(kind);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  stage().play({data, size});
  return 0;
}

#else

int main(int argc, char** argv) {
  int failed = 0;
  for (int i = 1; i < argc; ++i) {
    try {
      const std::string input = leat_tests::read_file(argv[i]);
      stage().play({reinterpret_cast<const std::uint8_t*>(input.data()), input.size()});
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s: %s\n", argv[i], e.what());
      failed = 1;
    }
  }
  return failed;
}

#endif
