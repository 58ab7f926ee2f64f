"""Faults to be planted in the headers, each of which breaks a promise, and the test that must fail then.

`old` stands once in `header` and is replaced by `new`. `tests` is a test file, `only` which of its tests run (as Catch2 takes
it, '*' at its beginning or end for anything). plant.py does it; ctest looks whether every `old` is there still.
"""

from typing import NamedTuple


class Fault(NamedTuple):
    name: str
    promise: str
    header: str
    old: str
    new: str
    tests: str
    only: str = ""


NOBODY_WAITS = "nobody waits for the dead or the stalled"
WHOLE = "whole or absent"
DENSE = "dense offsets"
ORDER = "order"
ZERO_COPY = "zero copy"
BOUNDED = "bounded"
HOSTILE = "hostile files are an error"
DURABLE = "what is acknowledged as durable survives the machine"
GROUPS = "a partition has one owner, and what is committed stays"
NO_LOST_WAKE_UP = "no wake-up is lost"
DELETION = "a deleted group takes nothing from the next of its name"
NO_FALSE_ALARM = "what is in use, or was deleted, is not called damaged"

FAULTS = [
    Fault(
        "the slot before the record", NOBODY_WAITS, "sync/slot_array.hpp",
        "    std::atomic_ref<std::uint64_t>(words_[i]).compare_exchange_strong(seen, word, std::memory_order_seq_cst,\n"
        "                                                                      std::memory_order_acquire);\n",
        "    if (std::atomic_ref<std::uint64_t>(words_[i]).compare_exchange_strong(seen, word | 1ull << 63)) {\n"
        "      std::atomic_ref<std::uint64_t>(words_[i]).store(word);  // as logs do that reserve in place\n"
        "    }\n",
        "crash/step_test", "a producer killed behind any instruction of an append*",
    ),
    Fault(
        "one who makes a segment at a time", NOBODY_WAITS, "storage/preparation.hpp",
        "    advance(to_clear_);\n    bear();\n",
        "    pins& locks = partition_.topic().pins;\n"
        "    const std::uint64_t turn = writer_byte(partition_.id()) + 99;\n"
        "    while (locks.try_own(turn) != pins::refusal::none) std::this_thread::yield();\n"
        "    const pins::ownership mine(locks, turn);\n"
        "    advance(to_clear_);\n    bear();\n",
        "crash/step_test", "a producer killed or stopped at any system call of joining and rolling*",
    ),
    Fault(
        "a prepared segment is waited for", NOBODY_WAITS, "storage/preparation.hpp",
        "      if (refusal == pins::refusal::exclusive) continue;  // its recycler is at work, or was stopped; either may be\n",
        "      while (topic.pins.try_own(partition_.lock(r)) == pins::refusal::exclusive) std::this_thread::yield();\n",
        "crash/step_test", "a producer stopped behind random instructions of a roll*",
    ),
    Fault(
        "the record behind its slot", WHOLE, "producer.hpp",
        "    encode(value, value_bytes, format::record_kind::compact, at);\n"
        "    return record_at(at, publish(std::as_const(at), format::record_kind::compact, value_bytes));\n",
        "    const auto offset = publish(std::as_const(at), format::record_kind::compact, value_bytes);\n"
        "    encode(value, value_bytes, format::record_kind::compact, at);\n"
        "    return record_at(at, offset);\n",
        "crash/step_test", "a producer killed behind any instruction of an append*",
    ),
    Fault(
        "a chunk for two", WHOLE, "sync/words.hpp",
        "    return std::atomic_ref<std::uint64_t>(*word_).fetch_add(bytes, std::memory_order_relaxed);\n",
        "    const std::uint64_t begin = *word_;\n"
        "    for (volatile int wait = 0; wait < 1000;) wait = wait + 1;  // the window is too small to be met otherwise\n"
        "    *word_ = begin + bytes;\n    return begin;\n",
        "process/append_test", "records of four processes in one partition*",
    ),
    Fault(
        "a spare that was half cleared", WHOLE, "storage/preparation.hpp",
        "        slots.ends_at(end) && (end + 1 >= slots.size() || slots.observe(end + 1) == format::slot_free);\n",
        "        end <= slots.size();\n",
        "unit/storage_preparation", "a spare without its seal is cleared*",
    ),
    Fault(
        "a contended slot is passed over", DENSE, "storage/appender.hpp",
        "next_slot_ = tries % tries_before_search != 0 ? next_slot_ + 1 :", "next_slot_ = tries % 100 != 0 ? next_slot_ + 2 :",
        "process/append_test", "records of four processes in one partition*",
    ),
    Fault(
        "publishing without an exchange", DENSE, "storage/appender.hpp",
        "    if (slot < slots_end_) [[likely]] {\n      if (alone_) {\n",
        "    if (slot < slots_end_) [[likely]] {\n      if (slots_.observe(slot) == format::slot_free) {\n",
        "crash/step_test", "a producer stopped behind any instruction of an append*",
    ),
    Fault(
        "the seal over a record", DENSE, "sync/slot_array.hpp",
        "{ return try_publish(i, format::slot_sealed); }",
        "{\n    std::atomic_ref<std::uint64_t>(words_[i]).store(format::slot_sealed);\n    return format::slot_free;\n  }",
        "unit/sync_slot_array", "a seal keeps records out*",
    ),
    Fault(
        "records of a batch backwards", ORDER, "producer.hpp",
        "      const std::span filled = std::span(words_).first(std::exchange(count_, 0));\n",
        "      const std::span filled = std::span(words_).first(std::exchange(count_, 0));\n"
        "      std::reverse(filled.begin(), filled.end());\n",
        "process/append_test", "all ways to append with all sizes*",
    ),
    Fault(
        "a key anywhere", ORDER, "producer.hpp",
        "    return key ? partition_of_key(*key, partitions_) : sticky_.choose(size);\n",
        "    return sticky_.choose(size);\n",
        "semantics/order", "a key is always in one partition*",
    ),
    Fault(
        "a left segment is not kept for its readers", ZERO_COPY, "storage/cursor.hpp",
        "    if (lent_ && segment_) kept_.push_back(std::move(segment_));\n", "",
        "unit/storage_cursor", "what was fetched stays as it is*",
    ),
    Fault(
        "a pinned segment is used again", ZERO_COPY, "os/lock_file.hpp",
        "  refusal try_exclusive(std::uint64_t byte) { return try_lock(byte, F_WRLCK); }\n",
        "  refusal try_exclusive(std::uint64_t byte) {\n"
        "    const refusal found = try_lock(byte, F_WRLCK);\n"
        "    return found == refusal::shared ? refusal::none : found;\n"
        "  }\n",
        "process/follow_test", "a batch stays as it is bit for bit*",
    ),
    Fault(
        "a file without its blocks", BOUNDED, "os/file.hpp",
        "    do failure = ::posix_fallocate(descriptor_, 0, static_cast<off_t>(bytes));\n",
        "    do failure = ::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0 ? errno : 0;\n",
        "unit/full", "a file system of memory that is really full*",
    ),
    Fault(
        "retention that forgets the bytes", BOUNDED, "storage/retention.hpp",
        "begun - 1 - start >= p.topic().segments_to_keep();", "begun - 1 - start >= 2 * p.topic().segments_to_keep();",
        "unit/retention", "a log keeps what retention says*",
    ),
    Fault(
        "a slot is believed", HOSTILE, "storage/cursor.hpp",
        "      if (!format::is_sound(word, begin, end)) return count;\n",
        "      if (word == format::slot_free || word == format::slot_sealed || end < begin) return count;\n",
        "unit/storage_cursor", "a slot that describes no record*",
    ),
    Fault(
        "a segment is taken for what its name says", HOSTILE, "storage/partition.hpp",
        "    verify(*mapped, sequence);  // P4\n", "",
        "unit/damage", "every byte of a segment's identity counts*",
    ),
    Fault(
        "a size is taken for that of before", HOSTILE, "storage/partition.hpp",
        "      if (!is_whole(*status)) throw_not_whole(*status, topic_.directory->path(file_name));  // or a page is a SIGBUS\n",
        "",
        "unit/damage_told", "a segment that was cut off after it was mapped*",
    ),
    Fault(
        "acknowledged before the device has it", DURABLE, "storage/appender.hpp",
        "      return waits_for_device_ ? make_durable(partition_, unflushed_end_) : errc::ok;\n", "      return errc::ok;\n",
        "crash/power_test", "what a power failure leaves of a topic that is durable with every record*",
    ),
    Fault(
        "a name that the device does not have", DURABLE, "storage/durability.hpp",
        "    if (has_new_names) directory.sync();\n", "    (void)has_new_names;\n",
        "crash/power_test", "what a power failure leaves of a topic that is durable with every record*",
    ),
    Fault(
        "a torn record after a power failure", DURABLE, "storage/durability.hpp",
        "  return sync::read_once(stored.checksum) ==\n"
        "         format::record_checksum(p.place(s.header().identity.sequence, position), record);\n",
        "  return position != 0 || stored.checksum == p.id();\n",
        "crash/power_test", "what a power failure leaves of a topic that is durable with every record*",
    ),
    Fault(
        "a commit of a tenure that has ended", GROUPS, "storage/group_offsets.hpp",
        "    if (seen.epoch != epoch) return errc::fenced;\n", "",
        "crash/group_stop_test", "a member stopped at any instruction of a commit is fenced*",
    ),
    Fault(
        "a partition is taken from its owner", GROUPS, "group/participant.hpp",
        "    if (seen.member != 0 && seen.member != member_->number() && group_->is_member(seen.member)) return false;\n", "",
        "semantics/ownership", "partitions have one owner each*",
    ),
    Fault(
        "the former owner's commit is not looked at", GROUPS, "storage/group_offsets.hpp",
        "      const format::commit_value next{epoch, seen.has_metadata, seen.offset};\n      if (seen.has_metadata) {\n",
        "      const format::commit_value next{epoch, false, seen.offset};\n      if (false) {\n",
        "semantics/commit", "the metadata of a commit comes back*",
    ),
    Fault(
        "who sleeps does not look again", NO_LOST_WAKE_UP, "storage/reader.hpp",
        "    if (has_something(attending)) return;\n    store_->bell().wait(", "    store_->bell().wait(",
        "process/waiting_test", "a record that comes between any two instructions*",
    ),
    Fault(
        "who sleeps notes the bell too late", NO_LOST_WAKE_UP, "storage/reader.hpp",
        "    if (has_something(attending)) return;\n    store_->bell().wait(noted,",
        "    if (has_something(attending)) return;\n    (void)noted;\n    store_->bell().wait(store_->bell().note(),",
        "process/waiting_test", "a record that comes between any two instructions*",
    ),
    Fault(
        "a sleeper is not rung for", NO_LOST_WAKE_UP, "storage/appender.hpp",
        "sync::doorbell::is_armed(seen)) [[unlikely]]", "sync::doorbell::is_armed(seen + 1) && false) [[unlikely]]",
        "process/waiting_test", "no wake-up is lost in thousands of turns between two blocking processes",
    ),
    Fault(
        "offsets are removed without a look", DELETION, "storage/group_offsets.hpp",
        "    const auto file = try_own_name();\n    if (!file) return false;\n    removal().raise();\n",
        "    if (true) return directory_->remove(file_name(group_));\n    const auto file = try_own_name();\n",
        "crash/group_deletion_test", "*whenever a deleter of the group is stopped",
    ),
    Fault(
        "a word is taken back without the right to it", DELETION, "storage/group_offsets.hpp",
        "    const auto file = try_own_name();  // until the word is lowered\n    if (!file) return false;\n",
        "    if (!try_own_name()) return false;\n",
        "crash/group_deletion_test", "a commit that takes back a dead remover*",
    ),
    Fault(
        "a former group's words are cleared whoever has the name", DELETION, "storage/group_offsets.hpp",
        "      if (!is_due()) return;\n", "      (void)is_due();\n",
        "unit/storage_group_offsets", "who was stopped in clearing*",
    ),
    Fault(
        "a directory is taken away with what is in it", DELETION, "group/group_files.hpp",
        "      store->groups().remove_directory(name);\n",
        "      storage::delete_directory(store->groups(), name, [](os::directory&) {});\n",
        "crash/group_deletion_test", "*whenever a deleter of the former is stopped",
    ),
    Fault(
        "a mark without a look at who has joined", DELETION, "group/group_files.hpp",
        "if (generation().set_from(seen, seen | format::generation_mark)) break;",
        "if (generation().set_from(generation().observe(), seen | format::generation_mark)) break;",
        "unit/group_files", "a deletion looks for members again*",
    ),
    Fault(
        "a segment that went meanwhile is a gap", NO_FALSE_ALARM, "storage/verification.hpp",
        "    if (next < before) expected_base.reset();\n", "",
        "stress/admin_test", "whatever is asked of topics and groups that are in use*",
    ),
    Fault(
        "an end that is looked for before its successor", NO_FALSE_ALARM, "storage/verification.hpp",
        "    if (!ended && is_followed) {",
        "    for (volatile int i = 0; !ended && i < 10000; i = i + 1) {\n    }\n"
        "    if (!ended && sequence + 1 < p.begun().observe()) {",
        "stress/threads_test", "a verification beside a producer and retention finds nothing",
    ),
    Fault(
        "files of a deleted topic are taken for its own", NO_FALSE_ALARM, "storage/partition.hpp",
        "    if (closed.is_set()) throw error(errc::closed, directory->path(\"\"), \"the topic was deleted\");\n", "",
        "unit/deleted_topic", "whoever uses a deleted topic*",
    ),
]
