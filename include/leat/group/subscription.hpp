// What a member is subscribed to: which topics it asks for, and those of them that there are, opened.
//
// Threads    the consumer's.
#pragma once

#include <leat/group/agreed_assignment.hpp>
#include <leat/storage/topic_log.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <regex.h>

namespace leat::group {

/// Names, or one regular expression (POSIX extended) for whole names. Throws invalid_argument for one that is none.
class topic_filter {
 public:
  topic_filter() = default;
  /// `place`: for messages.
  topic_filter(std::vector<std::string> asked, bool is_pattern, const std::string& place) : names_(std::move(asked)) {
    if (is_pattern && !names_.empty()) pattern_.reset(compiled(names_.front(), place));
  }

  bool is_pattern() const noexcept { return pattern_ != nullptr; }
  const std::vector<std::string>& names() const noexcept { return names_; }

  bool matches(const std::string& name) const {
    if (pattern_ == nullptr) return std::find(names_.begin(), names_.end(), name) != names_.end();
    regmatch_t longest;  // of those that begin first: the whole name, if the expression can match it
    return ::regexec(pattern_.get(), name.c_str(), 1, &longest, 0) == 0 && longest.rm_so == 0 &&
           static_cast<std::size_t>(longest.rm_eo) == name.size();
  }

 private:
  /// Expressions of other members are compiled, too, and the C library's routines fall over hostile ones: their stack grows
  /// with the nesting, their memory with repetitions of repetitions, and with back-references they may search for ever.
  static const char* reason_to_refuse(const std::string& expression) {
    constexpr std::size_t most_bytes = 1000;
    constexpr std::size_t most_atoms = 10'000;  // repetitions written out: "[a-z]{1,249}" has 249
    if (expression.size() > most_bytes) return "it has more than 1000 bytes";
    struct sequence {
      std::size_t before = 0;  // atoms, without the last part
      std::size_t last = 0;    // of that, which a repetition repeats
    };
    std::vector<sequence> groups(1);
    const auto add = [&](std::size_t atoms) { groups.back().before += std::exchange(groups.back().last, atoms); };
    for (std::size_t i = 0; i < expression.size(); ++i) {
      switch (expression[i]) {
        case '\\':
          ++i;
          if (i < expression.size() && expression[i] >= '1' && expression[i] <= '9') return "it has a back-reference";
          add(1);
          break;
        case '[':
          i = end_of_bracket(expression, i);
          add(1);
          break;
        case '(': groups.emplace_back(); break;
        case ')':
          if (groups.size() > 1) {
            const sequence inner = groups.back();
            groups.pop_back();
            add(inner.before + inner.last + 1);
          }
          break;
        case '{': groups.back().last *= largest_number(expression, i); break;
        default: add(1);
      }
      if (groups.back().before + groups.back().last > most_atoms) return "its repetitions are too many";
    }
    return nullptr;
  }

  /// Of the bracket expression that begins at `i`; where it has no end, that of the text.
  static std::size_t end_of_bracket(const std::string& text, std::size_t i) noexcept {
    ++i;
    if (i < text.size() && text[i] == '^') ++i;
    if (i < text.size() && text[i] == ']') ++i;
    while (i < text.size() && text[i] != ']') {
      const char kind = text[i] == '[' && i + 1 < text.size() ? text[i + 1] : ' ';
      if (kind == ':' || kind == '.' || kind == '=') {  // a class of characters
        const char end[] = {kind, ']', '\0'};
        i = std::min(text.find(end, i + 2), text.size() - 2) + 1;
      }
      ++i;
    }
    return i;
  }

  /// In the braces that begin at `i`, which moves to their end. 1 at least.
  static std::size_t largest_number(const std::string& text, std::size_t& i) noexcept {
    std::size_t most = 1;
    std::size_t number = 0;
    for (++i; i < text.size() && text[i] != '}'; ++i) {
      const bool digit = text[i] >= '0' && text[i] <= '9';
      number = digit ? std::min<std::size_t>(number * 10 + static_cast<std::size_t>(text[i] - '0'), 1 << 20) : 0;
      most = std::max(most, number);
    }
    return most;
  }

  struct deleter {
    void operator()(regex_t* pattern) const noexcept {
      ::regfree(pattern);
      delete pattern;
    }
  };

