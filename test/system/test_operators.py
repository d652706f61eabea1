"""What operators see and do, on clusters of three nodes with two copies."""

import signal
import unittest

import harness
from simple import SimpleTest

FAILED, USAGE, NOT_FOUND, UNREACHABLE = 1, 2, 3, 4
ENTITIES = range(200)


class OperatorTest(SimpleTest):
    def start_filled(self, **settings):
        cluster = self.start(nodes=3, settings=settings)
        self.fill(cluster, ENTITIES)
        return cluster

    def node(self, cluster, name):
        (found,) = [x for x in cluster.status()["nodes"] if x["name"] == name]
        return found

    def wait_copies(self, cluster, copies):
        harness.eventually(
            f"{copies} copies of every shard",
            lambda: all(
                x["in_sync"] == copies and x["state"] == "serving"
                for x in cluster.status()["shards"]
            ),
        )

    def wait_down(self, cluster, *names):
        harness.eventually(
            f"{names} are down",
            lambda: all(self.node(cluster, x)["state"] == "down" for x in names),
        )

    def wait_unavailable(self, cluster):
        """The shards that nobody can serve."""
        return harness.eventually(
            "shards are unavailable",
            lambda: [
                x for x in cluster.status()["shards"] if x["state"] == "unavailable"
            ],
        )

    def verified(self, cluster, *args):
        return self.assert_done(cluster.run("verify", "--json", *args)).row


class StatusTest(OperatorTest):
    def test_copies_are_told_for_people_and_scripts(self):
        cluster = self.start_filled()
        self.wait_copies(cluster, 2)
        status = cluster.status()
        for shard in status["shards"]:
            members = {shard["primary"], *shard["backups"]}
            self.assertEqual(len(members), 2)
            self.assertEqual(set(shard["target"]), members)
            self.assertEqual(
                {(x["node"], x["role"]) for x in shard["copies"] if x["member"]},
                {(shard["primary"], "primary"), (shard["backups"][0], "backup")},
            )
        self.assertEqual(sum(x["primaries"] for x in status["nodes"]), 32)
        self.assertEqual(sum(x["backups"] for x in status["nodes"]), 32)
        out = self.assert_done(cluster.run("status", "--shards")).out
        self.assertIn("32 shards: 32 serving with 2 copies\n", out)
        self.assertNotIn("stay where they are", out)
        self.assertRegex(out, r"\bBACKUPS +TARGET\b")

    def test_a_node_that_is_down_costs_copies_and_says_so(self):
        cluster = self.start_filled()
        self.wait_copies(cluster, 2)
        cluster.nodes[2].kill()
        self.wait_down(cluster, "n3")
        harness.eventually(
            "the others serve alone",
            lambda: {x["in_sync"] for x in cluster.status()["shards"]} == {1, 2}
            and all(x["primary"] != "n3" for x in cluster.status()["shards"]),
        )
        out = self.assert_done(cluster.run("status")).out
        self.assertRegex(out, r"down since \d\d:\d\d:\d\dZ")
        self.assertRegex(out, r"have 1 of 2 copies: node n3 is down")
        self.assert_answered(cluster, ENTITIES)
        done = self.assert_done(cluster.run("verify"), FAILED)
        self.assertRegex(done.out, r"wrong: .* have 1 of 2 copies: node n3 is down")
        cluster.nodes[2].start()
        cluster.wait(3)
        self.wait_copies(cluster, 2)
        self.assertTrue(self.verified(cluster)["ok"])


