// The three kinds of store, for tests that hold in all of them.
#pragma once

#include "support/catch.hpp"
#include "support/temporary_store.hpp"

namespace leat_tests {

/// Runs the test case once in each kind of store: `auto temporary = leat_tests::each_kind_of_store();`
/// `CAPTURE(temporary.store.path())` behind it tells which one failed.
inline temporary_store each_kind_of_store() {
  return temporary_store::in(GENERATE(medium::in_process, medium::in_shared_memory, medium::on_disk));
}

}  // namespace leat_tests
