#include <leat/error.hpp>

#include "support/catch.hpp"

#include <initializer_list>
#include <set>
#include <string>

namespace unit_error {

using leat::errc;

TEST_CASE("an error names the path and the reason and compares with its code") {
  const leat::error e(errc::truncated, "/stores/market/store", "the file has 3 bytes, expected 4096");
  CHECK(e.code() == errc::truncated);
  CHECK(e.path() == "/stores/market/store");
  CHECK(e.reason() == "the file has 3 bytes, expected 4096");
  CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring("/stores/market/store: the file has 3 bytes, expected 4096"));
  CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring("truncated file"));
}

TEST_CASE("an error whose reason is what its code means says so once") {
  const std::string meaning = leat::make_error_code(errc::forked).message();
  const leat::error e(errc::forked, "/stores/market/topics/t", meaning);
  CHECK(e.what() == "/stores/market/topics/t: " + meaning);
  CHECK(e.reason() == meaning);
}

TEST_CASE("every code has a message of its own") {
  std::set<std::string> messages;
  for (int code = 0; code <= static_cast<int>(errc::system); ++code) {
    const std::string message = leat::make_error_code(static_cast<errc>(code)).message();
    CHECK(message != "unknown error");
    CHECK(messages.insert(message).second);
  }
  CHECK(leat::make_error_code(static_cast<errc>(999)).message() == "unknown error");
}

TEST_CASE("the message of a code is true of everything that it is given for") {
  const auto names = [](errc code, std::initializer_list<const char*> all) {
    for (const char* what : all) {
      CHECK_THAT(leat::make_error_code(code).message(), Catch::Matchers::ContainsSubstring(what));
    }
  };
  names(errc::closed, {"deleted", "closed"});           // topics; producers, consumers, queues
  names(errc::back_pressure, {"group", "queue"});       // retention; asynchronous producers, librdkafka
  names(errc::out_of_range, {"unknown", "range"});      // nothing committed; before or behind the log
  names(errc::full, {"device", "memory", "limit"});     // files; queues; RLIMIT_FSIZE
  names(errc::corrupt, {"file", "record"});             // words in files; values and headers
  names(errc::truncated, {"truncated", "wrong size"});  // shorter; longer
  names(errc::foreign, {"file", "directory"});
  names(errc::fenced, {"place", "partition"});  // static members; commits
  names(errc::system, {"system", "librdkafka"});
  for (const errc code : {errc::too_large, errc::conflicting_options}) {  // metadata; groups
    const std::string message = leat::make_error_code(code).message();
    CHECK(message.find("record") == message.npos);
    CHECK(message.find("topic") == message.npos);
  }
}

TEST_CASE("ok is no error to the standard library") {
  CHECK_FALSE(leat::make_error_code(errc::ok));
  CHECK(leat::make_error_code(errc::full));
  CHECK(std::string(leat::category().name()) == "leat");
}

}  // namespace unit_error
