"""The completions of bash and zsh."""

import os
import shutil
import subprocess
import unittest

from support import LONGEST, SOURCES, TOOL, ToolCase

COMPLETIONS = os.path.join(SOURCES, "tools", "leat", "completions")


class Completion(ToolCase):
    def bash(self, *words):
        """What bash offers for the last of the words behind `leat`."""
        script = r"""
            compopt() { echo :files; }
            source "$1"
            shift
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _leat
            printf '%s\n' "${COMPREPLY[@]}"
        """
        done = subprocess.run(["bash", "-euc", script, "bash", os.path.join(COMPLETIONS, "leat.bash"), TOOL, *words],
                              capture_output=True, text=True, env=self.environment, timeout=LONGEST)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def test_commands_are_offered(self):
        self.assertEqual(sorted(self.bash("")), ["clean", "consume", "dump", "groups", "hz", "mirror", "offsets", "produce",
                                                 "record", "replay", "stat", "top", "topics", "verify"])
        self.assertEqual(self.bash("to"), ["topics", "top"])
        self.assertEqual(self.bash("topics", "de"), ["describe", "delete", "delete-records"])

    def test_options_are_offered_also_the_common_ones(self):
        self.assertEqual(self.bash("consume", "web", "--fo"), ["--follow", "--format"])
        self.assertEqual(self.bash("topics", "create", "--js"), ["--json"])
        self.assertIn("-g", self.bash("consume", "-"))

    def test_topics_and_groups_are_offered(self):
        self.leat("topics", "create", "web")
        self.leat("topics", "create", "orders")
        self.leat("produce", "web", input="x\n")
        self.leat("consume", "web", "-g", "readers", "--from", "earliest", "-n", "1")
        self.assertEqual(self.bash("consume", ""), ["orders", "web"])
        self.assertEqual(self.bash("consume", "w"), ["web"])
        self.assertEqual(self.bash("topics", "delete", "web", "o"), ["orders"])
        self.assertEqual(self.bash("consume", "--group", ""), ["readers"])
        self.assertEqual(self.bash("consume", "web", "-g", "re"), ["readers"])
        self.assertEqual(self.bash("groups", "reset", "readers", ""), ["orders", "web"])
        self.assertEqual(self.bash("groups", "describe", ""), ["readers"])
        other = self.file("other")
        self.leat("produce", "elsewhere", "--store", other, input="x\n")
        self.assertEqual(self.bash("--store", other, "consume", ""), ["elsewhere"])
        self.assertEqual(self.bash("consume", "web", ""), [])  # no second argument

    def test_values_and_files_are_offered(self):
        self.assertEqual(self.bash("consume", "web", "--from", ""), ["earliest", "latest"])
        self.assertEqual(self.bash("replay", "x", "--speed", "m"), ["max"])
        self.assertEqual(self.bash("topics", "create", "x", "--durability", ""), ["none", "interval", "every"])
        self.assertEqual(self.bash("replay", ""), [":files"])
        self.assertEqual(self.bash("produce", "web", ""), [":files"])
        self.assertEqual(self.bash("consume", "web", "--count", ""), [])

    def test_without_a_store_there_is_nothing_to_offer(self):
        self.assertEqual(self.bash("consume", ""), [])
        self.assertFalse(os.path.exists(self.store))

    @unittest.skipUnless(shutil.which("zsh"), "zsh is missing")
    def test_zsh_offers_the_same(self):
        self.leat("topics", "create", "web")
        script = r"""
            _describe() { print -l -- ${found%%:*} }
            _files() { print -- :files }
            complete_leat() { source $1 }
            words=("${@[2,-1]}") CURRENT=$#words
            complete_leat $1
        """
        def zsh(*words):
            done = subprocess.run(["zsh", "-fc", script, "zsh", os.path.join(COMPLETIONS, "_leat"), TOOL, *words],
                                  capture_output=True, text=True, env=self.environment, timeout=LONGEST)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return done.stdout.split()

        self.assertEqual(zsh("consume", ""), ["web"])
        self.assertEqual(zsh("to"), ["topics", "top"])
        self.assertEqual(zsh("replay", ""), [":files"])


if __name__ == "__main__":
    unittest.main()
