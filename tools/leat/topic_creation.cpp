#include "topic_creation.hpp"

namespace leat_tool {

raw_topic open_or_create_topic(const leat::store& store, const std::string& name, const leat::topic_options& options,
                               const leat::topic_types& types) {
  for (;;) {  // others may make and delete it between two steps
    try {
      return store.raw_topic(name);
    } catch (const leat::error& e) {
      if (e.code() != leat::errc::not_found) throw;
    }
    try {
      leat::admin(store).create_topic(name, options, types);
    } catch (const leat::error& e) {
      if (e.code() != leat::errc::already_exists) throw;
    }
  }
}

}  // namespace leat_tool
