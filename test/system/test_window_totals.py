"""Totals of windows over all entities are exact, and final once."""

import fractions
import random
import unittest

import harness
from rollups import BASE, FIRST, MINUTE, PATIENT, RollupTest, expected, totals

UNREACHABLE, NOT_FOUND = 4, 3
INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)


def spread(count, span, seed=7):
    """Readings of ten sensors at random times of [0, span)."""
    rng = random.Random(seed)
    return [
        (f"e{rng.randrange(10)}", rng.randrange(span), rng.randrange(-1000, 1000))
        for _ in range(count)
    ]


class WindowTest(RollupTest):
    def test_windows_are_aligned_to_the_epoch_and_hold_every_reading_once(self):
        cluster = self.start(nodes=2)
        readings = spread(2_000, 10 * MINUTE)
        readings.sort(key=lambda x: x[1])
        self.send(cluster, readings, "--flush")
        self.wait_final(cluster, 10 * MINUTE - 1)
        rows = self.windows(cluster, 0, 10 * MINUTE)
        self.assertEqual({x["state"] for x in rows}, {"final"})
        self.assertEqual(totals(rows), expected(readings, MINUTE))
        for x in rows:
            self.assertEqual(x["average"], x["sum"] / x["count"])
        self.assert_rollup(cluster, in_windows=2_000)

    def test_a_time_on_the_bound_belongs_to_the_window_that_begins(self):
        cluster = self.start()
        self.send(
            cluster,
            [("a", FIRST, 1), ("a", FIRST + MINUTE - 1, 2), ("a", FIRST + MINUTE, 4)],
            "--flush",
        )
        self.wait_final(cluster, FIRST + MINUTE)
        sums = {
            x["window_start_ms"] - BASE: x["sum"]
            for x in self.windows(cluster, FIRST, FIRST + 2 * MINUTE)
        }
        self.assertEqual(sums, {FIRST: 3, FIRST + MINUTE: 4})

    def test_a_window_without_readings_has_null_for_its_average(self):
        cluster = self.start()
        self.send(cluster, [("a", 0, 1), ("a", 3 * MINUTE, 1)], "--flush")
        (row,) = self.wait_final(cluster, MINUTE)
        self.assert_row(
            row,
            window_start_ms=BASE + FIRST + MINUTE,
            window_end_ms=BASE + FIRST + 2 * MINUTE,
            state="final",
            metric=None,
            count=0,
            sum=0,
            min=None,
            max=None,
            average=None,
        )
        (row,) = self.window(cluster, MINUTE, "--metric", "value")
        self.assert_row(row, metric="value", count=0, sum=0, average=None)

    def test_a_gap_of_years_costs_nothing(self):
        cluster = self.start(settings={"rollup-every": "1ms"})
        old, years = -BASE, 50 * 365 * 86_400_000
        done = self.send(cluster, [("a", old, 5)])
        self.assertEqual(done["accepted"], 1)
        self.send(cluster, [("a", old + years, 7)], "--flush")
        (row,) = self.wait_final(cluster, old + years)
        self.assert_row(row, count=1, sum=7)
        (row,) = self.window(cluster, old)
        self.assert_row(row, count=1, sum=5, window_start_ms=0, window_end_ms=1)
        (row,) = self.window(cluster, old + years // 2)
        self.assert_row(row, state="final", count=0, sum=0, metric=None)
        self.assert_rollup(cluster, in_windows=2)

    def test_sums_beyond_int64_are_strings_of_all_digits(self):
        cluster = self.start(nodes=2)
        self.send(
            cluster,
            [(f"e{i}", 0, INT64_MAX) for i in range(3)]
            + [(f"e{i}", MINUTE, INT64_MIN) for i in range(3)]
            + [("e1", 2 * MINUTE, INT64_MAX), ("e2", 2 * MINUTE, INT64_MIN)],
            "--flush",
        )
        (row,) = self.wait_final(cluster, 2 * MINUTE)
        self.assert_row(row, sum=-1, min=INT64_MIN, max=INT64_MAX)
        (row,) = self.window(cluster, 0)
        self.assert_row(
            row, count=3, sum=str(3 * INT64_MAX), min=INT64_MAX, max=INT64_MAX
        )
        (row,) = self.window(cluster, MINUTE)
        self.assert_row(row, sum=str(3 * INT64_MIN), average=float(INT64_MIN))
        people = self.assert_done(cluster.run("query window", BASE)).out
        self.assertIn(str(3 * INT64_MAX), people)

    def test_integers_and_doubles_of_one_metric_mix(self):
        cluster = self.start(nodes=2)
        self.send(
            cluster,
            [("a", 0, 2), ("b", 1, 0.5), ("c", 2, -1), ("a", 3, 0.25)],
            "--flush",
        )
        (row,) = self.wait_final(cluster, 0)
        self.assert_row(row, count=4, sum=1.75, min=-1, max=2, average=0.4375)

    def test_the_order_of_arrival_does_not_change_a_sum_of_doubles(self):
        values = [1e16, 1.0, -1e16, 3.0, 1e-3, 1e300, -1e300]
        seen = set()
        for seed in range(3):
            cluster = self.start(nodes=1 + seed % 2)
            readings = [(f"e{i}", i, x) for i, x in enumerate(values)]
            random.Random(seed).shuffle(readings)
            self.send(cluster, readings, "--flush")
            (row,) = self.wait_final(cluster, 0)
            seen.add((row["sum"], row["average"]))
        exact = sum(map(fractions.Fraction, values))
        self.assertEqual(seen, {(float(exact), float(exact / 7))})

    def test_one_metric_of_many_can_be_asked_for(self):
        cluster = self.start()
        sample = '{"sensor_id":"s","timestamp":1700000000,"data":{"a":1,"b.c":2}}\n'
        self.assert_done(cluster.ingest(sample, "--flush"))
        rows = self.wait_final(cluster, 0)
        self.assertEqual([(x["metric"], x["sum"]) for x in rows], [("a", 1), ("b.c", 2)])
        (row,) = self.window(cluster, 0, "--metric", "b.c")
        self.assert_row(row, metric="b.c", sum=2)


class StateTest(RollupTest):
    def test_an_open_window_says_so_and_shows_its_totals_on_demand(self):
        cluster = self.start(nodes=2)
        self.send(cluster, [("a", 0, 1), ("b", 1, 2)])
        (row,) = self.window(cluster, 0)
        self.assert_row(row, state="open", metric=None, count=None, sum=None)
        (row,) = self.window(cluster, 0, "--partial")
        self.assert_row(row, state="open", metric="value", count=2, sum=3)
        done = self.assert_done(cluster.run("query window", BASE))
        self.assertIn("is open", done.out)
        self.assertIn("--partial", done.out)
        self.assertIn("--flush", done.out)
        done = self.assert_done(cluster.run("query window", BASE, "--partial"))
        self.assertRegex(done.out, r"open +value +2 +3 +1 +2 +1\.5")

    def test_a_window_is_complete_before_it_is_final(self):
        cluster = self.start(settings={"rollup-lateness": "1m", **PATIENT})
        producer = cluster.start_ingest("-")
        self.write(producer, [("a", 0, 1), ("a", 40_000, 1)])
        harness.eventually(
            "the watermark passes the end",
            lambda: self.state(cluster, 0) == "complete",
        )
        self.assertIn("is complete", self.why(cluster, 0))
        # What comes in now still counts.
        self.write(producer, [("b", 1, 5), ("a", 40_000 + MINUTE, 1)])
        (row,) = self.wait_final(cluster, 0)
        self.assert_row(row, count=2, sum=6)
        self.end(producer)

    def test_with_no_lateness_a_window_is_final_at_its_end(self):
        cluster = self.start(settings={"rollup-lateness": "0s", **PATIENT})
        producer = cluster.start_ingest("-")
        self.write(producer, [("a", 0, 1), ("a", FIRST + MINUTE - 1, 1)])
        harness.eventually(
            "the readings are in", lambda: cluster.ledger()["accepted"] == 2
        )
        self.assertEqual(self.state(cluster, 0), "open")
        self.write(producer, [("b", FIRST + MINUTE, 1)])
        (row,) = self.wait_final(cluster, 0)
        self.assert_row(row, count=2)
        self.end(producer)

    def test_late_readings_are_counted_as_late_and_change_nothing(self):
        cluster = self.start(nodes=2)
        self.send(cluster, [("a", 0, 1)], "--flush")
        before = self.wait_final(cluster, 0)
        # Within the retention of the sliding averages, which take it.
        done = self.send(cluster, [("a", 1, 1), ("b", 2, 1), ("c", FIRST + MINUTE, 1)])
        self.assertEqual(done["accepted"], 3)
        self.assert_rollup(cluster, in_windows=2, late=2)
        self.assertEqual(self.window(cluster, 0), before)
        self.assertEqual(self.window(cluster, 0, "--partial"), before)

    def test_final_results_outlive_every_process(self):
        cluster = self.start(nodes=2)
        readings = [(f"e{i}", i, i) for i in range(100)]
        self.send(cluster, readings, "--flush")
        before = self.wait_final(cluster, 0)
        for server in cluster.servers:
            server.restart()
        cluster.wait(2)
        self.assertEqual(self.window(cluster, 0), before)
        self.send(cluster, [("late", 5, 1)])
        self.assert_rollup(cluster, in_windows=100, late=1)
        self.assertEqual(self.window(cluster, 0), before)

    def test_shards_that_do_not_answer_are_named(self):
        cluster = self.start(nodes=2, settings={"replicas": 1})
        self.send(cluster, [(f"e{i}", i, 1) for i in range(100)])
        cluster.nodes[1].kill()
        harness.eventually(
            "the coordinator notices",
            lambda: any(x["state"] == "down" for x in cluster.status()["nodes"]),
        )
        done = cluster.run("query window", BASE, "--partial", "--json")
        self.assert_done(done, UNREACHABLE)
        self.assertRegex(done.err, r"shards .* did not answer")
        self.assertLess(0, done.row["count"])
        self.assertLess(done.row["count"], 100)
        cluster.nodes[1].start()
        cluster.wait(2)
        (row,) = self.window(cluster, 0, "--partial")
        self.assert_row(row, count=100)

    def test_where_no_window_is_announced_there_is_none(self):
        cluster = self.start(settings={"rollup-every": "off"})
        done = cluster.run("query window", BASE)
        self.assert_done(done, NOT_FOUND)
        self.assertRegex(done.err, "^weir: .*no window")
        done = cluster.run("query windows", "--from", BASE, "--to", BASE + 1)
        self.assert_done(done, NOT_FOUND)
        self.assert_done(cluster.run("window why", BASE), NOT_FOUND)
        done = cluster.run("query windows", "--from", BASE, "--to", BASE)
        self.assert_done(done, 2)


if __name__ == "__main__":
    unittest.main()
