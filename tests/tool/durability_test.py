"""Durable topics: making, describing, flushing and checking them, and what the tool tells when the machine has died."""

import os
import shutil
import signal
import subprocess
import unittest

from support import LONGEST, TOOL, ToolCase, until

BOOT_IN_STORE = 72  # docs/format.md
BOOT_IN_TOPIC = 1088


class Durability(ToolCase):
    def describe(self, topic):
        return self.json("topics", "describe", topic)

    def partition(self, topic):
        return self.describe(topic)["partitions"][0]

    def segment(self, topic, partition=0):
        return os.path.join(self.store, "topics", topic, "%04d-%016d" % (partition, 0))

    def flip(self, path, text):
        """Changes one bit of the only place in the file that has this text."""
        with open(path, "r+b") as f:
            content = f.read()
            self.assertEqual(content.count(text.encode()), 1)
            at = content.index(text.encode())
            f.seek(at)
            f.write(bytes([content[at] ^ 1]))

    def start_the_machine_anew(self, *topics):
        """As far as the files tell."""
        for path, at in [("store", BOOT_IN_STORE)] + [("topics/%s/topic" % t, BOOT_IN_TOPIC) for t in topics]:
            with open(os.path.join(self.store, path), "r+b") as f:
                f.seek(at)
                self.assertNotEqual(f.read(16), bytes(16))
                f.seek(at)
                f.write(b"another boot....")

    def test_topics_are_made_described_and_altered(self):
        self.leat("topics", "create", "none")
        self.leat("topics", "create", "often", "--durability", "interval", "--flush-interval", "250ms",
                  "--flush-bytes", "1MiB")
        self.leat("topics", "create", "each", "--durability", "every")
        names = ("durability", "flush_interval_seconds", "flush_bytes", "recovered")
        expected = {"none": ("none", 1.0, 16 << 20, None), "often": ("interval", 0.25, 1 << 20, None),
                    "each": ("every", 1.0, 16 << 20, None)}
        self.assertEqual({t["topic"]: tuple(t[n] for n in names) for t in self.json("topics", "describe")}, expected)
        self.assertNotIn("durable", self.partition("none"))
        self.assertEqual(self.partition("each")["durable"], 0)
        self.assertIn("durability       interval: flushed every 250ms, or 1 MiB of a producer\n",
                      self.leat("topics", "describe", "often"))
        self.assertIn("durability       every\n", self.leat("topics", "describe", "each"))
        text = self.leat("topics", "describe", "none")
        self.assertIn("durability       none\n", text)
        self.assertNotIn("DURABLE", text)

        self.leat("topics", "alter", "often", "--flush-interval", "unlimited")
        self.assertEqual([self.describe("often")[n] for n in names[1:3]], [None, 1 << 20])
        self.leat("topics", "alter", "often", "--flush-interval", "2s", "--flush-bytes", "unlimited")
        self.assertEqual([self.describe("often")[n] for n in names[1:3]], [2.0, None])

    def test_what_cannot_be_is_refused(self):
        self.assertIn("none, interval or every",
                      self.complaint("topics", "create", "web", "--durability", "always", code=2))
        self.assertIn("flush.bytes is 0", self.complaint("topics", "create", "web", "--flush-bytes", "0", code=2))
        self.assertIn("flush.interval is 0", self.complaint("topics", "create", "web", "--flush-interval", "0s", code=2))
        self.assertEqual(self.json("topics", "list"), [])
        self.leat("topics", "create", "web", "--durability", "every")
        self.assertIn("exists", self.complaint("topics", "create", "web", "--durability", "none"))
        self.complaint("topics", "alter", "web", "--durability", "none", code=2)  # for ever as it was made
        self.assertIn("flush.bytes is 0", self.complaint("topics", "alter", "web", "--flush-bytes", "0", code=2))
        self.assertEqual(self.describe("web")["durability"], "every")

    def test_a_store_in_shared_memory_refuses(self):
        store = "durability-test-%d" % os.getpid()
        self.leat("topics", "create", "plain", "--store", store)
        try:
            complaint = self.complaint("topics", "create", "web", "--durability", "every", "--store", store, code=2)
            self.assertIn("/dev/shm/leat.%s/topics/web: " % store, complaint)
            self.assertIn("expected a store in files", complaint)
            self.assertEqual(self.json("topics", "list", "--store", store), ["plain"])
        finally:
            self.leat("topics", "delete", "plain", "--store", store)
            for path, _, files in os.walk("/dev/shm/leat." + store, topdown=False):
                for name in files:
                    os.remove(os.path.join(path, name))
                os.rmdir(path)

    def test_flush_puts_on_the_device_what_is_there(self):
        self.leat("topics", "create", "late", "--durability", "interval", "--flush-interval", "unlimited",
                  "--flush-bytes", "unlimited")
        self.leat("topics", "create", "none")
        producer = self.start("produce", "late")
        producer.write("a\nb\nc\n")
        until(lambda: self.partition("late")["end"] == 3, "three records")
        self.assertEqual(self.partition("late")["durable"], 0)
        self.assertEqual(self.json("topics", "flush", "late"), [{"topic": "late", "partition": 0, "durable": 3}])
        self.assertEqual(self.partition("late")["durable"], 3)
        producer.write("d\n")
        until(lambda: self.partition("late")["end"] == 4, "a fourth record")
        self.assertEqual(self.leat("topics", "flush").split(), ["TOPIC", "PARTITION", "DURABLE", "late", "0", "4"])
        producer.write("e\n")
        self.assertEqual(producer.end(), 0)
        self.assertEqual(self.partition("late")["durable"], 5)  # success: it is there
        self.assertIn("its durability is none", self.complaint("topics", "flush", "none"))
        self.complaint("topics", "flush", "missing", code=3)

    def test_lines_for_a_topic_with_every_are_on_the_device_when_produce_waits(self):
        self.leat("topics", "create", "each", "--durability", "every")
        producer = self.start("produce", "each")
        for count in (1, 2):
            producer.write("a line\n")
            until(lambda: self.partition("each")["durable"] == count, "a durable record")
        producer.write("".join("%d\n" % i for i in range(500)))
        until(lambda: self.partition("each")["durable"] == 502, "more of them")
        self.assertLess(self.json("stat")["topics"][0]["partitions"][0]["flushes"], 100)  # not one for each
        self.assertEqual(producer.end(), 0)

    def failing_device(self):
        """An environment in which no page of a mapping can be written to the device."""
        compiler = shutil.which("cc") or shutil.which("c++")
        if not compiler:
            self.skipTest("there is no compiler")
        source = self.file("device.c", "#include <errno.h>\n#include <stddef.h>\n"
                           "int msync(void* at, size_t bytes, int flags) {\n"
                           "  (void)at, (void)bytes, (void)flags;\n  errno = EIO;\n  return -1;\n}\n")
        library = self.file("device.so")
        subprocess.run([compiler, "-shared", "-fPIC", "-x", "c", source, "-o", library], check=True, timeout=LONGEST)
        environment = dict(self.environment, LD_PRELOAD=library)
        if subprocess.run([TOOL, "--version"], env=environment, capture_output=True, timeout=LONGEST).returncode != 0:
            self.skipTest("nothing can be loaded before the tool")  # a sanitizer wants to come first
        return environment

    def test_a_device_that_fails_is_an_error_of_the_command(self):
        environment = self.failing_device()
        for durability in ("interval", "every"):
            self.leat("topics", "create", durability, "--durability", durability, "--flush-interval", "unlimited")
            for command in (["produce", durability], ["topics", "flush", durability]):
                done = self.leat_bytes(*command, input=b"a\nb\n", code=1, environment=environment)
                self.assertEqual(done.stderr.decode(), "leat: %s: could not write it to the device: %s\n"
                                 % (self.segment(durability), os.strerror(5)))
            p = self.partition(durability)
            self.assertEqual((p["durable"], p["end"] > 0), (0, True))  # records are there, but not on the device
            self.assertEqual(self.json("topics", "flush", durability)[0]["durable"], p["end"])

    def test_figures_are_told(self):
        self.leat("topics", "create", "each", "--durability", "every", "-p", "2")
        self.leat("topics", "create", "none")
        for topic in ("each", "none"):
            self.leat("produce", topic, "-p", "0", input="x\ny\n")
        each, none = self.json("stat")["topics"]
        self.assertEqual([p["durable"] for p in each["partitions"]], [2, 0])
        self.assertGreater(each["partitions"][0]["flushes"], 0)
        self.assertEqual((none["partitions"][0]["flushes"], "durable" in none["partitions"][0]), (0, False))
        self.assertIn("FLUSHES", self.leat("stat"))
        metrics = [line for line in self.leat("stat", "--prometheus").splitlines() if not line.startswith("#")]
        self.assertIn('leat_partition_durable_offset{topic="each",partition="0"} 2', metrics)
        self.assertIn('leat_partition_durable_offset{topic="each",partition="1"} 0', metrics)
        self.assertIn('leat_partition_flushes_total{topic="each",partition="1"} 0', metrics)
        self.assertFalse([m for m in metrics if 'topic="none"' in m and ("durable" in m or "flushes" in m)])

    def test_verify_finds_a_flipped_bit(self):
        self.leat("topics", "create", "web", "--durability", "every", "-p", "2")
        for p in ("0", "1"):
            self.leat("produce", "web", "-p", p, input="".join("value %s.%d.\n" % (p, i) for i in range(20)))
        self.assertEqual(self.leat("verify"), "1 topic is sound\n")
        self.flip(self.segment("web", 1), "value 1.7.")
        done = self.leat_bytes("verify", code=4)
        what = "offset 7: the record's checksum does not match"
        self.assertEqual(done.stdout.decode(), "web: %s: %s\n" % (self.segment("web", 1), what))
        found = self.json("verify", "web", code=4)
        self.assertEqual([(t["sound"], [(f["path"], f["what"]) for f in t["findings"]]) for t in found],
                         [(False, [(self.segment("web", 1), what)])])

    def test_recordings_keep_it(self):
        self.leat("topics", "create", "web", "--durability", "interval", "--flush-interval", "3s", "--flush-bytes",
                  "unlimited")
        self.leat("produce", "web", input="x\n")
        path = self.file("web.rec")
        self.leat("record", "web", path)
        self.leat("replay", path, "copy")
        kept = ("durability", "flush_interval_seconds", "flush_bytes")
        self.assertEqual([self.describe("copy")[k] for k in kept], ["interval", 3.0, None])
        self.assertEqual(self.partition("copy")["durable"], 1)

    def test_a_recovery_is_told_with_where_it_ended(self):
        self.leat("topics", "create", "web", "--durability", "interval", "--flush-interval", "unlimited",
                  "--flush-bytes", "unlimited")
        producer = self.start("produce", "web")
        producer.write("".join("value %d.\n" % i for i in range(10)))
        until(lambda: self.partition("web")["end"] == 10, "ten records")
        producer.end(signal.SIGKILL)
        self.assertEqual(self.partition("web")["durable"], 0)
        self.flip(self.segment("web"), "value 6.")  # as if its page had not reached the device
        self.start_the_machine_anew("web")
        d = self.describe("web")
        self.assertRegex(d["recovered"], r"\A20\d\d-\d\d-\d\dT")
        p = d["partitions"][0]
        self.assertEqual((p["end"], p["durable"], p["recovered_end"]), (6, 6, 6))
        self.assertEqual(self.leat("verify"), "1 topic is sound\n")
        self.leat("produce", "web", input="another\n")
        self.assertEqual(self.values("web"), ["value %d." % i for i in range(6)] + ["another"])
        p = self.partition("web")
        self.assertEqual((p["end"], p["recovered_end"]), (7, 6))
        text = self.leat("topics", "describe", "web")
        self.assertIn("recovered        " + d["recovered"], text)
        self.assertEqual(text.splitlines()[-2].split()[-3:], ["DURABLE", "RECOVERED", "END"])
        self.assertEqual(text.splitlines()[-1].split(), ["0", "0", "7", "7", "2", "7", "6"])


if __name__ == "__main__":
    unittest.main()
