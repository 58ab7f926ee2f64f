#include "store_access.hpp"

#include "output.hpp"
#include "signals.hpp"

namespace leat_tool {

leat::store open_store(const settings& common) {
  return leat::store::open(common.store, {.mode = leat::open_mode::open});
}

leat::store open_or_create_store(const settings& common) { return leat::store::open(common.store); }

std::optional<raw_topic> wait_for_topic(const settings& common, const std::string& name, bool& waited) {
  waited = false;
  while (signal_noted() == 0) {
    try {
      return open_store(common).raw_topic(name);
    } catch (const leat::error& e) {
      if (!is_gone(e)) throw;
    }
    if (!waited) complain(fmt::format("waiting for topic {} in store {}", name, common.store));
    waited = true;
    out().check();
    pause_for(std::chrono::milliseconds(20));
  }
  return std::nullopt;
}

bool is_text_type(const std::string& type) { return type == "string" || type == "bytes"; }

}  // namespace leat_tool