class DrainTest(OperatorTest):
    def test_a_drained_node_may_be_stopped_and_come_back(self):
        cluster = self.start_filled()
        done = self.assert_done(cluster.run("drain", "n2"))
        self.assertIn("node n2 is empty: it is safe to stop it\n", done.out)
        node = self.node(cluster, "n2")
        self.assertEqual((node["primaries"], node["backups"]), (0, 0))
        self.assertTrue(node["safe_to_stop"])
        self.assertIn(
            "drained: safe to stop", self.assert_done(cluster.run("status")).out
        )
        cluster.nodes[1].stop()
        self.assert_answered(cluster, ENTITIES)
        self.wait_down(cluster, "n2")
        self.assertTrue(self.verified(cluster)["ok"])
        # Stopped or not, there is nothing on it.
        done = self.assert_done(cluster.run("drain", "n2"))
        self.assertIn("node n2 is empty: it is safe to stop it\n", done.out)
        cluster.nodes[1].start()
        harness.eventually("n2 is back", lambda: self.node(cluster, "n2")["safe_to_stop"])
        done = self.assert_done(cluster.run("drain", "n2", "--undo"))
        self.assertIn("node n2 takes shards again", done.out)
        cluster.wait(3)
        self.assertGreater(self.node(cluster, "n2")["primaries"], 0)
        self.assert_answered(cluster, ENTITIES)

    def test_a_cluster_may_be_verified_while_shards_move(self):
        cluster = self.start_filled()
        self.assert_done(cluster.run("drain", "n3", "--no-wait"))
        done = cluster.run("verify", "--json")
        self.assertIn(done.code, (0, UNREACHABLE), done)
        self.assertEqual(done.row["wrong"], [])
        self.assert_done(cluster.run("drain", "n3"))
        self.assertTrue(self.verified(cluster)["ok"])

    def test_who_does_not_wait_finds_it_in_the_status(self):
        cluster = self.start_filled()
        done = self.assert_done(cluster.run("drain", "n1", "--no-wait"))
        self.assertIn("node n1 gives away", done.out)
        harness.eventually(
            "it is drained", lambda: self.node(cluster, "n1")["safe_to_stop"]
        )
        # To ask again does no harm.
        done = self.assert_done(cluster.run("drain", "n1"))
        self.assertIn("it is safe to stop it", done.out)

    def test_ctrl_c_ends_the_waiting_and_not_the_drain(self):
        # With n1 stopped, what it leads can't move.
        cluster = self.start_filled(**{"failure-timeout": "60s"})
        cluster.nodes[0].pause()
        try:
            drain = harness.Process(
                ["drain", "n2", "--join", cluster.join],
                cluster.directory / "drain.log",
            )
            cluster.clients.append(drain)
            harness.eventually("it waits", lambda: "to go" in drain.output)
            drain.signal(signal.SIGINT)
            self.assertEqual(drain.wait(), FAILED, drain.output)
            self.assertIn("goes on giving its shards away", drain.output)
        finally:
            cluster.nodes[0].resume()
        harness.eventually(
            "it is drained", lambda: self.node(cluster, "n2")["safe_to_stop"]
        )

    def test_a_node_that_is_down_can_not_be_emptied(self):
        # With copies elsewhere it would soon hold nothing that counts.
        cluster = self.start_filled(replicas=1)
        cluster.nodes[1].kill()
        self.wait_down(cluster, "n2")
        for args in ([], ["--no-wait"]):
            done = self.assert_done(cluster.run("drain", "n2", *args), UNREACHABLE)
            self.assertIn("node n2 is down, and can't hand over", done.err)
        cluster.nodes[1].start()
        self.assert_done(cluster.run("drain", "n2"))

    def test_the_last_node_can_not_be_emptied(self):
        cluster = self.start()
        (node,) = cluster.status()["nodes"]
        done = self.assert_done(cluster.run("drain", node["name"]), FAILED)
        self.assertIn("no other node", done.err)
        self.assertIn("start one first", done.err)

    def test_a_node_that_is_not_there_is_named(self):
        cluster = self.start()
        done = self.assert_done(cluster.run("drain", "n9"), NOT_FOUND)
        self.assertIn("there is no node", done.err)