  static regex_t* compiled(const std::string& expression, const std::string& place) {
    char why[256] = "a zero byte or a line feed follows";  // members tell each other lines
    const std::size_t zero = expression.find_first_of(std::string_view("\0\n", 2));
    if (const char* const refused = reason_to_refuse(expression)) {
      std::snprintf(why, sizeof why, "%s", refused);
    } else if (zero == std::string::npos) {
      auto pattern = std::make_unique<regex_t>();
      const int failure = ::regcomp(pattern.get(), expression.c_str(), REG_EXTENDED);
      if (failure == 0) return pattern.release();
      ::regerror(failure, pattern.get(), why, sizeof why);
    }
    throw error(errc::invalid_argument, place,
                "\"" + expression.substr(0, std::min<std::size_t>(zero, 300)) + "\" is no regular expression: " + why);
  }

  std::vector<std::string> names_;
  std::unique_ptr<regex_t, deleter> pattern_;
};

class subscription {
 public:
  using log = std::shared_ptr<storage::topic_log>;
  /// Opens a topic of the consumer's types. Null when there is none of this name; throws wrong_type.
  using opener = std::function<log(const std::string& name)>;

  subscription() = default;
  /// Throws name_invalid, wrong_type, invalid_argument.
  subscription(std::vector<std::string> asked, bool is_pattern, const storage::store_files& store, const opener& open) {
    if (!is_pattern) {
      for (const std::string& name : asked) {
        if (!storage::is_legal_name(name)) {
          throw error(errc::name_invalid, store.topics().path(name.substr(0, 300)),
                      "a topic's name has " + std::string(storage::legal_names));
        }
        open(name);  // throws now rather than at a poll
      }
      std::sort(asked.begin(), asked.end());
      asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
    }
    filter_ = topic_filter(std::move(asked), is_pattern, store.topics().path(""));
  }

  const topic_filter& filter() const noexcept { return filter_; }
  const std::map<std::string, log>& logs() const noexcept { return logs_; }

  /// Closes everything; what was seen before counts as seen.
  void forget() noexcept { logs_.clear(); }

  /// Whether `opened` is one of those that are here: not another one of its name.
  bool has(const log& opened) const {
    const auto found = logs_.find(opened->name());
    return found != logs_.end() && found->second == opened;
  }

  /// Topics that were deleted, or have lost their names as the first step to it: they are left out from now on.
  std::vector<log> remove_deleted() {
    std::vector<log> gone;
    for (auto l = logs_.begin(); l != logs_.end();) {
      if (l->second->is_there()) {
        ++l;
        continue;
      }
      if (seen_) seen_->erase(l->second->header().id);
      gone.push_back(std::move(l->second));
      l = logs_.erase(l);
    }
    return gone;
  }

  /// Takes over topics and partitions that have come.
  void look(const storage::store_files& store, const opener& open) {
    for (const auto& l : logs_) l.second->refresh();
    for (const std::string& name : filter_.is_pattern() ? storage::topic_log::names(store) : filter_.names()) {
      if (logs_.contains(name) || !filter_.matches(name)) continue;
      try {
        if (auto found = open(name)) logs_.emplace(name, std::move(found));
      } catch (const error& e) {
        if (!filter_.is_pattern() || e.code() != errc::wrong_type) throw;
      }
    }
  }

  bool is_losing_a_topic() const {
    return std::any_of(logs_.begin(), logs_.end(), [](const auto& l) { return !l.second->is_there(); });
  }

  /// An assignment that rests on these topics gives away all that are here.
  bool is_covered_by(const std::map<std::string, counted_topic>& topics) const {
    return std::all_of(logs_.begin(), logs_.end(), [&](const auto& l) {
      const auto found = topics.find(l.first);
      return found != topics.end() && found->second == counted(*l.second);
    });
  }
  static counted_topic counted(const storage::topic_log& log) {
    return {format::text_of(log.header().id), log.partitions()};
  }

  /// Calls `begin(log, partition)` for what has come since the last call, except at the first. Where it gives false or throws,
  /// that and the topic's partitions behind it count as new the next time.
  template <class Begin>
  void for_new_partitions(Begin begin) {
    const bool first = !seen_.has_value();
    if (first) seen_.emplace();
    for (const auto& entry : logs_) {
      const log& opened = entry.second;
      std::uint32_t& seen = (*seen_)[opened->header().id];
      const std::uint32_t count = opened->partitions();
      while (seen < count && (first || begin(*opened, seen))) ++seen;
    }
  }

  /// Partitions for which for_new_partitions() has come to no end.
  bool has_new_partitions(const storage::topic_log& opened) const {
    const auto seen = seen_->find(opened.header().id);
    return seen == seen_->end() || seen->second < opened.partitions();
  }

 private:
  topic_filter filter_;
  std::map<std::string, log> logs_;
  std::optional<std::map<format::unique_id, std::uint32_t>> seen_;  // partitions of each topic
};

}  // namespace leat::group
