"""scripts/check-includes notices an include against the order."""

import pathlib
import subprocess
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"


def check_includes(files):
    """Runs the check on a tree of these files, each given as its lines."""
    with tempfile.TemporaryDirectory() as directory:
        for name, lines in files.items():
            path = pathlib.Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        done = subprocess.run(
            [SCRIPTS / "check-includes", directory],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.splitlines()[:-1]


class CheckIncludesTest(unittest.TestCase):
    def assert_refused(self, name, include, complaint):
        code, lines = check_includes({name: ["#pragma once", include]})
        self.assertEqual(lines, [f"{name}:2: {complaint}"])
        self.assertEqual(code, 1)

    def assert_fine(self, name, include):
        self.assertEqual(check_includes({name: [include]}), (0, []))

    def test_a_layer_may_include_those_below_it(self):
        for name, include in (
            ("windows/a.hpp", '#include "windows/b.hpp"'),
            ("windows/a.hpp", "#include <tsl/robin_map.h>"),
            ("cluster/a.cpp", '#include "windows/b.hpp"'),
            ("messages/a.hpp", "#include <caf/all.hpp>"),
            ("storage/a.cpp", "#include <sqlite3.h>"),
            ("actors/a.cpp", '#include "storage/b.hpp"'),
            ("apps/a.cpp", '#include "actors/b.hpp"'),
            ("test/storage/a.cpp", "#include <sqlite3.h>"),
            ("bench/a.cpp", '#include "test/support/b.hpp"'),
            ("config/a.cpp", "#include <unistd.h>"),
        ):
            self.assert_fine(name, include)

    def test_a_layer_may_not_include_those_above_or_beside_it(self):
        for folder, target in (
            ("windows", "cluster"),
            ("cluster", "config"),
            ("config", "cluster"),
            ("input", "messages"),
            ("messages", "storage"),
            ("storage", "messages"),
            ("actors", "apps"),
            ("apps", "test"),
        ):
            self.assert_refused(
                f"{folder}/a.cpp",
                f'#include "{target}/b.hpp"',
                f"{folder}/ may not include {target}/",
            )

    def test_a_library_stays_where_it_belongs(self):
        for name, header, library in (
            ("cluster/a.cpp", "caf/actor.hpp", "caf"),
            ("storage/a.cpp", "caf/actor.hpp", "caf"),
            ("actors/a.cpp", "sqlite3.h", "sqlite3"),
            ("windows/a.cpp", "fmt/format.h", "fmt"),
            ("messages/a.cpp", "doctest/doctest.h", "doctest"),
        ):
            folder = name.split("/", maxsplit=1)[0]
            self.assert_refused(
                name, f"#  include <{header}>", f"{folder}/ may not use {library}"
            )

    def test_paths_begin_at_the_root(self):
        for path in ("b.hpp", "../cluster/b.hpp", "./b.hpp"):
            self.assert_refused(
                "cluster/a.cpp",
                f'#include "{path}"',
                f'"{path}" is not a path from the project\'s root',
            )
        self.assert_refused(
            "storage/a.cpp",
            "#include <cluster/b.hpp>",
            "<cluster/b.hpp> is ours; write it in quotes",
        )
        self.assert_refused(
            "storage/a.cpp",
            '#include "sqlite3/sqlite3.h"',
            '"sqlite3/sqlite3.h" is in no folder of ours; '
            "write <...> for a library",
        )

    def test_a_comment_is_no_include(self):
        self.assert_fine("windows/a.hpp", '// #include "cluster/b.hpp"')

    def test_a_tree_without_sources_is_a_mistake(self):
        self.assertEqual(check_includes({"README.md": ["Weir"]})[0], 1)


if __name__ == "__main__":
    unittest.main()
