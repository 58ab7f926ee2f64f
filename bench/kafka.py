#!/usr/bin/env python3
"""What a record costs on shared memory and on Kafka; and how fast the mirror is beside librdkafka's own performance tool.
All against one broker, in turns.

    cmake --preset release && cmake --build build/release --target bench_kafka_mirror bench_kafka_costs
    ./run kafka python3 -B bench/kafka.py [--records N] [--bytes N] [--rounds N]

The tool is the program rdkafka_performance, which Debian's librdkafka-dev has as an example in C. Both send with an
idempotent producer, and both read one partition from its beginning. Prints medians and ranges as tables.
"""

import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLE = "/usr/share/doc/librdkafka-dev/examples/rdkafka_performance.c"
SERVERS = os.environ.get("LEAT_KAFKA_BROKERS", "")


def build_performance():
    """None where the source is not installed."""
    source = pathlib.Path(EXAMPLE)
    if not source.exists():
        return None
    program = ROOT / "build" / "release" / "rdkafka_performance"
    if not program.exists():
        names = ROOT / "bench" / "rdkafka_performance" / "src"  # what it takes from librdkafka's own sources
        subprocess.run(["cc", "-O2", "-w", "-I", names, "-I/usr/include/librdkafka", "-o", program, source, "-lrdkafka",
                        "-lm", "-lpthread"], check=True)
    return program


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        sys.exit("%s failed:\n%s%s" % (command, done.stdout[-2000:], done.stderr[-2000:]))
    return done.stdout + done.stderr


def create(topic):
    run("java", "-cp", os.environ["LEAT_KAFKA_JARS"] + "/*", "org.apache.kafka.tools.TopicCommand", "--bootstrap-server",
        SERVERS, "--create", "--topic", topic, "--partitions", "1")


def rate_of_performance(text):
    """Of its last report: `1000000 messages ... in 1234ms: 810372 msgs/s and 81.04 MB/s`."""
    found = re.findall(r"in (\d+)ms: (\d+) msgs/s", text)
    if not found:
        sys.exit("rdkafka_performance has printed no rate:\n" + text[-2000:])
    return float(found[-1][1])


COSTS = (("send() until the record is in the log, p50", "send_p50", "us"), ("the same, p99", "send_p99", "us"),
         ("send() one after the other", "send_rate", "k/s"),
         ("from when a record is due until another process has it, 1000 a second, p50", "latency_p50", "us"),
         ("the same, p99", "latency_p99", "us"), ("the same, p99.9", "latency_p999", "us"),
         ("async_producer, as fast as it goes", "produce_rate", "k/s"),
         ("reading that back", "consume_rate", "k/s"))


def costs_of(engine, name):
    text = run(ROOT / "build" / "release" / "bench" / "bench_kafka_costs", engine, SERVERS, name)
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines()}


def print_costs(rounds):
    found = {"memory": [], "kafka": []}
    for round_ in range(rounds):
        for engine in sorted(found, reverse=round_ % 2 == 0):
            found[engine].append(costs_of(engine, "bench-%d-%d" % (os.getpid(), round_)))
    print("| a record of 104 bytes; medians of %d rounds | shared memory | Kafka |\n|---|---|---|" % rounds)
    for text, name, unit in COSTS:
        medians = [statistics.median(c[name] for c in found[engine]) / 1e3 for engine in ("memory", "kafka")]
        print("| %s | %s | %s |" % (text, *("%s %s" % (format(m, ".2f" if m < 10 else ",.0f"), unit) for m in medians)))
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1000000)
    parser.add_argument("--bytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    o = parser.parse_args()
    if not SERVERS:
        sys.exit("kafka.py: LEAT_KAFKA_BROKERS is not set; ./run kafka sets it")
    performance = build_performance()
    if performance is None:
        print("NOT COMPARED: %s is missing (Debian: librdkafka-dev)" % EXAMPLE)
    for name in ("bench_kafka_mirror", "bench_kafka_costs"):
        if not (ROOT / "build" / "release" / "bench" / name).exists():
            sys.exit("kafka.py: build %s first: see --help" % name)
    print_costs(o.rounds)
    mirror = ROOT / "build" / "release" / "bench" / "bench_kafka_mirror"
    rates = {name: [] for name in ("mirror to-kafka", "rdkafka_performance -P", "mirror from-kafka",
                                   "rdkafka_performance -C")}
    for round_ in range(o.rounds):
        source = "bench-%d" % round_
        create(source)
        create(source + "-p")
        for what in ("mirror", "performance") if round_ % 2 == 0 else ("performance", "mirror"):
            if what == "mirror":
                seconds = float(run(mirror, "to-kafka", SERVERS, source, o.records, o.bytes))
                rates["mirror to-kafka"].append(o.records / seconds)
            elif performance:
                rates["rdkafka_performance -P"].append(rate_of_performance(run(
                    performance, "-P", "-b", SERVERS, "-t", source + "-p", "-p", "0", "-c", o.records, "-s", o.bytes,
                    "-q", "-X", "enable.idempotence=true", "-X", "acks=all", "-X", "linger.ms=5")))
        for what in ("mirror", "performance") if round_ % 2 == 0 else ("performance", "mirror"):
            if what == "mirror":
                seconds = float(run(mirror, "from-kafka", SERVERS, source, o.records, o.bytes))
                rates["mirror from-kafka"].append(o.records / seconds)
            elif performance:
                rates["rdkafka_performance -C"].append(rate_of_performance(run(
                    performance, "-C", "-b", SERVERS, "-t", source, "-p", "0", "-c", o.records, "-o", "beginning", "-q")))
    print("| %d records of %d bytes, %d rounds | thousand records/s: median (range) |\n|---|---|" % (o.records, o.bytes, o.rounds))
    for name, found in rates.items():
        if found:
            print("| %s | %.0f (%.0f to %.0f) |" % (name, statistics.median(found) / 1e3, min(found) / 1e3, max(found) / 1e3))


if __name__ == "__main__":
    main()
