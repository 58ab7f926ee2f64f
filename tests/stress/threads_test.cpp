// The protocol among threads, for ThreadSanitizer above all.
//
// A consumer maps segments read-only, so ThreadSanitizer sees the producers' bytes and the consumers' as different memory and
// cannot relate them. Therefore the first tests read slots and records through the same mapping through which they are
// written: then it checks the edges [publish], [seal], [begin] and [settle], and that clearing a spare comes after all who used it.
// The last tests go through the public classes, for what these share within a process.
#include "support/history.hpp"
#include "support/store_of_threads.hpp"

#include <leat/storage/appender.hpp>

#include <algorithm>
#include <deque>
#include <thread>

using namespace leat_tests;
using leat::format::record_kind;
namespace os = leat::os;
namespace storage = leat::storage;

namespace stress_threads {

constexpr unsigned writers = 2;

struct state {
  std::atomic<std::uint64_t> read{0};
  std::atomic<std::uint64_t> written{0};
  std::atomic<bool> broken{false};
};

/// Runs it on a thread of its own; what it throws fails the test.
class guarded_thread {
 public:
  template <class Body>
  guarded_thread(state& s, Body body)
      : thread_([this, &s, body] {
          try {
            body();
          } catch (const std::exception& e) {
            what_ = e.what();
            s.broken = true;
          }
        }) {}
  ~guarded_thread() {
    if (thread_.joinable()) thread_.join();
  }
  std::string join() {
    thread_.join();
    return what_;
  }

 private:
  std::string what_;
  std::thread thread_;
};

void append(storage::appender& to, std::uint32_t id, std::uint64_t number, bool conditional, storage::partition& p) {
  const std::uint64_t bytes = sizeof(stamp) + (number * 31 + id) % 100;
  const std::uint64_t size = leat::format::compact_size(bytes);
  for (;;) {
    std::byte* const room = to.take(size, leat::format::compact_prefix, 8);
    if (room == nullptr) fail("no room");
    std::memset(room, 0, leat::format::compact_prefix);
    write_payload({room + leat::format::compact_prefix, bytes}, id, number);
    if (!conditional) {
      if (to.publish(room, size, record_kind::compact, bytes).error() != leat::errc::ok) fail("it was not published");
      break;
    }
    const auto at = to.publish_at(storage::end_offset(p), room, size, record_kind::compact, bytes);
    if (at) break;
    if (at.error() != leat::errc::mismatched) fail("it was not published");
    conditional = false;  // may be refused as often as others append
  }
  to.ring();
}

/// Reads a partition through writable mappings, segment after segment, without the cursor.
class raw_reader {
 public:
  explicit raw_reader(storage::partition& p) : partition_(p) {}

  /// Gives each record that is there to `take(offset, bytes)`.
  template <class Take>
  void read(Take take) {
    for (;;) {
      if (!segment_ && !open(sequence_)) return;
      const auto slots = segment_->slots();
      for (; index_ < slots.size(); ++index_) {
        const leat::format::slot_word word = slots.observe(index_);
        if (word == leat::format::slot_free || word == leat::format::slot_sealed) break;
        const std::byte* const record = segment_->bytes() + leat::format::slot_position(word);
        take(base_ + index_, leat::bytes_view(record + leat::format::compact_prefix, leat::format::slot_extent(word)));
      }
      if (!slots.ends_at(index_) || partition_.begun().observe() <= sequence_ + 1) return;
      const std::uint64_t due = base_ + index_;
      if (!open(sequence_ + 1)) fail("the next segment is not there though it has begun");
      if (base_ != due) fail("the next segment does not begin where the one before ends");
    }
  }

 private:
  bool open(std::uint64_t sequence) {
    if (partition_.begun().observe() <= sequence) return false;
    storage::pinned_segment next;
    if (partition_.open(sequence, os::access::read_write, next) != storage::partition::opened::pinned) return false;
    segment_ = std::move(next);
    sequence_ = sequence;
    base_ = segment_->base_offset().observe();
    index_ = 0;
    return true;
  }

