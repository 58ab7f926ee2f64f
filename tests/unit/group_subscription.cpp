#include <leat/group/subscription.hpp>

#include "support/catch.hpp"
#include "support/failure.hpp"

#include <string>
#include <utility>

namespace unit_group_subscription {

using Catch::Matchers::ContainsSubstring;
using leat::errc;
using leat::group::topic_filter;
using leat_tests::code_of;
using leat_tests::message_of;

topic_filter pattern(const std::string& expression) { return {{expression}, true, "/store/topics"}; }

TEST_CASE("a pattern is for whole names") {
  CHECK(pattern("x\\.[a-z]").matches("x.a"));
  CHECK_FALSE(pattern("x\\.[a-z]").matches("x-a"));
  CHECK_FALSE(pattern("x\\.[a-z]").matches("x.ab"));
  CHECK_FALSE(pattern("x\\.[a-z]").matches("an.x.a"));
  CHECK(pattern("a|ab").matches("ab"));
  CHECK_FALSE(pattern("a|b").matches("ab"));
  CHECK(pattern("^ab$").matches("ab"));
  CHECK_FALSE(pattern("").matches("a"));
}

TEST_CASE("a pattern is a POSIX extended regular expression") {
  CHECK(pattern("(eu|us)-[[:digit:]]{2,3}").matches("eu-017"));
  CHECK_FALSE(pattern("(eu|us)-[[:digit:]]{2,3}").matches("eu-1"));
  CHECK(pattern("a+\\.?b*").matches("aa.bb"));
  CHECK(code_of([] { pattern("(?:a|b)"); }) == errc::invalid_argument);
}

TEST_CASE("what is no regular expression is refused, with the place and the reason") {
  for (const char* wrong : {"a[", "(a", "a{2", "*a"}) {
    INFO(wrong);
    CHECK(code_of([&] { pattern(wrong); }) == errc::invalid_argument);
  }
  CHECK_THAT(message_of([] { pattern("a["); }), ContainsSubstring("/store/topics: \"a[\" is no regular expression: "));
  CHECK_THAT(message_of([] { pattern(std::string("a\0b", 3)); }), ContainsSubstring("a zero byte"));
  // Members write their subscriptions into lines.
  CHECK_THAT(message_of([] { pattern("(a\n|b)"); }),
             ContainsSubstring("\"(a\" is no regular expression: a zero byte or a line feed"));
}

TEST_CASE("a filter that is moved takes its pattern along") {
  topic_filter first = pattern("a.*");
  topic_filter second({"b"}, false, "");
  second = std::move(first);
  CHECK(second.is_pattern());
  CHECK(second.matches("ab"));
}

TEST_CASE("names are no patterns") {
  const topic_filter names({"a.", "b"}, false, "");
  CHECK(names.matches("b"));
  CHECK(names.matches("a."));
  CHECK_FALSE(names.matches("ab"));
}

}  // namespace unit_group_subscription
