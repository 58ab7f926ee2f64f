// What a mirror knows of a partition: the text that it commits for its group together with the offset.
//
//     leat-mirror 1 to-kafka cluster=5L6g topic=web leat=120 kafka=7120 end=clean promise=exactly-once records=120 ...
//
// says: the record with leat's offset 120 has, or will have, Kafka's offset 7120. Behind it the offsets of both go on one by
// one, until another such pair is committed. So the end of the side that is written to says what is mirrored.
#pragma once

#include <leat/error.hpp>
#include <leat/kafka/mirror_options.hpp>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leat::kafka {

/// The same record on both sides.
struct offset_pair {
  std::uint64_t leat = 0;
  std::int64_t kafka = 0;

  bool operator==(const offset_pair&) const = default;
};

struct mirror_state {
  mirror_direction direction = mirror_direction::to_kafka;
  std::string cluster;  // Kafka's id of it
  std::string topic;    // Kafka's name of it
  offset_pair at;
  bool clean = false;  // it ended with nothing on its way
  guarantee promise = guarantee::exactly_once;
  // For those who watch.
  std::uint64_t records = 0;  // since this mirror began
  std::uint64_t errors = 0;
  std::uint64_t lag = 0;
  std::uint64_t rate = 0;  // records a second, lately
};

inline std::string_view text_of(mirror_direction d) {
  return d == mirror_direction::to_kafka ? "to-kafka" : "from-kafka";
}
inline std::string_view text_of(guarantee g) { return g == guarantee::exactly_once ? "exactly-once" : "at-least-once"; }

inline std::string text_of(const mirror_state& s) {
  std::string text = "leat-mirror 1 ";
  text += text_of(s.direction);
  text += " cluster=" + s.cluster + " topic=" + s.topic + " leat=" + std::to_string(s.at.leat) +
          " kafka=" + std::to_string(s.at.kafka) + " end=" + (s.clean ? "clean" : "open") + " promise=";
  text += text_of(s.promise);
  return text + " records=" + std::to_string(s.records) + " errors=" + std::to_string(s.errors) +
         " lag=" + std::to_string(s.lag) + " rate=" + std::to_string(s.rate);
}

/// Empty where a mirror did not write this.
inline std::optional<mirror_state> parse_mirror_state(std::string_view text) {
  constexpr std::string_view magic = "leat-mirror 1 ";
  if (!text.starts_with(magic)) return std::nullopt;
  text.remove_prefix(magic.size());
  mirror_state s;
  unsigned found = 0;
  bool is_sound = true;
  const auto number = [&](std::string_view digits, auto& into) {
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), into);
    if (failure != std::errc() || end != digits.data() + digits.size()) is_sound = false;
  };
  const auto one_of = [&](std::string_view word, std::string_view yes, std::string_view no) {
    if (word != yes && word != no) is_sound = false;
    return word == yes;
  };
  for (bool first = true; !text.empty(); first = false) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (first) {
      s.direction = one_of(word, "to-kafka", "from-kafka") ? mirror_direction::to_kafka : mirror_direction::from_kafka;
      continue;
    }
    const std::size_t sign = word.find('=');
    if (sign == word.npos) return std::nullopt;
    const std::string_view name = word.substr(0, sign);
    const std::string_view value = word.substr(sign + 1);
    if (name == "cluster") s.cluster = value;
    if (name == "topic") s.topic = value;
    if (name == "leat") number(value, s.at.leat), ++found;
    if (name == "kafka") number(value, s.at.kafka), ++found;
    if (name == "end") s.clean = one_of(value, "clean", "open");
    if (name == "promise") {
      s.promise = one_of(value, "exactly-once", "at-least-once") ? guarantee::exactly_once : guarantee::at_least_once;
    }
    if (name == "records") number(value, s.records);
    if (name == "errors") number(value, s.errors);
    if (name == "lag") number(value, s.lag);
    if (name == "rate") number(value, s.rate);
  }
  if (!is_sound || found != 2 || s.at.kafka < 0) return std::nullopt;
  return s;
}

/// Where the state that `committed` has is not one of this mirror's. Throws.
inline mirror_state require_state(const std::string& committed, const std::string& group, mirror_direction direction,
                                  const std::string& cluster, const std::string& topic) {
  const auto fail = [&](const std::string& found) {
    throw error(errc::conflicting_options, "group " + group,
                found + "; a mirror of another name (option `name`) begins anew, or delete the group");
  };
  const auto state = parse_mirror_state(committed);
  if (!state) fail("what it has committed is no mirror's, expected \"leat-mirror 1 ...\", found \"" + committed + "\"");
  if (state->direction != direction) {
    fail("it mirrors " + std::string(text_of(state->direction)) + ", but was asked to mirror " +
         std::string(text_of(direction)));
  }
  if (state->cluster != cluster) {
    fail("it mirrors Kafka's cluster " + state->cluster + ", but this is cluster " + cluster);
  }
  if (state->topic != topic) fail("it mirrors Kafka's topic " + state->topic + ", but was asked to mirror " + topic);
  return *state;
}

}  // namespace leat::kafka
