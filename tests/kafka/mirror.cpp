// The mirror against librdkafka's mock cluster, and what it writes down. Deaths, and what the mock cluster cannot do, are
// judged beside a real broker: mirror_test.py, mirror_kill_test.py.
#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/mock_cluster.hpp"

#include <leat/group/standalone.hpp>
#include <leat/kafka/mirror.hpp>
#include <leat/kafka/producer.hpp>
#include <leat/kafka/store.hpp>
#include <leat/leat.hpp>

#include <chrono>
#include <cstdint>
#include <future>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace kafka_mirror {

using Catch::Matchers::ContainsSubstring;
using leat::kafka::guarantee;
using leat::kafka::mirror_direction;
using leat::kafka::mirror_options;
using leat::kafka::offset_pair;
using leat::kafka::offset_pairs;

mirror_options options_for(const leat_tests::mock_cluster& cluster, mirror_direction direction) {
  mirror_options o;
  o.direction = direction;
  o.servers = cluster.servers();
  o.topics = {"t"};
  o.follow = false;
  o.max_message_bytes = 1'000'000;
  o.settle = std::chrono::milliseconds(50);
  return o;
}

using plain_record = std::tuple<std::uint32_t, std::uint64_t, std::optional<std::string>, std::optional<std::string>,
                                std::int64_t, std::string>;

std::vector<plain_record> records_in(const leat::store& store) {
  const auto text = [](const std::optional<leat::bytes_view>& b) {
    return b ? std::optional(std::string(reinterpret_cast<const char*>(b->data()), b->size())) : std::nullopt;
  };
  std::vector<plain_record> found;
  const auto topic = store.raw_topic("t");
  for (std::uint32_t p = 0; p < topic.partitions(); ++p) {
    leat::consumer in{topic, {.partitions = std::vector{p}, .auto_offset_reset = leat::offset_reset::earliest}};
    while (in.position(p) < topic.end_offset(p)) {
      for (const auto& r : in.poll()) {
        std::string headers;
        for (const leat::header& h : r.headers()) {
          headers += std::string(h.name) + (h.value ? "=" + std::string(h.text()) : "") + ";";
        }
        const auto ms = std::chrono::floor<std::chrono::milliseconds>(r.timestamp().time_since_epoch()).count();
        found.emplace_back(p, r.offset(), text(r.key_bytes()), text(r.value_bytes()), ms, headers);
      }
    }
  }
  return found;
}

void run(const leat::store& store, const mirror_options& o) {
  leat::kafka::mirror m{store, o};
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  m.run([&] { return std::chrono::steady_clock::now() > deadline; });
}

/// As if the mirror had been killed before it committed what the other side has taken behind `at`.
void forget_behind(const leat::store& store, const std::string& group, const offset_pair& at) {
  leat::group::standalone committer(store.files(), group);
  const auto log = store.raw_topic("t").log();
  auto state = leat::kafka::parse_mirror_state(log->find_group(group)->committed(0)->metadata).value();
  state.at = at;
  state.clean = false;
  REQUIRE(committer.commit(*log, 0, at.leat, text_of(state)) == leat::errc::ok);
}

/// The values of the only partition, with their offsets in Kafka.
std::vector<std::string> values_in(const leat_tests::mock_cluster& cluster) {
  const leat::store copy = leat::store::in_process();
  run(copy, options_for(cluster, mirror_direction::from_kafka));
  std::vector<std::string> values;
  for (const plain_record& r : records_in(copy)) values.push_back(std::get<3>(r).value_or("null"));
  return values;
}

TEST_CASE("what was mirrored to Kafka and back is the same, null and empty included") {
  leat_tests::mock_cluster cluster;
  cluster.create_topic("t", 2);
  const leat::store here = leat::store::in_process();
  const auto topic = here.topic<std::string>("t", {.partitions = 2});
  leat::producer out{topic};
  for (std::uint32_t p = 0; p < 2; ++p) {
    (void)out.send("", "", {.partition = p, .headers = {{"h", leat::null}, {"h", ""}, {"h", "1"}}}).value();
    (void)out.send(leat::null, leat::null, {.partition = p}).value();
    (void)out.send("key", leat::null, {.partition = p}).value();
    (void)out.send(leat::null, "value", {.partition = p}).value();
    for (int i = 0; i < 1000; ++i) (void)out.send(std::to_string(i), std::string(100, 'x'), {.partition = p}).value();
  }
  run(here, options_for(cluster, mirror_direction::to_kafka));

  const leat::store there = leat::store::in_process();
  run(there, options_for(cluster, mirror_direction::from_kafka));
  CHECK(records_in(there) == records_in(here));
  CHECK(records_in(there).size() == 2008);
}

