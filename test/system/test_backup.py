"""Backups of running clusters, and the clusters that are made of them."""

import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import tempfile
import unittest

import faults
import harness
from faults import eventually, say
from simple import BASE, SimpleTest

FAILED, UNREACHABLE = 1, 4
ENTITIES = range(300)
# Windows of 200 ms, which are sealed and become final all the time.
SHORT = 200
READINGS = 400_000
FILES = ("catalog.db", "journal.db", "state.db")


def setUpModule():
    faults.print_seed()


class UnderFire(faults.FaultTest):
    """A producer never rests, windows are sealed all the time, and a backup is
    made; then the cluster is gone."""

    def start_backup(self, name):
        """Its directory and its process, which has begun."""
        path = self.cluster.directory / name
        log = self.cluster.directory / f"{name}.log"
        args = ["--join", self.cluster.join, "--timeout", "5s", "--json"]
        process = harness.Process(["backup", path, *args], log)
        begun = pathlib.Path(f"{path}.partial/journal.db")
        eventually(
            "the backup has begun",
            lambda: begun.exists() or not process.running,
        )
        return path, process

    def end_backup(self, process):
        self.assertEqual(process.wait(), 0, process.output)
        row = json.loads(process.output.splitlines()[-1])
        say(f"backup: {row}")
        return row

    def lose(self):
        """The producer ends, and the cluster with it; what is left of it is
        the backup."""
        self.end_ingest()
        for server in self.cluster.servers:
            server.kill()

    def restore(self, backup):
        """A cluster of one process, made of the backup."""
        target = backup.parent / f"{backup.name}-restored"
        done = harness.weir(
            "restore", backup, "--data", target, "--name", "main", "--json"
        )
        row = self.assert_done(done).row
        say(f"restored: {row}")
        self.old, self.cluster = self.cluster, self.start(
            data={"serve": target}, node_options=faults.OPTIONS
        )
        status = self.cluster.status()
        self.assertEqual(status["cluster"], row["cluster"])
        self.assertNotEqual(status["cluster"], row["backup_of"])
        return row

    def send_again(self):
        """The producer begins its input anew; returns what was there."""
        path = self.cluster.directory / "again.ndjson"
        path.write_bytes(b"".join(self.source.text))
        done = self.cluster.ingest(path, "--producer", "p", "--resume", "--flush")
        row = self.assert_done(done).row
        self.assertEqual(row["received"], self.source.written)
        self.assertEqual(row["accepted"] + row["duplicate"], self.source.written)
        self.assertGreater(row["duplicate"], 0)
        say(f"{row['duplicate']} of {row['received']} readings were there")
        return row["duplicate"]

    def compare(self, backup):
        """What is made of it goes on as if nothing had happened, alone and
        with others."""
        self.restore(backup)
        there = self.send_again()
        self.check(duplicate=there)
        self.cluster.add_node()
        self.cluster.add_node()
        self.await_copies()
        self.check(duplicate=there)
        self.assert_done(self.cluster.run("verify", "--journal"))
        self.assert_stranger()

    def await_copies(self):
        def spread():
            status = self.look()
            return status and not self.missing(status, 3)

        eventually("the shards have their copies", spread)

    def assert_stranger(self):
        """A node of the old cluster is refused by name."""
        node = self.old.nodes[0]
        node.options[node.options.index("--join") + 1] = self.cluster.join
        node.launch()
        self.assertEqual(node.process.wait(), FAILED, node.process.output)
        self.assertIn("belongs to cluster", node.process.output)


