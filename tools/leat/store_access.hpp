// Opening stores and topics as the commands need them.
#pragma once

#include "command.hpp"

#include <leat/leat.hpp>

#include <optional>
#include <string>
#include <vector>

namespace leat_tool {

/// A topic whatever its types: keys and values as their bytes.
using raw_topic = leat::topic<leat::bytes_view, leat::bytes_view>;
using raw_producer = leat::producer<leat::bytes_view, leat::bytes_view>;
using raw_consumer = leat::consumer<leat::bytes_view, leat::bytes_view>;
using raw_record = leat::record_view<leat::bytes_view, leat::bytes_view>;

/// Throws leat::error: not_found where there is none.
leat::store open_store(const settings& common);
leat::store open_or_create_store(const settings& common);

/// The topic, once there is a store and a topic of this name; empty when a signal came first. Says once that it waits.
std::optional<raw_topic> wait_for_topic(const settings& common, const std::string& name, bool& waited);

/// Whether there is anything to flush.
inline bool is_durable(const leat::topic_description& topic) { return topic.durability != leat::durability::none; }

/// The topic or group does not exist, or was deleted meanwhile.
inline bool is_gone(const leat::error& e) {
  return e.code() == leat::errc::not_found || e.code() == leat::errc::closed;
}

/// `work(name)` for those that were named; where none was, for `all`, of which it leaves out what was deleted meanwhile.
template <class Work>
void for_each_of(const std::vector<std::string>& named, const std::vector<std::string>& all, Work work) {
  for (const std::string& name : named.empty() ? all : named) {
    try {
      work(name);
    } catch (const leat::error& e) {
      if (!named.empty() || !is_gone(e)) throw;
    }
  }
}

/// Whether values, or keys, of this type are text to people: strings and bytes.
bool is_text_type(const std::string& type);

}  // namespace leat_tool
