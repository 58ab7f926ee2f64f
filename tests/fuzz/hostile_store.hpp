// What happens to the users of a store in which a file was damaged, for fuzzing and for the replay of what it found.
//
//     leat_tests::hostile::stage stage;             makes a sound store once
//     stage.play(input);                            damages a copy of it as the input says, and does all that a user can
//
// An input is four bytes (kind of file, which of that kind, flags, what is done), then damages of 12 bytes each:
// what, where, and a number. So any bytes are an input, and a change of one is a change of one thing. play() throws
// broken_promise where the library does not keep one:
//
//     - nothing but leat::error is thrown, and it names a file of the store, or a record; none is a mere system error;
//     - a reader returns all records before the damage as they were sent, and those behind it or an error;
//     - a reader that stops early without an error stands before something that verify() finds;
//     - whatever is done comes to an end, within a number of steps (and the time that the caller allows).
#pragma once

#include "support/file_bytes.hpp"
#include "support/read_all.hpp"
#include "support/temporary_store.hpp"

#include <leat/admin.hpp>
#include <leat/consumer.hpp>
#include <leat/format/group_file.hpp>
#include <leat/format/store_file.hpp>
#include <leat/format/topic_file.hpp>
#include <leat/producer.hpp>
#include <leat/store.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/resource.h>

