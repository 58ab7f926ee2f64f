#!/usr/bin/env python3
"""Tests of includes_downward.py."""

import pathlib
import tempfile
import unittest

from includes_downward import check


def check_tree(**headers):
    """Checks a tree of headers given as path (with __ for /) and included headers."""
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, includes in headers.items():
            path = root / (name.replace("__", "/") + ".hpp")
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(f"#include {include}\n" for include in includes))
        return check(root)


class IncludesDownward(unittest.TestCase):
    def test_downward_and_sideways_includes_are_allowed(self):
        self.assertEqual([], check_tree(store=["<leat/topic.hpp>", "<leat/os/file.hpp>", "<vector>"], topic=[],
                                        os__file=["<leat/error.hpp>"], error=[]))

    def test_an_upward_include_is_named(self):
        self.assertEqual(["os/file.hpp (os) includes storage/log.hpp (storage), which is above it"],
                         check_tree(os__file=["<leat/storage/log.hpp>"], storage__log=[]))

    def test_a_cycle_within_a_layer_is_named(self):
        self.assertEqual(["cycle: store.hpp -> topic.hpp -> store.hpp"],
                         check_tree(store=["<leat/topic.hpp>"], topic=["<leat/store.hpp>"]))

    def test_a_header_or_folder_without_a_layer_is_named(self):
        self.assertEqual(["detail/a.hpp: layers.txt gives it no layer", "stray.hpp: layers.txt gives it no layer"],
                         check_tree(stray=[], detail__a=[]))

    def test_a_missing_header_and_a_relative_include_are_named(self):
        self.assertEqual(["error.hpp: <leat/types.hpp> does not exist",
                          'error.hpp: "types.hpp" is not written <leat/...>'],
                         check_tree(error=["<leat/types.hpp>", '"types.hpp"']))

    def test_an_empty_tree_is_an_error(self):
        self.assertEqual(1, len(check_tree()))


if __name__ == "__main__":
    unittest.main()
