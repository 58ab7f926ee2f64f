// librdkafka's mock of a Kafka cluster, for trying something out without a broker:
//
//     mock_kafka [--topic NAME:PARTITIONS]... PROGRAM [ARGUMENT...]     where an argument is %, the mock's address
//
// Name the topics that the program needs: the mock cannot be asked to create one, so store::topic() waits for that in vain. (That
// of librdkafka 2.0 makes any topic, with four partitions, when it is looked for.) Nothing is kept, and much of what brokers can
// do is missing.
#include <leat/kafka/client.hpp>
#include <leat/kafka/error.hpp>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

struct topic {
  std::string name;
  int partitions;
};

/// Empty: it is not NAME:PARTITIONS.
std::optional<topic> topic_of(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == 0 || colon == std::string_view::npos) return std::nullopt;
  int partitions = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data() + colon + 1, end, partitions);
  if (failure != std::errc() || rest != end || partitions < 1) return std::nullopt;
  return topic{std::string(text.substr(0, colon)), partitions};
}

}  // namespace

int main(int argc, char** argv) {
  const char* const self = argv[0];
  std::vector<topic> topics;
  for (; argc > 2 && std::strcmp(argv[1], "--topic") == 0; argc -= 2, argv += 2) {
    auto named = topic_of(argv[2]);
    if (!named) {
      std::cerr << self << ": --topic " << argv[2] << ": expected NAME:PARTITIONS, for instance orders:4\n";
      return 2;
    }
    topics.push_back(*std::move(named));
  }
  if (argc < 2) {
    std::cerr << "usage: " << self << " [--topic NAME:PARTITIONS]... PROGRAM [ARGUMENT...]\n";
    return 2;
  }
  int address[2];
  if (::pipe(address) != 0) return 1;
  const pid_t program = ::fork();  // before librdkafka has threads
  if (program == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(address[1]);
    std::string servers(256, '\0');
    const ssize_t size = ::read(address[0], servers.data(), servers.size());
    if (size <= 0) return 1;
    servers.resize(static_cast<std::size_t>(size));
    for (int i = 2; i < argc; ++i) {
      if (std::strcmp(argv[i], "%") == 0) argv[i] = servers.data();
    }
    ::execvp(argv[1], argv + 1);
    std::cerr << argv[1] << ": " << std::strerror(errno) << '\n';
    ::_exit(127);
  }
  ::close(address[0]);
  try {
    leat::kafka::configuration conf;
    conf.set("test.mock.num.brokers", "1");
    const leat::kafka::client keeper(RD_KAFKA_PRODUCER, std::move(conf), "", nullptr);
    rd_kafka_mock_cluster_t* const cluster = rd_kafka_handle_mock_cluster(keeper.get());
    for (const topic& t : topics) {
      leat::kafka::require(rd_kafka_mock_topic_create(cluster, t.name.c_str(), t.partitions, 1), t.name,
                           "the mock does not create it");
    }
    const std::string servers = rd_kafka_mock_cluster_bootstraps(cluster);
    (void)!::write(address[1], servers.data(), servers.size());
    ::close(address[1]);
    int status = 0;
    ::waitpid(program, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
