#include <leat/storage/group_offsets.hpp>

#include "support/catch.hpp"
#include "support/failure.hpp"
#include "support/media.hpp"
#include "support/partition_files.hpp"

#include <leat/store.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace unit_storage_group_offsets {

using Catch::Matchers::ContainsSubstring;
using leat::committed_offset;
using leat::errc;
using leat::format::commit_value;
using leat::format::owner_value;
using leat::storage::group_offsets;
using leat_tests::code_of;
using leat_tests::little_endian;
using leat_tests::message_of;
using leat_tests::poke;
using leat_tests::read_file;
using leat_tests::temporary_store;
using leat_tests::write_file;

constexpr std::uint32_t me = 7;
constexpr std::uint32_t another = 8;

/// The offsets of the group "g" in a topic of three partitions, opened twice, as by two processes.
struct sample {
  temporary_store temporary;
  std::shared_ptr<leat::storage::topic_log> log = temporary.store.topic<int>("t", {.partitions = 3}).log();
  std::shared_ptr<group_offsets> mine = log->open_group("g");
  std::shared_ptr<group_offsets> others = log->find_group("g");

  explicit sample(temporary_store in = temporary_store::on_disk()) : temporary(std::move(in)) {}

  std::string directory() const { return temporary.file("topics/t"); }
  std::string file() const { return directory() + "/group-g"; }
  std::set<std::string> metadata_files() const {
    std::set<std::string> names = leat_tests::names_in(directory());
    std::erase_if(names, [](const std::string& n) { return !n.starts_with("meta-"); });
    return names;
  }
  errc commit_unowned(std::uint32_t partition, std::uint64_t offset, const std::string& metadata = {}) const {
    return mine->commit_unowned(partition, mine->owner(partition), offset, metadata);
  }
  std::shared_ptr<group_offsets> open() const { return log->find_group("g"); }
};

TEST_CASE("a group has no offsets in a topic until it is opened for committing") {
  sample s(leat_tests::each_kind_of_store());
  CHECK(s.log->find_group("other") == nullptr);
  CHECK(s.mine->committed(0) == std::nullopt);
  CHECK(s.mine->committed_position(0) == std::nullopt);
  CHECK(s.mine->hold(0) == std::nullopt);
  CHECK(s.mine->owner(0) == owner_value{});
  CHECK(s.mine->capacity() >= 3);
}

TEST_CASE("a partition is taken from nobody and released to nobody") {
  sample s(leat_tests::each_kind_of_store());
  const auto epoch = s.mine->take(1, s.mine->owner(1), me);
  REQUIRE(epoch == 1);
  CHECK(s.others->owner(1) == owner_value{1, me});
  CHECK(s.others->owner(0) == owner_value{});
  CHECK(s.others->take(1, owner_value{}, another) == std::nullopt);  // it is nobody's no more
  CHECK_FALSE(s.others->release(1, 1, another));
  CHECK_FALSE(s.mine->release(1, 2, me));
  CHECK(s.mine->release(1, 1, me));
  CHECK_FALSE(s.mine->release(1, 1, me));
  CHECK(s.others->owner(1) == owner_value{1, 0});
  CHECK(s.others->take(1, s.others->owner(1), another) == 2);
}

TEST_CASE("a commit counts for the partition's owner alone") {
  sample s(leat_tests::each_kind_of_store());
  const std::uint32_t epoch = s.mine->take(0, {}, me).value();
  CHECK(s.mine->commit(0, {epoch, me}, 5) == errc::ok);
  CHECK(s.others->committed(0) == committed_offset{5, ""});
  CHECK(s.others->committed_position(0) == 5);
  CHECK(s.others->hold(0) == 5);
  CHECK(s.mine->commit(0, {epoch, me}, 3) == errc::ok);  // backwards as well
  CHECK(s.others->committed_position(0) == 3);
  CHECK(s.others->commit(0, {epoch, another}, 6) == errc::fenced);
  CHECK(s.others->commit(0, {epoch + 1, me}, 6) == errc::fenced);
  CHECK(s.others->commit(1, {epoch, me}, 6) == errc::fenced);
  CHECK(s.mine->committed_position(0) == 3);

  // Taken over from one who does not know it yet.
  const std::uint32_t next = s.others->take(0, {epoch, me}, another).value();
  CHECK(s.others->committed_position(0) == 3);
  CHECK(s.mine->commit(0, {epoch, me}, 9) == errc::fenced);
  CHECK(s.others->commit(0, {next, another}, 4) == errc::ok);
  CHECK(s.mine->committed_position(0) == 4);
}

