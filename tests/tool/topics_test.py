"""leat topics and leat offsets."""

import unittest

from support import ToolCase


class Topics(ToolCase):
    def test_topics_are_made_listed_described_and_deleted(self):
        self.leat("topics", "create", "b", "-p", "3", "--segment-bytes", "64KiB", "--retention-bytes", "1MB",
                  "--retention-time", "7d", "--wait-for-groups", "yes", "--max-record-bytes", "4K", "--timestamps",
                  "append", "--file-mode", "0640")
        self.leat("topics", "create", "a", "--value-type", "bytes", "--single-writer")
        self.assertEqual(self.leat("topics", "list"), "a\nb\n")
        self.assertEqual(self.json("topics", "list"), ["a", "b"])
        a, b = self.json("topics", "describe")
        self.assertEqual((a["value_type"], a["key_type"], a["single_writer"]), ("bytes", "string", True))
        self.assertEqual(len(a["partitions"]), 1)
        expected = {"topic": "b", "segment_bytes": 65536, "retention_bytes": 1000000, "retention_seconds": 604800.0,
                    "wait_for_groups": True, "max_record_bytes": 4096, "timestamps": "append", "file_mode": "0640",
                    "single_writer": False, "value_type": "string"}
        self.assertEqual({k: b[k] for k in expected}, expected)
        self.assertEqual(len(b["partitions"]), 3)
        text = self.leat("topics", "describe", "b")
        for part in ("64 KiB", "7d", "append time", "0640", "waits for groups"):
            self.assertIn(part, text)
        self.leat("topics", "delete", "a", "b")
        self.assertEqual(self.json("topics", "list"), [])

    def test_a_topic_is_made_once(self):
        self.leat("topics", "create", "web", "-p", "2")
        self.complaint("topics", "create", "web")
        self.leat("topics", "create", "web", "--if-not-exists")
        self.assertEqual(len(self.json("topics", "describe", "web")["partitions"]), 2)

    def test_retention_is_altered(self):
        self.leat("topics", "create", "web")
        self.leat("topics", "alter", "web", "--retention-bytes", "unlimited", "--retention-time", "90s")
        d = self.json("topics", "describe", "web")
        self.assertEqual((d["retention_bytes"], d["retention_seconds"], d["wait_for_groups"]), (None, 90.0, False))
        self.leat("topics", "alter", "web", "--wait-for-groups", "yes", "--retention-time", "unlimited")
        d = self.json("topics", "describe", "web")
        self.assertEqual((d["retention_bytes"], d["retention_seconds"], d["wait_for_groups"]), (None, None, True))

    def test_partitions_are_added_and_not_taken_away(self):
        self.leat("topics", "create", "web", "-p", "2")
        self.leat("topics", "add-partitions", "web", "5")
        self.assertEqual(len(self.json("topics", "describe", "web")["partitions"]), 5)
        self.assertIn("5", self.complaint("topics", "add-partitions", "web", "3", code=2))

    def test_records_at_the_front_are_deleted(self):
        self.leat("topics", "create", "web", "-p", "2")
        for p in ("0", "1"):
            self.leat("produce", "web", "-p", p, input="".join("%s.%d\n" % (p, i) for i in range(10)))
        self.assertEqual(self.json("topics", "delete-records", "web", "--before", "4", "-p", "0"),
                         [{"partition": 0, "start": 4}])
        self.leat("topics", "delete-records", "web", "--before", "-1", "-p", "1")
        self.assertEqual(self.values("web", "-p", "0"), ["0.%d" % i for i in range(4, 10)])
        self.assertEqual(self.values("web", "-p", "1"), ["1.9"])
        self.leat("topics", "delete-records", "web", "--before", "latest")
        self.assertEqual(self.values("web"), [])
        self.assertEqual([(o["start"], o["end"]) for o in self.json("offsets", "web")], [(10, 10), (10, 10)])

    def test_offsets_are_told_for_times_and_groups(self):
        self.leat("topics", "create", "web", "-p", "2")
        for i in range(4):
            self.leat("produce", "web", "-p", "0", "--timestamp", "@%d" % (100 + i), input="x\n")
        self.leat("consume", "web", "-g", "readers", "--from", "earliest", "-n", "3")
        first, second = self.json("offsets", "web", "--time", "@102", "--group", "readers")
        self.assertEqual(first, {"partition": 0, "start": 0, "end": 4, "committed": 3, "lag": 1, "at_time": 2})
        self.assertEqual((second["end"], second["at_time"]), (0, None))
        self.assertEqual(self.json("offsets", "web", "-p", "1"), [{"partition": 1, "start": 0, "end": 0}])
        self.assertEqual(self.leat("offsets", "web", "-p", "0", "--time", "@500").split(),
                         ["PARTITION", "START", "END", "AT", "TIME", "0", "0", "4", "-"])


if __name__ == "__main__":
    unittest.main()
