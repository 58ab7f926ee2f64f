#!/usr/bin/env python3
"""Tests of readme_snippets.py."""

import pathlib
import tempfile
import unittest

from readme_snippets import check

EXAMPLE = "int main() {\n  one();\n  two();\n}\n"


def check_page(page):
    """Checks a README and one example, EXAMPLE."""
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        (root / "examples").mkdir()
        (root / "examples" / "a.cpp").write_text(EXAMPLE)
        (root / "README.md").write_text(page)
        return check(root)[0]


def snippet(text, name="a.cpp"):
    return f"# Title\n\n<!-- example: {name} -->\n```cpp\n{text}```\n"


def check_guide(guide, source):
    """Checks a guide, docs/guide.md, and one file of snippets, docs/a.cpp, beside an empty README."""
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        (root / "docs").mkdir()
        (root / "README.md").write_text("")
        (root / "docs" / "a.cpp").write_text(source)
        (root / "docs" / "guide.md").write_text(guide)
        return check(root)[0]


class ReadmeSnippets(unittest.TestCase):
    def test_a_whole_example_is_right(self):
        self.assertEqual([], check_page(snippet(EXAMPLE)))

    def test_a_part_may_be_indented_otherwise(self):
        self.assertEqual([], check_page(snippet("one();\ntwo();\n")))

    def test_a_difference_is_named(self):
        for text in ["one();\nthree();\n", "one();\n}\n", "one();\n  two();\n", ""]:
            self.assertEqual(["README.md:3: the block is not a part of examples/a.cpp"], check_page(snippet(text)))

    def test_a_mark_without_a_block_or_an_example_is_named(self):
        self.assertEqual(["README.md:1: no ```cpp block below the mark"], check_page("<!-- example: a.cpp -->\ntext\n"))
        self.assertEqual(["README.md:3: there is no examples/b.cpp"], check_page(snippet(EXAMPLE, "b.cpp")))

    def test_a_region_is_right_only_as_a_whole(self):
        region = "  // snippet: two\n  one();\n  two();\n  // end\n"
        for text, complaints in [("one();\ntwo();\n", []), ("one();\n", ["docs/guide.md:1: the block is not docs/a.cpp#two"])]:
            mark = "<!-- snippet: docs/a.cpp#two -->"
            self.assertEqual(complaints, check_guide(f"{mark}\n```cpp\n{text}```\n", region))

    def test_a_missing_file_or_region_is_named(self):
        for mark, complaint in [("docs/b.cpp#two", "there is no docs/b.cpp"), ("docs/a.cpp#one", "docs/a.cpp has no snippet one")]:
            page = f"<!-- snippet: {mark} -->\n```cpp\none();\n```\n"
            self.assertEqual([f"docs/guide.md:1: {complaint}"], check_guide(page, "// snippet: two\none();\n// end\n"))

    def test_every_block_of_the_guide_has_a_mark(self):
        page = "<!-- snippet: docs/a.cpp#one -->\n```cpp\none();\n```\n\n```cpp\nthree();\n```\n"
        self.assertEqual(["docs/guide.md:6: a block without a mark"],
                         check_guide(page, "// snippet: one\none();\n// end\n"))

    def test_other_blocks_are_left_alone_but_there_must_be_a_snippet(self):
        self.assertEqual(["no snippet is marked"], check_page("```cpp\nthree();\n```\n"))


if __name__ == "__main__":
    unittest.main()