TEST_CASE("offset 0 is committed and not the same as nothing") {
  const sample s;
  CHECK(s.commit_unowned(0, 0) == errc::ok);
  CHECK(s.others->committed_position(0) == 0);
  CHECK(s.others->committed_position(1) == std::nullopt);
}

TEST_CASE("the largest offset is one of 52 bits") {
  const sample s;
  const std::uint64_t largest = commit_value::none - 1;
  CHECK(s.commit_unowned(0, largest) == errc::ok);
  CHECK(s.others->committed_position(0) == largest);
  CHECK(s.commit_unowned(0, largest + 1) == errc::invalid_argument);
  CHECK(s.commit_unowned(0, ~std::uint64_t{0}) == errc::invalid_argument);
  CHECK(s.others->committed_position(0) == largest);
}

TEST_CASE("the words hold what they were made of") {
  for (const std::uint32_t epoch : {0u, 1u, 2047u}) {
    for (const bool metadata : {false, true}) {
      for (const std::uint64_t offset :
           {std::uint64_t{0}, std::uint64_t{1}, commit_value::none - 1, commit_value::none}) {
        const commit_value value{epoch, metadata, offset};
        CHECK(commit_value::of(value.word()) == value);
      }
    }
  }
  CHECK(commit_value{}.word() == 0);
  CHECK(commit_value{.epoch = 2048 + 5}.word() == commit_value{.epoch = 5}.word());
  const owner_value owner{0xfffffffe, 0xfffffffd};
  CHECK(owner_value::of(owner.word()) == owner);
}

TEST_CASE("commits are right when the epoch comes round after 2048 tenures") {
  const sample s;
  owner_value before = s.mine->owner(0);
  std::uint32_t first = 0;
  for (int tenure = 0; tenure < 2 * 2048 + 10; ++tenure) {
    const std::uint32_t epoch = s.mine->take(0, before, me).value();
    if (tenure == 0) first = epoch;
    REQUIRE(s.mine->commit(0, {epoch, me}, static_cast<std::uint64_t>(tenure)) == errc::ok);
    REQUIRE(s.others->committed_position(0) == static_cast<std::uint64_t>(tenure));
    REQUIRE(s.others->commit(0, {epoch - 1, me}, 0) == errc::fenced);
    if (tenure == 2048) REQUIRE(s.mine->commit(0, {first, me}, 0) == errc::fenced);  // the same last 11 bits
    before = {epoch, me};
  }
  CHECK(before.epoch == 2 * 2048 + 10);
}

TEST_CASE("the epoch of an owner comes round after 32 bits") {
  const sample s;
  poke(s.file(), 512, little_endian(owner_value{0xffffffff, 0}.word(), 8));
  poke(s.file(), 520, little_endian(commit_value{0x7ff, false, 42}.word(), 8));
  const auto epoch = s.mine->take(0, s.mine->owner(0), me);
  REQUIRE(epoch == 0);
  CHECK(s.mine->commit(0, {0, me}, 43) == errc::ok);
  CHECK(s.mine->committed_position(0) == 43);
}

TEST_CASE("a tenure that died between its two steps is taken over whole") {
  const sample s;
  REQUIRE(s.commit_unowned(0, 5) == errc::ok);
  poke(s.file(), 512, little_endian(owner_value{1, me}.word(), 8));  // T1 without T2
  CHECK(s.mine->commit(0, {1, me}, 9) == errc::fenced);              // its epoch is not in the committed word
  const auto epoch = s.others->take(0, {1, me}, another);
  REQUIRE(epoch == 2);
  CHECK(s.others->committed_position(0) == 5);
  CHECK(s.others->commit(0, {2, another}, 6) == errc::ok);
}

