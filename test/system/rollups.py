"""Windows over all entities, for tests that ask for their totals."""

import collections

import harness
from harness import event

BASE = 1_700_000_000_000
# BASE is 20 s after a bound of windows of a minute, the default.
MINUTE = 60_000
FIRST = -20_000
# A producer that is silent holds the watermark all the same.
PATIENT = {"idle-after": "1h"}
AGGREGATES = ("count", "sum", "min", "max", "average")


def lines(readings):
    """Input of (entity, time after BASE, value)."""
    return "".join(event(e, BASE + t, x) for e, t, x in readings)


def totals(rows):
    """{(start, end, metric): (count, sum, min, max)}, each once."""
    res = {}
    for x in rows:
        key = x["window_start_ms"], x["window_end_ms"], x["metric"]
        if key in res:
            raise AssertionError(f"twice: {x}")
        res[key] = tuple(x[name] for name in AGGREGATES[:4])
    return res


def expected(readings, width, metric="value"):
    """The same, of (entity, time after BASE, value), by naive addition."""
    values = collections.defaultdict(list)
    for _, t, x in readings:
        values[(BASE + t) // width * width].append(x)
    return {
        (start, start + width, metric): (len(xs), sum(xs), min(xs), max(xs))
        for start, xs in values.items()
    }


class RollupTest(harness.SystemTest):
    def window(self, cluster, at, *args, code=0):
        """The rows of the window that holds BASE + at."""
        done = cluster.run("query window", "--json", BASE + at, *args)
        return self.assert_done(done, code).rows

    def windows(self, cluster, first, last, *args):
        """The rows of all windows that overlap BASE + [first, last)."""
        done = cluster.run(
            "query windows", "--json", "--from", BASE + first, "--to", BASE + last, *args
        )
        return self.assert_done(done).rows

    def state(self, cluster, at):
        return self.window(cluster, at)[0]["state"]

    def wait_final(self, cluster, at):
        """The rows of the window that holds BASE + at, once it is final."""

        def final():
            rows = self.window(cluster, at)
            return rows if rows[0]["state"] == "final" else None

        try:
            return harness.eventually("the window is final", final)
        except AssertionError:
            print(cluster.run("window why", BASE + at), cluster.run("window list"))
            raise

    def why(self, cluster, at):
        return self.assert_done(cluster.run("window why", BASE + at)).out

    def list(self, cluster):
        return self.assert_done(cluster.run("window list", "--json")).row

    def send(self, cluster, readings, *args):
        """Sends them, without an end to their time, and returns the summary."""
        return self.assert_done(cluster.ingest(lines(readings), *args)).row

    def write(self, producer, readings):
        producer.popen.stdin.write(lines(readings).encode())
        producer.popen.stdin.flush()

    def end(self, producer):
        producer.popen.stdin.close()
        self.assertEqual(producer.wait(), 0, producer.output)

    def rollup(self, cluster):
        return cluster.status()["rollup"]

    def assert_rollup(self, cluster, **counts):
        """Every count that is not named is zero, and they balance with those
        of the ledger."""
        want = {"in_windows": 0, "late": 0, "outside": 0, "refused": 0, **counts}
        self.assertEqual(len(want), 4)
        seen = []

        def matches():
            # Both are of one answer, so of one moment.
            status = cluster.status()
            ledger = status["ledger"]
            seen[:] = [status["rollup"], ledger]
            taken = ledger["accepted"] + ledger["late"]
            return seen[0] == want and sum(want.values()) == taken

        try:
            harness.eventually("the rollup's ledger", matches, 20)
        except AssertionError:
            self.assertEqual(seen[0], want)
            raise AssertionError(f"does not balance: {seen}") from None

    def assert_row(self, row, **values):
        self.assertEqual({x: row[x] for x in values}, values, row)
        for name, value in values.items():
            self.assertIs(type(row[name]), type(value), row)
