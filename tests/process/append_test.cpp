// Several processes append to one partition.
#include "support/history.hpp"

using namespace leat_tests;

namespace process_append {

constexpr std::uint32_t writers = 4;
constexpr std::uint64_t most = 50'000;  // records of one writer

struct told {
  counter ready;
  counter acknowledged[writers];
  counter offset[writers][most];  // of each acknowledged record
};

void start_together(told& page) {
  ++page.ready;
  wait_until("all writers are ready", [&] { return page.ready == writers; });
}

/// What all writers were told against what is in the log.
void check(const topic& log, const told& page) {
  history h;
  h.read_all(log);
  for (std::uint32_t id = 0; id < writers; ++id) {
    for (std::uint64_t n = 0; n < page.acknowledged[id]; ++n) h.acknowledged(id, n, {0, page.offset[id][n]});
  }
  CHECK(h.violations() == std::vector<std::string>());
  std::uint64_t all = 0;
  for (const auto& n : page.acknowledged) all += n;
  CHECK(h.size() == all);
  CHECK(log.end_offset(0) == all);
}

TEST_CASE("records of four processes in one partition are there once and in order across hundreds of rolls") {
  watchdog dog;
  shared_place place;
  const topic log = open_log(place.store(), tiny(0));
  shared<told> page;
  std::vector<child> children;
  for (std::uint32_t id = 0; id < writers; ++id) {
    children.emplace_back([&, id] {
      producer out(open_log(place.store()));
      start_together(*page);
      for (std::uint64_t n = 0; n < rounds(40'000); ++n) {
        page->offset[id][n] = send_numbered(out, id, n);
        page->acknowledged[id] = n + 1;
      }
    });
  }
  for (child& c : children) c.join();
  check(log, *page);
  CHECK(begun(log) >= rounds(1000));
  CHECK(files_of(log).temporary == 0);
}

/// Appends by all ways there are, with sizes up to the largest, and keeps account of what it was told.
class all_ways {
 public:
  all_ways(const topic& log, std::uint32_t id, told& page)
      : log_(log), out_(log), id_(id), page_(page), random_(id), largest_(log.describe().max_record_bytes) {}

  void step() {
    if (held_ && random_.one_in(20)) publish_held();
    switch (random_.roll(8)) {
      case 0:
      case 1: plain(); break;
      case 2: keyed(); break;
      case 3: with_headers(); break;
      case 4: batch(); break;
      case 5: claimed(); break;
      case 6: conditional(); break;
      case 7: hold(); break;
    }
  }
  void finish() {
    if (held_) publish_held();
  }
  std::uint64_t sent() const noexcept { return number_; }

 private:
  /// Mostly small, now and then up to the largest record there may be; 200 bytes for framing, key and headers.
  std::size_t size() {
    const std::size_t below = random_.one_in(16) ? largest_ - 200 - sizeof(stamp) : 150;
    return sizeof(stamp) + random_.roll(below);
  }
  void note(const leat::result<leat::record_position>& at) {
    page_.offset[id_][number_] = at.value().offset;
    page_.acknowledged[id_] = ++number_;
  }
  void plain() {
    const auto made = payload(id_, number_, size());
    note(out_.send(view(made)));
  }
  void keyed() {
    const auto made = payload(id_, number_, size());
    note(out_.send(key_of(id_, number_), view(made)));
  }
  void with_headers() {
    const auto made = payload(id_, number_, size());
    const std::string number = std::to_string(number_);
    note(out_.send(key_of(id_, number_), view(made), {.headers = {{"number", number}, {"none", leat::null}}}));
  }
  void batch() {
    std::vector<std::vector<std::byte>> made;
    const std::uint64_t count = 1 + random_.roll(20);
    for (std::uint64_t i = 0; i < count; ++i) made.push_back(payload(id_, number_ + i, size()));
    std::vector<leat::record_position> at(count);
    std::vector<leat::bytes_view> views(made.begin(), made.end());
    const auto outcome = out_.send_batch(views, {}, at);
    expect(outcome.count == count && outcome.error == leat::errc::ok, "a batch was not sent whole");
    for (const auto& each : at) note(each);
  }
  void claimed() {
    const std::size_t bytes = size();
    const std::size_t used = random_.one_in(2) ? bytes : sizeof(stamp) + random_.roll(bytes - sizeof(stamp) + 1);
    auto loan =
        random_.one_in(2) ? out_.claim(leat::null, bytes).value() : out_.claim(key_of(id_, number_), bytes).value();
    if (random_.one_in(4)) return;  // given up
    write_payload(loan.bytes().first(used), id_, number_);
    note(loan.publish(used));
  }
  void conditional() {
    const auto made = payload(id_, number_, size());
    const std::uint64_t end = log_.end_offset(0);
    const auto at = out_.send_if({0, end}, leat::null, view(made));
    if (at) {
      expect(at->offset == end, "a conditional append got another offset");
      note(at);
    } else {
      expect(at.error() == leat::errc::mismatched, "a conditional append failed otherwise");
    }
  }
  /// A loan that is filled and published much later, perhaps many segments on.
  void hold() {
    if (!held_) held_.emplace(out_.claim(leat::null, size()).value());
  }
  void publish_held() {
    write_payload(held_->bytes(), id_, number_);
    note(held_->publish());
    held_.reset();
  }

  const topic log_;
  producer out_;
  const std::uint32_t id_;
  told& page_;
  dice random_;
  const std::uint32_t largest_;
  std::uint64_t number_ = 0;
  std::optional<leat::loan<leat::bytes_view>> held_;
};

TEST_CASE("all ways to append with all sizes of records mix in one partition without loss or disorder") {
  watchdog dog;
  seed();
  shared_place place;
  const topic log = open_log(place.store(), tiny(0));
  shared<told> page;
  std::vector<child> children;
  for (std::uint32_t id = 0; id < writers; ++id) {
    children.emplace_back([&, id] {
      all_ways out(open_log(place.store()), id, *page);
      start_together(*page);
      while (out.sent() < rounds(12'000)) out.step();
      out.finish();
    });
  }
  for (child& c : children) c.join();
  check(log, *page);
  CHECK(begun(log) >= rounds(800));
}

}  // namespace process_append
