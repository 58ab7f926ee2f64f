#include <leat/storage/segment_cache.hpp>

#include "support/catch.hpp"
#include "support/temporary_store.hpp"

#include <leat/os/folder.hpp>

#include <memory>
#include <string>

namespace unit_storage_segment_cache {

using leat::os::access;
using leat::storage::segment;
using leat::storage::segment_cache;

struct some_files {
  leat_tests::temporary_directory place;
  std::shared_ptr<leat::os::folder> directory = leat::os::folder::open(place.path());

  std::shared_ptr<const segment> map(const std::string& name, access mode = access::read_write) const {
    if (!directory->status(name)) directory->create(name, 0600).reserve(16384);
    const auto file = directory->open(name, mode);
    return std::make_shared<const segment>(leat::os::mapping(*file, 16384, mode), file->status(),
                                           leat::format::segment_geometry{16384, 16}, mode);
  }
};

TEST_CASE("a mapping is found by its file and its access") {
  const some_files files;
  segment_cache cache(4);
  const auto a = files.map("a");
  const auto b = files.map("b", access::read_only);
  cache.keep(a);
  cache.keep(b);
  CHECK(cache.find(a->status(), access::read_write) == a);
  CHECK(cache.find(b->status(), access::read_only) == b);
  CHECK(cache.find(a->status(), access::read_only) == nullptr);
  CHECK(cache.find(files.map("c")->status(), access::read_write) == nullptr);
}

TEST_CASE("a file that was renamed keeps its mapping") {
  const some_files files;
  segment_cache cache(4);
  const auto a = files.map("a");
  cache.keep(a);
  CHECK(files.directory->rename("a", "z") == leat::os::rename_result::done);
  CHECK(cache.find(*files.directory->status("z"), access::read_write) == a);
}

TEST_CASE("the mapping that was used least recently makes room") {
  const some_files files;
  segment_cache cache(2);
  const auto a = files.map("a");
  const auto b = files.map("b");
  const auto c = files.map("c");
  cache.keep(a);
  cache.keep(b);
  CHECK(cache.find(a->status(), access::read_write) == a);
  cache.keep(c);
  CHECK(cache.find(b->status(), access::read_write) == nullptr);
  CHECK(cache.find(a->status(), access::read_write) == a);
  CHECK(cache.find(c->status(), access::read_write) == c);
}

TEST_CASE("a mapping whose file has lost its name is dropped at the next look") {
  const some_files files;
  segment_cache cache(4);
  std::weak_ptr<const segment> dropped;
  {
    const auto a = files.map("a");
    a->abandoned().set();
    dropped = a;
    cache.keep(a);
  }
  CHECK_FALSE(dropped.expired());
  CHECK(cache.find(files.map("b")->status(), access::read_write) == nullptr);
  CHECK(dropped.expired());
}

}  // namespace unit_storage_segment_cache
