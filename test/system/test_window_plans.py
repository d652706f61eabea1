"""Which windows there are, and what they wait for."""

import random
import re
import threading
import unittest

import harness
from rollups import BASE, MINUTE, PATIENT, RollupTest, lines

UNREACHABLE, NOT_FOUND = 4, 3


class HolderTest(RollupTest):
    def test_a_producer_that_lags_behind_is_named(self):
        cluster = self.start(nodes=2, settings=PATIENT)
        slow = cluster.start_ingest("--producer", "slow", "-")
        self.write(slow, [("a", 0, 1)])
        harness.eventually(
            "it has sent", lambda: cluster.ledger()["accepted"] == 1
        )
        self.send(cluster, [("b", 10 * MINUTE, 1)], "--flush")
        harness.eventually(
            "it is named",
            lambda: "producer slow has come no further than "
            "2023-11-14T22:13:20.000Z" in self.why(cluster, 0),
        )
        self.assertEqual(self.state(cluster, 0), "open")
        (holder,) = self.list(cluster)["held_by"]
        self.assertEqual(
            (holder["kind"], holder["producer"], holder["time_ms"]),
            ("producer", "slow", BASE),
        )
        self.assertIn("slow", self.assert_done(cluster.run("window list")).out)
        self.end(slow)
        (row,) = self.wait_final(cluster, 10 * MINUTE)
        self.assert_row(row, count=1)
        (row,) = self.window(cluster, 0)
        self.assert_row(row, state="final", count=1)

    def test_a_producer_without_input_lets_go(self):
        cluster = self.start(settings={"idle-after": "200ms"})
        idle = cluster.start_ingest("--producer", "idle", "-")
        self.write(idle, [("a", 0, 1)])
        harness.eventually(
            "it has sent", lambda: cluster.ledger()["accepted"] == 1
        )
        self.send(cluster, [("b", 10 * MINUTE, 1)], "--flush")
        self.wait_final(cluster, 10 * MINUTE)
        self.end(idle)

    def test_a_producer_that_was_killed_lets_go(self):
        cluster = self.start(settings={"idle-after": "500ms"})
        lost = cluster.start_ingest("--producer", "lost", "-")
        self.write(lost, [("a", 0, 1)])
        harness.eventually(
            "it has sent", lambda: cluster.ledger()["accepted"] == 1
        )
        lost.kill()
        self.send(cluster, [("b", 10 * MINUTE, 1)], "--flush")
        self.wait_final(cluster, 10 * MINUTE)

    def test_a_shard_whose_node_is_down_is_named(self):
        cluster = self.start(nodes=2, settings={"replicas": 1})
        # So many that each node has some.
        producer = cluster.start_ingest("-", "--flush")
        self.write(producer, [(f"e{i}", i, 1) for i in range(100)])
        harness.eventually(
            "they are in", lambda: cluster.ledger()["accepted"] == 100
        )
        cluster.nodes[1].kill()
        self.end(producer)
        harness.eventually(
            "it is named",
            lambda: re.search(
                "shards .* on node n2 have not sent their parts: .* are down",
                self.why(cluster, 0),
            ),
        )
        self.assertNotEqual(self.state(cluster, 0), "final")
        self.assertNotIn("on node n1", self.why(cluster, 0))
        cluster.nodes[1].start()
        (row,) = self.wait_final(cluster, 0)
        self.assert_row(row, count=100, sum=100)

    def test_the_watermark_is_in_the_status(self):
        cluster = self.start()
        self.assertIsNone(cluster.status()["watermark_ms"])
        self.send(cluster, [("a", 0, 1), ("a", 5_000, 1)])
        harness.eventually(
            "the watermark", lambda: cluster.status()["watermark_ms"] == BASE + 5_000
        )
        out = self.assert_done(cluster.run("status")).out
        self.assertIn("watermark 2023-11-14T22:13:25.000Z", out)


