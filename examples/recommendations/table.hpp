// State that outlives its owner: the rows of a partition. Each change is also sent to a changelog topic, to the same
// partition.
//
// A change bears the click that made it. After a member has gone with changes that it had not committed yet, the clicks
// are read again; so the changes behind the committed offset are left out when the state is restored, and each click
// counts once.
#pragma once

#include <leat/leat.hpp>

#include <cstdint>
#include <map>

namespace shop {

template <class Value>
struct change {
  std::uint64_t click = 0;  // the offset of the click that made it
  Value value{};
};

/// The table of one partition, as it was behind the first `clicks` clicks.
template <class Key, class Value>
std::map<Key, change<Value>> read_table(const leat::topic<change<Value>, Key>& changelog, std::uint32_t partition,
                                        std::uint64_t clicks) {
  std::map<Key, change<Value>> rows;
  leat::consumer in{changelog, {.partitions = {{partition}}, .auto_offset_reset = leat::offset_reset::earliest}};
  while (in.lag(partition) != 0) {
    for (const auto& record : in.poll()) {
      if (record.value().click >= clicks) continue;  // not committed: the click comes again
      change<Value>& row = rows[Key(record.key())];
      if (record.value().click >= row.click) row = record.value();
    }
  }
  return rows;
}

template <class Key, class Value>
class table {
 public:
  using changelog = leat::topic<change<Value>, Key>;

  table(const changelog& log, std::uint32_t partition, std::uint64_t clicks)
      : partition_(partition), out_(log), rows_(read_table(log, partition, clicks)) {}

  Value operator[](const Key& key) const {
    const auto row = rows_.find(key);
    return row == rows_.end() ? Value{} : row->second.value;
  }
  void set(const Key& key, const Value& value, std::uint64_t click) {
    out_.send(key, rows_[key] = {click, value}, {.partition = partition_}).value();
  }

 private:
  std::uint32_t partition_;
  leat::producer<change<Value>, Key> out_;
  std::map<Key, change<Value>> rows_;
};

}  // namespace shop
