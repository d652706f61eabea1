"""Several processes as one: who holds what, who answers, and who may send."""

import json
import subprocess
import unittest

import harness
from simple import BASE, SimpleTest, events

UNREACHABLE = 4


class PlacementTest(SimpleTest):
    def test_shards_are_spread_evenly_over_three_nodes(self):
        cluster = self.start(nodes=3)
        harness.eventually(
            "10, 11 and 11 shards",
            lambda: sorted(self.primaries(cluster).values()) == [10, 11, 11],
        )

    def test_a_node_that_restarts_gets_its_shards_back(self):
        cluster = self.start(nodes=3)
        self.fill(cluster, range(100))
        before = self.owners(cluster)
        self.assertEqual(set(before.values()), {"n1", "n2", "n3"})
        for node in cluster.nodes:
            node.restart()
        cluster.wait(3)
        self.assertEqual(self.owners(cluster), before)
        self.assert_answered(cluster, range(100))

    def test_a_polite_stop_is_quick_and_leaves_zero(self):
        cluster = self.start(nodes=2)
        self.fill(cluster, range(20))
        for server in cluster.servers:
            self.assertEqual(server.stop(), 0, server.process.output)
        for server in cluster.servers:
            server.start()
        cluster.wait(2)
        self.assert_answered(cluster, range(20))


