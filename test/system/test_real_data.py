"""Averages of real series, against answers computed with exact fractions."""

import csv
import fractions
import gzip
import unittest

import harness

NAB = harness.SHARED / "data" / "nab"
# Of the mean magnitude of the readings: what the design promises.
ERROR_MAX = fractions.Fraction(1, 10**15)
# Four years of readings are asked for after all of them have come; the busiest
# series has some 23,000.
SETTINGS = {"retention": "3000d", "cells-max": 32768}


@unittest.skipUnless(NAB.is_dir(), f"there is no {NAB}: real data is not tested")
class RealDataTest(harness.SystemTest):
    @classmethod
    def setUpClass(cls):
        with gzip.open(NAB / "events.csv.gz", "rt", encoding="utf-8") as file:
            cls.oracle = harness.Oracle(
                (x["entity"], int(x["timestamp_ms"]), float(x["value"]))
                for x in csv.DictReader(file)
            )
        with open(NAB / "sliding.csv", encoding="utf-8") as file:
            cls.expected = list(csv.DictReader(file))

    def check(self, cluster):
        done = self.assert_done(cluster.ingest(NAB / "events.csv.gz"))
        self.assertEqual(done.row["accepted"], 365_558)
        self.assert_ledger(cluster, accepted=365_558)
        questions = [
            {"entity": x["entity"], "at": int(x["T_ms"]), "window": int(x["W_ms"])}
            for x in self.expected
        ]
        answers = self.assert_done(cluster.ask(questions)).rows
        self.assertEqual(len(answers), 3654)
        for question, expected, answer in zip(questions, self.expected, answers):
            self.check_one(question, expected, answer)

    def check_one(self, question, expected, answer):
        at, width = question["at"], question["window"]
        self.assertEqual(
            {
                "entity": question["entity"],
                "found": True,
                "count": int(expected["n_lopen"]),
                "window_start_ms": at - width,
                "window_end_ms": at,
                "exact": True,
                "complete": True,
                "resolution_ms": 1,
            },
            {
                x: answer[x]
                for x in (
                    "entity",
                    "found",
                    "count",
                    "window_start_ms",
                    "window_end_ms",
                    "exact",
                    "complete",
                    "resolution_ms",
                )
            },
        )
        if answer["count"] == 0:
            self.assertIsNone(answer["average"])
            return
        count, total = self.oracle.window(**question)
        exact = fractions.Fraction(total, count)
        # The file's own answer: two computations from the same readings agree.
        self.assertEqual(float(exact), float(expected["avg_lopen"]))
        error = abs(fractions.Fraction(answer["average"]) - exact)
        bound = ERROR_MAX * self.oracle.magnitude(**question)
        self.assertLessEqual(error, bound, answer)

    def test_one_process_answers_exactly(self):
        self.check(self.start(settings=SETTINGS))

    def test_a_coordinator_and_three_nodes_answer_exactly(self):
        cluster = self.start(nodes=3, settings=SETTINGS)
        self.check(cluster)
        nodes = cluster.status()["nodes"]
        self.assertEqual(sum(x["entities"] for x in nodes), 58)
        self.assertTrue(all(x["entities"] > 0 for x in nodes), nodes)

    def test_a_series_that_was_never_sent_is_unknown(self):
        cluster = self.start(settings=SETTINGS)
        done = self.assert_done(cluster.ask([{"entity": "none"}]), code=3)
        self.assertEqual(
            [done.row[x] for x in ("found", "count", "average")], [False, 0, None]
        )


if __name__ == "__main__":
    unittest.main()
