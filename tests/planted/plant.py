#!/usr/bin/env python3
"""Plants faults (faults.py) in a copy of the headers, one at a time, and looks whether the tests notice.

plant.py --check            every fault can still be planted: what it replaces stands once in its header
plant.py DIRECTORY [NAME...] builds and runs, in DIRECTORY; only those faults whose name contains a NAME. Fails when a test
                            passes with its fault, or fails without one.
"""

import filecmp
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from faults import FAULTS

ROOT = Path(__file__).resolve().parents[2]
COPIED = ["CMakeLists.txt", "CMakePresets.json", "cmake", "include", "tests"]
SECONDS = 300  # for a test: one that hangs with a fault has noticed it


def check():
    wrong = 0
    for fault in FAULTS:
        times = (ROOT / "include/leat" / fault.header).read_text().count(fault.old)
        if times != 1:
            print(f'the fault "{fault.name}" replaces what stands {times} times in {fault.header}, expected once')
            wrong += 1
        if not (ROOT / "tests" / f"{fault.tests}.cpp").is_file():
            print(f'the fault "{fault.name}" names tests/{fault.tests}.cpp, which is not there')
            wrong += 1
    return wrong


def copy(source, target):
    """Only what differs, so that as little as possible is built again."""
    if source.is_dir():
        names = {entry.name for entry in source.iterdir() if entry.name != "__pycache__"}
        target.mkdir(parents=True, exist_ok=True)
        for entry in list(target.iterdir()):
            if entry.name not in names:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        for name in names:
            copy(source / name, target / name)
    elif not target.exists() or not filecmp.cmp(source, target, shallow=False):
        shutil.copyfile(source, target)
        shutil.copymode(source, target)


class Workshop:
    def __init__(self, directory):
        self.source = directory / "source"
        self.build_directory = directory / "build"
        self.source.mkdir(parents=True, exist_ok=True)
        for name in COPIED:
            copy(ROOT / name, self.source / name)
        subprocess.run(
            ["cmake", "--preset", "dev", "-B", self.build_directory, "-DLEAT_BUILD_TOOLS=OFF", "-DLEAT_BUILD_EXAMPLES=OFF",
             "-DLEAT_BUILD_BENCH=OFF"],
            cwd=self.source, check=True, stdout=subprocess.DEVNULL)

    def build(self, tests):
        targets = [name.replace("/", "_") for name in tests]
        done = subprocess.run(["cmake", "--build", self.build_directory, "--target", *targets],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return None if done.returncode == 0 else done.stdout

    def run(self, fault):
        """What came of it, in words; "passes" is one of them."""
        program = self.build_directory / "tests" / fault.tests.replace("/", "_")
        child = subprocess.Popen([program, fault.only], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                 errors="replace", start_new_session=True)
        try:
            output, _ = child.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            return f"does not end within {SECONDS} s"
        if "No tests ran" in output or "No test cases matched" in output:
            raise SystemExit(f'no test of {fault.tests} is named "{fault.only}"')
        if child.returncode == 0:
            return "passes"
        return f"is killed by signal {-child.returncode}" if child.returncode < 0 else "fails"


def plant(workshop, fault):
    header = workshop.source / "include/leat" / fault.header
    sound = header.read_text()
    header.write_text(sound.replace(fault.old, fault.new))
    try:
        refused = workshop.build([fault.tests])
        if refused is not None:
            print(refused)
            return "is not built"
        return workshop.run(fault)
    finally:
        header.write_text(sound)


def main():
    if sys.argv[1:] == ["--check"]:
        return 1 if check() else 0
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    if check():
        return 1
    chosen = [f for f in FAULTS if not sys.argv[2:] or any(name in f.name for name in sys.argv[2:])]
    if not chosen:
        print(f"no fault is named like {' or '.join(sys.argv[2:])}; there are:", *[f"  {f.name}" for f in FAULTS], sep="\n")
        return 2
    directory = Path(sys.argv[1])
    workshop = Workshop(directory.resolve())
    refused = workshop.build(sorted({f.tests for f in chosen}))
    if refused is not None:
        print(refused)
        return 1
    unnoticed = 0
    for fault in chosen:
        outcome = workshop.run(fault)
        if outcome != "passes":
            print(f"NOT SOUND  {fault.tests}, {fault.only}: {outcome} without any fault", flush=True)
            unnoticed += 1
    for fault in chosen:
        outcome = plant(workshop, fault)
        noticed = outcome not in ("passes", "is not built")
        unnoticed += 0 if noticed else 1
        print(f"{'noticed' if noticed else 'UNNOTICED':10} {fault.promise}: {fault.name}: {fault.tests} {outcome}", flush=True)
    print(f"{len(chosen)} faults, {unnoticed} unnoticed")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
