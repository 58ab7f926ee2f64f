// What a mirror refuses to be told.
#include "support/catch.hpp"
#include "support/failure.hpp"

#include <leat/kafka/mirror.hpp>
#include <leat/leat.hpp>

#include <string>

namespace kafka_mirror_options {

using Catch::Matchers::ContainsSubstring;
using leat::kafka::mirror_direction;
using leat::kafka::mirror_options;

/// The message of a mirror that is made so; the store has nothing of it afterwards.
std::string refusal(const mirror_options& o) {
  const leat::store store = leat::store::in_process();
  const auto failure = leat_tests::failure_of([&] { const leat::kafka::mirror m(store, o); });
  if (!failure) return "no error";
  CHECK(failure->code() == leat::errc::invalid_argument);
  CHECK(store.topics().empty());
  CHECK(leat::admin(store).groups().empty());
  return failure->what();
}

// Nobody listens there: that a mirror is made says nothing of brokers.
constexpr const char* nowhere = "127.0.0.1:1";

TEST_CASE("a mirror without brokers or topics is refused, and leaves nothing") {
  CHECK_THAT(refusal({.topics = {"t"}}), ContainsSubstring("servers"));
  CHECK_THAT(refusal({.servers = nowhere}), ContainsSubstring("topics"));
  CHECK_THAT(refusal({.servers = nowhere, .topics = {"a", "b"}, .dead_letter_topic = "b"}),
             ContainsSubstring("another topic than b"));
}

TEST_CASE("topics that begin with __, which no mirror looks at, are refused by name, and passed over by a pattern") {
  for (const mirror_direction direction : {mirror_direction::to_kafka, mirror_direction::from_kafka}) {
    for (const char* const name : {"__mirror.to-kafka", "__consumer_offsets", "__"}) {
      CHECK_THAT(refusal({.direction = direction, .servers = nowhere, .topics = {"t", name}}), ContainsSubstring(name));
    }
    CHECK(refusal({.direction = direction, .servers = nowhere, .topics = {"t", "_t", "t__"}}) == "no error");
    CHECK(refusal({.direction = direction, .servers = nowhere, .topics = {"__.*"}, .is_pattern = true}) == "no error");
  }
}

}  // namespace kafka_mirror_options