TEST_CASE("a mirror that comes back goes on behind what is in Kafka, and sends nothing twice") {
  leat_tests::mock_cluster cluster;
  cluster.create_topic("t", 1);
  const leat::store here = leat::store::in_process();
  leat::producer out{here.topic<std::string>("t")};
  const mirror_options to = options_for(cluster, mirror_direction::to_kafka);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) (void)out.send(std::to_string(i)).value();
    run(here, to);
  }
  forget_behind(here, "mirror.to-kafka", {7, 7});
  (void)out.send("last").value();
  run(here, to);

  const leat::store there = leat::store::in_process();
  run(there, options_for(cluster, mirror_direction::from_kafka));
  CHECK(records_in(there) == records_in(here));
}

TEST_CASE("another cluster than the one that was mirrored to is refused") {
  const leat::store here = leat::store::in_process();
  leat::producer out{here.topic<std::string>("t")};
  (void)out.send("1").value();
  leat_tests::mock_cluster first;
  first.create_topic("t", 1);
  run(here, options_for(first, mirror_direction::to_kafka));
  leat_tests::mock_cluster second;
  second.create_topic("t", 1);
  CHECK_THAT(leat_tests::message_of([&] { run(here, options_for(second, mirror_direction::to_kafka)); }),
             ContainsSubstring("but this is cluster"));
}

TEST_CASE("the state of a mirror is what was written, and nothing else is one") {
  leat::kafka::mirror_state s;
  s.direction = mirror_direction::from_kafka;
  s.cluster = "c";
  s.topic = "t";
  s.at = {12, 34};
  s.clean = true;
  s.promise = guarantee::at_least_once;
  s.lag = 5;
  const auto read = leat::kafka::parse_mirror_state(text_of(s));
  REQUIRE(read);
  CHECK(text_of(*read) == text_of(s));
  CHECK(read->at == s.at);
  for (const char* wrong :
       {"", "leat-mirror 1 ", "leat-mirror 2 to-kafka leat=1 kafka=1", "leat-mirror 1 to-kafka leat=1",
        "leat-mirror 1 sideways leat=1 kafka=1", "leat-mirror 1 to-kafka leat=x kafka=1",
        "leat-mirror 1 to-kafka leat=1 kafka=-1", "leat-mirror 1 to-kafka leat=1 kafka=1 end=perhaps"}) {
    INFO(wrong);
    CHECK_FALSE(leat::kafka::parse_mirror_state(wrong));
  }
}

TEST_CASE("offsets are translated by the pair before them, and what lies in a hole by the one behind it") {
  offset_pairs pairs;
  pairs.add({10, 100});
  pairs.add({20, 115});  // Kafka's 110 to 114 are a hole
  CHECK_FALSE(pairs.to_kafka(9));
  CHECK(pairs.to_kafka(10) == 100);
  CHECK(pairs.to_kafka(19) == 109);
  CHECK(pairs.to_kafka(20) == 115);
  CHECK(pairs.to_kafka(25) == 120);
  CHECK_FALSE(pairs.to_leat(99));
  CHECK(pairs.to_leat(109) == 19u);
  CHECK(pairs.to_leat(110) == 20u);
  CHECK(pairs.to_leat(114) == 20u);
  CHECK(pairs.to_leat(116) == 21u);
  pairs.add({20, 117});  // begun again behind a death
  CHECK(pairs.to_kafka(20) == 117);
  CHECK(pairs.all().size() == 2);
  pairs.add({30, 120});  // leat's 23 to 29 are not in Kafka
  CHECK(pairs.to_kafka(22) == 119);
  CHECK(pairs.to_kafka(27) == 120);
  CHECK(pairs.to_kafka(30) == 120);
}

