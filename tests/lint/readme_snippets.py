#!/usr/bin/env python3
"""Checks that the snippets in README.md and docs/*.md are what the examples say, so that they compile.

A snippet is a ```cpp block below a line `<!-- example: NAME -->`; it must be examples/NAME, or consecutive lines of it
(indented alike). Blocks without such a line are not looked at.

Usage: readme_snippets.py [root of the project]
"""

import pathlib
import re
import sys
import textwrap

MARK = re.compile(r"^<!-- example: (\S+) -->$")


def read_snippets(lines):
    """(line number, name of the example, lines of the block, or None where no block follows)."""
    for i, line in enumerate(lines):
        if not (mark := MARK.match(line)):
            continue
        begin = i + 1
        while begin < len(lines) and not lines[begin].strip():
            begin += 1
        if begin == len(lines) or lines[begin] != "```cpp" or "```" not in lines[begin:]:
            yield i + 1, mark[1], None
        else:
            yield i + 1, mark[1], lines[begin + 1:lines.index("```", begin)]


def is_part(snippet, source):
    """Whether the snippet's lines follow each other in the source, the common indentation aside."""
    def dedented(lines):
        return textwrap.dedent("\n".join(lines))

    wanted, size = dedented(snippet), len(snippet)
    return any(dedented(source[i:i + size]) == wanted for i in range(len(source) - size + 1))


def check(root):
    """What is wrong with the snippets, one line each; and how many there are."""
    wrong, count = [], 0
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        for number, name, snippet in read_snippets(page.read_text().splitlines()):
            count += 1
            where, example = f"{page.relative_to(root)}:{number}", root / "examples" / name
            if snippet is None:
                wrong.append(f"{where}: no ```cpp block below the mark")
            elif not example.is_file():
                wrong.append(f"{where}: there is no examples/{name}")
            elif not snippet or not is_part(snippet, example.read_text().splitlines()):
                wrong.append(f"{where}: the block is not a part of examples/{name}")
    if count == 0:
        wrong.append("no snippet is marked")
    return wrong, count


if __name__ == "__main__":
    complaints, snippets = check(
        pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    print("\n".join(complaints) or f"{snippets} snippets are as in the examples")
    sys.exit(1 if complaints else 0)