class OutageTest(SimpleTest):
    def test_while_a_node_is_down_the_others_answer(self):
        cluster = self.start(nodes=3, settings={"replicas": 1})
        self.fill(cluster, range(100))
        lost = {s for s, n in self.owners(cluster).items() if n == "n2"}
        cluster.nodes[1].kill()
        harness.eventually(
            "the coordinator notices",
            lambda: any(x["state"] == "down" for x in cluster.status()["nodes"]),
        )
        questions = [
            {"entity": f"e{e}", "at": BASE + 2_000, "window": 60_000}
            for e in range(100)
        ]
        done = self.assert_done(cluster.ask(questions), UNREACHABLE)
        self.assertEqual(len(done.rows), 100)
        found = set()
        for e, x in enumerate(done.rows):
            if "error" in x:
                self.assertRegex(
                    x["error"], r"^shard \d+ is unavailable: its replicas n2 .* down"
                )
                found.add(int(x["error"].split()[1]))
            else:
                self.assertEqual((x["count"], x["average"]), (3, 10 * e + 1))
                self.assertNotIn(x["shard"], lost)
        self.assertEqual(found, lost)
        # People are told, too.
        text = self.assert_done(cluster.run("status")).out
        for shard in lost:
            self.assertIn(f"shard {shard} is unavailable: its replicas n2 ", text)
        done = cluster.run("status", "--wait", 3, "--timeout", "200ms")
        self.assert_done(done, UNREACHABLE)
        self.assertIn("not 3 of them are up", done.err)
        cluster.nodes[1].start()
        cluster.wait(3)
        self.assert_answered(cluster, range(100))

    def test_without_a_coordinator_ingest_and_queries_go_on(self):
        cluster = self.start(nodes=2)
        self.fill(cluster, range(20))
        asking = subprocess.Popen(
            [
                *harness.LEASH,
                harness.WEIR,
                *f"query average --from - --json --join {cluster.join}".split(),
            ],
            env=harness.ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(asking.communicate)
        self.addCleanup(asking.kill)
        at = BASE + 2_000

        def ask(e):
            question = {"entity": f"e{e}", "at": at, "window": 60_000}
            asking.stdin.write(json.dumps(question) + "\n")
            asking.stdin.flush()
            return json.loads(asking.stdout.readline())["count"]

        self.assertEqual([ask(e) for e in range(20)], [3] * 20)
        producer = cluster.start_ingest("-")
        producer.popen.stdin.write(events(range(20), [500]).encode())
        producer.popen.stdin.flush()
        harness.eventually("one more has come", lambda: ask(0) == 4)
        cluster.head.kill()
        producer.popen.stdin.write(events(range(20), [700]).encode())
        producer.popen.stdin.close()
        for e in range(20):
            harness.eventually(f"e{e} has five", lambda e=e: ask(e) == 5)
        cluster.head.start()
        self.assertEqual(producer.wait(), 0, producer.output)
        cluster.wait(2)
        self.assert_ledger(cluster, accepted=100)


class NameTest(SimpleTest):
    def test_a_node_is_called_as_it_wishes_and_keeps_its_name(self):
        cluster = self.start(nodes=1)
        other = cluster.server("node", "other", ["--join", cluster.join])
        cluster.nodes.append(other)
        other.start()
        chosen = other.called
        other.restart()
        self.assertEqual(other.called, chosen)
        names = [x["name"] for x in cluster.status()["nodes"]]
        self.assertEqual(sorted(names), sorted(["n1", chosen]))

    def test_a_name_belongs_to_one_node(self):
        cluster = self.start(nodes=1)
        twin = cluster.server(
            "node", "twin", ["--join", cluster.join, "--name", "n1"]
        )
        cluster.nodes.append(twin)
        twin.launch()
        self.assertEqual(twin.process.wait(), 1, twin.process.output)
        self.assertIn(
            "the name n1 belongs to another node", twin.process.output
        )
        cluster.wait(1)

    def test_others_are_told_the_advertised_address(self):
        cluster = self.start(nodes=1)
        (node,) = cluster.nodes
        node.stop()
        host, port = node.address.split(":")
        listen = node.address
        node.options += ["--advertise", f"localhost:{port}"]
        node.start()
        self.assertEqual(node.address, f"localhost:{port}")
        node.address = listen
        cluster.wait(1)
        (row,) = cluster.status()["nodes"]
        self.assertEqual(row["address"], f"localhost:{port}")
        self.assertEqual(host, "127.0.0.1")
        self.fill(cluster, range(10))
        self.assert_answered(cluster, range(10))

    def test_a_node_is_no_coordinator(self):
        cluster = self.start(nodes=1)
        address = cluster.nodes[0].address
        for command in ("status", "query average e1", "ingest -"):
            done = harness.weir(*command.split(), "--join", address)
            self.assert_done(done, code=2)
            self.assertIn(f"{address} is a node", done.err)

    def test_a_node_of_another_cluster_is_refused(self):
        one, other = self.start(nodes=1), self.start(nodes=1)
        stray = one.nodes[0]
        stray.stop()
        stray.options = ["--join", other.join]
        stray.launch()
        self.assertEqual(stray.process.wait(), 1, stray.process.output)
        self.assertIn("cluster", stray.process.output)
        other.wait(1)


class SettingsTest(SimpleTest):
    def set(self, cluster, *args):
        return cluster.run("config set", *args)

    def widths(self, cluster, entities):
        done = cluster.ask([{"entity": f"e{e}"} for e in entities])
        return {
            x["window_end_ms"] - x["window_start_ms"]
            for x in self.assert_done(done).rows
        }

    def test_a_change_reaches_every_node_and_lasts(self):
        cluster = self.start(nodes=2)
        self.fill(cluster, range(20))
        self.assertEqual(self.widths(cluster, range(20)), {60_000})
        done = self.assert_done(self.set(cluster, "window=5m"))
        self.assertIn("window = 5m", done.out)
        harness.eventually(
            "all shards know the new window",
            lambda: self.widths(cluster, range(20)) == {300_000},
        )
        for server in cluster.servers:
            server.restart()
        cluster.wait(2)
        self.assertEqual(self.widths(cluster, range(20)), {300_000})
        self.assertEqual(cluster.status()["settings"]["window"], "5m")

    def test_a_longer_retention_takes_what_was_late(self):
        cluster = self.start(nodes=2)
        self.fill(cluster, [1])
        old = harness.event("e1", BASE - 3_600_000, 1)
        done = self.assert_done(cluster.ingest(old))
        self.assertEqual((done.row["accepted"], done.row["late"]), (0, 1))
        self.assert_done(self.set(cluster, "retention=2h"))

        def accepted():
            return self.assert_done(cluster.ingest(old)).row["accepted"]

        harness.eventually("the shard keeps two hours", accepted)

    def test_what_cannot_be_is_refused_by_name(self):
        cluster = self.start()
        for setting, text in (
            ("window=0s", "window"),
            ("shards=64", "shards"),
            ("retention=1s", "retention"),
            ("widnow=5s", "widnow"),
            ("window", "window=VALUE"),
        ):
            done = self.set(cluster, setting)
            self.assert_done(done, code=2)
            self.assertIn(text, done.err)
        self.assertEqual(cluster.status()["settings_version"], 1)

if __name__ == "__main__":
    unittest.main()
