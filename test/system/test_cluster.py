"""Several processes as one: who holds what, who answers, and who may send."""

import json
import subprocess
import unittest

import harness

BASE = 1_700_000_000_000
UNREACHABLE = 4


def events(entities, times=(0, 1_000, 2_000), factor=10):
    """Entity e at time t has the value factor * e + t / 1000."""
    return "".join(
        harness.event(f"e{e}", BASE + t, factor * e + t // 1000)
        for t in times
        for e in entities
    )


class ClusterTest(harness.SystemTest):
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


class PlacementTest(ClusterTest):
    def test_shards_are_spread_evenly_over_three_nodes(self):
        cluster = self.start(nodes=3)
        harness.eventually(
            "10, 11 and 11 shards",
            lambda: sorted(self.primaries(cluster).values()) == [10, 11, 11],
        )

    def test_a_node_that_joins_later_gets_empty_shards_and_no_others(self):
        cluster = self.start(nodes=2)
        self.assertEqual(self.primaries(cluster), {"n1": 16, "n2": 16})
        self.fill(cluster, range(8))
        before = self.owners(cluster)
        cluster.add_node()
        harness.eventually(
            "the new node gets its share",
            lambda: self.primaries(cluster)["n3"] in (10, 11),
        )
        cluster.wait(3)
        self.assertEqual(sorted(self.primaries(cluster).values()), [10, 11, 11])
        self.assertEqual(self.owners(cluster), before)
        # What has moved takes readings, and is found.
        self.assert_done(cluster.ingest(events(range(8, 100))))
        rows = self.assert_answered(cluster, range(100))
        self.assertEqual({x["node"] for x in rows}, {"n1", "n2", "n3"})

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


class OutageTest(ClusterTest):
    def test_while_a_node_is_down_the_others_answer(self):
        cluster = self.start(nodes=3)
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
                    x["error"], r"^shard \d+ is unavailable: its node n2 is down"
                )
                found.add(int(x["error"].split()[1]))
            else:
                self.assertEqual((x["count"], x["average"]), (3, 10 * e + 1))
                self.assertNotIn(x["shard"], lost)
        self.assertEqual(found, lost)
        # People are told, too.
        text = self.assert_done(cluster.run("status")).out
        for shard in lost:
            self.assertIn(f"shard {shard} is unavailable: its node n2 is down", text)
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


class AnswerTest(ClusterTest):
    """What a question may meet, other than an average."""

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
            f'{{"entity":"e1","color":"red"}}\n\n{good}\n',
            encoding="utf-8",
        )
        done = self.shared.run("query average", "--from", path, "--json")
        self.assert_done(done, code=5)
        self.assertEqual([x.get("count") for x in done.rows], [3, *[None] * 4, 3])
        errors = [x.get("error", "") for x in done.rows]
        for i, error in enumerate(errors[1:5], start=2):
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

    def test_a_file_of_questions_that_is_not_there(self):
        done = self.ask("--from", "/nonexistent/questions")
        self.assert_done(done, code=1)
        self.assertIn("/nonexistent/questions", done.err)


class NameTest(ClusterTest):
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


class SettingsTest(ClusterTest):
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


class ProducerTest(ClusterTest):
    def test_of_two_processes_with_one_name_the_elder_stops(self):
        cluster = self.start(nodes=2)
        elder = cluster.start_ingest("--producer", "p", "-")
        elder.popen.stdin.write(events(range(20), [0]).encode())
        elder.popen.stdin.flush()
        harness.eventually(
            "it has sent", lambda: cluster.ledger()["accepted"] == 20
        )
        done = cluster.ingest(events(range(20), [1_000]), "--producer", "p")
        self.assert_done(done)
        self.assertEqual(done.row["accepted"], 20)
        elder.popen.stdin.write(events(range(20), [2_000]).encode())
        elder.popen.stdin.flush()
        self.assertEqual(elder.wait(), 1, elder.output)
        self.assertRegex(elder.output, "(?m)^weir: .*producer")
        self.assert_ledger(cluster, accepted=40)

    def test_another_input_is_not_taken_for_the_interrupted_one(self):
        cluster = self.start(nodes=2)
        sent = events(range(20))
        args = ("--producer", "p", "--resume")
        self.assert_done(cluster.ingest(sent, *args))
        for other in (
            events(range(20), factor=11),
            events(range(20), factor=11) + events(range(100)),
            events(range(10)),
            "",
        ):
            done = cluster.ingest(other, *args)
            self.assert_done(done, code=1)
            self.assertRegex(done.err, "this (is not the )?input")
        # None of that has done harm.
        done = self.assert_done(cluster.ingest(sent, *args))
        self.assertEqual(
            (done.row["accepted"], done.row["duplicate"]), (0, 60)
        )
        self.assert_answered(cluster, range(20))
        self.assertEqual(cluster.ledger()["accepted"], 60)

    def test_a_file_that_has_grown_is_resumed_at_its_end(self):
        cluster = self.start(nodes=2)
        args = ("--producer", "p", "--resume")
        text = ""
        for i, t in enumerate((0, 1_000, 2_000)):
            text += events(range(20), [t])
            done = self.assert_done(cluster.ingest(text, *args))
            self.assertEqual(
                (done.row["accepted"], done.row["duplicate"]), (20, 20 * i)
            )
        self.assert_answered(cluster, range(20))
        self.assert_ledger(cluster, accepted=60, duplicate=60)

    def test_without_resume_the_same_lines_are_new_readings(self):
        cluster = self.start(nodes=2)
        for _ in range(2):
            done = cluster.ingest(events(range(20)), "--producer", "p")
            self.assertEqual(self.assert_done(done).row["accepted"], 60)
        self.assert_ledger(cluster, accepted=120)

    def test_a_sender_without_a_name_cannot_resume(self):
        done = harness.weir("ingest", "--resume", "-")
        self.assert_done(done, code=2)
        self.assertIn("--producer", done.err)


if __name__ == "__main__":
    unittest.main()
