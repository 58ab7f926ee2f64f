#include <leat/result.hpp>

#include "support/catch.hpp"

#include <memory>
#include <string>
#include <utility>

namespace unit_result {

using leat::errc;
using leat::result;

TEST_CASE("a result holds a value or the reason why there is none") {
  const result<int> good = 7;
  CHECK(good);
  CHECK(good.error() == errc::ok);
  CHECK(good.value() == 7);
  CHECK(*good == 7);

  const result<int> bad = errc::full;
  CHECK_FALSE(bad);
  CHECK(bad.error() == errc::full);
}

TEST_CASE("taking the value of a result that has none throws its reason") {
  const result<std::string> bad = errc::too_large;
  const auto code_of = [](auto&& f) {
    try {
      f();
    } catch (const leat::error& e) {
      return e.code();
    }
    return std::error_code();
  };
  CHECK(code_of([&] { (void)bad.value(); }) == errc::too_large);
  CHECK(code_of([&] { (void)*bad; }) == errc::too_large);
  CHECK(code_of([&] { (void)bad->size(); }) == errc::too_large);
  CHECK(code_of([&] { [[maybe_unused]] const std::string s = bad; }) == errc::too_large);
}

TEST_CASE("the exception of a result says where its value was asked for, and what to do, and nothing twice") {
  const auto error_of = [](auto&& f) {
    try {
      f();
    } catch (const leat::error& e) {
      return e;
    }
    return leat::error(errc::ok, "nothing", "was thrown");
  };
  const result<int> bad = errc::too_large;
  const int line = __LINE__ + 1;
  const auto asked = error_of([&] { (void)bad.value(); });
  CHECK(asked.path() == std::string("result at ") + __FILE__ + ":" + std::to_string(line));
  CHECK_THAT(asked.reason(), Catch::Matchers::ContainsSubstring("max_record_bytes"));
  CHECK(error_of([&] { (void)*bad; }).path() == "result");
  const result<void> nothing = errc::fenced;
  CHECK_THAT(error_of([&] { nothing.value(); }).path(), Catch::Matchers::ContainsSubstring("result.cpp"));

  for (int code = 1; code <= static_cast<int>(errc::system); ++code) {
    const std::string meaning = leat::make_error_code(static_cast<errc>(code)).message();
    const std::string said = error_of([&] { (void)result<int>(static_cast<errc>(code)).value(); }).what();
    CHECK(said.find(meaning) != said.npos);
    CHECK(said.find(meaning) == said.rfind(meaning));
  }
}

TEST_CASE("a result of what cannot be copied is moved out") {
  result<std::unique_ptr<int>> made = std::make_unique<int>(3);
  CHECK(**made == 3);
  const std::unique_ptr<int> taken = std::move(made);
  CHECK(*taken == 3);
}

TEST_CASE("a result without a value says whether it went well") {
  const result<void> good;
  CHECK(good);
  CHECK(good.error() == errc::ok);
  CHECK_NOTHROW(good.value());
  const result<void> also_good = errc::ok;
  CHECK(also_good);

  const result<void> bad = errc::fenced;
  CHECK_FALSE(bad);
  CHECK(bad.error() == errc::fenced);
  CHECK_THROWS_AS(bad.value(), leat::error);
  try {
    bad.value();
  } catch (const leat::error& e) {
    CHECK(e.code() == errc::fenced);
    CHECK(e.reason().find("go on polling") != std::string::npos);
  }
}

}  // namespace unit_result