class RebalanceTest(OperatorTest):
    def plan(self, cluster, *args):
        done = cluster.run("rebalance", "--dry-run", "--json", *args)
        return self.assert_done(done).row

    def test_a_dry_run_tells_what_would_move_and_moves_nothing(self):
        cluster = self.start_filled()
        before = cluster.status()["shards"]
        self.assertEqual(self.plan(cluster)["moves"], [])
        out = self.assert_done(cluster.run("rebalance", "--dry-run")).out
        self.assertEqual(out, "nothing would move\n")
        joins = self.plan(cluster, "--add", "n4")
        # A fourth node takes a fourth of 32 primaries, and of 64 copies.
        self.assertEqual((joins["copies"], joins["primaries"]), (16, 8))
        self.assertEqual(
            {x["to"] for x in joins["moves"] if x["what"] == "copy"}, {"n4"}
        )
        self.assertGreater(joins["bytes"], 0)
        leaves = self.plan(cluster, "--remove", "n2")
        node = self.node(cluster, "n2")
        self.assertEqual(leaves["copies"], node["primaries"] + node["backups"])
        more = self.plan(cluster, "--replicas", 3)
        self.assertEqual((more["copies"], more["dropped"]), (32, 0))
        out = self.assert_done(
            cluster.run("rebalance", "--dry-run", "--add", "n4", "--add", "n5")
        ).out
        self.assertRegex(out, r"\d+ copies \(.*\) and \d+ primaries would move")
        placed = [(x["primary"], x["backups"]) for x in before]
        now = [(x["primary"], x["backups"]) for x in cluster.status()["shards"]]
        self.assertEqual(now, placed)

    def test_there_is_nothing_to_start(self):
        cluster = self.start()
        done = self.assert_done(cluster.run("rebalance"))
        self.assertIn("by themselves", done.out)
        done = self.assert_done(cluster.run("rebalance", "--add", "n4"), USAGE)
        self.assertIn("--dry-run", done.err)
        (node,) = cluster.status()["nodes"]
        done = cluster.run("rebalance", "--dry-run", "--add", node["name"])
        self.assertIn("already", self.assert_done(done, USAGE).err)


class VerifyTest(OperatorTest):
    def test_all_copies_of_a_quiet_cluster_are_the_same(self):
        cluster = self.start_filled()
        self.wait_copies(cluster, 2)
        found = self.verified(cluster)
        self.assertTrue(found["ok"], found)
        self.assertEqual(found["copies"], 64)
        self.assertEqual(found["journal_entries"], 0)
        for shard in found["shards"]:
            self.assertTrue(shard["compared"])
            self.assertEqual(len({x["digest"] for x in shard["copies"]}), 1)
            self.assertEqual(
                {x["role"] for x in shard["copies"]}, {"primary", "backup"}
            )
        digests = {shard["copies"][0]["digest"] for shard in found["shards"]}
        self.assertEqual(len(digests), 32)
        found = self.verified(cluster, "--journal")
        self.assertTrue(found["ok"], found)
        self.assertGreater(found["journal_entries"], 64)
        out = self.assert_done(cluster.run("verify")).out
        self.assertIn("all is well: 64 copies", out)

    def test_readings_may_come_meanwhile(self):
        cluster = self.start_filled()
        self.wait_copies(cluster, 2)
        generate = ["generate", "--events", 2_000_000, "--entities", 500]
        lines = cluster.directory / "readings.ndjson"
        self.assert_done(harness.weir(*generate, "--start", "now-1h", "--output", lines))
        with open(lines, "rb") as file:
            producer = cluster.start_ingest("-", stdin=file)
        seen = cluster.ledger()["received"]
        harness.eventually(
            "readings flow", lambda: cluster.ledger()["received"] > seen + 1_000
        )
        done = cluster.run("verify", "--json")
        self.assertIn(done.code, (0, UNREACHABLE), done)
        self.assertEqual(done.row["wrong"], [])
        self.assertIn(producer.wait(), (0, 5), producer.output)
        self.assertTrue(self.verified(cluster, "--journal")["ok"])

    def test_nobody_to_ask_is_no_verdict(self):
        cluster = self.start()
        cluster.head.kill()
        done = cluster.run("verify", "--timeout", "200ms")
        self.assert_done(done, UNREACHABLE)


