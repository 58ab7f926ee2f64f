"""leat produce and leat consume."""

import json
import os
import shutil
import signal
import subprocess
import unittest

from support import LONGEST, TOOL, ToolCase, until


class ProduceAndConsume(ToolCase):
    def test_lines_come_out_as_they_went_in(self):
        self.leat("produce", "web", input="one\ntwo\n\nfour")
        self.assertEqual(self.values("web"), ["one", "two", "", "four"])

    def test_a_file_is_read(self):
        self.leat("produce", "web", self.file("lines", "a\nb\n"))
        self.assertEqual(self.values("web"), ["a", "b"])

    def test_the_first_examples_work_as_typed(self):
        log = self.file("access.log", "before\n")
        consumer = self.start("consume", "web", "--group", "alerts")
        self.assertIn("waiting for topic web", consumer.error_line())
        tail = subprocess.Popen(["tail", "-n", "+1", "-f", log], stdout=subprocess.PIPE)
        self.addCleanup(tail.wait)
        self.addCleanup(tail.kill)
        self.addCleanup(tail.stdout.close)
        producer = self.start("produce", "web", stdin=tail.stdout)
        self.assertEqual(consumer.read_line(), "before")
        for i in range(3):
            with open(log, "a") as f:
                f.write("request %d\n" % i)
            self.assertEqual(consumer.read_line(), "request %d" % i)
        self.assertEqual(consumer.end(signal.SIGINT), 130)
        tail.kill()
        self.assertEqual(producer.end(), 0)

    def test_each_line_is_sent_when_it_comes(self):
        producer = self.start("produce", "web")
        consumer = self.start("consume", "web", "--from", "earliest")
        for line in ("one", "two"):
            producer.write(line + "\n")
            self.assertEqual(consumer.read_line(), line)
        self.assertEqual(producer.end(), 0)
        self.assertEqual(consumer.end(signal.SIGTERM), 143)

    def test_keys_headers_and_null_are_read_from_lines(self):
        self.leat("produce", "web", "--headers", "-k", "\\t", "--null", "NULL", "-H", "source=test",
                  input="a:1,a:NULL\tkey\tvalue\n\tNULL\tNULL\n\t\t\n")
        records = self.json_lines("consume", "web", "--from", "earliest", "-e")
        self.assertEqual([(r["key"], r["value"]) for r in records], [("key", "value"), (None, None), ("", "")])
        self.assertEqual([(h["name"], h["value"]) for h in records[0]["headers"]],
                         [("a", "1"), ("a", None), ("source", "test")])
        self.assertEqual([r["offset"] for r in records], [0, 1, 2])

    def test_the_key_decides_the_partition(self):
        self.leat("topics", "create", "web", "-p", "4")
        self.leat("produce", "web", "-k", ":", input="".join("key%d:%d\n" % (i % 7, i) for i in range(70)))
        where = {}
        for r in self.json_lines("consume", "web", "--from", "earliest", "-e"):
            where.setdefault(r["key"], set()).add(r["partition"])
        self.assertEqual(len(where), 7)
        self.assertTrue(all(len(p) == 1 for p in where.values()), where)
        self.leat("produce", "web", "-p", "3", input="there\n")
        self.assertEqual(self.values("web", "-p", "3")[-1], "there")

    def test_what_consume_prints_in_json_produce_reads(self):
        lines = [
            {"key": None, "value": "x", "headers": [{"name": "h", "value": None}], "partition": 1,
             "timestamp": "2026-01-31T12:00:00.123456789Z"},
            {"key": {"base64": "AAH/"}, "value": {"base64": "/w=="}, "headers": [], "partition": 0,
             "timestamp": "1999-12-31T23:59:59.000000001Z"},
            {"key": "", "value": "two\nlines \u00e4 \"\\\t\u0001\u007f", "headers": [], "partition": 0,
             "timestamp": "2026-01-31T12:00:00.000000000Z"}]
        self.leat("topics", "create", "a", "-p", "2")
        self.leat("topics", "create", "b", "-p", "2")
        self.leat("produce", "a", "--from-json", input="".join(json.dumps(r) + "\n" for r in lines))
        printed = self.leat("consume", "a", "--from", "earliest", "-e", "--json")
        self.leat("produce", "b", "--from-json", input=printed)

        def records(topic):
            found = self.json_lines("consume", topic, "--from", "earliest", "-e")
            return sorted(({k: v for k, v in r.items() if k != "topic"} for r in found),
                          key=lambda r: (r["partition"], r["offset"]))

        self.assertEqual(records("a"), records("b"))
        for r, expected in zip(records("a"), [lines[1], lines[2], lines[0]]):
            self.assertEqual({k: r[k] for k in expected}, expected)

    def test_what_dump_prints_in_json_produce_reads(self):
        self.leat("produce", "a", "-k", ":", "-H", "h=1", input="key:value\n")
        self.leat("produce", "b", "--from-json", input=self.leat("dump", "a", "--records", "--json"))
        self.leat("produce", "b", "--from-json", input='{"value": "only"}\n')
        first, second = self.json_lines("consume", "b", "--from", "earliest", "-e")
        self.assertEqual((first["key"], first["value"], first["headers"]),
                         ("key", "value", [{"name": "h", "value": "1"}]))
        self.assertEqual((second["key"], second["value"], second["headers"]), (None, "only", []))

    def test_the_format_says_what_is_printed(self):
        self.leat("produce", "web", "-k", "=", "-H", "a=1", "-H", "b=2", "--timestamp", "2026-01-31T12:00:00.5Z",
                  input="key=value\n")
        out = self.leat("consume", "web", "--from", "earliest", "-e", "--format",
                        r"%t|%p|%o|%k|%v|%s|%h|%T|%D|%K|%V|%%\x41\n")
        self.assertEqual(out, "web|0|0|key|value|value|a=1,b=2|1769860800500|2026-01-31T12:00:00.500000000Z|3|5|%A\n")
        self.assertEqual(self.leat("consume", "web", "--from", "earliest", "-e", "--headers", "-k", " -> "),
                         "a=1,b=2\tkey -> value\n")
        self.leat("produce", "web", "-p", "0", "--null", "-", input="-\n")
        self.assertEqual(self.leat("consume", "web", "--from", "1", "-e", "--format", r"%k %v %K %V\n", "--null", "<>"),
                         "<> <> -1 -1\n")

    def test_bytes_go_in_and_out_unchanged(self):
        content = bytes(b for b in range(256) if b != 10)
        self.leat_bytes("produce", "web", input=content)
        self.assertEqual(self.leat_bytes("consume", "web", "--from", "0", "-e", "--format", "raw").stdout, content)
        self.assertEqual(self.leat("consume", "web", "--from", "0", "-e", "--format", "hex"), content.hex() + "\n")

    def test_values_that_are_not_text_are_hexadecimal_digits(self):
        self.leat("topics", "create", "trades", "--value-type", "trade, 4 bytes, aligned to 4", "--alignment", "4",
                  "--key-type", "int, 4 bytes, aligned to 4")
        self.assertIn("not text", self.complaint("produce", "trades", input="hello\n"))
        self.leat("produce", "trades", "--value-format", "hex", input="01020304\n")
        self.leat("produce", "trades", "--value-format", "base64", input="BQYHCA==\n")
        self.assertEqual(self.values("trades"), ["01020304", "05060708"])
        self.assertEqual(self.values("trades", "--format", "base64"), ["AQIDBA==", "BQYHCA=="])
        self.assertEqual([r["value"] for r in self.json_lines("consume", "trades", "--from", "0", "-e")],
                         [{"base64": "AQIDBA=="}, {"base64": "BQYHCA=="}])

    def test_reading_begins_where_it_is_told_to(self):
        for i in range(5):
            self.leat("produce", "web", "--timestamp", "@%d" % (1000 + i), input="%d\n" % i)
        for place, expected in (("earliest", "01234"), ("2", "234"), ("-1", "4"), ("-100", "01234"),
                                ("@1003", "34"), ("@1002.5", "34"), ("1970-01-01T00:16:44Z", "4"), ("latest", ""),
                                ("now", ""), ("5", "")):
            out = self.leat("consume", "web", "--from", place, "-e")
            self.assertEqual(out.replace("\n", ""), expected, place)
        self.assertIn("there is no offset 6", self.complaint("consume", "web", "--from", "6", "-e"))

    def test_a_closed_pipe_ends_it_with_success(self):
        self.leat("produce", "web", input="line\n" * 100000)
        script = '"$0" consume web --from earliest | head -n 1; echo "${PIPESTATUS[0]}"'
        done = subprocess.run(["bash", "-c", script, TOOL], env=self.environment, capture_output=True, timeout=LONGEST)
        self.assertEqual((done.stdout, done.stderr), (b"line\n0\n", b""))

    def test_a_closed_pipe_is_noticed_while_nothing_comes(self):
        self.leat("produce", "web", input="line\n")
        consumer = self.start("consume", "web", "--from", "earliest")
        self.assertEqual(consumer.read_line(), "line")
        consumer.process.stdout.close()
        self.assertEqual(consumer.process.wait(LONGEST), 0)

    def test_idle_and_count_end_it(self):
        self.leat("produce", "web", input="a\nb\nc\n")
        self.assertEqual(self.leat("consume", "web", "--from", "0", "-n", "2"), "a\nb\n")
        self.assertEqual(self.leat("consume", "web", "--from", "0", "--idle", "50ms"), "a\nb\nc\n")

    def test_what_is_sent_while_it_waits_for_the_topic_is_not_missed(self):
        consumer = self.start("consume", "late")
        self.assertIn("waiting", consumer.error_line())
        self.leat("produce", "late", input="first\n")
        self.assertEqual(consumer.read_line(), "first")

    def test_added_partitions_are_followed(self):
        self.leat("topics", "create", "web")
        consumer = self.start("consume", "web", "--from", "earliest")
        self.leat("produce", "web", input="old\n")
        self.assertEqual(consumer.read_line(), "old")
        self.leat("topics", "add-partitions", "web", "2")
        self.leat("produce", "web", "-p", "1", input="new\n")
        self.assertEqual(consumer.read_line(), "new")

    def test_a_deleted_topic_ends_it(self):
        self.leat("produce", "web", input="x\n")
        consumer = self.start("consume", "web", "--from", "earliest")
        self.assertEqual(consumer.read_line(), "x")
        self.leat("topics", "delete", "web")
        self.assertEqual(consumer.process.wait(LONGEST), 1)
        self.assertIn("deleted", consumer.error_line())

    def test_the_rate_is_kept(self):
        producer = self.start("produce", "web", self.file("lines", "a\nb\n"), "--rate", "0.001")
        until(lambda: os.path.exists(self.store), "the store")
        consumer = self.start("consume", "web", "--from", "earliest")
        self.assertEqual(consumer.read_line(), "a")
        # The second is due in a quarter of an hour: it is there only if nobody kept to the rate.
        self.assertEqual(producer.end(signal.SIGINT), 130)
        self.assertEqual(self.values("web"), ["a"])

    def test_what_was_sent_is_reported_in_json(self):
        report = self.json("produce", "web", input="ab\ncd\n")
        self.assertEqual((report["topic"], report["records"], report["bytes"]), ("web", 2, 4))
        self.assertEqual(report["partitions"], [{"partition": 0, "records": 2, "first": 0, "last": 1}])

    def test_the_store_is_what_the_option_or_the_environment_says(self):
        other = self.file("other")
        self.leat("--store", other, "produce", "a", input="x\n")
        self.leat("produce", "b", "--store", other, input="y\n")
        self.assertEqual(self.leat("topics", "list", "--store", other), "a\nb\n")
        self.assertFalse(os.path.exists(self.store))

    def test_a_name_is_a_store_in_shared_memory(self):
        name = "tool-test.%s" % os.path.basename(self.directory)
        path = "/dev/shm/leat." + name
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        self.leat("produce", "web", "--store", name, input="x\n")
        self.assertTrue(os.path.isdir(path))
        self.assertEqual(self.leat("topics", "list", environment=dict(os.environ, LEAT_STORE=name)), "web\n")


if __name__ == "__main__":
    unittest.main()