namespace leat_tests::hostile {

struct broken_promise : std::logic_error {
  using logic_error::logic_error;
};

enum class kind : std::uint8_t { store, topic, segment, group, member, offsets, assignment, metadata };
inline constexpr std::array<std::string_view, 8> kind_names{"store",  "topic",   "segment",    "group",
                                                            "member", "offsets", "assignment", "metadata"};

inline constexpr std::size_t prefix_bytes = 4;
inline constexpr std::size_t damage_bytes = 12;
inline constexpr std::size_t most_damages = 8;

// Flags, the third byte of an input.
inline constexpr std::uint8_t mends_checksum = 1;  // so that the damage is believed
inline constexpr std::uint8_t while_in_use = 2;    // the store is open when its file is damaged
inline constexpr std::uint8_t in_a_durable_topic = 4;
inline constexpr std::uint8_t after_the_machine_died = 8;  // so the store and the topic are recovered

struct field {
  std::uint32_t at;
  std::uint32_t bytes;
};

/// The fields of a file, and where the checksum over those before it stands (0: it has none).
struct layout {
  std::vector<field> fields;
  std::uint32_t checksum = 0;
};

inline layout layout_of(kind k) {
  using namespace leat::format;
  const auto words_from = [](std::uint32_t begin, std::uint32_t end) {
    std::vector<field> words;
    for (; begin < end; begin += 8) words.push_back({begin, 8});
    return words;
  };
  layout l;
  switch (k) {
    case kind::store:
      l = {{{0, 8}, {8, 4}, {12, 4}, {16, 8}, {36, 4}, {64, 8}, {72, 8}, {256, 4}}, offsetof(store_header, checksum)};
      break;
    case kind::topic:
      l = {{{0, 8},
            {8, 4},
            {12, 4},
            {16, 8},
            {32, 8},
            {40, 8},
            {48, 8},
            {56, 4},
            {60, 4},
            {64, 4},
            {68, 4},
            {72, 4},
            {76, 4},
            {80, 8},
            {88, 8},
            {96, 8},
            {104, 8},
            {356, 4},
            {616, 4}},
           offsetof(topic_header, checksum)};
      for (const field f : words_from(1024, 1120)) l.fields.push_back(f);
      for (std::uint32_t p = 0; p < 2; ++p) {
        for (const field f : words_from(4096 + 256 * p, 4096 + 256 * p + 64)) l.fields.push_back(f);
        for (const field f : words_from(4096 + 256 * p + 64, 4096 + 256 * p + 112)) l.fields.push_back(f);
        l.fields.push_back({4096 + 256 * p + 128, 4});
      }
      break;
    case kind::segment:
      l = {{{0, 8}, {8, 4}, {12, 4}, {16, 8}, {32, 8}, {40, 8}, {48, 8}, {128, 8}, {136, 8}, {144, 8}, {256, 8}},
           offsetof(segment_identity, checksum)};
      break;
    case kind::group:
      l = {{{0, 8}, {8, 4}, {16, 8}, {32, 8}, {284, 4}}, offsetof(group_header, checksum)};
      for (const field f : words_from(512, 536)) l.fields.push_back(f);
      for (const field f : words_from(576, 600)) l.fields.push_back(f);
      break;
    case kind::member:
      l = {{{0, 8},  {8, 4},   {12, 4},  {16, 8},  {32, 8},  {40, 8},  {48, 8},  {56, 8},  {64, 8},   {72, 4},  {76, 4},
            {80, 8}, {332, 4}, {336, 8}, {588, 4}, {592, 8}, {844, 4}, {848, 8}, {908, 4}, {1088, 8}, {1096, 8}},
           offsetof(member_header, checksum)};
      for (const field f : words_from(1024, 1064)) l.fields.push_back(f);
      break;
    case kind::offsets:
      l = {{{0, 8}, {8, 4}, {16, 8}, {32, 8}, {48, 8}, {300, 4}}, offsetof(offsets_header, checksum)};
      for (std::uint32_t p = 0; p < 2; ++p) {
        for (const field f : words_from(512 + 64 * p, 512 + 64 * p + 24)) l.fields.push_back(f);
      }
      break;
    case kind::assignment:
    case kind::metadata: l.fields = {{0, 8}, {8, 8}, {16, 8}, {32, 8}, {64, 1}, {96, 1}}; break;
  }
  return l;
}

/// Numbers at which something changes its meaning.
inline constexpr std::array<std::uint64_t, 40> interesting{0,
                                                           1,
                                                           2,
                                                           3,
                                                           4,
                                                           5,
                                                           7,
                                                           8,
                                                           9,
                                                           16,
                                                           63,
                                                           64,
                                                           90,
                                                           255,
                                                           1023,
                                                           1024,
                                                           1025,
                                                           4095,
                                                           4096,
                                                           4816,
                                                           8192,
                                                           16376,
                                                           16384,
                                                           16392,
                                                           0777,
                                                           01777,
                                                           04777,
                                                           1 << 20,
                                                           0x7fffffff,
                                                           0x80000000,
                                                           0xffffffff,
                                                           std::uint64_t{1} << 32,
                                                           std::uint64_t{1} << 40,
                                                           (std::uint64_t{1} << 52) - 1,
                                                           std::uint64_t{1} << 52,
                                                           std::uint64_t{1} << 62,
                                                           (std::uint64_t{1} << 63) - 1,
                                                           std::uint64_t{1} << 63,
                                                           ~std::uint64_t{1},
                                                           ~std::uint64_t{0}};

/// One step of the damage.
struct damage {
  std::uint8_t what = 0;
  std::uint8_t field = 0;
  std::uint16_t where = 0;
  std::uint64_t number = 0;

