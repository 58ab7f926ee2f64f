"""leat stat, leat hz, and leat top without a terminal."""

import json
import re
import signal
import unittest

from support import ToolCase


def parse_exposition(text):
    """Prometheus' text format: {name: (type, [(labels, value)])}. Raises where it is not that."""
    metrics = {}
    current = None
    if not text.endswith("\n"):
        raise ValueError("the last line does not end")
    for line in text.splitlines():
        if match := re.fullmatch(r"# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)", line):
            if match[1] in metrics:
                raise ValueError("metric %s comes twice" % match[1])
            current = match[1]
            metrics[current] = [None, []]
        elif match := re.fullmatch(r"# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)", line):
            if match[1] != current or metrics[current][0] or metrics[current][1]:
                raise ValueError("the type is not where it belongs: " + line)
            if match[2] == "counter" and not current.endswith("_total"):
                raise ValueError("a counter ends in _total: " + line)
            metrics[current][0] = match[2]
        else:
            match = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.e+]+|NaN|[+-]Inf)', line)
            if not match or match[1] != current or metrics[current][0] is None:
                raise ValueError("not a sample of %s: %s" % (current, line))
            labels = {}
            rest = match[2] or ""
            while rest:
                label = re.match(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)', rest)
                if not label or label[1] in labels:
                    raise ValueError("labels: " + line)
                labels[label[1]] = label[2]
                rest = rest[label.end():]
            if labels in [had for had, _ in metrics[current][1]]:
                raise ValueError("the same labels twice: " + line)
            metrics[current][1].append((labels, float(match[3])))
    return metrics


class Watching(ToolCase):
    def fill(self):
        self.leat("topics", "create", "web", "-p", "2")
        self.leat("produce", "web", "-p", "1", input="abc\n" * 10)
        self.leat("consume", "web", "-g", "readers", "--from", "earliest", "-n", "4")

    def test_stat_tells_what_is_there(self):
        self.fill()
        s = self.json("stat")
        self.assertEqual([(t["topic"], t["records"]) for t in s["topics"]], [("web", 10)])
        self.assertEqual([(p["start"], p["end"]) for p in s["topics"][0]["partitions"]], [(0, 0), (0, 10)])
        self.assertEqual([(g["group"], g["lag"]) for g in s["groups"]], [("readers", 6)])
        self.assertGreater(s["free_bytes"], 0)
        text = self.leat("stat", "web")
        self.assertRegex(text, r"web +2 +10 ")
        self.assertRegex(text, r"readers +\d+ +6 ")

    def test_stat_speaks_prometheus(self):
        self.fill()
        m = parse_exposition(self.leat("stat", "--prometheus"))
        self.assertIn(({"topic": "web", "partition": "1"}, 10.0), m["leat_partition_end_offset"][1])
        of_group = {"group": "readers", "topic": "web", "partition": "1"}
        self.assertIn((of_group, 4.0), m["leat_group_committed_offset"][1])
        self.assertIn((of_group, 6.0), m["leat_group_lag"][1])
        self.assertEqual(m["leat_topic_partitions"], ["gauge", [({"topic": "web"}, 2.0)]])
        self.assertTrue(all(kind and name.startswith("leat_") for name, (kind, _) in m.items()))

    def test_a_group_that_has_committed_nothing_in_a_partition_lags_there_all_the_same(self):
        self.leat("topics", "create", "web", "-p", "2")
        self.leat("produce", "web", "-p", "0", input="abc\n" * 3)
        self.leat("groups", "reset", "readers", "web", "-p", "1", "--to", "earliest")
        m = parse_exposition(self.leat("stat", "--prometheus"))
        lags = {labels["partition"]: lag for labels, lag in m["leat_group_lag"][1]}
        self.assertEqual(lags, {"0": 3.0, "1": 0.0})
        self.assertEqual([labels["partition"] for labels, _ in m["leat_group_committed_offset"][1]], ["1"])
        first, second = self.json("offsets", "web", "--group", "readers")
        self.assertEqual((first["committed"], first["lag"]), (None, 3))
        self.assertEqual((second["committed"], second["lag"]), (0, 0))

    def test_the_parser_of_prometheus_knows_what_is_wrong(self):
        head = "# HELP a x\n# TYPE a gauge\n"
        self.assertEqual(parse_exposition(head + 'a{b="c\\"",d="e"} 1\n')["a"][1], [({"b": 'c\\"', "d": "e"}, 1.0)])
        for wrong in ("a 1\n", head + "b 1\n", head + 'a{b="c} 1\n', head + "a one\n", head + "a 1", head + head,
                      "# HELP a x\n# TYPE a counter\na 1\n", head + "a 1\na 1\n"):
            with self.assertRaises(ValueError, msg=wrong):
                parse_exposition(wrong)

    def test_hz_measures_the_rate(self):
        self.leat("topics", "create", "web")
        watcher = self.start("hz", "web", "--interval", "100ms", "--json")
        self.assertEqual(json.loads(watcher.read_line())["records_per_second"], 0)
        self.leat("produce", "web", "--timestamp", "@100", input="abc\n")
        self.leat("produce", "web", "--timestamp", "@102", input="abc\n")
        self.leat("produce", "web", "--timestamp", "@103", input="abc\n")
        records = 0
        while records < 3:
            line = json.loads(watcher.read_line())
            records = line["window"]
        while line["seconds_between"] is None:
            line = json.loads(watcher.read_line())
        between = line["seconds_between"]
        self.assertEqual((between["min"], between["max"], between["mean"], between["std_dev"]), (1.0, 2.0, 1.5, 0.5))
        self.assertEqual(watcher.end(signal.SIGINT), 130)
        self.assertIn("0/s", self.leat("hz", "web", "--interval", "10ms", "-n", "1"))

    def test_top_prints_where_there_is_no_terminal(self):
        self.fill()
        text = self.leat("top", "--plain", "--count", "2", "--interval", "10ms")
        self.assertEqual(len(re.findall(r"web +2 +10 ", text)), 2)
        self.assertRegex(text, r"readers +web +1 +6 ")
        looks = self.json_lines("top", "-n", "2", "--interval", "10ms")
        self.assertEqual([look["topics"][0]["records"] for look in looks], [10, 10])
        self.assertIn("--plain", self.complaint("top"))

    def test_top_tells_rates_and_owners(self):
        self.fill()
        member = self.start("consume", "web", "-g", "readers")
        self.member_is_there("readers")
        watcher = self.start("top", "--interval", "100ms", "--json")
        watcher.read_line()
        self.leat("produce", "web", "-p", "1", input="x\n" * 1000)
        while True:
            look = json.loads(watcher.read_line())
            if look["topics"][0]["records_per_second"] > 0:
                break
        owners = {g["partition"]: g["owner"] for g in look["groups"]}
        self.assertIn(str(member.process.pid), owners[1])
        self.assertEqual(watcher.end(signal.SIGTERM), 143)


if __name__ == "__main__":
    unittest.main()
