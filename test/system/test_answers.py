"""What a question may meet, other than an average."""

import subprocess
import sys
import unittest

import harness
from simple import BASE, events


class AnswerTest(harness.SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = harness.Cluster(nodes=2)
        cls.addClassCleanup(cls.shared.close)
        done = cls.shared.ingest(events(range(20)))
        assert done.code == 0, done

    def ask(self, *args):
        return self.shared.run("query average", "--json", *args)

    def test_an_unknown_entity_leaves_three(self):
        done = self.assert_done(self.ask("e1", "nobody", "e2"), code=3)
        self.assertEqual(
            [(x["found"], x["count"]) for x in done.rows],
            [(True, 3), (False, 0), (True, 3)],
        )
        self.assertIsNone(done.rows[1]["average"])
        done = self.shared.run("query average", "nobody")
        self.assert_done(done, code=3)
        self.assertEqual(done.out, "nobody: no such entity\n")

    def test_before_the_first_reading_there_is_no_clock_and_no_window(self):
        cluster = harness.Cluster()
        self.addCleanup(cluster.close)

        def bounds(*args):
            done = cluster.run("query average", "nobody", "--json", *args)
            row = self.assert_done(done, code=3).row
            return row["window_start_ms"], row["window_end_ms"]

        self.assertEqual(bounds(), (None, None))
        self.assertEqual(bounds("--at", BASE), (BASE - 60_000, BASE))
        done = cluster.run("query average", "nobody")
        self.assert_done(done, code=3)
        self.assertEqual(
            done.out,
            "nobody: no such entity; its shard has no clock yet, since no "
            "reading has come\n",
        )

    def test_an_unknown_metric_leaves_three(self):
        done = self.shared.run("query average", "e1", "--metric", "heat")
        self.assert_done(done, code=3)
        self.assertEqual(done.out, "e1 heat: no such metric; it has value\n")

    def test_an_empty_window_is_no_error(self):
        done = self.ask("e1", "--at", BASE + 2_000, "--window", "1ms")
        self.assertEqual(self.assert_done(done).row["count"], 1)
        done = self.ask("e1", "--at", BASE + 2_001, "--window", "1ms")
        row = self.assert_done(done).row
        self.assertEqual(
            (row["found"], row["count"], row["average"]), (True, 0, None)
        )

    def test_the_window_is_open_below_and_closed_above(self):
        for at, width, count in (
            (BASE + 2_000, 2_000, 2),
            (BASE + 2_000, 2_001, 3),
            (BASE + 1_999, 2_000, 2),
            (BASE, 1, 1),
            (BASE - 1, 1, 0),
        ):
            done = self.ask("e1", "--at", at, "--window", f"{width}ms")
            self.assertEqual(self.assert_done(done).row["count"], count, done)

    def test_without_an_instant_the_answer_is_of_the_clock(self):
        row = self.assert_done(self.ask("e1")).row
        self.assertEqual(row["window_end_ms"], BASE + 2_000)
        self.assertEqual(row["window_start_ms"], BASE + 2_000 - 60_000)
        self.assertEqual((row["count"], row["average"]), (3, 11))

    def test_bad_questions_are_answered_by_a_sentence_in_their_place(self):
        path = self.shared.directory / "bad.ndjson"
        good = f'{{"entity":"e1","at":{BASE + 2000}}}'
        path.write_text(
            f'{good}\nnonsense\n{{"at":1}}\n{{"entity":"e1","window":"-5s"}}\n'
            f'{{"entity":"e1","color":"red"}}\n'
            f'{{"entity":"e1","at":{2**64 - 1}}}\n\n{good}\n',
            encoding="utf-8",
        )
        done = self.shared.run("query average", "--from", path, "--json")
        self.assert_done(done, code=5)
        self.assertEqual([x.get("count") for x in done.rows], [3, *[None] * 5, 3])
        errors = [x.get("error", "") for x in done.rows]
        for i, error in enumerate(errors[1:6], start=2):
            self.assertTrue(error.startswith(f"{path}:{i}: "), errors)

    def test_questions_without_sense_are_usage_errors(self):
        for args in (
            [],
            ["e1", "--window", "0s"],
            ["e1", "--window", "wide"],
            ["e1", "--at", "soon"],
            ["e1", "--from", "x"],
            ["e1", "--watch", "0s"],
        ):
            done = self.ask(*args)
            self.assert_done(done, code=2)
            self.assertTrue(done.err.startswith("weir: "), done)

    def test_questions_that_cannot_be_read_to_their_end_are_a_failure(self):
        done = self.ask("--from", "/")
        self.assert_done(done, code=1)
        self.assertIn("/: can't be read", done.err)

    def test_a_line_of_questions_without_an_end_fills_no_memory(self):
        program = (
            "import resource, subprocess, sys\n"
            "resource.setrlimit(resource.RLIMIT_DATA, (2**28, 2**28))\n"
            "sys.exit(subprocess.run(sys.argv[1:]).returncode)\n"
        )
        zeros = subprocess.Popen(
            ["head", "-c", str(2**28), "/dev/zero"], stdout=subprocess.PIPE
        )
        done = subprocess.run(
            [sys.executable, "-c", program, harness.WEIR, "query", "average",
             "--join", self.shared.join, "--from", "-"],
            stdin=zeros.stdout, capture_output=True, text=True, timeout=60,
        )
        zeros.stdout.close()
        zeros.wait()
        self.assertEqual(done.returncode, 5, done)
        self.assertIn("longer than a question may be", done.stdout)

    def test_a_file_of_questions_that_is_not_there(self):
        done = self.ask("--from", "/nonexistent/questions")
        self.assert_done(done, code=1)
        self.assertIn("/nonexistent/questions", done.err)

if __name__ == "__main__":
    unittest.main()
