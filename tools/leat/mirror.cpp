// leat mirror: topics to Kafka and back; groups' offsets; what mirrors there are.
#include "command.hpp"
#include "exit_code.hpp"
#include "mirrors.hpp"
#include "output.hpp"
#include "parse.hpp"
#include "progress.hpp"
#include "signals.hpp"
#include "store_access.hpp"
#include "text.hpp"

#include <leat/kafka/mirror_options.hpp>

#ifdef LEAT_TOOL_KAFKA
#include <leat/kafka/mirror.hpp>
#endif

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace leat_tool::mirror_command {

namespace {

using leat::kafka::mirror_direction;
using leat::kafka::mirror_options;

struct options {
  mirror_options mirror;
  bool quiet = false;
};

/// `name=value`, into a map.
void add_pairs(CLI::App* c, const std::string& names, std::map<std::string, std::string>& into,
               const std::string& what) {
  c->add_option_function<std::vector<std::string>>(
       names,
       [&into, names](const std::vector<std::string>& given) {
         for (const std::string& text : given) {
           const std::size_t sign = text.find('=');
           if (sign == 0 || sign == text.npos) {
             throw failure(exit_usage, fmt::format("{} \"{}\": expected NAME=VALUE", names, text));
           }
           into[text.substr(0, sign)] = text.substr(sign + 1);
         }
       },
       what)
      ->type_name("NAME=VALUE");
}

mirror_direction parse_direction(const std::string& word) {
  if (word == "to-kafka") return mirror_direction::to_kafka;
  if (word == "from-kafka") return mirror_direction::from_kafka;
  throw std::invalid_argument("to-kafka or from-kafka");
}

leat::offset_reset parse_beginning(const std::string& word) {
  if (word == "earliest") return leat::offset_reset::earliest;
  if (word == "latest") return leat::offset_reset::latest;
  throw std::invalid_argument("earliest or latest");
}

std::int32_t parse_replication(const std::string& text) {
  const std::uint64_t copies = parse_count(text);
  if (copies == 0 || copies > 1000) throw std::invalid_argument("1 to 1000 copies");
  return static_cast<std::int32_t>(copies);
}

#ifdef LEAT_TOOL_KAFKA

void require_brokers(const mirror_options& o) {
  if (!o.servers.empty()) return;
  throw failure(exit_usage, "mirror: where is Kafka? Give --brokers, or LEAT_KAFKA_BROKERS in the environment");
}

int run(const settings& common, const options& given) {
  require_brokers(given.mirror);
  note_signals();
  mirror_options o = given.mirror;
  o.on_event = [&](const leat::kafka::mirror_event& e) {
    if (e.what != leat::kafka::mirror_event::kind::opened || !given.quiet) complain(e.text);
  };
  leat::kafka::mirror m{o.direction == mirror_direction::to_kafka ? open_store(common) : open_or_create_store(common),
                        o};
  progress display("mirrored", !given.quiet);
  m.run([&] {
    const leat::kafka::mirror_report r = m.report();
    display.show(r.records, r.bytes,
                 fmt::format(", lag {}{}", r.lag, r.errors == 0 ? "" : fmt::format(", errors {}", r.errors)));
    return signal_noted() != 0;
  });
  const leat::kafka::mirror_report r = m.report();
  display.finish(r.records, r.bytes);
  if (common.json) {
    out().document({{"records", r.records},
                    {"bytes", r.bytes},
                    {"skipped", r.skipped},
                    {"dead_letters", r.dead_letters},
                    {"errors", r.errors},
                    {"promise", std::string(text_of(r.promise))}});
  }
  return exit_code_now();
}

int translate(const settings& common, const options& given) {
  require_brokers(given.mirror);
  const mirror_options& o = given.mirror;
  const leat::kafka::mirror_cluster cluster(o.servers, o.properties);
  const leat::kafka::mirror_groups groups(open_store(common), cluster, o.name, o.groups);
  const auto report = o.direction == mirror_direction::to_kafka ? groups.to_kafka() : groups.to_leat();
  if (common.json) {
    out().document({{"offsets", report.offsets}, {"skipped", report.skipped}});
  } else {
    out().print("{} offsets\n", report.offsets);
  }
  for (const std::string& group : report.skipped) {
    complain(fmt::format("group {} was left as it is: it has members on the other side", group));
  }
  return report.skipped.empty() ? exit_ok : exit_error;
}

#else

int without_kafka() {
  throw failure("mirror: this tool was built without librdkafka (Debian: librdkafka-dev, pkgconf)");
}
int run(const settings&, const options&) { return without_kafka(); }
int translate(const settings&, const options&) { return without_kafka(); }

#endif

// --- list -------------------------------------------------------------------------------------------------------------

int list(const settings& common, const options&) {
  const auto mirrors = mirrors_in(take_sample(open_store(common), {}));
  if (common.json) {
    out().document(to_json(mirrors));
  } else {
    out().write(to_table(mirrors).text());
  }
  return exit_ok;
}

// --- the command line -------------------------------------------------------------------------------------------------

void add_cluster(CLI::App* c, mirror_options& o) {
  if (const char* brokers = std::getenv("LEAT_KAFKA_BROKERS"); brokers != nullptr) o.servers = brokers;
  c->add_option("-b,--brokers", o.servers,
                "Kafka's brokers, as HOST:PORT,HOST:PORT; default: the environment's LEAT_KAFKA_BROKERS")
      ->type_name("LIST");
  add_pairs(c, "-X,--property", o.properties, "A property of librdkafka, as security.protocol=ssl; may be given again");
}

void add_direction(command_line& line, CLI::App* mirror, mirror_direction direction) {
  const bool is_to = direction == mirror_direction::to_kafka;
  auto o = std::make_shared<options>();
  o->mirror.direction = direction;
  CLI::App* const c =
      mirror->add_subcommand(is_to ? "to-kafka" : "from-kafka",
                             is_to ? "Mirror topics of the store to Kafka" : "Mirror topics of Kafka to the store");
  add_argument(c, is_to ? "TOPIC" : "KAFKA-TOPIC", o->mirror.topics,
               "The topics; with --pattern, one regular expression")
      ->required();
  add_cluster(c, o->mirror);
  c->add_flag("--pattern", o->mirror.is_pattern,
              "All topics whose name matches a regular expression (POSIX extended), also those made later");
  c->add_option("--prefix", o->mirror.prefix, "Put before the names on the other side")->type_name("TEXT");
  c->add_option("--name", o->mirror.name, "Of the mirror: what it knows is kept under it in the store")
      ->type_name("NAME");
  add_parsed(c, "--from", o->mirror.from, parse_beginning,
             "Where partitions begin that it has not mirrored yet: earliest (default) or latest", "earliest|latest");
  add_switch(c, "-e,--no-follow", o->mirror.follow, false, "End when everything is mirrored that was there");
  add_switch(c, "--skip-expired", o->mirror.skip_expired, true,
             "Go on where records had gone before they were mirrored; default: that is an error");
  add_switch(c, "--shared", o->mirror.shared, true,
             "Go on, at least once, where others write to the other side; default: that is an error");
  c->add_option("--dead-letters", o->mirror.dead_letter_topic,
                "A topic of the store for records that are too large for the other side; default: they are an error")
      ->type_name("TOPIC");
  c->add_option("--groups", o->mirror.groups,
                "Translate the offsets of the groups whose names match a regular expression")
      ->type_name("EXPRESSION");
  if (is_to) {
    add_pairs(c, "--config", o->mirror.kafka_config, "A setting of topics that are made in Kafka; may be given again");
    add_parsed(c, "--replication", o->mirror.replication_factor, parse_replication,
               "Copies of topics that are made in Kafka; default: as the cluster has it", "NUMBER");
    add_parsed(c, "--max-message-bytes", o->mirror.max_message_bytes, parse_bytes,
               "The largest message that Kafka's topics take; default: Kafka is asked", "SIZE");
    add_parsed(c, "--settle", o->mirror.settle, parse_duration,
               "Behind a mirror that was killed: how long Kafka's end must stay where it is; default 2s", "DURATION");
  } else {
    add_parsed(c, "--retention-bytes", o->mirror.leat_options.retention.bytes, parse_bytes,
               "Of topics that are made: bytes kept in each partition, or unlimited", "SIZE");
    add_parsed(c, "--retention-time", o->mirror.leat_options.retention.time, parse_duration,
               "Likewise: how long records are kept, or unlimited", "DURATION");
    add_parsed(c, "--durability", o->mirror.leat_options.durability, parse_durability,
               "Likewise: when records are on the device: none (default), interval or every", "none|interval|every");
    c->add_option("--value-type", o->mirror.leat_types.value, "Likewise: type of the values; default string")
        ->type_name("TYPE");
    c->add_option("--key-type", o->mirror.leat_types.key, "Likewise: type of the keys; default string")
        ->type_name("TYPE");
  }
  c->add_flag("-q,--quiet", o->quiet, "No progress display on a terminal, and no word of where partitions begin");
  line.runs(c, o, run);
}

}  // namespace
}  // namespace leat_tool::mirror_command

namespace leat_tool {

void add_mirror(command_line& line) {
  using namespace mirror_command;
  CLI::App* const mirror = line.app.add_subcommand("mirror", "Mirror topics to Apache Kafka and back");
  mirror->require_subcommand(1);
  add_direction(line, mirror, mirror_direction::to_kafka);
  add_direction(line, mirror, mirror_direction::from_kafka);
  {
    auto o = std::make_shared<options>();
    CLI::App* const c = mirror->add_subcommand("groups", "Translate the offsets of groups, once");
    add_parsed(c, "DIRECTION", o->mirror.direction, parse_direction,
               "to-kafka: from the store to Kafka; from-kafka: the other way", "")
        ->required();
    add_argument(c, "EXPRESSION", o->mirror.groups, "The groups: a regular expression for their names")->required();
    c->add_option("--name", o->mirror.name, "Of the mirror whose topics they read")->type_name("NAME")->required();
    add_cluster(c, o->mirror);
    line.runs(c, o, translate);
  }
  line.runs(mirror->add_subcommand("list", "Print what is mirrored, how far, and what is promised"),
            std::make_shared<options>(), list);
}

}  // namespace leat_tool
