"""Windows are followed as they become final."""

import signal
import unittest

import harness
from rollups import BASE, FIRST, MINUTE, RollupTest


class TailTest(RollupTest):
    def tail(self, cluster, *args):
        log = cluster.directory / f"tail{len(cluster.clients) + 1}.log"
        res = harness.Process(
            ["tail", "--join", cluster.join, "--json", *args], log
        )
        cluster.clients.append(res)
        return res

    def rows(self, process):
        """What it has printed, of whole lines, without complaints."""
        text = process.output.rpartition("\n")[0]
        lines_ = [x for x in text.splitlines() if x.startswith("{")]
        return harness.Run([], 0, "\n".join(lines_), "").rows

    def wait_rows(self, process, count):
        def enough():
            self.assertTrue(process.running, process.output)
            return len(self.rows(process)) >= count

        harness.eventually(f"{count} windows were shown", enough)
        return self.rows(process)

    def test_windows_are_shown_as_they_become_final(self):
        cluster = self.start()
        self.send(cluster, [("a", 0, 1)], "--flush")
        self.wait_final(cluster, 0)
        new, all_ = self.tail(cluster), self.tail(cluster, "--after", "0")
        (first,) = self.wait_rows(all_, 1)
        self.assert_row(first, window_start_ms=BASE + FIRST, state="final", sum=1)
        self.send(cluster, [("a", 2 * MINUTE, 2)], "--flush")
        rows = self.wait_rows(all_, 2)
        # It began before the second was sent, but perhaps after it was final.
        for process in (new, all_):
            process.signal(signal.SIGINT)
            self.assertEqual(process.wait(), 0, process.output)
        self.assertEqual([x["sum"] for x in rows], [1, 2])
        self.assertLess(rows[0]["sequence"], rows[1]["sequence"])
        self.assertNotIn(first, self.rows(new))

    def test_it_goes_on_after_the_last_that_was_seen(self):
        cluster = self.start()
        self.send(cluster, [("a", i * MINUTE, i) for i in range(5)], "--flush")
        self.wait_final(cluster, 4 * MINUTE)
        seen = []
        after = 0
        for _ in range(5):
            done = cluster.run("tail", "--json", "--after", after, "--count", 1)
            seen.append(self.assert_done(done).row)
            after = seen[-1]["sequence"]
        self.assertEqual([x["sum"] for x in seen], list(range(5)))
        done = cluster.run("tail", "--after", 0, "--count", 5, "--metric", "value")
        self.assertEqual(len(self.assert_done(done).out.splitlines()), 5)

    def test_it_waits_for_a_coordinator_that_was_killed(self):
        cluster = self.start(nodes=2)
        tail = self.tail(cluster, "--after", "0")
        self.send(cluster, [("a", 0, 1)], "--flush")
        self.wait_rows(tail, 1)
        cluster.head.kill()
        harness.eventually(
            "it says that it waits", lambda: "weir: waiting: " in tail.output
        )
        cluster.head.start()
        cluster.wait(2)
        self.send(cluster, [("a", 2 * MINUTE, 2)], "--flush")
        rows = self.wait_rows(tail, 2)
        self.assertEqual([x["sum"] for x in rows], [1, 2])
        tail.signal(signal.SIGTERM)
        self.assertEqual(tail.wait(), 0, tail.output)


if __name__ == "__main__":
    unittest.main()
