// A scenario: what happens to a log and its consumers, and what was seen of it, as text.
//
//     scenario s;
//     s.topic("orders", {.partitions = 2});
//     member& a = s.join({.group = "g", .client_id = "a"}, {"orders"});
//     s.say() << "a reads" << s.read(a, 3);
//     CHECK(s.text() == expected);
//
// The text leaves out what may differ from run to run and from one kind of log to another: which partition of several a
// member got where that is the assignor's choice, how many polls it took, how the records came in batches.
#pragma once

#include "semantics/backend.hpp"
#include "semantics/backend_under_test.hpp"
#include "semantics/member.hpp"
#include "support/processes.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace semantics {

// --- text -------------------------------------------------------------------------------------------------------------

inline std::string text_of(const topic_partition& p) { return p.topic + "-" + std::to_string(p.partition); }

/// null, or in quotes, with what is not printable as \xNN.
inline std::string text_of(const bytes& b) {
  if (!b) return "null";
  std::string text = "\"";
  for (const char c : *b) {
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    const bool printable = c >= ' ' && c <= '~' && c != '"' && c != '\\';
    text += printable ? std::string(1, c) : std::string(escaped);
  }
  return text + "\"";
}

inline std::string text_of(outcome o) {
  switch (o) {
    case outcome::ok: return "ok";
    case outcome::fenced: return "fenced";
    case outcome::out_of_range: return "out of range";
    case outcome::too_large: return "too large";
    case outcome::other: break;
  }
  return "another error";
}

inline std::string text_of(const std::optional<committed_offset>& c) {
  if (!c) return "nothing";
  return std::to_string(c->offset) + (c->metadata.empty() ? "" : " " + text_of(bytes(c->metadata)));
}

inline std::string text_of(const std::optional<std::uint64_t>& offset) {
  return offset ? std::to_string(*offset) : "none";
}

/// `3 "key" "value" @1000 {name="a", name=null}`
inline std::string text_of(const record& r) {
  std::string text =
      std::to_string(r.offset) + " " + text_of(r.key) + " " + text_of(r.value) + " @" + std::to_string(r.timestamp);
  for (std::size_t i = 0; i < r.headers.size(); ++i) {
    text += (i == 0 ? " {" : ", ") + r.headers[i].first + "=" + text_of(r.headers[i].second);
  }
  return text + (r.headers.empty() ? "" : "}");
}

/// For each partition, in the order in which they came.
inline std::string text_of(const std::vector<record>& records) {
  std::map<topic_partition, std::string> lists;
  for (const record& r : records) lists[r.at] += "    " + text_of(r) + "\n";
  std::string text;
  for (const auto& [at, list] : lists) text += "  " + text_of(at) + "\n" + list;
  return text;
}

template <class T>
std::string joined(const std::vector<T>& list) {
  std::string text;
  for (const T& element : list) {
    if (!text.empty()) text += " ";
    if constexpr (std::is_same_v<T, std::string>)
      text += element;
    else if constexpr (std::is_arithmetic_v<T>)
      text += std::to_string(element);
    else
      text += text_of(element);
  }
  return text.empty() ? "none" : text;
}

/// The offsets of the records, in the order in which they came; runs as `4..9`.
inline std::string offsets_of(const std::vector<record>& records) {
  std::string text;
  for (std::size_t i = 0; i < records.size();) {
    std::size_t j = i + 1;
    while (j < records.size() && records[j].offset == records[j - 1].offset + 1) ++j;
    if (!text.empty()) text += " ";
    text += std::to_string(records[i].offset);
    if (j - i > 1) text += ".." + std::to_string(records[j - 1].offset);
    i = j;
  }
  return text.empty() ? "none" : text;
}

/// A line of a scenario's text. The records of a partition stand below it.
class line {
 public:
  explicit line(std::string& text) noexcept : text_(text) {}
  line(const line&) = delete;
  line& operator=(const line&) = delete;
  ~line() { text_ += "\n"; }

  const line& operator<<(const std::string& what) const {
    text_ += what;
    return *this;
  }
  const line& operator<<(const std::vector<record>& records) const {
    const std::string list = text_of(records);
    return *this << (list.empty() ? " nothing" : "\n" + list.substr(0, list.size() - 1));
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  const line& operator<<(T number) const {
    return *this << std::to_string(number);
  }
  const line& operator<<(outcome o) const { return *this << text_of(o); }

 private:
  std::string& text_;
};

/// Leaves the test case where the log cannot do something, and says so.
#define LEAT_NEEDS(scenario, what)                                                                          \
  do {                                                                                                      \
    if (const std::string why = (scenario).log().cannot(semantics::ability::what); !why.empty()) SKIP(why); \
  } while (false)

// --- the scenario -----------------------------------------------------------------------------------------------------

class scenario {
 public:
  backend& log() noexcept { return *log_; }

  // --- what is seen ---

  /// `s.say() << "a reads " << offsets_of(...) << " and commits: " << a.commit();` What is written first happens first, which
  /// is not so with +.
  line say() { return line(text_); }
  const std::string& text() const noexcept { return text_; }

  // --- what is done ---

  void topic(const std::string& name, const topic_options& options = {}) { log_->create_topic(name, options); }