  static damage at(const std::uint8_t* bytes) noexcept {
    damage d;
    d.what = bytes[0];
    d.field = bytes[1];
    std::memcpy(&d.where, bytes + 2, sizeof d.where);
    std::memcpy(&d.number, bytes + 4, sizeof d.number);
    return d;
  }
};

inline constexpr std::uint8_t kinds_of_damage = 9;

/// Changes the bytes of a file as `d` says. `keeps_size`: it is mapped.
inline void inflict(const damage& d, kind k, const layout& l, bool keeps_size, std::string& bytes) {
  const auto put = [&](std::uint64_t at, std::uint64_t width, std::uint64_t number) {
    if (at + width <= bytes.size()) bytes.replace(at, width, little_endian(number, width));
  };
  const field f = l.fields[d.field % l.fields.size()];
  const std::uint64_t within = bytes.empty() ? 0 : (std::uint64_t{d.where} * 8) % bytes.size();
  switch (d.what % kinds_of_damage) {
    case 0: put(f.at, f.bytes, interesting[d.number % interesting.size()]); break;
    case 1: put(f.at, f.bytes, d.number); break;
    case 2:  // a little more, or less
      if (f.at + f.bytes <= bytes.size()) {
        put(f.at, f.bytes,
            number_at(bytes, f.at, f.bytes) + static_cast<std::uint64_t>(static_cast<std::int8_t>(d.number)));
      }
      break;
    case 3:  // a slot of a segment, else any word
      put(k == kind::segment ? leat::format::page_bytes + d.where % 96 * 8 : within, 8, d.number);
      break;
    case 4:  // a slot that describes something
      put(leat::format::page_bytes + d.where % 96 * 8, 8,
          (d.number & 3) << 56 | (d.number >> 2 & 0x7ff) << 32 | (d.number >> 13 & 0xfff));
      break;
    case 5: put(within, 8, interesting[d.number % interesting.size()]); break;
    case 6: put(within + d.number % 8, 1, d.number >> 8); break;
    case 7: {
      const std::uint64_t begin = std::min<std::uint64_t>(within, bytes.size());
      const std::uint64_t end = std::min<std::uint64_t>(begin + (d.number & 0xfff), bytes.size());
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(begin), bytes.begin() + static_cast<std::ptrdiff_t>(end),
                static_cast<char>(d.number >> 16));
      break;
    }
    default:
      if (!keeps_size) bytes.resize(d.number % (2 * bytes.size() + 2), static_cast<char>(d.number >> 32));
  }
}

class stage {
 public:
  stage() {
    build(sound_stores_[0], leat::durability::none);
    try {
      build(sound_stores_[1], leat::durability::every);
    } catch (const leat::error& e) {
      if (e.code() != leat::errc::invalid_argument) throw;
      sound_stores_[1] = sound_stores_[0];  // the directory for temporary files is in memory, where nothing is durable
    }
  }

  /// Throws broken_promise.
  void play(std::span<const std::uint8_t> input) {
    limit_files();
    if (input.size() < prefix_bytes) return;
    const auto k = static_cast<kind>(input[0] % kind_names.size());
    sound_ = &sound_stores_[(input[2] & in_a_durable_topic) != 0 ? 1 : 0];
    const std::vector<std::string>& names = sound_->names.at(k);
    const scene s{k, names[input[1] % names.size()], input[2], input[3]};
    std::vector<damage> damages;
    for (std::size_t at = prefix_bytes; at + damage_bytes <= input.size() && damages.size() < most_damages;
         at += damage_bytes) {
      damages.push_back(damage::at(input.data() + at));
    }
    restore((s.flags & after_the_machine_died) != 0);
    findings_.clear();
    expectation_.reset();
    if ((s.flags & while_in_use) != 0) {
      use_while(s, damages);
    } else {
      std::string bytes = read_file(root() + "/" + s.file);
      inflict_all(s, damages, bytes);
      expect(s, bytes);
      write_file(root() + "/" + s.file, bytes);
    }
    use(s);
  }

 private:
  static constexpr rlim_t most_file_bytes = 8 << 20;
  static constexpr std::uint64_t segment_bytes = 16384;
  static constexpr int most_polls = 400;
  static constexpr std::uint64_t any_number = std::numeric_limits<std::uint64_t>::max();

  struct scene {
    kind what;
    std::string file;
    std::uint8_t flags;
    std::uint8_t first;
  };

  /// What reading a partition must give, although one of its segments was damaged.
  struct expectation {
    std::uint32_t partition;
    std::uint64_t whole;                // all records below are to be read
    std::set<std::uint64_t> disturbed;  // of those, these may have other bytes
  };

  struct segment_place {
    std::uint32_t partition;
    std::uint64_t base;
    std::uint64_t end;
  };

