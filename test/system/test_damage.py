"""Files of a node are damaged, cut or deleted, at rest and while it runs: others
go on, nothing acknowledged is lost, and the node has its copies again by itself,
or says what it waits for.
"""

import os
import random
import shutil
import unittest

import damage
import faults
import harness
from faults import eventually, say

FAILED = 1


def setUpModule():
    faults.print_seed()


def quarantined(node):
    """What was put aside, the oldest first."""
    folder = node.data / "quarantine"
    return sorted(folder.iterdir()) if folder.is_dir() else []


class DamageFixture(faults.FaultTest):
    def copies_missing(self, status):
        """Shards that have fewer copies that count than they should, and nodes
        that have something to say of themselves."""
        if status is None:
            return ["no status"]
        res = [f"{x['name']}: {x['trouble']}" for x in status["nodes"] if x["trouble"]]
        up = [x["name"] for x in status["nodes"] if x["state"] == "up"]
        if len(up) < len(self.cluster.nodes):
            res.append(f"only {up} are up")
        for x in status["shards"]:
            there = [y for y in x["copies"] if y["role"] in ("primary", "backup")]
            if x["state"] != "serving" or len(there) < self.replicas:
                res.append(f"shard {x['shard']}: {x['state']}, {x['copies']}")
        return res

    def await_copies(self):
        """Until each shard has copies that say of themselves that they count: the
        configuration may still name those that were damaged."""
        seen = [None]

        def whole():
            seen[0] = self.copies_missing(self.look())
            return not seen[0]

        try:
            eventually("every copy is there", whole, 2 * faults.PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{error}: {seen[0]}") from None

    def disk_of(self, node):
        text = (node.data / "identity").read_text()
        return dict(x.split(" = ") for x in text.splitlines())["disk"]

    def pick(self):
        """A node that everything but its own disk can do without."""
        self.await_copies()
        return self.random.choice(self.cluster.nodes)

    def round(self, harm, node=None):
        """A node is killed, `harm`ed, and comes back. The node, or None if it was
        not harmed."""
        node = node or self.pick()
        node.kill()
        what = harm(node)
        node.start()
        if what:
            say(f"{node.name}: {what}")
        self.await_copies()
        for line in node.process.output.splitlines():
            if "quarantine" in line:
                say(line[:200])
        self.await_progress()
        return node if what else None

    def spoil_row(self, node, shard=None):
        shards = []

        def harm(node):
            path = node.data / "journal.db"
            shards.append(damage.spoil_row(path, self.random, shard))
            return f"an entry of shard {shards[0]} is not what was written"

        self.round(harm, node)
        return shards[0]


class RowTest(DamageFixture):
    def test_a_damaged_row_costs_one_copy_of_one_shard(self):
        self.begin()
        node = self.pick()
        disk = self.disk_of(node)
        shard = self.spoil_row(node)
        (kept,) = quarantined(node)
        self.assertIn(f"shard-{shard}", kept.name)
        self.assertEqual(list(damage.shards_in(kept / "journal.db")), [shard])
        self.assertTrue((kept / "state.db").is_file())
        self.assertEqual(self.disk_of(node), disk)
        # It says what it found, what it did, and when that was made good.
        for words in (
            "checksum differs",
            "quarantine",
            f"shard {shard} on node {node.name} is whole again",
        ):
            self.assertIn(words, node.process.output)
        self.finish()

    def test_rows_are_damaged_on_each_node_in_turn(self):
        self.begin()
        for node in 2 * self.cluster.nodes:
            self.spoil_row(node)
        self.finish()

    def test_two_damaged_copies_wait_for_the_operator(self):
        self.begin()
        self.await_copies()
        self.end_ingest()
        self.check()
        status = self.cluster.status()
        shard = status["shards"][0]
        copies = [self.node(x) for x in faults.copies_of(shard)]
        (other,) = [x for x in self.cluster.nodes if x not in copies]
        for server in self.cluster.servers:
            server.kill()
        for node in copies:
            damage.spoil_row(node.data / "journal.db", self.random, 0)
        self.launch_all()

        def waits():
            seen = self.look()
            shards = seen["shards"] if seen else []
            if any(x["state"] != "serving" for x in shards[1:]):
                return False
            text = shards and shards[0]["trouble"] or ""
            return text.count("damaged") == 2 and text

        text = eventually("both copies are known to be damaged", waits)
        say(text)
        for node in copies:
            self.assertIn(f"on node {node.name}", text)
            self.assertEqual(quarantined(node), [])
        done = self.cluster.run("admin promote", 0, copies[0].name)
        self.assertEqual(done.code, FAILED, done)
        self.assertIn("can't lead", done.err)
        # Nothing better is left: what the operator says is lost is lost, and
        # what is damaged is kept.
        done = self.cluster.run("admin promote", 0, other.name, "--accept-loss")
        self.assert_done(done)
        self.await_copies()
        for node in copies:
            (kept,) = quarantined(node)
            self.assertEqual(list(damage.shards_in(kept / "journal.db")), [0])


    def test_what_one_copy_can_not_commit_waits_until_the_damaged_one_is_drained(
        self,
    ):
        self.begin(settings={"min-copies": 2})
        self.await_copies()
        self.end_ingest()
        shard = self.cluster.status()["shards"][0]
        sound, harmed = [self.node(x) for x in faults.copies_of(shard)]
        for server in self.cluster.servers:
            server.kill()
        damage.spoil_row(harmed.data / "journal.db", self.random, 0)
        self.launch_all()

        def waits():
            seen = self.look()
            if not seen or any(x["state"] != "serving" for x in seen["shards"][1:]):
                return False
            x = seen["shards"][0]
            return x["primary"] == sound.name and "1 of the 2" in x["trouble"] and x

        shard = eventually("the sound copy leads, and lacks another one", waits)
        say(shard["trouble"])
        self.assertEqual(shard["backups"], [])
        for words in ("min-copies", "damaged", f"on node {harmed.name}", "drain"):
            self.assertIn(words, shard["trouble"])
        self.assertEqual(quarantined(harmed), [])
        self.assert_done(self.cluster.run("drain", harmed.name, "--timeout", "60s"))
        self.check()
        eventually("the damaged copy is put aside", lambda: quarantined(harmed))
        self.assert_done(self.cluster.run("drain", harmed.name, "--undo"))
        self.await_copies()
        self.await_whole()
        self.check()


class OnlyCopyTest(harness.SystemTest):
    def begin(self):
        cluster = self.start(nodes=2, settings={**faults.SETTINGS, "replicas": 1})
        readings = [(f"e{i % 97}", faults.BASE + i, i) for i in range(5_000)]
        text = "".join(harness.event(*x) for x in readings)
        self.assert_done(cluster.ingest(text))
        node = cluster.nodes[0]
        node.kill()
        return cluster, node, harness.Oracle(readings)

    def test_a_damaged_row_is_left_to_the_operator(self):
        cluster, node, oracle = self.begin()
        journal = node.data / "journal.db"
        damage.copy_wal(journal)
        sound = journal.read_bytes()
        shard = damage.spoil_row(journal, random.Random(faults.SEED))
        node.start()

        def waits():
            shards = cluster.status()["shards"]
            text = shards[shard]["trouble"]
            others = [x for x in shards if x["shard"] != shard]
            return all(x["state"] == "serving" for x in others) and (
                "damaged" in text and "checksum differs" in text and text
            )

        say(eventually("one shard waits, and the others are served", waits))
        self.assertEqual(quarantined(node), [])
        # The operator has a copy; what came since, to other shards, is in the file.
        node.kill()
        copy = cluster.directory / "copy.db"
        copy.write_bytes(sound)
        damage.restore_rows(journal, copy, shard)
        node.start()
        cluster.wait(2)
        self.assert_answers(cluster, oracle, oracle.questions([60_000]))

    def test_a_damaged_file_is_left_where_it_is(self):
        cluster, node, oracle = self.begin()
        journal = node.data / "journal.db"
        damage.copy_wal(journal)
        sound = journal.read_bytes()
        broken = bytearray(sound)
        # No kind of page that there is. What the node remembers of its shards can
        # be read, as at most times.
        broken[(damage.pages_of(journal)[0]["index leaf"][0] - 1) * 4096] ^= 0x10
        journal.write_bytes(broken)
        node.launch()
        self.assertEqual(node.process.wait(), FAILED, node.process.output)
        for words in ("damaged", "journal.db", "only copy of shards", "restore"):
            self.assertIn(words, node.process.output)
        self.assertEqual(quarantined(node), [])
        self.assertEqual(journal.read_bytes(), broken)
        damage.remove(journal)
        journal.write_bytes(sound)
        node.start()
        cluster.wait(2)
        self.assert_answers(cluster, oracle, oracle.questions([60_000]))


    def test_a_journal_that_tells_nothing_stays_too(self):
        cluster, node, oracle = self.begin()
        journal = node.data / "journal.db"
        sound = {x: x.read_bytes() for x in node.data.glob("journal.db*")}
        nothing = bytes(8192)

        def refused(*words):
            node.launch()
            self.assertEqual(node.process.wait(), FAILED, node.process.output)
            for word in words:
                self.assertIn(word, node.process.output)
            self.assertEqual(quarantined(node), [])

        damage.remove(journal)
        refused("journal.db is missing", "only copy of shards")
        self.assertFalse(journal.exists())
        journal.write_bytes(nothing)
        refused("no SQLite database", "only copy of shards")
        damage.remove(node.data / "coordinator-copy.db")
        refused("no SQLite database", "can tell whether there are other copies")
        self.assertEqual(journal.read_bytes(), nothing)
        for path, data in sound.items():
            path.write_bytes(data)
        node.start()
        cluster.wait(2)
        self.assert_answers(cluster, oracle, oracle.questions([60_000]))


class OldCopyTest(harness.SystemTest):
    """A node's directory is put back from a copy that lacks what came after it,
    and the process lives as many lives as the one that it replaces."""

    def begin(self, nodes):
        settings = {**faults.SETTINGS, "replicas": nodes, "shards": 4}
        cluster = self.start(nodes=nodes, settings=settings)
        self.readings = []
        self.send(cluster, 0)
        node = cluster.nodes[0]
        node.stop()
        shutil.copytree(node.data, cluster.directory / "copy")
        node.start()
        cluster.wait(nodes)
        self.send(cluster, 3_000)
        for x in cluster.nodes:
            x.kill()
        self.aside = cluster.directory / "aside"
        os.rename(node.data, self.aside)
        os.rename(cluster.directory / "copy", node.data)
        node.start()
        return cluster, node

    def send(self, cluster, first):
        readings = [
            (f"e{i % 97}", faults.BASE + i, i) for i in range(first, first + 3_000)
        ]
        self.readings += readings
        text = "".join(harness.event(*x) for x in readings)
        self.assert_done(cluster.ingest(text))
        # The coordinator knows of it, too.
        self.assert_ledger(cluster, accepted=len(self.readings))

    def assert_all_there(self, cluster):
        cluster.wait(len(cluster.nodes))
        oracle = harness.Oracle(self.readings)
        self.assert_answers(cluster, oracle, oracle.questions([60_000]))

    def test_alone_it_is_not_served(self):
        cluster, node = self.begin(1)

        def refused():
            shards = cluster.status()["shards"]
            return all("was acknowledged" in x["trouble"] for x in shards)

        eventually("what is missing is told", refused)
        node.kill()
        shutil.rmtree(node.data)
        os.rename(self.aside, node.data)
        node.start()
        self.assert_all_there(cluster)

    def test_it_waits_for_the_other_copy(self):
        cluster, _ = self.begin(2)

        def waits():
            shards = cluster.status()["shards"]
            return all(x["state"] == "unavailable" for x in shards)

        eventually("the other disk is waited for", waits)
        cluster.nodes[1].start()
        self.assert_all_there(cluster)


class PageTest(DamageFixture):
    """Every kind of page, hit in its header and elsewhere."""

    def flip_all(self, name):
        self.begin()
        seen = set()
        for kind in damage.KINDS:
            for at in (0, None):
                node = self.round(
                    lambda node: damage.flip(node.data / name, kind, self.random, at)
                )
                if node:
                    seen.add(kind)
        say(f"{name}: {sorted(seen)} were hit; {sorted(set(damage.KINDS) - seen)} "
            "were not there")
        self.assertLessEqual({"header", "table leaf", "index leaf"}, seen)
        self.finish()

    def test_bits_flip_in_the_journal(self):
        self.flip_all("journal.db")

    def test_bits_flip_in_the_checkpoints(self):
        self.flip_all("state.db")


class FileTest(DamageFixture):
    def test_the_end_of_a_wal_is_missing(self):
        self.begin()
        done = 0
        for name in ("journal.db", "state.db"):
            for where in ("header", "no frame", "between", "within", "last"):
                harm = lambda node: damage.cut_wal(node.data / name, self.random, where)
                done += self.round(harm) is not None
        self.assertGreater(done, 4)
        self.finish()

    def test_a_wal_is_missing(self):
        self.begin()
        for name in ("journal.db", "state.db"):

            def harm(node):
                (node.data / f"{name}-wal").unlink()
                return f"{name}-wal is deleted"

            self.round(harm)
        self.finish()

    def lose(self, *names):
        node = self.pick()
        disk = self.disk_of(node)

        def harm(node):
            for name in names:
                damage.remove(node.data / name)
            return f"{names} are deleted"

        self.round(harm, node)
        # Nobody may take it for the disk that it was.
        self.assertNotEqual(self.disk_of(node), disk)
        self.assertIn("new disk", node.process.output)
        return node

    def test_databases_are_missing(self):
        self.begin()
        node = self.lose("journal.db")
        (kept,) = quarantined(node)
        self.assertTrue((kept / "state.db").is_file())
        self.lose("state.db")
        self.lose("journal.db", "state.db")
        self.finish()

    def test_the_journal_is_missing_and_its_wal_is_not(self):
        self.begin()

        def harm(node):
            (node.data / "journal.db").unlink()
            return "journal.db is deleted"

        node = self.round(harm)
        self.assertIn("new disk", node.process.output)
        self.finish()

    def test_without_its_identity_a_directory_is_refused(self):
        self.begin()
        node = self.pick()
        node.kill()
        (node.data / "identity").unlink()
        before = (node.data / "journal.db").read_bytes()
        node.launch()
        self.assertEqual(node.process.wait(), FAILED)
        self.assertIn("identity is missing beside", node.process.output)
        self.assertEqual((node.data / "journal.db").read_bytes(), before)
        # Moved aside, as the sentence says.
        os.rename(node.data, str(node.data) + ".aside")
        node.start()
        self.await_whole()
        self.finish()


class RunningTest(DamageFixture):
    """Files go while the process has them open."""

    def round_of(self, *names):
        node = self.pick()
        disk = self.disk_of(node)
        for name in names:
            (node.data / name).unlink()
        say(f"{names} of {node.name} are deleted while it runs")
        self.assertEqual(node.process.wait(), FAILED)
        self.assertIn("was deleted while it was in use", node.process.output)
        self.await_progress()
        node.start()
        self.await_copies()
        return self.disk_of(node) != disk

    def test_deleted_files_take_no_more_acknowledgements(self):
        self.begin()
        self.assertTrue(self.round_of("journal.db", "journal.db-wal"))
        self.assertTrue(self.round_of("journal.db"))
        # What the WAL held is missing, and learned again.
        self.assertFalse(self.round_of("journal.db-wal"))
        self.finish()

    def test_a_deleted_checkpoint_is_noticed_by_the_next_one(self):
        self.begin()
        self.assertTrue(self.round_of("state.db", "state.db-wal"))
        self.finish()

    def test_an_idle_node_notices_too(self):
        cluster = self.start(nodes=2)
        node = cluster.nodes[0]
        (node.data / "journal.db").unlink()
        self.assertEqual(node.process.wait(), FAILED)
        self.assertIn("was deleted while it was in use", node.process.output)


if __name__ == "__main__":
    unittest.main()
