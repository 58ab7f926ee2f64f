"""What the tests of `leat mirror` share: a store in a fresh directory, the tool, and what is on either side."""

import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import unittest

from broker import dies_with_its_parent
from scene import LONGEST, until

TOOL = os.environ.get("LEAT_TOOL", "leat")
FORMAT = "%p %o %T %K %V %k|%v|%h\\n"  # of leat; what kcat prints with KCAT_FORMAT
KCAT_FORMAT = "%p %o %T %K %S %k|%s|%h\\n"


def seed():
    """Printed, and taken from LEAT_SEED where that is set."""
    value = int(os.environ.get("LEAT_SEED") or random.randrange(2**32))
    print("LEAT_SEED=%d" % value, flush=True)
    return value


class MirrorCase(unittest.TestCase):
    """`address` is set by the test: of a broker of its own, or of the one that all share."""

    address = os.environ.get("LEAT_KAFKA_BROKERS", "")

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="leat-test-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.store = os.path.join(self.directory, "store")
        self.topic = "t%016x" % random.SystemRandom().getrandbits(64)  # the broker is shared by tests

    def environment(self, store=None):
        return dict(os.environ, LEAT_STORE=store or self.store, LEAT_KAFKA_BROKERS=self.address)

    def leat(self, *arguments, input="", code=0, store=None):
        try:
            done = subprocess.run([TOOL, *arguments], input=input.encode() if isinstance(input, str) else input,
                                  capture_output=True, timeout=LONGEST, env=self.environment(store))
        except subprocess.TimeoutExpired as e:
            listed = subprocess.run([TOOL, "mirror", "list"], capture_output=True, env=self.environment(store))
            raise AssertionError("%s did not end; it said %r\n%s" % (arguments, e.stderr, listed.stdout.decode()))
        self.assertEqual(done.returncode, code, (arguments, done.stdout[-2000:], done.stderr[-2000:]))
        return (done.stdout if code == 0 else done.stderr).decode(errors="replace")

    def start(self, *arguments, store=None):
        process = subprocess.Popen([TOOL, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, env=self.environment(store), preexec_fn=dies_with_its_parent)

        def stop():
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stderr.close()

        self.addCleanup(stop)
        return process

    def mirror(self, direction, *arguments, **more):
        """Until everything that is there is mirrored."""
        settle = ("--settle", "500ms") if direction == "to-kafka" else ()
        return self.leat("mirror", direction, *(arguments or (self.topic,)), "-e", *settle, **more)

    def mirrors(self, store=None):
        return json.loads(self.leat("mirror", "list", "--json", store=store))

    def in_store(self, topic=None, store=None):
        """Its records, by partition and offset."""
        text = self.leat("consume", topic or self.topic, "--from", "earliest", "-e", "--format", FORMAT, "--null", "", store=store)
        return sorted_records(text)

    def kcat(self, *arguments, input=b""):
        done = subprocess.run(["kcat", "-b", self.address, *arguments], input=input, capture_output=True, timeout=LONGEST)
        self.assertEqual(done.returncode, 0, (arguments, done.stderr))
        return done.stdout.decode(errors="replace")

    def in_kafka(self, topic=None):
        return sorted_records(self.kcat("-C", "-t", topic or self.topic, "-e", "-q", "-o", "beginning", "-f", KCAT_FORMAT))

    def assert_both_sides_same(self, topic=None):
        here, there = self.in_store(topic), self.in_kafka(topic)
        self.assertEqual(len(here), len(there))
        for ours, theirs in zip(here, there):
            self.assertEqual(ours, theirs)
        return here


def sorted_records(text):
    records = [line.split(" ", 5) for line in text.split("\n") if line]
    return sorted(((int(p), int(o), int(t), int(k), int(v), rest) for p, o, t, k, v, rest in records))


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


__all__ = ["FORMAT", "KCAT_FORMAT", "MirrorCase", "TOOL", "kill", "seed", "sorted_records", "until"]
