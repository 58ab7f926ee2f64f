// The code of docs/guide.md: each part between `// snippet: name` and `// end` stands there as it is here, which a test
// checks; and this program, a test as well, runs all of it, in stores that it removes. Ends with 1 where something is off.
#include <leat/leat.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

void expect(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

/// A directory for stores, removed with them.
struct scratch {
  std::string path = (std::filesystem::temp_directory_path() / "leat-guide-XXXXXX").string();
  scratch() { expect(::mkdtemp(path.data()) != nullptr, "no temporary directory"); }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

// snippet: plain_type
struct trade {
  std::uint64_t account;
  double amount;
  std::uint32_t merchant;
};
// end

// snippet: codec
struct order {
  std::uint32_t quantity;
  std::string symbol;
};

template <>
struct leat::codec<order> {
  using input = const order&;
  using output = order;                                 // decoded: a copy
  static constexpr std::string_view name = "order v1";  // change it with the layout
  static std::size_t size(input o) { return sizeof o.quantity + o.symbol.size(); }
  static void encode(input o, std::span<std::byte> into) {
    std::memcpy(into.data(), &o.quantity, sizeof o.quantity);
    o.symbol.copy(reinterpret_cast<char*>(into.data()) + sizeof o.quantity, o.symbol.size());
  }
  static output decode(leat::bytes_view bytes) {
    order o{};
    if (bytes.size() < sizeof o.quantity) throw leat::error(leat::errc::corrupt, "order", "too short");
    std::memcpy(&o.quantity, bytes.data(), sizeof o.quantity);
    o.symbol.assign(reinterpret_cast<const char*>(bytes.data()) + sizeof o.quantity, bytes.size() - sizeof o.quantity);
    return o;
  }
};
// end

namespace {

void stores(const std::string& directory) {
  const std::string name = "guide." + std::to_string(::getpid());
  const std::string path = directory + "/market";
  // snippet: open
  const leat::store shared = leat::store::open(name);      // files in /dev/shm/leat.<name>: gone with the next boot
  const leat::store on_disk = leat::store::open(path);     // anything with a '/': files there
  const leat::store private_ = leat::store::in_process();  // memory of this process, gone with it
  // end
  expect(shared.path() == "/dev/shm/leat." + name && on_disk.path() == path, "paths");

  const std::string group_path = directory + "/for-the-group";
  // snippet: store_options
  const leat::store_options options{.mode = leat::open_mode::create, .directory_mode = 0750};
  const leat::store store = leat::store::open(group_path, options);  // throws already_exists where there is one
  // end
  try {
    leat::store::open(group_path, {.mode = leat::open_mode::create});
    expect(false, "a store was created twice");
  } catch (const leat::error& e) {
    expect(e.code() == leat::errc::already_exists, "created twice");
  }

  // snippet: permissions
  const leat::store writer = leat::store::open(directory + "/public", {.directory_mode = 0755});
  const auto prices = writer.topic<double>("prices", {.file_mode = 0644});
  // end
  const uid_t their_user_id = ::geteuid();
  // snippet: reader_permissions
  const leat::store_options as_reader{.mode = leat::open_mode::open, .owner = their_user_id};
  const leat::store theirs = leat::store::open(directory + "/public", as_reader);
  leat::consumer in{theirs.topic<double>("prices", {.mode = leat::open_mode::open})};
  // end

  const auto doomed = shared.topic<int>("doomed");
  // snippet: remove
  leat::producer out{doomed};
  shared.remove_topic("doomed");
  expect(out.send(1).error() == leat::errc::closed, "its users learn it at their next call");

  leat::store::remove(name);  // the store, with all its topics
  // end
  expect(!std::filesystem::exists("/dev/shm/leat." + name), "the store was not removed");
}

void topics(const leat::store& store) {
  {
    // snippet: topic
    const auto trades = store.topic<trade>("trades");             // keys are strings
    const auto clicks = store.topic<std::string, int>("clicks");  // keys are ints
    // end
    expect(trades.partitions() == 1 && clicks.partitions() == 1, "default partitions");
  }
  // snippet: topic_options
  const leat::topic_options options{
      .partitions = 8,
      .segment_bytes = 4 << 20,
      .retention = {.bytes = 64 << 20},
      .max_record_bytes = 64 << 10,
      .expected_record_bytes = 200,
      .timestamps = leat::timestamp_type::log_append_time,
      .single_writer = false,
      .file_mode = 0600,
  };
  const auto log = store.topic<std::string>("log", options);
  // end
  // snippet: describe
  const leat::topic_description is = store.describe_topic("log");
  std::cout << is.name << " holds " << is.value_type << ", " << is.partitions.size() << " partitions\n";
  for (const std::string& name : store.topics()) std::cout << name << '\n';
  // end
  expect(is.value_type == "string" && is.retention_bytes == 64 << 20, "the description");
  // snippet: mismatch
  try {
    store.topic<double>("log");
  } catch (const leat::error& e) {
    std::cerr << e.what()
              << '\n';  // ...: value type is string in the topic, but double, 8 bytes, aligned to 8 here: ...
    expect(e.code() == leat::errc::wrong_type, "one topic, one type");
  }
  // end
  try {
    store.topic<std::string>("log", {.partitions = 9});
    expect(false, "contradicting options");
  } catch (const leat::error& e) {
    expect(e.code() == leat::errc::conflicting_options, "contradicting options");
  }
}

void sending(const leat::store& store) {
  const auto words = store.topic<std::string>("words", {.partitions = 4});
  leat::consumer in{words, {.auto_offset_reset = leat::offset_reset::earliest}};
  // snippet: send
  leat::producer out{words};
  out.send("no key").value();
  const leat::record_position at = out.send("key", "value").value();
  std::cout << "offset " << at.offset << " of partition " << at.partition << '\n';
  // end
  // snippet: send_options
  const std::vector<leat::header> headers{{"trace", "7f3a"}, {"trace", "80aa"}, {"empty", ""}, {"absent", leat::null}};
  out.send("key", "value", {.partition = 3, .timestamp = std::chrono::system_clock::now(), .headers = headers}).value();
  // end
  // snippet: null
  out.send("key", leat::null).value();    // a tombstone: there is no value
  out.send("key", "").value();            // an empty value
  out.send(leat::null, "value").value();  // there is no key, as in send("value")
  // end
  int tombstones = 0, empty = 0, seen = 0;
  // snippet: read_null
  for (const auto& record : in.poll()) {
    if (!record.has_value()) {
      ++tombstones;  // record.value() would throw
    } else if (record.value().empty()) {
      ++empty;
    }
    for (const leat::header& h : record.headers()) {
      std::cout << h.name << (h.value ? " = " : " is null") << h.text() << '\n';
      ++seen;
    }
  }
  // end
  expect(tombstones == 1 && empty == 1 && seen == 4, "null and empty differ");

  // snippet: errors_as_values
  if (const leat::result<leat::record_position> sent = out.send("key", std::string(2 << 20, 'x')); !sent) {
    expect(sent.error() == leat::errc::too_large, "2 MiB are too large by default");
  }
  try {
    const leat::record_position position = out.send("key", std::string(2 << 20, 'x'));  // throws what it cannot give
    std::cout << position.offset << '\n';
  } catch (const leat::error& e) {
    std::cerr << e.what() << '\n';
  }
  // end

  // snippet: partitioner
  const auto by_length = [](std::optional<leat::bytes_view> key, std::uint32_t partitions) {
    return key ? static_cast<std::uint32_t>(key->size()) % partitions : 0;
  };
  leat::producer sorted{words, {.partitioner = by_length}};
  // end
  expect(sorted.send("ab", "x").value().partition == 2, "the user's partitioner");

  // snippet: clock
  leat::producer hurried{words, {.clock = leat::timestamp_source::coarse}};
  // end
  expect(static_cast<bool>(hurried.send("x")), "a coarse clock");

  // snippet: batch
  const std::vector<std::pair<std::string, std::string>> pairs{{"a", "1"}, {"b", "2"}, {"c", "3"}};
  std::vector<leat::record_position> positions(pairs.size());
  const leat::batch_result sent = out.send_batch(pairs, {}, positions);
  if (sent.error != leat::errc::ok) std::cerr << "only the first " << sent.count << " were sent\n";
  // end
  expect(sent.count == 3 && positions[0].partition < 4, "a batch");
}

void building_in_place(const leat::store& store) {
  const auto trades = store.topic<trade>("in-place");
  // snippet: loan
  leat::producer out{trades};
  auto loan = out.claim("account-42").value();
  loan->account = 42;
  loan->amount = 9.99;
  loan->merchant = 7;
  const leat::record_position at = loan.publish().value();  // it gets its offset here
  // end
  expect(at.offset == 0, "a loan");

  const auto texts = store.topic<std::string>("in-place.texts");
  leat::producer writes{texts};
  // snippet: loan_bytes
  auto room = writes.claim(leat::null, 1000).value();  // at most so many bytes
  char* const begin = reinterpret_cast<char*>(room.bytes().data());
  const char* const end = std::to_chars(begin, begin + room.bytes().size(), 3.14).ptr;
  room.publish(static_cast<std::size_t>(end - begin)).value();
  // end
  leat::consumer in{texts, {.auto_offset_reset = leat::offset_reset::earliest}};
  for (const auto& record : in.poll()) expect(record.value() == "3.14", "a shorter loan");
}

void conditionally(const leat::store& store) {
  const auto account = store.topic<int>("account");
  leat::producer out{account};
  // snippet: send_if
  leat::consumer in{account, {.auto_offset_reset = leat::offset_reset::earliest}};
  int balance = 0;
  for (;;) {
    for (const auto& record : in.poll()) balance += record.value();
    if (in.lag(0) != 0) continue;
    const int deposit = balance < 100 ? 100 - balance : 0;  // decided on what was read
    const auto sent = out.send_if({0, in.position(0)}, leat::null, deposit);
    if (sent) break;
    if (sent.error() != leat::errc::mismatched) sent.value();  // throws
  }
  // end
  expect(account.end_offset(0) == 1, "appended once");
}

void single_writer(const std::string& path) {
  const leat::store store = leat::store::open(path);
  // snippet: single_writer
  const auto ticks = store.topic<double>("ticks", {.single_writer = true});
  leat::producer first{ticks};
  leat::producer second{ticks};
  first.send(1.0).value();  // now the partition is its own, until it is destroyed or dies
  expect(second.send(2.0).error() == leat::errc::not_the_writer, "one writer");
  // end
}

void consuming(const leat::store& store) {
  const auto words = store.topic<std::string>("consumed", {.partitions = 2});
  leat::producer out{words};
  for (int i = 0; i < 20; ++i) out.send(std::to_string(i), std::to_string(i)).value();

  // snippet: poll
  leat::consumer in{words, {.auto_offset_reset = leat::offset_reset::earliest}};
  std::size_t count = 0;
  for (bool more = true; more;) {
    const auto records = in.poll(10ms);  // ends the life of the records before
    for (const auto& record : records) {
      std::cout << record.partition() << '/' << record.offset() << ": " << record.key() << '\n';
      ++count;
    }
    more = !records.empty();
  }
  // end
  expect(count == 20, "all of them");

  // snippet: keep
  std::vector<std::string> kept;
  in.seek_to_beginning();
  for (const auto& record : in.poll()) kept.emplace_back(record.value());  // a copy: value() is a view into the log
  // end
  expect(kept.size() == 20, "copies");

  // snippet: seek
  in.seek({.partition = 0, .offset = 3});
  in.seek_to_beginning();
  in.seek_to_end();
  in.seek({0, words.end_offset(0) - 1});  // the last record of partition 0
  expect(in.lag(0) == 1, "one record behind");
  // end

  // snippet: pause
  in.pause(0);
  expect(in.poll().empty(), "nothing of partition 0, which keeps its position");
  in.resume(0);
  // end
  expect(in.poll().size() == 1, "resumed");

  // snippet: assign
  leat::consumer one{words, {.partitions = std::vector<std::uint32_t>{1}}};
  one.assign({0, 1});  // 1 keeps its position, 0 begins as the reset policy says
  // end
  expect(one.assignment() == std::vector<std::uint32_t>{1, 0}, "assigned");

  // snippet: strict
  leat::consumer strict{words, {.auto_offset_reset = leat::offset_reset::none}};
  strict.seek({0, 1'000'000});
  strict.seek({1, 0});
  const auto records = strict.poll();
  if (records.error() == leat::errc::out_of_range) {
    // Iterating over `records` would throw. Its position is where it was: seek, and go on.
    strict.seek({0, words.start_offset(0)});
  }
  // end
  std::map<std::uint32_t, std::uint64_t> next;
  // snippet: positions
  for (const std::uint32_t partition : in.assignment()) next[partition] = in.position(partition);
  // ... kept somewhere, read again at the next start:
  leat::consumer again{words, {.auto_offset_reset = leat::offset_reset::none}};
  for (const auto& [partition, offset] : next) again.seek({partition, offset});
  // end
  expect(again.lag(0) == 0, "positions kept");

  // snippet: wait
  leat::consumer quick{words, {.wait = leat::wait_strategy::spin}};
  // end
  expect(quick.poll(1ms).empty(), "nothing new");
}

void threads(const leat::store& store) {
  // snippet: threads
  const auto numbers = store.topic<int>("numbers");  // may be shared, and copied
  leat::consumer in{numbers};
  std::thread other([numbers] {
    leat::producer out{numbers};  // one for each thread
    out.send(7).value();
  });
  int got = 0;
  for (const auto& record : in.poll(10s)) got = record.value();
  other.join();
  // end
  expect(got == 7, "from another thread");
}

void fork_anew(const std::string& path) {
  const leat::store store = leat::store::open(path);
  const auto topic = store.topic<int>("forked");
  leat::producer out{topic};
  out.send(1).value();
  // snippet: fork
  const pid_t child = ::fork();
  if (child == 0) {
    if (out.send(2).error() != leat::errc::forked) ::_exit(1);  // the parent's
    const auto mine = leat::store::open(path).topic<int>("forked");
    leat::producer own{mine};
    ::_exit(own.send(3) ? 0 : 1);
  }
  // end
  int status = 1;
  ::waitpid(child, &status, 0);
  expect(status == 0 && topic.end_offset(0) == 2, "a child with handles of its own");
}

void custom_codec(const leat::store& store) {
  const auto orders = store.topic<order>("orders");
  leat::producer out{orders};
  out.send("k", order{3, "LEAT"}).value();
  leat::consumer in{orders, {.auto_offset_reset = leat::offset_reset::earliest}};
  for (const auto& record : in.poll()) expect(record.value().symbol == "LEAT", "a codec");
}

}  // namespace

int main() try {
  const scratch directory;
  const leat::store memory = leat::store::in_process();
  stores(directory.path);
  topics(memory);
  sending(memory);
  building_in_place(memory);
  conditionally(memory);
  single_writer(directory.path + "/single");
  consuming(memory);
  threads(memory);
  fork_anew(directory.path + "/forking");
  custom_codec(memory);
  return 0;
} catch (const std::exception& e) {
  std::cerr << "guide: " << e.what() << '\n';
  return 1;
}