  placed send(const std::string& topic, const message& m) {
    auto& out = producers_[topic];
    if (out == nullptr) out = log_->make_producer(topic);
    return out->send(m);
  }
  /// `count` records whose values are the numbers from `first` on, and their timestamps those and 1000.
  void send_numbers(const topic_partition& to, int first, int count) {
    for (int i = first; i < first + count; ++i) {
      send(to.topic, {.value = std::to_string(i), .timestamp = 1000 + i, .partition = to.partition});
    }
  }

  /// A consumer of the scenario, which has nothing to read yet.
  member& consumer(const consumer_options& options) { return members_.emplace_back(*log_, options); }
  /// One that is subscribed.
  member& join(const consumer_options& options, const std::vector<std::string>& topics) {
    member& m = consumer(options);
    m.subscribe(topics);
    return m;
  }
  /// One without a group, from where the reset policy says.
  member& reader(const topic_partition& p, reset_policy reset = reset_policy::earliest) {
    member& m = consumer({.client_id = "reader", .reset = reset});
    m.assign(p.topic, {p.partition});
    return m;
  }

  /// Polls until `count` records have come; a few more when the last poll brought them. A poll that fails is an error.
  std::vector<record> read(member& m, std::size_t count) {
    std::vector<record> all;
    leat_tests::wait_until(("a member has read " + std::to_string(count) + " records").c_str(), [&] {
      const polled p = m.poll(log_->moment());
      if (p.code != outcome::ok) throw std::runtime_error("a poll failed: " + text_of(p.code));
      all.insert(all.end(), p.records.begin(), p.records.end());
      return all.size() >= count;
    });
    return all;
  }
  /// Everything in a partition, read by a consumer without a group.
  std::vector<record> read_all(const topic_partition& p) {
    const watermarks w = log_->offsets(p);
    member& m = reader(p);
    auto all = read(m, w.end - w.start);
    m.close();
    return all;
  }
  std::vector<record> read_all(const std::string& topic, std::uint32_t partitions) {
    std::vector<record> all;
    for (std::uint32_t p = 0; p < partitions; ++p) {
      const auto more = read_all({topic, p});
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  }

  /// Polls until one fails; what it says.
  outcome failure_of(member& m) {
    outcome code = outcome::ok;
    leat_tests::wait_until("a poll fails", [&] {
      code = m.poll(log_->moment()).code;
      return code != outcome::ok;
    });
    return code;
  }

  // --- the group ---

  /// Polls each live member of the group until `still` holds, and looks after each poll whether two of them believe to own
  /// the same partition. Records that come are lost to the scenario.
  void turn_until(const char* what, const std::string& group, const std::function<bool()>& still) {
    leat_tests::wait_until(what, [&] {
      for (member& m : members_) {
        if (m.is_gone() || m.options().group != group) continue;
        (void)m.poll(log_->moment());
        require_one_owner(group);
      }
      return still();
    });
  }

  /// Waits until the group has the members of this scenario, who own all that is subscribed to, so many each.
  void settle(const std::string& group, std::size_t partitions, const std::vector<std::size_t>& counts) {
    turn_until("the owners cover the subscription", group, [&] {
      std::vector<std::string> clients;
      std::vector<std::size_t> owned;
      for (const auto& [client, list] : claims(group)) {
        clients.push_back(client);
        owned.push_back(list.size());
      }
      std::ranges::sort(owned, std::greater<>());
      std::ranges::sort(clients);
      const group_view view = view_of(group);
      return owned == counts && view.members == clients && view.owners.size() == partitions;
    });
  }

  /// What each live member of a group believes to own, by client id.
  std::map<std::string, std::vector<topic_partition>> claims(const std::string& group) {
    std::map<std::string, std::vector<topic_partition>> all;
    for (member& m : members_) {
      if (m.is_gone() || m.options().group != group) continue;
      auto list = m.owned();
      std::ranges::sort(list);
      all[m.options().client_id] = std::move(list);
    }
    return all;
  }

  member& named(const std::string& client) {
    const auto found = std::ranges::find_if(
        members_, [&](const member& m) { return !m.is_gone() && m.options().client_id == client; });
    if (found == members_.end()) throw std::runtime_error("no member " + client);
    return *found;
  }

  /// As the group's description has it; as its live members have it, where it has none.
  group_view view_of(const std::string& group) {
    if (auto view = log_->describe(group)) return *view;
    group_view view;
    for (const auto& [client, list] : claims(group)) {
      view.members.push_back(client);
      for (const topic_partition& p : list) view.owners[p] = client;
    }
    return view;
  }

  std::string owners(const std::string& group) {
    std::string text;
    for (const auto& [at, client] : view_of(group).owners) {
      text += (text.empty() ? "" : ", ") + text_of(at) + " " + client;
    }
    return text.empty() ? "nobody" : text;
  }

  std::string committed(const std::string& group, const topic_partition& p) {
    return text_of(log_->committed(group, p));
  }

 private:
  void require_one_owner(const std::string& group) {
    std::map<topic_partition, std::string> owner;
    for (const auto& [client, list] : claims(group)) {
      for (const topic_partition& p : list) {
        const auto [had, first] = owner.emplace(p, client);
        if (!first) throw std::runtime_error(text_of(p) + " has two owners: " + had->second + " and " + client);
      }
    }
  }

  leat_tests::watchdog watchdog_{110};
  std::unique_ptr<backend> log_ = make_backend();
  std::map<std::string, std::unique_ptr<producer>> producers_;
  std::list<member> members_;
  std::string text_;
};

}  // namespace semantics
