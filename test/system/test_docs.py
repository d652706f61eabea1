"""The documentation says what is so."""

import contextlib
import pathlib
import re
import signal
import sqlite3
import tempfile
import unittest

from harness import READY, ROOT, Process, eventually, weir

DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
FORMATS = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.M)
# `| one, two | default | ...`, as tables of options are.
OPTION_ROW = re.compile(r"^\| ([a-z][a-z-]*(?:, [a-z-]+)*) \| ([^|]+) \|", re.M)


def anchors(path):
    """What GitHub calls the headings of a page."""
    for heading in HEADING.findall(path.read_text(encoding="utf-8")):
        text = re.sub(r"[^\w\- ]", "", heading.lower())
        yield text.replace(" ", "-")


def section(text, title):
    """The part of a page under one of its second-level headings."""
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


class DocsTest(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for page in DOCS:
            for link in LINK.findall(page.read_text(encoding="utf-8")):
                if link.startswith("http"):
                    continue
                path, _, anchor = link.partition("#")
                target = (page.parent / path).resolve() if path else page
                with self.subTest(page=page.name, link=link):
                    self.assertTrue(target.exists())
                    if anchor:
                        self.assertIn(anchor, anchors(target))

    def test_every_option_is_listed_with_its_default(self):
        tables = section(OPERATIONS, "Settings").split("without an option")[0]
        listed = {}
        for names, defaults in OPTION_ROW.findall(tables):
            defaults = defaults.strip().split(", ")
            listed.update(zip(names.split(", "), defaults))
        shown = weir("config", "show", "--describe", "--json").rows
        self.assertEqual(set(listed), {row["option"] for row in shown})
        for row in shown:
            with self.subTest(option=row["option"]):
                if row["default"] is not None:
                    self.assertEqual(listed[row["option"]], row["default"])

    def test_every_exit_code_is_listed(self):
        listed = section(OPERATIONS, "Exit codes")
        codes = re.findall(r"^  (\d)  ", weir("--help").out, re.M)
        self.assertEqual(re.findall(r"^\| (\d) \|", listed, re.M), codes)

    def test_tables_and_ledger_are_as_a_server_has_them(self):
        with tempfile.TemporaryDirectory() as directory:
            data = pathlib.Path(directory, "data")
            server = Process(
                ["serve", "--listen", "127.0.0.1:0", "--data", data],
                pathlib.Path(directory, "log"),
            )
            try:
                at = eventually("it is ready", lambda: READY.search(server.output))
                ledger = weir("status", "--join", at.group(2), "--json", "--ledger").row
            finally:
                server.signal(signal.SIGTERM)
                server.wait()
            listed = re.findall(r"^\| (\w+) \|", section(FORMATS, "The ledger"), re.M)
            self.assertEqual({"received", *listed} - {"count"}, set(ledger))
            for name in ("journal", "state", "coordinator"):
                with contextlib.closing(sqlite3.connect(data / f"{name}.db")) as db:
                    stored = db.execute(
                        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
                    ).fetchall()
                part = FORMATS.split(f"### {name}.db", 1)[1]
                part = part.split("```sql\n", 1)[1].split("```", 1)[0]
                listed = part.strip().rstrip(";").split(";\n")
                # A column that was added later stands on a line of its own.
                words = [re.sub(r"\s*,\s*", ", ", x) for x in listed]
                found = [re.sub(r"\s*,\s*", ", ", sql) for (sql,) in stored]
                found = [re.sub(r"\s*\)$", ")", x) for x in found]
                words = [re.sub(r"\s*\)$", ")", x) for x in words]
                with self.subTest(file=name):
                    self.assertEqual(words, found)


if __name__ == "__main__":
    unittest.main()
