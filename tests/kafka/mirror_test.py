"""leat mirror beside a real Kafka: what is exactly the same on both sides, and what it does where it cannot be."""

import json
import os
import unittest

from broker import Broker
from mirror_scene import MirrorCase, kill
from scene import JARS, LONGEST, skip_without_jars, until

# Null, empty, duplicate headers, bytes that are no text: as `leat consume --json` prints them.
STRANGE = [
    {"key": None, "value": None, "headers": []},
    {"key": "", "value": "", "headers": []},
    {"key": "k", "value": None, "headers": [{"name": "h", "value": None}, {"name": "h", "value": ""}]},
    {"key": None, "value": "v", "headers": [{"name": "h", "value": "2"}, {"name": "a", "value": "1"},
                                            {"name": "h", "value": "1"}]},
    {"key": {"base64": "AP8="}, "value": {"base64": "/wAA"}, "headers": [{"name": "bytes", "value": {"base64": "/wA="}}]},
]


class Mirror(MirrorCase):
    def json_in(self, store=None, topic=None):
        text = self.leat("consume", topic or self.topic, "--from", "earliest", "-e", "--json", store=store)
        return sorted((json.loads(line) for line in text.splitlines()), key=lambda r: (r["partition"], r["offset"]))

    def tool(self, name, *arguments, **more):
        """One of Kafka's own."""
        return BROKER.tool(name, "--bootstrap-server", self.address, *arguments, **more).decode()

    def create(self, partitions=1, topic=None, *config):
        self.tool("org.apache.kafka.tools.TopicCommand", "--create", "--topic", topic or self.topic, "--partitions",
                  str(partitions), *config)

    def complaint(self, *arguments, code=1, **more):
        return self.leat("mirror", *arguments, code=code, **more)

    # --- fidelity ---

    def test_there_and_back_everything_is_as_it_was_but_for_the_nanoseconds(self):
        self.leat("topics", "create", self.topic, "-p", "2")
        for i, record in enumerate(STRANGE):
            record = dict(record, timestamp="2026-01-31T12:00:00.123456789Z")
            self.leat("produce", self.topic, "--from-json", "-p", str(i % 2), input=json.dumps(record) + "\n")
        self.mirror("to-kafka", self.topic, "--config", "retention.ms=-1")  # else they go as old as they are
        copy = os.path.join(self.directory, "copy")
        self.mirror("from-kafka", store=copy)
        before, after = self.json_in(), self.json_in(copy)
        self.assertEqual(len(before), len(STRANGE))
        self.assertEqual({r.pop("timestamp") for r in before}, {"2026-01-31T12:00:00.123456789Z"})
        self.assertEqual({r.pop("timestamp") for r in after}, {"2026-01-31T12:00:00.123000000Z"})
        self.assertEqual(before, after)

    def test_kafkas_own_tools_and_kcat_read_what_it_wrote_and_it_brings_back_what_they_write(self):
        self.leat("topics", "create", self.topic)
        self.leat("produce", self.topic, "-k", "=", input="a=1\nb=2\n")
        self.mirror("to-kafka")
        read = self.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", self.topic, "--from-beginning",
                         "--property", "print.key=true", "--property", "print.partition=true", "--property",
                         "print.offset=true", "--max-messages", "2")
        self.assertEqual(read, "Partition:0\tOffset:0\ta\t1\nPartition:0\tOffset:1\tb\t2\n")
        self.assert_both_sides_same()
        theirs = self.topic + ".theirs"
        self.create(1, theirs)
        self.tool("kafka.tools.ConsoleProducer", "--topic", theirs, "--property", "parse.key=true", "--property",
                  "key.separator==", "--property", "parse.headers=true", input=b"h:1\tc=3\n")
        self.kcat("-P", "-t", theirs, "-K", "=", "-H", "g=2", "-Z", input=b"d=4\ne=\n")
        self.mirror("from-kafka", theirs)
        self.assert_both_sides_same(theirs)
        records = [(r["key"], r["value"], r["headers"]) for r in self.json_in(topic=theirs)]
        self.assertEqual(records, [("c", "3", [{"name": "h", "value": "1"}]), ("d", "4", [{"name": "g", "value": "2"}]),
                                   ("e", None, [{"name": "g", "value": "2"}])])

    def test_topics_by_pattern_and_with_a_prefix_also_those_made_later(self):
        self.leat("topics", "create", self.topic + ".a", "-p", "3")
        mirror = self.start("mirror", "to-kafka", "--pattern", self.topic + r"\..*", "--prefix", "copy-")
        self.leat("produce", self.topic + ".a", "-p", "2", input="1\n")
        self.leat("produce", self.topic + ".b", input="2\n")
        for topic, partition in (("a", 2), ("b", 0)):
            until(lambda: any(m["topic"] == self.topic + "." + topic and m["partition"] == partition and m["offset"] == 1
                              for m in self.mirrors()), "the record in " + topic)
        self.assertEqual(len(self.in_kafka("copy-" + self.topic + ".a")), 1)
        mirror.terminate()
        self.assertEqual(mirror.wait(LONGEST), 128 + 15)
        self.assertEqual({m["running"] for m in self.mirrors()}, {False})
        back = os.path.join(self.directory, "back")
        self.mirror("from-kafka", "--pattern", "copy-" + self.topic + ".*", store=back)
        self.assertEqual(self.leat("topics", "list", store=back).split(),
                         ["__mirror.from-kafka", "copy-" + self.topic + ".a", "copy-" + self.topic + ".b"])

    # --- others ---

    def test_somebody_else_who_writes_to_kafkas_topic_is_noticed(self):
        self.leat("topics", "create", self.topic)
        self.leat("produce", self.topic, input="1\n2\n")
        self.mirror("to-kafka")
        self.kcat("-P", "-t", self.topic, input=b"theirs\n")
        self.leat("produce", self.topic, input="3\n")
        said = self.complaint("to-kafka", self.topic, "-e", "-q")
        self.assertRegex(said, r"topic %s, partition 0 .*: somebody else writes .* from offset 2 to 3" % self.topic)
        self.mirror("to-kafka", self.topic, "--shared")
        self.assertEqual([r[5] for r in self.in_kafka()], ["|1|", "|2|", "|theirs|", "|3|"])
        self.assertEqual(self.mirrors()[0]["promise"], "at-least-once")

    def test_somebody_else_who_writes_meanwhile_is_noticed(self):
        self.leat("topics", "create", self.topic)
        mirror = self.start("mirror", "to-kafka", self.topic, "-q")
        self.leat("produce", self.topic, input="1\n")
        until(lambda: self.mirrors() and self.mirrors()[0]["offset"] == 1, "a mirror at work")
        self.kcat("-P", "-t", self.topic, input=b"theirs\n")
        self.leat("produce", self.topic, input="2\n")
        self.assertEqual(mirror.wait(LONGEST), 1)
        self.assertIn(b"has become Kafka's 2, expected 1", mirror.stderr.read())

    def test_somebody_else_who_writes_to_the_stores_topic_is_noticed(self):
        self.create()
        self.kcat("-P", "-t", self.topic, input=b"1\n")
        self.mirror("from-kafka")
        mirror = self.start("mirror", "from-kafka", self.topic, "-q")
        until(lambda: self.mirrors()[0]["running"], "a mirror at work")
        self.leat("produce", self.topic, input="ours\n")
        self.kcat("-P", "-t", self.topic, input=b"2\n")
        self.assertEqual(mirror.wait(LONGEST), 1)
        self.assertRegex(mirror.stderr.read().decode(), "it ends at offset 2, expected 1")
        self.mirror("from-kafka", self.topic, "--shared")
        self.assertEqual([r["value"] for r in self.json_in()][:2], ["1", "ours"])
        self.assertIn("2", [r["value"] for r in self.json_in()])

    def test_two_mirrors_share_the_partitions_and_one_takes_over_for_the_other(self):
        self.leat("topics", "create", self.topic, "-p", "4")
        mirrors = [self.start("mirror", "to-kafka", self.topic, "-q", "--settle", "500ms") for _ in range(2)]

        def owners():
            members = json.loads(self.leat("groups", "describe", "mirror.to-kafka", "--json"))["members"]
            return sorted(len(m["partitions"]) for m in members if m["alive"])

        until(lambda: os.path.isdir(os.path.join(self.store, "groups", "mirror.to-kafka")) and owners() == [2, 2],
              "two mirrors with two partitions each")
        for partition in range(4):
            self.leat("produce", self.topic, "-p", str(partition), input="".join("%d\n" % i for i in range(1000)))
        kill(mirrors[0])
        until(lambda: owners() == [4], "one mirror with all of them")
        until(lambda: len(self.mirrors()) == 4 and all(m["offset"] == 1000 for m in self.mirrors()), "all records")
        self.assert_both_sides_same()

    # --- limits ---

    def test_another_number_of_partitions_is_an_error(self):
        self.create(3)
        self.leat("topics", "create", self.topic, "-p", "2")
        self.assertIn("Kafka's topic %s: it has 3 partitions, expected 2" % self.topic,
                      self.complaint("to-kafka", self.topic, "-e", "-q"))
        self.assertIn("of the store: it has 2 partitions, expected 3",
                      self.complaint("from-kafka", self.topic, "-e", "-q"))

    def test_a_record_that_is_too_large_is_named_or_kept_as_a_dead_letter(self):
        self.create(1, None, "--config", "max.message.bytes=2000")
        self.leat("topics", "create", self.topic)
        self.leat("produce", self.topic, input="1\n" + "x" * 5000 + "\n3\n")
        self.assertRegex(self.complaint("to-kafka", self.topic, "-e", "-q"), "partition 0 .*, offset 1: its 5000 bytes")
        self.assertEqual([r[5] for r in self.in_kafka()], ["|1|"])
        self.mirror("to-kafka", self.topic, "--dead-letters", "dead")
        self.assertEqual([r[5] for r in self.in_kafka()], ["|1|", "|3|"])
        dead, = self.json_in(topic="dead")
        self.assertEqual(dead["value"], "x" * 5000)
        self.assertIn("offset 1", dead["headers"][0]["value"])
        # The offsets of both sides differ by one more now, and that is known behind a death.
        self.leat("produce", self.topic, input="4\n")
        self.mirror("to-kafka")
        self.assertEqual([r[5] for r in self.in_kafka()], ["|1|", "|3|", "|4|"])
        self.assertEqual((self.mirrors()[0]["offset"], self.mirrors()[0]["kafka_offset"]), (4, 3))

    def test_a_limit_that_was_lowered_meanwhile_makes_no_dead_letter_of_what_still_fits(self):
        self.create()
        self.leat("topics", "create", self.topic)
        mirror = self.start("mirror", "to-kafka", self.topic, "-q", "--dead-letters", "dead")
        self.leat("produce", self.topic, input="1\n")
        until(lambda: self.mirrors() and self.mirrors()[0]["offset"] == 1, "a mirror at work")
        self.tool("kafka.admin.ConfigCommand", "--alter", "--topic", self.topic, "--add-config", "max.message.bytes=2000")
        # one batch, which Kafka refuses as a whole
        self.leat("produce", self.topic, input="2\n3\n" + "x" * 5000 + "\n4\n")
        until(lambda: self.mirrors()[0]["offset"] == 5, "the rest")
        mirror.terminate()
        self.assertEqual(mirror.wait(LONGEST), 128 + 15)
        self.assertEqual([r[5] for r in self.in_kafka()], ["|1|", "|2|", "|3|", "|4|"])
        self.assertEqual([r["value"] for r in self.json_in(topic="dead")], ["x" * 5000])

    def test_records_that_had_gone_are_an_error_or_skipped(self):
        self.leat("topics", "create", self.topic)
        self.leat("produce", self.topic, input="1\n")
        self.mirror("to-kafka")
        self.leat("produce", self.topic, input="2\n3\n4\n")
        self.leat("topics", "delete-records", self.topic, "--before", "3")
        self.assertIn("2 records from offset 1 had gone", self.complaint("to-kafka", self.topic, "-e", "-q"))
        self.mirror("to-kafka", self.topic, "--skip-expired")
        self.assertEqual([r[5] for r in self.in_kafka()], ["|1|", "|4|"])

    def test_from_a_compacted_topic_comes_what_is_left_also_where_the_last_record_has_gone_meanwhile(self):
        self.create(1, None, "--config", "cleanup.policy=compact", "--config", "min.cleanable.dirty.ratio=0",
                    "--config", "segment.bytes=16384")

        def send_compacted():
            values = "".join("%d=%s\n" % (i % 3, "x" * 1000) for i in range(100))
            self.kcat("-P", "-t", self.topic, "-K", "=", "-X", "batch.num.messages=5", input=values.encode())
            end = self.in_kafka()[-1][1] + 1
            until(lambda: len(self.in_kafka()) < 30, "compaction")  # 3 keys, and the last segment
            return end

        def without_offsets(records):
            return [r[2:] for r in records]

        end = send_compacted()
        self.leat("topics", "create", self.topic)  # so that it is there when it is looked at
        mirror = self.start("mirror", "from-kafka", self.topic, "-q")
        until(lambda: len(self.in_store()) == len(self.in_kafka()), "all that is left")
        kill(mirror)
        first = self.in_store()
        self.assertEqual(without_offsets(first), without_offsets(self.in_kafka()))
        self.assertEqual([r[1] for r in first], list(range(len(first))))
        send_compacted()
        self.assertNotIn(end - 1, [r[1] for r in self.in_kafka()])
        self.mirror("from-kafka")
        self.assertEqual(without_offsets(self.in_store()),
                         without_offsets(first) + without_offsets(r for r in self.in_kafka() if r[1] >= end))

    def test_it_waits_for_a_broker_that_is_away(self):
        self.leat("topics", "create", self.topic)
        self.leat("produce", self.topic, input="1\n")
        here, self.address = self.address, "127.0.0.1:9"
        mirror = self.start("mirror", "to-kafka", self.topic, "-q")
        self.assertIn(b"waiting for Kafka", mirror.stderr.readline())
        self.assertIsNone(mirror.poll())
        mirror.terminate()
        self.assertEqual(mirror.wait(LONGEST), 128 + 15)
        self.address = here
        self.mirror("to-kafka")
        self.assert_both_sides_same()

    # --- groups ---

    def test_a_group_goes_on_in_kafka_behind_what_it_has_read_here_and_comes_back(self):
        group = self.topic + ".g"
        self.leat("topics", "create", self.topic)
        self.create()
        self.kcat("-P", "-t", self.topic, input=b"before\n" * 3)  # so the offsets are not the same
        self.leat("produce", self.topic, input="".join("%d\n" % i for i in range(10)))
        self.assertEqual(self.leat("consume", self.topic, "-g", group, "--from", "earliest", "-n", "4"), "0\n1\n2\n3\n")
        self.mirror("to-kafka", self.topic, "--groups", group.replace(".", "[.]"))
        read = self.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", self.topic, "--group", group,
                         "--max-messages", "3")
        self.assertEqual(read, "4\n5\n6\n")
        self.leat("mirror", "groups", "from-kafka", group.replace(".", "[.]"), "--name", "to-kafka")
        self.assertEqual(self.leat("consume", self.topic, "-g", group, "-e"), "7\n8\n9\n")

    def test_a_group_comes_from_kafka_with_what_is_mirrored(self):
        group = self.topic + ".g"
        self.create()
        self.kcat("-P", "-t", self.topic, input="".join("%d\n" % i for i in range(10)).encode())
        self.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", self.topic, "--group", group,
                  "--from-beginning", "--max-messages", "6")
        self.mirror("from-kafka", self.topic, "--groups", group)
        self.assertEqual(self.leat("consume", self.topic, "-g", group, "-e"), "6\n7\n8\n9\n")

    def test_stat_shows_it(self):
        self.leat("topics", "create", self.topic)
        self.leat("produce", self.topic, input="1\n2\n")
        self.mirror("to-kafka")
        self.leat("produce", self.topic, input="3\n")
        mirror, = json.loads(self.leat("stat", "--json"))["mirrors"]
        self.assertEqual((mirror["topic"], mirror["records"], mirror["lag"], mirror["running"]), (self.topic, 2, 1, False))
        self.assertIn('leat_mirror_lag{mirror="to-kafka",topic="%s",partition="0"} 1\n' % self.topic,
                      self.leat("stat", "--prometheus"))


if __name__ == "__main__":
    skip_without_jars()
    with Broker(JARS) as BROKER:
        MirrorCase.address = BROKER.address
        unittest.main(verbosity=2, exit=True)
