#!/usr/bin/env python3
"""Runs the benchmarks that were built, joins what they measured into one JSON, and draws it.

    bench/run.py [--quick] [--build DIRECTORY] [--json FILE] [--docs DIRECTORY] [--only PROGRAM]

Each program gets a share of the time. A full run writes the tables and plots to docs/, a quick one beside the JSON.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

import include_cost

SOURCE = pathlib.Path(__file__).resolve().parent.parent

# Seconds of the programs with a harness of their own: (full, quick). What else is built is of Google Benchmark.
SUITES = {"two_processes": (190, 22), "appends": (20, 4), "machine": (50, 6), "durable": (20, 4)}
REPETITIONS = (5, 3)
GOOGLE_MIN_TIME = (0.05, 0.01)


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def read(path, default=""):
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return default


def machine():
    lines = read("/proc/cpuinfo").splitlines()
    fields = dict(reversed([[part.strip() for part in line.split(":", 1)] for line in lines if ":" in line]))
    caches = []
    for index in sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        if read(index / "type") != "Instruction":
            caches.append(f"L{read(index / 'level')} {read(index / 'size')}")
    memory = next((line.split()[1] for line in read("/proc/meminfo").splitlines() if line.startswith("MemTotal")), "0")
    return {
        "processor": f"{fields.get('model name', platform.machine())}"
                     f" (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})",
        "cores": len(os.sched_getaffinity(0)),
        "caches": ", ".join(caches),
        "memory_gib": round(int(memory) / (1 << 20), 1),
        "virtual": "hypervisor" in fields.get("flags", ""),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_before": os.getloadavg()[0],
    }


def built_with(build):
    cache = {}
    for line in read(build / "CMakeCache.txt").splitlines():
        if "=" in line and not line.startswith(("#", "//")):
            name, value = line.split("=", 1)
            cache[name.split(":")[0]] = value
    compiler = cache.get("CMAKE_CXX_COMPILER", "c++")
    kind = cache.get("CMAKE_BUILD_TYPE", "")
    flags = f"{cache.get('CMAKE_CXX_FLAGS', '')} {cache.get('CMAKE_CXX_FLAGS_' + kind.upper(), '')}".strip()
    return {"path": compiler, "version": first_line(compiler, "--version"), "flags": f"-std=c++20 {flags}"}


def google_results(name, found):
    """Medians of Google Benchmark's own repetitions, which stand beside them in its file."""
    results = []
    for run in found["benchmarks"]:
        if run.get("aggregate_name") != "median":
            continue
        result = {"kind": "operation", "program": name, "name": run.get("run_name", run["name"]), "unit": run["time_unit"],
                  "values": [run["real_time"]], "cpu": run["cpu_time"]}
        for rate in ("items_per_second", "bytes_per_second"):
            if rate in run:
                result[rate] = run[rate]
        results.append(result)
    return results


def run(command, environment, children):
    print("bench:", " ".join(map(str, command)), file=sys.stderr, flush=True)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        children.append(process.pid)
        text = process.communicate()[0]
    print(text, end="", flush=True)
    return process.returncode, text


def measure(options, scratch, children):
    environment = dict(os.environ, TMPDIR=str(scratch), LEAT_BENCH_DIR=str(scratch))
    compiler = built_with(options.build)
    joined = {
        "command": "./run bench" + (" --quick" if options.quick else ""),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "quick": options.quick,
        "revision": first_line("git", "-C", str(SOURCE), "rev-parse", "--short", "HEAD"),
        "machine": machine(),
        "compiler": {key: compiler[key] for key in ("version", "flags")},
        "repetitions": REPETITIONS[options.quick],
        "missing": {},
        "results": [],
        "text": {},
        "failed": [],
    }
    for program in sorted((options.build / "bench").glob("bench_*")):
        name = program.name.removeprefix("bench_")
        if name.startswith("kafka_"):
            continue  # needs a broker: bench/kafka.py
        if not os.access(program, os.X_OK) or program.is_dir() or options.only not in ("", name):
            continue
        out = scratch / f"{name}.json"
        if name in SUITES:
            seconds = options.seconds or SUITES[name][options.quick]
            status, _ = run([program, "--seconds", str(seconds), "--repetitions", str(joined["repetitions"]),
                             "--json", out], environment, children)
        else:
            quick = ["--quick"] if options.quick else []
            status, text = run([program, *quick, f"--benchmark_min_time={GOOGLE_MIN_TIME[options.quick]}",
                                f"--benchmark_repetitions={joined['repetitions']}",
                                "--benchmark_enable_random_interleaving=true", "--benchmark_display_aggregates_only=true",
                                f"--benchmark_out={out}", "--benchmark_out_format=json"], environment, children)
            # What such a program prints besides its benchmarks.
            joined["text"][name] = text[text.find("\n\n"):].strip() if "\n\n" in text else ""
        if status != 0:
            joined["failed"].append(name)
            print(f"bench: {program.name} failed with status {status}", file=sys.stderr)
        if not out.exists():
            continue
        found = json.loads(out.read_text())
        if name in SUITES:
            joined["missing"].update(found["missing"])
            joined["results"] += [dict(result, program=name) for result in found["results"]]
        else:
            joined["results"] += google_results(name, found)
    if options.only in ("", "include_cost"):
        joined["results"] += include_cost.measure(compiler["path"], SOURCE / "include", scratch,
                                                  1 if options.quick else 3)
    return joined


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="all of it in a minute or two, and less exactly")
    parser.add_argument("--build", type=pathlib.Path, default=SOURCE / "build/release")
    parser.add_argument("--json", type=pathlib.Path, default=SOURCE / "build/bench/results.json")
    parser.add_argument("--docs", type=pathlib.Path, help="where benchmarks.md is, whose tables are written")
    parser.add_argument("--only", default="", metavar="PROGRAM", help="only this one; then nothing is drawn")
    parser.add_argument("--seconds", type=float, help="for each program with a harness of its own, in place of its share")
    options = parser.parse_args()

    options.json.parent.mkdir(parents=True, exist_ok=True)
    children = []
    # Beside the results: on a disk, where /tmp may be memory.
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=options.json.parent.resolve()))
    try:
        joined = measure(options, scratch, children)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        # Programs remove what they make; one that was killed could not.
        for pid in children:
            for left in pathlib.Path("/dev/shm").glob(f"leat.bench*-{pid}*"):
                shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
    options.json.write_text(json.dumps(joined, indent=1) + "\n")
    print(f"bench: written to {options.json}", file=sys.stderr)
    if options.only == "":
        import report
        docs = options.docs
        if docs is None:
            docs = options.json.parent / "docs" if options.quick else SOURCE / "docs"
        report.write(joined, docs, SOURCE / "docs/benchmarks.md")
        print(f"bench: drawn in {docs / 'benchmarks.md'}", file=sys.stderr)
    return 1 if joined["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
