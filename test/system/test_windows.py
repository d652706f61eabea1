"""Totals of real data, against those that naive addition gave."""

import csv
import gzip
import json
import random
import subprocess
import threading
import unittest

import harness
from rollups import RollupTest, totals

AIR = harness.SHARED / "data" / "beijing-air"
WIDTHS = (21_600, 86_400, 604_800)  # s
SAMPLES = 420_768
# How far the shuffled file is out of order, s.
DISORDER = 21_600
SEED = 5


@unittest.skipUnless(AIR.is_dir(), f"there is no {AIR}: real data is not tested")
class RealDataTest(RollupTest):
    @classmethod
    def setUpClass(cls):
        with gzip.open(AIR / "sensors.ndjson.gz", "rb") as file:
            cls.lines = file.readlines()
        assert len(cls.lines) == SAMPLES

    def reference(self, width):
        """{(start, end, metric): (count, sum, min, max)}, in ms."""
        path = AIR / f"tumbling_{width}s.csv.gz"
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return {
                (
                    int(x["window_start"]) * 1_000,
                    int(x["window_end"]) * 1_000,
                    x["metric"],
                ): tuple(int(x[y]) for y in ("count", "sum", "min", "max"))
                for x in csv.DictReader(file)
            }

    def shuffled(self):
        """The lines, none more than DISORDER behind one before it."""
        rng = random.Random(SEED)

        def key(line):
            return json.loads(line)["timestamp"] + rng.random() * DISORDER

        return sorted(self.lines, key=key)

    def start_with(self, nodes, width, lateness):
        settings = {"rollup-every": f"{width}s", "rollup-lateness": f"{lateness}s"}
        return self.start(nodes, settings)

    def check(self, cluster, width):
        want = self.reference(width)
        readings = sum(count for count, _, _, _ in want.values())
        last = max(end for _, end, _ in want)
        harness.eventually(
            "all windows are final",
            lambda: (self.list(cluster)["final_through_ms"] or 0) >= last,
        )
        done = cluster.run("query windows", "--json", "--from", 0, "--to", last)
        rows = self.assert_done(done).rows
        self.assertEqual({x["state"] for x in rows}, {"final"})
        for x in rows:
            self.assertEqual(x["average"], x["sum"] / x["count"])
        got = totals(rows)
        # Not assertEqual, whose account of a difference would take for ever.
        wrong = [x for x in want.keys() | got.keys() if want.get(x) != got.get(x)]
        self.assertEqual([(x, want.get(x), got.get(x)) for x in wrong[:5]], [])
        self.assert_rollup(cluster, in_windows=readings)

    def check_in_order(self, nodes, width):
        cluster = self.start_with(nodes, width, 10)
        self.assert_done(cluster.ingest(AIR / "sensors.ndjson.gz", "--flush"))
        self.check(cluster, width)

    def test_one_process_has_the_reference_s_totals(self):
        for width in WIDTHS:
            with self.subTest(width=width):
                self.check_in_order(0, width)

    def test_a_coordinator_and_three_nodes_have_the_reference_s_totals(self):
        for width in WIDTHS:
            with self.subTest(width=width):
                self.check_in_order(3, width)

    def test_shuffled_and_with_a_node_killed_midway_they_are_the_same(self):
        width = WIDTHS[0]
        shuffled = self.shuffled()
        self.assertNotEqual(shuffled, self.lines)
        cluster = self.start_with(3, width, DISORDER)
        producer = cluster.start_ingest("--flush", "-", stdin=subprocess.PIPE)
        half = len(shuffled) // 2

        def write():
            producer.popen.stdin.writelines(shuffled[half:])
            producer.popen.stdin.close()

        producer.popen.stdin.writelines(shuffled[:half])
        producer.popen.stdin.flush()
        # As late as it can be, what follows must still be in time.
        reached = max(json.loads(x)["timestamp"] for x in shuffled[:half])
        sealed = (reached - DISORDER) // width * width * 1_000
        harness.eventually(
            "windows of the first half are final",
            lambda: self.list(cluster)["final_through_ms"] == sealed,
        )
        # Some of the rest is on its way while the node is down.
        cluster.nodes[1].kill()
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        cluster.nodes[1].start()
        writer.join(2 * harness.PATIENCE)
        self.assertEqual(producer.wait(), 0, producer.output)
        self.check(cluster, width)


if __name__ == "__main__":
    unittest.main()
