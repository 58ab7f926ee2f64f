// The reader below a consumer, with an attendant that a test plays.
#include <leat/storage/reader.hpp>

#include "support/catch.hpp"
#include "support/partition_files.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

namespace unit_storage_reader {

using leat::errc;
using leat::storage::reader;
using namespace leat_tests;

struct played_attendant final : leat::storage::attendant {
  bool wants = false;
  clock::time_point wanted_at = clock::time_point::max();
  std::vector<bool> was_due;  // at each call

  errc attend(bool is_due) override {
    was_due.push_back(is_due);
    return errc::ok;
  }
  clock::time_point due() const noexcept override { return wanted_at; }
  bool stirred() const noexcept override { return wants; }
};

TEST_CASE("who may have lost its partition does not begin again where the reset policy says") {
  const partition_files files;
  leat::storage::appender to(files.partition());
  for (std::uint64_t i = 0; files.partition().start_offset().observe() == 0; ++i) REQUIRE(append(to, i));
  reader in(files.temporary.store.files(), {.auto_offset_reset = leat::offset_reset::earliest});
  reader::assigned& reading = in.add(files.log, 0, 0);  // where it was before it stood still
  played_attendant member;

  member.wants = true;  // its membership has ended: the next look at it says so
  CHECK(in.poll(std::chrono::nanoseconds(0), &member) == errc::ok);
  CHECK(in.parts().empty());
  CHECK(reading.cursor.position() == 0);

  member.wants = false;  // it has it still: what it wants to read is gone
  CHECK(in.poll(std::chrono::nanoseconds(0), &member) == errc::ok);
  if (in.parts().empty()) CHECK(in.poll(std::chrono::nanoseconds(0), &member) == errc::ok);
  REQUIRE(in.parts().size() == 1);
  CHECK(in.parts()[0].records.first_offset == files.partition().start_offset().observe());
}

TEST_CASE("a poll that follows on a vigil says whether the attendant is due, and others spare the look at the clock") {
  using namespace std::chrono_literals;
  const partition_files files;
  reader in(files.temporary.store.files(), {});
  (void)in.add(files.log, 0, 0);
  played_attendant member;
  const auto poll = [&] { REQUIRE(in.poll(0ns, &member) == errc::ok); };

  member.wanted_at = reader::clock::now() + 1h;
  CHECK(in.begin_vigil(&member).until < member.wanted_at);
  poll();
  CHECK(member.was_due == std::vector<bool>{false});

  member.wanted_at = reader::clock::now() - 1ms;
  CHECK(in.begin_vigil(&member).until == member.wanted_at);
  poll();
  poll();
  CHECK(member.was_due == std::vector<bool>{false, true, false});
}

}  // namespace unit_storage_reader