class RestoreTest(UnderFire):
    def test_a_backup_under_ingest_holds_what_was_acknowledged(self):
        self.begin(width=SHORT)
        self.await_progress()
        before = self.accepted()
        backup, process = self.start_backup("backup")
        row = self.end_backup(process)
        self.assertEqual(row["shards"], 32)
        self.await_progress()
        self.lose()
        row = self.restore(backup)
        self.assertGreaterEqual(row["accepted"], before)
        there = self.send_again()
        self.check(duplicate=there)

    def test_logs_end_where_the_catalog_ends(self):
        # So many that their logs are not read in a moment.
        self.begin(width=SHORT, settings={"shards": 128})

        def left_behind():
            """A backup whose process sleeps once it has the catalog."""
            name = f"backup{len(os.listdir(self.cluster.directory))}"
            backup, process = self.start_backup(name)
            catalog = pathlib.Path(f"{backup}.partial/catalog.db")
            while process.running and not (
                catalog.exists() and catalog.stat().st_size
            ):
                self.source.over.wait(0.001)
            process.signal(signal.SIGSTOP)
            before = self.final_windows()
            eventually(
                "further windows are final and forgotten",
                lambda: self.final_windows() > before + 20,
            )
            process.signal(signal.SIGCONT)
            row = self.end_backup(process)
            return backup if row["behind_entries"] else None

        backup = eventually("logs are cut", left_behind)
        self.lose()
        self.restore(backup)
        self.check(duplicate=self.send_again())

    def final_windows(self):
        done = self.assert_done(self.cluster.run("window list", "--json"))
        return done.row["final_through_ms"] // SHORT

    def test_a_node_dies_during_the_backup(self):
        self.begin(width=SHORT)
        self.await_progress()
        for i in range(2):
            victim = self.busiest()
            backup, process = self.start_backup(f"backup{i}")
            victim.kill()
            say(f"{victim.name} was killed")
            self.end_backup(process)
            victim.start()
            self.await_whole()
        self.lose()
        self.compare(backup)

    def test_coordinator_and_nodes_die_during_backups(self):
        self.begin(width=SHORT)
        for i in range(4):
            backup, process = self.start_backup(f"backup{i}")
            self.rest(0.1)
            victim = self.cluster.head if i % 2 else self.busiest()
            victim.kill()
            self.rest(0.5)
            victim.start()
            self.end_backup(process)
            self.await_whole()
        self.lose()
        self.compare(backup)


