"""Readings whose averages one can tell without an oracle."""

import harness

BASE = 1_700_000_000_000


def events(entities, times=(0, 1_000, 2_000), factor=10):
    """Entity e at time t has the value factor * e + t / 1000."""
    return "".join(
        harness.event(f"e{e}", BASE + t, factor * e + t // 1000)
        for t in times
        for e in entities
    )


class SimpleTest(harness.SystemTest):
    def primaries(self, cluster):
        """{node: number of shards}"""
        nodes = cluster.status()["nodes"]
        return {x["name"]: x["primaries"] for x in nodes}

    def owners(self, cluster):
        """{shard: node}, of those that hold data."""
        shards = cluster.status()["shards"]
        return {x["shard"]: x["primary"] for x in shards if not x["empty"]}

    def assert_answered(self, cluster, entities):
        questions = [
            {"entity": f"e{e}", "at": BASE + 2_000, "window": 60_000}
            for e in entities
        ]
        done = self.assert_done(cluster.ask(questions))
        self.assertEqual(
            [(x["count"], x["average"]) for x in done.rows],
            [(3, 10 * e + 1) for e in entities],
        )
        return done.rows

    def fill(self, cluster, entities):
        done = self.assert_done(cluster.ingest(events(entities)))
        self.assertEqual(done.row["accepted"], 3 * len(entities))
        self.assert_ledger(cluster, accepted=3 * len(entities))
