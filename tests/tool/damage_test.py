"""leat verify and leat dump, on sound files and damaged ones."""

import os
import unittest

from support import ToolCase


class Damage(ToolCase):
    def fill(self):
        self.leat("topics", "create", "web", "--segment-bytes", "16K", "--retention-bytes", "unlimited")
        self.leat("produce", "web", "-p", "0", input="".join("value %d %s\n" % (i, "x" * 200) for i in range(300)))
        segments = self.json_lines("dump", "web", "--segments")
        self.assertGreater(len(segments), 3)
        return segments

    def overwrite(self, path, at, content):
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(content)

    def test_a_sound_store_is_sound(self):
        self.fill()
        self.assertEqual(self.leat("verify"), "1 topic is sound\n")
        self.assertEqual(self.json("verify", "web"), [{"topic": "web", "sound": True, "findings": []}])

    def test_dump_shows_segments_and_records(self):
        segments = self.fill()
        self.assertEqual([s["sequence"] for s in segments], list(range(len(segments))))
        self.assertEqual(segments[0]["base_offset"], 0)
        for one, next in zip(segments, segments[1:]):
            self.assertEqual(one["end_offset"], next["base_offset"])
            self.assertTrue(one["sealed"])
        self.assertEqual(segments[-1]["end_offset"], 300)
        self.assertTrue(all(os.path.exists(s["path"]) for s in segments))
        records = self.json_lines("dump", "web", "--records")
        self.assertEqual([r["offset"] for r in records], list(range(300)))
        self.assertTrue(all(r["kind"] == "record" for r in records))
        text = self.leat("dump", "web")
        self.assertIn("segment 0: offsets 0 to ", text)
        self.assertIn("value 299", text)

    def test_a_damaged_slot_costs_one_record(self):
        segments = self.fill()
        self.overwrite(segments[1]["path"], 4096 + 8 * 2, b"\xff" * 8)
        damaged = segments[1]["base_offset"] + 2
        lines = self.json_lines("dump", "web", "--records", code=4)
        self.assertEqual([r["offset"] for r in lines if r["kind"] == "record"],
                         [i for i in range(300) if i != damaged])
        damage = [r for r in lines if r["kind"] == "damage"]
        self.assertEqual([d["path"] for d in damage], [segments[1]["path"]])
        done = self.leat_bytes("verify", "web", code=4)
        self.assertIn(segments[1]["path"].encode(), done.stdout)
        self.assertEqual(self.leat_bytes("consume", "web", "--from", "earliest", "-e", code=4).stderr.count(b"\n"), 1)

    def test_a_damaged_header_costs_one_segment(self):
        segments = self.fill()
        self.overwrite(segments[1]["path"], 0, b"garbage!")
        lines = self.json_lines("dump", "web", code=4)
        offsets = [r["offset"] for r in lines if r["kind"] == "record"]
        lost = range(segments[1]["base_offset"], segments[1]["end_offset"])
        self.assertEqual([i for i in offsets if i in lost], [])
        self.assertEqual(offsets[-1], 299)
        self.assertIn(segments[1]["path"], [r["path"] for r in lines if r["kind"] == "damage"])
        self.assertIn(segments[1]["path"].encode(), self.leat_bytes("verify", code=4).stdout)

    def test_a_truncated_segment_is_named(self):
        segments = self.fill()
        os.truncate(segments[2]["path"], 5000)
        self.assertIn(segments[2]["path"].encode(), self.leat_bytes("verify", "web", code=4).stdout)
        done = self.leat_bytes("dump", "web", code=4)
        self.assertIn(segments[2]["path"].encode(), done.stdout)
        self.assertIn(b"value 0 ", done.stdout)
        self.assertIn(b"value 299 ", done.stdout)

    def test_a_last_segment_that_is_missing_is_damage_and_no_topic_that_was_deleted(self):
        segments = self.fill()
        os.remove(segments[-1]["path"])
        for command in (["topics", "describe"], ["topics", "describe", "web"], ["stat"], ["stat", "web"],
                        ["offsets", "web"], ["consume", "web", "--from", "latest", "-e"]):
            self.assertIn(segments[-1]["path"], self.complaint(*command, code=4), command)
        self.leat("topics", "create", "durable", "--durability", "interval")
        self.leat("produce", "durable", input="value\n")
        path = os.path.join(self.store, "topics", "durable", "0000-%016d" % 0)
        os.remove(path)
        self.leat("topics", "delete", "web")
        self.assertIn(path, self.complaint("topics", "flush", code=4))

    def test_damaged_headers_of_store_and_topic_are_named(self):
        self.fill()
        path = os.path.join(self.store, "topics", "web", "topic")
        self.overwrite(path, 40, b"\xff" * 8)
        for command in (["dump", "web"], ["consume", "web", "--no-wait"], ["topics", "describe", "web"],
                        ["offsets", "web"]):
            self.assertIn(path, self.complaint(*command, code=4))
        self.overwrite(os.path.join(self.store, "store"), 0, b"garbage!")
        self.assertIn(self.store, self.complaint("topics", "list"))


if __name__ == "__main__":
    unittest.main()