TEST_CASE("clearing ends every tenure and forgets what is committed and begun") {
  sample s(leat_tests::each_kind_of_store());
  const std::uint32_t epoch = s.mine->take(2, {}, me).value();
  REQUIRE(s.mine->commit(2, {epoch, me}, 5, "note") == errc::ok);
  s.mine->begin_for_all(1, 17, [] { return true; });
  REQUIRE(s.mine->begun(1) == 17);
  const owner_value seen = s.mine->owner(0);
  s.others->clear([] { return true; });
  CHECK(s.mine->commit(2, {epoch, me}, 6) == errc::fenced);
  CHECK(s.mine->commit_unowned(0, seen, 6) == errc::fenced);  // looked at the owner before
  CHECK(s.mine->owner(2).member == 0);
  CHECK(s.mine->committed(2) == std::nullopt);
  CHECK(s.mine->begun(1) == std::nullopt);
  CHECK(s.commit_unowned(0, 7) == errc::ok);
}

TEST_CASE(
    "who was stopped in clearing and is not due any more changes nothing of what came behind the others' clearing") {
  sample s(leat_tests::each_kind_of_store());
  const std::uint32_t epoch = s.mine->take(0, {}, me).value();
  REQUIRE(s.mine->commit(0, {epoch, me}, 5) == errc::ok);
  REQUIRE(s.mine->begin(0, {epoch, me}, 3) == 3);
  bool due = true;
  s.others->clear([&] {
    if (!std::exchange(due, false)) return false;
    // Right behind this look it is stopped, and meanwhile others finish, and the next group begins in the same place.
    s.mine->clear([] { return true; });
    const std::uint32_t next = s.mine->take(0, s.mine->owner(0), me).value();
    CHECK(s.mine->begin(0, {next, me}, 3) == 3);
    CHECK(s.mine->commit(0, {next, me}, 5) == errc::ok);
    return true;
  });
  CHECK(s.mine->committed_position(0) == 5);
  CHECK(s.mine->begun(0) == 3);
  CHECK(s.mine->owner(0).member == me);
}

TEST_CASE("a file in which something stands is not removed, whatever it is") {
  sample s(leat_tests::each_kind_of_store());
  switch (GENERATE(0, 1, 2)) {
    case 0: REQUIRE(s.mine->take(2, {}, me)); break;
    case 1: REQUIRE(s.commit_unowned(2, 0) == errc::ok); break;
    default: s.mine->begin_for_all(2, 0, [] { return true; });
  }
  CHECK_FALSE(s.others->remove_if_unused());
  CHECK(s.open() != nullptr);
  CHECK(s.mine->is_kept());
  s.mine->clear([] { return true; });
  CHECK(s.others->remove_if_unused());
  CHECK(s.open() == nullptr);
  CHECK_FALSE(s.mine->is_kept());
}

TEST_CASE("nothing goes into a file of offsets that has lost its name") {
  sample s(leat_tests::each_kind_of_store());
  REQUIRE(s.others->remove_if_unused());
  CHECK(s.commit_unowned(0, 5) == errc::closed);
  CHECK(s.mine->take(1, {}, me) == std::nullopt);
  CHECK_FALSE(s.mine->reserve(1000));
  const auto next = s.log->open_group("g");
  CHECK(s.commit_unowned(0, 6) == errc::closed);  // nor is the next one's name taken for its own
  CHECK_FALSE(s.mine->remove_if_unused());
  CHECK(s.open() != nullptr);
  CHECK(next->commit_unowned(0, next->owner(0), 5) == errc::ok);
}

TEST_CASE("one who died in removing a file of offsets does not keep others from it, one who is at it does") {
  const sample s;
  poke(s.file(), 384, little_endian(1, 8));  // wants to remove it
  {
    const auto remover = s.log->context().directory->open("group-g", leat::os::access::read_write);
    REQUIRE(remover->try_own());
    CHECK(s.commit_unowned(0, 5) == errc::closed);
    CHECK(s.mine->take(1, {}, me) == std::nullopt);
    CHECK_FALSE(s.others->remove_if_unused());
  }
  CHECK(s.commit_unowned(0, 6) == errc::ok);
  CHECK(s.mine->take(1, s.mine->owner(1), me));
  CHECK(leat_tests::read_file(s.file()).at(384) == 0);
  CHECK(s.open()->committed_position(0) == 6);
}