  /// Of this process: a topic may be made to say that its segments have 16 GiB.
  static void limit_files() {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = most_file_bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }

  std::string root() const { return place_.path() + "/store"; }

  // --- the sound store ---

  struct sound_store {
    std::vector<std::string> directories;
    std::map<std::string, std::string> files;
    std::map<kind, std::vector<std::string>> names;
    std::map<std::string, segment_place> segments;
    std::vector<std::vector<record_copy>> records;  // of each partition
  };

  void build(sound_store& into, leat::durability durability) {
    into = {};
    std::filesystem::remove_all(root());
    {
      const auto store = leat::store::open(root());
      const auto topic = store.topic<std::string>("t", {.partitions = 2,
                                                        .segment_bytes = segment_bytes,
                                                        .retention = {.bytes = 8 * segment_bytes},
                                                        .durability = durability});
      leat::producer out{topic};
      fill(topic, out, 0, 4);
      fill(topic, out, 1, 1);
      leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest, .group = "g"}};
      leat::consumer other{topic,
                           {.auto_offset_reset = leat::offset_reset::earliest,
                            .group = "g",
                            .group_instance_id = "static",
                            .session_timeout = std::chrono::hours(1)}};
      for (int i = 0; i < 50; ++i) {
        (void)in.poll();
        (void)other.poll();
      }
      if (in.owned().size() != 1 || other.owned().size() != 1) throw std::logic_error("the group did not share");
      in.commit({in.owned()[0], 3, "note"}).value();
      other.commit({other.owned()[0], 2}).value();
      for (std::uint32_t p = 0; p < 2; ++p) into.records.push_back(leat_tests::read_all(topic, p));
      for (std::uint32_t p = 0; p < 2; ++p) {
        for (const auto& s : leat::admin(store).segments({"t", p})) {
          into.segments[s.path.substr(root().size() + 1)] = {p, s.base_offset, s.end_offset};
        }
      }
      take_copy(into);  // now, while the group has members: in the copy they are dead
    }
    auto& names = into.names;
    names[kind::store] = {"store"};
    names[kind::topic] = {"topics/t/topic"};
    for (const auto& [name, bytes] : into.files) {
      if (name.starts_with("topics/t/0")) names[kind::segment].push_back(name);
      if (name.starts_with("topics/t/group-")) names[kind::offsets].push_back(name);
      if (name.starts_with("topics/t/meta-")) names[kind::metadata].push_back(name);
      if (name == "groups/g/group") names[kind::group].push_back(name);
      if (name.starts_with("groups/g/member-")) names[kind::member].push_back(name);
      if (name.starts_with("groups/g/assignment-")) names[kind::assignment].push_back(name);
    }
    if (names.size() != kind_names.size() || names[kind::member].size() != 2) {
      throw std::logic_error("the sound store lacks something");
    }
  }

  static void fill(const leat::topic<std::string>& topic, leat::producer<std::string>& out, std::uint32_t partition,
                   std::uint64_t segments) {
    const leat::header headers[] = {{"h", "x"}, {"n", leat::null}};
    for (int i = 0; topic.log()->partition(partition).begun().observe() < segments || i < 12; ++i) {
      leat::send_options options{.partition = partition};
      const std::string value = "value " + std::to_string(i) + std::string(i < 12 ? 0 : 350, '.');
      switch (i % 4) {
        case 0: (void)out.send(value, options).value(); break;
        case 1: (void)out.send("key", leat::null, options).value(); break;
        case 2: (void)out.send("", value, options).value(); break;
        default: options.headers = std::span<const leat::header>(headers); (void)out.send("k", value, options).value();
      }
    }
  }

  void take_copy(sound_store& into) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root())) {
      const std::string name = entry.path().string().substr(root().size() + 1);
      if (entry.is_directory()) {
        into.directories.push_back(name);
      } else {
        into.files[name] = read_file(entry.path().string());
      }
    }
    std::sort(into.directories.begin(), into.directories.end());
  }

  void restore(bool in_another_boot) const {
    std::filesystem::remove_all(root());
    std::filesystem::create_directory(root());
    ::chmod(root().c_str(), 0700);
    for (const std::string& name : sound_->directories) std::filesystem::create_directory(root() + "/" + name);
    for (const auto& [name, bytes] : sound_->files) write_file(root() + "/" + name, bytes);
    if (!in_another_boot) return;
    poke(root() + "/store", offsetof(leat::format::store_header, boot), std::string(16, 'b'));
    poke(root() + "/topics/t/topic", offsetof(leat::format::topic_header, boot), std::string(16, 'b'));
  }

  // --- the damage ---

  static void inflict_all(const scene& s, const std::vector<damage>& damages, std::string& bytes) {
    const layout l = layout_of(s.what);
    const bool keeps_size = (s.flags & while_in_use) != 0;
    for (const damage& d : damages) inflict(d, s.what, l, keeps_size, bytes);
    if ((s.flags & mends_checksum) != 0 && l.checksum != 0 && bytes.size() >= l.checksum + 4) {
      bytes.replace(l.checksum, 4, little_endian(slow_crc32c(bytes.substr(0, l.checksum)), 4));
    }
  }

  void expect(const scene& s, const std::string& bytes) {
    if (s.what != kind::segment) return;
    const std::string& sound = sound_->files.at(s.file);
    const segment_place& place = sound_->segments.at(s.file);
    const std::uint64_t count = place.end - place.base;
    expectation e{place.partition, any_number, {}};
    if (bytes.size() != sound.size()) {
      e.whole = place.base;
    } else {
      const auto differ = [&](std::uint64_t begin, std::uint64_t end) {
        return std::string_view(sound).substr(begin, end - begin) != std::string_view(bytes).substr(begin, end - begin);
      };
      if (differ(0, 64) || differ(128, 136)) e.whole = place.base;
      for (std::uint64_t i = 0; i <= count && i < (sound.size() - 4096) / 8; ++i) {
        const std::uint64_t slot = 4096 + 8 * i;
        if (differ(slot, slot + 8)) e.whole = std::min(e.whole, place.base + i);
        const leat::format::slot_word word = number_at(sound, slot, 8);
        if (i == count || e.whole <= place.base + i) continue;
        const std::uint64_t position = leat::format::slot_position(word);
        if (differ(position, position + leat::format::record_bytes(word))) e.disturbed.insert(place.base + i);
      }
    }
    expectation_ = e;
  }

  // --- what users do ---

  /// Does it, and looks at what it throws.
  template <class F>
  std::optional<leat::error> attempt(F&& f) const {
    try {
      std::forward<F>(f)();
    } catch (const leat::error& e) {
      const std::string& path = e.path();
      const bool named = path.starts_with(root()) || path.starts_with("topic ") || path.starts_with("result");
      if (!named) throw broken_promise("an error that names no file: " + std::string(e.what()));
      if (e.code() == leat::errc::system || e.code() == leat::errc::forked) {
        throw broken_promise("not what a damaged file is told as: " + std::string(e.what()));
      }
      return e;
    }
    return std::nullopt;
  }

  leat::store open() const { return leat::store::open(root(), {.mode = leat::open_mode::open}); }

  void use(const scene& s) {
    (void)attempt([&] { (void)open(); });
    const int deeds = 1 + s.first / 8 % 8;  // the fewer, the more inputs a second
    for (int i = 0; i < deeds; ++i) {
      switch ((s.first + i) % 8) {
        case 0:
          look();
          if (i == 0 && (s.flags & while_in_use) == 0) read(s);
          break;
        case 1: send(); break;
        case 2: be_a_member("", false); break;
        case 3: be_a_member("static", true); break;
        case 4: commit_alone(); break;
        case 5: retain(); break;
        case 6: alter(); break;
        default: reset(); break;
      }
    }
    if (s.first >= 128) remove();
  }

  /// The store is open, and all that has it goes on.
  void use_while(const scene& s, const std::vector<damage>& damages) {
    (void)attempt([&] {
      const auto store = open();
      const auto topic = store.topic<std::string>("t", {.mode = leat::open_mode::open});
      leat::producer out{topic, {.max_block = std::chrono::nanoseconds(0)}};
      leat::consumer in{topic, {.auto_offset_reset = leat::offset_reset::earliest, .max_poll_records = 7}};
      leat::consumer member{topic, {.auto_offset_reset = leat::offset_reset::earliest, .group = "g"}};
      (void)out.send("live").value();
      const auto held = in.poll();
      for (int i = 0; i < 3; ++i) (void)member.poll();

      const std::string path = root() + "/" + s.file;
      if (!std::filesystem::exists(path)) return;  // the members have made another
      std::string bytes = read_file(path);
      const std::string before = bytes;
      inflict_all(s, damages, bytes);
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] == before[i]) continue;
        std::size_t end = i;
        while (end < bytes.size() && bytes[end] != before[end]) ++end;
        poke(path, i, std::string_view(bytes).substr(i, end - i));
        i = end;
      }
      for (const auto& record : held) (void)attempt([&] { (void)copy_of(record); });
      for (int i = 0; i < 60; ++i) {
        (void)attempt([&] { (void)out.send("key", std::string(400, 'l'), {.partition = i % 2}).error(); });
      }
      for (int i = 0; i < 60; ++i) (void)attempt([&] { look_at(in.poll()); });
      for (int i = 0; i < 8; ++i) (void)attempt([&] { look_at(member.poll()); });
      (void)attempt([&] { (void)member.commit().error(); });
      (void)attempt([&] { (void)in.lag(0); });
      (void)attempt([&] { (void)topic.describe(); });
      (void)attempt([&] { member.close(); });
    });
  }

  template <class Batch>
  static std::size_t look_at(const Batch& batch) {
    std::size_t bytes = 0;
    for (const auto& record : batch) {
      bytes += record.value_bytes() ? record.value_bytes()->size() : 0;
      bytes += record.key_bytes() ? record.key_bytes()->size() : 0;
      for (const leat::header& h : record.headers()) bytes += h.name.size() + h.text().size();
      (void)record.timestamp();
    }
    return bytes;
  }

  void look() {
    (void)attempt([&] { (void)open().topics(); });
    (void)attempt([&] { (void)open().describe_topic("t"); });
    (void)attempt([&] { findings_ = leat::admin(open()).verify("t"); });
    (void)attempt([&] { (void)leat::admin(open()).groups(); });
    (void)attempt([&] { (void)leat::admin(open()).describe_group("g"); });
    for (std::uint32_t p = 0; p < 2; ++p) {
      (void)attempt([&] { (void)leat::admin(open()).segments({"t", p}); });
      (void)attempt(
          [&] { (void)leat::admin(open()).offset_for_time({"t", p}, leat::timestamp(std::chrono::nanoseconds(1))); });
    }
  }

  void read(const scene& s) {
    for (std::uint32_t p = 0; p < 2; ++p) read(s, p);
    (void)attempt([&] {  // one that goes wherever the words lead
      leat::consumer in{open().raw_topic("t"), {.auto_offset_reset = leat::offset_reset::earliest}};
      for (int i = 0; i < 20; ++i) (void)attempt([&] { look_at(in.poll()); });
      (void)attempt([&] { in.seek_to_end(); });
      (void)attempt([&] { look_at(in.poll()); });
      for (const std::uint64_t to : {std::uint64_t{5}, std::uint64_t{60}, std::uint64_t{1} << 40, any_number}) {
        in.seek({0, to});
        (void)attempt([&] { look_at(in.poll()); });
      }
      (void)attempt([&] { in.seek_to_time(leat::timestamp(std::chrono::nanoseconds(1))); });
      (void)attempt([&] { look_at(in.poll()); });
    });
  }

  /// From the first record to the last, or to the damage.
  void read(const scene& s, std::uint32_t partition) {
    std::uint64_t position = 0;
    std::optional<std::uint64_t> end;
    std::optional<leat::error> failure = attempt([&] {
      const auto topic = open().topic<std::string>("t", {.mode = leat::open_mode::open});
      leat::consumer in{topic, {.partitions = {{partition}}, .auto_offset_reset = leat::offset_reset::none}};
      in.seek({partition, topic.start_offset(partition)});
      position = in.position(partition);
      for (int polls = 0;; ++polls) {
        if (polls == most_polls) throw broken_promise("a reader that does not come to an end");
        std::size_t count = 0;
        for (const auto& record : in.poll()) {
          compare(s, partition, record);
          ++count;
        }
        position = in.position(partition);
        if (count == 0) break;
      }
      end = topic.end_offset(partition);
    });
    if (s.what != kind::segment || (s.flags & after_the_machine_died) != 0) return;  // a recovery may cut it
    const std::uint64_t all = sound_->records[partition].size();
    const bool concerned = expectation_ && expectation_->partition == partition;
    const std::uint64_t whole = concerned ? std::min(expectation_->whole, all) : all;
    if (position < whole) {
      throw broken_promise("read up to " + std::to_string(position) + " of " + std::to_string(whole) +
                           " records before the damage" + (failure ? ": " + std::string(failure->what()) : ""));
    }
    // Where two segments do not fit together, either may be the damaged one.
    if (failure && position < all && !failure->path().starts_with(root() + "/topics/t/0")) {
      throw broken_promise("the damage is in " + s.file + ", but the error says " + failure->what());
    }
    if (!failure && end && position < *end && findings_.empty()) {
      throw broken_promise("a reader stands still at " + std::to_string(position) + " before the end, " +
                           std::to_string(*end) + ", and nothing is said to be wrong");
    }
  }

  void compare(const scene& s, std::uint32_t partition, const leat::record_view<std::string>& record) const {
    record_copy copy;
    const auto failure = attempt([&] { copy = copy_of(record); });
    if (s.what != kind::segment || (s.flags & after_the_machine_died) != 0) return;
    const std::uint64_t offset = record.offset();
    if (expectation_ && expectation_->partition == partition) {
      if (offset >= expectation_->whole || expectation_->disturbed.contains(offset)) return;
    }
    if (offset >= sound_->records[partition].size()) throw broken_promise("more records than were sent");
    if (failure || copy != sound_->records[partition][offset]) {
      throw broken_promise("record " + std::to_string(offset) + " is another than was sent");
    }
  }

  void send() {
    (void)attempt([&] {
      const auto topic = open().topic<std::string>("t", {.mode = leat::open_mode::open});
      leat::producer out{topic, {.max_block = std::chrono::nanoseconds(0)}};
      const std::string value(350, 's');
      std::optional<leat::record_position> last;
      for (int i = 0; i < 70; ++i) {
        const auto failure = attempt([&] {
          const auto at = out.send(value, {.partition = i % 8 == 0 ? 1 : 0});
          if (at) last = *at;
        });
        if (failure && i > 4) break;
      }
      if (last) read_back(topic, *last, value);
      (void)attempt([&] { (void)out.send(std::string(9000, 'l')).error(); });
      (void)attempt([&] { (void)out.send_batch(std::vector<std::string>(40, value)).error; });
      (void)attempt([&] { (void)out.send_if({0, topic.end_offset(0)}, leat::null, value).error(); });
      (void)attempt([&] {
        auto loan = out.claim("key", 20);
        if (loan) (void)loan->publish().error();
      });
    });
  }

  /// What was acknowledged is there, or the damage is told.
  void read_back(const leat::topic<std::string>& topic, leat::record_position at, const std::string& value) const {
    (void)attempt([&] {
      leat::consumer in{topic, {.partitions = {{at.partition}}, .auto_offset_reset = leat::offset_reset::none}};
      in.seek(at);
      for (const auto& record : in.poll()) {
        if (record.offset() == at.offset && record.value_bytes() && text_of(*record.value_bytes()) != value) {
          throw broken_promise("another record at the offset of one that was sent");
        }
      }
    });
  }

  void be_a_member(const std::string& instance, bool leaves) {
    (void)attempt([&] {
      const auto store = open();
      leat::consumer<std::string> in{store,
                                     {.auto_offset_reset = leat::offset_reset::earliest,
                                      .group = "g",
                                      .group_instance_id = instance,
                                      .session_timeout = std::chrono::hours(1)}};
      if (instance.empty()) {
        in.subscribe_pattern("[a-z]+");
      } else {
        in.subscribe({"t"});
      }
      for (int i = 0; i < 6; ++i) (void)attempt([&] { look_at(in.poll()); });
      (void)attempt([&] { (void)in.commit().error(); });
      (void)attempt([&] {
        for (const auto& p : in.owned()) (void)in.commit({p, 5, "from a member"}).error();
      });
      (void)attempt([&] { (void)in.committed({"t", 0}); });
      if (leaves) (void)attempt([&] { in.close(); });
    });
  }

  void commit_alone() {
    (void)attempt([&] {
      const auto topic = open().topic<std::string>("t", {.mode = leat::open_mode::open});
      leat::consumer in{topic,
                        {.partitions = {{0, 1}}, .auto_offset_reset = leat::offset_reset::earliest, .group = "g"}};
      for (std::uint32_t p = 0; p < 2; ++p) {
        (void)attempt([&] { (void)in.committed(p); });
        (void)attempt([&] { (void)in.commit({{"t", p}, 4, "alone"}).error(); });
        (void)attempt([&] { (void)in.lag(p); });
      }
      (void)attempt([&] { look_at(in.poll()); });
      (void)attempt([&] { (void)in.commit().error(); });
    });
  }

  void retain() {
    (void)attempt([&] { (void)leat::admin(open()).apply_retention("t"); });
    (void)attempt([&] { (void)leat::admin(open()).delete_records({"t", 0}, 50); });
    (void)attempt([&] { (void)leat::admin(open()).clean(); });
  }

  void alter() {
    (void)attempt([&] {
      leat::admin(open()).alter_topic(
          "t", {.retention = {.bytes = 2 * segment_bytes, .time = std::chrono::hours(1), .wait_for_groups = true}});
    });
    (void)attempt([&] { leat::admin(open()).add_partitions("t", 3); });
    (void)attempt([&] { leat::admin(open()).create_topic("t"); });
    (void)attempt([&] { (void)open().topic<std::uint64_t>("new").describe(); });
    send();
  }

  void reset() {
    for (const leat::reset_target& target :
         {leat::reset_target(leat::to_earliest{}), leat::reset_target(leat::to_latest{}),
          leat::reset_target(leat::to_offset{7}), leat::reset_target(leat::shift_by{-2}),
          leat::reset_target(leat::shift_by{3}),
          leat::reset_target(leat::to_time{leat::timestamp(std::chrono::nanoseconds(1))})}) {
      (void)attempt([&] { (void)leat::admin(open()).reset_offsets("g", "t", target); });
    }
  }

  void remove() {
    (void)attempt([&] { (void)leat::admin(open()).delete_group("g"); });
    (void)attempt([&] { (void)open().remove_topic("t"); });
    (void)attempt([&] { (void)leat::store::remove(root()); });
  }

  temporary_directory place_;
  std::array<sound_store, 2> sound_stores_;
  const sound_store* sound_ = nullptr;  // of the input at hand
  std::vector<leat::finding> findings_;
  std::optional<expectation> expectation_;
};

}  // namespace leat_tests::hostile