class AdminTest(OperatorTest):
    def lose_two(self):
        """A cluster whose n2 and n3 are down, and a shard that only they held."""
        cluster = self.start_filled()
        self.wait_copies(cluster, 2)
        cluster.nodes[1].kill()
        cluster.nodes[2].kill()
        self.wait_down(cluster, "n2", "n3")
        lost = self.wait_unavailable(cluster)
        out = self.assert_done(cluster.run("status")).out
        self.assertIn(f"shard {lost[0]['shard']} is unavailable: ", out)
        done = self.assert_done(cluster.run("verify"), FAILED)
        self.assertIn(f"wrong: shard {lost[0]['shard']} is unavailable: ", done.out)
        return cluster, lost

    def test_a_disk_that_is_declared_gone_is_not_waited_for(self):
        cluster, _ = self.lose_two()
        done = self.assert_done(cluster.run("admin remove", "n3"), USAGE)
        self.assertIn("--yes", done.err)
        done = self.assert_done(cluster.run("admin remove", "n1", "--yes"), FAILED)
        self.assertIn("n1 is up", done.err)
        cluster.nodes[1].start()
        self.assert_done(cluster.run("admin remove", "n3", "--yes"))
        cluster.wait(2)
        self.assert_answered(cluster, ENTITIES)

    def test_a_node_is_promoted_only_with_what_is_at_stake_said(self):
        cluster, lost = self.lose_two()
        shard = lost[0]["shard"]
        served = next(
            x["shard"]
            for x in cluster.status()["shards"]
            if x["state"] in ("serving", "moving")
        )
        done = cluster.run("admin promote", served, "n1", "--accept-loss")
        self.assertIn("needs no force", self.assert_done(done, FAILED).err)
        done = cluster.run("admin promote", shard, "n1")
        self.assertIn("accept the loss", self.assert_done(done, FAILED).err)
        done = cluster.run("admin promote", 99, "n1")
        self.assertIn("there is no shard 99", self.assert_done(done, NOT_FOUND).err)
        cluster.nodes[1].start()
        harness.eventually("n2 is up", lambda: self.node(cluster, "n2")["state"] == "up")
        done = cluster.run("admin promote", shard, "n2", "--old-primary-stopped")
        self.assert_done(done)
        self.assertIn(f"shard {shard} is served by node n2", done.out)

    def test_a_loss_that_was_accepted_is_a_loss(self):
        cluster, lost = self.lose_two()
        for x in lost:
            done = cluster.run(
                "admin promote",
                x["shard"],
                "n1",
                "--accept-loss",
                "--old-primary-stopped",
            )
            self.assert_done(done)
        cluster.wait(1)
        shards = {x["shard"] for x in lost}
        questions = [{"entity": f"e{e}"} for e in ENTITIES]
        rows = cluster.ask(questions).rows
        self.assertEqual({x["found"] for x in rows if x["shard"] in shards}, {False})
        self.assertEqual(
            {x["found"] for x in rows if x["shard"] not in shards}, {True}
        )


class ForgetTest(OperatorTest):
    def names(self, cluster):
        return {x["name"] for x in cluster.status()["nodes"]}

    def test_a_node_that_holds_nothing_and_is_down_can_be_forgotten(self):
        cluster = self.start_filled()
        self.wait_copies(cluster, 2)
        done = self.assert_done(cluster.run("admin forget", "n9"), NOT_FOUND)
        self.assertIn("there is no node n9", done.err)
        done = self.assert_done(cluster.run("admin forget", "n2"), FAILED)
        self.assertIn("node n2 is up", done.err)
        # It holds copies, and is waited for.
        cluster.nodes[1].kill()
        self.wait_down(cluster, "n2")
        done = self.assert_done(cluster.run("admin forget", "n2"), FAILED)
        self.assertRegex(done.err, r"node n2 counts for \d+ shards: drain it")
        cluster.nodes[1].start()
        self.wait_copies(cluster, 2)
        self.assert_done(cluster.run("drain", "n2"))
        cluster.nodes[1].stop()
        self.wait_down(cluster, "n2")
        done = self.assert_done(cluster.run("admin forget", "n2"))
        self.assertEqual(done.out, "node n2 is forgotten\n")
        self.assertEqual(self.names(cluster), {"n1", "n3"})
        # For good, but a node like any other if it comes back after all.
        cluster.head.stop()
        cluster.head.start()
        cluster.wait(2)
        self.assertEqual(self.names(cluster), {"n1", "n3"})
        self.assert_answered(cluster, ENTITIES)
        cluster.nodes[1].start()
        cluster.wait(3)
        self.wait_copies(cluster, 2)
        self.assertGreater(self.node(cluster, "n2")["primaries"], 0)
        self.assert_answered(cluster, ENTITIES)
        self.assertTrue(self.verified(cluster)["ok"])

    def test_another_name_for_a_directory_takes_the_place_of_the_old_one(self):
        cluster = self.start_filled()
        node = cluster.nodes[2]
        node.stop()
        at = node.options.index("--name") + 1
        node.options[at] = "other"
        node.start()
        cluster.wait(3)
        self.assertEqual(self.names(cluster), {"n1", "n2", "other"})
        cluster.head.stop()
        cluster.head.start()
        cluster.wait(3)
        self.assertEqual(self.names(cluster), {"n1", "n2", "other"})


if __name__ == "__main__":
    unittest.main()