TEST_CASE("where a group began is set by the first and holds until something is committed") {
  sample s(leat_tests::each_kind_of_store());
  std::uint32_t epoch = s.mine->take(0, {}, me).value();
  CHECK(s.mine->begin(0, {epoch, me}, std::nullopt) == std::nullopt);
  CHECK(s.mine->hold(0) == std::nullopt);
  CHECK(s.mine->begin(0, {epoch, me}, 17) == 17);
  CHECK(s.others->begin(0, {epoch, me}, 99) == 17);
  REQUIRE(s.mine->release(0, epoch, me));
  epoch = s.others->take(0, s.others->owner(0), another).value();
  CHECK(s.others->begin(0, {epoch, another}, std::nullopt) == 17);
  CHECK(s.mine->begun(0) == 17);
  CHECK(s.mine->hold(0) == 17);
  REQUIRE(s.commit_unowned(0, 12) == errc::ok);
  CHECK(s.mine->hold(0) == 12);
  CHECK(s.mine->begin(1, {s.mine->take(1, {}, me).value(), me}, 0) == 0);
  CHECK(s.mine->hold(1) == 0);
}

TEST_CASE("only the tenure that began last may say that the group has ended in good order") {
  sample s(leat_tests::each_kind_of_store());
  const std::uint32_t first = s.mine->take(0, {}, me).value();
  REQUIRE(s.mine->begin(0, {first, me}, 17) == 17);
  const std::uint32_t last = s.others->take(0, s.others->owner(0), another).value();
  REQUIRE(s.others->begin(0, {last, another}, 99) == 17);
  s.mine->end(0, first);
  CHECK(s.mine->begun(0) == 17);
  s.others->end(0, last);
  CHECK(s.mine->begun(0) == std::nullopt);
  CHECK(s.mine->begin(0, {s.mine->take(0, s.mine->owner(0), me).value(), me}, 99) == 99);
}

TEST_CASE("a member that was stopped before it began leaves no mark of where, when its tenure is over by then") {
  sample s(leat_tests::each_kind_of_store());
  const owner_value mine{s.mine->take(0, {}, me).value(), me};
  SECTION("its group was deleted, and left the file") {
    s.others->clear([] { return true; });
    CHECK(s.mine->begin(0, mine, 17) == 17);  // it will be told soon
    CHECK(s.others->begun(0) == std::nullopt);
    CHECK(s.others->remove_if_unused());
  }
  SECTION("another has the partition, and has begun") {
    const owner_value theirs{s.others->take(0, mine, another).value(), another};
    REQUIRE(s.others->begin(0, theirs, 5) == 5);
    CHECK(s.mine->begin(0, mine, 17) == 5);
    s.others->end(0, theirs.epoch);  // it is its mark still
    CHECK(s.others->begun(0) == std::nullopt);
    CHECK(s.mine->begin(0, mine, 17) == 17);
    CHECK(s.others->begun(0) == std::nullopt);
  }
}

TEST_CASE("where new partitions begin is not noted for a group that is being deleted") {
  sample s(leat_tests::each_kind_of_store());
  s.mine->begin_for_all(0, 18, [] { return false; });
  CHECK(s.others->begun(0) == std::nullopt);
  s.mine->begin_for_all(0, 18, [&] {
    s.others->clear([] { return true; });  // behind the look
    return true;
  });
  CHECK(s.others->begun(0) == std::nullopt);
}

TEST_CASE("a file of offsets is not removed for what stands in partitions that were added since it was opened") {
  const sample s;
  const std::uint32_t last = 999;
  REQUIRE(s.mine->reserve(last + 1));
  REQUIRE(s.commit_unowned(last, 5) == errc::ok);
  CHECK_FALSE(s.others->remove_if_unused());
  CHECK(s.open()->committed_position(last) == 5);
}

