"""What each command says when it cannot do what it is asked: one line, and the exit code that the manual names."""

import os
import subprocess
import unittest

from support import LONGEST, TOOL, ToolCase

NEEDS_TOPIC = [["consume", "X", "--no-wait"], ["produce", "X", "--no-create"], ["topics", "describe", "X"],
               ["topics", "alter", "X", "--retention-time", "1s"], ["topics", "delete", "X"],
               ["topics", "add-partitions", "X", "2"], ["topics", "delete-records", "X", "--before", "latest"],
               ["groups", "reset", "g", "X", "--to", "earliest"], ["offsets", "X"], ["dump", "X"], ["verify", "X"],
               ["stat", "X"], ["top", "X", "--plain"], ["hz", "X"], ["record", "X", "FILE"]]
NEEDS_STORE = [["topics", "list"], ["groups", "list"], ["groups", "describe", "X"], ["groups", "delete", "X"], ["stat"],
               ["top", "--plain"], ["verify"], ["clean"]]


class Errors(ToolCase):
    def arguments(self, command):
        return [self.file("x.rec") if a == "FILE" else a for a in command]

    def test_a_store_that_is_not_there(self):
        for command in NEEDS_TOPIC + NEEDS_STORE:
            self.assertIn(self.store, self.complaint(*self.arguments(command), code=3), command)
        self.assertFalse(os.path.exists(self.store))

    def test_a_topic_or_group_that_is_not_there(self):
        self.leat("topics", "create", "web")
        for command in NEEDS_TOPIC + [["groups", "describe", "X"], ["groups", "delete", "X"],
                                      ["offsets", "web", "--group", "X"]]:
            self.assertIn("X", self.complaint(*self.arguments(command), code=3), command)
        self.assertEqual(self.leat("topics", "list"), "web\n")

    def test_a_partition_that_is_not_there(self):
        self.leat("topics", "create", "web", "-p", "2")
        for command in (["consume", "web", "-p", "2"], ["dump", "web", "-p", "0,7"], ["offsets", "web", "-p", "9"],
                        ["hz", "web", "-p", "2"], ["record", "web", "FILE", "-p", "2"],
                        ["topics", "delete-records", "web", "--before", "0", "-p", "2"],
                        ["groups", "reset", "g", "web", "--to", "0", "-p", "2"]):
            self.assertIn("partitions 0 to 1", self.complaint(*self.arguments(command), code=3), command)
        for arguments, line in ((["-p", "2"], "x"), (["-p", str(2**32)], "x"),
                                (["--from-json"], '{"value": "x", "partition": 2}')):
            self.assertIn("partitions 0 to 1", self.complaint("produce", "web", *arguments, input=line + "\n", code=3))
        self.assertEqual(self.values("web"), [])

    def test_a_file_that_is_not_there(self):
        for command in (["produce", "web", "/nowhere/x"], ["replay", "/nowhere/x"]):
            self.assertIn("/nowhere/x: No such file", self.complaint(*command, code=3))
        self.leat("produce", "web", input="x\n")
        self.assertIn("/nowhere/x", self.complaint("record", "web", "/nowhere/x"))

    def test_command_lines_that_are_wrong(self):
        for command in ([], ["nonsense"], ["topics"], ["groups"], ["topics", "nonsense"], ["produce"], ["consume"],
                        ["consume", "web", "--nonsense"], ["consume", "web", "--from", "somewhere"],
                        ["consume", "web", "-p", "x"], ["consume", "web", "-p", "5-2"], ["consume", "web", "-n", "-1"],
                        ["consume", "web", "--idle", "5"], ["consume", "web", "--format", "%q"],
                        ["consume", "web", "--format", "\\q"], ["consume", "web", "--value-format", "octal"],
                        ["consume", "web", "--format", "%v", "-k", ":"], ["consume", "web", "--instance-id", "x"],
                        ["consume", "web", "-g", "g", "-p", "0"], ["consume", "web", "-g", "g", "--from", "5"],
                        ["produce", "web", "--rate", "0"], ["produce", "web", "--timestamp", "2026-13-01"],
                        ["produce", "web", "-k", "\\x1"], ["topics", "create", "a", "--segment-bytes", "12Q"],
                        ["topics", "create", "a", "--retention-time", "7 days"],
                        ["topics", "create", "a", "--file-mode", "999"], ["topics", "alter", "web"],
                        ["topics", "create", "a", "--timestamps", "never"],
                        ["topics", "create", "a", "--wait-for-groups", "maybe"],
                        ["topics", "delete-records", "web"], ["topics", "add-partitions", "web", "many"],
                        ["groups", "reset", "g", "web"], ["groups", "reset", "g", "web", "--to", "0", "--shift", "1"],
                        ["groups", "reset", "g", "web", "--shift", "far"], ["offsets", "web", "--time", "then"],
                        ["hz", "web", "--window", "x"], ["top", "--interval", "x"], ["replay", "x", "--speed", "0"],
                        ["record", "web", "-", "--json"]):
            self.complaint(*command, code=2)
        self.assertFalse(os.path.exists(self.store))

    def test_a_word_that_is_no_command_is_named_with_those_that_there_are(self):
        for command, parts in ((["nonsense"], ['leat: there is no command "nonsense"', "produce, consume, topics"]),
                               (["topics", "nonsense"], ['leat topics: there is no command "nonsense"', "list, create"]),
                               (["mirror", "nonsense"], ['leat mirror: there is no command "nonsense"', "to-kafka"]),
                               (["groups", "--nonsense"], ['leat groups: there is no option "--nonsense"', "reset"]),
                               (["topics"], ["leat topics: the command is missing", "list, create"]),
                               ([], ["leat: the command is missing", "produce, consume"])):
            line = self.complaint(*command, code=2)
            for part in parts:
                self.assertIn(part, line)

    def test_wrong_arguments_are_named_with_what_was_expected(self):
        for command, parts in ((["consume", "web", "--from", "soon"], ["--from", '"soon"', "earliest"]),
                               (["topics", "create", "a", "--segment-bytes", "x"], ["--segment-bytes", '"x"', "64KiB"]),
                               (["consume", "web", "--idle", "5"], ["--idle", '"5"', "500ms"])):
            line = self.complaint(*command, code=2)
            for part in parts:
                self.assertIn(part, line)

    def test_wrong_lines_are_named_with_file_line_field_and_what_was_expected(self):
        self.leat("topics", "create", "web")
        path = self.file("lines", "key:value\nno separator\n")
        line = self.complaint("produce", "web", path, "-k", ":")
        for part in (path, "line 2", "key", '":"'):
            self.assertIn(part, line)
        self.assertEqual(self.values("web"), ["value"])
        for bad, part in (("nonsense", "expected a JSON object"), ("[]", "expected a JSON object"),
                          ('{"value": 5}', "value: expected null"),
                          ('{"value": {"base64": "%"}}', "value: expected base64"),
                          ('{"key": {"hex": "1"}}', "key: expected an even number"),
                          ('{"headers": {}}', "headers: expected an array"),
                          ('{"headers": [{"value": "x"}]}', "headers: expected a name"),
                          ('{"timestamp": "noon"}', "timestamp: expected a time"), ('{"timestamp": 5}', "timestamp"),
                          ('{"timestamp": 5, "value": "x"}', "timestamp: expected a string"),
                          ('{"partition": -1}', "partition: expected a number"),
                          ('{"partition": "0", "value": "x"}', "partition: expected a number"),
                          ('{"vlaue": "x"}', '"vlaue": there is no such field, expected topic, partition, offset,'),
                          ('{"headers": [{"name": "h", "vlaue": "x"}], "value": "x"}',
                           'headers: "vlaue": there is no such field, expected name, value'),
                          ('{"topic": 5, "value": "x"}', "topic: expected a string"),
                          ('{"offset": "0", "value": "x"}', "offset: expected a number"),
                          ('{"kind": "segment", "partition": 0}', 'kind: expected "record"')):
            line = self.complaint("produce", "web", "--from-json", input=bad + "\n")
            self.assertIn("standard input, line 1: " + part, line)
        line = self.complaint("produce", "web", "--value-format", "hex", input="00\n0\n")
        self.assertIn("line 2: value: expected an even number of hexadecimal digits", line)
        self.assertIn("line 1: headers", self.complaint("produce", "web", "--headers", input="x\n"))
        line = self.complaint("produce", "new", "-H", "x", input="x\n", code=2)
        self.assertIn('header "x": expected name=value', line)
        self.assertEqual(self.leat("topics", "list"), "web\n")

    def test_a_record_that_is_too_large(self):
        self.leat("topics", "create", "web", "--max-record-bytes", "1K")
        line = self.complaint("produce", "web", input="ok\n" + "x" * 2000 + "\n")
        self.assertIn("line 2", line)
        self.assertIn("1024 bytes", line)
        self.assertEqual(self.values("web"), ["ok"])

    def test_names_and_limits_are_checked(self):
        for command in (["topics", "create", "a/b"], ["topics", "create", ""], ["topics", "create", "a", "-p", "5000"],
                        ["topics", "create", "a", "--segment-bytes", "1"],
                        ["topics", "create", "a", "--alignment", "3"], ["topics", "list", "--store", "no such name!"]):
            self.complaint(*command, code=2)
        for options, text in ((["--alignment", "3"], "alignment is 3, expected a power of two"),
                              (["-p", "0"], "partitions is 0, expected 1 to")):
            self.assertIn(text, self.complaint("topics", "create", "a", *options, code=2))

    def test_a_foreign_directory_is_no_store(self):
        os.mkdir(self.store, 0o700)
        self.file("store/store", b"not of leat\n" * 500)
        self.assertIn(self.store, self.complaint("topics", "list"))
        os.remove(self.file("store/store"))
        os.rmdir(self.store)
        with open(self.store, "w"):
            pass
        self.assertIn(self.store, self.complaint("topics", "list"))

    @unittest.skipIf(os.geteuid() != 0, "only root can become somebody else")
    def test_missing_permissions(self):
        self.leat("produce", "web", input="x\n")
        os.chmod(self.directory, 0o755)
        for command in (["topics", "list"], ["consume", "web"], ["produce", "web"]):
            done = subprocess.run([TOOL, *command], capture_output=True, stdin=subprocess.DEVNULL, timeout=LONGEST,
                                  user=65534, group=65534, extra_groups=[], env=self.environment)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stderr.decode(), r"\Aleat: .*%s.*\n\Z" % self.store)

    def test_output_that_cannot_be_written(self):
        self.leat("produce", "web", input="x\n")
        with open("/dev/full", "w") as full:
            done = subprocess.run([TOOL, "consume", "web", "--from", "earliest", "-e"], stdout=full,
                                  stderr=subprocess.PIPE, env=self.environment, timeout=LONGEST)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"No space left", done.stderr)

    def test_control_characters_do_not_reach_the_terminal(self):
        self.assertNotIn("\x1b", self.complaint("consume", "\x1b[31m", "--no-wait", code=3) + self.store)


if __name__ == "__main__":
    unittest.main()
