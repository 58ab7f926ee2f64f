// The log that the scenarios of this program are run on.
#pragma once

#include "semantics/backend.hpp"
#include "support/catch.hpp"

#ifdef LEAT_SEMANTICS_ON_KAFKA
#include "semantics/kafka_backend.hpp"
#else
#include "semantics/leat_backend.hpp"
#endif

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

namespace semantics {

#ifdef LEAT_SEMANTICS_ON_KAFKA

inline bool on_broker() {
  const char* const wanted = std::getenv("LEAT_SEMANTICS_BACKEND");
  return wanted != nullptr && std::string(wanted) == "broker";
}
/// Why the scenarios cannot be run; empty: they can.
inline std::string missing_backend() {
  return on_broker() && std::getenv("LEAT_KAFKA_BROKERS") == nullptr
             ? "LEAT_KAFKA_BROKERS has no broker's address: ./run kafka starts one"
             : "";
}
inline const bool asked_first = (leat_tests::why_nothing_runs = missing_backend, true);

inline std::unique_ptr<backend> make_backend() {
  return std::make_unique<kafka_backend>(on_broker() ? std::getenv("LEAT_KAFKA_BROKERS") : "");
}

#else

inline std::unique_ptr<backend> make_backend() { return std::make_unique<leat_backend>(); }

#endif

}  // namespace semantics