TEST_CASE("a commit of one who is no member ends the tenure that a dead one left") {
  sample s(leat_tests::each_kind_of_store());
  const std::uint32_t epoch = s.mine->take(0, {}, me).value();
  REQUIRE(s.mine->commit(0, {epoch, me}, 5) == errc::ok);
  CHECK(s.others->commit_unowned(0, {epoch, another}, 9) == errc::fenced);  // not what is there
  CHECK(s.others->commit_unowned(0, {epoch, 0}, 9) == errc::fenced);
  CHECK(s.mine->committed_position(0) == 5);
  CHECK(s.others->commit_unowned(0, {epoch, me}, 3) == errc::ok);
  CHECK(s.mine->commit(0, {epoch, me}, 6) == errc::fenced);
  CHECK(s.mine->committed_position(0) == 3);
}

TEST_CASE("a commit may carry metadata which the next replaces") {
  const sample s;
  const std::uint32_t epoch = s.mine->take(0, {}, me).value();
  const auto commit = [&](std::uint64_t offset, const std::string& text) {
    return s.mine->commit(0, {epoch, me}, offset, text);
  };
  CHECK(commit(5, "five") == errc::ok);
  CHECK(s.others->committed(0) == committed_offset{5, "five"});
  CHECK(s.metadata_files().size() == 1);
  CHECK(commit(5, "five again") == errc::ok);  // the same offset
  CHECK(s.others->committed(0) == committed_offset{5, "five again"});
  CHECK(s.metadata_files().size() == 1);
  CHECK(commit(6, "six") == errc::ok);
  CHECK(s.others->committed(0) == committed_offset{6, "six"});
  CHECK(s.metadata_files().size() == 1);
  CHECK(commit(7, "") == errc::ok);
  CHECK(s.others->committed(0) == committed_offset{7, ""});
  CHECK(s.metadata_files().empty());
  CHECK(commit(8, std::string("\0\n\xff", 3)) == errc::ok);  // any bytes
  CHECK(s.others->committed(0) == committed_offset{8, std::string("\0\n\xff", 3)});
}

TEST_CASE("metadata has 4096 bytes at most") {
  sample s(leat_tests::each_kind_of_store());
  CHECK(s.commit_unowned(0, 5, std::string(4096, 'm')) == errc::ok);
  CHECK(s.others->committed(0) == committed_offset{5, std::string(4096, 'm')});
  CHECK(s.commit_unowned(0, 6, std::string(4097, 'm')) == errc::too_large);
  CHECK(s.others->committed(0) == committed_offset{5, std::string(4096, 'm')});
}

TEST_CASE("metadata goes with its offset when the partition is taken over") {
  sample s;
  std::uint32_t epoch = s.mine->take(0, {}, me).value();
  REQUIRE(s.mine->commit(0, {epoch, me}, 5, "five") == errc::ok);
  for (int i = 0; i < 5; ++i) {
    epoch = s.mine->take(0, {epoch, me}, me).value();
    CHECK(s.others->committed(0) == committed_offset{5, "five"});
    CHECK(s.metadata_files().size() == 1);
  }
  CHECK(s.mine->commit(0, {epoch - 1, me}, 6, "late") == errc::fenced);
  CHECK(s.metadata_files().size() == 1);  // what the fenced one wrote is gone
  CHECK(s.others->committed(0) == committed_offset{5, "five"});
}

TEST_CASE("a commit whose metadata is missing is an error for who takes the partition over, which names the file") {
  sample s;
  const std::uint32_t epoch = s.mine->take(0, {}, me).value();
  REQUIRE(s.mine->commit(0, {epoch, me}, 5, "five") == errc::ok);
  const std::string name = *s.metadata_files().begin();
  REQUIRE(std::filesystem::remove(s.directory() + "/" + name));
  const std::string message = message_of([&] { (void)s.others->take(0, {epoch, me}, another); });
  CHECK_THAT(message, ContainsSubstring(name));
  CHECK_THAT(message, ContainsSubstring("the metadata of a commit is missing"));
  CHECK(s.mine->commit(0, {epoch, me}, 6) == errc::fenced);  // the partition is another's all the same
}

