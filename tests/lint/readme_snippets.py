#!/usr/bin/env python3
"""Checks that the snippets in README.md and docs/*.md are what the programs say, so that they compile.

A snippet is a ```cpp block below a line `<!-- example: NAME -->`; it must be examples/NAME, or consecutive lines of it
(indented alike). Below `<!-- snippet: FILE#NAME -->` it must be all that stands in FILE between `// snippet: NAME` and
`// end`. In docs/guide.md every ```cpp block must have such a line; elsewhere, blocks without one are not looked at.

Usage: readme_snippets.py [root of the project]
"""

import pathlib
import re
import sys
import textwrap

MARK = re.compile(r"^<!-- (example|snippet): (\S+) -->$")
ALL_MARKED = ["docs/guide.md"]


def read_snippets(lines):
    """(line number, kind of mark, name in it, lines of the block, or None where no block follows)."""
    for i, line in enumerate(lines):
        if not (mark := MARK.match(line)):
            continue
        begin = i + 1
        while begin < len(lines) and not lines[begin].strip():
            begin += 1
        if begin == len(lines) or lines[begin] != "```cpp" or "```" not in lines[begin:]:
            yield i + 1, mark[1], mark[2], None
        else:
            yield i + 1, mark[1], mark[2], lines[begin + 1:lines.index("```", begin)]


def dedented(lines):
    return textwrap.dedent("\n".join(lines))


def region(source, name):
    """The lines between `// snippet: NAME` and `// end`, or None."""
    stripped = [line.strip() for line in source]
    begin = f"// snippet: {name}"
    if begin not in stripped or "// end" not in stripped[stripped.index(begin):]:
        return None
    start = stripped.index(begin) + 1
    return source[start:stripped.index("// end", start)]


def complaint_about(root, kind, name, snippet):
    """What is wrong with a snippet, or None."""
    if snippet is None:
        return "no ```cpp block below the mark"
    file, _, part = name.partition("#") if kind == "snippet" else (f"examples/{name}", "", "")
    if not (root / file).is_file():
        return f"there is no {file}"
    source = (root / file).read_text().splitlines()
    if kind == "example":
        return None if snippet and is_part(snippet, source) else f"the block is not a part of {file}"
    wanted = region(source, part)
    if wanted is None:
        return f"{file} has no snippet {part}"
    return None if snippet and dedented(snippet) == dedented(wanted) else f"the block is not {name}"


def unmarked(lines):
    """Line numbers of ```cpp blocks without a mark right above."""
    return [i + 1 for i, line in enumerate(lines) if line == "```cpp" and not (i and MARK.match(lines[i - 1]))]


def is_part(snippet, source):
    """Whether the snippet's lines follow each other in the source, the common indentation aside."""
    wanted, size = dedented(snippet), len(snippet)
    return any(dedented(source[i:i + size]) == wanted for i in range(len(source) - size + 1))


def check(root):
    """What is wrong with the snippets, one line each; and how many there are."""
    wrong, count = [], 0
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        lines, where = page.read_text().splitlines(), page.relative_to(root).as_posix()
        for number, kind, name, snippet in read_snippets(lines):
            count += 1
            if complaint := complaint_about(root, kind, name, snippet):
                wrong.append(f"{where}:{number}: {complaint}")
        if where in ALL_MARKED:
            wrong += [f"{where}:{number}: a block without a mark" for number in unmarked(lines)]
    if count == 0:
        wrong.append("no snippet is marked")
    return wrong, count


if __name__ == "__main__":
    complaints, snippets = check(
        pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    print("\n".join(complaints) or f"{snippets} snippets are as in the programs")
    sys.exit(1 if complaints else 0)
