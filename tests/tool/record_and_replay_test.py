"""leat record and leat replay: a topic to a file and back, exactly."""

import json
import os
import random
import signal
import time
import unittest

from support import ToolCase, until


class RecordAndReplay(ToolCase):
    def fill(self, topic="web", records=200, seed=1):
        rng = random.Random(seed)

        def field():
            kind = rng.randrange(4)
            if kind == 0:
                return None
            if kind == 1:
                return ""
            return {"hex": rng.randbytes(rng.randrange(1, 400)).hex()}

        self.leat("topics", "create", topic, "-p", "3", "--segment-bytes", "64K", "--retention-time", "9000d")
        lines = []
        for i in range(records):
            headers = [{"name": rng.choice(["a", "b", ""]), "value": field()} for _ in range(rng.randrange(3))]
            time = "2026-01-31T12:00:%02d.%09dZ" % (i * 50 // records, i)
            lines.append(json.dumps({"key": field(), "value": field(), "headers": headers,
                                     "partition": rng.randrange(3), "timestamp": time}))
        self.leat("produce", topic, "--from-json", input="\n".join(lines) + "\n")

    def records(self, topic, *arguments):
        found = self.json_lines("dump", topic, "--records", *arguments)
        return [{k: v for k, v in r.items() if k != "topic"} for r in found]

    def recording(self):
        path = self.file("web.rec")
        self.leat("record", "web", path, "--force")
        return path

    def test_everything_comes_back(self):
        self.fill()
        path = self.recording()
        self.leat("replay", path, "--speed", "max", "--store", self.file("other"))
        self.assertEqual(len(self.records("web")), 200)
        self.assertEqual(self.records("web"), self.records("web", "--store", self.file("other")))
        kept = ("value_type", "key_type", "segment_bytes", "retention_seconds", "max_record_bytes")
        a = self.json("topics", "describe", "web")
        b = self.json("topics", "describe", "web", "--store", self.file("other"))
        self.assertEqual({k: a[k] for k in kept}, {k: b[k] for k in kept})

    def test_the_topic_has_its_types_again(self):
        self.leat("topics", "create", "trades", "--value-type", "trade, 16 bytes", "--alignment", "16")
        self.leat("produce", "trades", "--value-format", "hex", input="00" * 16 + "\n")
        path = self.file("trades.rec")
        self.leat("record", "trades", path)
        self.leat("replay", path, "copy")
        self.assertEqual(self.json("topics", "describe", "copy")["value_type"], "trade, 16 bytes")
        self.assertEqual(self.records("trades"), self.records("copy"))
        self.leat("produce", "text", input="x\n")
        self.assertIn("values are string", self.complaint("replay", path, "text"))

    def test_it_goes_through_a_pipe(self):
        self.fill(records=50)
        done = self.leat_bytes("record", "web", "-")
        self.leat_bytes("replay", "-", "copy", "--speed", "max", input=done.stdout)
        self.assertEqual(self.records("web"), self.records("copy"))

    def test_records_of_several_partitions_are_recorded_in_the_order_of_their_times(self):
        self.leat("topics", "create", "web", "-p", "2")
        for i in (0, 2, 4):
            self.leat("produce", "web", "-p", "0", "--timestamp", "@%d" % i, input="%d\n" % i)
        for i in (1, 3, 5):
            self.leat("produce", "web", "-p", "1", "--timestamp", "@%d" % i, input="%d\n" % i)
        path = self.file("web.rec")
        self.leat("record", "web", path, "-n", "4")
        self.leat("replay", path, "copy", "--speed", "max")
        self.assertEqual(sorted(self.values("copy")), ["0", "1", "2", "3"])

    def test_the_speed_is_kept(self):
        self.leat("produce", "web", "--timestamp", "@1000", input="first\n")
        self.leat("produce", "web", "--timestamp", "@5000", input="second\n")
        path = self.recording()
        self.leat("replay", path, "fast", "--speed", "100000")  # 40 ms
        self.assertEqual(self.values("fast"), ["first", "second"])
        # At the original speed the second is due in an hour.
        replay = self.start("replay", path, "slow")
        consumer = self.start("consume", "slow", "--from", "earliest")
        self.assertEqual(consumer.read_line(), "first")
        self.assertEqual(replay.end(signal.SIGINT), 130)
        self.assertEqual(self.values("slow"), ["first"])

    def test_the_present_time_is_given_where_wanted(self):
        self.leat("produce", "web", "--timestamp", "@1000", input="x\n")
        path = self.recording()
        before = time.time()
        self.leat("replay", path, "copy", "--now")
        out = self.leat("consume", "copy", "--from", "0", "-e", "--format", "%T")
        self.assertGreaterEqual(int(out), int(before * 1000))
        self.leat("topics", "create", "append", "--timestamps", "append")
        self.assertIn("--now", self.complaint("replay", path, "append"))

    def test_recording_follows_until_a_signal(self):
        self.leat("produce", "web", input="a\n")
        path = self.file("web.rec")
        recorder = self.start("record", "web", path, "--follow")
        self.leat("produce", "web", input="b\n")

        def has_both():
            with open(path, "rb") as f:
                return f.read().endswith(b"b")

        until(lambda: os.path.exists(path) and has_both(), "both records in the file")
        self.assertEqual(recorder.end(signal.SIGTERM), 143)
        self.leat("replay", path, "copy", "--speed", "max")
        self.assertEqual(self.values("copy"), ["a", "b"])

    def test_a_truncated_recording_is_refused_wherever_it_was_cut(self):
        self.fill(records=12)
        with open(self.recording(), "rb") as f:
            content = f.read()
        cuts = {*range(1, 24), *range(len(content) - 26, len(content)), *range(24, len(content), len(content) // 20)}
        for size in sorted(cuts):
            path = self.file("cut.rec", content[:size])
            line = self.complaint("replay", path, "copy", code=4 if size >= 1 else 1)
            self.assertIn("truncated", line, size)
            self.assertIn("cut.rec", line)
        self.assertEqual(self.json("topics", "list"), ["web"])  # nothing was sent

    def test_a_flipped_bit_is_found_wherever_it_is(self):
        self.fill(records=12)
        with open(self.recording(), "rb") as f:
            content = f.read()
        rng = random.Random(7)
        for at in sorted(rng.sample(range(12, len(content)), 40)):
            damaged = bytearray(content)
            damaged[at] ^= 1 << rng.randrange(8)
            done = self.leat_bytes("replay", self.file("bad.rec", bytes(damaged)), "copy", code=4)
            self.assertRegex(done.stderr.decode(), "damaged|truncated", at)
        self.assertEqual(self.json("topics", "list"), ["web"])

    def test_foreign_files_are_refused(self):
        for content in (b"", b"hello, world\n", b"leatre", b"\0" * 100):
            path = self.file("foreign", content)
            line = self.complaint("replay", path, code=4 if content == b"leatre" else 1)
            self.assertIn("foreign", line)
        self.assertIn("version 9", self.complaint("replay", self.file("new", b"leatrec\n\x09\0\0\0" + b"\0" * 50)))

    def test_the_sound_part_of_a_recording_is_replayed_where_wanted(self):
        self.leat("produce", "web", input="a\nb\n")
        with open(self.recording(), "rb") as f:
            content = f.read()
        path = self.file("cut.rec", content[:-3])
        done = self.leat_bytes("replay", path, "copy", "--partial", "--speed", "max", code=4)
        self.assertIn(b"truncated", done.stderr)
        self.assertEqual(self.values("copy"), ["a", "b"])

    def test_a_file_is_replaced_only_by_force(self):
        self.leat("produce", "web", input="a\n")
        path = self.file("web.rec", "precious")
        self.assertIn("--force", self.complaint("record", "web", path))
        with open(path) as f:
            self.assertEqual(f.read(), "precious")
        self.assertEqual(self.json("record", "web", path, "--force")["records"], 1)

    def test_the_recording_is_as_documented(self):
        """The file, read by the description in docs/tool.md."""
        self.leat("produce", "web", "-k", "=", "-H", "h=1", "--timestamp", "@1000", input="key=value\n")
        with open(self.recording(), "rb") as f:
            content = f.read()
        self.assertEqual(content[:8], b"leatrec\n")
        u32 = lambda at: int.from_bytes(content[at:at + 4], "little")
        self.assertEqual(u32(8), 1)
        size = u32(12)
        description = json.loads(content[16:16 + size])
        self.assertEqual((description["topic"], description["partitions"]), ("web", 1))
        self.assertEqual(u32(16 + size), crc32c(content[:16 + size]))
        at = 20 + size
        self.assertEqual((u32(at), u32(at + 12)), (1, crc32c(content[at:at + 12])))
        payload = content[at + 16:at + 16 + u32(at + 4)]
        self.assertEqual(u32(at + 8), crc32c(payload))
        number = lambda value, size: value.to_bytes(size, "little")
        self.assertEqual(payload, number(0, 4) + number(0, 8) + number(1000 * 10**9, 8) + number(3, 4) + number(5, 4) +
                         number(1, 4) + number(1, 4) + number(1, 4) + b"h1" + b"key" + b"value")
        at += 16 + len(payload)
        self.assertEqual((u32(at), u32(at + 4)), (2, 8))
        self.assertEqual(content[at + 16:], number(1, 8))


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


if __name__ == "__main__":
    unittest.main()