TEST_CASE("metadata that no commit leads to is removed and the rest is kept") {
  const sample s;
  const std::uint32_t epoch = s.mine->take(0, {}, me).value();
  REQUIRE(s.mine->commit(0, {epoch, me}, 5, "five") == errc::ok);
  const std::string valid = *s.metadata_files().begin();
  const auto named = [&](const commit_value& c) {
    char word[17];
    std::snprintf(word, sizeof word, "%016llx", static_cast<unsigned long long>(c.word()));
    return valid.substr(0, valid.size() - 16) + word;
  };
  const std::string in_the_making = named({epoch, true, 6});
  const std::string left_behind = named({epoch + 1, true, 6});
  const std::string others_file = "meta-" + std::string(32, '0') + "-0000-" + std::string(16, '1');
  const std::string odd = valid + "x";
  for (const std::string& name : {in_the_making, left_behind, others_file, odd}) {
    write_file(s.directory() + "/" + name, "text");
  }
  CHECK(s.others->remove_stale_metadata() == 1);
  CHECK(s.metadata_files() == std::set<std::string>{valid, in_the_making, others_file, odd});
  CHECK(s.others->committed(0) == committed_offset{5, "five"});
  REQUIRE(s.mine->take(0, {epoch, me}, another));
  CHECK(s.others->remove_stale_metadata() == 1);  // nobody makes that one any more
  CHECK_FALSE(s.metadata_files().contains(in_the_making));
  poke(s.file(), 512, little_endian(owner_value{epoch + 2, me}.word(), 8));  // who died behind T1
  CHECK(s.others->remove_stale_metadata() == 0);
  CHECK(s.others->committed(0) == committed_offset{5, "five"});
}

TEST_CASE("whoever makes an offsets file removes what killed makers left") {
  const sample s;
  write_file(s.directory() + "/~new-dead", "half an offsets file");
  CHECK(s.log->open_group("another") != nullptr);
  CHECK_FALSE(leat_tests::names_in(s.directory()).contains("~new-dead"));
}

TEST_CASE("whoever first commits with metadata removes what killed committers left") {
  const sample s;
  const std::uint32_t epoch = s.mine->take(0, {}, me).value();
  REQUIRE(s.mine->commit(0, {epoch, me}, 5, "five") == errc::ok);
  const std::string five = *s.metadata_files().begin();
  const std::string stale = five.substr(0, five.size() - 1) + (five.back() == '0' ? '1' : '0');
  for (const std::string& name : {std::string("~new-dead"), stale}) write_file(s.directory() + "/" + name, "text");
  REQUIRE(s.others->take(0, {epoch, me}, another));
  const std::set<std::string> left = leat_tests::names_in(s.directory());
  CHECK_FALSE(left.contains("~new-dead"));
  CHECK_FALSE(left.contains(stale));
  CHECK(s.others->committed(0) == committed_offset{5, "five"});
}

TEST_CASE("metadata that is missing or too long is damage") {
  const sample s;
  REQUIRE(s.commit_unowned(0, 5, "five") == errc::ok);
  const std::string path = s.directory() + "/" + *s.metadata_files().begin();
  write_file(path, "");
  CHECK(code_of([&] { (void)s.others->committed(0); }) == errc::corrupt);
  write_file(path, std::string(5000, 'x'));
  CHECK(code_of([&] { (void)s.others->committed(0); }) == errc::corrupt);
  std::filesystem::remove(path);
  CHECK(code_of([&] { (void)s.others->committed(0); }) == errc::corrupt);
  CHECK_THAT(message_of([&] { (void)s.others->committed(0); }), ContainsSubstring(path));
  CHECK(s.others->committed_position(0) == 5);
}

TEST_CASE("removing a group's offsets takes its metadata along and fences whoever has something") {
  const sample s;
  const std::uint32_t epoch = s.mine->take(0, {}, me).value();
  REQUIRE(s.mine->commit(0, {epoch, me}, 5, "five") == errc::ok);
  s.others->clear([] { return true; });
  REQUIRE(s.others->remove_if_unused());
  CHECK(s.open() == nullptr);
  CHECK(s.metadata_files().empty());
  CHECK(s.mine->commit(0, {epoch, me}, 6) == errc::fenced);
  const auto anew = s.log->open_group("g");
  CHECK(anew->committed(0) == std::nullopt);
}

