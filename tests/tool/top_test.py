"""leat top on a terminal, which tmux plays."""

import os
import shlex
import shutil
import signal
import subprocess
import unittest

from support import LONGEST, TOOL, ToolCase, skip, skip_without_terminals, until

if not shutil.which("tmux"):
    skip("tmux is missing (Debian: tmux)")
skip_without_terminals()


class Top(ToolCase):
    def setUp(self):
        super().setUp()
        self.leat("topics", "create", "web", "-p", "2")
        self.leat("produce", "web", input="x\n" * 10)
        self.socket = os.path.join(self.directory, "tmux")
        # A shell of its own whose prompt shows when it is ready, and the size that the test knows.
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "20", "env", "-u", "ENV", "PS1=ready> ",
                  "sh", "-i")
        self.addCleanup(lambda: subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True))
        self.sees("ready>")

    def tmux(self, *arguments):
        done = subprocess.run(["tmux", "-S", self.socket, *arguments], env=self.environment, capture_output=True,
                              text=True, timeout=LONGEST)
        self.assertEqual(done.returncode, 0, (arguments, done.stderr))
        return done.stdout

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def sees(self, text):
        until(lambda: text in self.screen(), "%r on the screen, which is %r" % (text, self.screen()))

    def state(self, marker):
        """What the terminal is set to, and whether the usual screen and the cursor are shown."""
        path = self.file("state." + marker)
        self.type("stty -a > %s.new; mv %s.new %s" % (path, path, path))
        until(lambda: os.path.exists(path), "the state of the terminal")
        with open(path) as f:
            return f.read(), self.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").strip()

    def type(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def start_top(self, *arguments, topic="web"):
        pid_file = self.file("pid")
        if os.path.exists(pid_file):
            os.remove(pid_file)
        self.type("(exec sh -c 'echo $$ > %s; exec \"$@\"' - %s); echo code=$?" % (
            pid_file, shlex.join([TOOL, "top", "--interval", "100ms", *arguments])))
        self.sees("leat top")
        self.sees(topic)
        self.assertEqual(self.tmux("display-message", "-p", "#{alternate_on}").strip(), "1")
        with open(pid_file) as f:
            return int(f.read())

    def test_it_shows_what_happens_and_q_ends_it(self):
        before = self.state("before")
        self.start_top()
        self.assertNotIn("ready>", self.screen())
        self.leat("produce", "web", input="x\n" * 32)
        until(lambda: " 42 " in self.screen(), "the new number of records")
        self.tmux("send-keys", "q")
        self.sees("code=0")
        self.assertEqual(self.state("after"), before)

    def test_signals_leave_the_terminal_as_it_was(self):
        before = self.state("before")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            pid = self.start_top()
            os.kill(pid, number)
            self.sees("code=%d" % (128 + number))
            self.assertEqual(self.state("after.%d" % number), before)
            self.type("clear")
            until(lambda: "code=" not in self.screen(), "an empty screen")

    def test_control_c_ends_it(self):
        before = self.state("before")
        self.start_top()
        self.tmux("send-keys", "C-c")
        self.sees("code=130")
        self.assertEqual(self.state("after"), before)

    def test_it_is_stopped_and_goes_on(self):
        before = self.state("before")
        self.type("%s top --interval 100ms" % shlex.quote(TOOL))
        self.sees("leat top")
        self.tmux("send-keys", "C-z")
        self.sees("ready>")
        self.assertEqual(self.state("stopped"), before)
        self.type("fg")
        until(lambda: "RECORDS/S" in self.screen(), "the view again")
        self.assertEqual(self.tmux("display-message", "-p", "#{alternate_on}").strip(), "1")
        self.tmux("send-keys", "q")
        self.sees("ready>")
        self.assertEqual(self.state("after"), before)

    def test_it_follows_the_size_of_the_terminal(self):
        self.start_top()
        self.assertIn("RETENTION", self.screen())
        self.tmux("resize-window", "-x", "30", "-y", "5")
        until(lambda: len(self.screen().rstrip("\n").split("\n")) <= 5 and "RETENTION" not in self.screen()
              and "TOPIC" in self.screen(), "a small view")
        self.assertTrue(all(len(line) <= 30 for line in self.screen().splitlines()))
        self.tmux("resize-window", "-x", "120", "-y", "24")
        self.sees("RETENTION")
        self.tmux("send-keys", "q")
        self.sees("code=0")

    def test_it_scrolls(self):
        for i in range(30):
            self.leat("topics", "create", "topic%02d" % i)
        self.start_top(topic="topic00")
        for _ in range(35):
            self.tmux("send-keys", "j")
        until(lambda: "leat top" not in self.screen() and "q quits" in self.screen(), "the end of the view")
        for _ in range(40):
            self.tmux("send-keys", "k")
        self.sees("leat top")
        self.tmux("send-keys", "q")
        self.sees("code=0")


if __name__ == "__main__":
    unittest.main()
