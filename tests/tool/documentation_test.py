"""The manual page and docs/tool.md say all that the tool can do, and the page is sound roff."""

import os
import re
import shutil
import subprocess
import unittest

from support import LONGEST, SOURCES, TOOL, ToolCase

MANUAL = os.environ.get("LEAT_MANUAL", "")


def help_of(*command):
    done = subprocess.run([TOOL, *command, "--help"], capture_output=True, text=True, timeout=LONGEST)
    assert done.returncode == 0, done.stderr
    return done.stdout


def section(text, name):
    match = re.search(r"^%s:\n((?:  .*\n)*)" % name, text, re.MULTILINE)
    return match[1] if match else ""


def commands():
    """Every command with its options: {("topics", "list"): {"--help", ...}}."""
    found = {}

    def walk(command):
        text = help_of(*command)
        subcommands = re.findall(r"^  ([a-z][a-z-]*)", section(text, "Subcommands"), re.MULTILINE)
        for name in subcommands:
            walk((*command, name))
        if not subcommands or not command:
            heads = re.findall(r"^  (-\S+)", section(text, "Options"), re.MULTILINE)
            found[command] = {re.sub(r"[{:].*", "", o) for head in heads for o in head.split(",")}

    walk(())
    return found


class Documentation(ToolCase):
    def test_every_command_says_how_it_is_used(self):
        found = commands()
        for command in (("produce",), ("consume",), ("topics", "list"), ("topics", "delete-records"),
                        ("groups", "reset"), ("offsets",), ("dump",), ("verify",), ("stat",), ("top",), ("hz",),
                        ("record",), ("replay",), ("clean",)):
            self.assertIn(command, found)
        self.assertTrue({"--store", "--json", "--help", "--version"} <= found[()], found[()])
        self.assertTrue({"--group", "-g", "--no-follow"} <= found[("consume",)], found[("consume",)])

    def test_every_command_and_option_is_in_the_manual(self):
        with open(MANUAL) as f:
            manual = f.read().replace("\\-", "-").replace("\\fI", "").replace("\\fP", "").replace("\\fR", "")
        with open(os.path.join(SOURCES, "docs", "tool.md")) as f:
            guide = f.read()
        for command, options in commands().items():
            if command:
                self.assertIn("leat " + " ".join(command), manual)
                self.assertIn("leat " + " ".join(command), guide)
            for option in options:
                found = re.search(r"(?<![\w-])%s(?![\w-])" % re.escape(option), manual)
                self.assertTrue(found, "%s of %s is not in the manual" % (option, " ".join(command)))

    @unittest.skipUnless(shutil.which("groff"), "groff is missing")
    def test_the_manual_is_sound_roff(self):
        done = subprocess.run(["groff", "-t", "-man", "-ww", "-Tutf8", MANUAL], capture_output=True, timeout=LONGEST)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout.decode())
        version = subprocess.run([TOOL, "--version"], capture_output=True, text=True).stdout.strip()
        self.assertRegex(version, r"\Aleat \d+\.\d+\.\d+\Z")
        self.assertIn(version, text)
        self.assertNotIn("@", text.replace("@SECONDS", ""))

    @unittest.skipUnless(shutil.which("man"), "man is missing")
    def test_man_shows_it(self):
        done = subprocess.run(["man", "--warnings", "-l", MANUAL], capture_output=True, timeout=LONGEST,
                              env=dict(os.environ, MANWIDTH="80", MANROFFSEQ="t", LC_ALL="C.UTF-8"))
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(b"leat", done.stdout)


if __name__ == "__main__":
    unittest.main()