class ChangeTest(RollupTest):
    def every(self, cluster, text):
        return self.assert_done(cluster.run("window every", text)).out

    def test_a_change_of_duration_loses_nothing_and_counts_nothing_twice(self):
        cluster = self.start(nodes=2, settings={"rollup-every": "1s"})
        rng = random.Random(3)
        sent, over = [], threading.Event()
        producer = cluster.start_ingest("-", "--flush")

        def write():
            # Ten times as fast as the wall clock, up to 5 s out of order.
            while not over.is_set():
                at = len(sent)
                batch = [
                    (f"e{i % 50}", i - rng.randrange(5_000), rng.randrange(100))
                    for i in range(at, at + 100)
                ]
                sent.extend(batch)
                producer.popen.stdin.write(lines(batch).encode())
                producer.popen.stdin.flush()
                over.wait(0.01)
            producer.popen.stdin.close()

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        try:
            for every in ("700ms", "300ms", "2s"):
                seen = cluster.ledger()["accepted"]
                harness.eventually(
                    "readings flow",
                    lambda seen=seen: cluster.ledger()["accepted"] > seen + 5_000,
                )
                self.assertIn(f"windows of {every} from ", self.every(cluster, every))
            seen = cluster.ledger()["accepted"]
            harness.eventually(
                "windows of the last duration",
                lambda: cluster.ledger()["accepted"] > seen + 10_000,
            )
        finally:
            over.set()
            writer.join(harness.PATIENCE)
        self.assertEqual(producer.wait(), 0, producer.output)
        self.wait_final(cluster, len(sent) - 1)
        rows = self.windows(cluster, -10_000, len(sent))
        bounds = [(x["window_start_ms"], x["window_end_ms"]) for x in rows]
        for (_, end), (start, _) in zip(bounds, bounds[1:]):
            self.assertLessEqual(end, start)
        widths = {end - start for start, end in bounds}
        self.assertEqual(widths, {1_000, 700, 300, 2_000})
        for start, end in bounds:
            self.assertEqual(start % (end - start), 0)
        self.assertEqual({x["state"] for x in rows}, {"final"})
        self.assertEqual(sum(x["count"] for x in rows), len(sent))
        self.assertEqual(sum(x["sum"] for x in rows), sum(x for _, _, x in sent))
        self.assert_rollup(cluster, in_windows=len(sent))

    def test_windows_are_switched_off_and_on_again(self):
        cluster = self.start()
        self.send(cluster, [("a", 0, 1)])
        self.assertIn("no windows from ", self.every(cluster, "off"))
        self.assertEqual(self.list(cluster)["every_ms"], 0)
        # The window of the first reading goes on to its end.
        self.send(cluster, [("a", 1, 1), ("a", 2 * MINUTE, 1)])
        self.assert_rollup(cluster, in_windows=2, outside=1)
        self.assertIn("windows of 1m from ", self.every(cluster, "1m"))
        self.send(cluster, [("a", 5 * MINUTE, 1)], "--flush")
        (row,) = self.wait_final(cluster, 5 * MINUTE)
        self.assert_row(row, count=1)
        (row,) = self.window(cluster, 0)
        self.assert_row(row, state="final", count=2)
        self.assert_done(cluster.run("query window", BASE + 2 * MINUTE), NOT_FOUND)
        self.assert_rollup(cluster, in_windows=3, outside=1)

    def test_a_change_that_cannot_be_meant_is_refused(self):
        cluster = self.start()
        for text in ("0s", "soon", "-5s", "1.5"):
            done = cluster.run("window every", "--", text)
            self.assert_done(done, 2)
            self.assertRegex(done.err, "^weir: ")

    def test_a_change_waits_for_every_shard(self):
        cluster = self.start(nodes=2, settings={"replicas": 1})
        cluster.nodes[1].kill()
        done = cluster.run("window every", "5m", "--timeout", "1s")
        self.assert_done(done, UNREACHABLE)
        self.assertIn("on node n2", done.err)
        cluster.nodes[1].start()
        harness.eventually(
            "it takes effect", lambda: self.list(cluster)["every_ms"] == 300_000
        )


class ExplicitTest(RollupTest):
    def open(self, cluster, start, end, code=0):
        done = cluster.run(
            "window open", "--from", BASE + start, "--to", BASE + end
        )
        return self.assert_done(done, code)

    def begin(self, nodes=1):
        return self.start(nodes, settings={"rollup-every": "off"})

    def test_what_comes_after_a_window_is_open_counts(self):
        cluster = self.begin(nodes=2)
        self.open(cluster, 0, 1_000)
        self.open(cluster, 5_000, 5_001)
        self.send(
            cluster,
            [("a", -1, 1), ("a", 0, 2), ("b", 999, 4), ("a", 1_000, 8)]
            + [("c", 5_000, 16), ("c", 5_001, 32), ("c", 60_000, 64)],
            "--flush",
        )
        (row,) = self.wait_final(cluster, 5_000)
        self.assert_row(row, count=1, sum=16)
        (row,) = self.window(cluster, 500)
        self.assert_row(
            row, window_start_ms=BASE, window_end_ms=BASE + 1_000, count=2, sum=6
        )
        self.assert_rollup(cluster, in_windows=3, outside=4)

    def test_windows_that_overlap_are_refused(self):
        cluster = self.begin()
        self.open(cluster, 0, 1_000)
        for start, end in ((-1, 1), (999, 2_000), (200, 300), (-5, 5_000), (0, 1_000)):
            done = self.open(cluster, start, end, code=1)
            self.assertRegex(done.err, "^weir: .*overlap")
        self.open(cluster, 1_000, 1_001)
        self.open(cluster, -1, 0)
        for start, end in ((5_000, 5_000), (6_000, 5_000)):
            self.open(cluster, start, end, code=2)

    def test_beside_windows_of_a_duration_there_are_no_others(self):
        cluster = self.start()
        done = self.open(cluster, 0, 1_000, code=1)
        self.assertIn("weir window every off", done.err)

    def test_a_window_closed_by_hand_is_final_and_takes_nothing_more(self):
        cluster = self.begin(nodes=2)
        self.open(cluster, 0, 1_000)
        self.open(cluster, 1_000, 2_000)
        self.send(cluster, [("a", 1_500, 1), ("a", 1, 7)])
        done = self.assert_done(cluster.run("window close", BASE + 1_999))
        self.assertIn("is closed", done.out)
        (row,) = self.wait_final(cluster, 1_000)
        self.assert_row(row, count=1, sum=1)
        # The other one goes on.
        self.send(cluster, [("a", 1_600, 1), ("a", 2, 7)])
        self.assert_rollup(cluster, in_windows=3, late=1)
        # Its end is behind the watermark, its lateness is not.
        self.assertEqual(self.state(cluster, 0), "complete")
        self.assertEqual(self.window(cluster, 1_000)[0], row)

    def test_a_window_that_nothing_fell_into_can_be_closed(self):
        cluster = self.begin()
        self.open(cluster, 0, 1_000)
        self.assert_done(cluster.run("window close", BASE))
        (row,) = self.wait_final(cluster, 0)
        self.assert_row(row, metric=None, count=0, sum=0, average=None)

    def test_closing_where_there_is_no_window_fails(self):
        cluster = self.begin()
        self.assert_done(cluster.run("window close", BASE), NOT_FOUND)


if __name__ == "__main__":
    unittest.main()