TEST_CASE("the file grows with the topic and keeps what stands in it") {
  sample s(leat_tests::each_kind_of_store());
  REQUIRE(s.commit_unowned(2, 5) == errc::ok);
  s.log->add_partitions(1000);
  s.mine->reserve(1000);
  REQUIRE(s.mine->capacity() >= 1000);
  CHECK(s.commit_unowned(999, 7) == errc::ok);
  CHECK(s.mine->committed_position(2) == 5);
  CHECK(s.open()->committed_position(999) == 7);
  CHECK(s.others->committed_position(999) == std::nullopt);  // opened before: it has not looked
  s.others->reserve(1000);
  CHECK(s.others->committed_position(999) == 7);
}

TEST_CASE("an offsets file that is damaged or of something else is refused with its path") {
  const sample s;
  const std::string sound = read_file(s.file());
  const auto opened = [&] { return code_of([&] { (void)s.open(); }); };
  for (std::size_t at = 0; at < 312; ++at) {
    CAPTURE(at);
    poke(s.file(), at, std::string(1, static_cast<char>(sound[at] ^ 0x21)));
    REQUIRE(opened() == (at < 8 ? errc::foreign : at < 12 ? errc::wrong_version : errc::corrupt));
    REQUIRE_THAT(message_of([&] { (void)s.open(); }), ContainsSubstring(s.file()));
    poke(s.file(), at, sound.substr(at, 1));
  }
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{512}, sound.size() - 1}) {
    write_file(s.file(), sound.substr(0, bytes));
    CHECK(opened() == errc::truncated);
  }
  write_file(s.file(), std::string(sound.size(), 'x'));
  CHECK(opened() == errc::foreign);
  write_file(s.file(), sound);
  CHECK(opened() == errc::ok);

  // Sound, but not what its name says.
  std::filesystem::copy_file(s.file(), s.directory() + "/group-h");
  CHECK_THAT(message_of([&] { (void)s.log->find_group("h"); }), ContainsSubstring("another group"));
  const auto another_topic = s.temporary.store.topic<int>("u").log();
  std::filesystem::copy_file(s.file(), s.temporary.file("topics/u/group-g"));
  CHECK_THAT(message_of([&] { (void)another_topic->find_group("g"); }), ContainsSubstring("another topic"));
}

TEST_CASE("a partition that was added since members shared the others out is kept from its beginning") {
  sample s(leat_tests::each_kind_of_store());
  REQUIRE(s.commit_unowned(1, 4) == errc::ok);
  CHECK(s.mine->keeps_from(1) == 4);
  CHECK(s.mine->keeps_from(7) == std::nullopt);  // of one who is no member
  const auto epoch = s.mine->take(2, s.mine->owner(2), me);
  REQUIRE(epoch);
  REQUIRE(s.mine->commit(2, {*epoch, me}, 9) == errc::ok);
  s.others->shared_out().raise(3);
  const auto check = [&](std::uint32_t taken) {
    CHECK(s.mine->owner(2).epoch == taken);
    CHECK(s.mine->keeps_from(0) == std::nullopt);  // nobody was given it
    CHECK(s.mine->keeps_from(1) == 4);
    CHECK(s.mine->keeps_from(2) == 9);
    CHECK(s.mine->keeps_from(7) == 0);
    CHECK(s.mine->hold(7) == std::nullopt);
  };
  check(*epoch);
  group_offsets::recover(s.log->context().directory, s.log->header(), "g", std::vector<std::uint64_t>{9, 9, 9});
  check(*epoch + 1);
  const auto later = s.mine->take(7, s.mine->owner(7), another);  // by whom it is left without a mark
  REQUIRE(later);
  CHECK(s.mine->keeps_from(7) == std::nullopt);
}

}  // namespace unit_storage_group_offsets
