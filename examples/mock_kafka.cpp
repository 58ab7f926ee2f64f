// librdkafka's mock of a Kafka cluster, for trying something out without a broker:
//
//     mock_kafka PROGRAM [ARGUMENT...]     where an argument is %, the mock's address
//
// It makes topics, with four partitions, when somebody asks for them; nothing is kept, and much of what brokers can do is missing.
#include <leat/kafka/client.hpp>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <csignal>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>
#include <utility>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: " << argv[0] << " PROGRAM [ARGUMENT...]\n";
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
    const std::string servers = rd_kafka_mock_cluster_bootstraps(rd_kafka_handle_mock_cluster(keeper.get()));
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