  storage::partition& partition_;
  storage::pinned_segment segment_;
  std::uint64_t sequence_ = 0;
  std::uint64_t base_ = 0;
  std::uint64_t index_ = 0;
};

/// Appenders and readers in one mapping. `keep` segments are kept, and the readers' progress holds the writers back.
void drive(std::uint64_t keep, std::uint64_t each, bool conditional) {
  const leat::store store = leat::store::in_process();
  const auto log = store.topic<leat::bytes_view>("log", tiny(keep)).log();
  storage::partition& partition = log->partition(0);
  state s;
  std::string failures;
  {
    std::deque<guarded_thread> threads;
    threads.emplace_back(s, [&] {
      raw_reader in(partition);
      std::uint64_t due = 0;
      std::uint64_t next[writers] = {};
      while (due < writers * each && !s.broken) {
        in.read([&](std::uint64_t offset, leat::bytes_view bytes) {
          if (offset != due++) fail("an offset is missing");
          const auto found = read_payload(bytes);
          if (!found || found->producer >= writers) fail("a torn record");
          if (found->number != next[found->producer]++) fail("a record is missing or out of order");
        });
        s.read = due;
      }
    });
    for (std::uint32_t id = 0; id < writers; ++id) {
      threads.emplace_back(s, [&, id] {
        storage::appender out(partition);
        for (std::uint64_t n = 0; n < each; ++n) {
          while (s.written >= s.read + 60 && !s.broken) std::this_thread::yield();
          if (s.broken) return;
          append(out, id, n, conditional && n % 4 == 0, partition);
          ++s.written;
        }
      });
    }
    for (guarded_thread& t : threads) failures += t.join();
  }
  CHECK(failures == "");
  CHECK(s.read == writers * each);
  CHECK(partition.begun().observe() > each / 100);
}

TEST_CASE("readers see whole records through the mapping of their writers") {
  watchdog dog;
  drive(0, rounds(15'000), false);
}

TEST_CASE("readers see whole records through the mapping of their writers while segments are recycled") {
  watchdog dog;
  drive(3, rounds(15'000), false);
}

TEST_CASE("conditional and unconditional appends mix in one mapping while segments are recycled") {
  watchdog dog;
  drive(3, rounds(8'000), true);
}

TEST_CASE("a single writer's records are whole for a reader of the same mapping") {
  watchdog dog;
  const leat::store store = leat::store::in_process();
  leat::topic_options options = tiny(3);
  options.single_writer = true;
  const auto log = store.topic<leat::bytes_view>("log", options).log();
  storage::partition& partition = log->partition(0);
  state s;
  const std::uint64_t count = rounds(15'000);
  std::string failures;
  {
    guarded_thread reader(s, [&] {
      raw_reader in(partition);
      std::uint64_t due = 0;
      while (due < count && !s.broken) {
        in.read([&](std::uint64_t offset, leat::bytes_view bytes) {
          const auto found = read_payload(bytes);
          if (!found || found->number != due || offset != due) fail("a torn or missing record");
          ++due;
        });
        s.read = due;
      }
    });
    guarded_thread writer(s, [&] {
      storage::appender out(partition);
      for (std::uint64_t n = 0; n < count && !s.broken; ++n) {
        while (n >= s.read + 60 && !s.broken) std::this_thread::yield();
        append(out, 0, n, false, partition);
      }
    });
    failures = writer.join() + reader.join();
  }
  CHECK(failures == "");
  CHECK(s.read == count);
}

TEST_CASE("any number of threads share a topic of this process with producers and blocking consumers of their own") {
  watchdog dog;
  const leat::store store = leat::store::in_process();
  const auto log = store.topic<leat::bytes_view>("log", tiny(3, 2));
  constexpr unsigned readers = 2;
  const std::uint64_t each = rounds(8'000);
  state s;
  std::atomic<std::uint64_t> read[readers] = {};
  std::string failures;
  {
    std::deque<guarded_thread> threads;
    for (unsigned r = 0; r < readers; ++r) {
      threads.emplace_back(s, [&, r] {
        consumer in(log, {.auto_offset_reset = leat::offset_reset::none});
        in.seek_to_beginning();
        stream_check seen[2];
        while (read[r] < writers * each && !s.broken) {
          for (const auto& record : in.poll(std::chrono::milliseconds(100))) {
            seen[record.partition()].add(record);
            ++read[r];
          }
        }
      });
    }
    for (std::uint32_t id = 0; id < writers; ++id) {
      threads.emplace_back(s, [&, id] {
        producer out(log);
        for (std::uint64_t n = 0; n < each && !s.broken; ++n) {
          while (s.written >= std::min(read[0].load(), read[1].load()) + 60 && !s.broken) std::this_thread::yield();
          const auto made = payload(id, n, sizeof(stamp) + (n * 31 + id) % 100);
          if (!out.send(view(made), {.partition = id})) fail("a send failed");
          ++s.written;
        }
      });
    }
    for (guarded_thread& t : threads) failures += t.join();
  }
  CHECK(failures == "");
  for (const auto& n : read) CHECK(n == writers * each);
}

TEST_CASE("a verification beside a producer and retention finds nothing") {
  watchdog dog;
  INFO("LEAT_SEED=" << seed());
  const leat::store store = leat::store::in_process();
  const auto log = store.topic<leat::bytes_view>("log", tiny(2));
  storage::partition& p = log.log()->partition(0);
  state s;
  std::vector<leat::finding> findings[3];
  {
    guarded_thread writer(s, [&] {
      producer out(log);
      for (std::uint64_t n = 0; n < rounds(30'000) && !s.broken; ++n) {
        const auto made = payload(0, n, 3000);
        if (!out.send(view(made))) fail("a send failed");
      }
      s.broken = true;  // it is over
    });
    std::deque<guarded_thread> verifiers;
    for (auto& mine : findings) {
      verifiers.emplace_back(s, [&] {
        while (!s.broken) storage::verify(p, mine);
      });
    }
    CHECK(writer.join() == "");
    for (guarded_thread& t : verifiers) CHECK(t.join() == "");
  }
  for (const auto& of_one : findings) {
    for (const leat::finding& f : of_one) FAIL_CHECK(f.path << ": " << f.what);
  }
}

TEST_CASE("threads that make and use and delete the same topics are told of nothing but that they are gone") {
  watchdog dog;
  const medium where = each_medium_of_threads();
  const store_of_threads temporary(where);
  INFO("LEAT_SEED=" << seed());
  INFO(temporary.store.path());
  state s;
  std::string failures;
  {
    std::deque<guarded_thread> threads;
    for (std::uint64_t t = 0; t < 3; ++t) {
      threads.emplace_back(s, [&, t] {
        dice random(20 + t);
        const leat::admin admin(temporary.store);
        for (unsigned lap = 0; lap < rounds(where == medium::in_process ? 3000 : 1000) && !s.broken; ++lap) {
          const std::string name = "topic-" + std::to_string(random.roll(2));
          const std::string group = "group-" + std::to_string(random.roll(2));
          const auto open = [&] { return temporary.store.topic<leat::bytes_view>(name, tiny(2)); };
          try {
            switch (random.roll(12)) {
              case 0: (void)temporary.store.remove_topic(name); break;
              case 1: (void)admin.describe_topic(name); break;
              case 2: (void)admin.topics(); break;
              case 3: (void)admin.offset_for_time({name, 0}, leat::timestamp()); break;
              case 4: (void)admin.delete_records({name, 0}, lap); break;
              case 5: (void)admin.apply_retention(name); break;
              case 6:
                for (const auto& segment : admin.segments({name, 0})) {
                  if (!segment.defect.empty()) fail(segment.path + ": " + segment.defect);
                }
                break;
              case 7: {
                const auto topic = open();
                std::vector<leat::finding> findings;
                storage::verify(topic.log()->partition(0), findings);
                for (const leat::finding& f : findings) fail(f.path + ": " + f.what);
                break;
              }
              case 8: {
                leat::consumer in{open(), {.auto_offset_reset = leat::offset_reset::earliest}};
                for (int i = 0; i < 3; ++i) {
                  for (const auto& record : in.poll()) {
                    if (record.value().size() != 3000) fail("a record of another size");
                  }
                }
                break;
              }
              case 9: {
                leat::consumer in{open(), {.group = group}};
                (void)in.poll();
                (void)in.commit();
                break;
              }
              default: {
                producer out(open());
                for (int i = 0; i < 8; ++i) {
                  const auto made = payload(0, lap, 3000);
                  (void)out.send(view(made));
                }
              }
            }
          } catch (const leat::error& e) {
            const bool is_gone = e.code() == leat::errc::not_found && e.reason() == "no such topic";
            if (!is_gone && e.code() != leat::errc::closed) throw;
          }
        }
      });
    }
    for (guarded_thread& t : threads) failures += t.join();
  }
  CHECK(failures == "");
}

}  // namespace stress_threads
