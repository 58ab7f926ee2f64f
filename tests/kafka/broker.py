"""A real Apache Kafka for tests: one node in KRaft mode on the loopback device, its data in a fresh directory.

    with Broker(jars) as broker:
        broker.address                          # 127.0.0.1:PORT
        broker.pause(); broker.go_on()          # SIGSTOP, SIGCONT
        broker.kill(); broker.start()           # the same data at the same address

The jars are those of pom.xml. The broker dies with the thread that started it.
"""

import ctypes
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

LONGEST = 180  # seconds that a start may take on a busy machine

SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={directory}/data

# Topics are made by those who need them: a name with a slip is an error.
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4

# Nobody waits for what big clusters wait for.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=100
log.initial.task.delay.ms=100
log.retention.check.interval.ms=500
log.segment.delete.delay.ms=500
log.cleaner.backoff.ms=200
log.cleaner.dedupe.buffer.size=4194304
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
num.network.threads=2
num.io.threads=4
"""

LOGGING = """\
log4j.rootLogger=WARN, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n
log4j.logger.kafka.server.KafkaRaftServer=INFO
"""

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def dies_with_its_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_ports(count):
    """Below those that the kernel gives to connections, so that a broker finds its port free when it comes back."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        first_of_connections = int(f.read().split()[0])
    highest = first_of_connections if first_of_connections > 20000 else 65536
    ports = []
    for _ in range(1000):
        port = random.randrange(10000, highest)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError("found no free ports on 127.0.0.1")


def brokers_known_to(address):
    """Asks in Kafka's own protocol (Metadata, version 1, of no topic) how many brokers are in service; 0 where nobody
    answers."""
    host, _, port = address.rpartition(":")
    client = b"leat-tests"
    body = struct.pack(">hhih", 3, 1, 7, len(client)) + client + struct.pack(">i", 0)
    try:
        with socket.create_connection((host, int(port)), timeout=5) as s:
            s.sendall(struct.pack(">i", len(body)) + body)
            answer = b""
            while len(answer) < 12:
                piece = s.recv(4096)
                if not piece:
                    return 0
                answer += piece
            _, correlation, brokers = struct.unpack(">iii", answer[:12])
            return brokers if correlation == 7 else 0
    except OSError:
        return 0


class Broker:
    def __init__(self, jars, advertised=None):
        """`advertised`: the port that it tells its clients, where that is another one: a proxy's."""
        self.advertised = advertised
        self.classes = os.path.join(jars, "*")
        self.directory = tempfile.mkdtemp(prefix="leat-kafka-")
        self.process = None
        self.ports = None

    def __enter__(self):
        try:
            self.first_start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    @property
    def port(self):
        return self.ports[0]

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def first_start(self):
        for attempt in range(5):
            self.ports = free_ports(2)
            self.write("server.properties", SETTINGS.format(directory=self.directory, port=self.ports[0],
                                                            advertised=self.advertised or self.ports[0],
                                                            controller_port=self.ports[1]))
            self.write("log4j.properties", LOGGING)
            shutil.rmtree(os.path.join(self.directory, "data"), ignore_errors=True)
            formatted = subprocess.run(self.java("kafka.tools.StorageTool", "format", "-t", "bGVhdC1mb3ItdGVzdHMtMQ",
                                                 "-c", self.path("server.properties"), heap="128m"),
                                       capture_output=True, text=True, timeout=LONGEST, preexec_fn=dies_with_its_parent)
            if formatted.returncode != 0:
                raise RuntimeError("Kafka's storage could not be formatted:\n" + formatted.stdout + formatted.stderr)
            try:
                self.start()
                return
            except RuntimeError:
                if attempt == 4 or "BindException" not in self.log():  # else somebody took the port in between
                    raise

    def start(self):
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(self.java("kafka.Kafka", self.path("server.properties"), heap="512m"),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                                            preexec_fn=dies_with_its_parent, start_new_session=True)
        deadline = time.monotonic() + LONGEST
        while not brokers_known_to(self.address):
            if self.process.poll() is not None:
                raise RuntimeError("Kafka ended while it started:\n" + self.log())
            if time.monotonic() > deadline:
                raise RuntimeError("Kafka was not ready within %d s:\n%s" % (LONGEST, self.log()))
            time.sleep(0.05)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """At once; what it had acknowledged stays, being in the page cache."""
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def remove(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def java(self, name, *arguments, heap="256m"):
        """The command that runs a class of the jars."""
        return ["java", "-Xmx" + heap, "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Djava.io.tmpdir=" + self.directory,
                "-Dlog4j.configuration=file:" + self.path("log4j.properties"), "-cp", self.classes, name, *arguments]

    def tool(self, name, *arguments, input=None, timeout=LONGEST):
        """Runs one of Kafka's own tools; what it printed."""
        done = subprocess.run(self.java(name, *arguments), input=input, capture_output=True, timeout=timeout,
                              preexec_fn=dies_with_its_parent)
        if done.returncode != 0:
            raise RuntimeError("%s %s failed:\n%s%s" % (name, arguments, done.stdout.decode(), done.stderr.decode()))
        return done.stdout

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        with open(self.path(name), "w") as f:
            f.write(content)

    def log(self):
        """The end of what it printed."""
        with open(self.path("log"), "rb") as f:
            return f.read()[-20000:].decode(errors="replace")
