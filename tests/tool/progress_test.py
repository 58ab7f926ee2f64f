"""What is shown to a person at a terminal, and to nobody else."""

import os
import pty
import subprocess
import unittest

from support import LONGEST, TOOL, ToolCase, skip_without_terminals

skip_without_terminals()


class Progress(ToolCase):
    def test_progress_is_shown_on_a_terminal_only(self):
        for quiet in ([], ["--quiet"]):
            master, slave = pty.openpty()
            process = subprocess.Popen([TOOL, "produce", "web", *quiet], stdin=subprocess.PIPE, stderr=slave,
                                       stdout=subprocess.DEVNULL, env=self.environment)
            os.close(slave)
            process.communicate(b"a\nb\n", LONGEST)
            try:
                shown = os.read(master, 4096).decode()
            except OSError:  # nothing was written, and nobody has it open any more
                shown = ""
            os.close(master)
            self.assertEqual("sent 2 records" in shown, not quiet, shown)


if __name__ == "__main__":
    unittest.main()
