#!/usr/bin/env python3
"""Checks that the includes among the headers of leat point downward (layers.txt) and form no cycle.

Usage: includes_downward.py [folder of the headers, include/leat]
"""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def read_layers(path):
    """Layer names from top to bottom, and the number of the layer of each folder ("os/") or header ("store")."""
    names, level = [], {}
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            name, members = line.split(":")
            level.update({member: len(names) for member in members.split()})
            names.append(name.strip())
    return names, level


def included_headers(root, header):
    """The headers of leat that this one includes, as paths below root, and complaints."""
    for style, name in INCLUDE.findall((root / header).read_text()):
        if style == "<" and not name.startswith("leat/"):
            continue
        path = pathlib.PurePosixPath(name)
        if style == '"' and not name.startswith("leat/"):
            yield None, f'{header}: "{name}" is not written <leat/...>'
        elif not (root / path.relative_to("leat")).is_file():
            yield None, f"{header}: <{name}> does not exist"
        else:
            yield path.relative_to("leat").as_posix(), None


def find_cycle(graph):
    """The headers of one include cycle, or None."""
    done, trail = set(), []

    def visit(header):
        if header in trail:
            return trail[trail.index(header):] + [header]
        if header in done:
            return None
        trail.append(header)
        for below in graph[header]:
            if cycle := visit(below):
                return cycle
        trail.pop()
        done.add(header)
        return None

    for header in graph:
        if cycle := visit(header):
            return cycle
    return None


def check(root, layers=HERE / "layers.txt"):
    """What is wrong with the includes of the headers below root, one line each."""
    names, level = read_layers(layers)
    headers = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.hpp"))
    wrong = [] if headers else [f"{root}: no headers"]

    def level_of(header):
        folder, slash, _ = header.partition("/")
        return level.get(folder + slash if slash else header.removesuffix(".hpp"))

    graph = {header: [] for header in headers}
    for header in headers:
        if level_of(header) is None:
            wrong.append(f"{header}: layers.txt gives it no layer")
        for target, complaint in included_headers(root, header):
            if complaint:
                wrong.append(complaint)
                continue
            graph[header].append(target)
            above, below = level_of(header), level_of(target)
            if above is not None and below is not None and below < above:
                wrong.append(f"{header} ({names[above]}) includes {target} ({names[below]}), which is above it")
    if cycle := find_cycle(graph):
        wrong.append("cycle: " + " -> ".join(cycle))
    return wrong


if __name__ == "__main__":
    complaints = check(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1] / "include" / "leat")
    print("\n".join(complaints) or "all includes point downward")
    sys.exit(1 if complaints else 0)
