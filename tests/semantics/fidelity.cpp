// Fidelity: null differs from empty for key, value and header value; headers keep their order, duplicates included; bytes
// are what they were.
#include "semantics/scenario.hpp"

#include "support/catch.hpp"

#include <optional>
#include <string>

namespace semantics_fidelity {

using semantics::scenario;

constexpr auto null = std::nullopt;

TEST_CASE("null and empty keys and values are told apart") {
  scenario s;
  s.topic("orders");
  s.send("orders", {.key = null, .value = null, .timestamp = 1000});
  s.send("orders", {.key = null, .value = "", .timestamp = 1001});
  s.send("orders", {.key = "", .value = null, .timestamp = 1002});
  s.send("orders", {.key = "", .value = "", .timestamp = 1003});
  s.send("orders", {.key = "k", .value = null, .timestamp = 1004});
  s.send("orders", {.key = null, .value = "v", .timestamp = 1005});
  s.send("orders", {.key = "null", .value = "null", .timestamp = 1006});
  s.say() << "read" << s.read_all({"orders", 0});
  CHECK(s.text() == R"(read
  orders-0
    0 null null @1000
    1 null "" @1001
    2 "" null @1002
    3 "" "" @1003
    4 "k" null @1004
    5 null "v" @1005
    6 "null" "null" @1006
)");
}

TEST_CASE("headers keep their order and their duplicates and null differs from empty") {
  scenario s;
  s.topic("orders");
  s.send("orders",
         {.key = "k", .value = "v", .timestamp = 1000, .headers = {{"b", "1"}, {"a", "2"}, {"b", "1"}, {"b", "0"}}});
  s.send("orders", {.key = "k", .value = "v", .timestamp = 1001, .headers = {{"a", null}, {"a", ""}, {"a", null}}});
  s.send("orders", {.key = null, .value = null, .timestamp = 1002, .headers = {{"", "no name"}}});
  s.send("orders", {.key = "", .value = "", .timestamp = 1003, .headers = {{"bytes", std::string("\0\xff\n", 3)}}});
  s.send("orders", {.key = "k", .value = "v", .timestamp = 1004});
  s.say() << "read" << s.read_all({"orders", 0});
  CHECK(s.text() == R"(read
  orders-0
    0 "k" "v" @1000 {b="1", a="2", b="1", b="0"}
    1 "k" "v" @1001 {a=null, a="", a=null}
    2 null null @1002 {="no name"}
    3 "" "" @1003 {bytes="\x00\xff\x0a"}
    4 "k" "v" @1004
)");
}

TEST_CASE("keys and values may be any bytes of any length") {
  scenario s;
  s.topic("orders");
  s.send("orders", {.key = std::string("\0k\0", 3), .value = std::string("\0", 1), .timestamp = 1});
  s.send("orders", {.key = "\xc3\x28", .value = "\x80\xfe\xff", .timestamp = 2});
  s.send("orders", {.key = std::string(1000, 'k'), .value = std::string(100'000, 'v'), .timestamp = 4'102'444'800'000});
  auto records = s.read_all({"orders", 0});
  REQUIRE(records.size() == 3);
  CHECK(records[2].key == std::string(1000, 'k'));
  CHECK(records[2].value == std::string(100'000, 'v'));
  records[2].key = records[2].value = "long";
  s.say() << "read" << records;
  CHECK(s.text() == R"(read
  orders-0
    0 "\x00k\x00" "\x00" @1
    1 "\xc3(" "\x80\xfe\xff" @2
    2 "long" "long" @4102444800000
)");
}

}  // namespace semantics_fidelity