class BackupTest(SimpleTest):
    def fill_and_back_up(self, **settings):
        """A cluster with checkpoints, and a backup of it."""
        cluster = self.start(nodes=2, settings=settings, node_options=faults.OPTIONS)
        self.fill(cluster, ENTITIES)
        # Some megabytes, so that there are checkpoints.
        text = "".join(
            harness.event(f"x{i % 500}", BASE + i // 10, i * 2654435761**2 % 2**38)
            for i in range(READINGS)
        )
        self.assert_done(cluster.ingest(text, "--producer", "p"))
        eventually(
            "there are checkpoints",
            lambda: all(self.checkpointed(x) > 1 << 20 for x in cluster.nodes),
        )
        backup = cluster.directory / "backup"
        done = self.assert_done(cluster.run("backup", backup, "--json"))
        return cluster, backup, done.row

    def checkpointed(self, node):
        """Bytes of its checkpoints."""
        return sum(x.stat().st_size for x in node.data.glob("state.db*"))

    def restored(self, backup, *args):
        target = backup.parent / "restored"
        return target, harness.weir("restore", backup, "--data", target, *args)

    def assert_nothing_at(self, path):
        self.assertFalse(path.exists())
        self.assertFalse(pathlib.Path(f"{path}.partial").exists())

    def test_a_backup_becomes_a_cluster_that_is_the_same(self):
        cluster, backup, row = self.fill_and_back_up()
        before = cluster.status()
        self.assertEqual((row["shards"], row["behind_entries"]), (32, 0))
        self.assertEqual({*FILES, "manifest.json"}, set(os.listdir(backup)))
        manifest = json.loads((backup / "manifest.json").read_text())
        self.assertTrue(manifest["complete"])
        self.assertGreater(sum(x["chunks"] for x in manifest["shards"]), 0)
        # It is not overwritten, nor is anything else.
        done = self.assert_done(cluster.run("backup", backup), FAILED)
        self.assertIn("exists already", done.err)
        self.assert_done(cluster.run("config set", "window=2m"))
        for server in cluster.servers:
            server.kill()
        target, done = self.restored(backup, "--apart")
        self.assert_done(done)
        self.assertIn("weir coordinator --data", done.out)
        self.assertIn(f"{READINGS + 900} accepted readings", done.out)
        _, again = self.restored(backup)
        self.assertIn("exists already", self.assert_done(again, FAILED).err)
        # In the place of the old ones.
        cluster.head.data = target / "coordinator"
        cluster.nodes[0].data = target / "node"
        cluster.head.start()
        cluster.nodes[0].start()
        cluster.wait(1)
        after = cluster.status()
        for name in ("settings", "ledger", "rollup", "watermark_ms", "clock_ms"):
            self.assertEqual(after[name], before[name], name)
        self.assert_answered(cluster, ENTITIES)
        self.assertNotEqual(after["cluster"], before["cluster"])
        with contextlib.closing(
            sqlite3.connect(f"file:{backup}/catalog.db?mode=ro", uri=True)
        ) as db:
            self.assertEqual(
                db.execute("SELECT id FROM cluster").fetchone()[0], before["cluster"]
            )

    def test_a_flipped_byte_is_found_and_named(self):
        _, backup, _ = self.fill_and_back_up()
        for name, column, table in (
            ("journal.db", "block", "entry WHERE kind = 2"),
            ("state.db", "data", "chunk"),
        ):
            path = backup / name
            whole = path.read_bytes()
            with contextlib.closing(sqlite3.connect(path)) as db:
                found = db.execute(f"SELECT shard, {column} FROM {table}").fetchone()
            if found is None and name == "journal.db":
                continue  # Checkpoints have all of it; see below.
            shard, row = found
            # Wherever SQLite has left it.
            changed = row[:20] + flipped(row[20:40], 0)
            path.write_bytes(whole.replace(row[:40], changed))
            target, done = self.restored(backup)
            self.assert_done(done, FAILED)
            self.assertIn(f"{path}", done.err)
            self.assertRegex(done.err, rf"shard {shard}\b")
            self.assert_nothing_at(target)
            path.write_bytes(whole)
        # Wherever it is.
        for name in (*FILES, "manifest.json"):
            path = backup / name
            whole = path.read_bytes()
            for at in (len(whole) // 3, len(whole) - 3):
                path.write_bytes(flipped(whole, at))
                target, done = self.restored(backup)
                self.assert_done(done, FAILED)
                self.assertIn(name, done.err)
                self.assert_nothing_at(target)
            path.write_bytes(whole)
        for name in FILES:
            path = backup / name
            whole = path.read_bytes()
            path.unlink()
            _, done = self.restored(backup)
            self.assertIn(f"{path} is missing", self.assert_done(done, FAILED).err)
            path.write_bytes(whole)
        self.assert_done(self.restored(backup)[1])

    def test_a_backup_that_was_cut_off_is_none(self):
        cluster = self.start(nodes=1, settings={"shards": 256})
        self.fill(cluster, ENTITIES)
        backup = cluster.directory / "backup"
        partial = pathlib.Path(f"{backup}.partial")
        process = harness.Process(
            ["backup", backup, "--join", cluster.join], cluster.directory / "b.log"
        )
        eventually("it has begun", (partial / "journal.db").exists)
        process.kill()
        self.assertFalse(backup.exists())
        if partial.exists():  # It was not too late.
            done = harness.weir(
                "restore", partial, "--data", cluster.directory / "none"
            )
            self.assertIn("cut off", self.assert_done(done, FAILED).err)
            # Nor may a server be started there.
            self.assert_done(harness.weir("serve", "--data", partial), FAILED)
        self.assert_done(cluster.run("backup", backup))
        self.assertFalse(partial.exists())

    def test_a_shard_that_nobody_serves_is_named(self):
        cluster = self.start(nodes=2, settings={"replicas": 1})
        self.fill(cluster, ENTITIES)
        cluster.nodes[1].kill()
        backup = cluster.directory / "backup"
        done = cluster.run("backup", backup, "--timeout", "1s")
        self.assert_done(done, UNREACHABLE)
        self.assertRegex(done.err, r"shard \d+ can't be read: ")
        self.assertIn("n2", done.err)
        self.assert_nothing_at(backup)

    def test_a_full_disk_is_told_and_left_empty(self):
        cluster = self.start(nodes=1)
        self.fill(cluster, ENTITIES)
        disk = tempfile.mkdtemp(prefix="weir-test-backup-")
        self.addCleanup(os.rmdir, disk)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=128k", "weir-test", disk],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            self.skipTest(f"no file system can be mounted: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        done = cluster.run("backup", f"{disk}/backup")
        self.assert_done(done, FAILED)
        self.assertIn("free some space", done.err)
        self.assertEqual(os.listdir(disk), [])
        backup = cluster.directory / "backup"
        self.assert_done(cluster.run("backup", backup))
        done = harness.weir("restore", backup, "--data", f"{disk}/data")
        self.assert_done(done, FAILED)
        self.assertIn("free some space", done.err)
        self.assertEqual(os.listdir(disk), [])
        self.assert_answered(cluster, ENTITIES)


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


if __name__ == "__main__":
    unittest.main()