TEST_CASE("a mirror that comes back right behind dead letters goes on") {
  leat_tests::mock_cluster cluster;
  cluster.create_topic("t", 1);
  const leat::store here = leat::store::in_process();
  leat::producer out{here.topic<std::string>("t")};
  mirror_options to = options_for(cluster, mirror_direction::to_kafka);
  to.max_message_bytes = 1000;
  to.dead_letter_topic = "dead";
  (void)out.send("0").value();
  (void)out.send(std::string(5000, 'x')).value();
  run(here, to);
  run(here, to);
  (void)out.send(std::string(6000, 'x')).value();
  run(here, to);
  (void)out.send("3").value();
  run(here, to);
  CHECK(values_in(cluster) == std::vector<std::string>{"0", "3"});
  CHECK(here.raw_topic("dead").end_offset(0) == 2);
}

TEST_CASE("a last record is the same also with a name that Kafka's client cuts, or a time that leat does not have") {
  leat_tests::mock_cluster cluster;
  cluster.create_topic("t", 1);
  const leat::store here = leat::store::in_process();
  leat::producer out{here.topic<std::string>("t")};
  const mirror_options to = options_for(cluster, mirror_direction::to_kafka);
  using namespace std::string_view_literals;
  (void)out.send("0").value();
  (void)out.send(leat::null, "1", {.headers = {{"a\0b"sv, "h"}}}).value();
  run(here, to);
  forget_behind(here, "mirror.to-kafka", {1, 1});
  run(here, to);

  leat::kafka::client_context quiet;
  leat::kafka::client sender(RD_KAFKA_PRODUCER, leat::kafka::configuration(), cluster.servers(), &quiet);
  REQUIRE(rd_kafka_producev(sender.get(), RD_KAFKA_V_TOPIC("t"), RD_KAFKA_V_VALUE(nullptr, 0),
                            RD_KAFKA_V_TIMESTAMP(std::numeric_limits<std::int64_t>::max() / 1000),
                            RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR);
  REQUIRE(rd_kafka_flush(sender.get(), 60'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  const leat::store there = leat::store::in_process();
  const mirror_options from = options_for(cluster, mirror_direction::from_kafka);
  run(there, from);
  REQUIRE(records_in(there).size() == 3);
  forget_behind(there, "mirror.from-kafka", {2, 2});
  run(there, from);
  CHECK(records_in(there).size() == 3);
}

TEST_CASE("the topic for dead letters is not mirrored with a pattern, and refused by name") {
  leat_tests::mock_cluster cluster;
  cluster.create_topic("t", 1);
  cluster.create_topic("dead", 1);
  const leat::store here = leat::store::in_process();
  leat::producer out{here.topic<std::string>("t")};
  mirror_options to = options_for(cluster, mirror_direction::to_kafka);
  to.max_message_bytes = 1000;
  to.dead_letter_topic = "dead";
  to.topics = {".*"};
  to.is_pattern = true;
  (void)out.send(std::string(5000, 'x')).value();
  run(here, to);
  (void)out.send("1").value();
  run(here, to);
  CHECK(values_in(cluster) == std::vector<std::string>{"1"});
  const leat::kafka::mirror_cluster kafka{cluster.servers(), {}};
  CHECK(kafka.offsets("dead", 0).end == 0);
  CHECK(here.raw_topic("dead").end_offset(0) == 1);

  leat::kafka::mirror from{here, [&] {
                             mirror_options o = to;
                             o.direction = mirror_direction::from_kafka;
                             o.prefix = "copy.";
                             o.dead_letter_topic = "copy.t";
                             return o;
                           }()};
  while (from.step()) {
  }
  CHECK(here.topics() ==
        std::vector<std::string>{"__mirror.from-kafka", "__mirror.to-kafka", "copy.dead", "dead", "t"});

  to.is_pattern = false;
  to.topics = {"t", "dead"};
  CHECK_THAT(leat_tests::message_of([&] { run(here, to); }), ContainsSubstring("dead_letter_topic"));
}

TEST_CASE("where all that was left has gone a mirror says so, or skips it and ends") {
  leat_tests::mock_cluster cluster;
  cluster.create_topic("t", 1);
  const leat::store here = leat::store::in_process();
  leat::producer out{here.topic<std::string>("t")};
  mirror_options to = options_for(cluster, mirror_direction::to_kafka);
  (void)out.send("0").value();
  run(here, to);
  (void)out.send("1").value();
  (void)out.send("2").value();
  (void)leat::admin(here).delete_records({"t", 0}, 3);
  CHECK_THAT(leat_tests::message_of([&] { run(here, to); }), ContainsSubstring("2 records from offset 1 had gone"));
  to.skip_expired = true;
  run(here, to);
  (void)out.send("3").value();
  run(here, to);
  CHECK(values_in(cluster) == std::vector<std::string>{"0", "3"});
}

TEST_CASE("a record that is too large does not keep the mirror from its other duties while Kafka is away") {
  leat_tests::mock_cluster cluster;
  cluster.create_topic("t", 1);
  const leat::store here = leat::store::in_process();
  leat::producer out{here.topic<std::string>("t")};
  mirror_options to = options_for(cluster, mirror_direction::to_kafka);
  to.max_message_bytes = 1000;
  to.dead_letter_topic = "dead";
  to.follow = true;
  bool opened = false;
  to.on_event = [&](const leat::kafka::mirror_event& e) {
    opened |= e.what == leat::kafka::mirror_event::kind::opened;
  };
  leat::kafka::mirror m{here, to};
  while (!opened) m.step();
  REQUIRE(rd_kafka_mock_broker_set_down(cluster.get(), 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  (void)out.send("0").value();
  (void)out.send(std::string(5000, 'x')).value();
  auto steps = std::async(std::launch::async, [&] {
    for (int i = 0; i < 10; ++i) m.step();
  });
  const bool returned = steps.wait_for(std::chrono::seconds(30)) == std::future_status::ready;
  CHECK(returned);
  REQUIRE(rd_kafka_mock_broker_set_up(cluster.get(), 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  steps.get();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (m.report().dead_letters == 0 && std::chrono::steady_clock::now() < deadline) m.step();
  m.close();
  CHECK(values_in(cluster) == std::vector<std::string>{"0"});
  CHECK(here.raw_topic("dead").end_offset(0) == 1);
}

TEST_CASE("what is thrown within librdkafka's callbacks comes out of the step") {
  leat_tests::mock_cluster cluster;
  cluster.create_topic("t", 1);
  const auto direction = GENERATE(mirror_direction::to_kafka, mirror_direction::from_kafka);
  const leat::store here = leat::store::in_process();
  leat::producer out{here.topic<std::string>("t")};
  mirror_options o = options_for(cluster, direction);
  o.follow = true;
  bool opened = false;
  o.on_event = [&](const leat::kafka::mirror_event& e) {
    opened |= e.what == leat::kafka::mirror_event::kind::opened;
    if (e.what == leat::kafka::mirror_event::kind::waiting) throw std::runtime_error("thrown");
  };
  leat::kafka::mirror m{here, o};
  while (!opened) m.step();
  REQUIRE(rd_kafka_mock_broker_set_down(cluster.get(), 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  std::string said;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  try {
    while (std::chrono::steady_clock::now() < deadline) m.step();
  } catch (const std::runtime_error& e) {
    said = e.what();
  }
  CHECK(said == "thrown");
}

TEST_CASE("a record that the broker refuses is a dead letter, and those behind it do not overtake it") {
  leat_tests::mock_cluster cluster;
  cluster.create_topic("t", 1);
  const leat::store here = leat::store::in_process();
  leat::producer out{here.topic<std::string>("t")};
  mirror_options to = options_for(cluster, mirror_direction::to_kafka);
  to.dead_letter_topic = "dead";
  to.properties = {{"batch.num.messages", "1"}, {"max.in.flight.requests.per.connection", "1"}};
  constexpr std::int16_t produce = 0;
  // As a broker does: behind a refused record those of its producer that are on their way by then have the wrong number. The next
  // producer begins anew.
  rd_kafka_mock_push_request_errors(
      cluster.get(), produce, 4, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
  int opened = 0;
  to.on_event = [&](const leat::kafka::mirror_event& e) {
    if (e.what != leat::kafka::mirror_event::kind::opened || ++opened != 2) return;
    rd_kafka_mock_clear_request_errors(cluster.get(), produce);
  };
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    (void)out.send(std::to_string(i)).value();
    if (i != 0) expected.push_back(std::to_string(i));
  }
  run(here, to);
  CHECK(values_in(cluster) == expected);
  CHECK(here.raw_topic("dead").end_offset(0) == 1);
}

TEST_CASE("a stranger's record in a partition that is given up is no fault of the ones that are kept") {
  leat_tests::mock_cluster cluster;
  cluster.create_topic("t", 2);
  const leat::store here = leat::store::in_process();
  leat::producer out{here.topic<std::string>("t", {.partitions = 2})};
  const auto send = [&](std::uint32_t p) { (void)out.send(leat::null, "x", {.partition = p}).value(); };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto step_until = [&](leat::kafka::mirror& m, const auto& holds) {
    while (!holds(m.report()) && std::chrono::steady_clock::now() < deadline) m.step();
    REQUIRE(holds(m.report()));
  };
  mirror_options to = options_for(cluster, mirror_direction::to_kafka);
  to.follow = true;
  to.dead_letter_topic = "dead";
  leat::kafka::mirror m{here, to};
  for (const std::uint32_t p : {0, 1}) send(p);
  step_until(m, [](const auto& r) { return r.records == 2; });

  constexpr std::uint32_t kept = 0;
  constexpr std::uint32_t given = 1;
  const auto there =
      leat::kafka::store::open(cluster.servers()).topic<std::string>("t", {.mode = leat::open_mode::open});
  {
    leat::kafka::producer strange{there};
    (void)strange.send(std::string("strange"), {.partition = given}).value();
  }
  send(given);
  m.step();  // hands it to librdkafka
  while (there.end_offset(given) < 3 && std::chrono::steady_clock::now() < deadline) {
  }
  REQUIRE(there.end_offset(given) == 3);
  leat::kafka::mirror other{here, to};
  other.step();  // wants one of the partitions, which is given up before the acknowledgement is looked at
  step_until(m, [](const auto& r) { return r.partitions == 1; });

  constexpr std::int16_t produce = 0;
  rd_kafka_mock_push_request_errors(cluster.get(), produce, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  send(kept);
  step_until(m, [](const auto& r) { return r.dead_letters == 1; });
}

/// That a record is too large; and again, from a mirror that is asked to go on nevertheless.
void require_same_refusal(leat::kafka::mirror& m, const std::string& offset) {
  for (int i = 0; i < 2; ++i) {
    INFO(i);
    CHECK_THAT(leat_tests::message_of([&] {
                 const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
                 while (m.step() && std::chrono::steady_clock::now() < deadline) {
                 }
               }),
               ContainsSubstring("offset " + offset) && ContainsSubstring("dead_letter_topic"));
  }
}

TEST_CASE("a mirror to Kafka that has refused a record does not pass over it when it is asked to go on") {
  leat_tests::mock_cluster cluster;
  cluster.create_topic("t", 1);
  const leat::store here = leat::store::in_process();
  leat::producer out{here.topic<std::string>("t")};
  for (const char* value : {"0", "1"}) (void)out.send(value).value();
  (void)out.send(std::string(5000, 'x')).value();
  (void)out.send("3").value();
  mirror_options to = options_for(cluster, mirror_direction::to_kafka);
  to.max_message_bytes = 1000;
  to.skip_expired = true;
  {
    leat::kafka::mirror m{here, to};
    require_same_refusal(m, "2");
    CHECK(m.report().skipped == 0);
    CHECK(m.report().records == 2);
  }
  CHECK(values_in(cluster) == std::vector<std::string>{"0", "1"});
}

TEST_CASE("a mirror from Kafka that has refused a record does not pass over it when it is asked to go on") {
  leat_tests::mock_cluster cluster;
  cluster.create_topic("t", 1);
  {
    const leat::store first = leat::store::in_process();
    leat::producer out{first.topic<std::string>("t")};
    for (const char* value : {"0", "1"}) (void)out.send(value).value();
    (void)out.send(std::string(5000, 'x')).value();
    (void)out.send("3").value();
    run(first, options_for(cluster, mirror_direction::to_kafka));
  }
  const leat::store here = leat::store::in_process();
  mirror_options from = options_for(cluster, mirror_direction::from_kafka);
  from.leat_options.max_record_bytes = 1000;
  leat::kafka::mirror m{here, from};
  require_same_refusal(m, "2");
  CHECK(m.report().records == 2);
  CHECK(here.raw_topic("t").end_offset(0) == 2);
}

}  // namespace kafka_mirror
