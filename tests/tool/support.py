"""What the tests of the tool share: a fresh directory with a store, running the tool, waiting for what it does."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TOOL = os.environ.get("LEAT_TOOL", "leat")
SOURCES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LONGEST = 120  # seconds that anything may take on a busy machine


def until(condition, what):
    """Looks again and again; what it waits for is named where it does not come."""
    deadline = time.monotonic() + LONGEST
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain: " + what)
        time.sleep(0.01)


class Running:
    """The tool at work, with pipes."""

    def __init__(self, process):
        self.process = process
        self.buffer = b""

    def read_line(self):
        """The next line that it prints, without its newline."""
        deadline = time.monotonic() + LONGEST
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not piece:
                raise AssertionError("no line came, only %r" % self.buffer)
            self.buffer += piece
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode()

    def write(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def error_line(self):
        return self.process.stderr.readline().decode().rstrip("\n")

    def end(self, number=None):
        """Its exit code; the signal is sent first."""
        if number is not None:
            self.process.send_signal(number)
        elif self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        return self.process.wait(LONGEST)


class ToolCase(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="leat-test-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.store = os.path.join(self.directory, "store")
        self.environment = dict(os.environ, LEAT_STORE=self.store)

    def file(self, name, content=None):
        path = os.path.join(self.directory, name)
        if content is not None:
            with open(path, "wb") as f:
                f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def leat_bytes(self, *arguments, input=b"", code=0, environment=None):
        done = subprocess.run([TOOL, *arguments], input=input, capture_output=True, timeout=LONGEST,
                              env=environment or self.environment)
        self.assertEqual(done.returncode, code, (arguments, done.stdout[-2000:], done.stderr[-2000:]))
        return done

    def leat(self, *arguments, input="", code=0, **more):
        """What it prints; standard error must be empty where it succeeds."""
        done = self.leat_bytes(*arguments, input=input.encode(), code=code, **more)
        if code == 0:
            self.assertEqual(done.stderr, b"", arguments)
        return done.stdout.decode()

    def complaint(self, *arguments, code=1, input=""):
        """The one line on standard error of a command that fails; nothing like an exception's trace."""
        done = self.leat_bytes(*arguments, input=input.encode(), code=code)
        lines = done.stderr.decode().splitlines()
        self.assertTrue(lines, arguments)
        for line in lines:
            self.assertTrue(line.startswith("leat: "), lines)
        self.assertEqual(len(lines), 2 if code == 2 and "--help" in lines[-1] else 1, lines)
        return lines[0]

    def json(self, *arguments, **more):
        return json.loads(self.leat(*arguments, "--json", **more))

    def json_lines(self, *arguments, code=0, **more):
        done = self.leat_bytes(*arguments, "--json", code=code, **more)
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def start(self, *arguments, stdin=subprocess.PIPE):
        process = subprocess.Popen([TOOL, *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.environment)

        def stop():
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe and not pipe.closed:
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        pass

        self.addCleanup(stop)
        return Running(process)

    def values(self, topic, *arguments):
        return self.leat("consume", topic, "--from", "earliest", "-e", *arguments).splitlines()

    def member_is_there(self, group, count=1):
        """Waits until so many members are alive and have partitions."""
        def there():
            done = subprocess.run([TOOL, "groups", "describe", group, "--json"], capture_output=True,
                                  env=self.environment, timeout=LONGEST)
            if done.returncode != 0:
                return False
            members = json.loads(done.stdout)["members"]
            return sum(1 for m in members if m["alive"] and m["partitions"]) == count

        until(there, "%d members of %s with partitions" % (count, group))


def skip(reason):
    print(reason)
    sys.exit(77)


def skip_without_terminals():
    """Where none can be opened, as in a container without /dev/pts."""
    try:
        for terminal in pty.openpty():
            os.close(terminal)
    except OSError as e:
        skip("there are no terminals here, is /dev/pts mounted? %s" % e)
